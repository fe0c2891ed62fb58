"""Pictures made of characters: whatever is drawn, they fit a terminal, obey nothing, and show what there is."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from unicodedata import category, east_asian_width

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlreg.cli import charts
from mlreg.cli.canvas import Canvas, Scale
from mlreg.cli.charts import WIDTH, fitted, padded
from mlreg.formats.journal import spelled
from mlreg.operations.curves import smoothed
from mlreg.registry.plotting import Curve, Table
from tests.cli.calling import Call, on_terminal

LARGEST, SMALLEST = sys.float_info.max, 5e-324
EXTREME = (0.0, -0.0, SMALLEST, -SMALLEST, LARGEST, -LARGEST, 1e16, 1e16 + 2, 1.0, math.nextafter(1.0, 2))
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(EXTREME)
points = numbers | st.sampled_from([math.nan, math.inf, -math.inf])
names = st.text(max_size=60) | st.sampled_from(["\x1b[2J\n\r", "学習率" * 30, "a\u202eb", "", "[red]x", "é" * 100])
cells = numbers | st.booleans().map(str) | names


def width(line: str) -> int:
    return sum(1 + (east_asian_width(character) in "WF") for character in line)


def is_fine(lines: Sequence[str]) -> bool:
    """Tell whether a terminal of 80 columns shows lines as they are."""
    return bool(lines) and all(
        width(line) <= WIDTH and not any(category(one) in ("Cc", "Cf", "Cs") for one in line) for line in lines
    )


def curve(values: Sequence[float], *, smoothing: float = 0.0, name: str = "", xs: Sequence[float] = ()) -> Curve:
    """Return a curve as the registry gives it: finite points only."""
    smooth = smoothed(values, smoothing) if smoothing else []
    drawn = [at for at, value in enumerate(values) if math.isfinite(value)]
    return Curve(
        ref="exp/churn@0199ab3f-21c5-7000-8000-000000000000",
        name=name,
        x=tuple(xs[at] if xs else float(at) for at in drawn),
        y=tuple(values[at] for at in drawn),
        smooth=tuple(smooth[at] for at in drawn) if smooth else (),
        points=len(values),
        not_finite=len(values) - len(drawn),
        last=spelled(values[-1]),
    )


def drawn(lines: Sequence[str]) -> set[tuple[int, int]]:
    """Return the dots of a picture: across, down."""
    shift = (
        (0x01, 0, 0),
        (0x02, 0, 1),
        (0x04, 0, 2),
        (0x40, 0, 3),
        (0x08, 1, 0),
        (0x10, 1, 1),
        (0x20, 1, 2),
        (0x80, 1, 3),
    )
    found: set[tuple[int, int]] = set()
    for row, line in enumerate(line for line in lines if "│" in line):
        for column, character in enumerate(line.partition("│")[2]):
            bits = ord(character) - 0x2800 if "\u2800" <= character <= "\u28ff" else 0
            found.update((column * 2 + x, row * 4 + y) for bit, x, y in shift if bits & bit)
    return found


# Scales.


@given(st.lists(numbers, min_size=1, max_size=6), st.booleans())
def test_every_value_has_a_place_on_its_scale_and_their_order_is_that_of_the_values(
    values: list[float], is_log: bool
) -> None:
    scale = Scale.over(values, is_log=is_log)
    places = [(value, scale.place(value)) for value in sorted(values)]

    for value, place in places:
        assert (place is None) == (is_log and value <= 0)
        assert place is None or 0 <= place <= 1
    known = [place for _, place in places if place is not None]
    assert known == sorted(known)
    assert all(math.isfinite(scale.value(place)) for place in (0, 0.25, 0.5, 1))


@pytest.mark.parametrize("is_log", [False, True])
@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_on_no_scale(odd: float, is_log: bool) -> None:
    scale = Scale.over([1.0, odd, 100.0], is_log=is_log)

    assert scale.place(odd) is None
    assert (round(scale.value(0), 9), round(scale.value(1), 9)) == (1, 100)


def test_a_logarithmic_scale_has_equal_places_for_equal_ratios() -> None:
    scale = Scale.over([1, 10, 100, 0, -5], is_log=True)

    assert [scale.place(value) for value in (1, 10, 100)] == [0, 0.5, 1]


# Curves.


@given(
    values=st.lists(st.lists(points, min_size=1, max_size=9), min_size=1, max_size=3),
    is_log=st.booleans(),
    smoothing=st.sampled_from([0.0, 0.5, 0.99]),
    name=names,
)
@example(values=[[LARGEST, -LARGEST]], is_log=False, smoothing=0.5, name="")
@example(values=[[1e16, 1e16 + 2]], is_log=True, smoothing=0.0, name="")
@example(values=[[SMALLEST]], is_log=True, smoothing=0.9, name="")
@example(values=[[-1.0, 0.0]], is_log=True, smoothing=0.0, name="\x1b[2J")
@example(values=[[math.nan]], is_log=True, smoothing=0.5, name="x" * 300)
def test_curves_of_any_numbers_and_names_fit_a_terminal(
    values: list[list[float]], is_log: bool, smoothing: float, name: str
) -> None:
    curves = [curve(some, smoothing=smoothing, name=name) for some in values]

    assert is_fine(list(charts.line_chart(curves, name, name, is_log=is_log)))


@given(st.lists(st.floats(0, 1), min_size=2, max_size=80), st.floats(0.1, 0.99))
def test_the_points_stay_visible_behind_a_smoothed_curve(values: list[float], weight: float) -> None:
    smooth = curve(values, smoothing=weight)
    canvas = Canvas(charts.COLUMNS, charts.ROWS)
    across, up = Scale.over(smooth.x), Scale.over([*smooth.y, *smooth.smooth])
    for x, y in zip(smooth.x, smooth.y, strict=True):
        canvas.dot(across.place(x) or 0, up.place(y) or 0)
    points = drawn([f"│{line}" for line in canvas.lines()])

    picture = drawn(list(charts.line_chart([smooth], "loss", "step", is_log=False)))

    assert points <= picture


def test_a_smoothed_curve_is_another_one_than_its_points() -> None:
    values = [float(at % 2) for at in range(40)]

    rough = drawn(list(charts.line_chart([curve(values)], "loss", "step", is_log=False)))
    smooth = drawn(list(charts.line_chart([curve(values, smoothing=0.9)], "loss", "step", is_log=False)))

    # The points are at the edges; only the smoothed line runs through the middle, and no line joins the edges.
    assert len(smooth) < len(rough)
    assert any(20 < down < 52 for _, down in smooth)


def test_a_rising_curve_rises_and_its_ends_are_at_the_ends() -> None:
    lines = list(charts.line_chart([curve([0.0, 1.0, 2.0, 3.0])], "auc", "step", is_log=False))

    dots = drawn(lines)
    tops = [min(down for across, down in dots if across == column) for column in range(charts.COLUMNS * 2)]
    assert tops == sorted(tops, reverse=True)
    assert (tops[0], tops[-1]) == (charts.ROWS * 4 - 1, 0)
    assert lines[0] == "auc"
    assert lines[1].startswith("  3 │")
    assert lines[-2].split() == ["0", "step", "3"]


def test_one_point_and_a_constant_are_seen() -> None:
    assert len(drawn(list(charts.line_chart([curve([7.0])], "auc", "step", is_log=False)))) == 1
    flat = drawn(list(charts.line_chart([curve([7.0] * 9)], "auc", "step", is_log=False)))
    assert len({down for _, down in flat}) == 1
    assert len(flat) == charts.COLUMNS * 2


def test_a_logarithm_leaves_out_what_has_none_and_says_so() -> None:
    lines = list(charts.line_chart([curve([-1.0, 0.0, 1.0, 10.0])], "loss", "step", is_log=True))

    # The two that have a logarithm, at the right: from step 2 of 0 to 3 on.
    assert min(across for across, _ in drawn(lines)) == charts.COLUMNS * 2 * 2 // 3
    assert lines[1].split()[0] == "10"
    assert "not all above 0" in lines[-1]
    assert "not all above 0" not in list(charts.line_chart([curve([1.0])], "loss", "step", is_log=True))[-1]


def test_the_last_value_is_told_even_if_it_is_no_number() -> None:
    (legend,) = list(charts.line_chart([curve([0.5, math.nan])], "loss", "step", is_log=False))[-1:]

    assert legend == "exp/churn@0199ab3f-21c5: NaN (2 points, 1 of them NaN or infinite)"


def test_several_curves_have_letters_and_a_legend_that_tells_them_apart() -> None:
    curves = [curve([0.0, 1.0], name="up"), curve([1.0, 0.0], name="down")]

    lines = list(charts.line_chart(curves, "auc", "step", is_log=False))

    assert lines[1].endswith("a")
    assert lines[charts.ROWS].endswith("b")
    assert [line[:3] for line in lines[-2:]] == ["a  ", "b  "]
    assert " up: 1 " in lines[-2]


# Facts of many runs.


def table(rows: Sequence[Sequence[object]], *keys: str) -> Table:
    """Return a table of facts."""
    refs = tuple(f"exp/churn@0199ab3f-{number:04x}-7000-8000-000000000000" for number in range(len(rows)))
    return Table(keys, refs, tuple(map(tuple, rows)))


DRAWERS = {"scatter": (charts.scatter, 2), "histogram": (charts.histogram, 1), "parallel": (charts.parallel, 3)}


@given(st.sampled_from([*DRAWERS]), st.data())
def test_facts_of_any_kind_fit_a_terminal(kind: str, data: st.DataObject) -> None:
    draw, columns = DRAWERS[kind]
    rows = data.draw(st.lists(st.lists(cells, min_size=columns, max_size=columns), min_size=1, max_size=30))
    keys = data.draw(st.lists(names, min_size=columns, max_size=columns))

    assert is_fine(list(draw(table(rows, *keys))))


@pytest.mark.parametrize("columns", [2, 5, 16])
def test_parallel_coordinates_of_many_facts_show_a_bar_for_each(columns: int) -> None:
    rows = [[float(number)] * columns for number in range(3)]

    lines = list(charts.parallel(table(rows, *(f"params.p{number}" for number in range(columns)))))

    assert is_fine(lines)
    assert lines[0] == "a  params.p0: 0 to 2"
    bars = [[character for character in line if character in "▁▂▃▄▅▆▇█"] for line in lines[-3:]]
    assert bars == [["▁"] * columns, ["▅"] * columns, ["█"] * columns]
    assert lines[-1].endswith("exp/churn@0199ab3f-0002")


@given(st.lists(numbers, min_size=1, max_size=40))
def test_a_histogram_counts_every_run_once(values: list[float]) -> None:
    lines = list(charts.histogram(table([[value] for value in values], "params.lr")))

    assert sum(int(line.rsplit(maxsplit=1)[1]) for line in lines[1:]) == len(values)


def test_a_histogram_of_many_words_shows_the_commonest_and_counts_the_others() -> None:
    words = [f"word {number}" for number in range(50)] + ["adam"] * 3

    lines = list(charts.histogram(table([[word] for word in words], "params.optim")))

    assert len(lines) == charts.MOST_WORDS + 2
    assert lines[1].split()[0] == "adam"
    assert lines[1].endswith(" 3")
    assert (lines[-1].split()[:2], lines[-1].split()[-1]) == (["31", "others"], "31")


def test_a_scatter_names_few_runs_and_only_shows_many() -> None:
    few = list(charts.scatter(table([[1.0, 1.0], [2.0, 3.0]], "params.lr", "metrics.auc")))
    many = list(charts.scatter(table([[float(at), float(at)] for at in range(30)], "params.lr", "metrics.auc")))

    assert (few[1][-1], few[charts.ROWS][-1], len(few)) == ("b", "a", charts.ROWS + 5)
    assert "•" in many[1]
    assert len(many) == charts.ROWS + 3


# Text.


@given(names, st.integers(1, 20))
def test_text_is_cut_to_its_columns_and_filled_up_to_them(text: str, columns: int) -> None:
    assert width(fitted(text, columns)) <= columns
    assert width(padded(text, columns)) == columns
    assert padded(text, columns, is_right=True).strip() == padded(text, columns).strip()


def test_text_that_fits_is_not_cut() -> None:
    assert (fitted("abc", 3), fitted("abcd", 3), fitted("", 0), fitted("abc", 0)) == ("abc", "ab…", "", "")
    assert fitted("学習率", 5) == "学習…"


# The command.


KINDS = {
    "line": ["-m", "loss", "--smooth", "0.5", "--logy", "--x", "time"],
    "hist": ["--kind", "hist", "-m", "params.lr"],
    "scatter": ["--kind", "scatter", "-m", "params.lr", "-m", "auc"],
    "parallel": ["--kind", "parallel", "-m", "params.lr", "-m", "auc", "-m", "attributes.status"],
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_is_the_same_on_a_terminal_and_in_a_pipe(kind: str, mlreg: Call) -> None:
    piped = mlreg("plot", "--exp", "churn", *KINDS[kind])
    shown = on_terminal("plot", "--exp", "churn", *KINDS[kind])

    assert (piped.status, piped.err) == (0, "")
    assert is_fine(piped.out.splitlines())
    assert shown.out.replace("\r\n", "\n") == piped.out


def test_what_only_a_terminal_can_draw_is_offered_as_a_report_that_can_be_made(mlreg: Call) -> None:
    words = ["plot", "exp/churn", "--kind", "parallel", "-m", "params.lr", "-m", "auc", "--out", "p.svg", "--json"]

    (fix,) = mlreg(*words).error["fix"]

    assert fix == "mlreg report exp/churn -o p.html"
    assert mlreg(*fix.split()[1:]).status == 0
    assert "<html" in Path("p.html").read_text(encoding="utf-8")
