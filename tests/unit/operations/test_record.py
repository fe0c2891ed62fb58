"""Changes: each is one transaction that holds against the newest state, or changes nothing at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mlreg.errors import MlregError, UnavailableError
from mlreg.formats.commit import Input
from mlreg.formats.names import Entry
from mlreg.formats.pack import PackKind
from mlreg.formats.versions import version_format
from mlreg.ids import CommitId, ContentId
from mlreg.operations.check import check
from mlreg.operations.history import read_commit, tags_of, versions_of
from mlreg.operations.record import remove, restore, tag, untag
from mlreg.operations.register import NewVersion, Recorded, add
from mlreg.operations.scanning import Source
from mlreg.repository.log import Draft
from mlreg.repository.objects import pack_key
from mlreg.repository.repository import Repository
from mlreg.stores.faulty import Fault, FaultyStore
from mlreg.stores.memory import MemoryStore
from tests.unit.repository.samples import commit, repository_in

NET = Entry("model", "net")
METADATA_LIMIT, COMMIT_LIMIT = 1 << 20, 4 << 20


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def repository(store: MemoryStore) -> Repository:
    return repository_in(store)


def new(data: bytes = b"weights", /, **fields: Any) -> NewVersion:
    """Return a version of one file, 1.0.0 unless the fields say otherwise."""
    name = {} if "bump" in fields else {"version": "1.0.0"}
    sources = [Source("w", lambda: [data])]
    return NewVersion(NET, version_format("semver"), sources, "directory", "Ann", **name | fields)


def register(repository: Repository, wanted: NewVersion, report: Callable[[int], None] = lambda size: None) -> Recorded:
    return add(repository, wanted, report)


def refused(call: Callable[[], object]) -> MlregError:
    with pytest.raises(MlregError) as caught:
        call()
    return caught.value


def unchanged(store: MemoryStore, call: Callable[[], object]) -> MlregError:
    """Return the refusal of a change that leaves nothing behind, not even a pack."""
    before = dict(store.contents)
    error = refused(call)
    assert store.contents == before
    return error


def live(repository: Repository) -> dict[str, CommitId]:
    """Return the versions that are not removed."""
    found = versions_of(repository.log.refresh(), NET)
    return {name: ref.target for name, ref in found.items() if ref.target}


def check_whole(repository: Repository, dropped: int = 0) -> None:
    """Check that nothing is damaged, that each pack is named, and how many are not read any more."""
    found = check(repository, 1.0, lambda size: None)
    assert (found.problems, found.orphans, found.dropped) == ([], 0, dropped)


# Adding.


def test_a_version_is_one_transaction_with_its_tags(repository: Repository) -> None:
    recorded = register(repository, new(tags=["best", "best", "first"]))

    assert recorded.is_changed
    assert repository.log.refresh().number == 1
    assert live(repository) == {"1.0.0": recorded.commit_id}
    tags = tags_of(repository.log.view, NET)
    assert {name: ref.target for name, ref in tags.items()} == dict.fromkeys(("best", "first"), recorded.commit_id)
    assert read_commit(repository, recorded.commit_id) == recorded.commit
    check_whole(repository)


@pytest.mark.parametrize("again", [{}, {"bump": "major"}, {"message": "once more"}])
def test_the_same_content_again_changes_nothing(
    again: dict[str, str], repository: Repository, store: MemoryStore
) -> None:
    first = register(repository, new(metadata={"a": 1}, tags=["best"]))
    before = dict(store.contents)

    second = register(repository, new(metadata={"a": 1}, tags=["best"], **again))

    assert second == Recorded(first.commit_id, first.commit, is_changed=False)
    assert store.contents == before


def test_a_new_tag_on_a_registered_version_is_a_change(repository: Repository) -> None:
    first = register(repository, new())
    second = register(repository, new(tags=["best"]))

    assert (second.commit_id, second.is_changed) == (first.commit_id, True)
    assert tags_of(repository.log.refresh(), NET)["best"].target == first.commit_id


@pytest.mark.parametrize(
    ("other", "word"),
    [
        (new(b"other"), "files"),
        (new(metadata={"a": 1}), "metadata"),
        (new(inputs=[Input("data", commit("frames"), "data/frames@2026.01.01")]), "inputs"),
    ],
)
def test_a_version_with_other_content_is_refused_by_what_differs(
    other: NewVersion, word: str, repository: Repository, store: MemoryStore
) -> None:
    register(repository, new())

    error = unchanged(store, lambda: register(repository, other))

    assert (error.code, error.message.endswith(f"with other {word}")) == ("version_exists", True)


def test_the_name_of_a_removed_version_is_not_given_away(repository: Repository, store: MemoryStore) -> None:
    register(repository, new())
    remove(repository, {NET: ["1.0.0"]}, "Ann", "")

    assert unchanged(store, lambda: register(repository, new())).code == "version_removed"
    # A bump passes over it, though its content is the same.
    assert register(repository, new(bump="patch")).commit.version == "1.0.1"


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (new(version="1"), "bad_version"),
        (new(bump="sideways"), "bad_bump"),
        (new(tags=["best", "not a tag"]), "bad_tag"),
        (new(metadata={"a": "x" * METADATA_LIMIT}), "metadata_too_large"),
        (new(message="x" * COMMIT_LIMIT), "commit_too_large"),
        (new(metadata={"a": float("nan")}), "bad_json"),
    ],
)
def test_what_cannot_be_a_version_is_refused_and_leaves_nothing(
    wanted: NewVersion, code: str, repository: Repository, store: MemoryStore
) -> None:
    assert unchanged(store, lambda: register(repository, wanted)).code == code


def test_the_parent_is_the_newest_lower_version_that_is_there(repository: Repository) -> None:
    ids = {name: register(repository, new(name.encode(), version=name)).commit_id for name in ("1.0.0", "2.0.0")}
    removed = register(repository, new(b"removed", version="1.2.0"))
    remove(repository, {NET: ["1.2.0"]}, "Ann", "")

    assert removed.commit.parents == (ids["1.0.0"],)
    assert register(repository, new(b"between", version="1.10.0")).commit.parents == (ids["1.0.0"],)
    assert register(repository, new(b"beside", version="1.9.0")).commit.parents == (ids["1.0.0"],)
    # In the order of versions 1.10.0 is the newest before it, in that of texts 1.9.0.
    assert register(repository, new(b"behind", version="1.11.0")).commit.parents == (live(repository)["1.10.0"],)
    assert register(repository, new(b"lowest", version="0.9.0")).commit.parents == ()
    assert register(repository, new(b"newest", bump="minor")).commit.parents == (ids["2.0.0"],)
    assert sorted(live(repository)) == ["0.9.0", "1.0.0", "1.10.0", "1.11.0", "1.9.0", "2.0.0", "2.1.0"]


# Adding, with another writer in between.


class Raced(MemoryStore):
    """Lets someone else act, once, right before a slot is created."""

    def __init__(self, contents: dict[str, bytes], act: Callable[[], object]) -> None:
        super().__init__(contents)
        self._acts = [act]

    def create(self, key: str, data: bytes) -> None:
        self.act(key.startswith("log/"))
        super().create(key, data)

    def act(self, is_time: bool) -> None:
        while is_time and self._acts:
            self._acts.pop()()


def register_against(store: MemoryStore, act: Callable[[], object], wanted: NewVersion, when: str) -> Recorded:
    """Register a version while someone else acts: when files are read, or when the transaction is written."""
    raced = Raced(store.contents, act)
    return register(Repository(raced), wanted, lambda size: raced.act(when == "reading"))


WHEN = pytest.mark.parametrize("when", ["reading", "writing"])


@WHEN
def test_a_bump_goes_on_from_a_version_that_came_meanwhile(
    when: str, repository: Repository, store: MemoryStore
) -> None:
    register(repository, new())

    mine = register_against(
        store, lambda: register(repository, new(b"rival", bump="patch")), new(b"mine", bump="patch"), when
    )

    assert mine.commit.version == "1.0.2"
    assert mine.commit.parents == (live(repository)["1.0.1"],)
    assert live(repository)["1.0.2"] == mine.commit_id
    check_whole(repository)


@WHEN
def test_of_two_writers_of_a_version_the_later_is_refused_and_its_packs_go(
    when: str, repository: Repository, store: MemoryStore
) -> None:
    error = refused(lambda: register_against(store, lambda: register(repository, new(b"rival")), new(b"mine"), when))

    assert error.code == "version_exists"
    check_whole(repository)


@WHEN
def test_the_same_version_by_two_writers_is_registered_once(
    when: str, repository: Repository, store: MemoryStore
) -> None:
    recorded = register_against(store, lambda: register(repository, new()), new(), when)

    assert not recorded.is_changed
    assert live(repository) == {"1.0.0": recorded.commit_id}
    check_whole(repository)


def lose_data(repository: Repository) -> None:
    """Say that all file contents are gone; the packs are there until someone deletes them."""
    packs = repository.log.refresh().live_packs()
    drop = tuple(pack.id for pack in packs if pack.kind is PackKind.DATA)
    repository.log.append(lambda view: Draft("Eve", drop=drop, is_lossy=True))


@WHEN
def test_what_was_collected_meanwhile_is_stored_again(when: str, repository: Repository, store: MemoryStore) -> None:
    register(repository, new(version="0.1.0"))
    remove(repository, {NET: ["0.1.0"]}, "Ann", "")

    recorded = register_against(store, lambda: lose_data(repository), new(), when)

    assert recorded.is_changed
    check_whole(repository, dropped=1)


@WHEN
def test_what_is_stored_again_gets_there_though_others_write_meanwhile(
    when: str, repository: Repository, store: MemoryStore
) -> None:
    register(repository, new())
    (lost,) = (pack for pack in repository.log.refresh().live_packs() if pack.kind is PackKind.DATA)
    del store.contents[pack_key(lost.id)]

    register_against(store, lambda: register(repository, new(b"other", version="2.0.0")), new(), when)

    repository.log.refresh()
    assert b"".join(repository.objects.read_whole(ContentId.of(b"weights"), 7)) == b"weights"


def test_a_lost_reply_leaves_the_packs_because_the_version_may_be_there(store: MemoryStore) -> None:
    faulty = FaultyStore(store)
    repository = repository_in(faulty)
    faulty.plan = lambda number, verb, key: Fault.AFTER if (verb, key[:4]) == ("create", "log/") else None

    with pytest.raises(UnavailableError) as caught:
        register(repository, new())

    assert caught.value.code == "unclear_commit"
    assert list(live(Repository(store))) == ["1.0.0"]
    check_whole(Repository(store))


# Tags.


def test_a_tag_moves_and_the_same_again_changes_nothing(repository: Repository) -> None:
    one, two = (register(repository, new(name.encode(), version=name)).commit_id for name in ("1.0.0", "2.0.0"))

    assert tag(repository, NET, "best", one, "Ann")
    assert tag(repository, NET, "best", one, "Ann") is None
    moved = tag(repository, NET, "best", two, "Ann")

    assert moved is not None
    assert [(ref.old, ref.new) for ref in moved.refs] == [(one, two)]
    assert tags_of(repository.log.refresh(), NET)["best"].target == two


def test_a_tag_stands_on_a_version_of_its_entry_or_nowhere(repository: Repository, store: MemoryStore) -> None:
    found = register(repository, new()).commit_id

    assert unchanged(store, lambda: tag(repository, Entry("model", "other"), "best", found, "")).code == (
        "version_missing"
    )
    assert unchanged(store, lambda: tag(repository, NET, "1.0.0", found, "")).code == "bad_tag"
    remove(repository, {NET: ["1.0.0"]}, "Ann", "")
    assert unchanged(store, lambda: tag(repository, NET, "best", found, "")).code == "version_missing"


def test_a_tag_is_taken_away_once(repository: Repository, store: MemoryStore) -> None:
    register(repository, new(tags=["best"]))

    assert untag(repository, NET, "best", "Ann")
    assert tags_of(repository.log.refresh(), NET)["best"].target is None
    assert untag(repository, NET, "best", "Ann") is None
    assert unchanged(store, lambda: untag(repository, NET, "worst", "Ann")).code == "tag_missing"


# Removing, and bringing back.


def test_versions_go_and_come_back_each_time_in_one_transaction(repository: Repository) -> None:
    for name in ("1.0.0", "2.0.0", "3.0.0"):
        register(repository, new(name.encode(), version=name))
    before, names = live(repository), ["1.0.0", "2.0.0", "1.0.0"]

    assert remove(repository, {NET: names}, "Ann", "")
    assert list(live(repository)) == ["3.0.0"]
    assert remove(repository, {NET: names}, "Ann", "") is None
    assert restore(repository, {NET: names}, "Ann", "")
    assert live(repository) == before
    assert restore(repository, {NET: names}, "Ann", "") is None
    assert repository.log.refresh().number == 5
    check_whole(repository)


@pytest.mark.parametrize("change", [remove, restore])
def test_one_version_that_never_was_keeps_the_others_as_they_are(
    change: Callable[..., object], repository: Repository, store: MemoryStore
) -> None:
    register(repository, new())
    register(repository, new(b"gone", version="2.0.0"))
    remove(repository, {NET: ["2.0.0"]}, "Ann", "")

    error = unchanged(store, lambda: change(repository, {NET: ["1.0.0", "2.0.0", "9.0.0"]}, "Ann", ""))

    assert (error.code, "9.0.0" in error.message) == ("version_missing", True)


def test_a_tagged_version_is_not_removed_and_the_refusal_names_its_tags(
    repository: Repository, store: MemoryStore
) -> None:
    register(repository, new(tags=["best", "first"]))

    error = unchanged(store, lambda: remove(repository, {NET: ["1.0.0"]}, "Ann", ""))

    assert (error.code, error.message) == ("version_tagged", "model/net@1.0.0 is tagged best, first")


def test_a_version_whose_bytes_were_collected_does_not_come_back(repository: Repository, store: MemoryStore) -> None:
    register(repository, new())
    remove(repository, {NET: ["1.0.0"]}, "Ann", "")
    lose_data(Repository(store))

    assert unchanged(store, lambda: restore(repository, {NET: ["1.0.0"]}, "Ann", "")).code == "version_collected"
