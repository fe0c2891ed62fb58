"""A tree: sorted paths, each with mode, size and content id; cut by the hash of paths.

Format page: `docs/format/tree.md`. Where a node ends depends on the path there and on nothing else,
so changing one of a million files rewrites one leaf and the nodes above it, and equal files give an
equal id, whoever adds them in whatever order.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple, Self, TypeVar

from blake3 import blake3

from mlreg.errors import IntegrityError, UnsupportedError
from mlreg.ids import DIGEST_SIZE, ContentId, ObjectId, TreeId

VERSION = 1
MAGIC = b"MLRT"
LEAF_MASK = 1024 - 1
"""A leaf ends behind a path whose hash ends so: 1,024 rows on average."""
NODE_MASK = 256 - 1
MAX_ROWS = 8192
MAX_LEVEL = 8
MAX_BYTES = 64 * 1024 * 1024

_HEADER = struct.Struct("<4sBBHIQQI")
_BEHIND_SLASH = chr(ord("/") + 1)
"""Behind a directory, this comes after all that is in it."""

_Row = TypeVar("_Row", "File", "Child")


class Mode(IntEnum):
    """What a file is, beyond its bytes."""

    FILE = 0
    EXECUTABLE = 1


class File(NamedTuple):
    """One row of a leaf."""

    path: str
    mode: Mode
    size: int
    """Bytes."""
    id: ContentId


class Child(NamedTuple):
    """One row of an inner node: the node below, up to and with the path `last`."""

    last: str
    files: int
    size: int
    """Bytes of all files below."""
    id: TreeId


class Node(NamedTuple):
    """One stored node of a tree: a leaf of files, or an inner node of nodes."""

    level: int
    """0 for a leaf."""
    files: int
    size: int
    rows: tuple[File, ...] | tuple[Child, ...]

    def encode(self) -> bytes:
        """Return the bytes of the node."""
        names = b"\0".join(_name(row).encode() for row in self.rows)
        head = _HEADER.pack(MAGIC, VERSION, self.level, 0, len(self.rows), self.files, self.size, len(names))
        columns = [head, names]
        if self.level == 0:
            columns.append(bytes(row.mode for row in self.rows if isinstance(row, File)))
        else:
            columns.append(struct.pack(f"<{len(self.rows)}Q", *(r.files for r in self.rows if isinstance(r, Child))))
        columns.append(struct.pack(f"<{len(self.rows)}Q", *(row.size for row in self.rows)))
        columns.extend(row.id for row in self.rows)
        return b"".join(columns)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a node. The caller checks that paths are safe before it writes any of them out.

        Raises:
            IntegrityError: `bad_tree`.
            UnsupportedError: `unknown_tree_version`.
        """
        if not _HEADER.size <= len(data) <= MAX_BYTES:
            raise _bad("it has a wrong size")
        magic, version, level, flags, count, files, size, names_size = _HEADER.unpack_from(data)
        if magic != MAGIC:
            raise _bad("it has another signature")
        if version != VERSION or flags:
            raise UnsupportedError(
                "unknown_tree_version",
                f"a tree has version {version}, flags {flags}; this mlreg reads version {VERSION}",
                fix="pip install --upgrade mlreg",
            )
        names = _decode_names(data[_HEADER.size : _HEADER.size + names_size], count)
        row_size = (1 if level == 0 else 8) + 8 + DIGEST_SIZE
        if level > MAX_LEVEL or len(data) != _HEADER.size + names_size + count * row_size:
            raise _bad("its size is not what its counts say")
        rows = _decode_rows(data, _HEADER.size + names_size, level, names)
        node = cls(level, files, size, rows)
        if (files, size) != _totals(rows):
            raise _bad("its totals are not those of its rows")
        return node


def _name(row: File | Child) -> str:
    return row.path if isinstance(row, File) else row.last


def _totals(rows: Sequence[File] | Sequence[Child]) -> tuple[int, int]:
    files = sum(row.files if isinstance(row, Child) else 1 for row in rows)
    return files, sum(row.size for row in rows)


def _decode_names(data: bytes, count: int) -> list[str]:
    try:
        names = data.decode().split("\0") if count or data else []
    except UnicodeDecodeError as error:
        raise _bad("a path is not UTF-8") from error
    encoded = data.split(b"\0") if count else []
    if len(names) != count or any(a >= b for a, b in itertools.pairwise(encoded)):
        raise _bad("its paths are not in order")
    return names


