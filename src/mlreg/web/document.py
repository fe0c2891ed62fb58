"""The frame of a page: one HTML file that opens from a disk, loads nothing, and runs and looks as it was written.

Scripts and styles are allowed by their hashes alone; with no script, none runs, whatever is put into the file.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from html import escape
from importlib.resources import files


def document(title: str, body: str, styles: Sequence[str], scripts: Sequence[str] = ()) -> str:
    """Return a page.

    Args:
        title: as text.
        body: as HTML.
        styles: files below `web/`.
        scripts: other ones; they stand at the end of the body.
    """
    style = "\n".join(map(_read, styles))
    script = "\n".join(["'use strict';", *map(_read, scripts)]) if scripts else ""
    allowed = [f"script-src {_hash(script)}"] if script else []
    rules = ("default-src 'none'", *allowed, f"style-src {_hash(style)}", "base-uri 'none'", "form-action 'none'")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{"; ".join(rules)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{escaped(title)}</title>
<style>{style}</style>
</head>
<body>
{body}
{f"<script>{script}</script>" if script else ""}
</body>
</html>
"""


def escaped(value: object) -> str:
    r"""Return a value as HTML and XML may have it: what steers, hides or turns the direction, as escapes.

    >>> escaped("<b>\u202e")
    '&lt;b&gt;\\u202e'
    """
    return escape("".join(mark if mark.isprintable() else _shown(mark) for mark in str(value)))


def _shown(mark: str) -> str:
    return mark.encode("unicode_escape").decode()


def _read(name: str) -> str:
    found = files("mlreg.web").joinpath(name).read_text(encoding="utf-8")
    # A map of the source lies in no report.
    return "\n".join(line for line in found.splitlines() if not line.startswith("//# sourceMappingURL="))


def _hash(source: str) -> str:
    return f"'sha256-{b64encode(sha256(source.encode()).digest()).decode()}'"
