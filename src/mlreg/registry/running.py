"""Runs that are not sealed: where they are, going on with one, sealing one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlreg.errors import NotFoundError, RefusedError, UsageError
from mlreg.formats.run import check_status
from mlreg.operations.live_runs import LiveRun, has_living_process, read_live_run
from mlreg.operations.run_facts import live_document, sealed_document
from mlreg.registry.run_place import Place
from mlreg.registry.run_results import RunInfo, info_of

if TYPE_CHECKING:
    from mlreg.operations.sealing import More


def experiment_of(place: Place, run: str) -> str:
    """Return the experiment of a run that lives; empty if there is no such run."""
    try:
        return place.find(run).state.experiment
    except NotFoundError:
        return ""


def refuse_running(live: LiveRun) -> None:
    """Refuse what may be done with a run whose process is gone only.

    Raises:
        RefusedError: `run_is_running`.
    """
    if live.status == "running":
        raise RefusedError(
            "run_is_running",
            f"run {live.state.id} is still running",
            why="its process lives, or has shown that it does a moment ago",
            fix=("wait for its end", f"log to it from here: mlreg run log --run {live.state.id} K=V"),
        )


def adopt(place: Place, run: str) -> RunInfo:
    """Seal a run whose process is gone; raises as `ExperimentRegistry.adopt`."""
    live = place.find(run)
    refuse_running(live)
    return _sealed(place, live)


def adopt_all(place: Place, runs: Sequence[str], *, crashed: bool) -> list[RunInfo]:
    """Seal several runs; raises as `ExperimentRegistry.adopt_all`."""
    if bool(runs) == crashed:
        raise UsageError("no_run", "say which runs", fix=("mlreg run adopt --crashed", "mlreg run ls"))
    _ = place.registry.repository
    if crashed:
        return [_sealed(place, live) for live in place.live() if live.status != "running"]
    return [adopt(place, run) for run in runs]


def end(place: Place, run: str, status: str, reason: str) -> RunInfo:
    """End and seal a run that is of no process; raises as `ExperimentRegistry.end`."""
    check_status(status)
    live = place.find(run)
    if has_living_process(live.directory):
        refuse_running(live)
    journal = place.journal(live.state.id, lives=False)
    journal.say({"end": {"status": status, "reason": reason}, "time": int(time.time() * 1000)})
    journal.close()
    return seal(place, live.state.id)


def seal(place: Place, run: str, more: More | None = None) -> RunInfo:
    """Seal a run that was ended, with what `more` puts into the same transaction."""
    return _sealed(place, read_live_run(place.directory, run), more)


def _sealed(place: Place, live: LiveRun, more: More | None = None) -> RunInfo:
    from mlreg.operations.sealing import nothing_more, seal  # which needs all that writes

    registry = place.registry
    done = seal(registry.repository, live, registry.author, more or nothing_more)
    return info_of(sealed_document(done.commit, {"metadata": done.commit.metadata, "labels": live.state.labels}))


def live_info(live: LiveRun) -> RunInfo:
    """Return a run that is not sealed as a user sees it."""
    return info_of(live_document(live))
