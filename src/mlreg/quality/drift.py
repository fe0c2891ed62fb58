"""What changed between two states of a table: its columns first, then its categories, then how values are spread.

Both are profiles, so nothing is read again. A column is compared by one of these:

- by its values, if there are few different ones, or they are no numbers;
- by its numbers, in ten bins that hold equally many rows of the first state, one for nulls, and one for what lies
  outside of the range of the first state, or is no finite number;
- by the lengths of its values, if there are too many different ones to compare them; if it has none, by its nulls.

The gate is the population stability index, as a share of what moved; no p-value is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mlreg.quality.beside import BinPair, ValuePair, histogram, top
from mlreg.quality.distances import chi_square, jensen_shannon, kolmogorov_smirnov, psi, up_to
from mlreg.quality.file_profile import FileColumn, FileProfile
from mlreg.quality.numbers import Numbers
from mlreg.quality.profile import Shown, shown_value
from mlreg.quality.tables import Type
from mlreg.quality.values import Value

if TYPE_CHECKING:
    from numpy.typing import NDArray

WARN, FAIL = 0.1, 0.25
"""Of the stability index, as credit scoring has used them for decades: moved a little, moved much."""
BINS = 10
FEW = 20
"""Numbers of so many different values are compared value by value."""
LISTED = 20
"""New values that are listed."""
OK, WARNED, FAILED = "ok", "warn", "fail"
ORDER = (FAILED, WARNED, OK)
"""Verdicts, the worst first."""
_WIDER = ({Type.INTEGER, Type.NUMBER}, {Type.DATE, Type.TIME})
"""Types that may take each other's place with a warning."""


class ColumnDrift(NamedTuple):
    """What changed in a column."""

    name: str
    verdict: str
    """`ok`, `warn` or `fail`."""
    reasons: tuple[str, ...]
    """Why it is not `ok`."""
    change: str
    """`added`, `removed`, `type`, or empty if it is there before and after, of one type."""
    type_before: str
    """Empty if it was added."""
    type_after: str
    """Empty if it was removed."""
    by: str
    """What was compared: `values`, `numbers`, `lengths` or `nulls`; empty if nothing was."""
    psi: float | None
    """Population stability index: 0 if nothing moved; as all that follows, None if it was not compared so."""
    js: float | None
    """Jensen-Shannon distance of the same bins: 0 to 1."""
    ks: float | None
    """Largest distance of the distribution functions of numbers: 0 to 1."""
    ks_p: float | None
    chi2: float | None
    """Of values, as a table of two rows."""
    chi2_p: float | None
    nulls_before: float | None
    """Share of rows: 0 to 1."""
    nulls_after: float | None
    new: tuple[Shown, ...]
    """Values that were not there before, the most frequent first, if all values are known that were."""
    gone: tuple[Shown, ...]
    histogram: tuple[BinPair, ...]
    """Of numbers, or lengths of text: where they lie before and after, unless values are compared."""
    top: tuple[ValuePair, ...]
    """Otherwise the most frequent values of both."""


class TableDrift(NamedTuple):
    """What changed in a table."""

    verdict: str
    rows_before: int
    rows_after: int
    columns: tuple[ColumnDrift, ...]
    """The worst first: what fails, what is warned of; of those, changed columns, new values, the largest index."""


class Limits(NamedTuple):
    """From which index on a column is warned of, and fails."""

    warn: float = WARN
    fail: float = FAIL


def drift(before: FileProfile, after: FileProfile, limits: Limits) -> TableDrift:
    """Say what changed between two profiles, of files or of tables."""
    old, new = ({column.name: column for column in profile.columns} for profile in (before, after))
    columns = [_drift(old.get(name), new.get(name), before.rows, after.rows, limits) for name in {**old, **new}]
    columns.sort(key=_badness)
    worst = columns[0].verdict if columns else OK
    return TableDrift(worst, before.rows, after.rows, tuple(columns))


def _badness(one: ColumnDrift) -> tuple[object, ...]:
    return ORDER.index(one.verdict), not one.change, not one.new, -(one.psi or 0.0), one.name


def _drift(
    old: FileColumn | None, new: FileColumn | None, rows_before: int, rows_after: int, limits: Limits
) -> ColumnDrift:
    empty = _EMPTY._replace(
        type_before=old.type.value if old else "",
        type_after=new.type.value if new else "",
        nulls_before=old.nulls / rows_before if old and rows_before else None,
        nulls_after=new.nulls / rows_after if new and rows_after else None,
    )
    if old is None or new is None:
        name, change, verdict = (new.name, "added", WARNED) if new else (old.name if old else "", "removed", FAILED)
        alone = empty._replace(name=name, change=change, verdict=verdict, reasons=(f"the column was {change}",))
        return _beside(alone, old, new)
    found = _compared(empty._replace(name=old.name), old, new, (rows_before, rows_after))
    return _beside(_judged(found, old, new, limits), old, new)


def _beside(found: ColumnDrift, old: FileColumn | None, new: FileColumn | None) -> ColumnDrift:
    """Count both columns alike, as they were compared; one that is alone, as it would be compared with itself."""
    columns = [column for column in (old, new) if column]
    by = found.by or ("numbers" if all(one.numbers for one in columns) and not _are_few(columns) else "values")
    if by == "nulls":
        return found
    return found._replace(top=top(old, new)) if by == "values" else found._replace(histogram=histogram(old, new))


