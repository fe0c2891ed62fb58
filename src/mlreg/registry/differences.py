"""What differs between two versions: frozen values, as `registry.results` has them."""

from __future__ import annotations

from typing import Any, NamedTuple

from mlreg.quality.table_changes import TableChanges
from mlreg.registry.results import FileInfo, InputInfo


class FileChange(NamedTuple):
    """A file that differs between two versions."""

    change: str
    """`added`, `removed`, `changed` or `renamed`."""
    path: str
    """The new one, if it was renamed."""
    before: FileInfo | None
    after: FileInfo | None


class ValueChange(NamedTuple):
    """A value of metadata that differs between two versions."""

    change: str
    """`added`, `removed` or `changed`."""
    path: tuple[str, ...]
    """The keys that lead to it."""
    before: Any
    """A JSON value; null if it was added."""
    after: Any


class InputChange(NamedTuple):
    """An input that differs between two versions."""

    change: str
    """`added`, `removed` or `changed`."""
    role: str
    before: InputInfo | None
    after: InputInfo | None


class TensorInfo(NamedTuple):
    """A tensor of a file."""

    dtype: str
    """The file's word for it: `F32`."""
    shape: tuple[int, ...]
    id: str
    """BLAKE3 of its bytes; empty if they were not read."""


class Movement(NamedTuple):
    """How far the numbers of a tensor moved."""

    share: float
    """Of its numbers, those whose bytes changed: 0.0 to 1.0."""
    max: float | None
    """The largest absolute change of a number, as float64; null if all are among `not_finite`."""
    mean: float | None
    """The mean of the absolute changes of all numbers, 0 of those that stayed; null as for max."""
    not_finite: int
    """Numbers that neither counts: they changed from or to NaN or infinity, or further than float64 reaches."""


class TensorChange(NamedTuple):
    """A tensor that differs between two files."""

    change: str
    """`added`, `removed` or `changed`; the latter in dtype or shape, or, if these are equal, in its bytes."""
    name: str
    before: TensorInfo | None
    after: TensorInfo | None
    moved: Movement | None
    """Of integers and floats whose bytes were compared, of equal dtype and shape; null otherwise."""


class TensorChanges(NamedTuple):
    """How the tensors of a changed file differ."""

    path: str
    changes: tuple[TensorChange, ...]
    """Sorted by name."""
    same_shape: int
    """Tensors of the same name, dtype and shape."""
    same_bytes: int | None
    """Those of them whose bytes are equal; None if they were not compared."""


class Problem(NamedTuple):
    """Why a table could not be compared."""

    code: str
    """As `error` has it: `bad_table`, `missing_extra`."""
    message: str
    """With the file, and the line if there is one."""
    why: str
    fix: tuple[str, ...]


class TableDifference(NamedTuple):
    """How a table differs, of whose files some do."""

    before: tuple[str, ...]
    """Paths of the files that were compared: those that changed, or were removed."""
    after: tuple[str, ...]
    """Those that changed, or were added."""
    changes: TableChanges | None
    """None if it could not be compared."""
    problem: Problem | None
    """None if it was."""


class Difference(NamedTuple):
    """What differs between two versions, or two files of them; None in place of what was not asked for."""

    before: str
    """Ref of a version, or of a file in it; of another repository, with its name: `origin::model/net@1.0.0`."""
    before_id: str
    after: str
    after_id: str
    files: tuple[FileChange, ...] | None
    """Sorted by path."""
    metadata: tuple[ValueChange, ...] | None
    """With all corrections, sorted by path."""
    inputs: tuple[InputChange, ...] | None
    """Sorted by role."""
    tensors: tuple[TensorChanges, ...] | None
    """Of the changed files that hold tensors, sorted by path."""
    tables: tuple[TableDifference, ...] | None
    """Of those tables whose files differ, sorted by path; None if it was not asked for their rows."""

    @property
    def same(self) -> bool:
        """Whether nothing differs of what was asked for."""
        return not (self.files or self.metadata or self.inputs)
