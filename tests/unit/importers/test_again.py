"""Imports are repeated, interrupted, and made of parts: what is here is found again, under its name, once."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlreg.errors import MlregError
from mlreg.importers.foreign import ForeignRun
from mlreg.importers.mlflow import MlflowImporter
from mlreg.registry import annotating, importing
from mlreg.registry.experiment import ExperimentRegistry
from mlreg.registry.importing import bring
from mlreg.registry.places import init
from tests import foreign_tools as foreign
from tests.cli.calling import environment
from tests.foreign_tools import MOMENT, RUN, event_record, field, item, scalar, wandb_log


@pytest.fixture
def experiments(tmp_path: Path) -> ExperimentRegistry:
    place, _ = init(tmp_path / "project", shared=False)
    return ExperimentRegistry(place, "Ann")


def slot(experiments: ExperimentRegistry) -> int:
    return experiments.registry.repository.log.refresh().position.number


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def run_id(number: int) -> str:
    return f"{number:032x}"


def put_run(root: Path, experiment: str, number: int, *, start: int = MOMENT * 1000, parent: str = "") -> None:
    """Write a run of mlflow with one param and one point."""
    run = root / experiment / run_id(number)
    put(
        run / "meta.yaml", f"artifact_uri: ''\nrun_name: r{number}\nstatus: 3\nstart_time: {start}\nend_time: {start}\n"
    )
    put(run / "params" / "number", str(number))
    put(run / "metrics" / "loss", f"{start} 0.{number} 0\n")
    if parent:
        put(run / "tags" / "mlflow.parentRunId", parent)


def put_experiment(root: Path, number: str, name: str, made: int) -> None:
    put(root / number / "meta.yaml", f"experiment_id: '{number}'\nname: {name}\ncreation_time: {made}\n")


# In many steps.


def test_many_runs_come_in_few_transactions_and_one_that_breaks_off_is_gone_on_with(
    tmp_path: Path, experiments: ExperimentRegistry
) -> None:
    root = tmp_path / "mlruns"
    put_experiment(root, "1", "churn", 1)
    for number in range(250):
        put_run(root, "1", number)
    registry = experiments.registry

    class BreaksOff(MlflowImporter):
        """One whose disk goes away in the middle."""

        def runs(self) -> Iterator[ForeignRun]:
            for number, run in enumerate(super().runs()):
                if number == 150:
                    raise KeyboardInterrupt
                yield run

    with pytest.raises(KeyboardInterrupt):
        bring(registry, BreaksOff(str(root)))
    assert (slot(experiments), len(experiments.list_runs())) == (1, 100)
    again = bring(registry, importing.mlflow(str(root)))

    assert (again.runs, again.added, slot(experiments)) == (250, 150, 3)
    assert len({run.id for run in experiments.list_runs()}) == 250


def test_an_import_that_is_killed_is_whole_after_the_next_one(tmp_path: Path, experiments: ExperimentRegistry) -> None:
    root = tmp_path / "mlruns"
    put_experiment(root, "1", "churn", 1)
    for number in range(400):
        put_run(root, "1", number)
    call = [sys.executable, "-m", "mlreg", "import", "mlflow", str(root)]
    project = experiments.registry.path
    with subprocess.Popen(call, cwd=Path(project).parent, env=environment(), stdout=subprocess.DEVNULL) as process:
        while not slot(experiments) and process.poll() is None:
            pass
        os.kill(process.pid, signal.SIGKILL)

    bring(experiments.registry, importing.mlflow(str(root)))
    other = ExperimentRegistry(init(tmp_path / "other", shared=False)[0], "Ann")
    bring(other.registry, importing.mlflow(str(root)))

    found, expected = ([(run.ref, run.params, run.metrics) for run in one.list_runs()] for one in (experiments, other))
    assert found == expected
    experiments.registry.verify()


def test_labels_of_a_model_come_although_the_import_was_interrupted_before(
    tmp_path: Path, experiments: ExperimentRegistry
) -> None:
    database = foreign.write_mlflow_db(tmp_path / "there")
    bring(experiments.registry, importing.mlflow(str(database)))
    registry = experiments.registry
    assert labels(experiments, "model/net-v2") == {"description": "finds nets", "owner": "ann"}
    assert labels(experiments, "model/net-v2@1.0.0")["approved"] == "yes"
    # What was said here counts, also that there is none.
    annotating.label(registry, "model/net-v2", {"owner": "bob"}, unset=["description"])

    assert bring(registry, importing.mlflow(str(database))).added == 0
    assert labels(experiments, "model/net-v2") == {"owner": "bob"}


def labels(experiments: ExperimentRegistry, ref: str) -> dict[str, object]:
    from mlreg.formats.ref import parse_ref

    found: dict[str, object] = annotating.Subject(experiments.registry, parse_ref(ref)).facts().get("labels", {})
    return found


def test_a_run_that_is_there_twice_comes_once(tmp_path: Path, experiments: ExperimentRegistry) -> None:
    root = foreign.write_mlruns(tmp_path / "mlruns")
    shutil.copytree(root / "1", root / "2")
    put(root / "2" / RUN / "params" / "lr", "0.2")

    first = bring(experiments.registry, importing.mlflow(str(root)))
    again = bring(experiments.registry, importing.mlflow(str(root)))

    assert (first.runs, first.warnings, again.added) == (1, ("run left out that is there twice",), 0)
    assert experiments.list_runs()[0].params["lr"] == 0.1


# Names that stay.


def names_of(experiments: ExperimentRegistry) -> dict[str, str]:
    """Return from the names of runs in mlflow to the experiments in which they are here."""
    return {run.name: run.experiment for run in experiments.list_runs()}


def test_experiments_keep_their_names_whatever_becomes_of_others(
    tmp_path: Path, experiments: ExperimentRegistry
) -> None:
    root = tmp_path / "mlruns"
    put_experiment(root, "5", "Churn", 1)
    put_experiment(root, "4", "churn", 2)
    put_run(root, "5", 1)
    put_run(root, "4", 2)
    bring(experiments.registry, importing.mlflow(str(root)))
    before = names_of(experiments)
    assert before["r1"] == "churn"
    assert before["r2"].startswith("churn-")

    # Another one that is older by its number, the first one deleted, and only the second one asked for.
    put_experiment(root, "1", "CHURN", 3)
    put_run(root, "1", 3)
    (root / ".trash").mkdir()
    (root / "5").rename(root / ".trash" / "5")
    alone = bring(experiments.registry, importing.mlflow(str(root), experiment="churn"))
    rest = bring(experiments.registry, importing.mlflow(str(root)))

    assert (alone.runs, alone.added, rest.added) == (1, 0, 1)
    after = names_of(experiments)
    assert {name: after[name] for name in before} == before
    assert len(set(after.values())) == 3


def test_models_keep_their_names_when_others_come_before_them_in_the_alphabet(
    tmp_path: Path, experiments: ExperimentRegistry
) -> None:
    rows = foreign.mlflow_rows(tmp_path)
    database = foreign.write_database(tmp_path / "mlflow.db", foreign.MLFLOW_TABLES, rows)
    bring(experiments.registry, importing.mlflow(str(database)))
    rows["registered_models"].append(("NET V2", "another", MOMENT * 1000 + 5))
    rows["model_versions"].append(("NET V2", 1, "", "", "", "None", "of the other"))
    foreign.write_database(database, foreign.MLFLOW_TABLES, rows)

    result = bring(experiments.registry, importing.mlflow(str(database)))

    assert (result.models, result.added) == (2, 1)
    assert experiments.registry.show("model/net-v2@1.0.0").metadata["source"]["model"] == "Net v2"


def test_an_experiment_that_is_not_there_is_an_error_that_names_those_that_are(tmp_path: Path) -> None:
    root = foreign.write_mlruns(tmp_path / "mlruns")

    with pytest.raises(MlregError) as refused:
        importing.mlflow(str(root), experiment="Churn")

    assert (refused.value.code, refused.value.exit_status) == ("experiment_missing", 4)
    assert "churn" in str(refused.value)


def test_a_parent_is_named_if_it_is_here_wherever_it_is(tmp_path: Path, experiments: ExperimentRegistry) -> None:
    root = tmp_path / "mlruns"
    put_experiment(root, "1", "churn", 1)
    put_experiment(root, "2", "other", 2)
    # The parent began later, by its clock.
    put_run(root, "1", 1, start=MOMENT * 1000 + 999)
    put_run(root, "2", 2, parent=run_id(1))
    put_run(root, "2", 3, parent=run_id(9))

    bring(experiments.registry, importing.mlflow(str(root), experiment="other"))
    again = bring(experiments.registry, importing.mlflow(str(root)))

    runs = {run.name: run for run in experiments.list_runs()}
    assert again.added == 1
    assert (runs["r2"].parent, runs["r3"].parent) == (runs["r1"].id, "")


# Where things are, in mlflow.


def test_a_directory_may_be_named_as_mlflow_names_it(tmp_path: Path, experiments: ExperimentRegistry) -> None:
    root = foreign.write_mlruns(tmp_path / "ml runs")

    assert bring(experiments.registry, importing.mlflow(root.as_uri())).runs == 1


def test_artifacts_of_a_bucket_come_from_where_they_were_copied_to(
    tmp_path: Path, experiments: ExperimentRegistry
) -> None:
    root = foreign.write_mlruns(tmp_path / "mlruns")
    run = root / "1" / RUN
    put(tmp_path / "copy" / "1" / RUN / "artifacts" / "weights", "weights")
    shutil.rmtree(run / "artifacts")
    meta = run / "meta.yaml"
    meta.write_text(meta.read_text().replace(f"file://{run}/artifacts", f"s3://bucket/1/{RUN}/artifacts"))

    without = bring(experiments.registry, importing.mlflow(str(root)))
    with_it = bring(experiments.registry, importing.mlflow(str(root), tmp_path / "copy"))

    assert "--artifacts" in "; ".join(without.warnings)
    assert (without.artifacts, with_it.artifacts, with_it.added) == (0, 1, 1)


@pytest.mark.parametrize(
    "source", ["file:///gone/1/{}/artifacts/model", "/gone/1/{}/artifacts/model", "runs:/{}/model"]
)
def test_files_of_a_model_come_from_its_run_wherever_that_was(
    source: str, tmp_path: Path, experiments: ExperimentRegistry
) -> None:
    root = foreign.write_mlruns(tmp_path / "mlruns")
    put(
        root / "models" / "Net v2" / "version-1" / "meta.yaml",
        f"version: 1\nrun_id: {RUN}\nsource: {source.format(RUN)}\n",
    )

    bring(experiments.registry, importing.mlflow(str(root)))

    assert [file.path for file in experiments.registry.files("model/net-v2@1.0.0")] == ["weights.bin"]


def test_prompts_are_no_models(tmp_path: Path, experiments: ExperimentRegistry) -> None:
    root = foreign.write_mlruns(tmp_path / "mlruns")
    put(root / "models" / "greeting" / "meta.yaml", "name: greeting\n")
    put(root / "models" / "greeting" / "tags" / "mlflow.prompt.is_prompt", "true")

    result = bring(experiments.registry, importing.mlflow(str(root)))

    assert (result.models, result.warnings) == (1, ("prompt left out: it is no model",))


@pytest.mark.parametrize(("form", "name"), [("N", "1"), ("major.minor", "1.0"), ("YYYY.MM.DD", "")])
def test_versions_are_called_as_the_project_calls_them(form: str, name: str, tmp_path: Path) -> None:
    place, _ = init(tmp_path / "project", shared=False)
    registry = ExperimentRegistry(place, "Ann", formats={"model": form}).registry
    root = foreign.write_mlruns(tmp_path / "mlruns")

    result = bring(registry, importing.mlflow(str(root)))

    found = [version.ref for entry in registry.entries("model/*") for version in registry.versions(entry.ref)]
    assert found == ([f"model/net-v2@{name}"] if name else [])
    assert bool(result.warnings) is not bool(name)


def test_a_tag_stays_where_it_is_here_and_that_is_said(tmp_path: Path, experiments: ExperimentRegistry) -> None:
    root = foreign.write_mlruns(tmp_path / "mlruns")
    bring(experiments.registry, importing.mlflow(str(root)))
    put(root / "models" / "Net v2" / "version-2" / "meta.yaml", "version: 2\n")
    put(root / "models" / "Net v2" / "aliases" / "champion", "2")
    put(root / "models" / "Net v2" / "aliases" / "new", "2")

    result = bring(experiments.registry, importing.mlflow(str(root)))

    assert "tag left as it is here: model/net-v2@champion" in result.warnings
    assert experiments.registry.show("model/net-v2@champion").ref == "model/net-v2@1.0.0"
    assert experiments.registry.show("model/net-v2@new").ref == "model/net-v2@2.0.0"


# The others.


def test_a_run_of_wandb_that_was_resumed_is_one_run(tmp_path: Path, experiments: ExperimentRegistry) -> None:
    def write(directory: str, begins: int, steps: range) -> None:
        run = field(17, field(1, "abc") + field(3, "churn") + field(17, field(1, MOMENT + begins)))
        points = [field(2, item("loss", step / 8) + field(2, field(1, step))) for step in steps]
        place = tmp_path / "wandb" / directory
        put(place / "files" / "output.log", directory)
        (place / "run-abc.wandb").write_bytes(wandb_log(run, *points))

    # By their names, the later one would come first.
    write("run-20260101_000000-abc", 0, range(2))
    write("offline-run-20260102_000000-abc", 50, range(2, 4))

    first = bring(experiments.registry, importing.wandb(tmp_path / "wandb"))
    again = bring(experiments.registry, importing.wandb(tmp_path / "wandb"))

    (run,) = experiments.list_runs()
    series = experiments.get_metrics(run.id)["loss"]
    assert (first.runs, again.added) == (1, 0)
    assert (list(series.steps), list(series.values)) == ([0, 1, 2, 3], [0, 0.125, 0.25, 0.375])
    repository, _, target = experiments.registry.find(run.ref)
    (log,) = [file for file in experiments.registry.files_of(repository, target, None) if file.path.endswith(".log")]
    assert b"".join(repository.objects.read_whole(log.id, log.size)) == b"offline-run-20260102_000000-abc"


def test_other_databases_beside_those_of_trackio_are_left_out(tmp_path: Path, experiments: ExperimentRegistry) -> None:
    root = foreign.write_trackio(tmp_path / "trackio")
    foreign.write_mlflow_db(tmp_path / "other").rename(root / "other.db")
    (root / "thumbs.db").write_bytes(b"no database")

    result = bring(experiments.registry, importing.trackio(root))

    assert (result.runs, len(result.warnings)) == (1, 2)
    with pytest.raises(MlregError) as refused:
        importing.trackio(root / "thumbs.db")
    assert refused.value.code == "not_readable"


def test_runs_of_trackio_that_are_known_by_name_alone_are_told_apart_by_their_projects(
    tmp_path: Path, experiments: ExperimentRegistry
) -> None:
    tables = foreign.TRACKIO_TABLES.replace(" run_id,", "")
    rows: dict[str, list[tuple[object, ...]]] = {
        table: [(row[0], *row[2:]) for row in some] for table, some in foreign.trackio_rows().items()
    }
    for project in ("one", "other"):
        foreign.write_database(tmp_path / "trackio" / f"{project}.db", tables, rows)

    bring(experiments.registry, importing.trackio(tmp_path / "trackio"))

    runs = experiments.list_runs()
    assert len({run.id for run in runs}) == len(runs) == 2


def test_a_database_on_a_disk_that_may_only_be_read_is_read(tmp_path: Path, experiments: ExperimentRegistry) -> None:
    import sqlite3
    from contextlib import closing

    disk = tmp_path / "disk"
    disk.mkdir()
    call = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(call, capture_output=True, check=False).returncode:
        pytest.skip("needs root, and the right to mount")
    try:
        foreign.write_trackio(disk / "trackio")
        with closing(sqlite3.connect(disk / "trackio" / "churn.db")) as db:
            # As trackio does; a database with a log would want to write beside itself.
            db.execute("PRAGMA journal_mode = WAL")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)

        result = bring(experiments.registry, importing.trackio(disk / "trackio"))
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)

    assert (result.runs, result.points, result.warnings) == (1, 6, ())


def test_a_run_of_tensorboard_that_was_written_in_parts_is_one(tmp_path: Path, experiments: ExperimentRegistry) -> None:
    for number, steps in enumerate((range(3), range(2, 5))):
        path = tmp_path / "logs" / "run" / f"events.out.tfevents.{MOMENT + number}.host"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(event_record(scalar("loss", step / 4, step)) for step in steps))

    bring(experiments.registry, importing.tensorboard(tmp_path / "logs"))

    (run,) = experiments.list_runs()
    # A run that was started again from a step on has that step twice, as it was logged.
    assert list(experiments.get_metrics(run.id)["loss"].steps) == [0, 1, 2, 2, 3, 4]


# Alone.

LIBRARIES = {
    *("alembic", "google", "mlflow", "pandas", "pyarrow", "sqlalchemy", "tensorboard", "tensorboardX", "tensorflow"),
    *("torch", "trackio", "wandb"),
}


def test_no_library_of_another_tool_is_imported(tmp_path: Path) -> None:
    foreign.write_all(tmp_path)
    foreign.write_mlflow_db(tmp_path / "database")
    init(tmp_path, shared=False)
    calls = [
        ["mlflow", "mlruns"],
        ["mlflow", "database/mlflow.db"],
        ["tensorboard", "events"],
        ["wandb", "wandb"],
        ["trackio", "trackio"],
        ["csv", "table.csv"],
    ]
    program = f"""
import sys
from mlreg.cli.main import main
for words in {calls!r}:
    sys.argv = ["mlreg", "import", *words]
    try:
        main()
    except SystemExit as ended:
        assert not ended.code, words
print(*sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True
    )

    loaded = {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}
    assert "mlreg" in loaded
    assert loaded & LIBRARIES == set()


OPENED: dict[str, Callable[[Path], importing.Origin]] = {
    "mlflow": lambda root: importing.mlflow(str(foreign.write_mlflow_db(root))),
    "mlruns": lambda root: importing.mlflow(str(foreign.write_mlruns(root))),
}


def test_both_forms_of_mlflow_are_the_same_runs_and_models(tmp_path: Path) -> None:
    found = []
    for form, opened in OPENED.items():
        registry = ExperimentRegistry(init(tmp_path / form, shared=False)[0], "Ann")
        bring(registry.registry, opened(tmp_path / f"{form}-there"))
        model = registry.registry.show("model/net-v2@champion")
        runs = [(run.ref, run.params, run.metrics, run.started, run.facts["user"]) for run in registry.list_runs()]
        found.append((runs, model.ref, registry.registry.files(model.ref)))

    assert found[0] == found[1]
