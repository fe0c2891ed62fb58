"""A run while it lives: what training code says of it, and how it ends."""

from __future__ import annotations

import threading
import time
import traceback
import warnings
from collections.abc import Iterable, Mapping
from contextlib import suppress
from json import dumps
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Protocol, Self

from mlreg.errors import ConflictError, MlregError, RefusedError
from mlreg.formats.canonical import MAX_INTEGER
from mlreg.formats.journal import checked, spelled
from mlreg.formats.names import check_role
from mlreg.formats.run import check_name, check_status, is_same
from mlreg.operations.journaling import FILES, Journal
from mlreg.operations.logged_files import keep_bytes, keep_path
from mlreg.registry.given import Inputs
from mlreg.registry.logged_values import number_of, step_of, text_of, values_of
from mlreg.registry.run_place import now
from mlreg.registry.runs_here import RUNS_HERE

if TYPE_CHECKING:
    from mlreg.formats.commit import Input
    from mlreg.operations.sealing import More
    from mlreg.registry.run_results import RunInfo

MAX_REASON = 10_000
"""Characters that are kept of why a run failed."""


class Home(Protocol):
    """What a run needs of the registry that made it."""

    artifacts: str
    """The directory of a run's version in which logged files stand."""

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
        """Start another run."""
        ...

    def seal(self, run: str, more: More | None = None) -> RunInfo:
        """Make a run that has ended a version of its experiment."""
        ...

    def leave(self, run: str) -> RunInfo:
        """Return what is known of a run of which this process says no more."""
        ...

    def journal(self, run: str) -> Journal:
        """Return a new journal of this process for a run that lives."""
        ...

    def input_of(self, role: str, ref: str) -> Input:
        """Return what a ref names, as an input."""
        ...


