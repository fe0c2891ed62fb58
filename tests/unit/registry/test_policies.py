"""Retention policies on a real repository: what stays, what goes, and that only what was planned goes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlreg.errors import MlregError
from mlreg.registry import annotating, collecting, policies, tracing, usage
from mlreg.registry.experiment import ExperimentRegistry
from mlreg.registry.places import init
from mlreg.registry.registry import Registry, silent
from mlreg.registry.retention_results import Plan
from mlreg.registry.sync import Sync
from mlreg.registry.weighing import weigh
from mlreg.repository.repository import Repository
from mlreg.retention.policy import Retention, parse_policies
from mlreg.stores.directory import DirectoryStore
from mlreg.stores.faulty import FaultyStore

LAST_ONE: dict[str, Any] = {"match": "*", "keep-last": 1}
FAR = "2999-01-01"


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry with three versions of data/rows and three of model/net; net 1.0.0 was made from the first rows."""
    path, _ = init(tmp_path / "here", shared=True)
    registry = Registry(path, "Ann", tmp_path / "cache")
    for day in ("2026.01.01", "2026.01.02", "2026.01.03"):
        put(registry, tmp_path, f"data/rows@{day}", "rows" * int(day[-1]))
    put(registry, tmp_path, "model/net@1.0.0", "one", inputs=[("data", "data/rows@2026.01.01")])
    put(registry, tmp_path, "model/net@1.1.0", "two", inputs=[("data", "data/rows@2026.01.02")])
    put(registry, tmp_path, "model/net@1.2.0", "three")
    return registry


def put(registry: Registry, place: Path, ref: str, text: str, **more: Any) -> None:
    entry, _, version = ref.partition("@")
    file = place / "file"
    file.write_text(text)
    registry.add(entry, [file], version=version, **more)


def retention(*documents: dict[str, Any], tags: tuple[str, ...] = ("production",)) -> Retention:
    return Retention(parse_policies(list(documents)), tags)


def rules_in(plan: Plan) -> dict[str, tuple[bool, str]]:
    return {one.ref: (one.keep, one.rule) for one in plan.versions}


def refused(call: Callable[[], object]) -> MlregError:
    with pytest.raises(MlregError) as caught:
        call()
    return caught.value


def applied(registry: Registry, kept: Retention, plan: Plan) -> bool:
    return policies.apply(registry, kept, policies.stored_plan(registry, plan.id)).changed


# Plans.


def test_a_plan_says_of_every_version_the_rule_that_decided(registry: Registry) -> None:
    registry.tag("model/net@1.0.0", "production")
    annotating.hold(registry, "data/rows@2026.01.02", "an audit")

    plan = policies.plan(registry, retention({**LAST_ONE, "match": ["model/*", "data/*"]}))

    assert rules_in(plan) == {
        "data/rows@2026.01.03": (True, "keep-last 1"),
        "data/rows@2026.01.02": (True, "held: an audit"),
        "data/rows@2026.01.01": (True, "input of model/net@1.0.0"),
        "model/net@1.2.0": (True, "keep-last 1"),
        "model/net@1.1.0": (False, "none of keep-last 1"),
        "model/net@1.0.0": (True, "deployed production"),
    }
    assert (plan.removes, plan.size, plan.stored) == (("model/net@1.1.0",), len("two"), True)


def test_nothing_is_removed_by_a_plan(registry: Registry) -> None:
    before = registry.repository.log.refresh().number

    policies.plan(registry, retention(LAST_ONE))

    assert registry.repository.log.refresh().number == before


def test_versions_that_no_policy_is_about_stay_with_what_they_were_made_from(registry: Registry) -> None:
    plan = policies.plan(registry, retention({"match": "data/*", "keep-last": 1}))

    assert plan.removes == ()
    assert rules_in(plan)["model/net@1.0.0"] == (True, "no policy")
    assert rules_in(plan)["data/rows@2026.01.01"] == (True, "input of model/net@1.0.0")


