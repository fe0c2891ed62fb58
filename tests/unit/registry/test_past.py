"""The registry as it was, and tags that move only from where they are expected."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlreg.errors import MlregError
from mlreg.registry import annotating
from mlreg.registry.experiment import ExperimentRegistry
from mlreg.registry.places import init
from mlreg.registry.registry import Registry
from mlreg.registry.run_place import Place
from mlreg.registry.searching_runs import search
from mlreg.repository import log

ONE = "model/net@1.0.0"


class Calendar:
    """Sets the clock of the log to a day of November 2026."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.day = 1
        monkeypatch.setattr(log, "now", lambda: f"2026-11-{self.day:02}T12:00:00Z")


@pytest.fixture
def calendar(monkeypatch: pytest.MonkeyPatch) -> Calendar:
    return Calendar(monkeypatch)


@pytest.fixture
def registry(tmp_path: Path, calendar: Calendar) -> Registry:
    """A registry in which something happened on each of seven days."""
    file = tmp_path / "weights"
    file.write_bytes(b"weights")
    registry = Registry(init(tmp_path / "here", shared=True)[0], "Ann", tmp_path / "cache")
    steps: list[Callable[[], object]] = [
        lambda: registry.add("model/net", [file], version="1.0.0", tags=["production"]),
        lambda: registry.add("model/net", [file], version="2.0.0", metadata={"a": 1}),
        lambda: registry.tag("model/net@2.0.0", "production"),
        lambda: annotating.correct(registry, ONE, {"a": 2}),
        lambda: registry.untag("model/net@production"),
        lambda: registry.remove([ONE]),
        lambda: registry.add("data/rows", [file], version="2026.11.07"),
    ]
    for calendar.day, step in enumerate(steps, 1):
        step()
    return registry


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(MlregError) as caught:
        call()
    return caught.value.code


def test_each_day_is_seen_as_it_was(registry: Registry) -> None:
    days = [registry.at(f"2026-11-{day:02}") for day in range(1, 8)]

    assert [[info.version for info in day.versions("model/net")] for day in days] == [
        ["1.0.0"],
        *[["2.0.0", "1.0.0"]] * 4,
        *[["2.0.0"]] * 2,
    ]
    assert [[tag.target for tag in day.tags("model/net")] for day in days[:5]] == [
        ["model/net@1.0.0"],
        ["model/net@1.0.0"],
        ["model/net@2.0.0"],
        ["model/net@2.0.0"],
        [],
    ]
    assert [day.show(ONE).metadata for day in days[:5]] == [{}, {}, {}, {"a": 2}, {"a": 2}]
    assert [len(day.entries()) for day in days] == [1, 1, 1, 1, 1, 1, 2]
    assert days[6].entries() == registry.entries()


def test_names_labels_freezes_and_runs_are_shown_as_they_were(registry: Registry, calendar: Calendar) -> None:
    two = "model/net@2.0.0"
    run = ExperimentRegistry(registry.path, "Ann")
    steps: list[Callable[[], object]] = [
        lambda: annotating.label(registry, two, {"team": "vision"}),
        lambda: annotating.freeze(registry, two, "in a product"),
        lambda: annotating.unfreeze(registry, two, "no more"),
        lambda: annotating.rename(registry, "model/net", "model/vision/net"),
        lambda: annotating.hold(registry, "model/vision/net@2.0.0", "an audit"),
        lambda: run.start_experiment("churn").finish(),
        lambda: registry.restore(["model/vision/net@1.0.0"]),
        registry.repository.log.write_snapshot,
        lambda: annotating.rename(registry, "model/vision/net", "model/last"),
    ]
    for calendar.day, step in enumerate(steps, 11):
        step()
    days = {day: registry.at(f"2026-11-{day:02}") for day in range(10, 20)}

    assert [[one.ref for one in days[day].entries() if "model" in one.ref] for day in (13, 14, 18, 19)] == [
        ["model/net"],
        ["model/vision/net"],
        ["model/vision/net"],
        ["model/last"],
    ]
    now = [days[day].show(two) for day in range(10, 20)]
    assert [one.labels for one in now[:2]] == [{}, {"team": "vision"}]
    assert [one.frozen for one in now[1:5]] == [False, True, False, False]
    assert [one.held for one in now[4:6]] == ["", "an audit"]
    assert [len(days[day].versions("model/net")) for day in (15, 16, 17)] == [1, 1, 2]
    assert [len(Place(days[day]).registry.entries()) for day in (15, 16)] == [2, 3]
    assert [len(search(Place(days[day]), "churn")) for day in (16, 19)] == [1, 1]
    assert refused(lambda: days[15].versions("exp/churn")) == "ref_not_found"


def test_a_time_holds_for_refs_of_other_registries_too(registry: Registry) -> None:
    day = registry.at("2026-11-01")

    assert [info.version for info in day.versions(f"{registry.path}::model/net")] == ["1.0.0"]
    assert refused(lambda: day.show(f"{registry.path}::model/net@2.0.0")) == "ref_not_found"
    assert registry.show(f"{registry.path}::model/net@2.0.0").version == "2.0.0"


