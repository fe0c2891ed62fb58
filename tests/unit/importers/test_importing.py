"""What other tools left is brought along whole, once, and by name; whatever is odd in it hurts nobody."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mlreg.errors import MlregError
from mlreg.importers.event_file import records as event_records
from mlreg.importers.foreign import Notices
from mlreg.importers.foreign_values import Names, value_of
from mlreg.registry import importing
from mlreg.registry.experiment import ExperimentRegistry
from mlreg.registry.importing import Origin, bring
from mlreg.registry.places import init
from mlreg.registry.run_results import RunInfo
from tests import foreign_tools as foreign

ORIGINS: dict[str, Callable[[Path], Origin]] = {
    "mlflow": lambda root: importing.mlflow(str(foreign.write_mlruns(root / "mlruns"))),
    "tensorboard": lambda root: importing.tensorboard(foreign.write_events(root / "events")),
    "wandb": lambda root: importing.wandb(foreign.write_wandb(root / "wandb")),
    "trackio": lambda root: importing.trackio(foreign.write_trackio(root / "trackio")),
    "csv": lambda root: importing.csv(foreign.write_table(root / "table.csv")),
}


@pytest.fixture
def experiments(tmp_path: Path) -> ExperimentRegistry:
    place, _ = init(tmp_path / "project", shared=False)
    return ExperimentRegistry(place, "Ann")


def slot(experiments: ExperimentRegistry) -> int:
    return experiments.registry.repository.log.refresh().position.number


def files(experiments: ExperimentRegistry, ref: str) -> list[str]:
    return [file.path for file in experiments.registry.files(ref)]


def only_run(experiments: ExperimentRegistry) -> RunInfo:
    (run,) = experiments.list_runs()
    return run


@pytest.mark.parametrize("tool", ORIGINS)
def test_importing_again_changes_nothing(tool: str, tmp_path: Path, experiments: ExperimentRegistry) -> None:
    first = bring(experiments.registry, ORIGINS[tool](tmp_path / "a"))
    before = slot(experiments)

    again = bring(experiments.registry, ORIGINS[tool](tmp_path / "b" / "elsewhere"))

    assert first.added == first.runs + first.versions > 0
    assert (again.runs, again.points, again.added) == (first.runs, first.points, 0)
    assert slot(experiments) == before


@pytest.mark.parametrize("tool", ORIGINS)
def test_two_who_import_the_same_have_the_same_runs(tool: str, tmp_path: Path) -> None:
    ids = []
    for name in ("one", "other"):
        place, _ = init(tmp_path / name, shared=False)
        registry = ExperimentRegistry(place, name)
        bring(registry.registry, ORIGINS[tool](tmp_path / f"{name}s"))
        ids.append([(run.id, run.params, run.metrics) for run in registry.list_runs()])

    assert ids[0] == ids[1] != []


def test_a_run_of_mlflow_comes_whole(tmp_path: Path, experiments: ExperimentRegistry) -> None:
    result = bring(experiments.registry, ORIGINS["mlflow"](tmp_path))

    run = only_run(experiments)
    assert (run.experiment, run.name, run.status, run.seconds) == ("churn", "first", "finished", 1.0)
    assert run.params == {"lr": 0.1, "optim/name": "adam"}
    assert run.labels == {"team": "vision"}
    assert run.facts["source"] == {"experiment": "churn", "id": foreign.RUN, "tool": "mlflow"}
    series = experiments.get_metrics(run.id)["auc"]
    assert (list(series.steps), list(series.values)) == ([0, 1], [0.5, 0.75])
    assert (result.experiments, result.runs, result.artifacts, result.models, result.versions) == (1, 1, 1, 1, 1)
    model = experiments.registry.show("model/net-v2@champion")
    assert model.ref == "model/net-v2@1.0.0"
    assert [(one.role, one.ref) for one in model.inputs] == [("run", run.ref)]
    assert files(experiments, "model/net-v2@champion") == ["weights.bin"]


def test_runs_of_the_others_come_whole(tmp_path: Path, experiments: ExperimentRegistry) -> None:
    for tool in ("tensorboard", "wandb", "trackio"):
        bring(experiments.registry, ORIGINS[tool](tmp_path))

    found = {run.facts["source"]["tool"]: run for run in experiments.list_runs()}
    curves = {tool: list(experiments.get_metrics(run.id)["auc"].values) for tool, run in found.items()}
    assert all(curves[tool] == [0.0, 0.25, 0.5] for tool in ("tensorboard", "wandb", "trackio"))
    assert found["wandb"].params == {"lr": 0.1, "optim": {"name": "adam"}}
    assert (found["wandb"].status, found["wandb"].metrics["best"]) == ("finished", 0.9)
    assert (found["trackio"].group, found["trackio"].metrics["loss"]) == ("seeds", "NaN")
    assert found["tensorboard"].started == "2026-09-21T14:13:20.000Z"


def test_rows_of_a_table_are_runs_and_rows_with_steps_are_points(
    tmp_path: Path, experiments: ExperimentRegistry
) -> None:
    bring(experiments.registry, ORIGINS["csv"](tmp_path))
    runs = {run.name: run for run in experiments.list_runs("table")}
    assert (runs["first"].params, runs["first"].metrics, runs["first"].labels) == (
        {"lr": 0.1},
        {"auc": 0.5},
        {"team": "vision"},
    )
    assert runs["second"].metrics == {"auc": "NaN"}

    (tmp_path / "curve.csv").write_text("epoch,step,loss\n0,10,1.5\n0,20,\n1,30,0.5\n")
    bring(experiments.registry, importing.csv(tmp_path / "curve.csv"))
    (run,) = experiments.list_runs("curve")
    series = experiments.get_metrics(run.id)["loss"]
    assert (list(series.steps), list(series.values)) == ([10, 30], [1.5, 0.5])


def test_a_run_of_which_there_is_more_is_sealed_again(tmp_path: Path, experiments: ExperimentRegistry) -> None:
    root = foreign.write_mlruns(tmp_path / "mlruns")
    bring(experiments.registry, importing.mlflow(str(root)))
    with (root / "1" / foreign.RUN / "metrics" / "auc").open("a") as file:
        file.write(f"{foreign.MOMENT * 1000 + 900} 0.875 2\n")

    result = bring(experiments.registry, importing.mlflow(str(root)))

    assert result.added == 1
    assert only_run(experiments).metrics == {"auc": 0.875}
    assert only_run(experiments).ref.endswith("+2")


def test_a_run_that_was_removed_here_does_not_come_back(tmp_path: Path, experiments: ExperimentRegistry) -> None:
    root = foreign.write_mlruns(tmp_path / "mlruns")
    bring(experiments.registry, importing.mlflow(str(root)))
    experiments.registry.remove([only_run(experiments).ref])

    result = bring(experiments.registry, importing.mlflow(str(root)))

    assert (result.added, experiments.list_runs()) == (0, [])
    assert "run left out: it was removed here" in result.warnings


def test_a_model_that_is_here_with_other_content_stays(tmp_path: Path, experiments: ExperimentRegistry) -> None:
    root = foreign.write_mlruns(tmp_path / "mlruns")
    file = tmp_path / "own"
    file.write_bytes(b"own")
    experiments.registry.add("model/net-v2", [file], version="1.0.0")

    result = bring(experiments.registry, importing.mlflow(str(root)))

    assert result.added == 1
    assert "model/net-v2@1.0.0 is registered already" in result.warnings[0]
    assert files(experiments, "model/net-v2@1.0.0") == ["own"]


@pytest.mark.parametrize("where", ["file:///etc", "/etc", "file:///{}/mlruns/../secret", "../secret"])
def test_no_file_beside_the_directory_is_taken(where: str, tmp_path: Path, experiments: ExperimentRegistry) -> None:
    root = foreign.write_mlruns(tmp_path / "mlruns")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("secret")
    shutil.rmtree(root / "1" / foreign.RUN / "artifacts")
    meta = root / "1" / foreign.RUN / "meta.yaml"
    meta.write_text(meta.read_text().replace(f"file://{root}/1/{foreign.RUN}/artifacts", where.format(tmp_path)))
    (root / "models" / "Net v2" / "version-1" / "meta.yaml").write_text(
        f"name: Net v2\nversion: 1\nsource: {tmp_path}/secret\n"
    )

    result = bring(experiments.registry, importing.mlflow(str(root)))

    assert result.artifacts == 0
    assert files(experiments, "model/net-v2@1.0.0") == []


def test_artifacts_that_lie_elsewhere_come_if_that_is_said(tmp_path: Path, experiments: ExperimentRegistry) -> None:
    root = foreign.write_mlruns(tmp_path / "mlruns")
    run = root / "1" / foreign.RUN
    shutil.move(run / "artifacts", tmp_path / "elsewhere")
    meta = run / "meta.yaml"
    meta.write_text(meta.read_text().replace(f"{run}/artifacts", str(tmp_path / "elsewhere")))

    refused = bring(experiments.registry, importing.mlflow(str(root)))
    taken = bring(experiments.registry, importing.mlflow(str(root), tmp_path / "elsewhere"))

    assert (refused.artifacts, taken.artifacts) == (0, 1)
    assert any("--artifacts" in warning for warning in refused.warnings)


def test_a_directory_that_was_moved_has_its_artifacts(tmp_path: Path, experiments: ExperimentRegistry) -> None:
    foreign.write_mlruns(tmp_path / "mlruns").rename(tmp_path / "moved")

    assert bring(experiments.registry, importing.mlflow(str(tmp_path / "moved"))).artifacts == 1


# Odd and hostile.


def test_names_become_legal_ones_and_stay_apart() -> None:
    odd = [
        "Churn",
        "churn",
        "churn!",
        "/a/../b",
        "<script>alert(1)</script>",
        "x",
        "",
        "con",
        "run",
        "é" * 300,
        "\x1b[2J",
    ]
    names = Names("exp")

    given = [names.of(name) for name in odd]

    assert len(set(given)) == len(odd)
    assert [names.of(name) for name in odd] == given
    assert given[0] == "churn"


def test_texts_become_numbers_only_if_nothing_is_lost() -> None:
    texts = ["0.1", "1e-05", "1.10", "007", "7", "nan", "inf", "True", "None", str(1 << 80), "1_000", " 1", ""]

    assert [value_of(text) for text in texts] == [
        *(0.1, 1e-05, "1.10", "007", 7, "nan", "inf", True, None, str(1 << 80), "1_000", " 1", "")
    ]


def test_an_event_file_that_is_cut_anywhere_gives_what_stands_before(tmp_path: Path) -> None:
    file = next(foreign.write_events(tmp_path / "events").rglob("*tfevents*"))
    data, notices = file.read_bytes(), Notices()
    whole = list(event_records(file, notices))

    for size in range(len(data)):
        file.write_bytes(data[:size])
        found = list(event_records(file, notices))
        assert found == whole[: len(found)]
    assert notices.sentences() == ()


@pytest.mark.parametrize("tool", ["tensorboard", "wandb"])
def test_a_file_with_any_byte_changed_gives_no_other_value(tool: str, tmp_path: Path) -> None:
    write = {"tensorboard": foreign.write_events, "wandb": foreign.write_wandb}[tool]
    opened = {"tensorboard": importing.tensorboard, "wandb": importing.wandb}[tool]
    root = write(tmp_path / tool)
    file = next(path for path in root.rglob("*") if path.suffix == ".wandb" or "tfevents" in path.name)
    data = file.read_bytes()

    for place in range(len(data)):
        file.write_bytes(data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :])
        for run in opened(root).runs():
            values = [value for series in run.state.metrics.values() for value in series.values]
            assert all(value in (0.0, 0.25, 0.5, 0.9) for value in values)


def test_metrics_and_texts_of_any_kind_are_kept(tmp_path: Path, experiments: ExperimentRegistry) -> None:
    root = foreign.write_mlruns(tmp_path / "mlruns")
    run = root / "1" / foreign.RUN
    (run / "metrics" / "odd").write_text("1 nan -5\n1 inf 7\n1 -inf 7\nnonsense\n1 1e308 99999999999999999999\n")
    (run / "params" / "html").write_text("<script>alert(1)</script>\x1b[2J\n\x00")

    result = bring(experiments.registry, importing.mlflow(str(root)))

    info = only_run(experiments)
    series = experiments.get_metrics(info.id)["odd"]
    assert math.isnan(series.values[0])
    assert list(series.values)[1:] == [math.inf, -math.inf, 1e308]
    assert list(series.steps) == [-5, 7, 7, (1 << 63) - 1]
    assert info.params["html"] == "<script>alert(1)</script>\x1b[2J\n\x00"
    assert result.warnings == ("a line of a metric is no point",)


@pytest.mark.parametrize("text", ["a,a\n1,2\n", "metrics.a,b\n1,2,3\n", "", "metrics.a\n\xff"])
def test_what_is_no_table_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes(text.encode("latin-1"))

    with pytest.raises(MlregError) as refused:
        importing.csv(tmp_path / "table.csv")

    assert refused.value.code == "bad_table"
