"""What the tools themselves wrote is imported: as much as their own clients report, and nothing the second time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mlreg.registry import importing
from mlreg.registry.experiment import ExperimentRegistry
from mlreg.registry.importing import bring
from mlreg.registry.places import init

MLFLOW = """
import json, os, sys
from pathlib import Path

os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
os.environ["GIT_PYTHON_REFRESH"] = "quiet"
import mlflow
from mlflow.tracking import MlflowClient

uri, scratch = sys.argv[1], Path(sys.argv[2])
mlflow.set_tracking_uri(uri)
client = MlflowClient(uri)
made = []
for name in ("churn", "Vision / <b>v2</b>"):
    experiment = client.create_experiment(name)
    client.set_experiment_tag(experiment, "team", "a")
    for seed in range(3):
        with mlflow.start_run(experiment_id=experiment, run_name=f"seed {seed}", tags={"seed": str(seed)}) as run:
            mlflow.log_params({"lr": 0.1 * seed, "optimizer": "adam", "deep": True})
            for step in range(20):
                mlflow.log_metrics({"val/loss": 1 / (step + 1), "auc": step / 20}, step=step)
            for odd in (float("nan"), float("inf"), float("-inf")):
                mlflow.log_metric("odd", odd)
            (scratch / "weights.bin").write_bytes(bytes([seed]) * 5000)
            mlflow.log_artifact(str(scratch / "weights.bin"), "model")
            mlflow.log_text("hello", "notes/a note.txt")
            with mlflow.start_run(nested=True, experiment_id=experiment, run_name="child"):
                mlflow.log_metric("loss", 1.0)
            made.append(run.info.run_id)
    failed = client.create_run(experiment)
    client.set_terminated(failed.info.run_id, "FAILED")
client.create_registered_model("Churn model", description="says who leaves", tags={"owner": "ann"})
for run in made[:3]:
    client.create_model_version("Churn model", source=f"runs:/{run}/model", run_id=run)
client.set_registered_model_alias("Churn model", "Champion", 2)
client.set_model_version_tag("Churn model", "1", "approved", "yes")
client.delete_run(made[-1])
client.register_prompt(name="greeting", template="hello {{name}}")
for name in ("CHURN", "Churn"):
    with mlflow.start_run(experiment_id=client.create_experiment(name), run_name=name):
        mlflow.log_param("lr", 0.1)
client.delete_experiment(client.get_experiment_by_name("CHURN").experiment_id)

counts = dict.fromkeys(("experiments", "runs", "params", "metrics", "points", "artifacts", "models", "versions"), 0)


def files(run, path=None):
    found = client.list_artifacts(run, path)
    return sum(files(run, one.path) if one.is_dir else 1 for one in found)


values = {}
for experiment in client.search_experiments():
    runs = client.search_runs([experiment.experiment_id])
    counts["experiments"] += bool(runs)
    for run in runs:
        key = run.info.run_id
        counts["runs"] += 1
        counts["params"] += len(run.data.params)
        counts["metrics"] += len(run.data.metrics)
        histories = {name: client.get_metric_history(key, name) for name in run.data.metrics}
        counts["points"] += sum(map(len, histories.values()))
        counts["artifacts"] += files(key)
        values[key] = {name: [[one.step, repr(one.value)] for one in history] for name, history in histories.items()}
for model in client.search_registered_models():
    counts["models"] += 1
    counts["versions"] += len(client.search_model_versions(f"name='{model.name}'"))
# Its databases hold no infinities: its client says the largest number instead.
text = json.dumps({"counts": counts, "values": values})
print(text.replace("1.7976931348623157e+308", "inf"))
"""
WANDB = """
import os, sys
import wandb

for seed in range(2):
    config = {"lr": 0.1, "optim": {"name": "adam"}}
    run = wandb.init(project="churn", name=f"seed-{seed}", group="g", dir=sys.argv[1], mode="offline", config=config)
    for step in range(3000):
        run.log({"loss": 1 / (step + 1), "val/acc": step / 50, "odd": float("nan")})
    run.summary["best"] = 0.9
    run.finish(exit_code=seed)
"""
TENSORBOARD = """
import sys
from tensorboardX import SummaryWriter

for name in ("one", "two/deep"):
    writer = SummaryWriter(f"{sys.argv[1]}/{name}")
    for step in range(500):
        writer.add_scalar("loss/train", 1 / (step + 1), step)
    writer.add_text("note", "hello")
    writer.add_hparams({"lr": 0.1, "optim": "adam", "layers": 3, "deep": True}, {"hp/acc": 0.5})
    writer.close()
"""
TRACKIO = """
import trackio

for seed in range(2):
    trackio.init(project="churn", name=f"seed-{seed}", config={"lr": 0.1, "seed": seed}, group="g")
    for step in range(20):
        trackio.log({"loss": 1 / (step + 1), "odd": float("inf")})
    trackio.finish()
"""


def write(script: str, *arguments: str | Path, **environment: str) -> Any:
    """Let a tool write, in a process of its own; returns what it prints as its last line."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "WANDB_", "MLREG_"))}
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        env=kept | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1]) if script is MLFLOW else None


