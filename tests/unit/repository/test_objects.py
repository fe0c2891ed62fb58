"""Objects: what is returned is what was put in, and what cannot be verified is an error that names it."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from itertools import islice, pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.codecs.codec import Buffer
from mlreg.errors import IntegrityError, MlregError, NotFoundError, UnavailableError
from mlreg.formats.pack import TRAILER_SIZE, Block, Item, PackKind, Sort, block_sum, decode_trailer, encode_index
from mlreg.formats.recipe import Recipe, paginate
from mlreg.formats.transaction import PackEntry, RefChange
from mlreg.ids import CommitId, ContentId, ObjectId, PageId, TreeId
from mlreg.repository import objects as objects_module
from mlreg.repository.log import Draft
from mlreg.repository.objects import Objects, pack_key
from mlreg.repository.packing import PackWriter
from mlreg.repository.repository import Repository
from mlreg.repository.view import Place
from mlreg.stores.faulty import Fault, FaultyStore
from mlreg.stores.memory import MemoryStore
from tests.unit.repository.samples import object_id, put, repository_in

PIECE, TREE, COMMIT = b"a piece of a file", b"a tree", b"a commit"


@pytest.fixture(autouse=True, params=["whole indexes", "looked up"])
def _how_pieces_are_found(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it holds whether indexes of data are read as a whole or as large ones are."""
    if request.param == "looked up":
        monkeypatch.setattr(objects_module, "LARGE_INDEX", 0)


