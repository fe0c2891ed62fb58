"""A real browser without a window, and reports to open in it.

Whatever a test does, its pages say nothing on the console, throw nothing, and ask for nothing but themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks import chromium
from mlreg.registry import ExperimentRegistry
from mlreg.registry.places import init
from tests.web import projects
from tests.web.projects import ANN, Project

Visit = Callable[..., Any]
"""Opens a file in a page of the browser, and waits for what says that it is `ready`; other arguments are those of
`Browser.new_page`."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Start Chromium, once for a module: what drives it holds the thread's event loop as long as it runs."""
    if reason := chromium.missing():
        pytest.skip(reason)
    with chromium.started() as found:
        yield found


@pytest.fixture
def visit(browser: Any) -> Iterator[Visit]:
    """Return a function that opens a file; afterwards no page has said or asked for anything."""
    pages: list[Any] = []
    said: list[str] = []
    asked: list[str] = []
    opened: list[str] = []

    def dismiss(dialog: Any) -> None:
        said.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def open_file(path: Path, *, ready: str = "html[data-ready]", **surroundings: Any) -> Any:
        page = browser.new_page(**{"viewport": {"width": 1280, "height": 900}, **surroundings})
        pages.append(page)
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(f"error: {error}"))
        page.on("dialog", dismiss)
        page.on("request", lambda request: asked.append(request.url))
        opened.append(path.as_uri())
        page.goto(path.as_uri())
        page.wait_for_selector(ready)
        return page

    yield open_file
    for page in pages:
        page.close()
    assert said == []
    assert asked == opened


def made(factory: pytest.TempPathFactory, name: str, fill: Callable[[ExperimentRegistry], object]) -> Project:
    """Return a project of this name, and the report on all that it holds."""
    place, _ = init(factory.mktemp(name) / "registry", shared=True)
    registry = ExperimentRegistry(place, ANN)
    fill(registry)
    return projects.report_on(registry)


@pytest.fixture(scope="session")
def churn(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Twelve runs with curves, a dataset, two models, a card and notes."""
    return made(tmp_path_factory, "churn", projects.churn)


@pytest.fixture(scope="session")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Runs with values of all sorts."""
    return made(tmp_path_factory, "mixed", projects.mixed)
