"""A command as a run: what it is, what it runs in, what it says, how it ends, and what it makes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import IO, NamedTuple

from mlreg.errors import MlregError, NotFoundError, NotStartedError, UsageError
from mlreg.formats.commit import Input
from mlreg.formats.names import Entry, quoted
from mlreg.formats.versions import AUTO
from mlreg.operations.register import Batch, NewVersion, Recorded
from mlreg.operations.scanning import Source, sources_below
from mlreg.operations.surroundings import capture
from mlreg.operations.system_load import Load
from mlreg.registry.experiment import ExperimentRegistry
from mlreg.registry.run import Run
from mlreg.registry.run_results import Executed

Streams = tuple[IO[bytes], IO[bytes]]
"""Where what a command prints goes on to: standard output, standard error."""

VARIABLE = "MLREG_RUN"
"""Tells the command, and whatever it starts, of which run it is part."""
SIGNALLED = 128
"""What a shell adds to the number of the signal that ended a command."""
_CHUNK = 65536
_PASSED_ON = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


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
        entry, equals, path = text.partition("=")
        if not equals or not path:
            fix = "write it like --out model/churn=out/"
            raise UsageError("bad_output", f"{quoted(text)} is not KIND/NAME=PATH", fix=fix)
        return cls(Entry.parse(entry), Path(path))


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


def execute(registry: ExperimentRegistry, start: Start, streams: Streams, environment: Mapping[str, str]) -> Executed:
    """Run a command to its end as a run of an experiment, and seal the run with all that is known of it.

    What the command prints goes on to where it would have gone, and is kept. Signals go on to it. If it
    succeeds, what it made is registered in the same step as the run, with the run as its input.

    Args:
        registry: of the experiment.
        start: what is run, and what is said of it.
        streams: where what it prints goes on to.
        environment: of the command, besides `MLREG_RUN`.

    Raises:
        NotStartedError: with the code of what was wrong, before anything was started.
        NotFoundError: `output_missing`; the run is sealed as failed.
        NoSpaceError, ...: as `Run.finish`.
    """
    try:
        outputs = [Output.parse(text) for text in start.outputs]
        program = _program(start.command)
        # Training code makes a repository if there is none; a command in the wrong directory should not.
        _ = registry.registry.repository
        run = _started(registry, start)
    except MlregError as error:
        raise NotStartedError(error.code, error.message, why=error.why, fix=error.fix) from error
    code = _Supervised(run, [program, *start.command[1:]], streams, environment).end(registry.interval)
    if code:
        reason = f"exit code {code}" if code > 0 else f"signal {_name_of(-code)}"
        info = run.finish("failed" if code > 0 else "killed", reason)
        return Executed(info.ref, info, (), code if code > 0 else SIGNALLED - code)
    return _finished(registry, run, outputs)


def _program(command: Sequence[str]) -> str:
    if not command:
        raise UsageError("no_command", "say what is to be run", fix="mlreg run exec EXPERIMENT -- python train.py")
    found = shutil.which(command[0])
    if found is None:
        raise NotFoundError("program_not_found", f"there is no program {quoted(command[0])}", fix="check the spelling")
    # As it was typed, if a shell would find it so: programs look at their own names.
    return command[0]


def _started(registry: ExperimentRegistry, start: Start) -> Run:
    captured = capture(start.command)
    run = registry.start_experiment(
        start.experiment,
        start.description,
        run_name=start.name,
        group=start.group,
        params=start.params,
        tags=start.labels,
        inputs=start.inputs,
    )
    run.say_facts(captured.facts)
    for name, data in captured.files.items():
        run.keep_file(data, name)
    return run


def _finished(registry: ExperimentRegistry, run: Run, outputs: Sequence[Output]) -> Executed:
    """Seal a run whose command succeeded, with what it made."""
    try:
        made = [(output, sources_below([output.path])) for output in outputs]
    except MlregError as error:
        run.finish("failed", error.message)
        why = f"{error.message}; the run is sealed as failed"
        raise NotFoundError("output_missing", "the command did not make what it was to make", why=why) from error
    refs: list[str] = []

    def register(batch: Batch, sealed: Recorded) -> None:
        origin = Input("run", sealed.commit_id, f"{sealed.commit.entry}@{sealed.commit.version}")
        recorded = [batch.put(_version(registry, *one, origin), lambda size: None) for one in made]
        refs[:] = [f"{one.commit.entry}@{one.commit.version}" for one in recorded]

    info = run.finish(more=register)
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


def _name_of(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


class _Supervised:
    """A command that runs: signals go on to it, what it prints goes on and is kept, and the load is looked at."""

    def __init__(self, run: Run, command: Sequence[str], streams: Streams, environment: Mapping[str, str]) -> None:
        self._run = run
        surroundings = {**environment, VARIABLE: run.id}
        # Behind a pipe, Python would keep what is printed to itself until it is much.
        surroundings.setdefault("PYTHONUNBUFFERED", "1")
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this is what was asked for
                command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=surroundings
            )
        except OSError as error:
            run.finish("failed", str(error))
            raise NotStartedError("cannot_start", f"{command[0]} cannot be run", why=error.strerror or "") from error
        pipes = zip(("stdout", "stderr"), (self._process.stdout, self._process.stderr), streams, strict=True)
        self._readers = [threading.Thread(target=self._pass_on, args=pipe) for pipe in pipes]
        self._ended = threading.Event()

    def end(self, interval: float) -> int:
        """Wait for the end, and return how it was: an exit code, or a signal as a negative number."""
        watcher = threading.Thread(target=self._watch, args=(interval,))
        with self._signals():
            for thread in (*self._readers, watcher):
                thread.start()
            code = self._process.wait()
            for reader in self._readers:
                reader.join()
        self._ended.set()
        watcher.join()
        return code

    @contextmanager
    def _signals(self) -> Iterator[None]:
        # On a terminal, the command has got the interrupt itself.
        passed = _PASSED_ON if os.isatty(0) else (*_PASSED_ON, signal.SIGINT)
        before = {one: signal.signal(one, self._send) for one in passed}
        before[signal.SIGINT] = before.get(signal.SIGINT) or signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)

    def _send(self, number: int, frame: FrameType | None) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    def _pass_on(self, name: str, pipe: IO[bytes], stream: IO[bytes]) -> None:
        with pipe, self._run.new_file(f"logs/{name}.txt") as kept:
            while data := os.read(pipe.fileno(), _CHUNK):
                kept.write(data)
                kept.flush()
                # Who was reading may have gone; the command goes on.
                with suppress(OSError, ValueError):
                    stream.write(data)
                    stream.flush()

    def _watch(self, interval: float) -> None:
        load = Load(self._process.pid, self._run.directory)
        step = 0
        while not self._ended.wait(interval):
            self._run.log_metrics(load.look(), step)
            step += 1