class Run:
    """One run. Use it as a context: it ends as finished, or as failed if the block raises.

    Whatever a method was told survives the end of this process, however it ends, when the method returns; a
    power cut, at most 10 seconds later. Any thread may call any method.
    """

    def __init__(
        self,
        registry: Home,
        experiment: str,
        run: str,
        journal: Journal,
        *,
        params: Mapping[str, Any] | None = None,
        steps: Mapping[str, int] | None = None,
    ) -> None:
        """Take a journal that was just begun; `ExperimentRegistry.start_experiment` is how runs are made.

        Args:
            registry: seals the run.
            experiment: its name.
            run: its id.
            journal: of this process.
            params: that are logged already.
            steps: of each metric the next step.
        """
        self.id = run
        self.experiment = experiment
        self.directory = journal.path.parent
        """Where the journals and files of the live run are."""
        self._registry = registry
        self._journal = journal
        self._keys: dict[str, str] = {}
        self._steps = dict(steps or {})
        self._params = dict(params or {})
        self._is_open = True
        self._has_ended = False
        self._is_forked = self._may_join = False
        """Whether this process was forked off the one that works on the run, and has not logged to it yet."""
        # A handler of signals may come in the middle.
        self._lock = threading.RLock()
        self._sealed: RunInfo | None = None

    def live(self) -> Self:
        """Show from now on that the run lives, and flush what is logged."""
        RUNS_HERE.add(self)
        return self

    @property
    def ref(self) -> str:
        """How the run is called once it is sealed: `exp/churn@0199ab3f-…`."""
        return f"exp/{self.experiment}@{self.id}"

    def __repr__(self) -> str:
        """Return the ref."""
        return f"<Run {self.ref}>"

    # Metrics.

    def log_metric(self, name: str, value: float, step: int | None = None) -> None:
        """Log one value of a metric, as `log_metrics` does."""
        self.log_metrics({name: value}, step)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log values of metrics.

        Args:
            metrics: numbers, of numpy or of a framework too, also NaN and infinities.
            step: of all of them; by default one more than the last step of any of them, from 0 on.

        Raises:
            UsageError: `bad_metric`, no number; `bad_run_name`; `run_ended`.
        """
        keys = self._keys
        parts = []
        for name, value in metrics.items():
            key = keys.get(name) or self._key(name)
            known = value if type(value) is float else number_of(name, value)
            # What is not finite has no word in JSON.
            parts.append(key + (repr(known) if known - known == 0 else dumps(spelled(known))))
        with self._lock:
            self._log(metrics, ",".join(parts), step)

    def _log(self, names: Iterable[str], values: str, step: object) -> None:
        steps = self._steps
        if step is None:
            step = max((steps.get(name, 0) for name in names), default=0)
        if type(step) is not int or not -MAX_INTEGER <= step <= MAX_INTEGER:
            step = step_of(step)
        if not self._is_open:
            self._open_again()
        body = f'{{"metrics":{{{values}}},"step":{step},"time":{int(time.time() * 1000)}}}'
        self._journal.append(checked(body.encode()))
        for name in names:
            steps[name] = step + 1

    def _key(self, name: str) -> str:
        check_name(name, "metric")
        key = self._keys[name] = f"{dumps(name)}:"
        return key

    # Params and other facts.

    def log_param(self, name: str, value: object) -> None:
        """Log one param, as `log_params` does."""
        self.log_params({name: value})

    def log_params(self, params: Mapping[str, object]) -> None:
        """Log params: JSON values; what is none is kept as the text that `str` makes of it.

        Raises:
            ConflictError: `param_differs`, one was logged with another value.
            UsageError: `bad_run_name`; `run_ended`.
        """
        for name in params:
            check_name(name, "param")
        said = values_of(params)
        with self._lock:
            for name, value in said.items():
                if not is_same(self._params.get(name, value), value):
                    raise ConflictError(
                        "param_differs",
                        f"the param {name} is {self._params[name]!r} already, and not {value!r}",
                        why="a run has one value of each param",
                        fix=("start another run", "log what changes as a metric"),
                    )
            self._say("params", said)
            self._params |= said

    def set_tags(self, labels: Mapping[str, object]) -> None:
        """Label the run: `{"team": "vision"}`. A label may be set again."""
        self._say("labels", values_of(labels))

    def say_all(self, params: Mapping[str, object], tags: Mapping[str, object]) -> None:
        """Log params and labels."""
        self.log_params(params)
        self.set_tags(tags)

    def set_tag(self, name: str, value: object) -> None:
        """Label the run."""
        self.set_tags({name: value})

    def describe(self, *, name: str = "", description: str = "", group: str = "", parent: str = "") -> None:
        """Say what the run is called, what it is for, and what it belongs to; what is empty stays as it is."""
        told = {"name": name, "description": description, "group": group, "parent": parent}
        self._say("told", {key: text_of(value) for key, value in told.items() if value})

    def add_input(self, role: str, ref: str) -> None:
        """Say what the run uses: `add_input("data", "data/frames@2026.11.23")`; if that is tainted, the run is, too.

        Raises:
            NotFoundError: `ref_not_found`.
            UsageError: `bad_role`; `remote_input`, pull it first.
        """
        check_role(role)
        self.use(self._registry.input_of(role, ref))

    def use(self, used: Input) -> None:
        """Say what the run uses, as it was found already."""
        self._say("input", {"role": used.role, "commit": str(used.commit), "ref": used.ref})

    # Files.

    def log_artifact(self, path: str | Path, name: str = "") -> None:
        """Log a file as it is now, or a directory; later changes to it do not matter.

        Args:
            path: of the file.
            name: where it stands among the artifacts of the run; by default the file's own name.

        Raises:
            NotFoundError: `file_missing`. RefusedError: `special_file`, `unsafe_path`.
            NoSpaceError: there is no room for the copy.
        """
        if not name and Path(path).is_dir():
            name = Path(path).resolve().name
        self._keep(keep_path(self.directory, path, self._registry.artifacts, name))

    def log_artifacts(self, directory: str | Path, name: str = "") -> None:
        """Log all files below a directory, as they are now.

        Args:
            directory: what is in it.
            name: where they stand among the artifacts of the run; by default at their top.
        """
        self._keep(keep_path(self.directory, directory, self._registry.artifacts, name))

    def log_text(self, text: str, name: str) -> None:
        """Log a text as an artifact."""
        self.log_bytes(text.encode(), name)

    def log_bytes(self, data: bytes, name: str) -> None:
        """Log bytes as an artifact."""
        self.keep_file(data, f"{self._registry.artifacts}/{name}")

    def log_figure(self, figure: Any, name: str) -> None:  # noqa: ANN401 - of matplotlib, plotly, PIL
        """Log a picture: a figure of matplotlib or plotly, or an image of Pillow, in the format its name ends in."""
        from mlreg.registry.drawn import figure_bytes

        self.log_bytes(figure_bytes(figure, name), name)

    def log_table(self, rows: Any, name: str) -> None:  # noqa: ANN401 - rows, columns, or a data frame
        """Log a table as CSV, or JSON lines if its name ends in `.jsonl`.

        Args:
            rows: mappings from column to value, a mapping from column to values, or a data frame.
            name: `predictions.csv`.
        """
        from mlreg.registry.drawn import table_bytes

        self.log_bytes(table_bytes(rows, name), name)

    def say_facts(self, facts: Mapping[str, Any]) -> None:
        """Say what was found out about the run; what is known already stays as it is."""
        self._say("facts", values_of(facts))

    def keep_file(self, data: bytes, path: str) -> None:
        """Keep bytes as a file of the run, beside its artifacts."""
        self._refuse_ended()
        self._keep([keep_bytes(self.directory, data, path)])

    def new_file(self, path: str) -> IO[bytes]:
        """Return a file of the run to append to, beside its artifacts; whatever is in it when the run ends counts."""
        self._refuse_ended()
        said = keep_bytes(self.directory, b"", path)
        self._keep([said])
        return (self.directory / FILES / said["place"]).open("ab", buffering=0)

    def _keep(self, files: Iterable[Mapping[str, str]]) -> None:
        self._refuse_ended()
        for said in files:
            self._say("artifact", said)

    # Beginning and end.

    def start(
        self,
        name: str = "",
        description: str = "",
        *,
        group: str = "",
        params: Mapping[str, object] | None = None,
        tags: Mapping[str, object] | None = None,
        inputs: Inputs = (),
        despite_taint: str = "",
    ) -> Run:
        """Start a run within this one, of the same experiment; arguments as `start_experiment`."""
        return self._registry.start_experiment(
            self.experiment,
            description,
            run_name=name,
            group=group,
            parent=self.id,
            params=params,
            tags=tags,
            inputs=inputs,
            despite_taint=despite_taint,
        )

    def finish(self, status: str = "finished", reason: str = "", more: More | None = None) -> RunInfo:
        """End the run, and make it a version of its experiment: it is durable when this returns.

        Args:
            status: `finished`, `failed` or `killed`.
            reason: why it failed.
            more: puts what was made by the run into the same transaction.

        Returns:
            The run as it is sealed. Calling it again returns the same.

        Raises:
            NoSpaceError: there is no room. What was logged stays where it is, and `mlreg run adopt` seals it later.
            UsageError: `bad_status`.
        """
        check_status(status)
        with self._lock:
            if self._is_forked:
                return self._leave()
            if not self._has_ended:
                self._say("end", {"status": status, **({"reason": text_of(reason)} if reason else {})})
                self._journal.close()
                self._stopped()
                self._has_ended = True
            self._sealed = self._sealed or self._registry.seal(self.id, more)
            return self._sealed

    def flush(self) -> None:
        """Let all that was logged survive a power cut.

        Raises:
            NoSpaceError, UnavailableError: something waits for room, or the disk refuses.
        """
        self._journal.flush()

    def _leave(self) -> RunInfo:
        self.close()
        return self._registry.leave(self.id)

    def close(self) -> None:
        """Stop logging from this process, and leave the run as it is, to be resumed or adopted.

        Raises:
            NoSpaceError: there is no room for what was logged last. Try again: it is not lost yet.
        """
        with self._lock:
            if self._is_open:
                self._journal.leave(now())
                self._stopped()
            self._may_join = False

    def _stopped(self) -> None:
        self._is_open = False
        RUNS_HERE.discard(self)

    def __enter__(self) -> Self:
        """Return the run."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the run by how the block ended; an error of the block goes on, whatever happens here."""
        if error is None:
            self.finish()
            return
        try:
            self.finish(*_end_by(error))
        except MlregError as trouble:
            warnings.warn(f"run {self.id} is not sealed: {trouble}", RuntimeWarning, stacklevel=2)

    def end_with_program(self, error: BaseException | None) -> None:
        """End the run, since the program has ended: with an error that no one caught, or without."""
        self.finish(*(_end_by(error) if error else ()))

    def _say(self, key: str, value: Mapping[str, Any]) -> None:
        with self._lock:
            self._refuse_ended()
            if value:
                self._journal.say({key: dict(value), "time": now()})

    def _refuse_ended(self) -> None:
        with self._lock:
            if not self._is_open:
                self._open_again()

    def _open_again(self) -> None:
        """Go on in a process that was forked off, as one that joined the run; refuse it if the run has ended."""
        if not self._may_join:
            fix = f"go on with it: registry.resume({self.id!r})"
            raise RefusedError("run_ended", f"run {self.id} has ended", why="nothing can be logged to it", fix=fix)
        self._journal = self._registry.journal(self.id)
        self._is_open, self._may_join = True, False
        self.live()

    def forked(self) -> None:
        """Leave the run to the process that this one was forked off; what is logged here is said by this one."""
        self._journal.abandon()
        self._lock = threading.RLock()
        self._may_join = self._is_open
        self._is_open, self._is_forked = False, True

    def beat(self) -> None:
        """Show that the run lives, and flush what was logged."""
        self._journal.beat()
        with suppress(MlregError):
            self._journal.flush()


class JoinedRun(Run):
    """A run that another process has started and will end."""

    def finish(self, status: str = "finished", reason: str = "", more: More | None = None) -> RunInfo:
        """Stop logging from this process; how the run ends is for the one that started it to say."""
        return self._leave()


def _end_by(error: BaseException) -> tuple[str, str]:
    """Return how a run ended that an error ended, and why."""
    if isinstance(error, Exception):
        return "failed", "".join(traceback.format_exception_only(error)).strip()[:MAX_REASON]
    if not hasattr(error, "code"):
        return "killed", type(error).__name__
    # The program was left by `sys.exit`.
    return ("failed", f"exit code {error.code}"[:MAX_REASON]) if error.code else ("finished", "")
