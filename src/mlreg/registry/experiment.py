"""Experiments from training code: start a run, log to it, find and compare runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mlreg.errors import NoRepositoryError
from mlreg.formats.commit import Input
from mlreg.formats.run import Series, run_id
from mlreg.operations.clearing import delete
from mlreg.operations.journaling import Journal, open_journal
from mlreg.registry import running, searching_runs
from mlreg.registry.given import Inputs
from mlreg.registry.places import init
from mlreg.registry.registry import Clients, Registry, Schemas, Tracks
from mlreg.registry.resuming import reopen, resume, said_in
from mlreg.registry.run import JoinedRun, Run
from mlreg.registry.run_place import Place, now
from mlreg.registry.run_results import ExperimentInfo, GoalInfo, RunInfo
from mlreg.registry.tainted_runs import say_inputs

if TYPE_CHECKING:
    from mlreg.operations.sealing import More
    from mlreg.registry.comparisons import Blame, Comparison

ARTIFACTS = "artifacts"
INTERVAL = 60


class ExperimentRegistry:
    """The experiments of one repository.

    >>> from mlreg.config import Config
    >>> registry = ExperimentRegistry(**Config().get_experiment_registry_config())  # doctest: +SKIP
    """

    def __init__(
        self,
        path: str | Path,
        author: str | Callable[[], str],
        cache: str | Path | None = None,
        remotes: Mapping[str, str] | Callable[[], Mapping[str, str]] | None = None,
        formats: Mapping[str, str] | Callable[[], Mapping[str, str]] | None = None,
        schemas: Schemas | None = None,
        *,
        tracking: Tracks | None = None,
        client: Clients | None = None,
        runs: str | Path | None = None,
        artifacts: str = ARTIFACTS,
        interval: int = INTERVAL,
        run: str = "",
    ) -> None:
        """Name the repository, as `Registry` does. If there is none, starting the first run makes it.

        Args:
            path: as `Registry`, and so are the others up to `schemas`, and `tracking`.
            author: as above.
            cache: as above.
            remotes: as above.
            formats: as above.
            schemas: as above.
            tracking: as `Registry`.
            client: as `Registry`.
            runs: where runs are kept while they live; by default in the repository, which is a directory then.
            artifacts: the directory of a run's version in which logged files stand.
            interval: seconds between two looks at processor, memory and disk.
            run: id of the run that this process is part of, if any, as `mlreg run exec` says in `MLREG_RUN`.
        """
        self.registry = Registry(path, author, cache, remotes, formats, schemas, tracking=tracking, client=client)
        self.place = Place(self.registry, Path(runs) if runs else None)
        self.artifacts = artifacts.strip("/") or ARTIFACTS
        self.interval = interval
        self.part_of = run
        """Id of the run that this process is part of; empty if of none."""
        self._has_joined = False

    # Runs that live.

    def start_experiment(
        self,
        name: str,
        description: str = "",
        *,
        run_name: str = "",
        group: str = "",
        parent: str = "",
        params: Mapping[str, object] | None = None,
        tags: Mapping[str, object] | None = None,
        inputs: Inputs = (),
        despite_taint: str = "",
    ) -> Run:
        """Start a run of an experiment.

        In a process that `mlreg run exec` started for the same experiment, the first one is the run that it made;
        others are part of it. A run that is open when the program ends is ended then.

        Args:
            name: of the experiment, `suture_detection`; here and everywhere `exp/suture_detection` will do, too.
            description: what the run is for.
            run_name: what it is called, besides its id.
            group: of runs that belong together, such as the seeds of one setting.
            parent: id of the run that this one is part of.
            params: logged at once.
            tags: labels, set at once.
            inputs: (role, ref) of what it uses.
            despite_taint: why it uses what is tainted; it is a fact of the run.

        Raises:
            TaintedError: `tainted`, and nothing was started.
            UsageError: `bad_name`. AccessError, NoSpaceError: the run cannot be kept.
        """
        name = searching_runs.experiment_named(name).name
        about = {"name": run_name, "description": description, "group": group}
        if self._is_part_of(name, parent):
            run = self.join(self.part_of)
            self._has_joined = True
            run.describe(**about)
            run.say_all(params or {}, tags or {})
            say_inputs(self.registry, run, inputs, despite_taint)
            return run
        with self._begun(name, lives=True) as run:
            run.describe(**about, parent=parent or self.part_of)
            run.say_all(params or {}, tags or {})
            say_inputs(self.registry, run, inputs, despite_taint)
        return run.live()

    def _is_part_of(self, name: str, parent: str) -> bool:
        """Tell whether a run is the one that this process is part of: the first of that experiment, and no other."""
        if not self.part_of or parent or self._has_joined:
            return False
        return running.experiment_of(self.place, self.part_of) == name

    def open_run(
        self,
        name: str,
        description: str = "",
        *,
        run_name: str = "",
        group: str = "",
        parent: str = "",
        params: Mapping[str, object] | None = None,
        tags: Mapping[str, object] | None = None,
        inputs: Inputs = (),
        despite_taint: str = "",
    ) -> Run:
        """Start a run that is of no process, and stays open until `end`: the command line logs to it.

        Arguments and errors as `start_experiment`.
        """
        with self._begun(searching_runs.experiment_named(name).name, lives=False) as run:
            run.describe(name=run_name, description=description, group=group, parent=parent)
            run.say_all(params or {}, tags or {})
            say_inputs(self.registry, run, inputs, despite_taint)
            # This process says no more, and must not end with something that waits for room.
            run.flush()
        return run

    @contextmanager
    def _begun(self, experiment: str, *, lives: bool) -> Iterator[Run]:
        """Yield a new run, which is not there if what is said of it first is refused."""
        self._make_repository()
        run, start = run_id(now(), os.urandom(10)), {"experiment": experiment}
        journal = open_journal(self.place.directory / run, run, now(), start, lives=lives)
        try:
            yield Run(self, experiment, run, journal)
        except BaseException:
            journal.abandon()
            delete(journal.path.parent)
            raise

    def end(self, run: str, status: str = "finished", reason: str = "") -> RunInfo:
        """End a run that is of no process, or whose process is gone, and seal it.

        Raises:
            NotFoundError: `run_missing`.
            RefusedError: `run_is_running`.
            UsageError: `bad_status`.
        """
        return running.end(self.place, run, status, reason)

    def adopt_all(self, runs: Sequence[str] = (), *, crashed: bool = False) -> list[RunInfo]:
        """Seal several runs whose processes are gone.

        Args:
            runs: their ids, or the beginnings of them.
            crashed: all that there are, instead.

        Raises:
            UsageError: `no_run`. NotFoundError, RefusedError: as `adopt`.
        """
        return running.adopt_all(self.place, runs, crashed=crashed)

    def join(self, run: str) -> Run:
        """Log to a run that another process has started and will end: a rank of a distributed training.

        Raises:
            NotFoundError: `run_missing`.
        """
        return self._joined(self.journal(run)).live()

    def journal(self, run: str) -> Journal:
        """Return a new journal of this process for a run that lives; raises as `join`."""
        return self.place.journal(run, lives=True)

    def leave(self, run: str) -> RunInfo:
        """Return a run of which this process says no more; `Run.finish` does it in a process that joined it."""
        return running.leave(self.place, run)

    def attach(self, run: str) -> Run:
        """Say something of a run that lives without being a part of it, as the command line does.

        Raises:
            NotFoundError: `run_missing`.
        """
        return self._joined(self.place.journal(run, lives=False))

    def _joined(self, journal: Journal) -> Run:
        found = self.place.find(journal.path.parent.name).state
        said = said_in(self.place, found)
        return JoinedRun(self, found.experiment, found.id, journal, params=said.params, steps=said.steps)

    def resume(self, run: str) -> Run:
        """Go on with a run that was interrupted, crashed or ended, by its id or the beginning of it.

        What was logged so far stays; a run that was sealed is sealed again as another version when it ends.

        Raises:
            NotFoundError: `run_missing`.
            RefusedError: `run_is_running`.
        """
        resumed = resume(self.place, run)
        said = resumed.said
        run_ = Run(self, resumed.experiment, resumed.id, resumed.journal, params=said.params, steps=said.steps)
        return run_.live()

    def reopen(self, run: str) -> RunInfo:
        """Go on with a run without being a process of it, as the command line does; it stays open until `end`.

        Raises:
            NotFoundError: `run_missing`, `ref_not_found`.
            RefusedError: `run_is_running`.
        """
        return self.get_run(reopen(self.place, run))

    def seal(self, run: str, more: More | None = None) -> RunInfo:
        """Make a run that has ended a version of its experiment; `Run.finish` does it."""
        return running.seal(self.place, run, more)

    def adopt(self, run: str) -> RunInfo:
        """Seal a run whose process is gone, with all that it logged.

        Raises:
            NotFoundError: `run_missing`.
            RefusedError: `run_is_running`.
        """
        return running.adopt(self.place, run)

    def _make_repository(self) -> None:
        try:
            _ = self.registry.repository
        except NoRepositoryError:
            if "://" in self.registry.path:
                raise
            init(Path(self.registry.path), shared=True)

    def input_of(self, role: str, ref: str) -> Input:
        """Return what a ref of this repository names, as an input."""
        return self.registry.input_of(role, ref)

    def set_goal(self, experiment: str, metric: str, direction: str) -> GoalInfo:
        """Declare which of two runs of an experiment is better: `exp/NAME@best` is the best by it.

        Args:
            experiment: its name; it need not have a run yet.
            metric: whose last value counts.
            direction: `min` or `max`.

        Raises:
            UsageError: `bad_name`, `bad_run_name`, `bad_direction`.
        """
        return searching_runs.declare_goal(self.place, experiment, metric, direction)

    # Looking.

    def list_experiments(self) -> list[ExperimentInfo]:
        """Return the experiments, sorted by name."""
        return searching_runs.experiments(self.place)

    def list_runs(self, experiment: str = "", where: str = "", *, sort: str = "", limit: int = 0) -> list[RunInfo]:
        """Return the runs that fit, sealed ones and others; the newest first unless `sort` says otherwise.

        Args:
            experiment: its name; all if empty.
            where: `metrics.auc > .9 and (params.lr < 1e-3 or tags.team = 'a')`; all if empty.
            sort: `-metrics.auc,started`.
            limit: the most that are returned; 0 for all.

        Raises:
            UsageError: `bad_expression`, `bad_sort`.
            NotFoundError: `ref_not_found`; `no_such_fact`, no run has a field of `sort`.
        """
        return searching_runs.search(self.place, experiment, where, sort, limit)

    def get_run(self, run: str) -> RunInfo:
        """Return a run by a ref, its id or the beginning of it.

        Raises:
            NotFoundError: `run_missing`, `ref_not_found`, `ref_ambiguous`.
        """
        return searching_runs.find(self.place, run)

    def get_metrics(self, run: str) -> dict[str, Series]:
        """Return the points of all metrics of a run, by name, in the order in which they were logged.

        Raises:
            NotFoundError: `run_missing`, `ref_not_found`, `ref_ambiguous`.
        """
        return searching_runs.metrics(self.place, run)

    # Judging.

    def compare(
        self,
        *refs: str,
        experiment: str = "",
        top: int = 0,
        where: str = "",
        metrics: str | Sequence[str] = (),
        params: str | Sequence[str] = (),
        baseline: str = "",
        group_by: Sequence[str] = (),
        gate: str = "",
        is_strict: bool = False,
    ) -> Comparison:
        """Compare runs, and other versions that have metrics.

        Args:
            refs: of runs and versions; the first is the baseline. `exp/NAME` are all runs of an experiment.
            experiment: whose runs are compared, instead or besides.
            top: only so many of them, the best ones; 0 for all.
            where: as for `list_runs`.
            metrics: patterns of the metrics that are shown, as in a shell: `["auc", "val/*"]` or `"auc,val/*"`.
            params: patterns of the params.
            baseline: ref of the run that others are compared with.
            group_by: facts, `params.lr`, by which runs are put together.
            gate: what no run may be, `metrics.auc < baseline - 0.01`.
            is_strict: whether warnings are errors.

        Raises:
            UsageError: `nothing_to_compare`, `no_baseline`, `bad_expression`, `bad_sort`.
            NotFoundError: `ref_not_found`, `ref_ambiguous`, `no_goal`, `no_such_metric`, `no_such_fact`.
            RefusedError: `not_comparable`.
        """
        from mlreg.registry.comparing_runs import Question, compare

        shown, told = ([one] if isinstance(one, str) else one for one in (metrics, params))
        asked = Question(refs, experiment, top, where, shown, told, baseline, group_by, gate, is_strict)
        return compare(self.place, asked)

    def blame(self, ref: str, metric: str = "", *, direction: str = "", limit: int = 0) -> Blame:
        """Return where a metric got worse on the way to a run or a version, and what changed there.

        Args:
            ref: of a run, whose experiment's earlier runs are looked at, or of a version of a model.
            metric: its name; by default that of the goal of the experiment.
            direction: `min` or `max`, which is better; by default what the goal or the name says.
            limit: the most falls that are returned, the largest ones; 0 for all.

        Raises:
            NotFoundError: `ref_not_found`, `ref_ambiguous`, `no_such_metric`.
            UsageError: `no_metric`, `bad_direction`, `no_direction`.
        """
        from mlreg.registry.blaming import blame

        return blame(self.place, ref, metric, direction, limit)
