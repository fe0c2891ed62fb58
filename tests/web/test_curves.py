"""Curves in a report: drawn from the points of the registry, however many and however wild, and looked at closely."""

from __future__ import annotations

import math

import pytest

from mlreg.operations.curves import smoothed
from mlreg.registry import ExperimentRegistry
from tests.web.conftest import Visit, made
from tests.web.projects import Project, log_run
from tests.web.using import chart, choose, column, drag, drawn, names, of_chart, over, scale, settle, zoom

PEAK = 73_501
"""The step of the one large value in a long curve."""
WILD: dict[str, list[float]] = {
    "all infinite": [math.inf, -math.inf, math.inf],
    "all nan": [math.nan] * 3,
    "as large as can be": [1.7e308, -1.7e308, 1e308],
    "huge": [1e300, 2e300, 3e300],
    "large and near": [1e16, 1e16 + 2, 1e16 + 4],
    "negative": [-1.0, -2.0, -3.0],
    "nearly equal": [1.0, 1.0 + 2**-52, 1.0],
    "one among nan": [math.nan, 1.0, math.nan],
    "smallest": [5e-324, 1e-323, 5e-324],
    "tiny": [1e-300, 2e-300, 3e-300],
    "zero": [0.0, 0.0, 0.0],
}
STEPS = {
    "back": [0, 5, 3, 4, 1],
    "far": [10**12, 10**12 + 1, 10**12 + 3, 10**12 + 4, 10**12 + 9],
    "huge": [0, 2**62, 2**62 + 1, 2**63 - 1, -(2**63) + 1],
    "repeated": [1, 1, 1, 2, 2],
    "the same": [7, 7, 7, 7, 7],
}
UNPACKED = """async metric => [...await curvesOf(metric)].map(
  ([number, { x, y }]) => [report.runs[number].ref, [...x], [...y].map(String)])"""
INK_ABOVE = """(({ plot: { ctx, bbox } }, run) => {
  const parts = inkOf(run).match(/[0-9a-f]{2}/g).map(part => parseInt(part, 16));
  const { data } = ctx.getImageData(bbox.left, bbox.top, bbox.width, bbox.height / 5);
  const isInk = at => parts.every((part, plane) => Math.abs(data[4 * at + plane] - part) < 20);
  return Array.from({ length: data.length / 4 }, (_, at) => at).filter(isInk).length;
})(chart, report.runs.find(run => run.name === 'one'))"""
"""Counts the pixels in the colour of a run in the upper fifth of a chart."""
IS_INKED = """(({ plot: { ctx, bbox } }) => {
  const { data } = ctx.getImageData(bbox.left, bbox.top, bbox.width, bbox.height);
  const [red, green, blue] = inkOf(report.order[0]).match(/[0-9a-f]{2}/g).map(part => parseInt(part, 16));
  for (let at = 0; at < data.length; at += 4)
    if (Math.abs(data[at] - red) + Math.abs(data[at + 1] - green) + Math.abs(data[at + 2] - blue) < 20) return true;
  return false;
})(chart)"""


