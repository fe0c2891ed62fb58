r"""A report as one HTML file: it opens from a disk, loads nothing, and runs no script but its own.

The data stand in the page as JSON, in which `<` is written `\\u003c`, so that no text in it can end the script
element; the page puts texts in place as texts. Scripts and styles are allowed by their hashes alone.
"""

from __future__ import annotations

import json
import struct
import zlib
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from html import escape
from importlib.resources import files
from itertools import pairwise
from typing import Any

from mlreg import __version__
from mlreg.registry.reporting import Report, ReportCurve
from mlreg.registry.results import VersionInfo
from mlreg.registry.run_results import RunInfo, facts

SCRIPTS = (
    *("vendor/uPlot.iife.min.js", "vendor/dagre.min.js"),
    *("page/basics.js", "page/filter.js", "page/runs.js", "page/curves.js", "page/facts.js", "page/lineage.js"),
    *("page/texts.js", "page/main.js"),
)
STYLES = ("vendor/uPlot.min.css", "page/page.css")
_LONG = 300
"""Characters from which on a value of metadata is cut: the whole stands in the version."""
_SURROUNDINGS = ("code", "environment", "python", "platform", "host")
"""Facts that may make a difference between runs."""


def page(report: Report, now: datetime | None = None) -> str:
    """Return the page.

    Args:
        report: what it shows.
        now: when it is made.
    """
    styles = "\n".join(map(_read, STYLES))
    script = "\n".join(["'use strict';", *map(_read, SCRIPTS)])
    data = json.dumps(
        _data(report, now or datetime.now(UTC)), ensure_ascii=False, allow_nan=False, separators=(",", ":")
    )
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(styles)}; "
        "base-uri 'none'; form-action 'none'"
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{escape(report.title)}</title>
<style>{styles}</style>
</head>
<body>
<header><h1>{escape(report.title)}</h1><p></p></header>
<nav aria-label="parts of the report"></nav>
<main><noscript>This report needs JavaScript, which stands in this file.</noscript></main>
<script type="application/json" id="data">{data.replace("<", chr(92) + "u003c")}</script>
<script>{script}</script>
</body>
</html>
"""


def _read(name: str) -> str:
    text = files("mlreg.web").joinpath(name).read_text(encoding="utf-8")
    # A map of the source lies in no report.
    return "\n".join(line for line in text.splitlines() if not line.startswith("//# sourceMappingURL="))


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _data(report: Report, now: datetime) -> dict[str, Any]:
    points = sum(curve.points for curves in report.curves.values() for curve in curves)
    counts = [f"{len(report.runs):,} runs, {points:,} points"] if report.runs else []
    return {
        "title": report.title,
        "about": ", ".join([*counts, f"made {now:%Y-%m-%d %H:%M} UTC by mlreg {__version__}"]),
        "goal": report.goal,
        "directions": {f"metrics.{name}": better for name, better in report.directions.items()},
        "runs": [_run(run) for run in report.runs],
        "curves": {name: _packed(curves) for name, curves in report.curves.items()},
        "lineage": {
            "nodes": [{**node._asdict(), "asked": node.id in report.asked} for node in report.lineage.nodes],
            "edges": [edge._asdict() for edge in report.lineage.edges],
        },
        "cards": [_card(version) for version in report.cards],
        "notes": [note._asdict() for note in report.notes],
    }


def _run(run: RunInfo) -> dict[str, Any]:
    ranges = {end: {name: one.get(end) for name, one in run.ranges.items()} for end in ("min", "max")}
    surroundings = {name: value for name, value in facts(run, "facts") if name.split(".")[0] in _SURROUNDINGS}
    return {
        **{name: getattr(run, name) for name in ("ref", "id", "experiment", "name", "status", "started", "seconds")},
        **{name: getattr(run, name) for name in ("group", "parent", "author", "metrics")},
        **{end: {**run.metrics, **some} for end, some in ranges.items()},
        "params": dict(facts(run, "params")),
        "labels": dict(facts(run, "labels")),
        "facts": surroundings | {f"in {one.role}": one.ref for one in run.inputs},
    }


def _card(version: VersionInfo) -> dict[str, Any]:
    said = dict(version.metadata)
    body = said.pop("card", "")
    rows: list[tuple[str, Any]] = [("id", version.id), ("registered", f"{version.author}, {version.time}")]
    rows.extend((word, value) for word in ("message", "deprecated") if (value := getattr(version, word)))
    rows.extend((f"in {one.role}", one.ref) for one in version.inputs)
    rows.append(("files", f"{version.files:,} ({version.size:,} B)"))
    rows.extend((word, ", ".join(values)) for word, values in (("tags", version.tags),) if values)
    rows.extend((name, _short(value)) for name, value in _flat(said))
    return {"ref": version.ref, "fields": rows, "body": body if isinstance(body, str) else ""}


def _flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in sorted(values.items()):
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _short(value: object) -> object:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if len(text) > _LONG:
        return f"{text[:_LONG]}… ({len(text):,} characters)"
    return value


# Curves: what repeats in them is said once, and what is left is deflated.


def _packed(curves: Sequence[ReportCurve]) -> dict[str, Any]:
    """Return the curves of a metric: values as floats of 32 bits, steps by their stride or by their differences.

    Bytes of equal weight stand together, which deflate likes better.
    """
    regular = [_stride(curve.steps) for curve in curves]
    values = [value for curve in curves for value in curve.values]
    moves = [
        move
        for curve, stride in zip(curves, regular, strict=True)
        if stride is None
        for move in (0, *(_narrow(after - before) for before, after in pairwise(curve.steps)))
    ]
    data = _planes(_floats(values)) + _planes(struct.pack(f"<{len(moves)}i", *moves))
    return {
        "packed": b64encode(_deflated(data)).decode(),
        "runs": [
            {
                "run": curve.run,
                "count": len(curve.steps),
                "first": curve.steps[0],
                "stride": stride,
                "points": curve.points,
                "odd": curve.not_finite,
            }
            for curve, stride in zip(curves, regular, strict=True)
        ],
    }


def _stride(steps: Sequence[int]) -> int | None:
    stride = steps[1] - steps[0]
    return stride if all(after - before == stride for before, after in pairwise(steps)) else None


def _narrow(move: int) -> int:
    return max(-(1 << 31), min(move, (1 << 31) - 1))


_LARGEST = 3.4028234663852886e38


def _floats(values: Iterable[float]) -> bytes:
    # What is too large for 32 bits is drawn as large as can be.
    fitting = [max(-_LARGEST, min(value, _LARGEST)) if value - value == 0 else value for value in values]
    return struct.pack(f"<{len(fitting)}f", *fitting)


def _planes(data: bytes) -> bytes:
    return b"".join(data[plane::4] for plane in range(4))


def _deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()
