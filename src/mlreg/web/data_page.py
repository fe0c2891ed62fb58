"""What pages on data share: their frame, numbers as people read them, and what is known of a value and its rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from mlreg import __version__
from mlreg.web import bars
from mlreg.web.document import document
from mlreg.web.markup import Markup, joined, make

STYLES = ("page/page.css", "page/data.css")
MOST_COLUMNS = 1000
"""Cards of columns on one page."""
EXAMPLES = 3
"""Values of a column that are shown if each is there once."""
LONGEST = 60
"""Characters of a value."""


class Section(NamedTuple):
    """A part of a page."""

    key: str
    """Its place in the address."""
    title: str
    children: Sequence[object]
    """What stands in it; what is no markup is text."""

    @property
    def link(self) -> Markup:
        """The way to it."""
        return make("a", cut(self.title), href=f"#{self.key}")

    @property
    def markup(self) -> Markup:
        """All of it."""
        heading = make("h2", self.title, id=f"about-{self.key}")
        return make("section", heading, *self.children, id=self.key, aria_labelledby=f"about-{self.key}")


def data_page(title: str, about: Sequence[object], glance: Markup, sections: Sequence[Section], now: datetime) -> str:
    """Return a page that needs no script.

    Args:
        title: what it is about.
        about: what stands below that, beside when and by what it was made.
        glance: as `glance` returns it.
        sections: its parts.
        now: when it is made.
    """
    made = f"made {now.astimezone(UTC):%Y-%m-%d %H:%M} UTC by mlreg {__version__}"
    header = make("header", make("h1", title), make("p", *about, " · ", made))
    nav = make("nav", *(one.link for one in sections), aria_label="parts of the page")
    main = make("main", glance, *(one.markup for one in sections))
    return document(title, joined([header, nav, main]), STYLES)


def glance(boxes: Iterable[tuple[str, object, Sequence[object]]]) -> Markup:
    """Return boxes of what it comes to: what it is, a number, and what else is said of it."""
    return make(
        "dl",
        *(
            make(
                "div",
                make("dt", name),
                make("dd", _strong(value), *(make("span", one) for one in more if one)),
                class_="box",
            )
            for name, value, more in boxes
        ),
        id="glance",
    )


def _strong(value: object) -> Markup:
    return make("strong", value, class_="long" if len(str(value)) > 12 and not isinstance(value, Markup) else None)


def verdict(word: str) -> Markup:
    """Return `ok`, `warn` or `fail` as it is seen at once."""
    return make("span", word, class_=f"verdict {word}")


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], kind: str = "") -> Markup:
    """Return a table; a heading that begins with # stands above numbers."""
    are_numbers = [one.startswith("#") for one in headings]

    def cells(tag: str, values: Sequence[object]) -> Iterator[Markup]:
        for value, is_number in zip(values, are_numbers, strict=True):
            yield make(tag, value, class_="number" if is_number else None)

    head = make("thead", make("tr", *cells("th", [one.removeprefix("#") for one in headings])))
    body = make("tbody", *(make("tr", *cells("td", row), class_="chosen") for row in rows))
    return make("div", make("table", head, body), class_=f"scroll {kind}".strip(), tabindex=0)


def facts(pairs: Iterable[tuple[str, object]]) -> Markup:
    """Return what is known of a column, each with its word."""
    return make("dl", *(make("div", make("dt", word), make("dd", value)) for word, value in pairs), class_="facts")


def ends(low: object, high: object) -> Markup:
    """Return the two ends of a picture, below it."""
    return make("div", make("span", point(low)), make("span", point(high)), class_="ends")


def number(value: object) -> str:
    """Return a value as people read it.

    >>> number(1234567), number(0.1 + 0.2), number("x" * 99)[-2:], number(None)
    ('1,234,567', '0.3', 'x…', '')
    """
    if isinstance(value, float):
        return f"{value:.6g}"
    return f"{value:,}" if isinstance(value, int) else cut("" if value is None else str(value))


def point(value: object) -> str:
    """Return a place on an axis: of times those that are a day as one.

    >>> point("2026-01-14T00:00:00"), point(0.5)
    ('2026-01-14', '0.5')
    """
    return number(value).removesuffix("T00:00:00")


def cut(text: str) -> str:
    """Return the beginning of a text that is long."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def percent(part: float, whole: float) -> str:
    """Return a share as people read it; what is there at all is more than nothing, and what lacks less than all.

    >>> percent(1, 3), percent(0, 0), percent(1, 10**6), percent(3, 3), percent(999_999, 10**6)
    ('33.3 %', '0 %', '<0.1 %', '100 %', '>99.9 %')
    """
    share = 100 * part / whole if whole else 0.0
    if share in (0, 100):
        return f"{share:.0f} %"
    return "<0.1 %" if share < 0.1 else ">99.9 %" if share > 99.9 else f"{share:.1f} %"


def valued(value: object, rows: int, of: int) -> Markup:
    """Return a value with a bar for how many rows it is in."""
    name = value if isinstance(value, Markup) else number(value) or make("em", "empty")
    cells = (name, bars.share(rows=rows / (of or 1)), f"{rows:,}", percent(rows, of))
    return make("tr", *(make("td", cell, class_=kind) for cell, kind in zip(cells, _VALUED, strict=True)))


_VALUED = ("name", "bar", "number", "number")


def values(rows: Iterable[Markup]) -> Markup:
    """Return values with their bars, one below the other."""
    return make("table", make("tbody", *rows), class_="values")


def named(files: Sequence[str]) -> str:
    """Return files by the first of them."""
    return files[0] + (f" and {len(files) - 1:,} more" if len(files) > 1 else "")
