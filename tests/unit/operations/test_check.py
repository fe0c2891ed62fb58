"""Each kind of damage is found, and said with the place that is damaged and the versions it hurts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mlreg.errors import UnsupportedError
from mlreg.formats.annotation import Annotation
from mlreg.formats.commit import Commit
from mlreg.formats.names import Entry, tag_ref, version_ref
from mlreg.formats.pack import TRAILER_SIZE, Block, Item, PackKind, Sort, block_sum, decode_trailer, encode_index
from mlreg.formats.recipe import paginate
from mlreg.formats.snapshot import Snapshot, snapshot_key
from mlreg.formats.transaction import PackEntry, RefChange, Transaction, slot_key
from mlreg.formats.tree import File, Mode, build
from mlreg.formats.versions import version_format
from mlreg.ids import CommitId, ContentId, TreeId
from mlreg.operations.check import Checked, Problem, check
from mlreg.operations.reading_turns import How
from mlreg.operations.record import remove, restore
from mlreg.operations.register import NewVersion, add
from mlreg.operations.scanning import Source
from mlreg.repository.log import Draft
from mlreg.repository.objects import pack_key
from mlreg.repository.packing import PackWriter
from mlreg.repository.repository import Repository
from mlreg.stores.faulty import Fault, FaultyStore
from mlreg.stores.memory import MemoryStore
from tests.unit.repository.samples import commit, force_slot, pack_id, put, repository_in

NET = Entry("model", "net")
ONE, TWO = "model/net@1.0.0", "model/net@2.0.0"


def silent(size: int) -> None:
    """Do not say how far a check is."""


class Scene:
    """Two versions in four packs: 1.0.0 of two files, 2.0.0 of one of them and a new one, with a tag."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.repository = repository_in(self.store)
        self.add("1.0.0", {"old": b"old", "kept": b"kept"})
        self.add("2.0.0", {"kept": b"kept", "new": b"new"}, tags=["best"])

    def add(self, version: str, files: dict[str, bytes], **fields: Any) -> None:
        sources = [Source(path, lambda data=data: [data]) for path, data in files.items()]  # type: ignore[misc] # bound now
        new = NewVersion(NET, version_format("semver"), sources, "directory", "Ann", version=version, **fields)
        add(self.repository, new, silent)

    def pack(self, kind: PackKind, version: int) -> PackEntry:
        """Return the pack that the version, counted from 1, brought."""
        packs = [pack for pack in self.repository.log.refresh().live_packs() if pack.kind is kind]
        assert len(packs) == 2
        return packs[version - 1]

    def change(self, key: str, change: Callable[[bytes], bytes]) -> None:
        before = self.store.contents[key]
        self.store.contents[key] = change(before)
        assert self.store.contents[key] != before

    def forge(self, made: Commit, version: str, *objects: tuple[Sort, bytes]) -> None:
        """Name a commit in the log that `add` would not have made."""
        put(self.repository, [(Sort.COMMIT, made.encode()), *objects])
        change = RefChange(version_ref(NET, version), None, CommitId.of(made.encode()))
        self.repository.log.append(lambda view: Draft("Eve", refs=(change,)))

    def check(self, share: float = 1.0) -> Checked:
        return check(self.repository, share, silent)

    def problems(self) -> list[tuple[str, tuple[str, ...]]]:
        """Return the code of each problem, and what it hurts."""
        return [(problem.code, problem.hurts) for problem in self.check().problems]

    def problem(self) -> Problem:
        """Return the only problem."""
        (found,) = self.check().problems
        return found


@pytest.fixture
def scene() -> Scene:
    return Scene()


def flipped(at: int) -> Callable[[bytes], bytes]:
    """Return a change of one bit; the place counts from the end if it is negative."""
    return lambda data: data[: at % len(data)] + bytes([data[at] ^ 1]) + data[at % len(data) + 1 :]


def crafted(tree: TreeId, files: int, size: int, version: str = "3.0.0", entry: Entry = NET) -> Commit:
    return Commit(str(entry), version, tree, files, size, "directory", (), (), {}, "", "Eve", "2026-01-01T00:00:00Z")


# Nothing is damaged.


