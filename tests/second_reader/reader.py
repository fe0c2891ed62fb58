"""A second reader of mlreg repositories, written from docs/format/ alone; it imports nothing of mlreg.

    reader.py REPOSITORY ls                              the refs: versions and tags of all entries
    reader.py REPOSITORY restore KIND/NAME@VERSION DIR   the files of a version

Every hash is checked: the chain of the log, indexes, blocks, objects, and each file as a whole.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from collections.abc import Iterator
from itertools import count, pairwise, takewhile
from pathlib import Path
from typing import Any, NamedTuple

import zstandard
from blake3 import blake3

PIECE, RECIPE, PAGE, TREE, COMMIT = range(1, 6)
CONTEXTS = {PAGE: "mlreg recipe page v1", TREE: "mlreg tree v1", COMMIT: "mlreg commit v1"}


def check(holds: bool, what: str) -> None:
    """Stop unless a rule of the format is kept."""
    if not holds:
        raise SystemExit(f"not as the pages say: {what}")


def hash_of(data: bytes, context: str | None = None) -> bytes:
    """Return a plain hash, or the hash in derive-key mode (ids.md)."""
    return blake3(data, derive_key_context=context).digest() if context else blake3(data).digest()


def document(data: bytes, what: str) -> dict[str, Any]:
    """Return a canonical JSON object (json.md)."""
    value = json.loads(data)
    again = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)
    check(isinstance(value, dict) and again.encode() == data and value.get("format", 1) == 1, what)
    return dict(value)


class Place(NamedTuple):
    """Where an object lies: a block of a pack, and a stretch of its plain bytes."""

    pack: Path
    block: tuple[int, int, int, int, bytes]
    start: int
    size: int


class Reader:
    """What the log of a repository adds up to, and the objects of its live packs."""

    def __init__(self, root: Path) -> None:
        """Read the identity and the log, from slot 1 on (identity.md, log.md)."""
        self.root = root
        self.refs: dict[str, str] = {}
        self.packs: dict[str, dict[str, Any]] = {}
        self.places: dict[tuple[int, bytes], Place] = {}
        data = (root / "mlreg.json").read_bytes()
        identity = document(data, "mlreg.json")
        check(not identity["features"] and identity["hash"] == "blake3-256", "a feature")
        previous = hash_of(data, "mlreg transaction v1")
        for number in takewhile(lambda n: (root / "log" / f"{n:016}").exists(), count(1)):
            data = (root / "log" / f"{number:016}").read_bytes()
            slot = document(data.partition(b"\n")[0], f"slot {number}")
            check((slot["number"], slot["previous"]) == (number, previous.hex()), f"slot {number} follows the last")
            check(not slot["requires"] and data.endswith(b"\n"), f"slot {number} needs no feature")
            self.fold(slot)
            previous = hash_of(data, "mlreg transaction v1")
        for pack in self.packs.values():
            self.read_index(pack)

    def fold(self, slot: dict[str, Any]) -> None:
        """Apply one slot to the state (log.md)."""
        for ref in slot["refs"]:
            check(self.refs.pop(ref["name"], None) == ref["old"], f"where {ref['name']} was")
            self.refs |= {ref["name"]: ref["new"]} if ref["new"] else {}
        for pack in slot["add"]:
            check(pack["id"] not in self.packs, "a pack that is added is not live")
            self.packs[pack["id"]] = pack
        for pack_id in slot["drop"]:
            del self.packs[pack_id]
        for pack_id in slot["reap"]:
            check(pack_id not in self.packs, "a pack that is reaped is not live")

    def read_index(self, pack: dict[str, Any]) -> None:
        """Take up where the objects of a pack lie (pack.md)."""
        path = self.root / "packs" / pack["id"][:2] / f"{pack['id']}.pack"
        check(path.stat().st_size == pack["size"], f"the size of {path}")
        tail = stretch(path, pack["size"] - pack["index_size"] - 40, pack["index_size"] + 40)
        index, trailer = tail[:-40], struct.unpack("<I32s4s", tail[-40:])
        check(trailer == (len(index), hash_of(index), b"MLRP") and trailer[1].hex() == pack["sum"], f"{path}: trailer")
        magic, version, kind, _, blocks, objects, size = struct.unpack_from("<4sBBHIIQ", index)
        check((magic, version, kind) == (b"MLRP", 1, {"data": 1, "meta": 2}[pack["kind"]]), f"{path}: header")
        check(objects == pack["objects"] and size + len(tail) == pack["size"], f"{path}: counts")
        layout = f"<{blocks}Q{2 * blocks}I{blocks}B" + "16s" * blocks + "32s" * objects + f"{objects}B{3 * objects}I"
        values = struct.unpack_from(layout, index, 24)
        table = list(zip(*(values[n * blocks :][:blocks] for n in range(5)), strict=True))
        items = (values[5 * blocks + n * objects :][:objects] for n in range(5))
        for object_id, sort, block, start, length in zip(*items, strict=True):
            check(sort in range(1, 6) and (sort == PIECE) == (kind == 1), f"{path}: sorts")
            self.places[sort, object_id] = Place(path, table[block], start, length)

    def read(self, sort: int, object_id: bytes, is_base: bool = False) -> bytes:
        """Return the bytes of an object, checked (pack.md, codecs.md)."""
        check((sort, object_id) in self.places, f"object {object_id.hex()} is there")
        place = self.places[sort, object_id]
        offset, stored_size, plain_size, codec, block_sum = place.block
        stored = stretch(place.pack, offset, stored_size)
        check(hash_of(stored)[:16] == block_sum and codec in range(4 - is_base), f"a block of {place.pack}")
        plain = {1: frame, 2: planes, 3: self.sums}[codec](stored, plain_size) if codec else stored
        check(len(plain) == plain_size <= 64 << 20, "the size of a block")
        data = plain[place.start : place.start + place.size]
        check(sort == RECIPE or hash_of(data, CONTEXTS.get(sort)) == object_id, f"object {object_id.hex()}")
        return data

    def sums(self, stored: bytes, size: int) -> bytes:
        """Return numbers that were stored as what they differ by from a base (codecs.md)."""
        differences, base = planes(stored[32:], size), self.read(PIECE, stored[:32], is_base=True)
        width, rotated, lead = stored[32:35]
        n = max(0, size - lead) // width
        layout = f"<{lead}s{n}{' BH I   Q'[width]}{size - lead - n * width}s"
        check(len(base) == size and not rotated, "the base of a difference")
        before, *numbers, behind = struct.unpack(layout, differences)
        signed = (number >> 1 if number % 2 == 0 else -(number >> 1) - 1 for number in numbers)
        sums = ((a + b) % (1 << 8 * width) for a, b in zip(signed, struct.unpack(layout, base)[1:-1], strict=True))
        return struct.pack(layout, before, *sums, behind)

    def files(self, node_id: bytes, level: int | None = None) -> Iterator[tuple[str, int, int, bytes]]:
        """Yield path, mode, size and id of the files of a tree, in order (tree.md)."""
        data = self.read(TREE, node_id)
        magic, version, found, flags, rows, below, size, names_size = struct.unpack_from("<4sBBHIQQI", data)
        check((magic, version, flags) == (b"MLRT", 1, 0) and level in (None, found), "a node of a tree")
        names = data[32 : 32 + names_size].decode().split("\0") if rows else []
        layout = f"<{rows}{'Q' if found else 'B'}{rows}Q"
        values = struct.unpack_from(layout, data, 32 + names_size)
        ids = data[32 + names_size + struct.calcsize(layout) :]
        check(len(names) == rows and len(ids) == 32 * rows, "the size of a node")
        check(size == sum(values[rows:]) and below == (sum(values[:rows]) if found else rows), "the sums of a node")
        for n, name in enumerate(names):
            row_id = ids[32 * n : 32 * n + 32]
            yield from self.files(row_id, found - 1) if found else [(name, values[n], values[rows + n], row_id)]

    def parts(self, sort: int, object_id: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield size and id of the pieces that a recipe or page names (recipe.md)."""
        data = self.read(sort, object_id)
        magic, version, paged, flags, rows, size = struct.unpack_from("<4sBBHIQ", data)
        check((magic, version, flags) == (b"MLRR", 1, 0) and paged <= (sort == RECIPE), "a recipe")
        ends = struct.unpack_from(f"<{rows}Q", data, 20)
        check(len(data) == 20 + 40 * rows and ends[-1] == size, "the size of a recipe")
        for n, (start, end) in enumerate(pairwise((0, *ends))):
            part_id = data[20 + 8 * rows + 32 * n :][:32]
            pieces = list(self.parts(PAGE, part_id)) if paged else [(end - start, part_id)]
            check(sum(length for length, _ in pieces) == end - start, "a page is as long as its part")
            yield from pieces

    def content(self, object_id: bytes, size: int) -> Iterator[bytes]:
        """Yield the bytes of a file; an error after the last if they are not the file's (recipe.md)."""
        whole, done = blake3(), 0
        pieces = [(size, object_id)] if (PIECE, object_id) in self.places else self.parts(RECIPE, object_id)
        for length, piece_id in pieces if size else ():
            data = self.read(PIECE, piece_id)
            check(len(data) == length, "the size of a piece")
            whole.update(data)
            done += length
            yield data
        check((whole.digest(), done) == (object_id, size), f"file {object_id.hex()}")

    def restore(self, name: str, target: Path) -> None:
        """Write the files of a version below a directory that is new (commit.md, paths.md)."""
        entry, _, version = name.partition("@")
        commit = document(self.read(COMMIT, bytes.fromhex(self.refs[f"version/{entry}/{version}"])), "a commit")
        files = list(self.files(bytes.fromhex(commit["tree"])))
        paths = [path for path, _, _, _ in files]
        check((commit["entry"], commit["version"]) == (entry, version), "the commit is that of the version")
        check((commit["files"], commit["size"]) == (len(files), sum(f[2] for f in files)), "the sums of a commit")
        check(all(a.encode() < b.encode() for a, b in pairwise(paths)), "the order of paths")
        check(not any({"", ".", "..", ".mlreg"} & set(path.split("/")) or "\\" in path for path in paths), "safe paths")
        target.mkdir(parents=True)
        for path, mode, size, object_id in files:
            place = target / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch(0o777 if mode else 0o666, exist_ok=False)
            with place.open("wb") as file:
                file.writelines(self.content(object_id, size))