@pytest.fixture
def _whole_indexes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Damage that only who reads a whole index meets; others get the right bytes all the same."""
    monkeypatch.undo()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def repository(store: MemoryStore) -> Repository:
    return repository_in(store)


def flip(store: MemoryStore, pack: PackEntry, at: int) -> None:
    """Flip a bit of a stored pack; a negative place is counted from its end."""
    data = bytearray(store.contents[pack_key(pack.id)])
    data[at] ^= 1
    store.contents[pack_key(pack.id)] = bytes(data)


def noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


# Reading.


@given(objects=st.lists(st.tuples(st.sampled_from([*Sort]), st.binary(max_size=200)), max_size=20))
def test_every_object_that_was_put_in_is_read_by_a_newcomer(objects: list[tuple[Sort, bytes]]) -> None:
    store = MemoryStore()
    repository = repository_in(store)
    for half in (objects[::2], objects[1::2]):
        put(repository, half)
    newcomer = Repository(store)
    newcomer.log.refresh()

    for sort, data in objects:
        assert newcomer.objects.has(sort, object_id(sort, data))
        assert bytes(newcomer.objects.read(sort, object_id(sort, data))) == data


def test_an_object_is_found_only_as_what_it_is(repository: Repository) -> None:
    put(repository, [(Sort.PIECE, TREE)])

    with pytest.raises(IntegrityError) as caught:
        repository.objects.read(Sort.TREE, TreeId.of(TREE))
    assert caught.value.code == "object_missing"
    with pytest.raises(IntegrityError):
        repository.objects.read(Sort.TREE, TreeId(ContentId.of(TREE)))


def test_an_object_that_is_not_there_is_named(repository: Repository) -> None:
    missing = ContentId.of(b"never")

    with pytest.raises(IntegrityError) as caught:
        repository.objects.read(Sort.PIECE, missing)
    assert caught.value.code == "object_missing"
    assert str(missing) in caught.value.message
    assert not repository.objects.has(Sort.PIECE, missing)


def test_what_is_missing_is_told_in_the_order_it_was_asked_for(repository: Repository) -> None:
    put(repository, [(Sort.PIECE, PIECE), (Sort.TREE, TREE)])
    wanted = [
        (Sort.PIECE, ContentId.of(b"no")),
        (Sort.PIECE, ContentId.of(PIECE)),
        (Sort.COMMIT, CommitId.of(COMMIT)),
        (Sort.TREE, TreeId.of(TREE)),
    ]

    assert repository.objects.missing(wanted) == [wanted[0], wanted[2]]


def test_commits_are_read_once_and_then_from_the_view(repository: Repository) -> None:
    bodies = [b"one", b"two", b"three"]
    (pack,) = put(repository, [(Sort.COMMIT, body) for body in bodies])
    ids = [CommitId.of(body) for body in bodies]
    assert repository.objects.read_commits(ids[:2]) == dict(zip(ids, bodies[:2], strict=False))
    repository.store.delete(pack_key(pack.id))

    assert repository.objects.read_commit(ids[0]) == b"one"


def test_a_commit_that_the_view_keeps_wrongly_is_read_again(repository: Repository) -> None:
    put(repository, [(Sort.COMMIT, COMMIT)])
    repository.log.view.keep_commits({CommitId.of(COMMIT): b"forged"})

    assert repository.objects.read_commit(CommitId.of(COMMIT)) == COMMIT


def test_of_many_commits_each_is_looked_for_where_the_log_named_it_first(store: MemoryStore) -> None:
    repository = repository_in(store)
    commits = [b"commit %d" % number for number in range(5)]
    for number, body in enumerate(commits):
        with PackWriter(store) as writer:
            writer.add(Sort.COMMIT, CommitId.of(body), body)
            packs = writer.finish()
        draft = Draft("Ann", refs=(RefChange(f"version/model/net/1.0.{number}", None, CommitId.of(body)),), add=packs)
        repository.log.append(partial(lambda draft, view: draft, draft))
    newcomer = Repository(store)
    newcomer.log.refresh()
    wanted = [CommitId.of(commits[3]), CommitId.of(commits[1])]

    assert [*newcomer.objects.read_commits(wanted).values()] == [commits[3], commits[1]]
    # The indexes of the other packs were not read.
    assert len(list(newcomer.log.view.unread_packs(PackKind.META))) == 3


# Damage.


@pytest.mark.parametrize("sort", Sort)
def test_a_flipped_bit_anywhere_in_a_pack_is_an_error_and_never_other_bytes(sort: Sort) -> None:
    store, data = MemoryStore(), b"some bytes"
    (pack,) = put(repository_in(store), [(sort, data)])
    whole = store.contents[pack_key(pack.id)]
    for at in range(len(whole)):
        flip(store, pack, at)
        newcomer = Repository(store)
        newcomer.log.refresh()
        try:
            outcome: object = bytes(newcomer.objects.read(sort, object_id(sort, data)))
        except IntegrityError as error:
            outcome = error.code
        # Who does not read all of an index gets the right bytes, if what was read is right.
        is_looked_up = sort is Sort.PIECE and objects_module.LARGE_INDEX == 0
        assert outcome in ("object_damaged", "object_missing", *([data] if is_looked_up else []))
        store.contents[pack_key(pack.id)] = whole


@pytest.mark.usefixtures("_whole_indexes")
def test_a_pack_that_was_cut_is_an_error(store: MemoryStore, repository: Repository) -> None:
    (pack,) = put(repository, [(Sort.PIECE, PIECE)])
    whole = store.contents[pack_key(pack.id)]
    for size in range(len(whole)):
        store.contents[pack_key(pack.id)] = whole[:size]
        newcomer = Repository(store)
        newcomer.log.refresh()
        with pytest.raises(IntegrityError) as caught:
            newcomer.objects.read(Sort.PIECE, ContentId.of(PIECE))
        assert (caught.value.code, pack.id in caught.value.why) == ("object_missing", True)


def test_a_pack_that_was_cut_after_its_index_was_read_is_an_error(store: MemoryStore, repository: Repository) -> None:
    (pack,) = put(repository, [(Sort.PIECE, PIECE)])
    repository.objects.take_up_indexes(PackKind.DATA)
    store.contents[pack_key(pack.id)] = b"short"

    with pytest.raises(IntegrityError) as caught:
        repository.objects.read(Sort.PIECE, ContentId.of(PIECE))
    assert caught.value.code == "object_damaged"


def test_a_damaged_copy_is_passed_over_if_there_is_another(store: MemoryStore, repository: Repository) -> None:
    for sort, data in ((Sort.PIECE, PIECE), (Sort.TREE, TREE), (Sort.RECIPE, b"recipe")):
        for damaged in [put(repository, [(sort, data)])[0] for _ in range(2)]:
            flip(store, damaged, 0)
            newcomer = Repository(store)
            newcomer.log.refresh()
            assert bytes(newcomer.objects.read(sort, object_id(sort, data))) == data
            flip(store, damaged, 0)


def test_a_pack_that_is_gone_though_the_log_names_it_is_said_to_be(store: MemoryStore, repository: Repository) -> None:
    (pack,) = put(repository, [(Sort.PIECE, PIECE)])
    del store.contents[pack_key(pack.id)]

    with pytest.raises(IntegrityError) as caught:
        repository.objects.read(Sort.PIECE, ContentId.of(PIECE))
    assert caught.value.code == "object_missing"
    assert pack.id in caught.value.why


def test_a_pack_that_is_gone_hides_nothing_that_other_packs_hold(store: MemoryStore) -> None:
    writer = repository_in(store)
    others = [put(writer, [(Sort.PIECE, data)])[0] for data in (b"before", b"lost", b"behind")]
    del store.contents[pack_key(others[1].id)]
    repository = Repository(store)
    repository.log.refresh()

    assert repository.objects.read(Sort.PIECE, ContentId.of(b"behind")) == b"behind"
    assert repository.objects.read(Sort.PIECE, ContentId.of(b"before")) == b"before"
    assert repository.objects.missing([(Sort.PIECE, ContentId.of(b"lost"))])


def test_a_pack_that_came_back_is_found_by_who_missed_it(store: MemoryStore) -> None:
    (pack,) = put(repository_in(store), [(Sort.PIECE, PIECE)])
    data = store.contents.pop(pack_key(pack.id))
    repository = Repository(store)
    repository.log.refresh()
    with pytest.raises(IntegrityError):
        repository.objects.read(Sort.PIECE, ContentId.of(PIECE))

    store.contents[pack_key(pack.id)] = data
    assert repository.objects.read(Sort.PIECE, ContentId.of(PIECE)) == PIECE


def test_what_a_pack_held_that_is_gone_is_to_be_stored_again(store: MemoryStore, repository: Repository) -> None:
    lost, cut, sound = (put(repository, [(Sort.PIECE, data)])[0] for data in (b"lost", b"cut", b"sound"))
    wanted = [(Sort.PIECE, ContentId.of(data)) for data in (b"lost", b"cut", b"sound")]
    assert repository.objects.missing(wanted) == []
    del store.contents[pack_key(lost.id)]
    store.contents[pack_key(cut.id)] = b"short"
    assert sound.size == len(store.contents[pack_key(sound.id)])

    # From an index that is in the view, as from one that cannot be read.
    assert repository_with_view_of(repository).objects.missing(wanted) == wanted[:2]
    assert repository_at(store).objects.missing(wanted) == wanted[:2]


def repository_at(store: MemoryStore) -> Repository:
    repository = Repository(store)
    repository.log.refresh()
    return repository


def repository_with_view_of(other: Repository) -> Repository:
    repository = Repository(other.store)
    repository.log = other.log
    repository.objects = Objects(other.store, other.log)
    return repository


def test_a_disk_that_cannot_read_one_copy_is_asked_for_another(store: MemoryStore) -> None:
    packs = [put(repository_in(store), [(Sort.PIECE, PIECE)])[0] for _ in range(2)]
    for bad in packs:
        faulty = FaultyStore(store, partial(fails_to_read, pack_key(bad.id)))
        repository = Repository(faulty)
        repository.log.refresh()
        assert repository.objects.read(Sort.PIECE, ContentId.of(PIECE)) == PIECE


def fails_to_read(bad: str, _: int, verb: str, key: str) -> Fault | None:
    return Fault.BEFORE if (verb, key) == ("read", bad) else None


def swap_packs(store: MemoryStore, one: PackEntry, other: PackEntry) -> None:
    keys = pack_key(one.id), pack_key(other.id)
    store.contents[keys[0]], store.contents[keys[1]] = store.contents[keys[1]], store.contents[keys[0]]


@pytest.mark.usefixtures("_whole_indexes")
def test_a_whole_pack_in_the_place_of_another_is_not_the_one_the_log_names(
    store: MemoryStore, repository: Repository
) -> None:
    one, other = (put(repository, [(Sort.PIECE, data)])[0] for data in (b"the one", b"another"))
    swap_packs(store, one, other)

    with pytest.raises(IntegrityError) as caught:
        repository.objects.read(Sort.PIECE, ContentId.of(b"the one"))
    assert caught.value.code == "object_missing"


@pytest.mark.parametrize("change", [{"size": 1}, {"index_size": 1}, {"objects": 1}, {"kind": 1}, {"sum": bytes(32)}])
def test_a_pack_that_the_log_describes_otherwise_is_refused(
    change: dict[str, object], store: MemoryStore, repository: Repository
) -> None:
    with PackWriter(store) as writer:
        writer.add(Sort.TREE, TreeId.of(TREE), TREE)
        (pack,) = writer.finish()
    wrong = {
        name: PackKind.DATA if name == "kind" else value + getattr(pack, name) if isinstance(value, int) else value
        for name, value in change.items()
    }

    with pytest.raises(IntegrityError) as caught:
        repository.objects.fetch_index(pack._replace(**wrong))  # type: ignore[arg-type] # the one field that is wrong
    assert caught.value.code == "bad_pack"
    assert len(repository.objects.fetch_index(pack)) == 1


@pytest.mark.usefixtures("_whole_indexes")
def test_a_pack_whose_index_lies_is_refused_though_the_log_names_it(store: MemoryStore, repository: Repository) -> None:
    item = Item(Sort.PIECE, ContentId.of(PIECE), 0, 5, len(PIECE))
    index = encode_index(PackKind.DATA, [Block(0, len(PIECE), len(PIECE), 0, block_sum(PIECE))], [item])
    size, digest = decode_trailer(index[-TRAILER_SIZE:])
    pack = PackEntry("ab" * 16, PackKind.DATA, len(PIECE) + len(index), size, digest, 1)
    store.create(pack_key(pack.id), PIECE + index)
    repository.log.append(lambda view: Draft("Ann", add=(pack,)))

    with pytest.raises(IntegrityError) as caught:
        repository.objects.read(Sort.PIECE, ContentId.of(PIECE))
    assert caught.value.code == "object_missing"


def test_a_view_that_points_to_another_object_is_noticed_even_for_recipes(repository: Repository) -> None:
    """The id of a recipe does not follow from its bytes, so the index of the pack has to be asked."""
    put(repository, [(Sort.RECIPE, b"one"), (Sort.RECIPE, b"two")])
    repository.objects.take_up_indexes(PackKind.META)
    repository.log.view._db.run("UPDATE objects SET slot = 1 - slot")

    with pytest.raises(IntegrityError) as caught:
        repository.objects.read(Sort.RECIPE, ContentId.of(b"one"))
    assert caught.value.code == "object_damaged"


def test_a_store_that_does_not_answer_is_no_damage(store: MemoryStore) -> None:
    (pack,) = put(repository_in(store), [(Sort.PIECE, PIECE)])
    faulty = FaultyStore(store, lambda count, verb, key: Fault.BEFORE if key == pack_key(pack.id) else None)
    repository = Repository(faulty)
    repository.log.refresh()

    with pytest.raises(UnavailableError):
        repository.objects.read(Sort.PIECE, ContentId.of(PIECE))


# Packs that go away while they are read.


def test_a_reader_finds_an_object_that_was_moved_to_another_pack_under_it(
    store: MemoryStore, repository: Repository
) -> None:
    (old,) = put(repository, [(Sort.PIECE, PIECE)])
    reader = Repository(store)
    reader.log.refresh()
    reader.objects.take_up_indexes(PackKind.DATA)
    (new,) = put(repository, [(Sort.PIECE, PIECE)])
    repository.log.append(lambda view: Draft("gc", drop=(old.id,)))
    repository.log.append(lambda view: Draft("gc", reap=(old.id,)))
    store.delete(pack_key(old.id))

    assert reader.objects.read(Sort.PIECE, ContentId.of(PIECE)) == PIECE
    assert reader.log.view.live_packs() == [new]


def test_a_reader_that_shares_its_view_with_the_one_who_moves_the_object_finds_it(
    store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index goes from the view between the question where the object lies and the look at it."""
    mover, reader = repository_in(store, tmp_path), repository_in(store, tmp_path)
    (old,) = put(mover, [(Sort.PIECE, PIECE)])
    mover.objects.take_up_indexes(PackKind.DATA)
    reader.log.refresh()
    read_at = reader.objects.read_at

    def read_late(place: Place, content: ObjectId) -> Buffer:
        monkeypatch.undo()
        put(mover, [(Sort.PIECE, PIECE)])
        mover.log.append(lambda view: Draft("gc", drop=(old.id,), reap=(old.id,)))
        store.delete(pack_key(old.id))
        return read_at(place, content)

    monkeypatch.setattr(reader.objects, "read_at", read_late)
    assert reader.objects.read(Sort.PIECE, ContentId.of(PIECE)) == PIECE