def test_a_pattern_limits_what_goes_and_what_is_printed(registry: Registry) -> None:
    kept = retention(LAST_ONE)

    assert policies.plan(registry, kept, "model/net").removes == ("model/net@1.1.0", "model/net@1.0.0")
    assert set(rules_in(policies.plan(registry, kept, "mod*"))) == {f"model/net@1.{n}.0" for n in range(3)}
    # What models outside the pattern were made from stays.
    assert policies.plan(registry, kept, "data/*").removes == ()
    assert len(policies.plan(registry, kept).removes) == 4
    assert refused(lambda: policies.plan(registry, kept, "model/nothing")).code == "ref_not_found"


def test_inputs_are_followed_through_what_was_removed(registry: Registry, tmp_path: Path) -> None:
    put(registry, tmp_path, "data/clean@2026.01.01", "clean", inputs=[("raw", "data/rows@2026.01.01")])
    put(registry, tmp_path, "model/last@1.0.0", "last", inputs=[("data", "data/clean")])
    registry.remove(["data/clean@2026.01.01"])

    plan = policies.plan(registry, retention({**LAST_ONE, "match": ["data/*", "model/net"]}))

    assert rules_in(plan)["data/rows@2026.01.01"] == (True, "input of model/last@1.0.0")


def test_what_a_run_uses_that_is_open_stays(registry: Registry, tmp_path: Path) -> None:
    kept, experiments = retention(LAST_ONE), ExperimentRegistry(registry.path, "Ann", tmp_path / "cache")
    assert "data/rows@2026.01.01" in policies.plan(registry, kept).removes

    run = experiments.start_experiment("churn", inputs=[("data", "data/rows@2026.01.01")])
    plan = policies.plan(registry, kept)
    assert rules_in(plan)["data/rows@2026.01.01"] == (True, f"input of run/{run.id}")

    run.finish()
    assert rules_in(policies.plan(registry, kept))["data/rows@2026.01.01"] == (True, f"input of exp/churn@{run.id}")


def test_what_a_tag_of_a_remote_points_to_stays(registry: Registry, tmp_path: Path) -> None:
    init(tmp_path / "there", shared=True)
    registry.remotes = {"origin": str(tmp_path / "there")}
    registry.tag("model/net@1.0.0", "production")
    Sync(registry, "origin").push()
    registry.untag("model/net@production")

    plan = policies.plan(registry, retention(LAST_ONE))

    assert rules_in(plan)["model/net@1.0.0"] == (True, "deployed origin::production")


def test_the_best_by_a_metric_stay_as_corrected(registry: Registry, tmp_path: Path) -> None:
    for version, value in (("2.0.0", 0.9), ("2.1.0", 0.8), ("2.2.0", 0.1)):
        put(registry, tmp_path, f"model/net@{version}", version, metadata={"metrics": {"auc": value}})
    kept = retention({"match": "model/net", "keep-best": "1 by auc"})

    assert rules_in(policies.plan(registry, kept))["model/net@2.0.0"] == (True, "keep-best 1 by auc (max)")
    annotating.correct(registry, "model/net@2.0.0", {"metrics": {"auc": 0.2}})
    assert rules_in(policies.plan(registry, kept))["model/net@2.1.0"] == (True, "keep-best 1 by auc (max)")


@pytest.mark.parametrize("metric", ["auc", "metrics.auc"])
def test_a_metric_may_be_called_as_in_metadata(metric: str, registry: Registry, tmp_path: Path) -> None:
    put(registry, tmp_path, "model/net@0.9.0", "best", metadata={"metrics": {"auc": 0.9}})
    put(registry, tmp_path, "model/net@0.9.1", "worse", metadata={"metrics": {"auc": 0.1}})

    plan = policies.plan(registry, retention({"match": "model/net", "keep-last": 1, "keep-best": f"1 by {metric}"}))

    assert rules_in(plan)["model/net@0.9.0"] == (True, "keep-best 1 by auc (max)")
    assert "model/net@0.9.1" in plan.removes
    assert plan.warnings == ()


