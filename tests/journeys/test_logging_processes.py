"""Real processes log to runs and are killed, or are many: what they were told is logged is in the sealed runs."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

from mlreg.registry.experiment import ExperimentRegistry
from mlreg.registry.run_results import RunInfo
from tests.journeys import loggers
from tests.journeys.loggers import LONG, said

ROUNDS = 200
"""Processes that are killed, at scale 1."""
OWN, JOINED, SHARED = 50, 50, 5
"""Processes that log to a run of their own, that log to one of others, and how many of those there are."""
AMOUNT = 20
"""Things that each of them logs, at scale 1."""


def run_loggers(root: Path, *words: str | int) -> None:
    (root / "notes").mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, loggers.__file__, str(root), *map(str, words)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def notes_of(path: Path) -> list[tuple[str, str]]:
    return [(kind, name) for kind, name in map(json.loads, path.read_text().splitlines())]


def contents(registry: ExperimentRegistry, info: RunInfo) -> dict[tuple[str, str], Any]:
    """Return all that a sealed run holds, as it was said; of a metric, all values."""
    found: dict[tuple[str, str], Any] = {}
    for name, series in registry.get_metrics(info.ref).items():
        found["metric", name] = list(series.values)
    found.update((("param", name), value) for name, value in info.params.items())
    found.update((("label", name), value) for name, value in info.labels.items())
    for file in registry.registry.files(info.ref):
        if file.path.startswith("artifacts/"):
            data = b"".join(registry.registry.cat(f"{info.ref}:{file.path}"))
            found["file", file.path.removeprefix("artifacts/")] = data.decode()
    return found


def expected(things: list[tuple[str, str, Any]]) -> dict[tuple[str, str], Any]:
    found: dict[tuple[str, str], Any] = {}
    for kind, name, value in things:
        if kind == "metric":
            found.setdefault((kind, name), []).append(float(value))
        else:
            found[kind, name] = value[: 100 if kind == "label" else LONG]
    return found


def check_killed(registry: ExperimentRegistry, seed: int, told: list[tuple[str, str]]) -> RunInfo:
    """Check the adopted run of a process that was killed, by what it was told."""
    info = registry.get_run(told[0][1])
    names = [note for note in told if note[0] not in ("run", "ending", "end")]
    count, last = len(names), told[-1][0]
    things = list(islice(said(seed), count + 1))
    assert names == [thing[:2] for thing in things[:count]]
    # What it was saying when it was killed is there or not, and never in part.
    possible = (
        [expected(things[:count]), expected(things)] if last not in ("ending", "end") else [expected(things[:count])]
    )
    assert contents(registry, info) in possible, seed
    assert info.facts.get("missing", []) == []
    assert info.status in {"end": ("finished",), "ending": ("finished", "crashed")}.get(last, ("crashed",)), seed
    return info


def test_what_a_killed_process_was_told_is_logged_is_in_the_adopted_run_and_nothing_else(
    tmp_path: Path, scale: int
) -> None:
    run_loggers(tmp_path, "kill_some", ROUNDS * scale)
    registry = ExperimentRegistry(tmp_path / "registry", "me")
    registry.adopt_all(crashed=True)
    before = registry.registry.repository.log.refresh().number

    notes = {int(path.name): notes_of(path) for path in (tmp_path / "notes").iterdir()}
    infos = [check_killed(registry, seed, told) for seed, told in notes.items() if told]

    assert len(notes) == ROUNDS * scale
    # Each run is one version.
    assert len(registry.registry.versions("exp/churn")) == len(registry.list_runs()) >= len(infos) > ROUNDS // 2
    assert list((tmp_path / "registry" / "runs").iterdir()) == []
    assert registry.adopt_all(crashed=True) == []
    assert registry.registry.repository.log.refresh().number == before
    assert registry.registry.verify().problems == ()


def test_a_hundred_processes_that_log_at_once_lose_nothing(tmp_path: Path, scale: int) -> None:
    """The first of them makes the registry, and all seal their runs at the same time."""
    run_loggers(tmp_path, "all_at_once", OWN, JOINED, SHARED, AMOUNT * scale)

    registry = ExperimentRegistry(tmp_path / "registry", "me")
    infos = {info.id: info for info in registry.list_runs()}
    assert len(infos) == OWN + SHARED
    assert {info.status for info in infos.values()} == {"finished"}
    shared: dict[str, dict[tuple[str, str], Any]] = {}
    for path in (tmp_path / "notes").iterdir():
        seed, _, worker = path.name.rpartition(" ")
        told = notes_of(path)
        if seed:
            assert len(told) == AMOUNT * scale
            shared.setdefault(seed, {})["metric", f"of {worker}"] = list(map(float, range(len(told))))
            continue
        assert told[-1][0] == "end"
        things = list(islice(said(int(path.name)), AMOUNT * scale))
        assert contents(registry, infos[told[0][1]]) == expected(things)
    assert {run: contents(registry, infos[run]) for run in shared} == shared
    assert list((tmp_path / "registry" / "runs").iterdir()) == []
    assert registry.registry.verify().problems == ()