def test_a_clean_repository_has_no_problem_and_all_of_it_was_looked_at(scene: Scene) -> None:
    scene.repository.log.write_snapshot()
    told: list[int] = []

    found = check(scene.repository, 1.0, told.append)

    # Three pieces, two trees, two commits.
    counts = Checked(slots=2, snapshots=1, packs=4, objects=7, size=found.size, total=found.size, versions=2, tags=1)
    assert found == replace(counts, covered=found.covered)
    assert (found.covered.is_complete, found.covered.never) == (True, 0)
    assert sum(told) == found.size > 0


def test_a_check_only_reads(scene: Scene) -> None:
    before = dict(scene.store.contents)
    scene.check()
    assert scene.store.contents == before


def test_packs_that_no_transaction_names_are_counted_and_no_problem(scene: Scene) -> None:
    scene.store.contents[pack_key(pack_id(1))] = b"half a pack"
    scene.store.contents["log/note"] = b"no slot"

    found = scene.check()

    assert (found.problems, found.orphans, found.slots) == ([], 1, 2)


def test_a_slot_of_a_newer_release_is_not_called_damage(scene: Scene) -> None:
    head = scene.repository.log.refresh().position.head
    assert head
    slot = Transaction(3, head, "0" * 32, "2026-01-01T00:00:00Z", "Eve", "", requires=("from_the_future",))
    scene.store.contents[slot_key(3)] = slot.encode()

    with pytest.raises(UnsupportedError):
        scene.check()


def test_a_commit_of_a_newer_release_is_not_called_damage(scene: Scene) -> None:
    put(scene.repository, [(Sort.COMMIT, b'{"format":2}')])
    change = RefChange(version_ref(NET, "3.0.0"), None, CommitId.of(b'{"format":2}'))
    force_slot(scene.repository, Draft("Eve", refs=(change,)))

    with pytest.raises(UnsupportedError):
        scene.check()


# Packs.


@pytest.mark.parametrize("kind", PackKind)
@pytest.mark.parametrize("at", [0, 2])
def test_a_flipped_byte_in_a_block_hurts_the_versions_that_read_it(kind: PackKind, at: int, scene: Scene) -> None:
    pack = scene.pack(kind, 2)
    scene.change(pack_key(pack.id), flipped(at))

    found = scene.check()

    damage = next(problem for problem in found.problems if problem.code == "block_damaged")
    assert pack_key(pack.id) in damage.message
    assert {version for problem in found.problems for version in problem.hurts} == {TWO}


def test_a_file_that_two_versions_share_hurts_both(scene: Scene) -> None:
    scene.change(pack_key(scene.pack(PackKind.DATA, 1).id), flipped(0))

    assert scene.problems()[0] == ("block_damaged", ())
    assert ("object_damaged", (ONE, TWO)) in scene.problems()


@pytest.mark.parametrize("kind", PackKind)
@pytest.mark.parametrize("at", [-1, -10, -60], ids=["signature", "sum of the index", "index"])
def test_a_flipped_byte_in_an_index_hurts_the_versions_that_need_the_pack(
    kind: PackKind, at: int, scene: Scene
) -> None:
    scene.change(pack_key(scene.pack(kind, 2).id), flipped(at))

    first, *others = scene.problems()

    assert first == ("bad_pack", ())
    assert set(others) == {("object_missing", (TWO,))}


@pytest.mark.parametrize("kind", PackKind)
@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: b"", lambda data: data + b"\0"])
def test_a_pack_of_another_size_is_named_with_the_versions_that_need_it(
    change: Callable[[bytes], bytes], kind: PackKind, scene: Scene
) -> None:
    pack = scene.pack(kind, 2)
    scene.change(pack_key(pack.id), change)

    first, *others = scene.check().problems

    assert (first.code, pack.id in first.message) == ("bad_pack", True)
    assert {(problem.code, problem.hurts) for problem in others} == {("object_missing", (TWO,))}


def test_each_pack_whose_index_is_damaged_is_named(scene: Scene) -> None:
    bad = [scene.pack(kind, 2) for kind in PackKind]
    for pack in bad:
        scene.change(pack_key(pack.id), flipped(-60))

    messages = [problem.message for problem in scene.check().problems if problem.code == "bad_pack"]
    assert len(messages) == len(bad)
    assert all(any(pack_key(pack.id) in message for message in messages) for pack in bad)