def test_a_reader_of_an_object_that_was_collected_under_it_gets_an_error(
    store: MemoryStore, repository: Repository
) -> None:
    (old,) = put(repository, [(Sort.PIECE, PIECE)])
    reader = Repository(store)
    reader.log.refresh()
    reader.objects.take_up_indexes(PackKind.DATA)
    repository.log.append(lambda view: Draft("gc", drop=(old.id,), reap=(old.id,), is_lossy=True))
    store.delete(pack_key(old.id))

    with pytest.raises(IntegrityError) as caught:
        reader.objects.read(Sort.PIECE, ContentId.of(PIECE))
    assert caught.value.code in ("object_damaged", "object_missing")


# Files.


def put_file(
    repository: Repository, data: bytes, cut: int, *, lie: Callable[[list[bytes]], list[bytes]] = list
) -> ContentId:
    """Put a file in as pieces of `cut` bytes under a recipe; `lie` may change the pieces the recipe names."""
    pieces = lie([data[at : at + cut] for at in range(0, len(data), cut)])
    recipe, pages = paginate([(len(piece), ContentId.of(piece)) for piece in pieces])
    content = ContentId.of(data)
    with PackWriter(repository.store) as writer:
        for piece in pieces:
            writer.add(Sort.PIECE, ContentId.of(piece), piece)
        for page, body in pages:
            writer.add(Sort.PAGE, page, body)
        writer.add(Sort.RECIPE, content, recipe.encode())
        packs = writer.finish()
    repository.log.append(lambda view: Draft("Ann", add=packs))
    return content