def frame(stored: bytes, size: int) -> bytes:
    """Return what a frame holds (codecs.md)."""
    check(zstandard.get_frame_parameters(stored).content_size == size, "the size of a frame")
    return zstandard.ZstdDecompressor(max_window_size=1 << 27).decompress(stored, allow_extra_data=False)


def planes(stored: bytes, size: int) -> bytes:
    """Return numbers whose bytes were stored in planes (codecs.md)."""
    width, rotated, lead, reserved = stored[:4]
    check(width in (1, 2, 4, 8) and rotated in (0, 1) and lead < width and reserved == 0, "the head of planes")
    sizes, at = struct.unpack_from(f"<{width}I", stored, 4), 4 + 4 * width
    n = max(0, size - lead) // width
    edges, at = stored[at : at + size - n * width], at + size - n * width
    numbers = bytearray(n * width)
    for plane, length in enumerate(sizes):
        part, at = stored[at : at + length], at + length
        numbers[plane::width] = part if length == n else frame(part, n)
    check(at == len(stored), "the planes fill the block")
    if rotated:
        bits, letter = 8 * width - 1, {1: "B", 2: "H", 4: "I", 8: "Q"}[width]
        words = struct.unpack(f"<{n}{letter}", numbers)
        numbers = bytearray(struct.pack(f"<{n}{letter}", *(word >> 1 | (word & 1) << bits for word in words)))
    return edges[:lead] + bytes(numbers) + edges[lead:]


def stretch(path: Path, start: int, size: int) -> bytes:
    """Return a stretch of a file."""
    with path.open("rb") as file:
        return os.pread(file.fileno(), size, start)


if __name__ == "__main__":
    reader = Reader(Path(sys.argv[1]))
    if sys.argv[2:] == ["ls"]:
        sys.stdout.writelines(f"{name} {commit}\n" for name, commit in sorted(reader.refs.items()))
    else:
        reader.restore(sys.argv[3], Path(sys.argv[4]))
