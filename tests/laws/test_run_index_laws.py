"""The index of runs: the same rows whether it is built at once or kept up, by one process or by two."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mlreg.errors import NotFoundError
from mlreg.formats.annotation import about_version
from mlreg.formats.direction import better_of
from mlreg.formats.names import Entry
from mlreg.formats.run import RunState, run_id
from mlreg.operations.annotate import annotate
from mlreg.operations.best_run import Goal, best_run, goal_of, set_goal
from mlreg.operations.history import read_commit, version_of
from mlreg.operations.record import remove, restore
from mlreg.operations.register import add
from mlreg.operations.run_facts import sealed_document
from mlreg.operations.run_index import RunIndex
from mlreg.operations.sealing import run_version
from mlreg.repository.repository import Repository
from mlreg.stores.memory import MemoryStore
from tests.unit.repository.samples import repository_in

CHURN = Entry("exp", "churn")
RUNS = [run_id(number, bytes([number] * 10)) for number in range(1, 5)]


def put(repository: Repository, run: str, version: str = "", status: str = "finished", **metrics: Any) -> None:
    """Seal a run that has these metrics."""
    state = RunState(run)
    state.experiment = "churn"
    run_facts = {"status": status, "started": "2026-01-01T00:00:00.000Z"}
    metadata = {"metrics": metrics, "params": {}, "ranges": {}, "run": run_facts}
    new = run_version(state, metadata, {}, (), "Ann")
    add(repository, replace(new, version=version or run), lambda size: None)


def rows(index: RunIndex) -> dict[str, Any]:
    """Return all that an index holds, without its own numbers."""
    numbers = index.numbers(["churn"])
    documents = dict(zip(numbers, index.documents(numbers), strict=True))
    columns = {
        key: {documents[number]["id"]: value for number, value in index.column(key).items()} for key in index.keys("")
    }
    return {
        "order": [documents[number]["id"] for number in numbers],
        "documents": {one["id"]: one for one in documents.values()},
        "columns": {key: column for key, column in columns.items() if column},
    }


class KeptUp(RuleBasedStateMachine):
    """An index that is asked at any time holds what one holds that is built from nothing."""

    @initialize()
    def begin(self) -> None:
        self.store = MemoryStore()
        self.repository = repository_in(self.store)
        self.count = 0
        self.sealed: dict[str, int] = {}
        self.index = RunIndex(self.repository)

    @rule(number=st.integers(0, 3), again=st.booleans())
    def seal(self, number: int, again: bool) -> None:
        run = RUNS[number]
        if again or run not in self.sealed:
            self.sealed[run] = self.sealed.get(run, 0) + 1
            self.count += 1
            put(
                self.repository,
                run,
                run if self.sealed[run] == 1 else f"{run}+{self.sealed[run]}",
                loss=float(self.count),
                only_once=1,
            )

    @rule(number=st.integers(0, 3), label=st.integers(0, 2))
    def speak(self, number: int, label: int) -> None:
        if last := self.last(RUNS[number]):
            found = version_of(self.repository.log.refresh(), CHURN, last)
            if found and found.target:
                about = about_version(found.name, read_commit(self.repository, found.target).content())
                annotate(self.repository, about, {"labels": {"team": label}}, "Ann", "", lambda view: {})

    @rule(number=st.integers(0, 3), back=st.booleans())
    def take_away(self, number: int, back: bool) -> None:
        if last := self.last(RUNS[number]):
            (restore if back else remove)(self.repository, {CHURN: [last]}, "Ann", "")

    def last(self, run: str) -> str:
        count = self.sealed.get(run, 0)
        return "" if not count else run if count == 1 else f"{run}+{count}"

    @rule()
    def ask(self) -> None:
        self.repository.log.refresh()
        self.index._refresh()

    @invariant()
    def all_is_as_if_built_at_once(self) -> None:
        if hasattr(self, "index"):
            self.ask()
            fresh = repository_in(self.store)
            fresh.log.refresh()
            assert rows(self.index) == rows(RunIndex(fresh))


KeptUp.TestCase.settings = settings(max_examples=25, stateful_step_count=12, deadline=None)
TestKeptUp = KeptUp.TestCase


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return repository_in(None, tmp_path / "cache")


def test_of_two_that_index_at_once_the_older_state_does_not_stand(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One has read a run as it was; before it writes, the run is sealed again, and another process indexes that."""
    put(repository, RUNS[0], loss=1.0)
    repository.log.refresh()

    def late(*given: Any) -> dict[str, Any]:
        monkeypatch.undo()
        document = sealed_document(*given)
        put(repository, RUNS[0], f"{RUNS[0]}+2", loss=2.0)
        repository.log.refresh()
        RunIndex(repository).close()
        return document

    monkeypatch.setattr("mlreg.operations.run_index.sealed_document", late)
    RunIndex(repository).close()

    found = rows(RunIndex(repository))["documents"]
    assert found[RUNS[0]]["metrics"] == {"loss": 2.0}


