"""A piece becomes a difference from another one while that one is collected: one of the two acts gives way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mlreg.operations import repack as repacking
from mlreg.operations import sweeping
from mlreg.operations.collect import collect
from mlreg.operations.sweeping import survey, sweep
from mlreg.registry.registry import Registry
from tests.unit.operations.test_repack import add, content, made, tuned
from tests.unit.operations.test_repack import run as repack_now


def swept(registry: Registry) -> int:
    return len(sweep(registry.repository, "Bob", lambda lost: "", lambda size: None).dropped)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    registry = made(tmp_path)
    add(registry, "1.0.0", tuned(0))
    add(registry, "1.1.0", tuned(1))
    return registry


def once(monkeypatch: pytest.MonkeyPatch, name: str, act: Callable[[], None]) -> None:
    """Do something before the first call of a function that repacks."""
    real, done = getattr(repacking, name), list[int]()

    def act_before(*args: object) -> object:
        if not done:
            done.append(1)
            act()
        return real(*args)

    monkeypatch.setattr(repacking, name, act_before)


@pytest.mark.parametrize("when", ["_rewritten", "_replaced"])
def test_what_was_chosen_as_a_base_and_collected_before_the_end_is_none(
    when: str, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Registry(registry.path, "Bob")

    def collect_base() -> None:
        other.remove(["model/net@1.0.0"])
        assert swept(other)
        assert collect(other.repository, "Bob", 0).files

    once(monkeypatch, when, collect_base)
    done = repack_now(registry)

    assert done.pieces == 0
    assert content(registry, "model/net@1.1.0") == tuned(1)
    assert registry.verify().problems == ()
    assert registry.verify().orphans == 0


def test_what_became_a_base_since_the_survey_stays(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """The repack has chosen its bases; then the version they are of is removed, and found to be of no use."""
    other, replaced, done = Registry(registry.path, "Bob"), repacking._replaced, list[repacking.Repacked]()

    def survey_and_replace(*what: object) -> object:
        found = survey(*what)  # type: ignore[arg-type] # what it is given
        finish()
        return found

    def finish() -> None:
        if not done:
            done.append(replaced(*waiting))  # type: ignore[arg-type] # what it is given

    waiting: list[object] = []

    def sweep_meanwhile(*what: object) -> repacking.Repacked:
        waiting.extend(what)
        other.remove(["model/net@1.0.0"])
        swept(other)
        return done[0]

    monkeypatch.setattr(sweeping, "survey", survey_and_replace)
    monkeypatch.setattr(repacking, "_replaced", sweep_meanwhile)

    assert repack_now(registry).pieces == 1
    assert content(registry, "model/net@1.1.0") == tuned(1)
    assert registry.verify().problems == ()