def test_a_plan_and_its_application_warn_of_what_keeps_nothing(registry: Registry) -> None:
    kept = retention(
        {"match": ["model/net", "exp/*"], "keep-last": 1, "keep-best": "1 by acc", "keep-tag": "prodution"}
    )

    plan = policies.plan(registry, kept)

    assert plan.warnings == (
        "policies[0]: no entry fits exp/*",
        "policies[0]: keep-tag prodution keeps nothing of model/net",
        "policies[0]: keep-best 1 by acc (max) keeps nothing of model/net",
    )
    done = policies.apply(registry, kept, policies.stored_plan(registry, plan.id))
    assert (done.changed, done.warnings) == (True, plan.warnings)


def test_the_best_run_of_an_experiment_stays(registry: Registry, tmp_path: Path) -> None:
    experiments = ExperimentRegistry(registry.path, "Ann", tmp_path / "cache")
    ids = []
    for value in (0.5, 0.9, 0.7):
        with experiments.start_experiment("churn") as run:
            run.log_metrics({"auc": value})
        ids.append(run.id)

    plan = policies.plan(registry, retention({"match": "exp/*", "keep-best": {"metric": "auc"}}))

    assert plan.removes == (f"exp/churn@{ids[0]}",)
    assert rules_in(plan)[f"exp/churn@{ids[2]}"] == (True, "newest")


def test_what_was_deployed_stays_as_far_back_as_is_said(registry: Registry) -> None:
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        registry.tag(f"model/net@{version}", "production")

    def plan(value: Any) -> Plan:
        return policies.plan(registry, retention({"match": "model/net", "keep-deployed": value}))

    assert rules_in(plan(2))["model/net@1.1.0"] == (True, "keep-deployed 2")
    assert plan(2).removes == ("model/net@1.0.0",)
    assert plan(9).removes == ()


def test_what_was_read_lately_stays(registry: Registry, tmp_path: Path) -> None:
    from mlreg.formats.usage import Reader
    from mlreg.operations.usage_files import Tracking

    reading = Registry(
        registry.path, "Ann", tmp_path / "cache", tracking=lambda: Tracking(Reader(), shares_names=False)
    )
    kept = retention({"match": "model/net", "keep-used-within": "30d"})
    reading.get("model/net@1.0.0", tmp_path / "out")
    assert [one.ref for one in usage.usage(registry)] == ["model/net@1.0.0"]

    assert policies.plan(registry, kept).removes == ("model/net@1.1.0",)
    assert refused(lambda: policies.plan(registry, kept, now=FAR)).code == "keeps_nothing"


def test_the_newest_release_stays_beside_a_pre_release_that_is_newer(registry: Registry, tmp_path: Path) -> None:
    put(registry, tmp_path, "model/net@2.0.0-rc.1", "rc")

    plan = policies.plan(registry, retention({"match": "model/net", "keep-last": 1}))

    assert rules_in(plan)["model/net@1.2.0"] == (True, "newest")
    assert applied(registry, retention({"match": "model/net", "keep-last": 1}), plan)
    assert str(registry.rev_parse("model/net@latest")) == "model/net@1.2.0"


# What is refused.


@pytest.mark.parametrize(
    ("documents", "code"),
    [
        ([], "empty_policy"),
        ([{"match": "model/*"}], "empty_policy"),
        ([LAST_ONE, {"match": "model/*"}], "empty_policy"),
        ([{"match": "*", "keep-tag": "prodution"}], "keeps_nothing"),
        ([LAST_ONE | {"match": "data/*"}, {"match": "model/*", "keep-tag": "prodution"}], "keeps_nothing"),
    ],
)
def test_policies_that_say_nothing_of_what_stays_are_refused(
    documents: list[dict[str, Any]], code: str, registry: Registry
) -> None:
    error = refused(lambda: policies.plan(registry, retention(*documents)))

    assert (error.code, error.exit_status) == (code, 11)
    assert error.fix


