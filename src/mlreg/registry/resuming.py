"""Going on with a run: one that was interrupted, and one that was sealed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from mlreg.errors import NotFoundError
from mlreg.formats.run import RunState, Series
from mlreg.operations.journaling import Journal, open_journal
from mlreg.registry.run_place import Place, now
from mlreg.registry.running import refuse_running
from mlreg.registry.searching_runs import sealed, sealed_metrics


class Said(NamedTuple):
    """What was logged so far that counts for what is logged next."""

    params: Mapping[str, Any] = {}
    steps: Mapping[str, int] = {}
    """Of each metric the next step."""


class Resumed(NamedTuple):
    """A run that goes on."""

    id: str
    experiment: str
    journal: Journal
    said: Said


def resume(place: Place, run: str) -> Resumed:
    """Go on with a run, sealed or not; raises as `ExperimentRegistry.resume`."""
    return _resumed(place, run, lives=True)


def reopen(place: Place, run: str) -> str:
    """Go on with a run without being a process of it; returns its id, raises as `ExperimentRegistry.reopen`."""
    try:
        live = place.find(run)
    except NotFoundError as error:
        if error.code != "run_missing":
            raise
    else:
        if live.status == "running" and not live.is_written:
            return live.state.id
    resumed = _resumed(place, run, lives=False)
    resumed.journal.close()
    return resumed.id


def _resumed(place: Place, run: str, *, lives: bool) -> Resumed:
    try:
        live = place.find(run)
    except NotFoundError as error:
        if error.code != "run_missing":
            raise
        return _unsealed(place, run, lives=lives)
    refuse_running(live)
    state, directory = live.state, place.directory / live.state.id
    # Whatever the clocks say, it goes on after all that was said before, and after its end above all.
    time, start = live.after(now()), {"experiment": state.experiment}
    journal = open_journal(directory, state.id, time, start, lives=lives)
    return Resumed(state.id, state.experiment, journal, said_in(place, state))


def _unsealed(place: Place, run: str, *, lives: bool) -> Resumed:
    # Whichever version was named: what it was sealed as last has all of it.
    info = sealed(place, sealed(place, run).id)
    _, _, target = place.registry.find(info.ref)
    start = {"experiment": target.entry.name, "resumes": target.version}
    said = Said(info.params, next_steps(sealed_metrics(place, info.ref)))
    journal = open_journal(place.directory / info.id, info.id, now(), start, lives=lives)
    return Resumed(info.id, info.experiment, journal, said)


def said_in(place: Place, state: RunState) -> Said:
    """Return what was logged so far to a run that is not sealed, and before it was resumed."""
    earlier = before(place, state) if state.resumes else Said()
    return Said({**state.params, **earlier.params}, {**earlier.steps, **next_steps(state.metrics)})


def before(place: Place, state: RunState) -> Said:
    """Return what was logged to a run before it was sealed and resumed."""
    info = sealed(place, f"exp/{state.experiment}@{state.resumes}")
    return Said(info.params, next_steps(sealed_metrics(place, info.ref)))


def next_steps(metrics: Mapping[str, Series]) -> dict[str, int]:
    """Return the step that each metric has next."""
    return {name: series.steps[-1] + 1 for name, series in metrics.items()}