VALUES: list[Any] = [True, False, None, 0, -1, 2**62, 2**70, 0.5, 1e308, "text", "größe", "", [1, "a"], "NaN"]


def test_values_of_any_kind_come_back_as_they_are(repository: Repository) -> None:
    values = {f"m{number}": value for number, value in enumerate(VALUES) if value != 2**70}
    put(repository, RUNS[0], **values)
    repository.log.refresh()

    index = RunIndex(repository)

    found = {name: list(index.column(f"metrics.{name}").values()) for name in values}
    assert found == {name: [value] for name, value in values.items()}
    assert [type(one[0]) for one in found.values()] == [type(value) for value in values.values()]


def test_facts_and_runs_are_found_by_how_they_begin(repository: Repository) -> None:
    put(repository, RUNS[0], loss=1, loss_val=2, los=3)
    repository.log.refresh()
    index = RunIndex(repository)

    assert index.keys("metrics.loss") == ["metrics.loss", "metrics.loss_val"]
    assert index.named(RUNS[0][:10]) == [("churn", RUNS[0])]
    assert index.named(RUNS[1]) == index.named("%") == []


# The best.


@pytest.mark.parametrize(
    ("direction", "values", "best"),
    [
        ("max", [0.1, 0.9, 0.9, 0.5], 1),
        ("min", [0.1, 0.9, 0.1, 0.5], 0),
        ("max", ["NaN", 0.1, "-Infinity", "NaN"], 1),
        ("max", ["Infinity", 1e308, 0.1, 2], 0),
        ("min", [True, 3, None, "text"], 1),
    ],
)
def test_the_best_run_is_the_first_of_the_best_finished_ones(
    repository: Repository, direction: Any, values: list[Any], best: int
) -> None:
    set_goal(repository, CHURN, Goal("auc", direction), "Ann")
    for run, value in zip(RUNS, values, strict=True):
        put(repository, run, auc=value)
    failed = run_id(0, bytes(10))
    put(repository, failed, status="crashed", auc=1e9 if direction == "max" else -1e9)
    repository.log.refresh()

    assert best_run(repository, CHURN) == RUNS[best]


def test_without_a_goal_or_a_run_that_has_it_there_is_no_best_one(repository: Repository) -> None:
    def code() -> str:
        repository.log.refresh()
        with pytest.raises(NotFoundError) as caught:
            best_run(repository, CHURN)
        return caught.value.code

    put(repository, RUNS[0], loss=1)
    assert code() == "no_goal"
    assert set_goal(repository, CHURN, Goal("auc", "max"), "Ann") is not None
    assert set_goal(repository, CHURN, Goal("auc", "max"), "Bob") is None
    assert goal_of(repository.log.refresh(), CHURN) == Goal("auc", "max")
    assert code() == "no_best"


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        ("val/loss", "min"),
        ("test_AUC", "max"),
        ("speed", ""),
        ("loss_auc", ""),
        ("glossary", ""),
        ("top-1 acc", "max"),
        ("", ""),
    ],
)
def test_what_is_better_is_told_by_the_words_of_a_name(name: str, direction: str) -> None:
    assert better_of(name) == direction