@pytest.mark.parametrize(("size", "cut"), [(1, 1), (1000, 100), (1001, 100), (9000, 1), (300_000, 70_000)])
def test_a_file_in_pieces_is_put_together(size: int, cut: int, repository: Repository) -> None:
    data = noise(size)
    content = put_file(repository, data, cut)

    assert b"".join(map(bytes, repository.objects.read_whole(content, size))) == data
    parts = list(repository.objects.parts_of(content, size))
    assert [part.start for part in parts] == list(range(0, size, cut))
    assert all(before.end == after.start for before, after in pairwise(parts))


def test_a_file_that_is_stored_whole_is_one_piece(repository: Repository) -> None:
    put(repository, [(Sort.PIECE, PIECE)])
    content = ContentId.of(PIECE)

    assert [(part.start, part.end, part.id) for part in repository.objects.parts_of(content, len(PIECE))] == [
        (0, len(PIECE), content)
    ]
    assert b"".join(map(bytes, repository.objects.read_whole(content, len(PIECE)))) == PIECE


def test_an_empty_file_needs_no_object(repository: Repository) -> None:
    assert list(repository.objects.parts_of(ContentId.of(b""), 0)) == []
    assert b"".join(map(bytes, repository.objects.read_whole(ContentId.of(b""), 0))) == b""


