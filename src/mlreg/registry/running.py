"""Runs that are not sealed: where they are, going on with one, sealing one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlreg.errors import MlregError, NotFoundError, PartialError, RefusedError, UsageError
from mlreg.formats.annotation import merge_patch
from mlreg.formats.run import check_status
from mlreg.operations.clearing import take_away, tidy
from mlreg.operations.live_runs import LiveRun, read_live_run
from mlreg.operations.run_facts import sealed_document
from mlreg.operations.run_metadata import metadata_of
from mlreg.registry.run_place import Place, now
from mlreg.registry.run_results import RunInfo, info_of
from mlreg.registry.searching_runs import open_run, sealed
from mlreg.registry.tainted_runs import with_taints

if TYPE_CHECKING:
    from mlreg.operations.sealing import More

_SHOWN = 3
"""Runs that a message names."""


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
    if live.status == "running" and not live.is_written:
        raise RefusedError(
            "run_is_running",
            f"run {live.state.id} is open",
            why="it was begun by a command and is of no process: until it is ended, more may be logged to it",
            fix=(
                f"mlreg run finish --run {live.state.id}",
                f"mlreg run finish --run {live.state.id} --status killed",
            ),
        )
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
    if not crashed:
        return [adopt(place, run) for run in runs]
    tidy(place.directory)
    done, troubles = [], []
    for live in place.live():
        if live.status == "running":
            continue
        if live.is_empty:
            take_away(live)
            continue
        try:
            done.append(_sealed(place, live))
        except MlregError as error:
            # One that cannot be sealed is in nobody's way.
            troubles.append((live.state.id, error))
    if troubles:
        raise _not_all(len(done), troubles)
    return done


def _not_all(done: int, troubles: Sequence[tuple[str, MlregError]]) -> MlregError:
    if len(troubles) == 1 and not done:
        return troubles[0][1]
    return PartialError(
        "not_all_adopted",
        f"{done} runs are sealed, and {len(troubles)} could not be",
        why="; ".join(f"{run}: {error.message}" for run, error in troubles[:_SHOWN]),
        fix=tuple(f"mlreg run adopt {run}" for run, _ in troubles[:_SHOWN]),
    )


def end(place: Place, run: str, status: str, reason: str) -> RunInfo:
    """End and seal a run that is of no process; raises as `ExperimentRegistry.end`."""
    check_status(status)
    live = place.find(place.open_id(run))
    if live.is_written:
        refuse_running(live)
    journal = place.journal(live.state.id, lives=False)
    journal.say({"end": {"status": status, "reason": reason}, "time": live.after(now())})
    journal.close()
    return seal(place, live.state.id)


def seal(place: Place, run: str, more: More | None = None) -> RunInfo:
    """Seal a run that was ended, with what `more` puts into the same transaction."""
    try:
        live = read_live_run(place.directory, run)
    except NotFoundError as error:
        return _sealed_by_others(place, run, more, error)
    return _sealed(place, live, more)


def leave(place: Place, run: str) -> RunInfo:
    """Return a run of which a process said what it had to say; if it has ended meanwhile, that is sealed, too."""
    try:
        live = read_live_run(place.directory, run)
    except NotFoundError:
        return sealed(place, run)
    return _sealed(place, live) if live.state.ended else open_run(place, live)


def _sealed(place: Place, live: LiveRun, more: More | None = None) -> RunInfo:
    from mlreg.operations.sealing import nothing_more, seal  # which needs all that writes

    registry = place.registry
    try:
        done = seal(registry.repository, live, registry.author, more or nothing_more)
    except NotFoundError as error:
        if live.directory.exists():
            raise
        return _sealed_by_others(place, live.state.id, more, error)
    if live.state.resumes:
        # It has labels from before, too.
        return sealed(place, f"{done.commit.entry}@{done.commit.version}")
    stated = {"metadata": metadata_of(registry.repository, done.commit), "labels": merge_patch({}, live.state.labels)}
    return with_taints(registry.repository, [info_of(sealed_document(done.commit, stated))])[0]


def _sealed_by_others(place: Place, run: str, more: More | None, error: NotFoundError) -> RunInfo:
    """Return a run that someone else has just sealed, and register what was made by it."""
    from mlreg.operations.sealing import add_more

    try:
        info = sealed(place, run)
    except NotFoundError:
        raise error from None
    if more:
        repository, _, target = place.registry.find(info.ref)
        add_more(repository, target.commit_id, more)
    return info
