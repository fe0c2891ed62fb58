"""Objects by id: found through the indexes of the packs, decoded, and verified before anyone sees them."""

from __future__ import annotations

import os
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NoReturn, TypeVar

from blake3 import blake3

from mlreg.codecs import codec_of
from mlreg.codecs.codec import Buffer
from mlreg.codecs.difference import DIFFERENCE
from mlreg.errors import IntegrityError, MlregError, NotFoundError, UnavailableError
from mlreg.formats.pack import (
    ID_OF,
    TRAILER_SIZE,
    Block,
    PackIndex,
    PackKind,
    Sort,
    block_sum,
    decode_trailer,
)
from mlreg.formats.pack_lookup import PackLookup
from mlreg.formats.recipe import Part, Recipe, shifted
from mlreg.formats.transaction import PackEntry
from mlreg.ids import CommitId, ContentId, ObjectId, TreeId
from mlreg.repository.log import Log
from mlreg.repository.view import LIVE, Place
from mlreg.stores.store import Store

LIKELY_WHOLE = 1024 * 1024
"""Bytes of a file up to which it is probably stored as one piece."""
KIND_OF = {sort: PackKind.DATA if sort is Sort.PIECE else PackKind.META for sort in Sort}
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

THREADS = min(8, os.cpu_count() or 1)
READ_AHEAD = 2 * THREADS
"""Pieces that are read before they are asked for."""
LARGE_INDEX = 256 * 1024
"""Bytes of an index that is not read for a few pieces."""
LOOKUPS = 32
"""How many pieces are a few."""
BLOCKS_KEPT = 16
INDEXES_KEPT = 64
REPAIR = (
    "mlreg repair, which takes good copies from remotes, or from files with --files",
    "mlreg verify, which says what is hurt",
    "if a remote has the version: mlreg get REMOTE::REF DIR",
)
"""What to do about damage."""


def pack_key(pack_id: str) -> str:
    """Return the key of a pack: `packs/3f/3fa9….pack`."""
    return f"packs/{pack_id[:2]}/{pack_id}.pack"


