"""New packs: objects are gathered into blocks, encoded on all cores, and written in order.

Objects of up to 256 KiB share blocks of that size or a little more, which compress far better than one by one;
a larger object has a block of its own, and so has one of which is known what numbers it holds. Memory is
bounded by the blocks in flight, whatever is added.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack, contextmanager
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from mlreg.codecs.choose import encode_best
from mlreg.codecs.codec import Buffer, Codec
from mlreg.codecs.difference import DIFFERENCE
from mlreg.codecs.planes import Shape
from mlreg.errors import RefusedError
from mlreg.formats.pack import (
    TRAILER_SIZE,
    Block,
    Item,
    PackIndex,
    PackKind,
    Sort,
    block_sum,
    decode_trailer,
    encode_index,
)
from mlreg.formats.transaction import ID_DIGITS, PackEntry
from mlreg.ids import ContentId, ObjectId
from mlreg.repository.objects import KIND_OF, pack_key
from mlreg.repository.pool import Pool
from mlreg.stores.store import Upload

SMALL = 256 * 1024
"""Bytes of an object that still shares a block."""
SHARED_BLOCK = 256 * 1024
"""Plain bytes at which a shared block is closed."""
LOOKED_AT = 1024
"""Bytes of an object that say whether it is text."""
WORTH_A_THREAD = 64 * 1024
"""Bytes of a block that is encoded, or of a pack that is flushed, beside others; to hand over less takes longer."""
PACK_SIZE = 64 * 1024 * 1024
"""Stored bytes at which a pack is closed."""
PACK_OBJECTS = 1 << 17
"""Objects at which it is closed, however small they are: all that is known of them is held until then."""
THREADS = min(8, os.cpu_count() or 1)
"""That encode; one more waits for the disk while packs are flushed."""
IN_FLIGHT = 2 * THREADS
"""Blocks that may be encoded or waiting at once."""


class Shelf(Protocol):
    """Where packs go: what a writer needs of a store."""

    def upload(self, key: str) -> AbstractContextManager[Upload]:
        """As `Store.upload`."""
        ...

    def delete(self, key: str) -> None:
        """As `Store.delete`."""
        ...


class _Encoded(NamedTuple):
    codec: Codec
    stored: Buffer
    sum: bytes


def _encode(plain: Buffer, shape: Shape | None = None) -> _Encoded:
    codec, stored = encode_best(plain, shape)
    return _Encoded(codec, stored, block_sum(stored))


class PackWriter:
    """Takes objects of all sorts and turns them into packs; data and metadata go to packs of their own.

    Use it as a context; what was not handed over by `finish` is taken back when it ends.
    """

    def __init__(self, store: Shelf, pack_ids: Iterator[str] | None = None, pack_size: int = PACK_SIZE) -> None:
        """Write nothing before there is something to write.

        Args:
            store: where the packs go.
            pack_ids: names for the packs, random ones if not given; must never have been used there.
            pack_size: stored bytes at which a pack is closed; one with a random name also when it has many objects.
        """
        self._store = store
        self.pool = Pool(THREADS + 1, "mlreg-encode")
        place = _Place(store, pack_ids or _random_ids(), pack_size, is_random=pack_ids is None)
        self._streams = {kind: _PackStream(place, kind, self.pool) for kind in PackKind}
        self._added: dict[Sort, set[ObjectId]] = {sort: set() for sort in Sort}
        self._is_broken = False
        self.indexes: dict[str, PackIndex] = {}
        """Of the packs that `finish` returned, by id: who wrote them need not read them."""

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take back what is half written, and packs that no one asked for."""
        for stream in self._streams.values():
            stream.abandon()
        self.pool.shutdown()

    @contextmanager
    def _all_or_none(self) -> Iterator[None]:
        if self._is_broken:
            raise RefusedError(
                "half_stored",
                "what was to be stored before is half written",
                why="an error or an interrupt came in between, and nothing after it can rely on what is there",
                fix="begin again: a new batch, the same command",
            )
        try:
            yield
        except BaseException:
            self._is_broken = True
            raise

    def has(self, sort: Sort, object_id: ObjectId) -> bool:
        """Tell whether an object was added here already."""
        return object_id in self._added[sort]

    def add(self, sort: Sort, object_id: ObjectId, data: Buffer, shape: Shape | None = None) -> None:
        """Add an object, once. The caller leaves `data` alone from here on.

        If this fails or is interrupted, nothing that the writer took is handed over any more.

        Args:
            sort: what it is.
            object_id: its id, which the caller has computed from the plain bytes.
            data: the plain bytes.
            shape: how numbers lie in them, if that is known.

        Raises:
            RefusedError: `half_stored`, something failed here before.
        """
        if self.has(sort, object_id):
            return
        with self._all_or_none():
            self._added[sort].add(object_id)
            self._streams[KIND_OF[sort]].add(sort, object_id, data, shape)

    def add_block(self, kind: PackKind, stored: bytes, block: Block, items: Sequence[Item]) -> None:
        """Add a block of another pack as it is, with those of its objects that are new; their starts in it stay."""
        new = [item for item in items if not self.has(item.sort, item.id)]
        if not new:
            return
        with self._all_or_none():
            for item in new:
                self._added[item.sort].add(item.id)
            self._streams[kind].add_encoded(stored, block, new)

    def add_difference(self, piece: ContentId, plain_size: int, stored: bytes) -> None:
        """Add a piece, once, as what it differs by from another one, which must be there when it is read."""
        if self.has(Sort.PIECE, piece):
            return
        with self._all_or_none():
            self._added[Sort.PIECE].add(piece)
            self._streams[PackKind.DATA].add_difference(piece, plain_size, stored)

    def finish(self) -> tuple[PackEntry, ...]:
        """Write everything out; when this returns the packs are durable, and the caller's to name in the log."""
        with self._all_or_none():
            *others, last = self._streams.values()
            for stream in self._streams.values():
                stream.write_out()
            for stream in others:
                stream.close()
            # A thread less, and the flushes of all go on beside each other.
            last.close_here()
            # Only now: if one of them had failed, the packs of all would be taken back.
            done = [pack for stream in self._streams.values() for pack in stream.hand_over()]
        self.indexes.update((pack.entry.id, pack.content) for pack in done)
        return tuple(pack.entry for pack in done)

    def take_back(self, packs: Sequence[PackEntry]) -> None:
        """Delete packs that `finish` returned and that no transaction names or ever will."""
        for pack in packs:
            self._store.delete(pack_key(pack.id))