def test_all_versions_go_if_that_is_said_in_so_many_words_and_nothing_is_in_use(registry: Registry) -> None:
    kept = retention({"match": "*", "allow-remove-all": True})
    registry.tag("data/rows@2026.01.02", "golden")

    plan = policies.plan(registry, kept)

    assert rules_in(plan)["data/rows@2026.01.02"] == (True, "tagged golden")
    assert len(plan.removes) == 5
    assert applied(registry, kept, plan)
    assert [one.ref for one in registry.entries()] == ["data/rows"]


@pytest.mark.parametrize("now", ["2031-01-01T00:00:00Z", "2019-01-01T00:00:00Z"])
def test_a_clock_that_is_years_off_is_not_asked(now: str, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policies, "now_of_clock", lambda: now)
    within = retention({"match": "*", "keep-last": 1, "keep-within": "90d"})

    error = refused(lambda: policies.plan(registry, within))
    assert (error.code, error.exit_status) == ("clock_off", 11)
    # Rules that ask no clock need none; and what was said outright is believed.
    timeless = policies.plan(registry, retention(LAST_ONE))
    assert len(timeless.removes) == 4
    assert policies.plan(registry, within, now=now).now == now


def test_the_newest_stay_whatever_time_is_told(registry: Registry) -> None:
    kept = retention({"match": "*", "keep-last": 2, "keep-within": "1d"})

    plan = policies.plan(registry, kept, now=FAR)

    assert {one.ref for one in plan.versions if one.rule == "keep-last 2"} == {
        "data/rows@2026.01.03",
        "data/rows@2026.01.02",
        "model/net@1.2.0",
        "model/net@1.1.0",
    }


def test_a_version_is_not_older_than_what_it_was_made_from(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlreg.operations.register.now", lambda: "1970-01-01T00:00:00Z")
    put(registry, tmp_path, "model/late@1.0.0", "late", inputs=[("data", "data/rows@2026.01.03")])
    put(registry, tmp_path, "model/late@1.1.0", "later", inputs=[("data", "data/rows@2026.01.03")])
    monkeypatch.undo()
    assert registry.show("model/late@1.0.0").time == "1970-01-01T00:00:00Z"

    plan = policies.plan(registry, retention({"match": "model/late", "keep-within": "9d"}))

    assert plan.removes == ()


def test_only_so_much_goes_as_has_to_come_free(registry: Registry, tmp_path: Path) -> None:
    for number in range(1, 5):
        put(registry, tmp_path, f"model/big@1.{number}.0", f"{number}" * 1000 * number)
    kept = retention({"match": "model/big", "keep-last": 1})

    plan = policies.plan(registry, kept, free=1500)

    assert plan.removes == ("model/big@1.2.0",)
    assert plan.size == 2000
    assert rules_in(plan)["model/big@1.1.0"] == (True, "not needed to free 1.5 kB")
    error = refused(lambda: policies.plan(registry, kept, free=6001))
    assert (error.code, error.exit_status) == ("cannot_free", 11)
    assert policies.plan(registry, kept, free=6000).size == 6000


def test_what_stays_elsewhere_does_not_come_free(registry: Registry, tmp_path: Path) -> None:
    put(registry, tmp_path, "model/copy@1.0.0", "two")
    kept = retention({"match": "model/net", "keep-last": 1})

    assert policies.plan(registry, kept).size == len("one")
    assert refused(lambda: policies.plan(registry, kept, free=4)).code == "cannot_free"


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("50G", 50 * 10**9),
        ("1.5T", 1.5 * 10**12),
        ("200MB", 2 * 10**8),
        ("4GiB", 4 * 2**30),
        ("1000", 1000),
        ("1 k", 1000),
    ],
)
def test_a_size_is_read(text: str, size: float) -> None:
    assert policies.bytes_of(text) == size


@pytest.mark.parametrize("text", ["", "0", "0.0G", "much", "-1G", "1X", "1e9", "G", "1GG", "nan", "1i"])
def test_what_is_no_size_is_refused(text: str) -> None:
    assert refused(lambda: policies.bytes_of(text)).code == "bad_size"


