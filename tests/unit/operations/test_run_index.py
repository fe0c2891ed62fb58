"""The index of runs is a cache: whatever becomes of its file, the answer is that of a new one."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlreg.operations import run_index
from mlreg.operations.run_index import RunIndex, asked
from mlreg.registry.experiment import ExperimentRegistry
from mlreg.repository.database import Database
from mlreg.repository.repository import Repository
from mlreg.stores import open_store
from tests.unit.registry.sample_runs import make, refs, seal

SRC = Path(__file__).parents[3] / "src"


@pytest.fixture
def experiments(tmp_path: Path) -> ExperimentRegistry:
    """Five runs, indexed."""
    made = make(tmp_path)
    for number in range(5):
        seal(made, {"auc": number / 10}, {"lr": number})
    assert len(made.list_runs("churn")) == 5
    return made


def file_of(experiments: ExperimentRegistry) -> Path:
    notes = experiments.registry.repository.notes
    assert notes
    return notes.parent / run_index.FILE


def opened(experiments: ExperimentRegistry) -> Repository:
    """Return the repository as another process opens it."""
    repository = Repository(open_store(experiments.registry.path), experiments.registry.cache)
    repository.log.refresh()
    return repository


def answers(repository: Repository) -> tuple[object, ...]:
    """Return what an index says of all runs: documents and columns."""

    def question(index: RunIndex) -> tuple[object, ...]:
        numbers = index.numbers(["churn", "other"])
        columns = (index.column(key) for key in ("metrics.auc", "params.lr", "status", "id"))
        return index.documents(numbers), *([column.get(number) for number in numbers] for column in columns)

    return asked(repository, question)


def fresh(experiments: ExperimentRegistry) -> tuple[object, ...]:
    """Return what an index says that is built from nothing, in memory."""
    repository = Repository(open_store(experiments.registry.path))
    repository.log.refresh()
    return answers(repository)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def write(text: str) -> Callable[[Path], None]:
    def harm(path: Path) -> None:
        path.write_text(text)

    return harm


def fill(start: int) -> Callable[[Path], None]:
    def harm(path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[start:] = random.Random(0).randbytes(len(data) - start)
        path.write_bytes(data)

    return harm


def run_sql(*statements: str) -> Callable[[Path], None]:
    def harm(path: Path) -> None:
        with sqlite3.connect(path) as database:
            for statement in statements:
                database.execute(statement)
        database.close()

    return harm


HARM: dict[str, Callable[[Path], None]] = {
    "it is gone": Path.unlink,
    "it is empty": write(""),
    "it is text": write("these are no runs"),
    "it is cut": cut,
    "it is all noise": fill(0),
    "it is noise behind its head": fill(100),
    "it is noise in its middle": fill(8192),
    "it is of an older release": run_sql("PRAGMA user_version = 1", "DROP TABLE facts"),
    "it is of a newer release": run_sql("PRAGMA user_version = 99"),
    "a table is missing": run_sql("DROP TABLE keys"),
    "a column is missing": run_sql("ALTER TABLE runs DROP COLUMN document"),
    "it is half built": run_sql("DELETE FROM state", "DELETE FROM runs WHERE number > 2", "DELETE FROM facts"),
    "it is of another log": run_sql(
        "UPDATE state SET value = 'ffff' WHERE key = 'slot'",
        "INSERT INTO runs(experiment, id, document) VALUES('churn', 'f', '{}')",
        "UPDATE runs SET document = '{}'",
    ),
    "it was half built of another log": run_sql(
        "DELETE FROM state", "INSERT INTO runs(experiment, id, document) VALUES('churn', 'f', '{}')"
    ),
    "it is ahead of the log": run_sql("UPDATE state SET value = 999 WHERE key = 'number'"),
}


@pytest.mark.parametrize("harm", HARM)
def test_whatever_is_wrong_with_its_file_the_index_answers_like_a_new_one(
    harm: str, experiments: ExperimentRegistry
) -> None:
    path = file_of(experiments)
    for log in path.parent.glob(f"{path.name}-*"):
        log.unlink()
    HARM[harm](path)

    assert answers(opened(experiments)) == fresh(experiments)
    # And afterwards all is as if nothing had been.
    run = seal(experiments, {"auc": 0.9})
    assert refs(experiments.list_runs("churn", "metrics.auc > .8")) == [run.ref]


def test_a_file_that_cannot_be_written_is_done_without(experiments: ExperimentRegistry) -> None:
    path = file_of(experiments)
    for log in path.parent.glob(f"{path.name}-*"):
        log.unlink()
    path.unlink()
    path.mkdir()

    assert answers(opened(experiments)) == fresh(experiments)


def test_what_was_undone_in_the_middle_of_a_step_is_done_again_whole(
    experiments: ExperimentRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_of(experiments).unlink()
    stored, calls = run_index._stored, []

    def full(value: object) -> tuple[int, object]:
        calls.append(value)
        if len(calls) == 30:
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        return stored(value)

    monkeypatch.setattr(run_index, "_stored", full)

    # It goes on in memory, with all columns.
    assert answers(opened(experiments)) == fresh(experiments)
    assert len(calls) > 30


def test_a_question_is_answered_from_one_state_whatever_is_sealed_meanwhile(experiments: ExperimentRegistry) -> None:
    first = experiments.list_runs("churn")

    def question(index: RunIndex) -> list[str]:
        numbers = index.numbers(["churn"])
        # Each of these takes a row of the index away and puts another one there.
        for run in first:
            experiments.resume(run.id).finish()
        experiments.list_runs("churn")
        assert len(index.column("id")) == len(numbers)
        return [document["ref"] for document in index.documents(numbers)]

    assert asked(opened(experiments), question) == refs(first)
    assert refs(experiments.list_runs("churn")) == [f"{run.ref}+2" for run in first]


BUILD = """
import sys
from mlreg.operations import run_index
from mlreg.repository.database import Database
from mlreg.repository.repository import Repository
from mlreg.stores import open_store
from pathlib import Path

