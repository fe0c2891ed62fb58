"""Notes unite as sets, whatever is written in them, and belong to what has a name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlreg.errors import MlregError
from mlreg.registry import noting
from mlreg.registry.annotating import Subject, rename
from mlreg.registry.experiment import ExperimentRegistry
from mlreg.registry.places import init
from mlreg.registry.registry import Registry
from mlreg.registry.sync import Sync
from tests.unit.registry.sample_runs import ANN, make, seal

HOSTILE = {
    "HTML": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "a terminal's commands": "\x1b]0;owned\x07\x1b[2J\r\n\u202etxt",
    "SQL": "'); drop table notes; --",
    "lines": "one\n\n  two\ttabs\n",
    "NUL": "a\0b",
    "all planes": "İ𐍈👩‍👩‍👧 \U0010ffff",
    "JSON": '{"text": null, "notes": {}}',
    "a merge patch": "null",
}


@pytest.fixture
def experiments(tmp_path: Path) -> ExperimentRegistry:
    return make(tmp_path)


class Pair:
    """Two people with a repository each, and one that they share."""

    def __init__(self, root: Path) -> None:
        shared, _ = init(root / "shared", shared=True)
        places = [init(root / name, shared=False)[0] for name in ("ann", "bob")]
        self.ann, self.bob = (Registry(place, place.parent.name, remotes={"origin": str(shared)}) for place in places)
        (root / "file").write_text("rows")
        self.ann.add("data/rows", [root / "file"], version="2026.01.01")
        self.meet()

    def meet(self) -> None:
        for person in (self.ann, self.bob, self.ann):
            Sync(person).pull()
            Sync(person).push()


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


def texts(registry: Registry, ref: str = "") -> list[str]:
    return sorted(note.text for note in noting.notes(registry, ref))


def code(registry: Registry, ref: str, text: str = "x") -> str:
    with pytest.raises(MlregError) as caught:
        noting.add(registry, ref, text)
    assert caught.value.why or caught.value.fix
    return caught.value.code


def test_notes_are_on_an_entry_or_a_version_and_listed_with_who_wrote_them(experiments: ExperimentRegistry) -> None:
    registry = experiments.registry
    run = seal(experiments, {"auc": 1})
    on_run = noting.add(registry, f"run/{run.id}", "on the run")
    on_entry = noting.add(registry, "exp/churn", "on all")
    elsewhere = noting.add(registry, "data/rows@1.0.0", "on data")

    assert (on_run.ref, on_run.author, on_entry.ref) == (run.ref, ANN, "exp/churn")
    assert noting.notes(registry, run.ref) == [on_run]
    assert set(noting.notes(registry, "exp/churn")) == {on_run, on_entry}
    assert set(noting.notes(registry)) == {on_run, on_entry, elsewhere}


def test_what_two_people_noted_is_there_for_both_and_what_one_took_away_is_gone_for_both(pair: Pair) -> None:
    for text in ("one", "two"):
        noting.add(pair.ann, "data/rows", text)
    pair.meet()
    (first, _) = noting.notes(pair.bob, "data/rows")

    # Without knowing of each other: one takes away, and the other adds, twice the same text.
    noting.remove(pair.bob, "data/rows", first.id)
    noting.add(pair.bob, "data/rows@2026.01.01", "three")
    noting.add(pair.ann, "data/rows", "two")
    noting.add(pair.ann, "data/rows", "four")
    pair.meet()

    left = ["one", "two", "two", "three", "four"]
    left.remove(first.text)
    assert texts(pair.ann) == texts(pair.bob) == sorted(left)


def test_both_may_take_the_same_note_away(pair: Pair) -> None:
    note = noting.add(pair.ann, "data/rows", "one")
    pair.meet()
    noting.remove(pair.ann, "data/rows", note.id)
    noting.remove(pair.bob, "data/rows", note.id[:4])
    pair.meet()

    assert texts(pair.ann) == texts(pair.bob) == []


@given(
    st.lists(
        st.tuples(st.sampled_from(["add", "remove", "meet"]), st.sampled_from([0, 1]), st.integers(0, 5)), max_size=9
    )
)
@settings(max_examples=8)
def test_after_they_met_both_have_what_was_added_by_anyone_and_taken_away_by_no_one(
    tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[str, int, int]]
) -> None:
    pair = Pair(tmp_path_factory.mktemp("pair"))
    added: dict[str, str] = {}
    removed: set[str] = set()
    for number, (act, who, which) in enumerate(acts):
        person = (pair.ann, pair.bob)[who]
        seen = noting.notes(person, "data/rows")
        if act == "add":
            added[noting.add(person, "data/rows", f"note {number}").id] = f"note {number}"
        elif act == "remove" and seen:
            removed.add(noting.remove(person, "data/rows", seen[which % len(seen)].id).id)
        elif act == "meet":
            pair.meet()
    pair.meet()

    wanted = {note: text for note, text in added.items() if note not in removed}
    for person in (pair.ann, pair.bob):
        assert {note.id: note.text for note in noting.notes(person)} == wanted


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_note_is_kept_as_it_was_written(text: str, pair: Pair) -> None:
    noting.add(pair.ann, "data/rows", text)
    pair.meet()

    assert texts(pair.bob) == [text]


@pytest.mark.parametrize("text", ["", " \n\t", "x" * (noting.MAX_CHARS + 1), "half a pair: \ud800"])
def test_what_says_nothing_or_too_much_is_no_note(text: str, experiments: ExperimentRegistry) -> None:
    assert code(experiments.registry, "data/rows", text) == "bad_note"
    assert noting.notes(experiments.registry) == []


def test_a_run_that_is_open_has_no_notes_yet_and_it_is_said_when_it_may(experiments: ExperimentRegistry) -> None:
    first = experiments.open_run("churn")
    for ref in (f"run/{first.id}", f"exp/churn@{first.id}"):
        with pytest.raises(MlregError) as caught:
            noting.add(experiments.registry, ref, "look at this")
        assert caught.value.code == "ref_not_found"
        assert "finished, or adopted" in caught.value.why

    experiments.end(first.id)
    assert noting.add(experiments.registry, f"run/{first.id}", "now").ref == first.ref
    second = experiments.open_run("churn")
    for ref in (f"run/{second.id}", f"exp/churn@{second.id}"):
        with pytest.raises(MlregError) as caught:
            noting.add(experiments.registry, ref, "look at this")
        assert f"mlreg run finish --run {second.id}" in caught.value.fix


def test_a_note_stays_with_the_version_it_is_on_and_follows_its_name(experiments: ExperimentRegistry) -> None:
    run = seal(experiments, {"auc": 1})
    noting.add(experiments.registry, run.ref, "the first")
    again = experiments.resume(run.id).finish()
    rename(experiments.registry, "exp/churn", "exp/retention")

    (note,) = noting.notes(experiments.registry, "exp/retention")
    assert note.ref == f"exp/retention@{run.id}"
    assert noting.notes(experiments.registry, f"exp/retention@{again.ref.rpartition('@')[2]}") == []


def test_a_note_is_taken_away_by_an_unclear_beginning_only_if_it_is_the_only_one(
    experiments: ExperimentRegistry,
) -> None:
    registry = experiments.registry
    notes = [noting.add(registry, "data/rows", f"{number}") for number in range(2)]
    for beginning in ("", "zz", "%", "0" * 16 + "x"):
        with pytest.raises(MlregError) as caught:
            noting.remove(registry, "data/rows", beginning)
        assert caught.value.code == "note_missing"

    assert noting.remove(registry, "data/rows", notes[0].id) == notes[0]
    # The only one that is left may be named by any beginning, but by one.
    assert noting.remove(registry, "data/rows", notes[1].id[:1]) == notes[1]


@pytest.mark.parametrize(
    "patch",
    [
        *({noting.FACT: None}, {noting.FACT: "text"}, {noting.FACT: {"x": "text"}}, {noting.FACT: {"x": {}}}),
        *({noting.FACT: {"x": {"text": ["a", 1]}}}, {noting.FACT: {"": {"text": {"a": None}}}}),
    ],
)
def test_notes_that_someone_forged_are_shown_as_text_or_not_at_all(
    patch: dict[str, object], experiments: ExperimentRegistry
) -> None:
    good = noting.add(experiments.registry, "data/rows", "good")
    Subject.to_change(experiments.registry, "data/rows").state(patch, "forged")

    found = noting.notes(experiments.registry, "data/rows")

    assert good in found
    # Whatever it was, it can be printed.
    assert json.loads(json.dumps(found)) == [[*map(str, note)] for note in found]
