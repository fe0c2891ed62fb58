"""Versions and policies at random, as the rules see them."""

from __future__ import annotations

from hypothesis import strategies as st

from mlreg.retention.policy import WORDS, Age, Best, Policy, Retention, Rule
from mlreg.retention.rules import Version

NOW = "2026-11-23T06:28:00Z"
TAGS = ("production", "prod-eu", "golden", "v-one")
DEPLOYED = ("prod*",)
ENTRIES = ("data/rows", "exp/churn", "model/net", "model/scratch/net")
REFS = [f"{entry}@{number}" for entry in ENTRIES for number in range(4, 0, -1)]

times = st.datetimes().map(lambda time: f"{time.replace(microsecond=0).isoformat()}Z") | st.sampled_from(
    ["", NOW, "2026-11-22T00:00:00Z", "2026-11-22T12:00:00Z", "2026-10-01T00:00:00Z", "2025-01-01T00:00:00Z"]
)
days = times.map(lambda time: time[:10])


def version(ref: str, **facts: object) -> Version:
    """Return a version of which only some facts are given."""
    return Version(ref, "", **{"time": NOW, **facts})  # type: ignore[arg-type]  # as the caller gives them


@st.composite
def versions(draw: st.DrawFn) -> list[Version]:
    """Draw versions of some entries, the newest first; inputs are others of them, or gone."""
    refs = draw(st.sets(st.sampled_from(REFS), max_size=8))
    return [draw(_FACTS[ref]) for ref in REFS if ref in refs]


def _facts(ref: str) -> st.SearchStrategy[Version]:
    """Return what draws one version; most are in no use."""
    seldom = st.integers(0, 9).map(lambda number: number == 0)
    return st.builds(
        Version,
        ref=st.just(ref),
        id=st.just(ref),
        time=times,
        is_latest=seldom,
        tags=seldom.flatmap(lambda has: st.sets(st.sampled_from(TAGS)).map(tuple) if has else st.just(())),
        held=seldom.map(lambda is_held: "audit" * is_held),
        frozen=seldom,
        needed_by=seldom.map(lambda is_needed: "model/other@1.0.0" * is_needed),
        inputs=st.lists(st.sampled_from(REFS).filter(lambda one: one != ref), max_size=2).map(tuple),
        deployed=st.none() | st.integers(0, 4),
        used=st.just("") | days,
        reads=st.integers(0, 5),
        metrics=st.dictionaries(st.sampled_from(["loss", "auc"]), st.floats()),
    )


_FACTS = {ref: _facts(ref) for ref in REFS}
_counts = st.integers(1, 4)
_ages = st.integers(1, 1000).map(lambda number: Age(f"{number}d", number))
VALUES = {
    "keep-within": _ages,
    "keep-used-within": _ages,
    "keep-tag": st.lists(st.sampled_from(["prod*", "golden", "none"]), min_size=1).map(tuple),
    "keep-best": st.builds(Best, _counts, st.sampled_from(["loss", "auc"]), st.sampled_from(["min", "max"])),
    "keep-deployed": st.sampled_from([True, 1, 2, 3, 4]),
    "keep-ancestors-of": st.just("kept"),
}
rules = st.sampled_from(sorted(WORDS)).flatmap(lambda word: VALUES.get(word, _counts).map(lambda one: Rule(word, one)))
policies = st.builds(
    Policy,
    origin=st.just("policies[0]"),
    match=st.sampled_from([("*",), ("model/*",), ("model/*", "!model/scratch/*"), ("data/rows", "exp/*")]),
    rules=st.lists(rules, max_size=3).map(tuple),
    may_remove_all=st.booleans(),
)
retentions = st.builds(Retention, st.lists(policies, max_size=3).map(tuple), st.just(DEPLOYED))