class Objects:
    """Reads the objects of one repository. What it returns is verified; what it cannot verify it does not return."""

    def __init__(self, store: Store, log: Log) -> None:
        """Read nothing yet."""
        self._store = store
        self._log = log
        self._indexes: OrderedDict[str, PackIndex] = OrderedDict()
        self._blocks: OrderedDict[tuple[str, int], Buffer] = OrderedDict()
        self._unreadable: dict[str, MlregError] = {}
        """Live packs whose index could not be read, until someone misses what they hold."""
        self._near = 0
        """A slot whose packs probably hold what is asked for next."""
        self._ahead: dict[tuple[Sort, bytes], list[Place]] = {}
        """Where that lies which was said to be asked for next."""
        self._lookups: dict[str, PackLookup] = {}
        """Large indexes that are not read as a whole."""
        self._looked_up = 0
        """How often a piece was looked for in those."""
        self._present: dict[str, bool] = {}
        """Whether the file of a pack was found in its full size."""

    # Reading.

    def read(self, sort: Sort, object_id: ObjectId) -> Buffer:
        """Return the bytes of an object.

        A copy that is damaged or gone is passed over if there is another one, also in packs that became
        known only now.

        Raises:
            IntegrityError: `object_missing` or `object_damaged`.
            UnavailableError: the store does not answer.
        """
        problem: MlregError | None = None
        tried: set[Place] = set()
        while untried := [place for place in self.places(sort, object_id) if place not in tried]:
            for place in untried:
                try:
                    return self.read_at(place, object_id)
                except (IntegrityError, NotFoundError, UnavailableError) as error:
                    problem = error
            tried.update(untried)
            self._ahead.clear()
            self._log.refresh()
            self.take_up_indexes(KIND_OF[sort])
        raise self.lost(sort, object_id, problem)

    def lost(self, sort: Sort, object_id: ObjectId, problem: MlregError | None = None) -> MlregError:
        """Return the error for an object of which there is no good copy."""
        hidden = next(iter(list(self._unreadable.values())), None)
        self._unreadable.clear()  # so that the next question looks again
        unanswered = problem or hidden
        if isinstance(unanswered, UnavailableError):
            return unanswered
        name = f"{sort.name.lower()} {object_id}"
        if problem:
            return IntegrityError("object_damaged", f"{name} cannot be read", why=problem.message, fix=REPAIR)
        why = hidden.message if hidden else ""
        return IntegrityError("object_missing", f"{name} is in no pack that can be read", why=why, fix=REPAIR)

    def read_at(self, place: Place, object_id: ObjectId) -> Buffer:
        """Return the bytes of an object from one of its places, verified."""
        item = self._table(place.pack).item(place.slot)
        plain = self._block(place.pack, item.block)
        data = memoryview(plain)[item.start : item.start + item.size] if len(plain) != item.size else plain
        if item.id != object_id or (item.sort in ID_OF and ID_OF[item.sort].of(data) != object_id):
            raise IntegrityError(
                "object_damaged", f"{pack_key(place.pack)} holds other bytes than {object_id}", fix=REPAIR
            )
        return data

    def read_commit(self, commit: CommitId) -> bytes:
        """Return the bytes of one commit; what is asked for next is looked for near to it."""
        self._near = self._log.view.slot_of(commit)
        return self.read_commits([commit])[commit]

    def read_commits(self, ids: Sequence[CommitId]) -> dict[CommitId, bytes]:
        """Return the bytes of several commits; those that were read before come from the view."""
        kept = self._log.view.commit_bodies(ids)
        found = {commit: body for commit, body in kept.items() if CommitId.of(body) == commit}
        read = {}
        for commit in (commit for commit in ids if commit not in found):
            self._near = self._log.view.slot_of(commit)
            read[commit] = bytes(self.read(Sort.COMMIT, commit))
        if read:
            self._log.view.keep_commits(read)
        return found | read

    def read_tree(self, tree: TreeId) -> bytes:
        """Return the bytes of one node of a tree."""
        return bytes(self.read(Sort.TREE, tree))

    def parts_of(self, content: ContentId, size: int) -> Iterator[Part]:
        """Yield the pieces of a file of `size` bytes, in order: one if the file is stored whole.

        Raises:
            IntegrityError: `object_missing`, or `bad_recipe`.
        """
        if not size:
            return
        # Which of both is looked for first saves reading indexes for what is not there, and decides nothing.
        is_whole = not self.places(Sort.RECIPE, content) if size > LIKELY_WHOLE else self.places(Sort.PIECE, content)
        if is_whole:
            yield Part(0, size, content)
            return
        recipe = Recipe.decode(bytes(self.read(Sort.RECIPE, content)))
        if recipe.size != size:
            raise IntegrityError(
                "bad_recipe", f"the recipe of {content} makes {recipe.size} bytes, not {size}", fix=REPAIR
            )
        yield from self.parts_in(recipe)

    def parts_in(self, recipe: Recipe) -> Iterator[Part]:
        """Yield the pieces that a recipe names, in order, also those in its pages."""
        for part in recipe.parts:
            if recipe.is_paged:
                yield from shifted(Recipe.decode(bytes(self.read(Sort.PAGE, part.id))), part)
            else:
                yield part

    def read_part(self, part: Part) -> Buffer:
        """Return the bytes of one piece of a file, verified.

        Raises:
            IntegrityError: `bad_recipe`, it has another size than its recipe says, or as `read` does.
        """
        data = self.read(Sort.PIECE, part.id)
        if len(data) != part.end - part.start:
            raise IntegrityError("bad_recipe", f"piece {part.id} has another size than the recipe says", fix=REPAIR)
        return data

    def _read_ahead(self, parts: Iterable[Part]) -> Iterator[Buffer]:
        """Read, decode and verify the next pieces on all cores while the caller uses this one."""
        from concurrent.futures import Future

        from mlreg.repository.pool import Pool

        waiting: deque[Future[Buffer]] = deque()
        with Pool(THREADS, "mlreg-read") as pool:
            for part in parts:
                waiting.append(pool.submit(self.read_part, part))
                if len(waiting) > READ_AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def read_whole(self, content: ContentId, size: int) -> Iterator[Buffer]:
        """Yield the bytes of a file in order; the last ones only after the id of the whole was found right.

        Raises:
            IntegrityError: `content_mismatch`, `bad_recipe`, `object_missing`, `object_damaged`.
        """
        parts = self.parts_of(content, size)
        first = next(parts, None)
        if first is None:
            yield from self._in_all((), content)
        elif first.id == content and first.end == size:
            yield self.read_part(first)  # which is found right as a piece
        else:
            yield from self._in_all(self._read_ahead(chain((first,), parts)), content)

    def _in_all(self, pieces: Iterable[Buffer], content: ContentId) -> Iterator[Buffer]:
        hasher = blake3()
        held: Buffer = b""
        for data in pieces:
            yield held
            hasher.update(data)
            held = data
        if hasher.digest() != content:
            raise IntegrityError(
                "content_mismatch",
                f"the pieces of a file do not add up to {content}",
                fix=REPAIR,
            )
        yield held

    # Finding.

    def places(self, sort: Sort, object_id: ObjectId) -> list[Place]:
        """Return where the copies of an object lie, the newest first."""
        found = self._ahead.get((sort, object_id)) or self._log.view.places(sort, object_id)
        if not found and sort is Sort.PIECE and self._looked_up < LOOKUPS:
            found = self._look_up(object_id)
        if not found:
            for _ in self._taking_up(KIND_OF[sort]):
                if found := self._log.view.places(sort, object_id):
                    return found
            # Asked again even if there was no index to take up: another process may have done it in between.
            found = self._log.view.places(sort, object_id)
        return found

    def _look_up(self, piece: ObjectId) -> list[Place]:
        """Look for a piece in large indexes that are not known yet, of which little is read."""
        self._looked_up += 1
        for pack in list(self._log.view.unread_packs(PackKind.DATA, self._near)):
            try:
                slot = self._lookup(pack).find(piece) if pack.index_size > LARGE_INDEX else None
            except (IntegrityError, NotFoundError, UnavailableError):
                continue  # whoever reads the whole index says what is wrong
            if slot is not None:
                return [Place(pack.id, slot)]
        return []

    def _lookup(self, pack: PackEntry) -> PackLookup:
        if pack.id not in self._lookups:
            key, start = pack_key(pack.id), pack.size - pack.index_size - TRAILER_SIZE
            self._lookups[pack.id] = PackLookup(
                lambda at, size: self._store.read(key, start + at, size), pack.index_size
            )
        return self._lookups[pack.id]

    def _table(self, pack_id: str) -> PackIndex | PackLookup:
        """Return what says where objects lie in a pack: enough to read one, and to check it by its id."""
        return self._lookups.get(pack_id) or self.index(pack_id)

    def places_of(self, sort: Sort, ids: Sequence[ObjectId]) -> dict[bytes, list[Place]]:
        """Return where the copies of many objects lie, as far as indexes were taken up; by their ids."""
        return self._log.view.places_of(sort, ids)

    def look_ahead(self, sort: Sort, ids: Sequence[ObjectId]) -> None:
        """Find many objects in one go, because they will be read next; forget those of the time before."""
        self._ahead = {(sort, object_id): places for object_id, places in self._log.view.places_of(sort, ids).items()}

    def has(self, sort: Sort, object_id: ObjectId) -> bool:
        """Tell whether a live pack holds an object, as far as the log and the indexes say."""
        return bool(self.places(sort, object_id))

    def holds(self, sort: Sort, object_id: ObjectId) -> bool:
        """Tell whether a pack that is really there holds an object, so that it need not be stored again.

        The indexes must have been taken up. Any thread may ask.
        """
        return any(self._is_present(place.pack) for place in self._log.view.places(sort, object_id))

    def held(self, sort: Sort, ids: Sequence[ObjectId]) -> set[ObjectId]:
        """Return those of many objects that `holds` is true of."""
        found = self._log.view.places_of(sort, ids)
        return {one for one in ids if any(self._is_present(place.pack) for place in found.get(one, ()))}

    def is_whole(self) -> bool:
        """Tell whether all packs are there, as far as their sizes say."""
        return all(self._is_present(pack.id) for pack in self._log.view.live_packs())

    def _is_present(self, pack_id: str) -> bool:
        present = self._present.get(pack_id)
        if present is None:
            present = self._store.size(pack_key(pack_id)) == self._log.view.pack(pack_id).size
            self._present[pack_id] = present
        return present

    def missing(self, wanted: Iterable[tuple[Sort, ObjectId]]) -> list[tuple[Sort, ObjectId]]:
        """Return those objects that no pack that is there holds."""
        self.take_up_all()
        return [(sort, object_id) for sort, object_id in wanted if not self.holds(sort, object_id)]

    def take_up_all(self) -> None:
        """Read the indexes of packs of both kinds, as `take_up_indexes`."""
        for kind in PackKind:
            self.take_up_indexes(kind)

    def take_up_indexes(self, kind: PackKind) -> None:
        """Read the indexes of live packs that the view does not have yet, passing over those that cannot be read."""
        for _ in self._taking_up(kind):
            pass

    def _taking_up(self, kind: PackKind) -> Iterator[None]:
        """Read one index after the other, those first that lie near to the commit that was read last."""
        for pack in self._log.view.unread_packs(kind, self._near):
            if pack.id in self._unreadable:
                continue
            try:
                index = self.fetch_index(pack)
            except (IntegrityError, NotFoundError, UnavailableError) as error:
                if self._log.refresh().pack_state(pack.id) == LIVE:
                    self._unreadable[pack.id] = error
                    continue
                # It was collected since the view was brought up to date; what it held may lie in a newer pack.
                yield from self._taking_up(kind)
                return
            self._log.view.add_index(pack.id, index)
            yield

    def fetch_index(self, pack: PackEntry) -> PackIndex:
        """Read the index of a pack from the store and check it against the log.

        Raises:
            IntegrityError: `bad_pack`, `pack_missing`.
        """
        if self._store.size(pack_key(pack.id)) != pack.size:
            self._explain_size(pack)
        index = self._index_at(pack.id, pack.size, pack.index_size)
        if _describe(pack.id, pack.size, index) != pack:
            raise IntegrityError("bad_pack", f"pack {pack.id} is not the one the log names", fix="mlreg verify")
        return index

    def _explain_size(self, pack: PackEntry) -> NoReturn:
        if self._store.size(pack_key(pack.id)) is None:
            raise IntegrityError(
                "pack_missing",
                f"{pack_key(pack.id)} is not in {self._store.url}",
                fix=REPAIR,
            )
        raise IntegrityError("bad_pack", f"pack {pack.id} has not the size the log names", fix="mlreg verify")

    def _index_at(self, pack_id: str, size: int, index_size: int) -> PackIndex:
        """Read an index whose size is known, in one request."""
        tail = self._store.read(pack_key(pack_id), max(0, size - index_size - TRAILER_SIZE))
        try:
            stated, digest = decode_trailer(tail[-TRAILER_SIZE:])
            index = PackIndex(tail[:-TRAILER_SIZE], digest)
            if stated != index_size or len(tail) != index_size + TRAILER_SIZE:
                raise IntegrityError("bad_pack", "its index has another size", fix=REPAIR)
            index.check()
        except IntegrityError as error:
            why = error.why or error.message
            raise IntegrityError(error.code, f"{pack_key(pack_id)} cannot be read", why=why, fix=REPAIR) from error
        return index

    def describe_pack(self, pack_id: str) -> tuple[PackEntry, PackIndex]:
        """Return what a pack says of itself, whether or not the log names it.

        Raises:
            NotFoundError: `key_missing`.
            IntegrityError: `bad_pack`.
        """
        size = self._store.size(pack_key(pack_id)) or 0
        index_size, _ = decode_trailer(self._store.read(pack_key(pack_id), max(0, size - TRAILER_SIZE)))
        index = self._index_at(pack_id, size, index_size)
        return _describe(pack_id, size, index), index

    def index(self, pack_id: str) -> PackIndex:
        """Return the index of a live pack."""
        index = self._indexes.get(pack_id)
        if index is None:
            index = self._log.view.index(pack_id)
            if index is None:
                pack = self._log.view.pack(pack_id)
                index = self.fetch_index(pack)
                self._log.view.add_index(pack_id, index)
            _keep(self._indexes, pack_id, index, INDEXES_KEPT)
        return index

    # Blocks.

    def stored_block(self, pack_id: str, block: Block) -> bytes:
        """Return the stored bytes of a block, checked against the index.

        Raises:
            IntegrityError: `block_damaged`.
            NotFoundError: `key_missing`, the pack is gone.
        """
        stored = self._raw_block(pack_id, block)
        if len(stored) != block.stored_size or block_sum(stored) != block.sum:
            raise damaged_block(pack_id, block)
        return stored

    def decoded(self, block: Block, stored: Buffer) -> Buffer:
        """Return the plain bytes of a block.

        Raises:
            IntegrityError: `bad_block`; as `read`, if it differs from a piece that cannot be read.
        """
        if block.codec != DIFFERENCE.number:
            return codec_of(block.codec).decode(stored, block.plain_size)
        base = self._base(ContentId(DIFFERENCE.base_of(stored)))
        return DIFFERENCE.decode(stored, base, block.plain_size)

    def _base(self, piece: ContentId) -> Buffer:
        """Return a piece that others differ from, which must not differ from another one itself: that has an end."""
        places = [place for place in self.places(Sort.PIECE, piece) if not self.is_difference(place)]
        if not places:
            raise self.lost(Sort.PIECE, piece)
        for place in places[:-1]:
            try:
                return self.read_at(place, piece)
            except (IntegrityError, NotFoundError, UnavailableError):
                continue
        return self.read_at(places[-1], piece)

    def is_difference(self, place: Place) -> bool:
        """Tell whether an object is stored as what it differs by from another one."""
        index = self._table(place.pack)
        return index.block(index.item(place.slot).block).codec == DIFFERENCE.number

    def _raw_block(self, pack_id: str, block: Block) -> bytes:
        return self._store.read(pack_key(pack_id), block.offset, block.stored_size)

    def _block(self, pack_id: str, number: int) -> Buffer:
        key = (pack_id, number)
        plain = self._blocks.get(key)
        if plain is None:
            index = self._table(pack_id)
            block = index.block(number)
            # The id of a piece is checked after decoding; a recipe has none of its own, so its block is checked.
            read = self.stored_block if index.kind is PackKind.META else self._raw_block
            plain = self.decoded(block, read(pack_id, block))
            # Large blocks hold one piece, which is asked for once.
            if len(plain) <= 1 << 20:
                _keep(self._blocks, key, plain, BLOCKS_KEPT)
        return plain


def damaged_block(pack_id: str, block: Block) -> IntegrityError:
    """Return the error for a block whose stored bytes are not those that were written."""
    why = f"the {block.stored_size} bytes from byte {block.offset} on are not those that were written"
    return IntegrityError("block_damaged", f"{pack_key(pack_id)} is damaged", why=why, fix=REPAIR)


def _describe(pack_id: str, size: int, index: PackIndex) -> PackEntry:
    if size != index.data_size + len(index.data) + TRAILER_SIZE:
        raise IntegrityError("bad_pack", f"pack {pack_id} has not the size its index says", fix="mlreg verify")
    return PackEntry(pack_id, index.kind, size, len(index.data), index.sum, len(index))


def _keep(kept: OrderedDict[_Key, _Value], key: _Key, value: _Value, limit: int) -> None:
    kept[key] = value
    if len(kept) > limit:
        kept.popitem(last=False)
