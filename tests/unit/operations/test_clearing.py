"""Directories of sealed runs go at once, and only if all that is in them was sealed."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from mlreg.operations.clearing import delete, take_away, tidy
from mlreg.operations.journaling import Journal
from mlreg.operations.live_runs import LiveRun, live_ids, read_live_run, sizes_in
from tests.unit.operations.live import HERE, RUN, end, left, logged, read, start, write

SAID = {"a": [start(), logged(1, 1), end(2)]}


def interrupted(act: Callable[[], object], step: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Do something that is cut before a step: a change of the directory; return whether it had that many."""
    count = 0

    def counting(real: Callable[..., object]) -> Callable[..., object]:
        def call(*given: object, **named: object) -> object:
            nonlocal count
            count += 1
            if count == step:
                raise KeyboardInterrupt
            return real(*given, **named)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", counting(Path.rename))
        for name in ("unlink", "rmdir"):
            patch.setattr(os, name, counting(getattr(os, name)))
        try:
            act()
        except KeyboardInterrupt:
            return True
    return False


def test_a_sealed_run_goes_with_all_it_has(tmp_path: Path) -> None:
    take_away(read(tmp_path, SAID, {"x": b"1", "y": b"2"}))

    assert list(tmp_path.iterdir()) == []


def test_a_run_of_which_more_was_said_stays_whole(tmp_path: Path) -> None:
    run = read(tmp_path, SAID)
    journal = Journal(run.directory / "host.journal", is_shared=True)
    journal.say(logged(2, 3))
    journal.close()

    take_away(run)

    assert live_ids(tmp_path) == [RUN]
    assert len(read_live_run(tmp_path, RUN).state.metrics["loss"]) == 2


@pytest.mark.parametrize("more", [{"b": [start(1, experiment=None, **HERE)]}, {"a": [start(**HERE)]}])
def test_a_run_that_a_living_process_writes_to_stays(tmp_path: Path, more: dict[str, list[dict[str, object]]]) -> None:
    take_away(read(tmp_path, {**SAID, **more}))

    assert live_ids(tmp_path) == [RUN]


def test_a_run_whose_processes_have_left_goes(tmp_path: Path) -> None:
    take_away(read(tmp_path, {**SAID, "b": [start(1, experiment=None, **HERE), left(2)]}))

    assert list(tmp_path.iterdir()) == []


def test_of_two_who_take_away_at_once_neither_fails(tmp_path: Path) -> None:
    run = read(tmp_path, SAID)

    take_away(run)
    take_away(run)

    assert list(tmp_path.iterdir()) == []


def test_what_is_said_in_the_moment_of_taking_away_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call of the command line has the journal open, and writes after the last look and before the end."""
    run = read(tmp_path, SAID)
    journal = Journal(run.directory / "host.journal", is_shared=True)

    def late(directory: Path) -> tuple[tuple[str, int], ...]:
        journal.say(logged(2, 3))
        return sizes_in(directory)

    monkeypatch.setattr("mlreg.operations.clearing.sizes_in", late)
    take_away(run)
    journal.close()

    assert len(read_live_run(tmp_path, RUN).state.metrics["loss"]) == 2


def test_whoever_is_interrupted_leaves_all_or_what_nobody_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, seen = 0, set()
    while True:
        step += 1
        runs = tmp_path / str(step)
        run = read(runs, SAID, {"x": b"1", "y": b"2"})
        before = tree(run.directory)
        if not interrupted(partial(take_away, run), step, monkeypatch):
            break

        seen.add(tuple(live_ids(runs)))
        assert all(tree(path) == before for path in runs.iterdir() if not path.name.endswith(".done"))
        tidy(runs)
        # What was not looked at once more is there again, and can be sealed again.
        assert live_ids(runs) in ([], [RUN])
        if live_ids(runs):
            assert tree(runs / RUN) == before
            take_away(read_live_run(runs, RUN))
        assert list(runs.iterdir()) == []
    assert (step > 6, seen) == (True, {(), (RUN,)})


def tree(directory: Path) -> dict[str, bytes]:
    return {
        path.relative_to(directory).as_posix(): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }


def test_tidying_leaves_alone_what_is_not_ours(tmp_path: Path) -> None:
    names = ["notes.done", "x.aside", f"{RUN}.tar.gz", "latest"]
    for name in names:
        (tmp_path / name).mkdir()

    tidy(tmp_path)
    tidy(tmp_path / "nothing")

    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


def test_tidying_while_another_one_takes_away_harms_neither(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = read(tmp_path, SAID)

    def meanwhile(directory: Path) -> tuple[tuple[str, int], ...]:
        tidy(tmp_path)
        return sizes_in(directory)

    monkeypatch.setattr("mlreg.operations.clearing.sizes_in", meanwhile)
    take_away(run)

    assert live_ids(tmp_path) == [RUN]
    assert tree(run.directory)


def test_a_run_that_came_back_is_not_replaced_by_what_was_put_aside(tmp_path: Path) -> None:
    aside = write(tmp_path, SAID).rename(tmp_path / f"{RUN}.00000000.aside")
    write(tmp_path, {"a": [start(**HERE), logged(1, 1), logged(5, 5)]})

    tidy(tmp_path)

    assert len(read_live_run(tmp_path, RUN).state.metrics["loss"]) == 2
    assert aside.is_dir()


def test_a_directory_of_which_nothing_is_needed_is_deleted(tmp_path: Path) -> None:
    delete(write(tmp_path, SAID))
    delete(tmp_path / RUN)

    assert list(tmp_path.iterdir()) == []


def test_a_link_to_a_directory_is_no_run_to_delete(tmp_path: Path) -> None:
    run: LiveRun = read(tmp_path / "real", SAID)
    (tmp_path / RUN).symlink_to(run.directory)

    delete(tmp_path / RUN)

    assert tree(run.directory)