run_index.AT_ONCE = 3
repository = Repository(open_store(sys.argv[1]), Path(sys.argv[2]))
repository.log.refresh()
print("ready", flush=True)
sys.stdin.readline()
index = run_index.RunIndex(repository)
print(len(index.numbers(["churn"])), len(index.column("metrics.auc")), flush=True)
"""


def builder(experiments: ExperimentRegistry) -> subprocess.Popen[str]:
    """Start a process that will build the index, three runs at a time, when it is told to."""
    place = str(experiments.registry.path), str(experiments.registry.cache)
    return subprocess.Popen(
        [sys.executable, "-c", BUILD, *place],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SRC)},
    )


def tell(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("\n")
    process.stdin.flush()


def test_two_processes_that_build_the_index_at_once_both_see_all_runs(experiments: ExperimentRegistry) -> None:
    for number in range(15):
        seal(experiments, {"auc": number})
    opened(experiments)
    file_of(experiments).unlink()
    with builder(experiments) as one, builder(experiments) as other:
        for process in (one, other):
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
        tell(one)
        tell(other)
        printed = [process.communicate()[0] for process in (one, other)]

    assert printed == ["20 20\n", "20 20\n"]
    assert answers(opened(experiments)) == fresh(experiments)


def test_an_index_whose_builder_was_killed_is_completed(experiments: ExperimentRegistry) -> None:
    file_of(experiments).unlink()
    with builder(experiments) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        tell(process)
        process.send_signal(signal.SIGKILL)

    assert answers(opened(experiments)) == fresh(experiments)


def test_of_two_that_index_at_once_the_one_with_the_older_log_does_not_have_the_last_word(
    experiments: ExperimentRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = experiments.list_runs("churn")[0]
    late = Repository(open_store(experiments.registry.path))
    late.log.refresh()
    late.notes = experiments.registry.repository.notes
    file_of(experiments).unlink()
    resumed = experiments.resume(run.id)
    resumed.log_metric("auc", 0.9)
    resumed.finish()
    step = Database.step
    met: list[Repository] = []

    def overtaken(self: Database, action: Callable[[], object]) -> object:
        done = step(self, action)
        if self._path == file_of(experiments) and not met:
            # What this one has written is written again by the other, before it notes how far it is.
            met.append(late)
            RunIndex(late).close()
        return done

    monkeypatch.setattr(Database, "step", overtaken)
    answers(opened(experiments))

    assert met
    assert answers(opened(experiments)) == fresh(experiments)
