"""What training code logs, as the values that a journal can hold; what is none of them is kept as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlreg.errors import UsageError
from mlreg.formats.canonical import MAX_INTEGER
from mlreg.formats.journal import is_value, spelled
from mlreg.formats.plain import plain


def number_of(name: str, value: object) -> float:
    """Return a value of a metric as a double: an int, a number of numpy, a tensor with one element.

    Raises:
        UsageError: `bad_metric`.
    """
    try:
        if not isinstance(value, str | bytes):
            return float(value)  # type: ignore[arg-type]  # what has no float says so
    except (TypeError, ValueError, RuntimeError):
        pass
    except OverflowError as error:
        raise UsageError("bad_metric", f"{name} is larger than any double", fix="log its logarithm") from error
    shown = f"{value!r:.80}"
    raise UsageError("bad_metric", f"{name} is no number: {shown}", fix="log texts with log_params or set_tags")


def step_of(step: object) -> int:
    """Return a step as a whole number of 64 bits.

    Raises:
        UsageError: `bad_step`.
    """
    try:
        found = int(step)  # type: ignore[call-overload]  # what is no number says so
    except (TypeError, ValueError, OverflowError, RuntimeError):
        found = None
    if found is None or found != step or abs(found) > MAX_INTEGER:
        raise UsageError(
            "bad_step",
            f"{step!r:.80} is no step",
            why="a step is a whole number of 64 bits",
            fix="count steps by whole numbers",
        )
    return int(found)


def value_of(value: object) -> Any:  # noqa: ANN401 - a JSON value
    """Return the value of a param, a label or a fact as a JSON value, or as the text that `str` makes of it."""
    found = plain(value)
    if isinstance(found, float):
        return spelled(found)
    return found if is_value(found) else text_of(found)


def values_of(values: Mapping[Any, object]) -> dict[str, Any]:
    """Return values by their names."""
    return {text_of(name): value_of(value) for name, value in values.items()}


def text_of(value: object) -> str:
    """Return something as text that can be stored: half of a character, as in the names of odd files, is spelled."""
    return str(value).encode("utf-8", "backslashreplace").decode()