# Plans that are applied.


def test_a_plan_is_applied_in_one_transaction_that_says_why(registry: Registry) -> None:
    kept = retention(LAST_ONE)
    plan = policies.plan(registry, kept)
    before = registry.repository.log.refresh().number

    done = policies.apply(registry, kept, policies.stored_plan(registry, plan.id[:6]), "room")

    assert (done.refs, done.changed) == (plan.removes, True)
    assert registry.repository.log.refresh().number == before + 1
    event = registry.log("model/net@1.0.0")[0]
    assert (event.change, event.message) == ("remove", f"room; retention plan {plan.id}: none of keep-last 1")
    assert [one.ref for one in registry.versions("model/net")] == ["model/net@1.2.0"]


def test_a_plan_that_was_applied_is_done(registry: Registry) -> None:
    kept = retention(LAST_ONE)
    plan = policies.plan(registry, kept)

    assert applied(registry, kept, plan)
    assert not applied(registry, kept, plan)
    again = policies.plan(registry, kept)
    assert (again.removes, applied(registry, kept, again)) == ((), False)


def test_a_plan_that_is_tried_removes_nothing(registry: Registry) -> None:
    kept = retention(LAST_ONE)
    plan = policies.plan(registry, kept)

    assert applied(registry.rehearsal(), kept, plan)
    assert len(registry.versions("model/net")) == 3


def test_what_was_removed_is_still_drawn_and_comes_back(registry: Registry, tmp_path: Path) -> None:
    kept = retention(LAST_ONE)
    applied(registry, kept, policies.plan(registry, kept))

    graph = tracing.log_graph(registry, "model/net")
    assert {node.ref: node.state for node in graph.nodes} == {
        "model/net@1.2.0": "live",
        "model/net@1.1.0": "removed",
        "model/net@1.0.0": "removed",
        "data/rows@2026.01.02": "removed",
        "data/rows@2026.01.01": "removed",
    }
    assert len(graph.edges) == 4
    assert policies.explain(registry, kept, "model/net@1.0.0").state == "removed"
    registry.restore(["model/net@1.0.0", "data/rows@2026.01.01"])
    registry.get("model/net@1.0.0", tmp_path / "out")
    assert (tmp_path / "out" / "file").read_text() == "one"
    assert [node.ref for node in tracing.lineage(registry, "model/net@1.0.0")] == [
        "model/net@1.0.0",
        "data/rows@2026.01.01",
    ]


def change_a_tag(registry: Registry, _: Path) -> None:
    registry.tag("model/net@1.0.0", "golden")


def hold_one(registry: Registry, _: Path) -> None:
    annotating.hold(registry, "model/net@1.0.0", "an audit")


def freeze_one(registry: Registry, _: Path) -> None:
    annotating.freeze(registry, "model/net")


def add_one(registry: Registry, place: Path) -> None:
    put(registry, place, "model/net@1.3.0", "four")


def use_one(registry: Registry, place: Path) -> None:
    put(registry, place, "data/part@2026.01.01", "part", inputs=[("base", "model/net@1.0.0")])


def remove_one(registry: Registry, _: Path) -> None:
    registry.remove(["model/net@1.0.0"])


def rename_it(registry: Registry, _: Path) -> None:
    annotating.rename(registry, "model/net", "model/other")


def correct_a_metric(registry: Registry, _: Path) -> None:
    annotating.correct(registry, "model/net@1.0.0", {"metrics": {"auc": 0.5}})


