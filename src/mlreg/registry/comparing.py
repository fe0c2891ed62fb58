"""What differs between two versions of any entries, each here or in a remote."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from mlreg.errors import UsageError
from mlreg.formats.commit import Commit, Input
from mlreg.formats.tree import Difference, File, Mode
from mlreg.ids import ContentId
from mlreg.operations import compare as versions
from mlreg.operations.compare_tensors import Headers, TensorChange, compare_bytes, compare_headers
from mlreg.operations.history import read_commit
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


class _Side(NamedTuple):
    ref: str
    id: str
    repository: Repository
    commit: Commit
    info: results.VersionInfo
    file: File | None
    """If the ref names one."""

    @property
    def version(self) -> str:
        """The ref of the version."""
        return self.ref.removesuffix(f":{self.file.path}") if self.file else self.ref

    @property
    def place(self) -> Side:
        """Where its tables are."""
        return Side(self.repository, self.version)


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
        a: a ref of the version before, or of a file in it: then all else of the versions is left out.
        b: a ref of the version after, or of a file, if `a` is.
        parts: some of `PARTS`; the others are not looked at.
        tensors: whether to read the bytes of tensors, and to look for tensors in every changed file; if not, in
            the headers of those that are called like one of `SUFFIXES`.
        rows: what is asked of the rows of tables, which are read if anything is.

    Raises:
        UsageError: `path_in_diff`; of rows: `no_such_column`, `bad_table` if no table could be compared.
        UnsupportedError: `missing_extra`, if no table could be compared without.
        NotFoundError: `ref_not_found` and what else a ref may raise.
        IntegrityError: what must be read is damaged or gone.
    """
    before, after = _side(registry, a), _side(registry, b)
    if before.file or after.file:
        parts = _parts_of_files(before, after)
    files = _files(before, after) if "files" in parts else None
    return differences.Difference(
        before.ref,
        before.id,
        after.ref,
        after.id,
        files=None if files is None else tuple(_file_change(one, before.version, after.version) for one in files),
        metadata=_metadata(before, after) if "metadata" in parts else None,
        inputs=_inputs(before, after) if "inputs" in parts else None,
        tensors=None if files is None else tuple(_tensors(before, after, files, with_bytes=tensors)),
        tables=None if files is None or rows is None else table_differences(files, (before.place, after.place), rows),
    )


def _side(registry: Registry, text: str) -> _Side:
    repository, ref, target = registry.find(text)
    shown = str(target) if ref.remote is None else f"{ref.remote}::{target}"
    commit = read_commit(repository, target.commit_id)
    info = version_info(repository, target.commit_id, commit)
    file = None
    if ref.path is not None:
        file = next(iter(registry.files_of(repository, target, ref.path)), None)
        if file is None or file.path != ref.path:
            fix = f"mlreg diff {ref._replace(path=None)} …"
            raise UsageError("path_in_diff", f"{text} is a directory", why="it is no file and no version", fix=fix)
        shown = f"{shown}:{file.path}"
    return _Side(shown, str(target.commit_id), repository, commit, info, file)


def _parts_of_files(before: _Side, after: _Side) -> tuple[str, ...]:
    """Return what is compared of two files."""
    if not before.file or not after.file:
        one, other = (before, after) if before.file else (after, before)
        why, fix = f"{other.ref} is a whole version", f"name a file of {other.ref}, too; or leave the path out"
        raise UsageError("path_in_diff", f"{one.ref} is a file", why=why, fix=fix)
    return ("files",)


def _files(before: _Side, after: _Side) -> list[Difference]:
    if before.file and after.file:
        is_same = (before.file.id, before.file.mode) == (after.file.id, after.file.mode)
        return [] if is_same else [Difference(before.file, after.file)]
    return versions.compare_files((before.repository, before.commit), (after.repository, after.commit))


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


def _metadata(before: _Side, after: _Side) -> tuple[differences.ValueChange, ...]:
    found = versions.compare_metadata(before.info.metadata, after.info.metadata)
    return tuple(
        differences.ValueChange(
            _change(*(None if value is versions.ABSENT else True for value in (one.before, one.after))),
            one.path,
            *(None if value is versions.ABSENT else value for value in (one.before, one.after)),
        )
        for one in found
    )


def _inputs(before: _Side, after: _Side) -> tuple[differences.InputChange, ...]:
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
    before: _Side, after: _Side, files: Iterable[Difference], *, with_bytes: bool
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