@pytest.fixture(scope="session")
def long(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A run with a curve of 100,000 points, in which one is large, and one with the first half; with wild curves."""

    def fill(registry: ExperimentRegistry) -> None:
        values = [math.sin(step / 5000) for step in range(100_000)]
        values[PEAK] = 10.0
        for name in ("one", "two"):
            log_run(registry, name, {}, {"wave": values if name == "one" else values[: PEAK // 2], **WILD})

    return made(tmp_path_factory, "long", fill)


@pytest.mark.parametrize("metric", ["auc", "val/loss"])
def test_the_points_of_curves_are_those_of_the_registry(mixed: Project, visit: Visit, metric: str) -> None:
    page = visit(mixed.file)

    found = page.evaluate(UNPACKED, metric)

    assert len(found) == len(mixed.report.curves[metric]) > 1
    for ref, steps, values in found:
        series = mixed.registry.get_metrics(ref)[metric]
        assert steps == list(series.steps)
        assert [float(text) for text in values] == pytest.approx(list(series.values), rel=1e-7, nan_ok=True)


def test_a_chart_that_no_chosen_run_has_says_so(mixed: Project, visit: Visit) -> None:
    page = visit(mixed.file)

    choose(page, "metrics.auc is null")

    assert drawn(page, "auc") == 0
    assert chart(page, "auc").locator(".note").inner_text() == "none of the chosen runs has it"


def test_a_drag_zooms_one_chart_and_a_double_click_shows_all_again(churn: Project, visit: Visit) -> None:
    page = visit(churn.file)
    whole = (0.0, 59.0)
    assert scale(page, "loss", "x") == whole

    drag(page, "loss", 0.25, 0.5)
    low, high = scale(page, "loss", "x")
    assert 13 < low < 17
    assert 27 < high < 32
    assert scale(page, "auc", "x") == whole
    assert scale(page, "loss", "y")[1] < 1.5, "the values of the stretch, and not of all"

    over(page, "loss").dblclick()
    settle(page)
    assert scale(page, "loss", "x") == whole


def test_a_button_shows_all_again_too(churn: Project, visit: Visit) -> None:
    page = visit(churn.file)
    drag(page, "loss", 0.5, 0.75)
    assert scale(page, "loss", "x")[0] > 20

    chart(page, "loss").get_by_role("button", name="show all").click()
    settle(page)

    assert scale(page, "loss", "x") == (0, 59)
    assert chart(page, "loss").get_by_role("button", name="show all").count() == 0


def test_smoothing_is_that_of_the_terminal_and_keeps_the_points(churn: Project, visit: Visit) -> None:
    page = visit(churn.file)
    drawn(page, "loss")

    page.locator("#smoothing").fill("0.9")
    settle(page)

    assert page.locator("#curves output").inner_text() == "0.9"
    assert of_chart(page, "loss", "chart.plot.series.length") == 1 + 2 * 12
    raw = [math.nan if step == 7 else 2 * math.exp(-step / 10) + 0.01 for step in range(60)]
    found = page.evaluate("values => [...smoothed(Float64Array.from(values), 0.9)]", raw)
    expected = smoothed(raw, 0.9)
    assert found[:7] + found[8:] == pytest.approx(expected[:7] + expected[8:], rel=1e-12)


def test_a_logarithmic_scale_leaves_out_what_it_cannot_have_and_says_so(mixed: Project, visit: Visit) -> None:
    page = visit(mixed.file)

    page.get_by_label("logarithmic").check()
    settle(page)

    low, high = scale(page, "val/loss", "y")
    assert low == pytest.approx(math.log10(0.5), abs=0.1)
    assert high == pytest.approx(0, abs=0.1)
    values = [value for curve in mixed.report.curves["auc"] for value in curve.values]
    left = sum(value <= 0 and math.isfinite(value) for value in values)
    assert f"{left} values not above zero, left out" in chart(page, "auc").locator(".note").inner_text()


def test_what_is_not_finite_is_counted_and_shown(mixed: Project, visit: Visit) -> None:
    page = visit(mixed.file)
    drawn(page, "auc")

    odd = sum(curve.not_finite for curve in mixed.report.curves["auc"])
    assert f"{odd} values NaN or infinite, marked below" in chart(page, "auc").locator(".note").inner_text()
    assert {"NaN", "Infinity", "-Infinity"} <= set(column(page, "one"))


def test_the_pointer_says_which_curve_is_there(churn: Project, visit: Visit) -> None:
    page = visit(churn.file)
    value = 0.5 + 5 / 40 + 30 / 600
    left, top = of_chart(page, "auc", f"[chart.plot.valToPos(30, 'x'), chart.plot.valToPos({value}, 'y')]")
    box = over(page, "auc").bounding_box()

    page.mouse.move(box["x"] + left, box["y"] + top)

    assert page.locator("#tip").inner_text().split("\n") == ["try-5", "auc: 0.675", "step 30"]
    assert page.locator("#runs tr.lifted th").inner_text().strip() == "try-5"
    page.mouse.move(5, 5)
    assert page.locator("#tip").is_hidden()
    assert page.locator("#runs tr.lifted").count() == 0


def test_the_legend_names_each_curve_and_leaves_it_out_on_a_click(churn: Project, visit: Visit) -> None:
    page = visit(churn.file)
    legend = page.locator("#curves .legend button")
    assert legend.all_inner_texts() == names(page)

    legend.get_by_text("try-9", exact=True).click()
    settle(page)

    assert drawn(page, "auc") == 11
    assert "try-9" not in legend.all_inner_texts()


def test_a_metric_is_found_among_many(long: Project, visit: Visit) -> None:
    page = visit(long.file)

    page.get_by_label("Find a metric").fill("NAN")

    shown = [one.get_attribute("data-metric") for one in page.locator(".chart:visible").all()]
    assert shown == ["all nan", "one among nan"]


def test_a_peak_among_100_000_points_is_drawn_at_every_zoom(long: Project, visit: Visit) -> None:
    page = visit(long.file)
    assert drawn(page, "wave") == 2
    assert scale(page, "wave", "y")[1] > 10
    assert of_chart(page, "wave", INK_ABOVE) > 10

    for before, behind in ((20_000, 11_111), (1_234, 3_000), (301, 17), (7, 5)):
        zoom(page, "wave", PEAK - before, PEAK + behind)
        assert scale(page, "wave", "y")[1] > 10
        assert of_chart(page, "wave", INK_ABOVE) > 10
    zoom(page, "wave", 0, PEAK - 1)
    assert scale(page, "wave", "y")[1] < 2


@pytest.mark.parametrize("is_log", [False, True], ids=["linear", "logarithmic"])
def test_wild_numbers_are_drawn_on_any_scale(long: Project, visit: Visit, is_log: bool) -> None:
    page = visit(long.file)
    page.get_by_label("logarithmic").set_checked(is_log)
    settle(page)

    for metric, values in WILD.items():
        assert drawn(page, metric) == 2
        fitting = [value for value in values if math.isfinite(value) and (value > 0 or not is_log)]
        # Marks of what is not finite have the colour of the run, too.
        assert of_chart(page, metric, IS_INKED) == bool(fitting or not all(map(math.isfinite, values))), metric
        assert of_chart(page, metric, "chart.plot.axes[1]._values.filter(Boolean).length") > 0, metric


def test_steps_that_repeat_go_back_or_are_huge_keep_their_points(
    tmp_path_factory: pytest.TempPathFactory, visit: Visit
) -> None:
    def fill(registry: ExperimentRegistry) -> None:
        with registry.start_experiment("churn", run_name="odd") as run:
            for metric, steps in STEPS.items():
                for number, step in enumerate(steps):
                    run.log_metrics({metric: float(number)}, step)

    page = visit(made(tmp_path_factory, "steps", fill).file)

    for metric, steps in STEPS.items():
        assert drawn(page, metric) == 1
        [(_, x, y)] = page.evaluate(UNPACKED, metric)
        ordered = sorted((step, number) for number, step in enumerate(steps))
        assert [(float(step), float(value)) for step, value in zip(x, y, strict=True)] == [
            (float(step), float(number)) for step, number in ordered
        ]


def test_a_window_that_changes_its_width_gets_charts_of_that_width(churn: Project, visit: Visit) -> None:
    page = visit(churn.file)
    drawn(page, "auc")

    page.set_viewport_size({"width": 600, "height": 900})

    page.wait_for_function("() => document.querySelector('.chart[data-metric=auc] .uplot').clientWidth < 560")
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