def test_what_was_said_is_told_of_another_registry_and_of_another_time(registry: Registry) -> None:
    said = annotating.statements(registry.at("2026-11-05"), ONE)

    assert len(said) == 1
    assert annotating.statements(registry.at("2026-11-05"), f"{registry.path}::{ONE}") == said
    assert refused(lambda: annotating.freeze(registry, f"{registry.path}::{ONE}")) == "remote_change"


def test_a_day_means_its_end_and_a_time_itself(registry: Registry) -> None:
    assert registry.at("2026-10-31").entries() == []
    assert registry.at("2026-11-01T11:59:59Z").entries() == []
    assert len(registry.at("2026-11-01T12:00:00Z").entries()) == 1
    assert len(registry.at("2026-11-01T14:00:00+02:00").entries()) == 1
    for text in ("2026-02-30", "yesterday", "", "2026-11-01T25:00:00Z", "\x1b[2J", "9" * 5000):
        assert refused(partial(registry.at, text)) == "bad_ref"


def test_files_are_read_as_they_were_and_nothing_is_changed(registry: Registry, tmp_path: Path) -> None:
    then = registry.at("2026-11-05")

    assert then.get(ONE, tmp_path / "out").written == 1
    for change in (
        lambda: then.remove([ONE]),
        lambda: then.tag(ONE, "x1"),
        lambda: then.add("model/net", [tmp_path / "weights"], version="3.0.0"),
        lambda: annotating.freeze(then, ONE),
    ):
        assert refused(change) == "past_change"


@pytest.mark.parametrize("wrong_day", [1, 30])
def test_one_clock_that_is_wrong_changes_no_other_day(registry: Registry, calendar: Calendar, wrong_day: int) -> None:
    before = {day: registry.at(f"2026-11-{day:02}").entries() for day in range(1, 7)}
    calendar.day = wrong_day
    registry.tag("model/net@2.0.0", "odd")
    for calendar.day, tag in ((8, "late"), (8, "too"), (9, "later")):
        registry.tag("model/net@2.0.0", tag)

    assert {day: registry.at(f"2026-11-{day:02}").entries() for day in range(1, 7)} == before
    assert registry.at("2026-11-08").show("model/net").tags == ("late", "odd", "too")
    assert registry.at("2026-11-09").show("model/net").tags == ("late", "later", "odd", "too")


def test_a_snapshot_on_the_way_makes_no_difference(registry: Registry, calendar: Calendar, tmp_path: Path) -> None:
    before = [registry.at(f"2026-11-{day:02}").entries() for day in range(1, 9)]
    registry.repository.log.write_snapshot()
    calendar.day = 8
    registry.add("model/net", [tmp_path / "weights"], version="3.0.0")

    cold = Registry(registry.path, "Eve")
    assert [cold.at(f"2026-11-{day:02}").entries() for day in range(1, 8)] == before[:7]
    assert cold.at("2026-11-08").entries() == registry.entries() != before[7]


@settings(max_examples=20)
@given(moves=st.lists(st.tuples(st.sampled_from(["1.0.0", "2.0.0"]), st.booleans()), max_size=6))
def test_the_tag_of_each_day_is_what_it_was_at_its_end(
    moves: list[tuple[str, bool]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("past")
    (root / "weights").write_bytes(b"weights")
    with pytest.MonkeyPatch.context() as patch:
        calendar = Calendar(patch)
        registry = Registry(init(root / "here", shared=True)[0], "Ann")
        for version in ("1.0.0", "2.0.0"):
            registry.add("model/net", [root / "weights"], version=version, metadata={"v": version})
        wanted = []
        for calendar.day, (version, is_set) in enumerate(moves, 2):
            registry.tag(f"model/net@{version}", "production")
            if not is_set:
                registry.untag("model/net@production")
            wanted.append([f"model/net@{version}"] if is_set else [])

        found = [registry.at(f"2026-11-{day:02}").tags() for day in range(2, len(moves) + 2)]
        assert [[tag.target for tag in tags] for tags in found] == wanted


def test_a_tag_moves_only_from_where_it_is_expected(registry: Registry) -> None:
    two = "model/net@2.0.0"
    assert registry.tag(two, "candidate", expect="none").changed
    assert not registry.tag(two, "candidate", expect="none").changed  # it is as wanted
    registry.restore([ONE])
    assert refused(lambda: registry.tag(ONE, "candidate", expect="none")) == "tag_moved"
    assert refused(lambda: registry.tag(ONE, "candidate", expect=ONE)) == "tag_moved"
    assert registry.rev_parse("net@candidate").version == "2.0.0"
    assert registry.tag(ONE, "candidate", expect="net@candidate").changed
    assert refused(lambda: registry.tag(ONE, "candidate", expect="net@nothing")) == "ref_not_found"
