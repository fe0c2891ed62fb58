"""The power is cut at any moment, in a model of a disk: what was acknowledged is there, and all can go on."""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path

import pytest

from mlreg.errors import MlregError
from tests.reliability.power import Recorder, State
from tests.reliability.power_story import Story, cut_and_go_on, told

CUTS = 20
"""At scale 1; `make soak` makes many times as many."""


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    root = tmp_path_factory.mktemp("power") / "disk"
    root.mkdir()
    return told(root)


def test_whatever_is_left_of_what_was_not_flushed_nothing_acknowledged_is_lost(
    story: Story, tmp_path: Path, scale: int
) -> None:
    for number in range(CUTS * scale):
        cut_and_go_on(story, tmp_path, number)


def test_the_model_loses_what_was_not_flushed(tmp_path: Path) -> None:
    def lost(*, flush: bool, name: bool) -> int:
        recorder, root = Recorder(), tmp_path / f"{flush}{name}"
        root.mkdir()
        fd = recorder.open(str(root / "file"), 0o101)
        recorder.write(fd, b"x" * 1000)
        if flush:
            recorder.fsync(fd)
        recorder.close(fd)
        if name:
            directory = recorder.open(str(root), 0o200000)
            recorder.fsync(directory)
            recorder.close(directory)
        whole = 0
        for number in range(40):
            left = tmp_path / f"{flush}{name}{number}"
            State(recorder.events).cut(str(root), left, random.Random(number))
            with suppress(FileNotFoundError):
                whole += (left / "file").read_bytes() == b"x" * 1000
        return 40 - whole

    assert lost(flush=True, name=True) == 0
    assert min(lost(flush=False, name=True), lost(flush=True, name=False)) > 5


@pytest.mark.parametrize("forgotten", ["flush", "flush directory"])
def test_the_model_catches_a_program_that_does_not_flush(forgotten: str, story: Story, tmp_path: Path) -> None:
    careless = Recorder()
    careless.events = [event for event in story.recorder.events if event.verb != forgotten]

    def cut_often() -> None:
        for number in range(200):
            cut_and_go_on(story._replace(recorder=careless), tmp_path, number)

    with pytest.raises((AssertionError, MlregError, OSError)):
        cut_often()