CHANGES: dict[Callable[[Registry, Path], None], str] = {
    change_a_tag: "model/net@1.0.0: its tags",
    hold_one: "model/net@1.0.0: whether it is held",
    freeze_one: "model/net@1.2.0: whether it is frozen",
    add_one: "model/net@1.3.0 came",
    use_one: "model/net@1.0.0: what was made from it",
    remove_one: "model/net@1.0.0 went",
    rename_it: "model/other@1.2.0 came",
    correct_a_metric: "model/net@1.0.0: its metrics",
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_plan_is_refused_if_anything_that_it_rests_on_has_changed(
    change: Callable[[Registry, Path], None], registry: Registry, tmp_path: Path
) -> None:
    kept = retention({"match": "model/*", "keep-last": 1, "keep-best": "1 by auc"})
    plan = policies.plan(registry, kept)
    assert "model/net@1.0.0" in plan.removes
    change(registry, tmp_path)
    before = registry.repository.log.refresh().number

    error = refused(lambda: applied(registry, kept, plan))

    assert (error.code, error.exit_status) == ("plan_changed", 5)
    assert CHANGES[change] in error.why
    assert registry.repository.log.refresh().number == before


def test_a_plan_is_refused_if_the_policies_are_others(registry: Registry) -> None:
    plan = policies.plan(registry, retention({"match": "model/*", "keep-last": 1}))

    for other in (
        retention({"match": "model/*", "keep-last": 2}),
        retention({"match": "model/*", "keep-last": 1}, tags=("live",)),
    ):
        error = refused(lambda other=other: applied(registry, other, plan))  # type: ignore[misc]  # bound at once
        assert error.code == "plan_changed"
        assert "policies" in error.why


def test_a_plan_stands_if_nothing_has_changed_that_it_rests_on(registry: Registry, tmp_path: Path) -> None:
    kept = retention({"match": "model/*", "keep-last": 1})
    plan = policies.plan(registry, kept)
    annotating.label(registry, "model/net", {"team": "vision"})
    registry.tag("data/rows@2026.01.01", "golden")
    put(registry, tmp_path, "data/more@2026.01.01", "more")

    assert applied(registry, kept, plan)


def test_what_changes_while_a_plan_is_applied_is_seen(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = retention({"match": "model/*", "keep-last": 1})
    plan = policies.plan(registry, kept)
    other = Registry(registry.path, "Bob", tmp_path / "other")
    claim = registry.repository.log._claim

    def be_slower(number: int, data: bytes) -> bool:
        # Someone else tags what is about to go, in the very moment in which it goes.
        monkeypatch.undo()
        other.tag("model/net@1.0.0", "production")
        return claim(number, data)

    monkeypatch.setattr(registry.repository.log, "_claim", be_slower)

    assert refused(lambda: applied(registry, kept, plan)).code == "plan_changed"
    assert len(registry.versions("model/net")) == 3


def test_only_a_plan_that_was_stored_is_applied_and_a_forged_one_is_refused(registry: Registry) -> None:
    kept = retention({"match": "model/*", "keep-last": 2})
    assert refused(lambda: policies.stored_plan(registry, "last")).code == "plan_missing"
    plan = policies.plan(registry, kept)
    assert plan.removes == ("model/net@1.0.0",)
    file = Path(registry.path, "plans", f"{plan.id}.json")
    document = json.loads(file.read_text())
    document["removes"].append(["model/net@1.1.0", registry.show("model/net@1.1.0").id])
    file.write_bytes(json.dumps(document, separators=(",", ":"), sort_keys=True).encode())

    assert policies.stored_plan(registry, "last").id == plan.id
    assert refused(lambda: applied(registry, kept, plan)).code == "plan_changed"
    pipe = file.with_name(f"{'0' * 16}.json")
    os.mkfifo(pipe)
    assert refused(lambda: policies.stored_plan(registry, pipe.stem)).code == "plan_missing"
    for text in ("{}", "", "[]", file.read_text().replace('"free":0', '"free":"x"')):
        file.write_text(text)
        assert refused(lambda: policies.stored_plan(registry, plan.id)).code == "plan_missing"


def test_plans_are_named_by_what_they_rest_on_and_the_oldest_are_forgotten(registry: Registry) -> None:
    kept = retention(LAST_ONE)
    same = {policies.plan(registry, kept, now=FAR).id for _ in range(3)}
    assert len(same) == 1

    plans = [policies.plan(registry, kept, now=f"2999-01-{day:02}").id for day in range(1, 31)]

    assert len(set(plans)) == 30
    stored = list(Path(registry.path, "plans").iterdir())
    assert len(stored) == 20
    assert policies.stored_plan(registry, plans[-1]).id == plans[-1]
    assert refused(lambda: policies.stored_plan(registry, "")).code == "plan_missing"


def test_where_nothing_can_be_written_a_plan_is_made_and_not_stored(registry: Registry) -> None:
    Path(registry.path, "plans").write_text("no directory")

    plan = policies.plan(registry, retention(LAST_ONE))

    assert (plan.stored, len(plan.removes)) == (False, 4)


# What stays by hand.


def test_what_is_held_is_not_removed_before_it_is_released(registry: Registry) -> None:
    assert refused(lambda: annotating.hold(registry, "model/net@1.0.0", " ")).code == "no_reason"
    annotating.hold(registry, "model/net@1.0.0", "an audit")
    assert registry.show("model/net@1.0.0").held == "an audit"
    error = refused(lambda: registry.remove(["model/net@1.0.0"]))
    assert (error.code, error.exit_status, error.why) == ("version_held", 11, "an audit")

    annotating.release(registry, "model/net@1.0.0")

    assert registry.show("model/net@1.0.0").held == ""
    assert registry.remove(["model/net@1.0.0"]).changed


def test_an_entry_that_is_held_keeps_all_its_versions(registry: Registry) -> None:
    annotating.hold(registry, "model/net", "an audit")

    assert refused(lambda: registry.remove(["model/net@1.0.0"])).code == "version_held"
    plan = policies.plan(registry, retention(LAST_ONE), "model/net")
    assert {one.rule for one in plan.versions} == {"held: an audit"}


# Reasons.


def test_it_is_explained_why_a_version_stays_and_why_not(registry: Registry) -> None:
    kept = retention({"match": "model/*", "keep-last": 1, "keep-within": "9d"}, {"match": "*", "keep-tag": "golden"})

    newest = policies.explain(registry, kept, "model/net", now=FAR)
    old = policies.explain(registry, kept, "model/net@1.0.0", now=FAR)

    assert (newest.state, newest.rule, newest.reasons) == ("kept", "keep-last 1", ("keep-last 1", "newest"))
    assert (old.state, old.rule) == ("let go", "none of keep-last 1; keep-within 9d; keep-tag golden")
    assert [(one.origin, one.rule, one.keeps) for one in newest.rules] == [
        ("policies[0]", "keep-last 1", True),
        ("policies[0]", "keep-within 9d", False),
        ("policies[1]", "keep-tag golden", False),
    ]


def test_policies_are_shown_with_what_they_are_about(registry: Registry) -> None:
    (one,) = policies.show(registry, retention({"match": "model/*", "keep-last": 1, "allow-remove-all": True}))

    assert (one.match, one.rules, one.allow_remove_all) == (("model/*",), ("keep-last 1",), True)
    assert (one.entries, one.versions) == (1, 3)


@pytest.mark.parametrize("at", range(1, 8))
@pytest.mark.parametrize("look", ["plan", "du"])
def test_who_looks_beside_a_collector_is_told_of_what_is_left(look: str, at: int, registry: Registry) -> None:
    reads = 0

    def plan(_: int, verb: str, key: str) -> None:
        nonlocal reads
        reads += verb == "read" and key.startswith("packs/")
        if reads == at:
            reads += 1
            other = Registry(Path(registry.path), "Bob")
            other.remove(["model/net@1.1.0"])
            collecting.collect(other, grace=0, report=silent)

    slow = Registry(Path(registry.path), "Ann")
    slow.repository = Repository(FaultyStore(DirectoryStore(Path(registry.path)), plan))
    if look == "du":
        assert weigh(slow, "", silent).total
    else:
        assert "model/net@1.2.0" in rules_in(policies.plan(slow, retention(LAST_ONE)))
