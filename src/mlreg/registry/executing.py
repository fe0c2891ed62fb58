"""A command as a run: what it is, what it runs in, what it says, how it ends, and what it makes."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple, NoReturn

from mlreg.errors import ConflictError, MlregError, NotFoundError, NotStartedError, RefusedError, UsageError
from mlreg.formats.commit import Input
from mlreg.formats.names import EXPERIMENT, Entry, quoted
from mlreg.formats.versions import AUTO
from mlreg.operations.kept_output import KeptOutput
from mlreg.operations.register import Batch, NewVersion, Recorded
from mlreg.operations.scanning import Source, sources_below
from mlreg.operations.supervising import Onward, Signals, Stream, Supervised
from mlreg.operations.surroundings import PATCH, capture
from mlreg.operations.system_load import Load
from mlreg.registry.experiment import ExperimentRegistry
from mlreg.registry.run import Run
from mlreg.registry.run_results import Executed

Streams = tuple[Stream, Stream]
"""Where what a command prints goes on to: standard output, standard error; not buffered."""

VARIABLE = "MLREG_RUN"
"""Tells the command, and whatever it starts, of which run it is part."""
REPOSITORY = "MLREG_RUN_REPOSITORY"
"""Tells them where the repository of that run is, if there is none where they work."""
SIGNALLED = 128
"""What a shell adds to the number of the signal that ended a command."""
PRINTS = ("stdout", "stderr")


class Output(NamedTuple):
    """What a command makes: it becomes a version of an entry if the command succeeds."""

    entry: Entry
    path: Path

    @classmethod
    def parse(cls, text: str) -> Output:
        """Read `KIND/NAME=PATH`.

        Raises:
            UsageError: `bad_output`, `bad_entry`, `bad_name`.
        """
        name, equals, path = text.partition("=")
        if not equals or not path:
            fix = "write it like --out model/churn=out/"
            raise UsageError("bad_output", f"{quoted(text)} is not KIND/NAME=PATH", fix=fix)
        entry = Entry.parse(name)
        if entry.kind == EXPERIMENT:
            why = "an experiment has runs, and they are logged, not made"
            raise UsageError("bad_output", f"{entry} cannot be made", why=why, fix="write --out model/NAME=PATH")
        return cls(entry, Path(path))


class Start(NamedTuple):
    """What is said of a run when it starts."""

    experiment: str
    command: Sequence[str]
    inputs: Sequence[tuple[str, str]] = ()
    outputs: Sequence[str] = ()
    """`KIND/NAME=PATH`."""
    name: str = ""
    group: str = ""
    description: str = ""
    params: Mapping[str, object] = {}
    labels: Mapping[str, object] = {}
    keeps_diff: bool = True
    """Whether it is kept how the code differs from its commit."""
    despite_taint: str = ""
    """Why it uses what is tainted."""


def execute(registry: ExperimentRegistry, start: Start, streams: Streams, environment: Mapping[str, str]) -> Executed:
    """Run a command to its end as a run of an experiment, and seal the run with all that is known of it.

    What the command prints goes on to where it would have gone, and is kept. Signals go on to it. If it
    succeeds, what it made is registered in the same step as the run, with the run as its input.

    Args:
        registry: of the experiment.
        start: what is run, and what is said of it.
        streams: where what it prints goes on to.
        environment: of the command, besides what tells it of the run.

    Raises:
        NotStartedError: with the code of what was wrong, before anything was started.
        NotFoundError: `output_missing`; the run is sealed as failed.
        RefusedError: `output_refused`; the run is sealed.
        NoSpaceError, ...: as `Run.finish`.
    """
    with Signals() as signals:
        try:
            outputs = _outputs(registry, start.outputs)
            _check_program(start.command)
            # Training code makes a repository if there is none; a command in the wrong directory should not.
            _ = registry.registry.repository
            run = _started(registry, start)
        except MlregError as error:
            raise NotStartedError.of(error) from error
        code = _run(registry, run, start.command, streams, environment, signals)
    if code:
        reason = f"exit code {code}" if code > 0 else f"signal {_name_of(-code)}"
        info = run.finish("failed" if code > 0 else "killed", reason)
        return Executed(info.ref, info, (), _shown(code))
    return _finished(registry, run, outputs)


def _outputs(registry: ExperimentRegistry, texts: Sequence[str]) -> list[Output]:
    """Return what is to be made; that a version without metadata is refused is known before hours of training."""
    outputs = [Output.parse(text) for text in texts]
    for output in outputs:
        registry.registry.check_metadata(output.entry, {})
    return outputs


def _check_program(command: Sequence[str]) -> None:
    if not command:
        raise UsageError("no_command", "say what is to be run", fix="mlreg run exec EXPERIMENT -- python train.py")
    if shutil.which(command[0]):
        return
    program = command[0]
    if "/" in program and Path(program).is_file():
        fix = (f"chmod +x {program}", f"name what runs it: -- python {program}")
        raise NotStartedError("cannot_start", f"{program} cannot be run", why="it is not executable", fix=fix)
    raise NotFoundError("program_not_found", f"there is no program {quoted(program)}", fix="check the spelling")


def _started(registry: ExperimentRegistry, start: Start) -> Run:
    captured = capture(start.command)
    run = registry.start_experiment(
        start.experiment,
        start.description,
        run_name=start.name,
        group=start.group,
        # Within another run this is a run of its own, and not a part of what that one logs.
        parent=registry.part_of,
        params=start.params,
        tags=start.labels,
        inputs=start.inputs,
        despite_taint=start.despite_taint,
    )
    run.say_facts(captured.facts)
    for name, data in captured.files.items():
        if name != PATCH or start.keeps_diff:
            run.keep_file(data, name)
    return run


def _run(
    registry: ExperimentRegistry,
    run: Run,
    command: Sequence[str],
    streams: Streams,
    environment: Mapping[str, str],
    signals: Signals,
) -> int:
    """Run the command to its end; returns its exit code, or the signal that ended it as a negative number."""
    kept = [KeptOutput(run.new_file(f"logs/{name}.txt")) for name in PRINTS]
    takers = [_Both(one, Onward(stream)) for one, stream in zip(kept, streams, strict=True)]
    surroundings = {**environment, VARIABLE: run.id, REPOSITORY: registry.registry.path}
    # Behind a pipe, Python would keep what is printed to itself until it is much.
    surroundings.setdefault("PYTHONUNBUFFERED", "1")
    try:
        supervised = Supervised(command, surroundings, takers[0].take, takers[1].take, signals)
    except OSError as error:
        _refused(run, command[0], error)
    with _Watch(run, supervised.process.pid, registry.interval):
        ended = supervised.end()
    left_out = {name: bytes_ for name, bytes_ in zip(PRINTS, [one.end() for one in kept], strict=True) if bytes_}
    facts: dict[str, object] = {"exit_code": _shown(ended.code)}
    facts |= {"left_out": left_out} if left_out else {}
    facts |= {"left_running": True} if ended.has_left else {}
    run.say_facts(facts)
    return ended.code


def _refused(run: Run, program: str, error: OSError) -> NoReturn:
    """End a run whose command the system does not run."""
    why = error.strerror or str(error)
    run.finish("failed", f"{program} cannot be run: {why}")
    fix = "look at its first line: #! and a program that is there"
    raise NotStartedError("cannot_start", f"{program} cannot be run", why=why, fix=fix) from error


class _Both(NamedTuple):
    """Where goes what is printed."""

    kept: KeptOutput
    onward: Onward

    def take(self, data: bytes) -> None:
        self.kept.take(data)
        self.onward.take(data)


def _finished(registry: ExperimentRegistry, run: Run, outputs: Sequence[Output]) -> Executed:
    """Seal a run whose command succeeded, with what it made."""
    try:
        made = [(output, sources_below([output.path])) for output in outputs]
    except MlregError as error:
        run.finish("failed", error.message)
        why = f"{error.message}; the run is sealed as failed"
        raise NotFoundError(
            "output_missing",
            "the command did not make what it was to make",
            why=why,
            fix="look at its output: mlreg run show; --out names what it makes",
        ) from error
    refs: list[str] = []

    def register(batch: Batch, sealed: Recorded) -> None:
        origin = Input("run", sealed.commit_id, f"{sealed.commit.entry}@{sealed.commit.version}")
        recorded = [batch.put(_version(registry, *one, origin), lambda size: None) for one in made]
        refs[:] = [f"{one.commit.entry}@{one.commit.version}" for one in recorded]

    try:
        info = run.finish(more=register)
    except (ConflictError, RefusedError, UsageError) as error:
        run.finish()
        why = f"{error.message}; the run is sealed without it"
        what = "what the command made cannot be registered"
        raise RefusedError("output_refused", what, why=why, fix=error.fix) from error
    return Executed(info.ref, info, tuple(refs), 0)


def _version(registry: ExperimentRegistry, output: Output, sources: Sequence[Source], run: Input) -> NewVersion:
    return NewVersion(
        entry=output.entry,
        versions=registry.registry.format_of(output.entry),
        sources=sources,
        form="directory" if output.path.is_dir() else "file",
        author=registry.registry.author,
        bump=AUTO,
        inputs=(run,),
        message=f"made by {run.ref}",
    )


def _shown(code: int) -> int:
    """Return an exit code as a shell has it."""
    return code if code >= 0 else SIGNALLED - code


def _name_of(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


class _Watch:
    """Logs how busy the host and a process are, so and so often, until the end of the block."""

    def __init__(self, run: Run, process: int, interval: float) -> None:
        self._run = run
        self._load = Load(process, run.directory)
        self._interval = interval
        self._ended = Event()
        self._thread = Thread(target=self._look, name="mlreg-load", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        step = 0
        while not self._ended.wait(self._interval):
            # A disk without room must not end it: there may be some again.
            with suppress(MlregError):
                self._run.log_metrics(self._load.look(), step)
            step += 1
