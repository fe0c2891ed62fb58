"""Files that people write for mlreg, as text and as documents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from mlreg.errors import NotFoundError, UsageError
from mlreg.formats.yaml_document import MAX_CHARS, parse_yaml


def text_of(path: Path) -> str:
    """Return the text of a file that someone named, up to one character more than is allowed.

    Raises:
        NotFoundError: `file_missing`.
        UsageError: `bad_meta`, it cannot be read.
    """
    try:
        with path.open(encoding="utf-8") as file:
            # One character more than is allowed, even of a device without an end: who reads it refuses that.
            return file.read(MAX_CHARS + 1)
    except FileNotFoundError as error:
        raise NotFoundError("file_missing", f"{path} does not exist", fix="check the spelling") from error
    except (OSError, ValueError) as error:
        raise UsageError(
            "bad_meta", f"{path} cannot be read", why=str(error), fix="let it be a text in UTF-8 that you may read"
        ) from error


def read_rules(files: Iterable[Path]) -> dict[str, object]:
    """Return the documents in files of rules, by the path of each.

    Raises:
        UsageError: `bad_yaml`; `bad_meta`, one cannot be read.
        NotFoundError: `file_missing`.
    """
    return {str(path): parse_yaml(text_of(path), str(path)) for path in files}


def rules_given(rules: Mapping[str, object] | str | Path | None) -> Mapping[str, object]:
    """Return rules that a caller hands over, themselves or the path of a file, by where they lie; raises as above."""
    if isinstance(rules, str | Path):
        return read_rules([Path(rules)])
    return {"rules": rules} if rules else {}