def _decode_rows(data: bytes, at: int, level: int, names: list[str]) -> tuple[File, ...] | tuple[Child, ...]:
    count = len(names)
    first_size = count if level == 0 else 8 * count
    sizes = struct.unpack_from(f"<{count}Q", data, at + first_size)
    ids = range(at + first_size + 8 * count, len(data), DIGEST_SIZE)
    digests = (data[start : start + DIGEST_SIZE] for start in ids)
    if level == 0:
        modes = _modes(data[at : at + count])
        return tuple(map(File, names, modes, sizes, map(ContentId, digests)))
    files = struct.unpack_from(f"<{count}Q", data, at)
    return tuple(map(Child, names, files, sizes, map(TreeId, digests)))


def _modes(numbers: bytes) -> list[Mode]:
    try:
        return [_MODES[number] for number in numbers]
    except IndexError as error:
        unknown = f"a tree holds a file of mode {max(numbers)}, which this mlreg does not know"
        raise UnsupportedError("unknown_mode", unknown, fix="pip install --upgrade mlreg") from error


_MODES = tuple(Mode)


def build(files: Iterable[File], keep: Callable[[TreeId, bytes], None]) -> Child:
    """Cut sorted files into nodes, hand each node to `keep`, and return the row of the root.

    Args:
        files: in the order of their paths' UTF-8 bytes, without duplicates.
        keep: called with the id and the bytes of every node, leaves before what names them.

    Holds at most one node of each level in memory, besides one row for each node.
    """
    rows: list[Child] = [_close(0, leaf, keep) for leaf in _cut(files, LEAF_MASK, 0)]
    if not rows:
        return _close(0, (), keep)
    level = 1
    while len(rows) > 1:
        rows = [_close(level, node, keep) for node in _cut(rows, NODE_MASK, 8)]
        level += 1
    return rows[0]


def _cut(rows: Iterable[_Row], mask: int, at: int) -> Iterator[tuple[_Row, ...]]:
    """Group rows into nodes. `at` says which 8 bytes of the path's hash decide: each level has its own."""
    node: list[_Row] = []
    for row in rows:
        node.append(row)
        mark = int.from_bytes(blake3(_name(row).encode()).digest()[at : at + 8], "little")
        # An inner node of one row would name the same row for ever: it takes two at least.
        ends = mark & mask == 0 and (at == 0 or len(node) > 1)
        if ends or len(node) == MAX_ROWS:
            yield tuple(node)
            node.clear()
    if node:
        yield tuple(node)


def _close(level: int, rows: tuple[File, ...] | tuple[Child, ...], keep: Callable[[TreeId, bytes], None]) -> Child:
    files, size = _totals(rows)
    node = Node(level, files, size, rows)
    data = node.encode()
    node_id = TreeId.of(data)
    keep(node_id, data)
    return Child(*_row_of(node), node_id)


def walk(root: TreeId, load: Load, skip: frozenset[ObjectId] = frozenset()) -> Iterator[File]:
    """Yield the files of a tree in order, loading one node of each level at a time.

    Args:
        root: the id of the root node.
        load: returns the verified bytes of a node.
        skip: nodes that are passed over with all that is below them.

    Raises:
        IntegrityError: `bad_tree`, a node that does not stand where its parent says.
    """
    yield from _walk(root, load, skip, None, "")


def _walk(
    node_id: TreeId,
    load: Load,
    skip: frozenset[ObjectId],
    above: tuple[int, Child] | None,
    before: str,
) -> Iterator[File]:
    if node_id in skip:
        return
    node = _open(node_id, load, above, before)
    for row in node.rows:
        if isinstance(row, File):
            yield row
        else:
            yield from _walk(row.id, load, skip, (node.level, row), before)
        before = _name(row)


def _open(node_id: TreeId, load: Load, above: tuple[int, Child] | None, before: str) -> Node:
    """Return a node that stands where the node above says, behind the path `before`."""
    loaded = load(node_id)
    node = loaded if isinstance(loaded, Node) else Node.decode(loaded)
    if above and (node.level != above[0] - 1 or _row_of(node) != above[1][:3]):
        raise _bad("a node is not what the node above it says")
    # In order no node can stand in a tree twice, so a small tree cannot claim a vast number of files.
    if above and node.rows and _name(node.rows[0]) <= before:
        raise _bad("its nodes are not in order")
    return node


def _row_of(node: Node) -> tuple[str, int, int]:
    """Return what the node above says of a node, besides its id."""
    return _name(node.rows[-1]) if node.rows else "", node.files, node.size


Load = Callable[[TreeId], bytes | Node]
"""Returns the verified bytes of a node, or what was decoded of them before."""