def _are_few(columns: Sequence[FileColumn]) -> bool:
    return max(len(one.values.counts) if one.values.is_whole else FEW + 1 for one in columns) <= FEW


_EMPTY = ColumnDrift(
    name="",
    verdict=OK,
    reasons=(),
    change="",
    type_before="",
    type_after="",
    by="",
    psi=None,
    js=None,
    ks=None,
    ks_p=None,
    chi2=None,
    chi2_p=None,
    nulls_before=None,
    nulls_after=None,
    new=(),
    gone=(),
    histogram=(),
    top=(),
)


def _judged(found: ColumnDrift, old: FileColumn, new: FileColumn, limits: Limits) -> ColumnDrift:
    reasons = [*_schema_reasons(old, new)]
    change = "type" if reasons else ""
    if found.new:
        reasons.append((WARNED, f"values that were not there before: {', '.join(map(str, found.new[:3]))}"))
    if found.psi is not None and found.psi >= limits.warn:
        much = found.psi >= limits.fail
        verdict = FAILED if much else WARNED
        reasons.append((verdict, f"PSI {found.psi:.3g} is {limits.fail if much else limits.warn:g} or more"))
    verdict = min((verdict for verdict, _ in reasons), key=ORDER.index, default=OK)
    return found._replace(verdict=verdict, change=change, reasons=tuple(reason for _, reason in reasons))


def _schema_reasons(old: FileColumn, new: FileColumn) -> list[tuple[str, str]]:
    kinds = {old.type, new.type}
    if len(kinds) == 1:
        return []
    may_be = Type.EMPTY in kinds or kinds in _WIDER
    return [(WARNED if may_be else FAILED, f"the type was {old.type.value}, and is {new.type.value}")]


def _compared(found: ColumnDrift, old: FileColumn, new: FileColumn, rows: tuple[int, int]) -> ColumnDrift:
    if not all(rows):
        return found
    if old.numbers and new.numbers and old.numbers.size and not _are_few((old, new)):
        return _by_numbers(found, "numbers", (old.numbers, old.nulls), (new.numbers, new.nulls))
    if old.values.is_whole and new.values.is_whole:
        return _by_values(found, old, new)
    if old.lengths and new.lengths and old.lengths.size:
        return _by_numbers(found, "lengths", (old.lengths, old.nulls), (new.lengths, new.nulls))
    nulls = ([count - one.nulls, one.nulls] for one, count in zip((old, new), rows, strict=True))
    return _measured(found, "nulls", *nulls)


def _measured(found: ColumnDrift, by: str, before: Sequence[int], after: Sequence[int]) -> ColumnDrift:
    return found._replace(by=by, psi=psi(before, after), js=jensen_shannon(before, after))


def _by_numbers(found: ColumnDrift, by: str, before: tuple[Numbers, int], after: tuple[Numbers, int]) -> ColumnDrift:
    """Compare numbers, each with how many nulls there are beside them."""
    import numpy as np

    first, second = before[0], after[0]
    places = np.arange(1, BINS + 1) * first.size / BINS
    # Each bin has its upper edge. Values that are there often make several edges one.
    chosen = np.searchsorted(np.cumsum(first.weights), places - 0.5)
    edges = np.unique(np.asarray(first.values, np.float64)[chosen])
    edges[-1] = first.max
    found = _measured(found, by, *(_binned(numbers, edges, first, nulls) for numbers, nulls in (before, after)))
    return _with_ks(found, first, second)


def _binned(numbers: Numbers, edges: NDArray[Any], first: Numbers, nulls: int) -> list[int]:
    """Return how many numbers are in each bin, how many outside of all, and how many nulls there are."""
    import numpy as np

    below = up_to(numbers, np.nextafter([float(first.min or 0)], -np.inf))
    inside = np.diff(np.concatenate([below, up_to(numbers, edges)])).tolist()
    return [*inside, numbers.size - sum(inside) + numbers.not_finite, nulls]


def _with_ks(found: ColumnDrift, before: Numbers | None, after: Numbers | None) -> ColumnDrift:
    if not (before and after and before.size and after.size):
        return found
    apart = kolmogorov_smirnov(before, after)
    return found._replace(ks=apart.value, ks_p=apart.p)


def _by_values(found: ColumnDrift, old: FileColumn, new: FileColumn) -> ColumnDrift:
    before, after = dict(old.values.counts), dict(new.values.counts)
    names = list(dict.fromkeys([*before, *after]))
    one, other = (
        [*(counts.get(name, 0) for name in names), column.numbers.not_finite if column.numbers else 0, column.nulls]
        for counts, column in ((before, old), (after, new))
    )
    table = chi_square(one, other)
    found = _with_ks(_measured(found, "values", one, other), old.numbers, new.numbers)
    found = found._replace(chi2=table.value, chi2_p=table.p)
    # Where values are words of a set, one that was never there before is news.
    if old.type is new.type and old.type in (Type.TEXT, Type.BOOLEAN, Type.MIXED):
        return found._replace(new=_only(new, before), gone=_only(old, after))
    return found


def _only(column: FileColumn, others: dict[Value, int]) -> tuple[Shown, ...]:
    found = [value for value, _ in column.values.counts if value not in others]
    return tuple(shown_value(column.type, value) for value in found[:LISTED])
