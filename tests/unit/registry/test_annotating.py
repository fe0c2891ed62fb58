"""What is said of versions afterwards: it holds at once, is kept for ever, and unites when repositories meet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlreg.errors import MlregError, UnsupportedError
from mlreg.formats import identity
from mlreg.formats.annotation import Annotation, about_version
from mlreg.formats.names import Entry, version_ref
from mlreg.operations.annotate import annotate
from mlreg.operations.check import check
from mlreg.operations.history import read_commit
from mlreg.registry import annotating
from mlreg.registry.places import init
from mlreg.registry.registry import Registry, silent
from mlreg.registry.resolve import resolve
from mlreg.registry.searching import search
from mlreg.registry.sync import Sync
from mlreg.stores.directory import DirectoryStore

ONE = "model/net@1.0.0"


def made(place: Path, author: str = "Ann", remote: Path | None = None) -> Registry:
    path, _ = init(place, shared=True)
    return Registry(path, author, remotes={"origin": str(remote)} if remote else None)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "weights"
    path.write_bytes(b"weights")
    return path


@pytest.fixture
def registry(tmp_path: Path, file: Path) -> Registry:
    """A registry with model/net 1.0.0 and 2.0.0."""
    registry = made(tmp_path / "here")
    for version, value in (("1.0.0", 0.5), ("2.0.0", 0.7)):
        registry.add("model/net", [file], version=version, metadata={"metrics": {"map": value}, "task": "detect"})
    return registry


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(MlregError) as caught:
        call()
    return caught.value.code


def test_a_correction_holds_and_what_was_registered_is_kept(registry: Registry) -> None:
    before = registry.show(ONE)

    done = annotating.correct(registry, ONE, {"metrics": {"map": 0.6}}, ["task"], "measured again")

    after = registry.show(ONE)
    assert (done.ref, done.changed) == (ONE, True)
    assert after.metadata == done.facts["metadata"] == {"metrics": {"map": 0.6}}
    assert after._replace(metadata=before.metadata) == before
    assert registry.show("model/net@2.0.0").metadata["metrics"] == {"map": 0.7}
    (said,) = annotating.statements(registry, ONE)
    assert (said.author, said.message) == ("Ann", "measured again")
    assert said.patch == {"metadata": {"metrics": {"map": 0.6}, "task": None}}


def test_what_holds_already_is_not_written_again(registry: Registry) -> None:
    number = registry.repository.log.refresh().number

    for change in (
        annotating.correct(registry, ONE, {"metrics": {"map": 0.5}}),
        annotating.label(registry, ONE, {}, ["nothing"]),
        annotating.undeprecate(registry, ONE),
        annotating.unfreeze(registry, ONE),
    ):
        assert not change.changed
    assert registry.repository.log.refresh().number == number


def test_a_corrected_version_is_still_what_was_registered(registry: Registry, file: Path) -> None:
    annotating.correct(registry, ONE, {"metrics": {"map": 0.6}})

    metadata = {"metrics": {"map": 0.5}, "task": "detect"}
    assert not registry.add("model/net", [file], version="1.0.0", metadata=metadata).changed
    assert check(registry.repository, 1.0, silent).problems == []


def test_labels_of_an_entry_hold_for_its_versions_and_theirs_come_first(registry: Registry) -> None:
    annotating.label(registry, "model/net", {"team": "vision", "tier": 1})
    annotating.label(registry, ONE, {"tier": 2})

    assert registry.show(ONE).labels == {"team": "vision", "tier": 2}
    assert registry.show("model/net@2.0.0").labels == {"team": "vision", "tier": 1}
    assert [info.labels["tier"] for info in registry.versions("model/net")] == [1, 2]
    annotating.label(registry, "model/net", {}, ["team"])
    assert registry.show(ONE).labels == {"tier": 2}


def test_metadata_belongs_to_versions_and_a_deprecation_has_a_reason(registry: Registry) -> None:
    assert refused(lambda: annotating.correct(registry, "model/net", {"a": 1})) == "no_version_named"
    assert refused(lambda: annotating.deprecate(registry, ONE, "")) == "no_reason"
    assert refused(lambda: annotating.freeze(registry, "model/none")) == "ref_not_found"
    assert refused(lambda: annotating.freeze(registry, "model/net@9.0.0")) == "ref_not_found"
    assert refused(lambda: annotating.correct(registry, ONE, {"a": float("nan")})) == "bad_json"
    assert refused(lambda: annotating.correct(registry, ONE, {"a": 1}, ["a.b"])) == "bad_meta"
    assert annotating.statements(registry, ONE) == []


@pytest.mark.parametrize("key", ["task.name", "nothing", "nothing.below", "metrics.map.x", "", ".", "metrics."])
def test_taking_away_what_is_not_there_changes_nothing(registry: Registry, key: str) -> None:
    before = registry.show(ONE)

    assert not annotating.correct(registry, ONE, {}, [key]).changed
    assert not annotating.label(registry, ONE, {}, [key]).changed
    assert registry.show(ONE) == before


def test_what_has_dots_in_its_own_key_can_be_taken_away(registry: Registry) -> None:
    annotating.correct(registry, ONE, {"metrics": {"map.5": 1, "by": {"a.b": {"c": 2}}}})
    annotating.correct(registry, ONE, {}, ["metrics.map.5", "metrics.by.a.b.c"])

    assert registry.show(ONE).metadata["metrics"] == {"map": 0.5, "by": {"a.b": {}}}


def test_a_label_below_another_is_taken_away_as_it_was_set(registry: Registry) -> None:
    annotating.label(registry, ONE, {"team": {"name": "vision", "site": "b"}})
    annotating.label(registry, ONE, {}, ["team.name"])

    assert registry.show(ONE).labels == {"team": {"site": "b"}}


def nested(depth: int) -> dict[str, object]:
    value: dict[str, object] = {}
    for _ in range(depth):
        value = {"k": value}
    return value


def circle() -> dict[str, object]:
    value: dict[str, object] = {}
    value["k"] = value
    return value


@pytest.mark.parametrize("value", [nested(3000), circle()], ids=["deep", "circle"])
def test_what_is_nested_too_deeply_is_refused_and_not_followed_to_its_end(
    registry: Registry, file: Path, value: dict[str, object]
) -> None:
    assert refused(lambda: annotating.correct(registry, ONE, value)) == "bad_json"
    assert refused(lambda: annotating.label(registry, ONE, value)) == "bad_json"
    assert refused(lambda: registry.add("model/net", [file], version="3.0.0", metadata=value)) == "bad_json"
    assert not annotating.correct(registry, ONE, {}, [".".join("k" * 3000)]).changed


@pytest.mark.parametrize("value", [True, 1.0])
def test_what_is_equal_to_one_in_python_only_is_another_value(registry: Registry, value: object) -> None:
    annotating.correct(registry, ONE, {"flag": 1})

    assert annotating.correct(registry, ONE, {"flag": value}).changed
    assert repr(registry.show(ONE).metadata["flag"]) == repr(value)


def test_a_copy_has_the_metadata_that_holds_and_not_what_was_corrected(registry: Registry) -> None:
    annotating.correct(registry, ONE, {"metrics": {"map": 0.6}}, ["task"])

    assert registry.copy(ONE, version="3.0.0").version.metadata == registry.show(ONE).metadata
    assert not registry.copy(ONE, version="3.0.0").changed


def test_a_deprecation_is_told_to_whoever_gets_the_version(registry: Registry, tmp_path: Path) -> None:
    annotating.deprecate(registry, ONE, "trained on broken data")

    assert registry.get(ONE, tmp_path / "out").deprecated == "trained on broken data"
    assert registry.show("model/net@2.0.0").deprecated == ""
    annotating.undeprecate(registry, ONE)
    assert registry.get(ONE, tmp_path / "out").deprecated == ""


def test_what_is_removed_at_the_same_moment_is_not_frozen(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve_and_lose(*given: Any) -> Any:
        found = resolve(*given)
        Registry(registry.path, "Bob").remove([ONE])
        return found

    monkeypatch.setattr("mlreg.registry.annotating.resolve", resolve_and_lose)
    assert refused(lambda: annotating.freeze(registry, ONE)) == "version_missing"


@pytest.mark.parametrize("what", [ONE, "model/net"])
def test_what_is_frozen_cannot_be_removed(registry: Registry, what: str) -> None:
    annotating.freeze(registry, what, "in production")

    assert registry.show(ONE).frozen
    assert refused(lambda: registry.remove([ONE])) == "version_frozen"
    annotating.unfreeze(registry, what)
    assert registry.remove([ONE]).changed


def test_a_release_that_knows_no_annotations_refuses_a_log_with_them(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "FEATURES", frozenset())
    again = Registry(registry.path, "Old")
    again.versions("model/net")

    monkeypatch.undo()
    annotating.freeze(registry, ONE)
    monkeypatch.setattr(identity, "FEATURES", frozenset())
    with pytest.raises(UnsupportedError):
        Registry(registry.path, "Old").remove([ONE])


def test_a_snapshot_carries_what_was_said(registry: Registry) -> None:
    annotating.label(registry, "model/net", {"team": "vision"})
    annotating.correct(registry, ONE, {"task": "segment"})
    registry.repository.log.write_snapshot()
    store = DirectoryStore(Path(registry.path))
    assert len(list(store.list("snapshots/"))) == 1

    again = Registry(registry.path, "Eve")
    assert again.repository.log.refresh().history_from > 1
    assert again.show(ONE) == registry.show(ONE)
    assert check(registry.repository, 1.0, silent).problems == []


class Clones:
    """Two people who have the same version, and a remote."""

    def __init__(self, root: Path) -> None:
        init(root / "remote", shared=True)
        (root / "weights").write_bytes(b"weights")
        self.ann = made(root / "ann", "Ann", root / "remote")
        self.ann.add("model/net", [root / "weights"], version="1.0.0", metadata={"metrics": {"map": 0.5}})
        Sync(self.ann).push()
        self.bob = made(root / "bob", "Bob", root / "remote")
        Sync(self.bob).pull()

    def meet(self) -> None:
        for person in (self.ann, self.bob, self.ann):
            Sync(person).pull()
            Sync(person).push()


def test_two_who_correct_the_same_metadata_dispute_it_until_one_decides(tmp_path: Path) -> None:
    clones = Clones(tmp_path)
    annotating.correct(clones.ann, ONE, {"metrics": {"map": 0.6}, "a": 1}, (), "on the clean split")
    annotating.correct(clones.bob, ONE, {"metrics": {"map": 0.7}, "b": 2}, (), "with the new code")

    clones.meet()
    seen = [person.show(ONE) for person in (clones.ann, clones.bob)]
    assert seen[0].metadata == seen[1].metadata
    assert seen[0].metadata["metrics"]["map"] in (0.6, 0.7)
    assert (seen[0].metadata["a"], seen[0].metadata["b"]) == (1, 2)
    assert seen[0].disputed == seen[1].disputed == ("metadata.metrics.map",)
    assert {said.author for said in annotating.statements(clones.ann, ONE)} == {"Ann", "Bob"}

    # Whoever has seen both decides, also for what holds already.
    for value in (seen[0].metadata["metrics"]["map"], 0.8):
        assert annotating.correct(clones.bob, ONE, {"metrics": {"map": value}}).changed
        clones.meet()
        assert [person.show(ONE).disputed for person in (clones.ann, clones.bob)] == [(), ()]
        assert [person.show(ONE).metadata["metrics"]["map"] for person in (clones.ann, clones.bob)] == [value, value]


def test_two_who_label_the_same_entry_dispute_it_for_all_its_versions(tmp_path: Path) -> None:
    clones = Clones(tmp_path)
    annotating.label(clones.ann, "model/net", {"team": "vision"})
    annotating.label(clones.bob, "model/net", {"team": "audio"})

    clones.meet()
    assert [person.show(ONE).disputed for person in (clones.ann, clones.bob)] == [("labels.team",)] * 2


def test_what_was_said_travels_once_and_alone(tmp_path: Path) -> None:
    clones = Clones(tmp_path)
    annotating.label(clones.ann, "model/net", {"team": "vision"})
    annotating.deprecate(clones.ann, ONE, "old")

    done = Sync(clones.ann).push()
    assert (done.notes, done.versions, done.packs, done.changed) == (2, (), 0, True)
    assert not Sync(clones.ann).push().changed
    assert Sync(clones.bob).fetch().notes == 2
    assert (clones.bob.show(ONE).labels, clones.bob.show(ONE).deprecated) == ({"team": "vision"}, "old")
    assert not Sync(clones.bob).pull().changed


def test_what_is_said_of_another_entry_stays_when_one_is_pushed_by_name(tmp_path: Path) -> None:
    clones = Clones(tmp_path)
    clones.ann.add("model/other", [tmp_path / "weights"], version="1.0.0")
    annotating.label(clones.ann, "model/other", {"a": 1})
    annotating.label(clones.ann, "model/net", {"b": 1})

    assert Sync(clones.ann).push(["model/net"]).notes == 1
    assert Sync(clones.ann).push(["model/other@1.0.0"]).notes == 1


def test_what_is_said_of_an_entry_does_not_go_with_one_whose_name_begins_alike(tmp_path: Path) -> None:
    clones = Clones(tmp_path)
    clones.ann.add("model/net/small", [tmp_path / "weights"], version="1.0.0")
    annotating.label(clones.ann, "model/net", {"a": 1})

    assert Sync(clones.ann).push(["model/net/small"]).notes == 0
    assert Sync(clones.ann).push(["model/net"]).notes == 1


@settings(max_examples=25)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from("abm"), st.sampled_from(["x", "y"]), st.integers(0, 2) | st.none()), max_size=8
    )
)
def test_in_whatever_order_they_speak_and_meet_both_come_to_know_the_same(
    steps: list[tuple[str, str, int | None]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    clones = Clones(tmp_path_factory.mktemp("clones"))
    for who, key, value in steps:
        if who == "m":
            clones.meet()
        else:
            annotating.label(clones.ann if who == "a" else clones.bob, ONE, {key: value})
    clones.meet()

    assert clones.ann.show(ONE) == clones.bob.show(ONE)


# Finding.


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("", ["2.0.0", "1.0.0"]),
        ("meta.metrics.map > .6", ["2.0.0"]),
        ("metadata.metrics.map = 0.5 and kind = 'model'", ["1.0.0"]),
        ("labels.team = 'vision'", ["1.0.0"]),
        ("tags = 'production'", ["2.0.0"]),
        ("deprecated is not null", []),
        ("name like 'n%' and not version = '1.0.0'", ["2.0.0"]),
        ("size = 7 and files = 1 and author = 'Ann'", ["2.0.0", "1.0.0"]),
        ("inputs.data is null", ["2.0.0", "1.0.0"]),
    ],
)
def test_versions_are_found_by_what_is_known_of_them(registry: Registry, where: str, found: list[str]) -> None:
    annotating.label(registry, ONE, {"team": "vision"})
    registry.tag("model/net@2.0.0", "production")

    assert [info.version for info in search(registry, where=where)] == found


def test_a_search_sees_corrections_and_shows_what_show_does(registry: Registry) -> None:
    annotating.correct(registry, ONE, {"metrics": {"map": 0.9}, "card": "Finds SUTURES"})

    assert search(registry, where="meta.metrics.map = 0.9") == [registry.show(ONE)]
    assert search(registry, words=["sutures", "NET"]) == [registry.show(ONE)]
    assert search(registry, words=["sutures", "nothing"]) == []
    assert [info.version for info in search(registry, sort="-meta.metrics.map")] == ["1.0.0", "2.0.0"]
    assert [info.version for info in search(registry, sort="meta.metrics.map", limit=1)] == ["2.0.0"]
    assert search(registry, "data/*") == []


@pytest.mark.parametrize(
    "where", ["x = 1", "meta.a = ", "1 = 1", "meta.a = '", "__class__ = 1", "name; drop table refs"]
)
def test_what_is_no_expression_is_refused(registry: Registry, where: str) -> None:
    assert refused(lambda: search(registry, where=where)) == "bad_expression"


def test_labels_that_are_none_are_passed_over_wherever_versions_are_shown(registry: Registry) -> None:
    _, _, target = registry.find(ONE)
    content = read_commit(registry.repository, target.commit_id).content()
    about = about_version(version_ref(Entry("model", "net"), "1.0.0"), content)
    annotate(registry.repository, about, {"labels": "none"}, "Eve", "", lambda view: {})

    assert registry.show(ONE).labels == {}
    assert search(registry, where="labels.team is null and version = '1.0.0'") == [registry.show(ONE)]


@pytest.mark.parametrize("word", ["null", "{", "\\", "[", '": "'])
def test_a_word_is_looked_for_in_what_is_shown_and_not_in_how_it_is_stored(registry: Registry, word: str) -> None:
    assert search(registry, words=[word]) == []


@pytest.mark.parametrize("word", ['SAID "hi', "c:\\tmp", "0.25", "cafe\u0301", "key"])
def test_a_word_of_any_characters_is_found(registry: Registry, word: str) -> None:
    annotating.correct(registry, ONE, {"note": 'said "hi"', "key": ["c:\\tmp", 0.25, "Caf\u00e9"]})

    assert search(registry, words=[word]) == [registry.show(ONE)]


def test_a_search_in_what_is_not_there_is_refused_and_not_empty(registry: Registry) -> None:
    assert [found.ref for found in search(registry, "net", sort="version")] == [ONE, "model/net@2.0.0"]
    assert refused(lambda: search(registry, "model/nothing", limit=1)) == "ref_not_found"
    assert refused(lambda: search(registry, ONE, limit=1)) == "search_in_version"
    assert search(registry, "data/*", limit=1) == []


def test_what_was_said_of_an_entry_is_added_up_once_for_all_its_versions(
    registry: Registry, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(9):
        registry.add("model/net", [file], version=f"3.0.{number}")
    annotating.label(registry, "model/net", {"team": "vision"})
    asked: list[str] = []
    view = registry.repository.log.view
    find = view.annotations

    def found(about: str) -> list[Annotation]:
        asked.append(about)
        return find(about)

    monkeypatch.setattr(view, "annotations", found)

    assert len(registry.versions("model/net")) == 11
    assert asked == ["entry/model/net"]
    registry.remove([f"model/net@3.0.{number}" for number in range(9)])
    assert asked.count("entry/model/net") <= 3


def test_what_was_said_of_a_version_is_not_said_of_another_one_that_has_its_name(tmp_path: Path, file: Path) -> None:
    """Two people take one name for different files; the first follows the advice, and has said things of his own."""
    hub = tmp_path / "hub"
    made(hub)
    ann, bob = (made(tmp_path / name, name, hub) for name in ("ann", "bob"))
    bob.add("model/net", [file], version="1.0.0", metadata={"metrics": {"map": 0.5}})
    Sync(bob, "origin").push()
    file.write_bytes(b"of ann")
    ann.add("model/net", [file], version="1.0.0", metadata={"metrics": {"map": 0.9}})
    annotating.correct(ann, ONE, {"metrics": {"map": 0.95}})
    annotating.deprecate(ann, ONE, "bad weights of ann")
    annotating.freeze(ann, ONE)
    annotating.unfreeze(ann, ONE)

    assert refused(lambda: Sync(ann, "origin").push()) == "version_conflict"
    annotating.label(ann, ONE, {"team": "vision"})
    ann.copy(ONE, version="1.0.1")
    ann.remove([ONE])
    Sync(ann, "origin").pull()
    Sync(ann, "origin").push()
    Sync(bob, "origin").pull()

    for one in (ann, bob):
        assert (one.show(ONE).metadata, one.show(ONE).deprecated) == ({"metrics": {"map": 0.5}}, "")
        copy = one.show("model/net@1.0.1")
        assert (copy.metadata, copy.labels) == ({"metrics": {"map": 0.95}}, {"team": "vision"})
        assert [version.ref for version in search(one, where="deprecated is not null")] == ["model/net@1.0.1"]


def test_two_who_registered_the_same_share_what_is_said_of_it(tmp_path: Path, file: Path) -> None:
    hub = tmp_path / "hub"
    made(hub)
    ann, bob = (made(tmp_path / name, name, hub) for name in ("ann", "bob"))
    for one in (ann, bob):
        one.add("model/net", [file], version="1.0.0", message=f"by {one.author}")
    annotating.label(ann, ONE, {"team": "vision"})
    annotating.freeze(ann, ONE)
    Sync(ann, "origin").push()
    Sync(bob, "origin").pull()

    assert bob.show(ONE).labels == {"team": "vision"}
    assert refused(lambda: bob.remove([ONE])) == "version_frozen"


def test_versions_are_sorted_in_their_own_order(registry: Registry, file: Path) -> None:
    registry.add("model/net", [file], version="10.0.0")
    assert [one.version for one in search(registry, sort="-version")] == ["10.0.0", "2.0.0", "1.0.0"]
    assert [one.version for one in search(registry, sort="version", limit=-1)] == ["1.0.0", "2.0.0", "10.0.0"]