def differences(before: TreeId, after: TreeId, load_before: Load, load_after: Load) -> Iterator[Difference]:
    """Yield the files in which two trees differ, in the order of their paths.

    Nodes that stand in both trees are not read: what is read grows with the differences, not with the files.

    Raises:
        IntegrityError: `bad_tree`, a node that was read does not stand where its parent says.
    """
    if before == after:
        return
    old, new = _Cursor(before, load_before), _Cursor(after, load_after)
    while old.rows or new.rows:
        if old.row == new.row:
            old.step()
            new.step()
        elif highest := max(old.height, new.height):
            for cursor in (old, new):
                if cursor.height == highest:
                    cursor.descend()
        else:
            yield _first(old, new)


def at_or_below(root: TreeId, load: Load, path: str) -> Iterator[File]:
    """Yield the file with a path, or those below it as a directory, in order.

    Only nodes are read in which they may stand: two of a level, and those that hold nothing else.

    Raises:
        IntegrityError: `bad_tree`, a node that was read does not stand where its parent says.
    """
    # Between a path and what is below it there may be others: `a`, `a-b`, `a/c`.
    yield from _between(root, load, path, f"{path}\0")
    yield from _between(root, load, f"{path}/", path + _BEHIND_SLASH)


def _between(root: TreeId, load: Load, first: str, end: str) -> Iterator[File]:
    """Yield the files from the path `first` on and before `end`."""
    cursor = _Cursor(root, load)
    while row := cursor.skip(first):
        if cursor.height:
            cursor.descend()
        elif _name(row) < end and (file := cursor.step()):
            yield file
        else:
            return


class Folder(NamedTuple):
    """A directory of a tree: it has files somewhere below it."""

    path: str


def listed(root: TreeId, load: Load, folder: str = "") -> Iterator[File | Folder]:
    """Yield what lies right in a directory, in order; of the root if `folder` is empty.

    What lies deeper is passed over: of it, only nodes are read at which a directory begins or ends.

    Raises:
        IntegrityError: `bad_tree`, a node that was read does not stand where its parent says.
    """
    prefix = f"{folder}/" if folder else ""
    cursor, reached = _Cursor(root, load), prefix
    while row := cursor.skip(reached):
        if cursor.height:
            cursor.descend()
        elif not _name(row).startswith(prefix):
            return
        elif (mark := _name(row).find("/", len(prefix))) >= 0:
            yield Folder(_name(row)[:mark])
            reached = _name(row)[:mark] + _BEHIND_SLASH
        elif file := cursor.step():
            yield file


class Difference(NamedTuple):
    """A path at which two trees differ."""

    before: File | None
    """None if there is no such path."""
    after: File | None
    """None if there is no such path any more."""


def _first(old: _Cursor, new: _Cursor) -> Difference:
    """Step behind the path that comes first; both cursors stand at a file, or at the end."""
    path = min(_name(cursor.row) for cursor in (old, new) if cursor.row)
    return Difference(*(cursor.step() if cursor.row and _name(cursor.row) == path else None for cursor in (old, new)))


class _Cursor:
    """A place between two rows of a tree."""

    def __init__(self, root: TreeId, load: Load) -> None:
        self._load = load
        self._reached = ""
        self.rows: list[tuple[int, File | Child]] = []
        """What is still to come, the next one last, each with the level of its node."""
        self._put(_open(root, load, None, ""))

    def _put(self, node: Node) -> None:
        rows: tuple[File | Child, ...] = node.rows
        self.rows.extend((node.level, row) for row in reversed(rows))

    @property
    def row(self) -> File | Child | None:
        return self.rows[-1][1] if self.rows else None

    @property
    def height(self) -> int:
        """How many levels lie below the row; 0 for a file, and at the end."""
        return self.rows[-1][0] if self.rows else 0

    def descend(self) -> None:
        """Go to the first row of the node that the row names."""
        level, row = self.rows.pop()
        assert isinstance(row, Child)  # noqa: S101 - callers look at the height
        self._put(_open(row.id, self._load, (level, row), self._reached))

    def skip(self, first: str) -> File | Child | None:
        """Go to the first row that is or may hold the path `first` or one behind it, and return it."""
        low, high = 0, len(self.rows)
        while low < high:
            middle = (low + high) // 2
            if _name(self.rows[middle][1]) < first:
                high = middle
            else:
                low = middle + 1
        if low < len(self.rows):
            self._reached = _name(self.rows[low][1])
            del self.rows[low:]
        return self.row

    def step(self) -> File | None:
        """Go behind the row; return it if it is a file."""
        _, row = self.rows.pop()
        self._reached = _name(row)
        return row if isinstance(row, File) else None


def _bad(reason: str) -> IntegrityError:
    return IntegrityError("bad_tree", "the list of files of a version cannot be read", why=reason)
