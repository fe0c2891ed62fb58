"""A version as a document that others read: Croissant, or a card."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mlreg.errors import UnsupportedError, UsageError
from mlreg.formats.card import render_card
from mlreg.formats.croissant import MOST_FILES, DatasetOf, FieldOf, FileOf, TableOf, render_croissant
from mlreg.formats.ref import parse_ref
from mlreg.formats.tree import File
from mlreg.operations.checkout import checkout
from mlreg.operations.checksums import checksums
from mlreg.quality.tables import Column, form_by_name, table_file
from mlreg.registry.version_files import VersionFiles

if TYPE_CHECKING:
    from mlreg.registry.registry import Registry

MOST_TABLES = 100
"""Tables whose columns are told; those of a dataset of more are alike, as a rule, and their number helps nobody."""
MAX_TABLE = 1 << 30
"""Bytes of a table that is read for its columns."""


class Exported(NamedTuple):
    """A version as a document."""

    ref: str
    form: str
    """One of `FORMS`."""
    path: str
    """Where it was written; empty if it was only printed."""
    files: int
    """That the version has."""
    listed: int
    """That the document lists, each with its SHA-256; 0 if there are too many."""
    tables: int
    """Whose columns it tells."""
    size: int
    """Bytes of the document."""
    hints: tuple[str, ...]
    """What could not be told, and why."""
    document: str

    @property
    def refs(self) -> tuple[str, ...]:
        """The version's ref."""
        return (self.ref,)


def export(
    registry: Registry, text: str, form: str, report: Callable[[int], None], despite_taint: str = ""
) -> Exported:
    """Return a version as a document. The same version makes the same document.

    Args:
        registry: where refs begin.
        text: a ref.
        form: one of `FORMS`.
        report: told about progress, in bytes.
        despite_taint: why it is wanted though it is tainted; it is kept.

    Raises:
        UsageError: `path_in_export`; `no_dataset`, of Croissant; `bad_card`.
        TaintedError: `tainted`.
        IntegrityError: what must be read is damaged or gone.
    """
    files = VersionFiles(registry, text)
    if parse_ref(text).path is not None:
        fix = f"mlreg export {files.target} --as {form}"
        raise UsageError("path_in_export", f"{text} is a file, and versions are exported", fix=fix)
    registry.allow(files.repository, files.target, despite_taint)
    made = FORMS[form](files, report)
    found = Exported(str(files.target), form, "", files.info.files, 0, 0, 0, (), made.document)
    return found._replace(
        listed=made.listed, tables=made.tables, size=len(made.document.encode()), hints=tuple(made.hints)
    )


class _Made(NamedTuple):
    """A document, and what is said of it."""

    document: str
    listed: int = 0
    tables: int = 0
    hints: Sequence[str] = ()


def _card(files: VersionFiles, _report: Callable[[int], None]) -> _Made:
    metadata = {key: value for key, value in files.info.metadata.items() if key != "card"}
    return _Made(render_card(metadata, str(files.info.metadata.get("card", "")), files.info.name))


def _croissant(files: VersionFiles, report: Callable[[int], None]) -> _Made:
    info = files.info
    if info.kind != "data":
        why = "Croissant describes datasets"
        raise UsageError("no_dataset", f"{files.target} is no dataset", why=why, fix="mlreg ls datasets")
    found = list(files.below())
    listed = found if len(found) <= MOST_FILES else []
    sums = checksums(files.repository, listed, report)
    tables, hints = _tables(files, listed)
    every = [FileOf(file.path, file.size, sums.get(file.id, "")) for file in found]
    dataset = DatasetOf(info.name, info.version, info.time, info.author, info.metadata, every, tables)
    return _Made(render_croissant(dataset), len(listed), len(tables), hints)


FORMS: Mapping[str, Callable[[VersionFiles, Callable[[int], None]], _Made]] = {
    "croissant": _croissant,
    "card": _card,
}
"""What a version may be written as, and how. A new form is a new line here, and in the command."""


def _tables(files: VersionFiles, listed: Sequence[File]) -> tuple[list[TableOf], list[str]]:
    """Return the tables among some files with their columns, and why some are without."""
    tables = [file for file in listed if form_by_name(file.path)]
    if len(tables) > MOST_TABLES:
        return [], [f"no columns are told of {len(tables)} tables: at most of {MOST_TABLES}"]
    said = described_columns(files.info.metadata)
    found, hints = [], []
    for file in tables:
        if file.size > MAX_TABLE:
            hints.append(f"{file.path} is listed without columns: it has more than {MAX_TABLE} bytes")
            continue
        try:
            found.append(TableOf(file.path, [_field(one, said) for one in _columns(files, file)]))
        except (UsageError, UnsupportedError) as error:
            hints.append(f"{file.path} is listed without columns: {error.message}")
    return found, hints


def _columns(files: VersionFiles, file: File) -> Sequence[Column]:
    from mlreg.quality.schema import schema_of

    checkout(files.repository, [file], files.place, lambda _: None)
    table = table_file(files.place / file.path, file.path)
    return schema_of(table).columns if table else ()


def _field(column: Column, said: Mapping[str, FieldOf]) -> FieldOf:
    known = said.get(column.name, FieldOf(column.name, ""))
    return known._replace(type=known.type or str(column.type))


def described_columns(metadata: Mapping[str, Any]) -> dict[str, FieldOf]:
    """Return what the field `schema` of metadata says of columns, by name."""
    schema = metadata.get("schema")
    found = {}
    for name, said in schema.items() if isinstance(schema, Mapping) else ():
        more = said if isinstance(said, Mapping) else {"type": said}
        found[str(name)] = FieldOf(str(name), str(more.get("type") or ""), str(more.get("description") or ""))
    return found
