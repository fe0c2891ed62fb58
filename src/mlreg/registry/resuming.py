"""Going on with a run: one that was interrupted, and one that was sealed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from mlreg.errors import NotFoundError
from mlreg.operations.journaling import Journal, open_journal
from mlreg.registry.run_place import Place
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
    steps = {name: series.steps[-1] + 1 for name, series in state.metrics.items()}
    journal = _begun(place, state.id, {"experiment": state.experiment})
    return Resumed(state.id, state.experiment, journal, state.params, steps)


def _reopened(place: Place, run: str) -> Resumed:
    info = sealed(place, run)
    _, _, target = place.registry.find(info.ref)
    steps = {name: series.steps[-1] + 1 for name, series in metrics(place, info.ref).items()}
    journal = _begun(place, info.id, {"experiment": target.entry.name, "resumes": target.version})
    return Resumed(info.id, info.experiment, journal, info.params, steps)


def _begun(place: Place, run: str, start: Mapping[str, Any]) -> Journal:
    return open_journal(place.directory / run, run, int(time.time() * 1000), start, lives=True)