def test_a_pack_that_is_gone_is_named_and_what_it_held_once(scene: Scene) -> None:
    del scene.store.contents[pack_key(scene.pack(PackKind.DATA, 1).id)]

    # The pack, and two pieces: nothing of a recipe that there never was.
    assert [problem.code for problem in scene.check().problems] == ["pack_missing", "object_missing", "object_missing"]


def test_a_commit_that_is_gone_is_missed_by_every_version_behind_it(scene: Scene) -> None:
    gone = scene.pack(PackKind.META, 1)
    first = scene.repository.log.view.ref(version_ref(NET, "1.0.0"))
    assert first
    for number in (3, 4):
        scene.add(f"{number}.0.0", {"new": b"%d" % number})
    scene.store.delete(pack_key(gone.id))

    found = [problem.hurts for problem in scene.check().problems if f"commit {first.target}" in problem.message]

    assert {version for hurts in found for version in hurts} == {ONE, TWO, "model/net@3.0.0", "model/net@4.0.0"}


def test_a_pack_that_is_gone_is_named(scene: Scene) -> None:
    key = pack_key(scene.pack(PackKind.DATA, 1).id)
    del scene.store.contents[key]

    first, *others = scene.check().problems

    assert (first.code, key in first.message) == ("pack_missing", True)
    assert {problem.hurts for problem in others} == {(ONE, TWO), (ONE,)}


def test_a_place_that_does_not_answer_is_damage_too(scene: Scene) -> None:
    key = pack_key(scene.pack(PackKind.DATA, 2).id)
    store = FaultyStore(scene.store, lambda number, verb, asked: Fault.BEFORE if asked == key else None)

    found = check(Repository(store), 1.0, silent)

    assert {problem.code for problem in found.problems} == {"store_unavailable"}
    assert {version for problem in found.problems for version in problem.hurts} == {TWO}


def put_raw(scene: Scene, stored: bytes, items: list[Item]) -> str:
    """Add a pack of one block that is stored as it is, whatever its index says of it; return its key."""
    tail = encode_index(PackKind.DATA, [Block(0, len(stored), len(stored), 0, block_sum(stored))], items)
    index, digest = decode_trailer(tail[-TRAILER_SIZE:])
    pack = PackEntry(pack_id(7), PackKind.DATA, len(stored) + len(tail), index, digest, len(items))
    scene.store.contents[pack_key(pack.id)] = stored + tail
    scene.repository.log.append(lambda view: Draft("Ann", add=(pack,)))
    return pack_key(pack.id)


def test_damage_where_no_object_is_is_found_too(scene: Scene) -> None:
    key = put_raw(scene, b"of no one", [])
    assert scene.problems() == []

    scene.change(key, flipped(0))

    assert scene.problems() == [("block_damaged", ())]


def test_bytes_that_were_written_under_the_id_of_others_are_found_by_decoding_alone(scene: Scene) -> None:
    put_raw(scene, b"other", [Item(Sort.PIECE, ContentId.of(b"bytes"), 0, 0, 5)])

    assert scene.problems() == [("object_damaged", ())]
    assert check(scene.repository, 1.0, silent, How(decodes=False)).problems == []


def test_damage_of_which_there_is_a_good_copy_hurts_no_version(scene: Scene) -> None:
    scene.change(pack_key(scene.pack(PackKind.DATA, 2).id), flipped(0))
    put(scene.repository, [(Sort.PIECE, b"new")])

    assert scene.problems() == [("block_damaged", ())]


def test_a_version_is_hurt_only_while_it_has_its_name(scene: Scene) -> None:
    scene.change(pack_key(scene.pack(PackKind.DATA, 1).id), flipped(0))
    remove(scene.repository, {NET: ["1.0.0"]}, "Ann", "")

    assert {version for _, hurts in scene.problems() for version in hurts} == {TWO}
    restore(scene.repository, {NET: ["1.0.0"]}, "Ann", "")
    assert {version for _, hurts in scene.problems() for version in hurts} == {ONE, TWO}


# A share of the blocks.


def test_of_a_share_of_nothing_no_block_is_read_and_lost_packs_are_found(scene: Scene) -> None:
    scene.change(pack_key(scene.pack(PackKind.DATA, 2).id), flipped(0))
    found = scene.check(0.0)
    assert (found.problems, found.objects, found.size, found.packs) == ([], 0, 0, 4)

    del scene.store.contents[pack_key(scene.pack(PackKind.DATA, 1).id)]
    assert scene.check(0.0).problems[0].code == "pack_missing"