def test_a_file_that_is_not_empty_and_is_said_to_be_is_refused(repository: Repository) -> None:
    put(repository, [(Sort.PIECE, PIECE)])

    with pytest.raises(IntegrityError) as caught:
        list(repository.objects.read_whole(ContentId.of(PIECE), 0))
    assert caught.value.code == "content_mismatch"


@pytest.mark.parametrize("size", [len(PIECE) - 1, len(PIECE) + 1])
def test_a_file_of_another_size_than_is_said_is_refused(size: int, repository: Repository) -> None:
    put(repository, [(Sort.PIECE, PIECE)])
    content = put_file(repository, noise(1000), 100)

    for name, asked in ((ContentId.of(PIECE), size), (content, 1000 + size - len(PIECE))):
        with pytest.raises(IntegrityError) as caught:
            list(repository.objects.read_whole(name, asked))
        assert caught.value.code == "bad_recipe"


LIES: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "two pieces exchanged": lambda pieces: [pieces[1], pieces[0], *pieces[2:]],
    "the last piece changed": lambda pieces: [*pieces[:-1], bytes(len(pieces[-1]))],
    "the first piece changed": lambda pieces: [bytes(len(pieces[0])), *pieces[1:]],
}


@pytest.mark.parametrize("name", LIES)
def test_pieces_that_do_not_add_up_to_the_file_are_never_all_yielded(name: str, repository: Repository) -> None:
    data = noise(1000)
    content = put_file(repository, data, 100, lie=LIES[name])
    got: list[bytes] = []

    with pytest.raises(IntegrityError) as caught:
        got.extend(map(bytes, repository.objects.read_whole(content, 1000)))
    assert caught.value.code == "content_mismatch"
    # The consumer never holds a whole file under the wrong name.
    assert sum(map(len, got)) < len(data)


