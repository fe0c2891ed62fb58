"""What differs in the tables of two versions: of the files that differ, and of no others, the columns and rows.

Files of a folder whose names differ in their numbers only, or in what says their form, are one table, if they have the
same columns: a row may go from one of them to another.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from difflib import get_close_matches
from pathlib import PurePosixPath
from typing import NamedTuple

from mlreg.errors import PartialError, UnsupportedError, UsageError
from mlreg.formats.tree import Difference, File
from mlreg.quality.comparing_tables import compare_tables
from mlreg.quality.counted import Pair, Shard
from mlreg.quality.schema import columns_ahead
from mlreg.quality.tables import Form, form_by_name
from mlreg.registry.differences import Problem, TableDifference
from mlreg.registry.profiling import stored_table
from mlreg.repository.repository import Repository

_NUMBERS = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9]+")
"""What tells the files of a table from each other: numbers, and the names that writers of Parquet make up."""


class RowQuestion(NamedTuple):
    """What is asked of the rows of tables."""

    key: Sequence[str] = ()
    """Columns that say which rows belong together."""
    samples: int = 0
    """How many rows to show that were added, removed and changed, of each; at most 10,000."""


class Side(NamedTuple):
    """Where the files of one side are, and what they are called in messages."""

    repository: Repository
    ref: str


def table_differences(
    files: Iterable[Difference], sides: tuple[Side, Side], asked: RowQuestion
) -> tuple[TableDifference, ...]:
    """Return what differs in tables.

    Args:
        files: that differ.
        sides: before and after.
        asked: what is asked of their rows.

    Raises:
        UsageError: `no_such_column`, no table has the key. What befell all tables: `bad_table`.
        UnsupportedError: what befell all tables: `missing_extra`.
        IntegrityError: `object_missing`, `object_damaged`.
    """
    families = _families(files)
    told = [one for family in families for one in _told(family, sides, asked, is_only=len(families) == 1)]
    errors = [error for _, error in told if error]
    if errors and len(errors) == len(told):
        raise errors[0]
    found = [one for one, _ in told]
    _check_key(asked.key, found)
    return tuple(sorted(found, key=lambda one: (one.after or one.before)[0]))


def not_all_compared(tables: Sequence[TableDifference]) -> PartialError | None:
    """Return the error that says that some tables could not be compared; None if all could."""
    failed = [one.problem for one in tables if one.problem]
    if not failed:
        return None
    message = f"{len(failed)} of {len(tables)} tables could not be compared"
    why = "; ".join(f"{one.message}: {one.why}" for one in failed)
    return PartialError("not_all_compared", message, why=why, fix=tuple(dict.fromkeys(one.fix[0] for one in failed)))


def _check_key(key: Sequence[str], found: Sequence[TableDifference]) -> None:
    """Refuse a key that is none in all tables that are on both sides."""
    both = [one.changes for one in found if one.changes and one.before and one.after]
    if not key or not both or any(one.key for one in both):
        return
    raise _no_such_column(key, list(dict.fromkeys(name for one in both for name in one.compared)))


def _check_ahead(pair: Pair, key: Sequence[str]) -> None:
    """Refuse a key that the only table does not have by what stands at its beginning, before all of it is read."""
    if not key or not all(pair) or any(shard.table.form is Form.JSONL for shards in pair for shard in shards):
        return
    try:
        names = [{name for shard in shards for name in columns_ahead(shard.table)} for shards in pair]
    except (UsageError, UnsupportedError):
        # What is wrong with the file is told when it is compared.
        return
    if not {*key} <= names[0] & names[1]:
        raise _no_such_column(key, sorted(names[0] & names[1]))


def _no_such_column(key: Sequence[str], names: Sequence[str]) -> UsageError:
    lacking = next((name for name in key if name not in names), key[0])
    near = get_close_matches(lacking, names, n=1)
    fix = f"did you mean {near[0]}?" if near else f"the columns are {', '.join(names)}"[:300]
    missing = f"no table that differs has the key {', '.join(key)} on both sides"
    return UsageError("no_such_column", missing, why=f"there is no column {lacking!r:.80}", fix=fix)


# Which files are one table.


def _families(files: Iterable[Difference]) -> list[list[Difference]]:
    """Return those files that are tables and have other bytes, put together by their names."""
    found: dict[tuple[str, str], list[Difference]] = {}
    for one in files:
        paths = [file.path for file in one if file]
        is_other = len(paths) < 2 or len({file.id for file in one if file}) > 1
        if is_other and all(map(form_by_name, paths)):
            folder, _, name = paths[-1].rpartition("/")
            found.setdefault((folder, _NUMBERS.sub("#", _without_form(name))), []).append(one)
    return list(found.values())


def _without_form(name: str) -> str:
    stem = name.lower().removesuffix(".gz")
    return stem.removesuffix(PurePosixPath(stem).suffix)


def _told(
    family: Sequence[Difference], sides: tuple[Side, Side], asked: RowQuestion, *, is_only: bool
) -> Iterator[tuple[TableDifference, UsageError | UnsupportedError | None]]:
    """Yield what differs in the tables that some files make, with the error of each that cannot be compared."""
    with ExitStack() as stack:
        opened = [
            [[_shard(stack, side, file)] if file else [] for side, file in zip(sides, one, strict=True)]
            for one in family
        ]
        tables = _tables(opened)
        if is_only and len(tables) == 1:
            _check_ahead(tables[0], asked.key)
        for before, after in tables:
            paths = tuple(shard.path for shard in before), tuple(shard.path for shard in after)
            try:
                changes = compare_tables((before, after), asked.key, asked.samples)
                yield TableDifference(*paths, changes, None), None
            except (UsageError, UnsupportedError) as error:
                problem = Problem(error.code, error.message, error.why, error.fix)
                yield TableDifference(*paths, None, problem), error


def _shard(stack: ExitStack, side: Side, file: File) -> Shard:
    form = form_by_name(file.path) or Form.CSV  # it was one of a table when it was chosen
    name = f"{side.ref}:{file.path}"
    return Shard(file.path, stack.enter_context(stored_table(side.repository, file, form, name)))


def _tables(opened: Sequence[Sequence[Sequence[Shard]]]) -> list[Pair]:
    """Put files together that have the same columns, and each with what it was before."""
    whole = [shard for one in opened for shard in one[0]], [shard for one in opened for shard in one[1]]
    if max(map(len, whole)) < 2:
        return [whole]
    tables: list[tuple[list[Shard], list[Shard], set[frozenset[str]]]] = []
    for before, after in opened:
        try:
            columns = {columns_ahead(shard.table) for shard in (*before, *after)}
        except (UsageError, UnsupportedError):
            # What is wrong with the file is told when it is compared.
            return [whole]
        alike = [one for one in tables if one[2] & columns]
        tables = [one for one in tables if not one[2] & columns]
        joined = ([*before], [*after], columns)
        for one in alike:
            joined = ([*one[0], *joined[0]], [*one[1], *joined[1]], one[2] | joined[2])
        tables.append(joined)
    return [(sorted(before, key=_path), sorted(after, key=_path)) for before, after, _ in tables]


def _path(shard: Shard) -> str:
    return shard.path