@pytest.mark.parametrize(("drawn", "codes"), [(0.29, {"block_damaged", "object_damaged"}), (0.31, set[str]())])
def test_of_a_share_the_blocks_that_are_drawn_are_read(
    drawn: float, codes: set[str], scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.change(pack_key(scene.pack(PackKind.DATA, 2).id), flipped(0))
    monkeypatch.setattr("random.random", lambda: drawn)

    assert {problem.code for problem in scene.check(0.3).problems} == codes


# The log.


def test_a_slot_that_cannot_be_read_is_named(scene: Scene) -> None:
    scene.change(slot_key(2), flipped(0))

    found = scene.check()

    assert [(problem.code, slot_key(2) in problem.message) for problem in found.problems] == [("bad_json", True)]
    assert (found.slots, found.versions) == (1, 0)  # what the rest names is not known


def test_a_slot_that_says_something_else_breaks_the_chain_behind_it(scene: Scene) -> None:
    scene.change(slot_key(1), lambda data: data.replace(b'"Ann"', b'"Eve"'))

    problem = scene.problem()

    assert (problem.code, "slot 2 of the log" in problem.message) == ("bad_log", True)


@pytest.mark.parametrize("number", [1, 2])
def test_a_slot_that_is_gone_is_named_if_there_is_a_later_one(number: int, scene: Scene) -> None:
    scene.add("3.0.0", {"a": b"a"})
    del scene.store.contents[slot_key(number)]

    problem = scene.problem()

    assert (problem.code, f"slot {number} of the log in" in problem.message) == ("bad_log", True)


def test_a_snapshot_that_is_not_what_the_log_adds_up_to_is_named(scene: Scene) -> None:
    scene.repository.log.write_snapshot()
    # It is whole, and says that there is no name.
    scene.change(snapshot_key(2), lambda data: Snapshot.decode(data)._replace(refs=()).encode())

    problem = scene.problem()

    assert (problem.code, snapshot_key(2) in problem.message) == ("bad_snapshot", True)
    assert scene.check().versions == 2


@pytest.mark.parametrize("change", [flipped(0), flipped(-1), lambda data: data[:-1]], ids=["first", "last", "cut"])
def test_a_damaged_snapshot_is_a_problem_that_hurts_no_version(change: Callable[[bytes], bytes], scene: Scene) -> None:
    scene.repository.log.write_snapshot()
    scene.change(snapshot_key(2), change)

    problem = scene.problem()
    assert (problem.code, snapshot_key(2) in problem.message, problem.hurts) == ("bad_snapshot", True, ())


def test_a_snapshot_of_a_slot_that_does_not_exist_is_named(scene: Scene) -> None:
    scene.repository.log.write_snapshot()
    scene.store.contents[snapshot_key(9)] = scene.store.contents[snapshot_key(2)]

    problem = scene.problem()

    assert (problem.code, snapshot_key(9) in problem.message) == ("bad_snapshot", True)


def test_a_statement_that_no_reader_takes_notice_of_is_named(scene: Scene) -> None:
    forged = {"about": "entry/model/net", "after": [], "author": "Eve", "id": "no id", "message": "", "patch": {}}
    note = {**forged, "sort": "annotation", "time": "2026-01-01T00:00:00Z"}
    force_slot(scene.repository, Draft("Eve", notes=(note,)))

    problem = scene.problem()

    assert (problem.code, slot_key(3) in problem.message, problem.why) == ("bad_annotation", True, "an id is not an id")


def test_a_statement_in_a_slot_that_does_not_say_so_is_named(scene: Scene) -> None:
    about, time = "entry/model/net", "2026-01-01T00:00:00Z"
    note = Annotation("0" * 32, about, {"labels": {"a": "b"}}, (), "Eve", time, "").note()
    force_slot(scene.repository, Draft("Eve", notes=(note,)))

    assert scene.problem().why == "it does not require 'annotations'"


@pytest.mark.parametrize("note", [{"sort": "of a later release"}, {"sort": "annotation", "new": "field"}])
def test_what_a_later_release_states_is_no_problem(note: dict[str, str], scene: Scene) -> None:
    force_slot(scene.repository, Draft("Eve", notes=(note,)))

    assert scene.problems() == []


def test_a_pack_that_was_given_up_and_one_that_waits_are_counted_and_no_problem(scene: Scene) -> None:
    remove(scene.repository, {NET: ["1.0.0"]}, "Ann", "")
    for number in (1, 2):
        put(scene.repository, [(Sort.PIECE, b"more %d" % number)])
    live = [pack.id for pack in scene.repository.log.refresh().live_packs()][-2:]
    scene.repository.log.append(lambda view: Draft("gc", drop=tuple(live), is_lossy=True))
    scene.repository.log.append(lambda view: Draft("gc", reap=(live[0],)))

    found = scene.check()

    assert (found.problems, found.orphans, found.dropped, found.packs) == ([], 1, 1, 4)


# Names, commits and files.


def test_a_commit_that_names_a_tree_that_is_nowhere_hurts_its_version(scene: Scene) -> None:
    missing = TreeId.of(b"nowhere")
    scene.forge(crafted(missing, 1, 1), "3.0.0")

    problem = scene.problem()

    assert (problem.code, problem.hurts) == ("object_missing", ("model/net@3.0.0",))
    assert str(missing) in problem.message


def test_a_name_whose_commit_is_nowhere_is_hurt(scene: Scene) -> None:
    change = RefChange(version_ref(NET, "3.0.0"), None, commit("nowhere"))
    force_slot(scene.repository, Draft("Eve", refs=(change,)))

    assert scene.problems() == [("object_missing", ("model/net@3.0.0",))]


def one_file(content: ContentId, size: int) -> tuple[TreeId, tuple[Sort, bytes]]:
    """Return the tree of one file, and the object it is stored as."""
    kept: list[bytes] = []
    root = build([File("a", Mode.FILE, size, content)], lambda node, data: kept.append(data))
    return root.id, (Sort.TREE, kept[-1])


@pytest.mark.parametrize(
    "made",
    [
        lambda tree: crafted(tree, 1, 3, entry=Entry("model", "other")),
        lambda tree: crafted(tree, 1, 3, version="4.0.0"),
        lambda tree: crafted(tree, 2, 3),
        lambda tree: crafted(tree, 1, 4),
    ],
    ids=["entry", "version", "files", "size"],
)
def test_a_commit_that_says_something_else_than_name_and_tree_is_named(
    made: Callable[[TreeId], Commit], scene: Scene
) -> None:
    tree, node = one_file(ContentId.of(b"old"), 3)
    scene.forge(made(tree), "3.0.0", node)

    problem = scene.problem()

    assert (problem.code, problem.hurts) == ("wrong_commit", ("model/net@3.0.0",))
    assert "model/net@3.0.0" in problem.message


def test_pieces_that_do_not_add_up_to_their_file_hurt_its_version(scene: Scene) -> None:
    recipe = paginate([(3, ContentId.of(b"old")), (3, ContentId.of(b"new"))])[0].encode()
    # The samples file a recipe under the hash of itself, which is not that of the six bytes.
    tree, node = one_file(ContentId.of(recipe), 6)
    scene.forge(crafted(tree, 1, 6), "3.0.0", node, (Sort.RECIPE, recipe))

    assert scene.problems() == [("content_mismatch", ("model/net@3.0.0",))]


def test_a_recipe_that_makes_other_bytes_than_the_tree_says_hurts_its_version(scene: Scene) -> None:
    content = ContentId.of(b"oldnew")
    with PackWriter(scene.store) as writer:
        recipe = paginate([(3, ContentId.of(b"old")), (3, ContentId.of(b"new"))])[0]
        writer.add(Sort.RECIPE, content, recipe.encode())
        packs = writer.finish()
    scene.repository.log.append(lambda view: Draft("Ann", add=packs))
    tree, node = one_file(content, 7)
    scene.forge(crafted(tree, 1, 7), "3.0.0", node)

    assert scene.problems() == [("bad_recipe", ("model/net@3.0.0",))]


def test_a_tag_that_points_to_no_version_is_named(scene: Scene) -> None:
    change = RefChange(tag_ref(NET, "stray"), None, commit("nowhere"))
    force_slot(scene.repository, Draft("Eve", refs=(change,)))

    problem = scene.problem()

    assert (problem.code, "model/net@stray" in problem.message) == ("stray_tag", True)
