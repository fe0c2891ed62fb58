r"""A journal: what one writer says of a run while it lives, a line for each thing.

Format page: `docs/format/run.md`. A line is the CRC-32 of the record as 8 hexadecimal digits, a space, the
record as JSON, and a line end:

    1c9a4f0b {"metrics":{"loss":0.25},"step":3,"time":1763966880000}

A record says when, and one thing. Lines stand alone: one that is damaged or half written hides no other.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple
from zlib import crc32

from mlreg.errors import UsageError
from mlreg.formats import canonical
from mlreg.formats.canonical import MAX_INTEGER
from mlreg.formats.names import check_name, check_role
from mlreg.formats.points import stretches
from mlreg.formats.run import ENDS, TOLD, Points, is_name, is_run_id, is_run_version
from mlreg.ids import DIGEST_SIZE, is_lower_hex

FORMAT = 1
SUFFIX = ".journal"
MAX_LINE = 1024 * 1024
"""Bytes of one record."""
_CHECK = 9
"""Bytes of the check and the space behind it."""
NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
"""How JSON, which has no such numbers, spells them here."""
MAX_VALUE_DEPTH = 27
"""Lists and objects, one in the other, that a param, a label or a fact may have, and still fit into a commit."""
_DECODER = json.JSONDecoder()
"""`json.loads` takes twice the time, and lines that are read together do not stand alone."""
_HEX = re.compile(rb"[0-9a-f]{8} ")
_MAX_PID = 2**31 - 1


class Reading(NamedTuple):
    """What stands in a journal."""

    parts: list[dict[str, Any] | Points]
    """Records, and points that stand for a record each."""
    damaged: int
    """Lines that are not as they were written."""
    is_cut: bool
    """Whether the last line is half written: its writer was interrupted, or is writing it."""

    @property
    def records(self) -> list[dict[str, Any]]:
        """All records, in order."""
        return [one for part in self.parts for one in (part.records() if isinstance(part, Points) else [part])]


def line_of(record: Mapping[str, Any]) -> bytes:
    """Return the line of a record.

    Raises:
        UsageError: `bad_json`; `record_too_large`.
    """
    return checked(canonical.encode(dict(record)))


def checked(body: bytes) -> bytes:
    """Return the line of a record that is JSON already.

    Raises:
        UsageError: `record_too_large`.
    """
    if len(body) > MAX_LINE:
        raise UsageError(
            "record_too_large",
            f"one thing that is said of a run has {len(body)} bytes, and at most {MAX_LINE} are kept",
            fix="log it as a file: log_artifact, log_text",
        )
    return b"%08x %s\n" % (crc32(body), body)


def spelled(value: float) -> float | str:
    """Return a value of a metric as JSON has it: what is not finite as one of the words of `NOT_FINITE`."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def read_journal(data: bytes) -> Reading:
    """Return the records of a journal, in order.

    Args:
        data: all of it, or what is there so far.
    """
    parts: list[dict[str, Any] | Points] = []
    damaged, last = 0, b""
    for stretch in stretches(data):
        if isinstance(stretch, Points):
            parts.append(stretch)
            continue
        *lines, last = stretch.split(b"\n")
        records = _records(lines)
        parts += records
        damaged += sum(map(bool, lines)) - len(records)
    return Reading(parts, damaged, bool(last))


def _records(lines: list[bytes]) -> list[dict[str, Any]]:
    bodies = [line[_CHECK:] for line in lines if _is_whole(line)]
    return [value for value in map(_value, bodies) if _is_record(value)]


def _is_whole(line: bytes) -> bool:
    body = line[_CHECK:]
    return len(body) <= MAX_LINE and bool(_HEX.match(line)) and int(line[:8], 16) == crc32(body)


def _value(body: bytes) -> Any:  # noqa: ANN401 - anything may stand there
    try:
        text = body.decode()
        value, end = _DECODER.raw_decode(text)
    except (ValueError, RecursionError):
        return None
    return value if end == len(text) else None


def _is_record(record: Any) -> bool:  # noqa: ANN401 - anything may stand there
    if not isinstance(record, dict) or not _is_time(record.get("time")):
        return False
    return all(_SHAPES[key](value, record) for key, value in record.items() if key in _SHAPES)


def _is_time(value: object) -> bool:
    return type(value) is int and 0 <= value <= MAX_INTEGER


def _is_number(value: object) -> bool:
    return (
        type(value) is float
        or (type(value) is int and abs(value) <= MAX_INTEGER)
        or (isinstance(value, str) and value in NOT_FINITE)
    )


def _are_metrics(value: object, record: Mapping[str, Any]) -> bool:
    step = record.get("step")
    is_step = type(step) is int and -MAX_INTEGER <= step <= MAX_INTEGER
    return is_step and isinstance(value, dict) and all(map(is_name, value)) and all(map(_is_number, value.values()))


def is_value(value: object) -> bool:
    """Tell whether something is a JSON value that a param, a label or a fact may have."""
    return canonical.holds(value, canonical.MAX_DEPTH - MAX_VALUE_DEPTH)


def _are_values(value: object, _: object) -> bool:
    return isinstance(value, dict) and _are_texts(value) and all(map(is_value, value.values()))


def _are_params(value: object, _: object) -> bool:
    return isinstance(value, dict) and all(map(is_name, value)) and all(map(is_value, value.values()))


def _has_texts(*required: str, others: Iterable[str] = ()) -> Callable[[object, object], bool]:
    known = {*required, *others}

    def has(value: object, _: object) -> bool:
        return (
            isinstance(value, dict)
            and set(required) <= set(value)
            and _are_texts(text for key, text in value.items() if key in known)
        )

    return has


_HAS_INPUT = _has_texts("role", "commit", "ref")


def _are_texts(values: Iterable[object]) -> bool:
    return all(isinstance(value, str) and canonical.holds(value) for value in values)


def _is_input(value: Any, record: object) -> bool:  # noqa: ANN401 - anything may stand there
    is_whole = _HAS_INPUT(value, record) and is_lower_hex(value["commit"], 2 * DIGEST_SIZE)
    return is_whole and _passes(check_role, value["role"])


def _is_end(value: object, _: object) -> bool:
    return isinstance(value, dict) and value.get("status") in ENDS and _are_texts([value.get("reason", "")])


def _is_start(value: object, _: object) -> bool:
    if not (isinstance(value, dict) and value.get("format") == FORMAT and is_run_id(str(value.get("run")))):
        return False
    experiment, resumes, pid = value.get("experiment", ""), value.get("resumes", ""), value.get("pid", 1)
    return (
        _are_texts((experiment, resumes, value.get("began", ""), value.get("host", "")))
        and (not experiment or _passes(check_name, experiment))
        and (not resumes or is_run_version(resumes))
        and type(pid) is int
        and 0 < pid <= _MAX_PID
    )


def _passes(check: Callable[[str], None], text: str) -> bool:
    try:
        check(text)
    except UsageError:
        return False
    return True


_SHAPES: dict[str, Callable[[Any, Mapping[str, Any]], bool]] = {
    "artifact": _has_texts("path", "place"),
    "end": _is_end,
    "facts": _are_values,
    "input": _is_input,
    "labels": _are_values,
    "metrics": _are_metrics,
    "params": _are_params,
    "start": _is_start,
    "told": _has_texts(others=TOLD),
}
"""What stands behind each key that this release knows."""
