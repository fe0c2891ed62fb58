"""Whether the tables of a dataset keep rules: each file is read once for all rules, whatever their number.

Rows come as `schema.batches` yields them, Parquet through DuckDB and text by the standard library, so that the same
data keep or break the same rules in every form, and on every machine.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from difflib import get_close_matches
from fnmatch import fnmatchcase
from itertools import islice
from typing import NamedTuple

from mlreg.quality.cells import cells_of, key_of, row_keys, text_of
from mlreg.quality.checks import CHECKS, Check, Given, Sample
from mlreg.quality.inferring import united
from mlreg.quality.rules import ERROR, Rule, bad_rule
from mlreg.quality.schema import batches, schema_of
from mlreg.quality.tables import Form, TableFile, Type

OK, WARNED, FAILED = "ok", "warn", "fail"


class Shelved(NamedTuple):
    """A table of a dataset, which need not lie on the disk before it is read."""

    path: str
    """In the dataset."""
    opened: Callable[[], AbstractContextManager[TableFile]]


class RuleResult(NamedTuple):
    """What became of a rule."""

    name: str
    rule: str
    """Its kind: `unique`, `range` …"""
    severity: str
    """`error` or `warn`."""
    verdict: str
    """`ok`, `warn` or `fail`."""
    columns: tuple[str, ...]
    files: int
    """How many it was asked of."""
    checked: int
    """Rows, cells or files that were looked at."""
    failing: int
    """How many of them are not as they must be."""
    why: str
    """Empty if the rule is kept."""
    samples: tuple[Sample, ...]
    """The first failures, at most 5."""


Others = Callable[[Rule], Sequence[Shelved]]
"""Returns the tables of the other dataset that a rule names by `ref`."""


def check(tables: Sequence[Shelved], rules: Sequence[Rule], others: Others, now: int) -> tuple[RuleResult, ...]:
    """Return what becomes of each rule, in their order.

    Args:
        tables: of the dataset.
        rules: as `rules.read_rules` returns them.
        others: asked for other datasets.
        now: microseconds since 1970, for what must be fresh.

    Raises:
        UsageError: `bad_rule`, a rule is about no file or no column that is there; `bad_table`.
        UnsupportedError: `missing_extra`, for Parquet without DuckDB.
    """
    asked = [_Asked(rule, tables, _given(rule, tables, others, now)) for rule in rules]
    for shelved in tables:
        wanted = [one for one in asked if shelved.path in one.paths]
        if wanted:
            with shelved.opened() as table:
                _look(table, shelved.path, wanted)
    return tuple(one.result() for one in asked)


def matching(tables: Sequence[Shelved], patterns: Collection[str]) -> list[Shelved]:
    """Return the tables whose paths one of the patterns fits; `*` fits what lies deeper, too."""
    return [one for one in tables if any(fnmatchcase(one.path, pattern) for pattern in patterns)]


def _look(table: TableFile, path: str, wanted: Sequence[_Asked]) -> None:
    names = _names_of(table)
    checks = [check for one in wanted if (check := one.check_of(path, names))]
    if any(one.needs_schema for one in checks):
        schema = schema_of(table)
        for one in checks:
            one.see_schema(path, schema)
    rows = [one for one in checks if not one.needs_schema]
    for batch in batches(table) if rows else ():
        for one in rows:
            one.see(path, batch)


def _names_of(table: TableFile) -> tuple[str, ...]:
    """Return the columns of a table; in JSON lines the last line may still name one."""
    names: tuple[str, ...] = ()
    for batch in islice(batches(table), None if table.form is Form.JSONL else 1):
        names = batch.names
    return names


class _Asked:
    """A rule that is asked of some files."""

    def __init__(self, rule: Rule, tables: Sequence[Shelved], given: Given) -> None:
        self._check = CHECKS[rule.kind](rule, given)
        found = matching(tables, rule.files) if rule.files else tables
        if not found and (rule.files or rule.kind != "row_count"):
            why = f"no table is called {' or '.join(rule.files)}" if rule.files else "there is no table in the dataset"
            raise bad_rule(f"the rule {rule.name}", why, "correct files, or take the rule away")
        self.paths = {one.path for one in found}
        self._files = 0
        self._seen: dict[str, None] = {}

    def check_of(self, path: str, names: Sequence[str]) -> Check | None:
        """Return the check, if a file has what it is about; a file that is named by a pattern must have it."""
        rule = self._check.rule
        self._seen.update(dict.fromkeys(names))
        lacking = [name for name in rule.columns if name not in names]
        if not lacking:
            self._files += 1
            return self._check
        if rule.files:
            self._check.fail(path, 0, f"there is no column {lacking[0]}")
        return None

    def result(self) -> RuleResult:
        """Return what became of the rule."""
        check, rule = self._check, self._check.rule
        if not self._files and rule.columns:
            lacking = next((name for name in rule.columns if name not in self._seen), rule.columns[0])
            near = get_close_matches(lacking, self._seen, n=1)
            fix = f"did you mean {near[0]}?" if near else f"the columns are {', '.join(self._seen)}"[:300]
            raise bad_rule(f"the rule {rule.name}", f"no table has a column {', '.join(rule.columns)}", fix)
        why = check.end()
        if check.failing and not why:
            why = f"{check.failing} files lack a column"
        verdict = OK if not check.failing else FAILED if rule.severity == ERROR else WARNED
        counts = (self._files, check.checked, check.failing)
        return RuleResult(
            rule.name, rule.kind, rule.severity, verdict, rule.columns, *counts, why, tuple(check.samples)
        )


# The other data of a rule.


def _given(rule: Rule, tables: Sequence[Shelved], others: Others, now: int) -> Given:
    if "ref" not in rule.options and "file" not in rule.options:
        return Given((), {}, now)
    there = others(rule) if "ref" in rule.options else matching(tables, rule.options["file"])
    if not there:
        named = rule.options.get("ref") or " or ".join(rule.options["file"])
        raise bad_rule(f"the rule {rule.name}", f"there is no table in {named}", "name data with a table")
    if rule.kind == "schema_equal":
        return Given((), _columns_of(there), now)
    keys: set[bytes] = set()
    found = False
    for shelved in there:
        with shelved.opened() as table:
            found |= _gather(table, rule, keys)
    if not found:
        why = f"the other data have no column {rule.options.get('other_column', rule.columns[0])}"
        raise bad_rule(f"the rule {rule.name}", why, "name it with other_column")
    return Given(keys, {}, now)


def _gather(table: TableFile, rule: Rule, keys: set[bytes]) -> bool:
    """Add the keys of another table, and tell whether it has the columns that are asked for."""
    is_key = rule.kind == "foreign_key"
    wanted: tuple[str, ...] = (rule.options.get("other_column", rule.columns[0]),) if is_key else rule.columns
    names: tuple[str, ...] = ()
    for batch in batches(table):
        names = batch.names
        if is_key:
            keys.update(key_of(text_of(cell)) for cell in cells_of(batch, wanted[0]) if cell is not None)
        else:
            keys.update(key for key in row_keys(batch, wanted) if key is not None)
    return {*wanted} <= {*names}


def _columns_of(tables: Sequence[Shelved]) -> Mapping[str, Type]:
    found: dict[str, list[Type]] = {}
    for shelved in tables:
        with shelved.opened() as table:
            for column in schema_of(table).columns:
                found.setdefault(column.name, []).append(column.type)
    return {name: united(types) for name, types in found.items()}
