"""What each kind of rule looks for in rows: `CHECKS` has a line for each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from mlreg.quality.cells import cells_of, instant_of, key_of, number_of, row_keys, text_of
from mlreg.quality.inferring import shown_moment
from mlreg.quality.reading import Batch
from mlreg.quality.rules import Rule
from mlreg.quality.schema import Schema
from mlreg.quality.tables import Type

SAMPLES = 5
LONGEST = 200
_WIDER = {Type.NUMBER: (Type.INTEGER,), Type.TIME: (Type.DATE,)}
"""Types that count as another one, too."""


class Sample(NamedTuple):
    """A place at which a rule is not kept."""

    file: str
    line: int
    """Counted from 1, and in Parquet the number of the row; 0 if it is about the whole file."""
    value: str


class Given(NamedTuple):
    """What a check knows beside the rows."""

    keys: Collection[bytes]
    """Of the other data: the cells or the rows that are there."""
    columns: Mapping[str, Type]
    """Of the other data."""
    now: int
    """Microseconds since 1970, in UTC."""


class Check:
    """One rule, and what was seen so far."""

    needs_schema = False

    def __init__(self, rule: Rule, given: Given) -> None:
        """Nothing is seen yet."""
        self.rule = rule
        self.given = given
        self.checked = 0
        self.failing = 0
        self.samples: list[Sample] = []

    def see(self, file: str, batch: Batch) -> None:
        """Look at rows."""

    def see_schema(self, file: str, schema: Schema) -> None:
        """Look at the columns of a file, if `needs_schema`."""

    def end(self) -> str:
        """Return why the rule is not kept, all rows seen; empty if it is."""
        return f"{self.failing} of {self.checked}" if self.failing else ""

    def fail(self, file: str, line: int, value: object) -> None:
        """Count a failure, and keep it if it is one of the first."""
        self.failing += 1
        if len(self.samples) < SAMPLES:
            self.samples.append(Sample(file, line, "null" if value is None else text_of(value)[:LONGEST]))


class _Cells(Check):
    """Each cell for itself; nulls are passed over."""

    def __init__(self, rule: Rule, given: Given) -> None:
        super().__init__(rule, given)
        self.is_fine = self.test()

    def test(self) -> Callable[[Any], bool]:
        """Return what tells whether a cell is as it must be."""
        raise NotImplementedError

    def see(self, file: str, batch: Batch) -> None:
        (column,) = self.rule.columns
        for line, cell in zip(batch.lines, cells_of(batch, column), strict=True):
            if cell is not None:
                self.checked += 1
                if not self.is_fine(cell):
                    self.fail(file, line, cell)


class _Range(_Cells):
    def test(self) -> Callable[[Any], bool]:
        low, high = self.rule.options.get("min"), self.rule.options.get("max")
        read: Callable[[object], float | None] = instant_of if isinstance(low or high, str) else number_of
        least, most = (None if one is None else read(one) for one in (low, high))

        def is_fine(cell: object) -> bool:
            found = read(cell)
            # NaN is in no range: it is neither more nor less.
            return found is not None and (least is None or found >= least) and (most is None or found <= most)

        return is_fine


class _InSet(_Cells):
    def test(self) -> Callable[[Any], bool]:
        values = self.rule.options["values"]
        texts = {one for one in values if isinstance(one, str)}
        flags = {text_of(one) for one in values if isinstance(one, bool)}
        numbers = {one for one in values if not isinstance(one, str | bool)}

        def is_fine(cell: object) -> bool:
            text = text_of(cell)
            return text in texts or text.lower() in flags or number_of(cell) in numbers

        return is_fine


class _Regex(_Cells):
    def test(self) -> Callable[[Any], bool]:
        pattern = self.rule.options["pattern"]
        return lambda cell: pattern.fullmatch(text_of(cell)) is not None


class _ForeignKey(_Cells):
    def test(self) -> Callable[[Any], bool]:
        keys = self.given.keys
        return lambda cell: key_of(text_of(cell)) in keys


class _NotNull(Check):
    def see(self, file: str, batch: Batch) -> None:
        for column in self.rule.columns:
            for line, cell in zip(batch.lines, cells_of(batch, column), strict=True):
                self.checked += 1
                if cell is None:
                    self.fail(file, line, None)


class _Unique(Check):
    """Rows whose key was there before; a key of nulls alone is none."""

    def __init__(self, rule: Rule, given: Given) -> None:
        super().__init__(rule, given)
        self._seen: set[bytes] = set()

    def see(self, file: str, batch: Batch) -> None:
        for at, key in enumerate(row_keys(batch, self.rule.columns)):
            if key is None:
                continue
            self.checked += 1
            if key in self._seen:
                self.fail(file, batch.lines[at], _shown(batch, at, self.rule.columns))
            self._seen.add(key)


class _NoOverlap(Check):
    def see(self, file: str, batch: Batch) -> None:
        for at, key in enumerate(row_keys(batch, self.rule.columns)):
            self.checked += 1
            if key is not None and key in self.given.keys:
                self.fail(file, batch.lines[at], _shown(batch, at, self.rule.columns or batch.names))


def _shown(batch: Batch, at: int, columns: Collection[str]) -> str:
    row = dict(zip(batch.names, batch.rows[at], strict=True))
    return ", ".join("null" if row.get(name) is None else text_of(row[name]) for name in columns)


class _RowCount(Check):
    def see(self, file: str, batch: Batch) -> None:
        self.checked += len(batch.rows)

    def end(self) -> str:
        low, high = self.rule.options.get("min"), self.rule.options.get("max")
        if low is not None and self.checked < low:
            return self._said(f"less than {low}")
        return self._said(f"more than {high}") if high is not None and self.checked > high else ""

    def _said(self, told: str) -> str:
        self.failing += 1
        return f"there are {self.checked} rows, {told}"


class _NullShare(Check):
    def __init__(self, rule: Rule, given: Given) -> None:
        super().__init__(rule, given)
        self._nulls = 0

    def see(self, file: str, batch: Batch) -> None:
        cells = cells_of(batch, self.rule.columns[0])
        self.checked += len(cells)
        self._nulls += cells.count(None)

    def end(self) -> str:
        most = self.rule.options["max"]
        if self._nulls > most * self.checked:
            self.failing += self._nulls
            return f"{self._nulls} of {self.checked} are null, more than {most:.4%}"
        return super().end()


class _Freshness(Check):
    """The newest time that is there; what is no time fails, too."""

    def __init__(self, rule: Rule, given: Given) -> None:
        super().__init__(rule, given)
        self._newest: int | None = None

    def see(self, file: str, batch: Batch) -> None:
        for line, cell in zip(batch.lines, cells_of(batch, self.rule.columns[0]), strict=True):
            if cell is None:
                continue
            self.checked += 1
            found = instant_of(cell)
            if found is None:
                self.fail(file, line, cell)
            elif self._newest is None or found > self._newest:
                self._newest = found

    def end(self) -> str:
        if self.failing:
            return f"{self.failing} of {self.checked} are no time"
        if self._newest is None:
            self.failing += 1
            return "there is no time in it"
        if self._newest >= self.given.now - self.rule.options["max_age"] * 1_000_000:
            return ""
        self.failing += 1
        return f"the newest is {shown_moment(self._newest, Type.TIME)}"


class _Type(Check):
    needs_schema = True

    def see_schema(self, file: str, schema: Schema) -> None:
        (name,) = self.rule.columns
        wanted = self.rule.options["type"]
        for column in schema.columns:
            if column.name == name:
                self.checked += 1
                if column.type not in (wanted, Type.EMPTY, *_WIDER.get(wanted, ())):
                    self.fail(file, 0, column.type.value)

    def end(self) -> str:
        return f"{self.failing} of {self.checked} files" if self.failing else ""


class _SchemaEqual(Check):
    needs_schema = True

    def see_schema(self, file: str, schema: Schema) -> None:
        here = {column.name: column.type for column in schema.columns}
        there = self.given.columns
        self.checked += 1
        for name in sorted({*here, *there}):
            is_now, was = here.get(name), there.get(name)
            if is_now != was and (is_now is None or was is None or Type.EMPTY not in (is_now, was)):
                self.fail(file, 0, f"{name}: {is_now or 'not here'}, there {was or 'not at all'}")

    def end(self) -> str:
        return f"{self.failing} columns differ" if self.failing else ""


CHECKS: dict[str, type[Check]] = {
    "not_null": _NotNull,
    "unique": _Unique,
    "range": _Range,
    "in_set": _InSet,
    "regex": _Regex,
    "type": _Type,
    "row_count": _RowCount,
    "null_share": _NullShare,
    "freshness": _Freshness,
    "foreign_key": _ForeignKey,
    "schema_equal": _SchemaEqual,
    "no_overlap": _NoOverlap,
}
"""By the word of the rule."""
