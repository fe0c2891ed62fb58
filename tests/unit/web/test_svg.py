"""Pictures as SVG: well-formed whatever the numbers and names, with curves inside the frame."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.registry.plotting import Curve, Table
from mlreg.web import svg

HOSTILE = ["</svg><script>alert(1)</script>", "a & b < c > \"d\" 'e'", "\x00\x1b[2J", "a\u202eb", "]]>", "\ud800"]
ANY = st.floats(allow_nan=False)
"""What is not finite may come in, too, from Python."""


def curve(name: str, values: Sequence[float], steps: Sequence[float] = ()) -> Curve:
    known = dict.fromkeys(Curve._fields, ())
    drawn = {
        "ref": "exp/churn@1",
        "name": name,
        "y": tuple(values),
        "x": tuple(steps or map(float, range(len(values)))),
    }
    return Curve(**{**known, **drawn, "points": len(values), "not_finite": 0})  # type: ignore[arg-type]  # as they are


def elements(picture: str, name: str) -> list[ET.Element]:
    return list(ET.fromstring(picture).iter(f"{{http://www.w3.org/2000/svg}}{name}"))  # noqa: S314 - our own


def texts(picture: str) -> list[str]:
    return [one.text or "" for one in elements(picture, "text")]


def places(picture: str) -> Iterator[tuple[float, float]]:
    """Yield where points of curves and dots are."""
    for line in elements(picture, "polyline"):
        for point in line.attrib["points"].split():
            x, y = map(float, point.split(","))
            yield x, y
    yield from ((float(dot.attrib["cx"]), float(dot.attrib["cy"])) for dot in elements(picture, "circle"))


def is_inside(x: float, y: float) -> bool:
    return (
        svg.LEFT - 0.01 <= x <= svg.WIDTH - svg.RIGHT + 0.01 and svg.TOP - 0.01 <= y <= svg.HEIGHT - svg.BOTTOM + 0.01
    )


@given(st.lists(st.lists(ANY, min_size=1, max_size=8), min_size=1, max_size=3), st.booleans())
def test_any_numbers_are_drawn_inside_the_frame(values: list[list[float]], is_log: bool) -> None:
    picture = svg.line_chart([curve("run", some) for some in values], "loss", "step", is_log=is_log)

    fitting = [one for some in values for one in some if math.isfinite(one) and (one > 0 or not is_log)]
    found = list(places(picture))
    # A curve of one point is a dot, too.
    assert len(fitting) <= len(found) <= 2 * len(fitting)
    assert all(is_inside(x, y) for x, y in found)


@given(st.lists(st.tuples(ANY, ANY), min_size=1, max_size=8))
def test_a_dot_lies_higher_the_larger_its_value(pairs: list[tuple[float, float]]) -> None:
    finite = [(x, y) for x, y in pairs if math.isfinite(x) and math.isfinite(y)]
    picture = svg.scatter(Table(("params.x", "metrics.y"), tuple("r" * len(pairs)), tuple(pairs)))

    found = list(places(picture))
    assert len(found) == len(finite)
    assert all(is_inside(x, y) for x, y in found)
    for (_, first), (_, place) in zip(finite, found, strict=True):
        assert all(
            place <= other + 0.01 for (_, second), (_, other) in zip(finite, found, strict=True) if first >= second
        )


def test_ticks_are_round_numbers_and_the_ends_are_not_far() -> None:
    picture = svg.line_chart([curve("run", [0.598, 0.873], [0, 57])], "auc", "step", is_log=False)

    assert texts(picture) == ["auc", "0.6", "0.7", "0.8", "0.9", *map(str, range(0, 70, 10)), "step", "run"]


def test_powers_of_ten_are_the_ticks_of_a_logarithmic_scale() -> None:
    picture = svg.line_chart([curve("run", [0.02, 3.0, -1.0])], "loss", "step", is_log=True)

    assert {"0.01", "0.1", "1", "10"} <= set(texts(picture))
    assert len(list(places(picture))) == 2


def test_words_stand_beside_each_other() -> None:
    table = Table(("params.optim", "metrics.auc"), ("a", "b", "c"), (("sgd", 0.5), ("adam", 0.6), ("sgd", 0.7)))

    picture = svg.scatter(table)

    across = [x for x, _ in places(picture)]
    assert across[0] == across[2] > across[1]
    assert {"sgd", "adam"} <= set(texts(picture))


def test_every_curve_has_a_colour_of_its_own_that_the_legend_shows() -> None:
    picture = svg.line_chart(
        [curve(f"run {number}", [0.0, number]) for number in range(30)], "loss", "step", is_log=False
    )

    strokes = [line.attrib["stroke"] for line in elements(picture, "polyline")]
    assert len(set(strokes)) == 30
    assert strokes == [one.attrib["fill"] for one in elements(picture, "rect")]
    assert texts(picture)[-30:] == [f"run {number}" for number in range(30)]


def test_the_points_of_a_smoothed_curve_lie_faintly_behind_it() -> None:
    one = curve("run", [1.0, 3.0])._replace(smooth=(1.0, 2.0))

    points, line = elements(svg.line_chart([one], "loss", "step", is_log=False), "polyline")

    assert points.attrib["stroke-opacity"] == "0.25"
    assert "stroke-opacity" not in line.attrib
    assert points.attrib["points"] != line.attrib["points"]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_name_becomes_an_element_or_steers_anything(text: str) -> None:
    picture = svg.line_chart([curve(text, [1.0])], text, text, is_log=False)
    table = svg.scatter(Table((text, text), (text,), ((text, text),)))

    for one in (picture, table):
        tags = {element.tag.rpartition("}")[2] for element in ET.fromstring(one).iter()}  # noqa: S314 - our own
        assert tags <= {"svg", "title", "style", "line", "text", "polyline", "circle", "rect"}
        assert all(mark.isprintable() or mark == "\n" for mark in one)
        assert one.encode()
    assert "<script" not in svg.page(picture, text).replace(picture, "")


def test_a_page_around_a_picture_runs_and_fetches_nothing() -> None:
    text = svg.page(svg.line_chart([curve("run", [1.0, 2.0])], "loss", "step", is_log=False), "loss & more")

    assert "content=\"default-src 'none'; style-src 'unsafe-inline'\"" in text
    assert "<title>loss &amp; more</title>" in text
    assert "<script" not in text
