"""What differs between two versions of any entries, each here or in a remote, or files on the disk."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from mlreg.errors import UsageError
from mlreg.formats.commit import Commit, Input
from mlreg.formats.ref import is_on_disk
from mlreg.formats.tree import Difference, File, Mode
from mlreg.ids import ContentId
from mlreg.operations import compare as versions
from mlreg.operations.compare_tensors import Headers, TensorChange, compare_bytes, compare_headers
from mlreg.operations.history import read_commit
from mlreg.operations.listing import Listing, file_of, listing_of, listing_on_disk
from mlreg.operations.scanning import sources_below
from mlreg.operations.stored_file import StoredFile
from mlreg.registry import differences, results
from mlreg.registry.comparing_tables import RowQuestion, Side, table_differences
from mlreg.registry.describe import version_info
from mlreg.registry.registry import Registry
from mlreg.repository.repository import Repository
from mlreg.tensors.tensor_format import TensorInfo

PARTS = ("files", "metadata", "inputs")
"""What is compared of two versions. Message, author, time and labels are not: they say nothing of the content."""

SUFFIXES = (".safetensors", ".gguf", ".npy", ".npz", ".pt", ".pth", ".onnx")
"""Files that are called so are looked into unasked."""


class _Version(NamedTuple):
    repository: Repository
    commit: Commit
    info: results.VersionInfo


class _Side(NamedTuple):
    ref: str
    """Of a version or a file in it, or a path on the disk."""
    id: str
    listing: Listing | None
    """Of all files, if it is not one alone."""
    file: File | None
    """If it is one."""
    version: _Version | None
    """None of files on the disk."""

    @property
    def called(self) -> str:
        """What stands before the paths of its files."""
        between = ":" if self.version else "/"
        return self.ref.removesuffix(f"{between}{self.file.path}") if self.file else self.ref


def compare(
    registry: Registry,
    a: str,
    b: str,
    parts: Collection[str] = PARTS,
    *,
    tensors: bool = False,
    rows: RowQuestion | None = None,
) -> differences.Difference:
    """Return what differs between two versions, or between two files.

    Args:
        registry: where refs begin.
        a: a ref of the version before, or of a file in it: then all else of the versions is left out. Or a path on
            the disk that begins with `.` or `/`, of which only files are compared.
        b: a ref of the version after, or of a file, if `a` is; or a path.
        parts: some of `PARTS`; the others are not looked at.
        tensors: whether to read the bytes of tensors, and to look for tensors in every changed file; if not, in
            the headers of those that are called like one of `SUFFIXES`.
        rows: what is asked of the rows of tables, which are read if anything is.

    Raises:
        UsageError: `path_in_diff`; of rows: `rows_on_disk`, `no_such_column`, `bad_table` if no table could be.
        UnsupportedError: `missing_extra`, if no table could be compared without.
        NotFoundError: `ref_not_found` and what else a ref may raise.
        IntegrityError: what must be read is damaged or gone.
    """
    before, after = (_on_disk(text) if is_on_disk(text) else _side(registry, text) for text in (a, b))
    files = _files(before, after) if "files" in parts or before.file or after.file else None
    one, other = before.version, after.version
    if before.file or after.file or not one or not other:
        parts = ()
    return differences.Difference(
        before.ref,
        before.id,
        after.ref,
        after.id,
        files=None if files is None else tuple(_file_change(change, before.called, after.called) for change in files),
        metadata=_metadata(one, other) if one and other and "metadata" in parts else None,
        inputs=_inputs(one, other) if one and other and "inputs" in parts else None,
        tensors=tuple(_tensors(one, other, files, with_bytes=tensors)) if one and other and files is not None else None,
        tables=_tables(before, after, files, rows) if files is not None and rows else None,
    )


def _side(registry: Registry, text: str) -> _Side:
    repository, ref, target = registry.find(text)
    shown = str(target) if ref.remote is None else f"{ref.remote}::{target}"
    commit = read_commit(repository, target.commit_id)
    version = _Version(repository, commit, version_info(repository, target.commit_id, commit))
    if ref.path is None:
        return _Side(shown, str(target.commit_id), listing_of(repository, commit), None, version)
    file = next(iter(registry.files_of(repository, target, ref.path)), None)
    if file is None or file.path != ref.path:
        fix = f"mlreg diff {ref._replace(path=None)} …"
        raise UsageError("path_in_diff", f"{text} is a directory", why="it is no file and no version", fix=fix)
    return _Side(f"{shown}:{file.path}", str(target.commit_id), None, file, version)


def _on_disk(text: str) -> _Side:
    """Return files as `mlreg add` would take them."""
    place = Path(text)
    sources = sources_below([place])
    if place.is_dir():
        return _Side(text, "", listing_on_disk(sources), None, None)
    return _Side(text, "", None, file_of(sources[0]), None)


def _files(before: _Side, after: _Side) -> list[Difference]:
    if before.listing and after.listing:
        return versions.compare_files(before.listing, after.listing)
    if before.file and after.file:
        is_same = (before.file.id, before.file.mode) == (after.file.id, after.file.mode)
        return [] if is_same else [Difference(before.file, after.file)]
    one, other = (before, after) if before.file else (after, before)
    why, fix = f"{other.ref} is a whole version", f"name a file of {other.ref}, too; or leave the path out"
    if not other.version:
        why, fix = f"{other.ref} is a directory", "name a file in it, too; or a whole version"
    raise UsageError("path_in_diff", f"{one.ref} is a file", why=why, fix=fix)


def _tables(
    before: _Side, after: _Side, files: list[Difference], rows: RowQuestion
) -> tuple[differences.TableDifference, ...]:
    if not before.version or not after.version:
        one = before if not before.version else after
        raise UsageError(
            "rows_on_disk",
            f"the rows of {one.ref} cannot be compared",
            why="it lies on the disk, and rows are compared of versions",
            fix=f"mlreg add data/NAME {one.ref} --bump date, then diff the versions; mlreg rm takes it away again",
        )
    sides = Side(before.version.repository, before.called), Side(after.version.repository, after.called)
    return table_differences(files, sides, rows)


def _file_change(one: Difference, before: str, after: str) -> differences.FileChange:
    old, new = _file_info(before, one.before), _file_info(after, one.after)
    path = new.path if new else old.path if old else ""
    is_renamed = old and new and old.path != new.path and old.id == new.id
    change = "renamed" if is_renamed else _change(old, new)
    return differences.FileChange(change, path, old, new)


def _file_info(ref: str, file: File | None) -> results.FileInfo | None:
    if file is None:
        return None
    return results.FileInfo(f"{ref}:{file.path}", file.path, file.size, file.mode is Mode.EXECUTABLE, str(file.id))


def _change(before: object, after: object) -> str:
    return "added" if before is None else "removed" if after is None else "changed"


def _metadata(before: _Version, after: _Version) -> tuple[differences.ValueChange, ...]:
    found = versions.compare_metadata(before.info.metadata, after.info.metadata)
    return tuple(
        differences.ValueChange(
            _change(*(None if value is versions.ABSENT else True for value in (one.before, one.after))),
            one.path,
            *(None if value is versions.ABSENT else value for value in (one.before, one.after)),
        )
        for one in found
    )


def _inputs(before: _Version, after: _Version) -> tuple[differences.InputChange, ...]:
    found = versions.compare_inputs(before.commit.inputs, after.commit.inputs)
    return tuple(
        differences.InputChange(
            _change(one.before, one.after), one.role, _input_info(one.before), _input_info(one.after)
        )
        for one in found
    )


def _input_info(item: Input | None) -> results.InputInfo | None:
    return results.InputInfo(item.role, item.ref, str(item.commit)) if item else None


def _tensors(
    before: _Version, after: _Version, files: Iterable[Difference], *, with_bytes: bool
) -> Iterator[differences.TensorChanges]:
    for old, new in files:
        if not old or not new or old.id == new.id or not (with_bytes or new.path.endswith(SUFFIXES)):
            continue
        pair = StoredFile(before.repository.objects, old), StoredFile(after.repository.objects, new)
        if found := compare_headers(*pair):
            differing = list(compare_bytes(*pair, found.alike)) if with_bytes else None
            yield _tensor_changes(new.path, found, differing)


def _tensor_changes(path: str, found: Headers, differing: list[TensorChange] | None) -> differences.TensorChanges:
    alike = len(found.alike)
    changes = sorted(found.changes + (differing or []), key=lambda one: one.name)
    return differences.TensorChanges(
        path,
        tuple(map(_tensor_change, changes)),
        same_shape=alike,
        same_bytes=None if differing is None else alike - len(differing),
    )


def _tensor_change(one: TensorChange) -> differences.TensorChange:
    old, new = _tensor_info(one.before, one.before_id), _tensor_info(one.after, one.after_id)
    moved = differences.Movement(*one.movement) if one.movement else None
    return differences.TensorChange(_change(old, new), one.name, old, new, moved)


def _tensor_info(tensor: TensorInfo | None, content: ContentId | None) -> differences.TensorInfo | None:
    return differences.TensorInfo(tensor.dtype, tensor.shape, str(content or "")) if tensor else None
