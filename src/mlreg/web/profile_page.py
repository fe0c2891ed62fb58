"""A profile of data as one HTML file: a card for each column, images, and how files lie in folders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from mlreg.quality.profile import ColumnProfile, Measures, Shown, TableProfile
from mlreg.registry.profiling import Profile
from mlreg.registry.profiling_images import ImageKind, Images
from mlreg.web import bars
from mlreg.web.data_page import (
    EXAMPLES,
    MOST_COLUMNS,
    Section,
    data_page,
    ends,
    facts,
    glance,
    named,
    number,
    percent,
    point,
    table,
    valued,
    values,
)
from mlreg.web.markup import Markup, make

MOST_VALUES = 10
"""Values of a column that are shown."""
MOST_FOLDERS = 100


def page(profile: Profile, now: datetime | None = None) -> str:
    """Return the page.

    Args:
        profile: what it shows.
        now: when it is made.
    """
    about = [f"profile of version {profile.id[:16]}" if profile.id else "profile of files that are not registered"]
    return data_page(profile.ref, about, _glance(profile), list(sections(profile)), now or datetime.now(UTC))


def sections(profile: Profile) -> Iterator[Section]:
    """Yield what there is to show."""
    left = MOST_COLUMNS
    for place, one in enumerate(profile.tables):
        yield _table(f"table-{place}", one, max(left, 0))
        left -= len(one.columns)
    if profile.images.kinds or profile.images.broken:
        yield Section("images", "Images", [*_images(profile.images)])
    if len(profile.folders) > 1:
        yield Section("folders", "Folders", [*_folders(profile)])
    types = [(one.suffix or "no suffix", f"{one.files:,}", f"{one.size:,} B") for one in profile.types]
    yield Section("files", "Files", [table(("name ends with", "#files", "#size"), types, "small")])


def _glance(profile: Profile) -> Markup:
    rows, columns = sum(one.rows for one in profile.tables), sum(len(one.columns) for one in profile.tables)
    duplicates, kinds = sum(one.duplicates for one in profile.tables), profile.images.kinds
    boxes: list[tuple[str, object, Sequence[object]]] = [
        ("files", f"{profile.files:,}", [f"{profile.size:,} B", _counted(len(profile.tables), "table")])
    ]
    if profile.tables:
        boxes.append(
            ("rows", f"{rows:,}", [f"{duplicates:,} like another one" if duplicates else "none like another one"])
        )
        nulls = sum(bool(column.nulls) for one in profile.tables for column in one.columns)
        boxes.append(("columns", f"{columns:,}", [f"{nulls:,} with nulls" if nulls else "no nulls"]))
    if kinds or profile.images.broken:
        broken = f"{profile.images.broken:,} broken" if profile.images.broken else "none broken"
        boxes.append(("images", f"{sum(one.files for one in kinds) + profile.images.broken:,}", [broken]))
    return glance(boxes)


def _counted(count: int, word: str) -> str:
    return f"{count:,} {word}{'s' * (count != 1)}"


# Tables.


def _table(key: str, one: TableProfile, most: int) -> Section:
    told = f"{_counted(one.rows, 'row')}, {_counted(len(one.columns), 'column')}"
    again = f"; {_counted(one.duplicates, 'row')} like another one" if one.duplicates else ""
    about = any(column.estimated for column in one.columns)
    said = make("p", told, again, "; ~ stands before estimates" if about else None, class_="soft")
    cards = make("div", *(_card(column, one.rows) for column in one.columns[:most]), class_="columns")
    left = len(one.columns) - most
    more = make("p", f"{_counted(left, 'column')} more: --json has them all", class_="soft") if left > 0 else None
    return Section(key, named(one.files), [said, cards, more])


def _card(column: ColumnProfile, rows: int) -> Markup:
    stored = f" as {column.stored}" if column.stored.lower() != column.type else ""
    heading = make("h3", column.name or "(no name)", make("span", column.type, stored, class_="group"))
    found = [make("span", word, class_=f"mark {kind}") for word, kind in _marks(column, rows)]
    marks = make("p", *found, class_="marks") if found else None
    return make("article", heading, marks, *_body(column, rows), class_="column")


def _marks(column: ColumnProfile, rows: int) -> Iterator[tuple[str, str]]:
    """Yield what is to be seen at once."""
    if column.nulls:
        yield f"{percent(column.nulls, rows)} null", "fail" if 2 * column.nulls >= rows else "warn"
    if column.distinct == 1 and rows > 1:
        yield "one value", "warn"
    if rows > 1 and column.distinct == rows and "distinct" not in column.estimated:
        yield "all different", "ok"
    if column.numbers and column.numbers.not_finite:
        yield f"{column.numbers.not_finite:,} NaN or infinite", "warn"


def _body(column: ColumnProfile, rows: int) -> Iterator[Markup]:
    found = column.numbers or column.lengths
    # Of a few values each has a bar of its own, which says more than intervals do.
    is_drawn = found is not None and column.distinct > MOST_VALUES and found.min != found.max
    yield facts(_facts(column))
    if found and is_drawn:
        yield _histogram(found, "" if column.numbers else f"length in {_unit(column)}")
    if column.top and not (column.numbers and is_drawn):
        yield values(_top(column, rows))
    if found and is_drawn:
        rest = [(f"{one.at:.0%}", point(one.value)) for one in found.quantiles]
        yield make("details", make("summary", "quantiles"), facts(rest))


def _facts(column: ColumnProfile) -> Iterator[tuple[str, object]]:
    about = {word: "~" if word in column.estimated else "" for word in ("distinct", "quantiles")}
    yield "nulls", f"{column.nulls:,}"
    yield "distinct", f"{about['distinct']}{column.distinct:,}"
    found = column.numbers or column.lengths
    if not found or found.min is None:
        return
    middle = next((point(one.value) for one in found.quantiles if one.at == 0.5), "")
    ends = f"{point(found.min)} to {point(found.max)}" if found.min != found.max else point(found.min)
    yield _unit(column) if column.lengths else "range", ends
    yield "median", f"{about['quantiles']}{middle}"
    if column.lengths:
        return
    yield "mean", point(found.mean)
    if found.sd is not None:
        yield "deviation", number(found.sd) + (" s" if isinstance(found.min, str) else "")
    for word, count in (("zeros", found.zeros), ("negative", found.negatives)):
        if count:
            yield word, f"{count:,}"


def _unit(column: ColumnProfile) -> str:
    return "bytes" if column.type == "bytes" else "characters"


def _histogram(found: Measures, caption: str) -> Markup:
    size = sum(one.rows for one in found.histogram)
    told = [
        f"{point(one.low)} to {point(one.high)}: {one.rows:,} ({percent(one.rows, size)})" for one in found.histogram
    ]
    picture = bars.histogram([one.rows for one in found.histogram], told)
    below = make("figcaption", caption) if caption else None
    return make("figure", picture, _strip(found), ends(found.min, found.max), below)


def _strip(found: Measures) -> Markup | None:
    """Return where the quantiles lie below the histogram."""
    low, high = _place(found.min), _place(found.max)
    places = {one.at: _place(one.value) for one in found.quantiles}
    if low is None or high is None or None in places.values():
        return None
    # Half of each: the distance may be larger than a float64 holds.
    width = high / 2 - low / 2
    inside = {
        at: min(max((place / 2 - low / 2) / width, 0.0), 1.0) for at, place in places.items() if place is not None
    }
    return bars.quantiles(inside) if width else None


def _place(value: Shown | None) -> float | None:
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value).replace(tzinfo=UTC).timestamp()
        except ValueError:
            return None
    return None if value is None else float(value)


def _top(column: ColumnProfile, rows: int) -> Iterator[Markup]:
    told = column.top[: MOST_VALUES if column.top[0].rows > 1 else EXAMPLES]
    if column.numbers and column.distinct <= MOST_VALUES:
        told = tuple(sorted(told))
    yield from (valued(one.value, one.rows, rows) for one in told)
    left = rows - column.nulls - sum(one.rows for one in told)
    if left > 0 and column.distinct > len(told):
        yield valued(make("em", f"{column.distinct - len(told):,} other values"), left, rows)
    if column.nulls:
        yield valued(make("em", "null"), column.nulls, rows)


# Images and folders.


def _images(images: Images) -> Iterator[Markup]:
    if images.kinds:
        rows = [(one.format, one.mode, f"{one.files:,}", _span(one), f"{one.sizes:,}") for one in images.kinds]
        yield table(("format", "mode", "#files", "width x height", "#different sizes"), rows, "small")
    if images.broken:
        yield make("h3", f"{_counted(images.broken, 'broken image')}", class_="problem")
        yield table(("file", "why"), [(one.path, one.why) for one in images.broken_samples], "wide")
        left = images.broken - len(images.broken_samples)
        if left > 0:
            yield make("p", f"{left:,} more", class_="soft")


def _span(one: ImageKind) -> str:
    least, most = f"{one.min_width:,} x {one.min_height:,}", f"{one.max_width:,} x {one.max_height:,}"
    return least if least == most else f"{least} to {most}"


def _folders(profile: Profile) -> Iterator[Markup]:
    yield make("p", "Where folders are classes, this is how they are balanced.", class_="soft")
    yield values(valued(one.path, one.files, profile.files) for one in profile.folders[:MOST_FOLDERS])
    left = len(profile.folders) - MOST_FOLDERS
    if left > 0:
        yield make("p", f"{_counted(left, 'folder')} more", class_="soft")
