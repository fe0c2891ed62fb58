"""A browser without a window, in which reports are opened."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
]
NAMES = ("chromium", "chromium-browser", "google-chrome")


def missing() -> str:
    """Return what is missing for a browser to be started; empty if nothing is."""
    if find_spec("playwright") is None:
        return "playwright is not installed"
    return "" if _program() else "Chromium is not installed"


def _program() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def started() -> Iterator[Any]:
    """Yield the browser, as playwright has it; nothing may be missing."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_program(), headless=True, args=FLAGS)
        yield browser
        browser.close()
