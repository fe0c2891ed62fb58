"""What a report shows of a registry: which runs and versions, which curves, and what they came from."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from mlreg.errors import IntegrityError, MlregError
from mlreg.registry import ExperimentRegistry, noting, reporting, tracing
from mlreg.registry.places import init
from mlreg.registry.reporting import Asked, Report, gather

ANN = "Ann Lee <ann@example.org>"


@pytest.fixture
def registry(tmp_path: Path) -> ExperimentRegistry:
    """Return a registry with three runs of churn, one of other, and a model of the first that was made from data."""
    found = ExperimentRegistry(init(tmp_path / "here", shared=True)[0], ANN)
    file = tmp_path / "file"
    file.write_bytes(b"file")
    found.registry.add("data/rows", [file], version="2026.01.01")
    for number in range(3):
        log(found, "churn", f"run {number}", number, inputs=[("data", "data/rows@latest")] if number else [])
    log(found, "other", "another", 7)
    found.set_goal("churn", "auc", "max")
    first = found.list_runs(where="name = 'run 1'")[0]
    found.registry.add("model/net", [file], version="1.0.0", inputs=[("run", first.ref)])
    return found


def log(registry: ExperimentRegistry, experiment: str, name: str, number: int, inputs: object = ()) -> None:
    with registry.start_experiment(experiment, run_name=name, inputs=inputs) as run:  # type: ignore[arg-type]  # pairs
        for step in range(4):
            run.log_metrics({"auc": number + step / 10, "speed": 1.0, "val/loss": 1 / (step + 1)}, step)
        run.log_metrics({"once": 1.0})


def report(registry: ExperimentRegistry, *refs: str, **asked: object) -> Report:
    return gather(registry.place, Asked(refs, **asked))  # type: ignore[arg-type]  # as tests say them


def names(found: Report) -> list[str]:
    return [run.name for run in found.runs]


def test_nothing_named_is_all_runs_and_no_version(registry: ExperimentRegistry) -> None:
    found = report(registry)

    assert names(found) == ["another", "run 2", "run 1", "run 0"]
    assert found.cards == ()


def test_a_dataset_that_is_named_is_profiled_and_one_that_cannot_be_read_hinders_nothing(
    registry: ExperimentRegistry, tmp_path: Path
) -> None:
    for version, text in (("2026.02.01", "a,b\n1,2\n"), ("2026.02.02", "a,b\n1\n")):
        (tmp_path / "rows.csv").write_text(text)
        registry.registry.add("data/table", [tmp_path / "rows.csv"], version=version)

    good, bad = report(registry, "data/table@2026.02.01", "data/table@2026.02.02", "model/net").data

    assert good.profile
    assert ([table.rows for table in good.profile.tables], good.problem) == ([1], "")
    assert bad.profile is None
    assert "rows.csv, line 2, is no sound CSV" in bad.problem


def test_an_experiment_is_its_runs_and_with_top_the_best_of_them(registry: ExperimentRegistry) -> None:
    assert names(report(registry, "exp/churn")) == ["run 2", "run 1", "run 0"]
    assert names(report(registry, "exp/churn", top=2)) == ["run 2", "run 1"]
    assert names(report(registry, experiment="churn", where="metrics.auc < 2")) == ["run 1", "run 0"]


def test_runs_and_versions_are_told_apart_and_each_is_there_once(registry: ExperimentRegistry) -> None:
    run = registry.list_runs(where="name = 'run 1'")[0]

    found = report(registry, "model/net@1.0.0", run.id, run.ref, "model/net@latest", "exp/churn")

    assert names(found) == ["run 1", "run 2", "run 0"]
    assert [card.ref for card in found.cards] == ["model/net@1.0.0"]
    assert found.title == "exp/churn, model/net"


def test_what_is_not_there_is_refused(registry: ExperimentRegistry) -> None:
    for refs, asked, code in (
        (("model/none@1.0.0",), {}, "ref_not_found"),
        (("exp/none",), {}, "ref_not_found"),
        ((), {"where": "name = 'none'"}, "nothing_to_report"),
        (("exp/other",), {"top": 1}, "no_goal"),
    ):
        with pytest.raises(MlregError) as caught:
            report(registry, *refs, **asked)
        assert caught.value.code == code


def test_curves_are_the_points_of_metrics_that_have_more_than_one(registry: ExperimentRegistry) -> None:
    found = report(registry, "exp/churn")

    assert list(found.curves) == ["auc", "speed", "val/loss"]
    for curve in found.curves["auc"]:
        series = registry.get_metrics(found.runs[curve.run].ref)["auc"]
        assert (list(curve.steps), list(curve.values)) == (list(series.steps), list(series.values))
        assert (curve.points, curve.not_finite) == (4, 0)


def test_a_run_that_is_still_open_has_its_curves(registry: ExperimentRegistry) -> None:
    run = registry.open_run("churn")
    run.describe(name="open")
    for value in (1.0, math.nan, math.inf):
        run.log_metrics({"auc": value})

    found = report(registry, "exp/churn")

    assert names(found)[0] == "open"
    [curve] = [curve for curve in found.curves["auc"] if curve.run == 0]
    assert (curve.points, curve.not_finite) == (3, 2)


def test_more_points_than_a_page_should_have_are_thinned_and_no_peak_is_lost(
    registry: ExperimentRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    with registry.start_experiment("long") as run:
        for step in range(3000):
            run.log_metrics({"wave": 10.0 if step == 1234 else math.sin(step / 100), "odd": math.nan}, step)
    monkeypatch.setattr(reporting, "MOST_POINTS", 1000)

    found = report(registry, "exp/long")

    for [curve] in found.curves.values():
        assert 100 <= len(curve.steps) <= 500
        assert curve.points == 3000
        assert (curve.steps[0], curve.steps[-1]) == (0, 2999)
    [wave], [odd] = found.curves["wave"], found.curves["odd"]
    assert (1234, 10.0) in zip(wave.steps, wave.values, strict=True)
    assert (wave.not_finite, odd.not_finite) == (0, 3000)


def test_directions_are_those_declared_or_those_of_the_name(registry: ExperimentRegistry) -> None:
    found = report(registry, "exp/churn")

    assert found.goal == "auc"
    assert found.directions == {"auc": "max", "val/loss": "min"}


def test_of_two_goals_none_is_that_of_the_report(registry: ExperimentRegistry) -> None:
    assert report(registry).goal == "auc"
    registry.set_goal("other", "speed", "min")

    found = report(registry)

    assert found.goal == ""
    assert found.directions["speed"] == "min"


def test_notes_are_those_on_what_is_shown(registry: ExperimentRegistry) -> None:
    for ref in ("exp/churn", "exp/other", "model/net@1.0.0", registry.list_runs(where="name = 'run 2'")[0].ref):
        noting.add(registry.registry, ref, f"on {ref}")

    found = report(registry, "exp/churn")

    assert sorted(note.text for note in found.notes) == ["on exp/churn", f"on {found.runs[0].ref}"]


def test_lineage_is_what_each_came_from_and_what_came_of_it_at_once(registry: ExperimentRegistry) -> None:
    found = report(registry, "exp/churn")

    refs = {node.id: node.ref for node in found.lineage.nodes}
    runs = {run.name: run.ref for run in found.runs}
    assert {(refs[edge.source], refs[edge.target], edge.role) for edge in found.lineage.edges} == {
        ("data/rows@2026.01.01", runs["run 1"], "data"),
        ("data/rows@2026.01.01", runs["run 2"], "data"),
        (runs["run 1"], "model/net@1.0.0", "run"),
    }
    assert {refs[one] for one in found.asked} == set(runs.values())


def test_lineage_of_many_is_that_of_each_of_them(registry: ExperimentRegistry) -> None:
    here = registry.registry
    refs = ["model/net@1.0.0", "data/rows@latest", *(run.ref for run in registry.list_runs())]

    graph, ids = tracing.around(here, refs)

    alone = [tracing.graph(here, ref, direction="up") for ref in refs]
    alone += [tracing.graph(here, ref, direction="down", depth=1) for ref in refs]
    assert set(graph.nodes) == {node for one in alone for node in one.nodes}
    assert set(graph.edges) == {edge for one in alone for edge in one.edges}
    assert ids == [str(here.rev_parse(ref).commit_id) for ref in refs]


def test_runs_beyond_those_that_are_traced_are_counted(
    registry: ExperimentRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "MOST_RUNS_TRACED", 2)

    found = report(registry, "exp/churn", "model/net@1.0.0")

    assert found.untraced == 1
    assert len(found.asked) == 3


def test_a_damaged_version_elsewhere_hinders_no_report(registry: ExperimentRegistry, tmp_path: Path) -> None:
    packs = set((tmp_path / "here").rglob("packs/*/*"))
    registry.registry.add("model/bad", [tmp_path / "file"], version="1.0.0", message="word " * 100)
    for pack in set((tmp_path / "here").rglob("packs/*/*")) - packs:
        data = pack.read_bytes()
        # The index at its end is whole: only an object is not what it was.
        pack.write_bytes(data[:40] + bytes(byte ^ 1 for byte in data[40:60]) + data[60:])
    again = ExperimentRegistry(tmp_path / "here", ANN)
    with pytest.raises(IntegrityError):
        again.registry.show("model/bad@1.0.0")

    found = report(again, "exp/churn")

    assert len(found.runs) == 3
    assert {edge.role for edge in found.lineage.edges} == {"data"}