def _random_ids() -> Iterator[str]:
    while True:
        yield os.urandom(ID_DIGITS // 2).hex()


class _Place(NamedTuple):
    """Where packs go, under which names, and how large they become."""

    store: Shelf
    ids: Iterator[str]
    pack_size: int
    is_random: bool
    """Whether the ids are nobody else's: a pack under another may be in use by who had the same idea."""


class _Waiting(NamedTuple):
    """A block that is being encoded."""

    encoded: Future[_Encoded]
    plain_size: int
    items: tuple[tuple[Sort, ObjectId, int, int], ...]
    """Sort, id, start and size of each object in it."""


class _Shared:
    """A block in the making that several objects share."""

    def __init__(self) -> None:
        self.plain = bytearray()
        self.items: list[tuple[Sort, ObjectId, int, int]] = []


class _PackStream:
    """The packs of one kind, one after the other."""

    def __init__(self, place: _Place, kind: PackKind, pool: Pool) -> None:
        self._place = place
        self._kind = kind
        self._pool = pool
        self._waiting: deque[_Waiting] = deque()
        self._shared = (_Shared(), _Shared())
        """Text, and what is none: neighbours that are alike compress better."""
        self._open: _OpenPack | None = None
        self._closing: list[Future[_Closed]] = []
        self._done: list[_Closed] = []

    def add(self, sort: Sort, object_id: ObjectId, data: Buffer, shape: Shape | None) -> None:
        if len(data) > SMALL or shape:
            self._submit(data, ((sort, object_id, 0, len(data)),), shape)
            return
        shared = self._shared[bytes(data[:LOOKED_AT]).isascii()]
        shared.items.append((sort, object_id, len(shared.plain), len(data)))
        shared.plain += data
        if len(shared.plain) >= SHARED_BLOCK:
            self._close_shared(shared)

    def _close_shared(self, shared: _Shared) -> None:
        if shared.items:
            self._submit(bytes(shared.plain), tuple(shared.items))
            shared.plain.clear()
            shared.items.clear()

    def _submit(
        self, plain: Buffer, items: tuple[tuple[Sort, ObjectId, int, int], ...], shape: Shape | None = None
    ) -> None:
        self._waiting.append(_Waiting(self._encoding(plain, shape), len(plain), items))
        while len(self._waiting) > IN_FLIGHT:
            self._write_oldest()

    def _encoding(self, plain: Buffer, shape: Shape | None) -> Future[_Encoded]:
        if len(plain) > WORTH_A_THREAD:
            return self._pool.submit(_encode, plain, shape)
        done = Future[_Encoded]()
        done.set_result(_encode(plain))
        return done

    def _write_oldest(self) -> None:
        waiting = self._waiting.popleft()
        encoded = waiting.encoded.result()
        pack = self._pack()
        number = len(pack.blocks)
        pack.write(encoded.stored, waiting.plain_size, encoded.codec.number, encoded.sum)
        pack.items.extend(Item(sort, object_id, number, start, size) for sort, object_id, start, size in waiting.items)
        self._close_if_full()

    def add_encoded(self, stored: bytes, block: Block, items: Sequence[Item]) -> None:
        pack = self._pack()
        number = len(pack.blocks)
        pack.write(stored, block.plain_size, block.codec, block.sum)
        pack.items.extend(item._replace(block=number) for item in items)
        self._close_if_full()

    def add_difference(self, piece: ContentId, plain_size: int, stored: bytes) -> None:
        block = Block(0, len(stored), plain_size, DIFFERENCE.number, block_sum(stored))
        self._pack().bases.add(ContentId(DIFFERENCE.base_of(stored)))
        self.add_encoded(stored, block, [Item(Sort.PIECE, piece, 0, 0, plain_size)])

    def _pack(self) -> _OpenPack:
        if self._open is None:
            self._open = _OpenPack(self._place.store, next(self._place.ids), self._kind)
        return self._open

    def _close_if_full(self) -> None:
        # Who gave the names said how large the packs are.
        most = PACK_OBJECTS if self._place.is_random else sys.maxsize
        if self._open is not None and (self._open.size >= self._place.pack_size or len(self._open.items) >= most):
            self.close()

    def close(self) -> None:
        """Flush the pack to the disk; one that is not small, while others are being filled, or flushed."""
        if self._open is not None and self._open.size < WORTH_A_THREAD:
            self.close_here()
        elif self._open is not None:
            self._collect(keep=1)
            self._closing.append(self._pool.submit(self._open.close))
            self._open = None

    def close_here(self) -> None:
        """Flush the pack to the disk before this returns."""
        if self._open is not None:
            # An interrupt finds it open, and takes it back.
            self._done.append(self._open.close())
            self._open = None

    def _collect(self, keep: int) -> None:
        while len(self._closing) > keep:
            self._done.append(self._closing.pop(0).result())

    def write_out(self) -> None:
        """Put all that was added into packs, of which the last stays open."""
        for shared in self._shared:
            self._close_shared(shared)
        while self._waiting:
            self._write_oldest()

    def hand_over(self) -> list[_Closed]:
        """Return the packs, which are durable now."""
        self._collect(keep=0)
        done, self._done = self._done, []
        return done

    def abandon(self) -> None:
        """Take back everything that `finish` did not return."""
        for waiting in self._waiting:
            waiting.encoded.cancel()
        if self._open is not None:
            self._open.abandon()
        closed = [future.result() for future in self._closing if future.exception() is None]
        for pack in (*self._done, *closed) if self._place.is_random else ():
            self._place.store.delete(pack_key(pack.entry.id))


class _Closed(NamedTuple):
    """A pack that is written."""

    entry: PackEntry
    content: PackIndex


class _OpenPack:
    """A pack that is being written."""

    def __init__(self, store: Shelf, pack_id: str, kind: PackKind) -> None:
        self.id = pack_id
        self.kind = kind
        self.size = 0
        self.blocks: list[Block] = []
        self.items: list[Item] = []
        self.bases: set[ContentId] = set()
        self._leave = ExitStack()
        self._upload: Upload = self._leave.enter_context(store.upload(pack_key(self.id)))

    def write(self, stored: Buffer, plain_size: int, codec: int, checksum: bytes) -> None:
        self._upload.write(stored)
        self.blocks.append(Block(self.size, len(stored), plain_size, codec, checksum))
        self.size += len(stored)

    def close(self) -> _Closed:
        """Write the index behind the blocks and make the pack durable."""
        index = encode_index(self.kind, self.blocks, self.items, self.bases)
        with self._leave:
            self._upload.write(index)
        _, digest = decode_trailer(index[-TRAILER_SIZE:])
        size, index_size = self.size + len(index), len(index) - TRAILER_SIZE
        entry = PackEntry(self.id, self.kind, size, index_size, digest, len(self.items))
        return _Closed(entry, PackIndex(index[:-TRAILER_SIZE], digest))

    def abandon(self) -> None:
        self._leave.__exit__(_Abandoned, _Abandoned(), None)


class _Abandoned(BaseException):
    """Tells an upload that its bytes are not wanted."""
