"""Retention policies as a user meets them: the plan and its id, settings, holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.calling import Call


@pytest.fixture
def planned(mlreg: Call) -> Call:
    """The command, in a project with three versions of model/net, of which one may go."""
    for version in ("1.1.0", "1.2.0"):
        Path("weights").write_text(version)
        mlreg("add", "model/net", "weights", "--version", version)
    mlreg("config", "set", "policies", '[{match: "model/*", keep-last: 1}]')
    return mlreg


def test_a_plan_prints_a_rule_for_every_version_and_says_how_it_is_applied(planned: Call) -> None:
    run = planned("policy", "plan", "model/net")

    assert [row[:3] for row in run.rows] == [
        ["keep", "model/net@1.2.0", "keep-last 1"],
        ["remove", "model/net@1.1.0", "none of keep-last 1"],
        ["keep", "model/net@1.0.0", "deployed production"],
    ]
    plan = planned("policy", "plan", "model/net", "--json").document
    assert plan["removes"] == ["model/net@1.1.0"]
    assert run.err.startswith("1 of 3 versions would go, 5 B come free: mlreg policy apply ")
    for pattern in ("model/net", "models", "mod*", "net"):
        assert planned("policy", "plan", pattern, "-q").out == "model/net@1.1.0\n"
    assert planned("policy", "plan", "data", "-q").out == ""


def test_people_are_warned_of_what_keeps_nothing_and_programs_told(planned: Call) -> None:
    planned("config", "set", "policies", '[{match: "model/*", keep-last: 1, keep-best: 1 by speed_score}]')
    doubt = "policies[0]: keep-best 1 by speed_score (max) keeps nothing of model/net"

    plan = planned("policy", "plan", "--json")
    assert (plan.err, plan.document["warnings"]) == ("", [doubt])
    assert planned("policy", "plan").err.startswith(f"warning: {doubt}\n1 of ")
    assert planned("policy", "plan", "-q").err == ""
    assert planned("policy", "apply", "last", "-n").err == f"warning: {doubt}\n"
    assert planned("policy", "apply", "last", "--json").document["warnings"] == [doubt]


def test_a_plan_is_applied_by_its_id_and_not_after_a_change(planned: Call) -> None:
    plan = planned("policy", "plan", "--format", "{id}").out.strip()
    planned("tag", "model/net@1.1.0", "candidate")

    run = planned("policy", "apply", plan, "--json")
    assert (run.status, run.error["code"], run.out) == (5, "plan_changed", "")
    assert "model/net@1.1.0: its tags" in run.error["why"]
    planned("tag", "rm", "model/net@candidate")
    assert planned("policy", "apply", plan).out == "removed model/net@1.1.0\n"
    assert planned("policy", "apply", plan).out == "unchanged model/net@1.1.0\n"
    assert planned("ls", "model/net", "-q").out == "model/net@1.2.0\nmodel/net@1.0.0\n"
    assert plan in planned("policy", "explain", "model/net@1.1.0").out


def test_a_misspelt_word_is_found_wherever_it_stands(mlreg: Call) -> None:
    Path(".mlreg.yaml").write_text("policies:\n- match: model/*\n  keep_last: 3\n")

    for words in (["config", "check"], ["policy", "plan"], ["ls"]):
        run = mlreg(*words, "--json")
        assert (run.status, run.error["code"]) == (2, "bad_policy"), words
        assert ".mlreg.yaml: policies[0] has the word 'keep_last'" in run.error["message"]
        assert run.error["fix"] == ["did you mean keep-last?"]


def test_an_empty_policy_is_found_by_a_check_and_refused_by_a_plan(mlreg: Call) -> None:
    Path(".mlreg.yaml").write_text('policies: [{match: "model/*"}]\n')

    assert (mlreg("config", "check").status, mlreg("policy", "plan").status, mlreg("ls").status) == (2, 11, 0)
    Path(".mlreg.yaml").unlink()
    run = mlreg("policy", "plan", "--json")
    assert (run.status, run.error["code"]) == (11, "empty_policy")
    assert mlreg("config", "check").status == 0


def test_a_check_reads_what_settings_name(mlreg: Call) -> None:
    mlreg("config", "set", "registry.model.metadata_schema", "nowhere.json")

    assert mlreg("config", "check", "--json").error["code"] == "bad_config"


def test_the_settings_of_a_kind_are_a_policy(mlreg: Call) -> None:
    Path(".mlreg.yaml").unlink()
    mlreg("config", "set", "registry.model.cleanup_policy.max_versions", "10")
    mlreg("config", "set", "registry.model.cleanup_policy.retention_days", "90")
    mlreg("config", "set", "registry.experiment.cleanup_policy.max_versions", "5")

    assert mlreg("policy", "show").rows == [
        ["registry.model.cleanup_policy", "model/*", "keep-last 10; keep-within 90d", "1", "1"],
        ["registry.experiment.cleanup_policy", "exp/*", "keep-last 5", "1", "2"],
    ]
    assert mlreg("policy", "plan", "--exit-code").status == 0


def test_policies_that_are_set_are_written_as_yaml_and_read_again(mlreg: Call) -> None:
    mlreg("config", "set", "policies", '[{match: ["*", "!exp/*"], keep-best: {metric: auc, count: 2}}]')
    mlreg("config", "set", "registry.deployment_tags", "[live, 'prod-*']")

    assert mlreg("config", "get", "registry.deployment_tags").out == '["live", "prod-*"]\n'
    (policy,) = json.loads(mlreg("config", "get", "policies").out)
    assert policy == {"match": ["*", "!exp/*"], "keep-best": {"metric": "auc", "count": 2}}
    assert mlreg("policy", "show").rows[0][2] == "keep-best 2 by auc (max)"


def test_what_is_held_is_shown_and_found(mlreg: Call) -> None:
    assert mlreg("hold", "model/net@1.0.0", "--reason", "an audit").out == "held model/net@1.0.0\n"

    assert mlreg("hold", "model/net@1.0.0", "--reason", "an audit").out == "unchanged model/net@1.0.0\n"
    second = mlreg("hold", "model/net@1.0.0", "--reason", "a lawsuit")
    assert second.out == "held model/net@1.0.0; before, it was held for: an audit\n"

    assert "held\ta lawsuit" in mlreg("show", "model/net@1.0.0").out
    assert mlreg("ls", "--where", "held is not null", "-q").out == "model/net@1.0.0\n"
    mlreg("tag", "rm", "model/net@production")
    assert mlreg("rm", "model/net@1.0.0").status == 11
    assert mlreg("release", "model/net@1.0.0").out == "released model/net@1.0.0\n"
    assert mlreg("rm", "model/net@1.0.0").status == 0
