"""Going on with a run: one that was interrupted, and one that was sealed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from mlreg.errors import NotFoundError
from mlreg.formats.run import Series
from mlreg.operations.journaling import Journal, open_journal
from mlreg.registry.run_place import Place, now
from mlreg.registry.running import refuse_running
from mlreg.registry.searching_runs import metrics, sealed


class Resumed(NamedTuple):
    """A run that goes on."""

    id: str
    experiment: str
    journal: Journal
    params: Mapping[str, Any]
    steps: Mapping[str, int]
    """Of each metric the next step."""


def resume(place: Place, run: str) -> Resumed:
    """Go on with a run, sealed or not; raises as `ExperimentRegistry.resume`."""
    try:
        live = place.find(run)
    except NotFoundError as error:
        if error.code != "run_missing":
            raise
        return _reopened(place, run)
    refuse_running(live)
    state = live.state
    steps = next_steps(state.metrics)
    # Whatever the clocks say, it goes on after all that was said before, and after its end above all.
    journal = _begun(place, state.id, live.after(now()), {"experiment": state.experiment})
    return Resumed(state.id, state.experiment, journal, state.params, steps)


def _reopened(place: Place, run: str) -> Resumed:
    # Whichever version was named: what it was sealed as last has all of it.
    info = sealed(place, sealed(place, run).id)
    _, _, target = place.registry.find(info.ref)
    steps = next_steps(metrics(place, info.ref))
    journal = _begun(place, info.id, now(), {"experiment": target.entry.name, "resumes": target.version})
    return Resumed(info.id, info.experiment, journal, info.params, steps)


def next_steps(metrics: Mapping[str, Series]) -> dict[str, int]:
    """Return the step that each metric has next."""
    return {name: series.steps[-1] + 1 for name, series in metrics.items()}


def _begun(place: Place, run: str, time: int, start: Mapping[str, Any]) -> Journal:
    return open_journal(place.directory / run, run, time, start, lives=True)
