"""Records of journals, as random as their format allows, and files of lines to read them from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st

from mlreg.formats.canonical import MAX_INTEGER
from mlreg.formats.journal import line_of
from mlreg.formats.run import ENDS, MAX_NAME_CHARS, is_name, run_id

RUN = run_id(1, bytes(10))

names = st.text(min_size=1, max_size=MAX_NAME_CHARS).filter(is_name)
few_names = st.sampled_from(("loss", "val/auc", "größe"))
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
integers = st.integers(-MAX_INTEGER, MAX_INTEGER)
numbers = (
    st.floats(allow_nan=False, allow_infinity=False) | integers | st.sampled_from(("NaN", "Infinity", "-Infinity"))
)
json_values = st.recursive(
    st.none() | st.booleans() | integers | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
times = st.integers(0, 20) | st.integers(0, MAX_INTEGER)

_SAID: dict[str, st.SearchStrategy[Any]] = {
    "artifact": st.fixed_dictionaries({"path": texts, "place": texts}),
    "end": st.fixed_dictionaries({"status": st.sampled_from(ENDS)}, optional={"reason": texts}),
    "facts": st.dictionaries(texts, json_values, max_size=2),
    "input": st.fixed_dictionaries({"role": st.just("data"), "commit": st.just("0a" * 32), "ref": texts}),
    "labels": st.dictionaries(few_names, json_values, max_size=2),
    "left": st.just({}),
    "params": st.dictionaries(few_names, json_values, max_size=2),
    "start": st.fixed_dictionaries(
        {"format": st.just(1), "run": st.just(RUN)},
        optional={"experiment": st.just("churn"), "pid": st.integers(1, 2**31 - 1), "began": texts, "host": texts},
    ),
    "told": st.dictionaries(st.sampled_from(("name", "description", "group", "parent")), texts, max_size=2),
    "what a later release says": json_values,
}

others = st.sampled_from(sorted(_SAID)).flatmap(lambda key: st.fixed_dictionaries({key: _SAID[key], "time": times}))
points = st.fixed_dictionaries(
    {"metrics": st.dictionaries(few_names, numbers, min_size=1, max_size=2), "step": integers, "time": times}
)
records = points | others


def lines(said: Iterable[dict[str, Any]]) -> bytes:
    """Return the journal that says all this."""
    return b"".join(map(line_of, said))


def point(value: float | str, step: int = 0, time: int = 1, name: str = "loss") -> dict[str, Any]:
    """Return a record of one point."""
    return {"metrics": {name: value}, "step": step, "time": time}