@pytest.fixture
def experiments(tmp_path: Path) -> ExperimentRegistry:
    place, _ = init(tmp_path / "project", shared=False)
    return ExperimentRegistry(place, "Ann")


def slot(experiments: ExperimentRegistry) -> int:
    return experiments.registry.repository.log.refresh().position.number


@pytest.mark.parametrize("form", ["mlruns", "mlflow.db"])
def test_all_that_mlflow_reports_is_here_after_an_import_and_a_second_one_changes_nothing(
    form: str, tmp_path: Path, experiments: ExperimentRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlflow")
    if form == "mlflow.db":
        pytest.importorskip("alembic")
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "there")
    place = tmp_path / "there" / form
    uri = f"file://{place}" if form == "mlruns" else f"sqlite:///{place}"
    told = write(MLFLOW, uri, tmp_path)

    first = bring(experiments.registry, importing.mlflow(uri if form == "mlflow.db" else str(place)))
    before = slot(experiments)
    again = bring(experiments.registry, importing.mlflow(str(place)))

    assert {name: getattr(first, name) for name in told["counts"]} == told["counts"]
    assert (first.added, first.warnings) == (first.runs + first.versions, ("prompt left out: it is no model",))
    assert (again.added, slot(experiments)) == (0, before)
    for run in experiments.list_runs():
        of_mlflow = told["values"][run.facts["source"]["id"]]
        series = experiments.get_metrics(run.id)
        found = {name: [[one.step, repr(one.value)] for one in some.points()] for name, some in series.items()}
        assert {name: sorted(one) for name, one in found.items()} == {
            name: sorted(one) for name, one in of_mlflow.items()
        }
    (other,) = {run.experiment for run in experiments.list_runs(where="name = 'Churn'")}
    assert other.startswith("churn-")
    best = experiments.list_runs("churn", "params.lr < 0.15 and tags.seed = '1'")
    assert [run.name for run in best] == ["seed 1"]
    children = experiments.list_runs("churn", "name = 'child'")
    assert {run.parent for run in children} <= {run.id for run in experiments.list_runs("churn")}
    assert experiments.registry.show("model/churn-model@champion").ref == "model/churn-model@2.0.0"


def test_offline_runs_of_wandb_come_with_every_point(tmp_path: Path, experiments: ExperimentRegistry) -> None:
    pytest.importorskip("wandb")
    write(WANDB, tmp_path, WANDB_SILENT="true")

    first = bring(experiments.registry, importing.wandb(tmp_path / "wandb"))
    again = bring(experiments.registry, importing.wandb(tmp_path / "wandb"))

    assert (first.runs, first.added, again.added) == (2, 2, 0)
    one, other = sorted(experiments.list_runs("churn"), key=lambda run: run.name)
    assert (one.name, one.status, other.status, one.group) == ("seed-0", "finished", "failed", "g")
    assert one.params == {"lr": 0.1, "optim": {"name": "adam"}}
    assert (one.metrics["best"], one.metrics["odd"]) == (0.9, "NaN")
    series = experiments.get_metrics(one.id)["loss"]
    assert list(series.steps) == list(range(3000))
    assert list(series.values) == [1 / (step + 1) for step in range(3000)]


def test_event_files_come_with_every_scalar_and_the_params(tmp_path: Path, experiments: ExperimentRegistry) -> None:
    pytest.importorskip("tensorboardX")
    write(TENSORBOARD, tmp_path / "logs")

    first = bring(experiments.registry, importing.tensorboard(tmp_path / "logs"))
    again = bring(experiments.registry, importing.tensorboard(tmp_path / "logs"))

    assert (first.runs, first.added, again.added) == (2, 2, 0)
    runs = {run.name: run for run in experiments.list_runs("logs")}
    assert runs["two/deep"].params == {"deep": True, "layers": 3, "lr": 0.1, "optim": "adam"}
    series = experiments.get_metrics(runs["one"].id)["loss/train"]
    assert list(series.steps) == list(range(500))
    assert list(series.values) == pytest.approx([1 / (step + 1) for step in range(500)], rel=1e-6)


def test_projects_of_trackio_come_with_every_point(tmp_path: Path, experiments: ExperimentRegistry) -> None:
    pytest.importorskip("trackio")
    write(TRACKIO, TRACKIO_DIR=str(tmp_path / "trackio"), HF_HUB_OFFLINE="1")

    first = bring(experiments.registry, importing.trackio(tmp_path / "trackio"))
    again = bring(experiments.registry, importing.trackio(tmp_path / "trackio"))

    assert (first.runs, first.added, again.added) == (2, 2, 0)
    run = min(experiments.list_runs("churn"), key=lambda one: one.name)
    assert (run.name, run.group, run.params) == ("seed-0", "g", {"lr": 0.1, "seed": 0})
    assert run.metrics["odd"] == "Infinity"
    assert list(experiments.get_metrics(run.id)["loss"].values) == [1 / (step + 1) for step in range(20)]
