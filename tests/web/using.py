"""What tests do with an open report, and read from it."""

from __future__ import annotations

from typing import Any

CHART = "metric => charts.find(chart => chart.metric === metric)"


def names(page: Any) -> list[str]:
    """Return the names of the runs in the table, from top to bottom."""
    found: list[str] = page.locator("#runs tbody tr[data-run] th").all_inner_texts()
    return [name.strip() for name in found]


def column(page: Any, title: str) -> list[str]:
    """Return the texts of a column of the table of runs, without the star of the best one."""
    heads = [head.strip(" ↑↓") for head in page.locator("#runs thead th").all_inner_texts()]
    cells = page.locator(f"#runs tbody tr[data-run] > :nth-child({heads.index(title) + 1})").all_inner_texts()
    return [cell.strip("★ ") for cell in cells]


def by_name(page: Any, title: str) -> dict[str, str]:
    """Return the texts of a column by the names of the runs."""
    return dict(zip(names(page), column(page, title), strict=True))


def choose(page: Any, where: str) -> None:
    """Draw the runs that a filter fits."""
    page.fill("#filter", where)
    page.press("#filter", "Enter")
    settle(page)


def settle(page: Any) -> None:
    """Wait until what was asked for is drawn."""
    page.evaluate(
        "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"
    )


# Charts.


def chart(page: Any, metric: str) -> Any:
    """Return the chart of a metric."""
    return page.locator(f'.chart[data-metric="{metric}"]')


def over(page: Any, metric: str) -> Any:
    """Return the part of a chart over which the pointer is listened to."""
    return chart(page, metric).locator(".u-over")


def drawn(page: Any, metric: str) -> int:
    """Return how many curves a chart shows, once it is drawn."""
    found = chart(page, metric)
    found.scroll_into_view_if_needed()
    page.wait_for_function("chart => chart.dataset.drawn !== undefined", arg=found.element_handle())
    return int(found.get_attribute("data-drawn"))


def of_chart(page: Any, metric: str, script: str) -> Any:
    """Return what a script says of a chart, which it knows as `chart`."""
    drawn(page, metric)
    return page.evaluate(f"metric => (chart => {script})(({CHART})(metric))", metric)


def scale(page: Any, metric: str, axis: str) -> tuple[float, float]:
    """Return the ends of an axis of a chart."""
    low, high = of_chart(page, metric, f"[chart.plot.scales.{axis}.min, chart.plot.scales.{axis}.max]")
    return low, high


def zoom(page: Any, metric: str, low: float, high: float) -> None:
    """Show a stretch of steps."""
    of_chart(page, metric, f"chart.zoom([{low}, {high}])")
    settle(page)


def drag(page: Any, metric: str, start: float, end: float) -> None:
    """Drag across a chart, from one share of its width to another."""
    drawn(page, metric)
    box = over(page, metric).bounding_box()
    height = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + start * box["width"], height)
    page.mouse.down()
    page.mouse.move(box["x"] + (start + end) / 2 * box["width"], height)
    page.mouse.move(box["x"] + end * box["width"], height)
    page.mouse.up()
    settle(page)
