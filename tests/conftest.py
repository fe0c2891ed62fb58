"""What every test may rely on: a home of its own, and the same random examples in every run.

`pytest --scale 100` does a hundred times the everyday work, with new random examples each time.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

from tests.hostile import counting

EXAMPLES = 100
"""Examples of a property at scale 1, unless its test says otherwise."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--scale`."""
    parser.addoption("--scale", type=int, default=1, help="how many times the everyday work; 1 by default")


def pytest_configure(config: pytest.Config) -> None:
    """Make properties repeatable at scale 1, random above it, and never a matter of time."""
    scale: int = config.getoption("--scale")
    settings.register_profile("mlreg", deadline=None, derandomize=scale == 1, max_examples=EXAMPLES * scale)
    settings.load_profile("mlreg")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Let a worker tell the run that it is part of what it tried."""
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["tried"] = dict(counting.TRIED)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add up what the workers tried."""
    counting.TRIED.update(getattr(node, "workeroutput", {}).get("tried", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many hostile inputs were tried."""
    if counting.TRIED:
        counts = ", ".join(f"{count:,} {what}" for what, count in sorted(counting.TRIED.items()))
        terminalreporter.write_line(f"hostile inputs tried: {counts}")


@pytest.fixture(scope="session")
def scale(pytestconfig: pytest.Config) -> int:
    """How many times the everyday work a soak test does."""
    value: int = pytestconfig.getoption("--scale")
    return value


@pytest.fixture(scope="session", autouse=True)
def _no_ignored_interrupts() -> None:
    """Let processes that tests start be interrupted: a shell ignores that for what runs in its background."""
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGQUIT, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)


@pytest.fixture(scope="session", autouse=True)
def _a_home_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the settings and caches of whoever runs the tests out of them, and theirs out of those."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("MLREG_", "XDG_"))]:
            patch.delenv(name)
        home = tmp_path_factory.mktemp("home")
        for parent in home.parents:
            if (parent / ".mlreg").exists() or (parent / "mlreg.json").exists():
                pytest.exit(f"{parent} holds a repository, which every test would find: move it away", 1)
        patch.setenv("HOME", str(home))
        yield
