"""What is asked of a run by dotted names."""

from __future__ import annotations

from pathlib import Path

from mlreg.registry import ExperimentRegistry
from mlreg.registry.places import init
from mlreg.registry.run_results import all_facts, facts


def test_params_that_have_one_dotted_name_need_not_have_values_of_one_sort(tmp_path: Path) -> None:
    registry = ExperimentRegistry(init(tmp_path / "here", shared=True)[0], "Ann")
    with registry.start_experiment("churn", params={"a.b": 1, "a": {"b": "x"}, "c": 2}):
        pass
    [run] = registry.list_runs()

    assert [name for name, _ in facts(run, "params")] == ["a.b", "a.b", "c"]
    # Of both, the one is found that stands last.
    assert all_facts(run)["params.a.b"] == facts(run, "params")[1][1]