def test_a_piece_of_another_size_than_the_recipe_says_is_refused(repository: Repository) -> None:
    content = ContentId.of(b"file")
    recipe = Recipe.of([(5, ContentId.of(b"abc")), (4, ContentId.of(b"defghi"))]).encode()
    with PackWriter(repository.store) as writer:
        for piece in (b"abc", b"defghi"):
            writer.add(Sort.PIECE, ContentId.of(piece), piece)
        writer.add(Sort.RECIPE, content, recipe)
        packs = writer.finish()
    repository.log.append(lambda view: Draft("Ann", add=packs))

    with pytest.raises(IntegrityError) as caught:
        list(repository.objects.read_whole(content, 9))
    assert caught.value.code == "bad_recipe"


def test_a_missing_piece_is_named(repository: Repository) -> None:
    content = ContentId.of(b"file")
    missing = ContentId.of(b"not there")
    with PackWriter(repository.store) as writer:
        writer.add(Sort.PIECE, ContentId.of(b"abc"), b"abc")
        writer.add(Sort.RECIPE, content, Recipe.of([(3, ContentId.of(b"abc")), (9, missing)]).encode())
        packs = writer.finish()
    repository.log.append(lambda view: Draft("Ann", add=packs))

    with pytest.raises(IntegrityError) as caught:
        list(repository.objects.read_whole(content, 12))
    assert caught.value.code == "object_missing"
    assert str(missing) in caught.value.message


def test_a_page_of_another_size_than_its_place_is_refused(repository: Repository) -> None:
    page = Recipe.of([(3, ContentId.of(b"abc"))]).encode()
    content = ContentId.of(b"file")
    with PackWriter(repository.store) as writer:
        writer.add(Sort.PAGE, PageId.of(page), page)
        writer.add(Sort.RECIPE, content, Recipe.of([(4, PageId.of(page))], is_paged=True).encode())
        packs = writer.finish()
    repository.log.append(lambda view: Draft("Ann", add=packs))

    with pytest.raises(IntegrityError) as caught:
        list(repository.objects.parts_of(content, 4))
    assert caught.value.code == "bad_recipe"


def test_the_first_pieces_of_a_file_are_there_before_its_last_pages_are_read(
    store: MemoryStore, repository: Repository
) -> None:
    """A recipe of a few kilobytes may name the same page so often that its pieces fit no memory."""
    piece, times = b"x", 100_000
    page = Recipe.of([(1, ContentId.of(piece))] * 4096).encode()
    recipe = Recipe.of([(4096, PageId.of(page))] * times, is_paged=True)
    content = ContentId.of(b"no one has the file itself")
    put(repository, [(Sort.PIECE, piece), (Sort.PAGE, page)])
    with PackWriter(store) as writer:
        writer.add(Sort.RECIPE, content, recipe.encode())
        packs = writer.finish()
    repository.log.append(lambda view: Draft("Ann", add=packs))

    parts = repository.objects.parts_of(content, recipe.size)
    assert [part.end for part in islice(parts, 5000)] == list(range(1, 5001))
    file = repository.objects.read_whole(content, recipe.size)
    assert b"".join(map(bytes, islice(file, 101))) == piece * 100


# Packs that the log does not name.


def test_a_pack_that_no_transaction_names_describes_itself(store: MemoryStore, repository: Repository) -> None:
    with PackWriter(store) as writer:
        writer.add(Sort.PIECE, ContentId.of(PIECE), PIECE)
        (pack,) = writer.finish()

    assert repository.objects.describe_pack(pack.id)[0] == pack
    assert not repository.objects.has(Sort.PIECE, ContentId.of(PIECE))
    with pytest.raises(NotFoundError):
        repository.objects.describe_pack("f" * 32)


def test_half_a_pack_does_not_describe_itself(store: MemoryStore, repository: Repository) -> None:
    with PackWriter(store) as writer:
        writer.add(Sort.PIECE, ContentId.of(PIECE), PIECE)
        (pack,) = writer.finish()
    whole = store.contents[pack_key(pack.id)]
    others = [whole[:size] for size in range(len(whole))] + [b"x" + whole, whole[1:], whole + whole[-TRAILER_SIZE:]]
    for data in others:
        store.contents[pack_key(pack.id)] = data
        with pytest.raises(MlregError) as caught:
            repository.objects.describe_pack(pack.id)
        assert caught.value.code == "bad_pack"
