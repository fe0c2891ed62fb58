"""What two datasets, or two parts of one, have in common: files, pieces of files, and rows of tables.

The test that has seen its answers in training measures nothing. Files are compared by id, large ones by the pieces
they are stored as, and tables by 128 bits of each row, whatever the form of the table and the order of its columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from blake3 import blake3

from mlreg.errors import UsageError
from mlreg.ids import ContentId
from mlreg.operations.cutting import pieces_of_file
from mlreg.quality.cells import row_keys, text_of
from mlreg.quality.checking import Shelved
from mlreg.quality.reading import Batch
from mlreg.quality.schema import batches
from mlreg.registry.checking_data import files_at, tables_of
from mlreg.registry.getting import Finds
from mlreg.registry.profiling import find_data, is_path

LONGEST = 200
"""Characters of a row in a sample."""


class SharedFile(NamedTuple):
    """A file that is on both sides, perhaps under several names."""

    id: str
    size: int
    """Bytes."""
    left: tuple[str, ...]
    right: tuple[str, ...]


class SharedRow(NamedTuple):
    """A row that is on both sides."""

    left: str
    """The file."""
    left_line: int
    """From 1; in Parquet, the number of the row."""
    right: str
    right_line: int
    """Of the first row there that is equal."""
    value: str
    """Its cells."""


class DataOverlap(NamedTuple):
    """What two datasets have in common."""

    left: str
    left_id: str
    """Of the version; empty of files that are not registered."""
    right: str
    right_id: str
    overlaps: bool
    """Whether anything is on both sides."""
    files: int
    """Files on the left that are on the right, too."""
    files_left: int
    """All files on the left, but for empty ones."""
    size: int
    """Bytes of the files that are on both sides."""
    pieces: int
    """Different pieces that are on both sides, in files that are not."""
    pieces_size: int
    """Bytes of these."""
    rows: int
    """Rows of tables on the left that are on the right, too."""
    rows_left: int
    """All rows of tables on the left."""
    file_samples: tuple[SharedFile, ...]
    row_samples: tuple[SharedRow, ...]


class _Side(NamedTuple):
    """Files by id, their pieces, and tables."""

    ref: str
    id: str
    paths: Mapping[str, list[str]]
    sizes: Mapping[str, int]
    pieces_of: Callable[[str], Iterator[tuple[str, int]]]
    """Returns id and size of each piece of a file that is named by its id."""
    tables: Sequence[Shelved]


def data_overlap(registry: Finds, left: str, right: str, samples: int = 0) -> DataOverlap:
    """Say what two datasets have in common. Empty files, and rows of nulls alone, are nothing in common.

    Args:
        registry: where refs begin.
        left: a ref or a path, as `profiling.profile` takes it.
        right: another one; of the same version, too: `data/frames@latest:train` and `…:test`.
        samples: how many files and rows to name.

    Raises:
        UsageError: `same_data`, both sides are one; `bad_table`.
        UnsupportedError: `missing_extra`, for Parquet without DuckDB.
        NotFoundError: `file_missing`, `path_not_found`, and what else a ref may raise.
    """
    one, other = _side(registry, left), _side(registry, right)
    if one.ref == other.ref:
        why = "all that is in it would be on both sides"
        raise UsageError(
            "same_data", f"{one.ref} is named twice", why=why, fix="name two datasets, or two parts of one"
        )
    shared = [key for key in one.paths if key in other.paths]
    files = sorted((_shared(key, one, other) for key in shared), key=lambda found: found.left)
    pieces = _common_pieces(one, other, {*shared})
    rows, rows_left, row_samples = _common_rows(one.tables, other.tables, samples)
    return DataOverlap(
        left=one.ref,
        left_id=one.id,
        right=other.ref,
        right_id=other.id,
        overlaps=bool(files or pieces or rows),
        files=sum(len(found.left) for found in files),
        files_left=sum(map(len, one.paths.values())),
        size=sum(found.size for found in files),
        pieces=len(pieces),
        pieces_size=sum(pieces.values()),
        rows=rows,
        rows_left=rows_left,
        file_samples=tuple(files[:samples]),
        row_samples=tuple(row_samples),
    )


def _shared(key: str, one: _Side, other: _Side) -> SharedFile:
    return SharedFile(key, one.sizes[key], tuple(one.paths[key]), tuple(other.paths[key]))


def _common_pieces(one: _Side, other: _Side, shared: set[str]) -> dict[str, int]:
    """Return the pieces that different files have in common, with their sizes."""
    here, there = (
        {piece: size for key in side.paths if key not in shared for piece, size in side.pieces_of(key)}
        for side in (one, other)
    )
    return {piece: size for piece, size in here.items() if piece in there}


# Rows.


def _common_rows(left: Sequence[Shelved], right: Sequence[Shelved], samples: int) -> tuple[int, int, list[SharedRow]]:
    """Return how many rows are on both sides, how many there are on the left, and some of the first."""
    places = _places(right, is_needed=samples > 0) if left else {}
    found, total = 0, 0
    named: list[SharedRow] = []
    for path, batch in _rows_of(left):
        total += len(batch.rows)
        common = [(at, key) for at, key in enumerate(row_keys(batch)) if key in places]
        found += len(common)
        for at, key in common[: samples - len(named)]:
            place = places[key] or ("", 0)
            named.append(SharedRow(path, batch.lines[at], *place, _cells(batch, at)))
    return found, total, named


def _places(tables: Sequence[Shelved], *, is_needed: bool) -> Mapping[bytes | None, tuple[str, int] | None]:
    """Return where each row is first, by its key; only the keys, if places are not needed."""
    found: dict[bytes | None, tuple[str, int] | None] = {}
    for path, batch in _rows_of(tables):
        for at, key in enumerate(row_keys(batch)):
            if key is not None:
                found.setdefault(key, (path, batch.lines[at]) if is_needed else None)
    return found


def _rows_of(tables: Sequence[Shelved]) -> Iterator[tuple[str, Batch]]:
    for shelved in tables:
        with shelved.opened() as table:
            for batch in batches(table):
                yield shelved.path, batch


def _cells(batch: Batch, at: int) -> str:
    return ", ".join("null" if cell is None else text_of(cell) for cell in batch.rows[at])[:LONGEST]


# Files.


def _side(registry: Finds, text: str) -> _Side:
    return _side_at(registry, text) if is_path(text) else _side_in(registry, text)


def _side_in(registry: Finds, text: str) -> _Side:
    repository, ref, target = find_data(registry, text)
    found = tables_of(registry, text)
    paths: dict[str, list[str]] = {}
    files = {}
    for file in registry.files_of(repository, target, ref.path):
        if file.size:
            paths.setdefault(str(file.id), []).append(file.path)
            files[str(file.id)] = file

    def pieces_of(key: str) -> Iterator[tuple[str, int]]:
        parts = repository.objects.parts_of(files[key].id, files[key].size)
        yield from ((str(part.id), part.end - part.start) for part in parts)

    sizes = {key: file.size for key, file in files.items()}
    return _Side(found.ref, found.id, paths, sizes, pieces_of, found.shelved)


def _side_at(registry: Finds, text: str) -> _Side:
    found = tables_of(registry, text)
    paths: dict[str, list[str]] = {}
    pieces: dict[str, list[tuple[str, int]]] = {}
    for name, path in files_at(Path(text)):
        key, parts = _read(path)
        if parts:
            paths.setdefault(key, []).append(name)
            pieces[key] = parts
    sizes = {key: sum(size for _, size in parts) for key, parts in pieces.items()}
    return _Side(found.ref, "", paths, sizes, lambda key: iter(pieces[key]), found.shelved)


def _read(path: Path) -> tuple[str, list[tuple[str, int]]]:
    """Return the id of a file, and id and size of each of its pieces, as if it were registered."""
    whole = blake3()
    parts = []
    for piece in pieces_of_file(path):
        whole.update(piece.data)
        parts.append((str(ContentId.of(piece.data)), len(piece.data)))
    return whole.hexdigest(), parts
