"""Verdicts: what is in use stays, what a rule keeps stays, and what goes is kept by nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.retention.policy import BY_TIME, Age, Best, Policy, Retention, Rule
from mlreg.retention.rules import (
    INPUT_OF,
    NEWEST,
    NO_POLICY,
    Verdict,
    Version,
    before,
    by_entry,
    decide,
    doubts,
    idle,
    in_use,
    kept_by,
)
from tests.unit.retention.strategies import NOW, REFS, policies, retentions, rules, times, version, versions


def kept(verdicts: list[Verdict]) -> set[str]:
    return {verdict.ref for verdict in verdicts if verdict.keep}


def policy(*rules: Rule, match: str = "*", may_remove_all: bool = False) -> Retention:
    return Retention((Policy("policies[0]", (match,), rules, may_remove_all),))


# Laws.


@given(versions(), retentions)
def test_every_version_has_one_verdict_and_the_rule_that_it_names_decided(
    some: list[Version], retention: Retention
) -> None:
    verdicts = decide(some, retention, NOW)

    assert [verdict.ref for verdict in verdicts] == [one.ref for one in some]
    for one, verdict in zip(some, verdicts, strict=True):
        beside = by_entry(some)[one.entry]
        fitting = retention.fitting(one.entry)
        by_rule = [str(rule) for each in fitting for rule in each.rules if one in kept_by(rule, beside, NOW)]
        if not verdict.keep:
            # Of what goes, all rules are named, and none of them keeps it.
            assert by_rule == [] == in_use(one, retention)
            assert fitting
            assert set(verdict.rules) == {str(rule) for each in fitting for rule in each.rules}
            continue
        users = {user.ref for user in some if one.ref in user.inputs}
        known = {
            *in_use(one, retention),
            *by_rule,
            *([NO_POLICY] if not fitting else []),
            *([NEWEST] if one.is_latest or one is beside[0] else []),
            *(f"{INPUT_OF} {user}" for user in users & kept(verdicts)),
        }
        assert verdict.rule == verdict.rules[0]
        assert set(verdict.rules) <= known


@given(versions(), retentions)
def test_what_is_in_use_stays_whatever_the_policies_say(some: list[Version], retention: Retention) -> None:
    staying = kept(decide(some, retention, NOW))

    used = {one.ref for one in some if one.tags or one.held or one.frozen or one.needed_by}
    assert used <= staying


@given(versions(), retentions)
def test_what_a_kept_version_was_made_from_stays(some: list[Version], retention: Retention) -> None:
    staying = kept(decide(some, retention, NOW))

    there = {one.ref for one in some}
    assert {source for one in some if one.ref in staying for source in one.inputs if source in there} <= staying


@given(versions(), retentions, rules, st.integers(0, 2))
def test_one_more_rule_never_lets_more_go(some: list[Version], retention: Retention, rule: Rule, number: int) -> None:
    if number >= len(retention.policies):
        return
    more = [*retention.policies]
    more[number] = more[number]._replace(rules=(*more[number].rules, rule))

    assert kept(decide(some, retention, NOW)) <= kept(decide(some, retention._replace(policies=tuple(more)), NOW))


@given(versions(), retentions, policies)
def test_one_more_policy_for_the_same_entries_never_lets_more_go(
    some: list[Version], retention: Retention, more: Policy
) -> None:
    about = [one for one in some if retention.fitting(one.entry)]
    both = retention._replace(policies=(*retention.policies, more))

    assert kept(decide(about, retention, NOW)) <= kept(decide(about, both, NOW))


@given(versions(), retentions)
def test_an_entry_keeps_its_newest_version_and_its_latest_unless_all_its_policies_allow_more(
    some: list[Version], retention: Retention
) -> None:
    staying = kept(decide(some, retention, NOW))

    for entry, beside in by_entry(some).items():
        if not all(one.may_remove_all for one in retention.fitting(entry)):
            assert beside[0].ref in staying
            assert {one.ref for one in beside if one.is_latest} <= staying


@given(versions(), retentions, times.filter(bool))
def test_a_clock_that_is_years_off_lets_nothing_go_that_rules_without_a_clock_keep(
    some: list[Version], retention: Retention, now: str
) -> None:
    timeless = [
        one._replace(rules=tuple(rule for rule in one.rules if rule.word not in BY_TIME)) for one in retention.policies
    ]

    without = kept(decide(some, retention._replace(policies=tuple(timeless)), NOW))
    assert without <= kept(decide(some, retention, now))


@given(versions(), retentions)
def test_a_verdict_does_not_depend_on_the_order_of_policies(some: list[Version], retention: Retention) -> None:
    turned = retention._replace(policies=retention.policies[::-1])

    assert kept(decide(some, retention, NOW)) == kept(decide(some, turned, NOW))


@given(st.integers(1, 8), st.integers(0, 6))
def test_keep_last_keeps_the_newest_by_version_and_no_others(count: int, there: int) -> None:
    some = [version(ref) for ref in REFS[:there]]

    assert kept_by(Rule("keep-last", count), some, NOW) == some[:count]


@given(versions(), st.integers(1, 5), st.sampled_from(["keep-daily", "keep-weekly", "keep-monthly"]))
def test_a_calendar_rule_keeps_as_many_as_it_says_and_the_newest_of_each_period(
    some: list[Version], count: int, word: str
) -> None:
    for beside in by_entry(some).values():
        found = kept_by(Rule(word, count), beside, NOW)
        assert len(found) <= count
        assert all(one.time for one in found)
        newest = max((one.time for one in beside), default="")
        assert not newest or newest in {one.time for one in found}


# Each word.


def days_ago(*days: float) -> list[Version]:
    return [version(f"model/net@{9 - at}", time=before(NOW, day)) for at, day in enumerate(days)]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Rule("keep-within", Age("90d", 90)), [0, 1, 2]),
        (Rule("keep-within", Age("24h", 1)), [0, 1]),
        (Rule("keep-daily", 2), [0, 1]),
        (Rule("keep-daily", 3), [0, 1, 2]),
        (Rule("keep-weekly", 2), [0, 2]),
        (Rule("keep-monthly", 2), [0, 2]),
        (Rule("keep-monthly", 9), [0, 2, 3]),
    ],
)
def test_a_rule_by_time_keeps(rule: Rule, expected: list[int]) -> None:
    # 2026-11-23 is a Monday; at 06:28 the day before is 24 hours ago.
    some = days_ago(0.1, 1, 90, 400)
    if rule.word == "keep-weekly":
        some[1] = some[1]._replace(time="2026-11-23T00:00:00Z")

    found = kept_by(rule, some, NOW)

    assert sorted(some.index(one) for one in found) == expected


def test_a_version_from_a_clock_that_was_ahead_or_that_tells_no_time_is_not_too_old() -> None:
    some = [version("model/net@2", time="2031-01-01T00:00:00Z"), version("model/net@1", time="")]

    assert kept_by(Rule("keep-within", Age("1d", 1)), some, NOW) == some
    assert kept_by(Rule("keep-daily", 5), some, NOW) == some[:1]


def test_the_best_are_counted_by_entry_and_what_was_not_measured_is_none_of_them() -> None:
    values = {"5": 0.7, "4": float("nan"), "3": 0.9, "2": 0.9, "1": 0.2}
    some = [version(f"model/net@{name}", metrics={"auc": value}) for name, value in values.items()]
    some.append(version("model/net@0"))

    best = kept_by(Rule("keep-best", Best(2, "auc", "max")), some, NOW)
    worst = kept_by(Rule("keep-best", Best(1, "auc", "min")), some, NOW)

    assert [one.ref for one in best] == ["model/net@3", "model/net@2"]
    assert [one.ref for one in worst] == ["model/net@1"]
    assert len(kept_by(Rule("keep-best", Best(9, "auc", "max")), some, NOW)) == 4


def test_what_was_read_lately_stays_and_what_never_was_does_not() -> None:
    some = [
        version("model/net@3", used="2026-11-01"),
        version("model/net@2", used="2026-01-01"),
        version("model/net@1"),
    ]

    assert kept_by(Rule("keep-used-within", Age("30d", 30)), some, NOW) == some[:1]


def test_what_was_deployed_stays_as_far_back_as_is_said() -> None:
    some = [version("model/net@3"), version("model/net@2", deployed=0), version("model/net@1", deployed=1)]

    assert kept_by(Rule("keep-deployed", True), some, NOW) == some[1:]  # noqa: FBT003 - the value of the rule
    assert kept_by(Rule("keep-deployed", 1), some, NOW) == some[1:2]


def test_a_tag_is_meant_by_its_pattern_here_and_in_a_remote() -> None:
    some = [version("model/net@2", tags=("origin::prod-eu",)), version("model/net@1", tags=("golden",))]

    assert kept_by(Rule("keep-tag", ("prod*",)), some, NOW) == some[:1]


def test_the_reason_says_what_a_version_is_in_use_for() -> None:
    one = version("model/net@1", tags=("golden", "production"), held="audit", frozen=True, needed_by="run/7")

    reasons = in_use(one, Retention((), ("prod*",)))

    assert reasons == ["held: audit", "frozen", "tagged golden", "deployed production", "input of run/7"]


def test_what_goes_names_the_rules_that_did_not_keep_it() -> None:
    some = [version(f"model/net@{number}") for number in (2, 1)]

    newest, old = decide(some, policy(Rule("keep-last", 1), Rule("keep-tag", ("golden",))), NOW)

    assert (newest.rule, newest.rules) == ("keep-last 1", ("keep-last 1", NEWEST))
    assert (old.keep, old.rule) == (False, "none of keep-last 1; keep-tag golden")
    (gone,) = decide(some[1:], policy(may_remove_all=True), NOW)
    assert (gone.keep, gone.rule) == (False, "no rule keeps it")


def test_inputs_stay_through_several_steps_and_across_entries() -> None:
    some = [
        version("data/clean@2"),
        version("data/clean@1", inputs=("data/raw@1",)),
        version("data/raw@2"),
        version("data/raw@1"),
        version("data/raw@0"),
        version("model/net@1", inputs=("data/clean@1",), tags=("production",)),
    ]

    verdicts = {one.ref: one for one in decide(some, policy(Rule("keep-last", 1)), NOW)}

    assert verdicts["data/clean@1"].rule == "input of model/net@1"
    assert verdicts["data/raw@1"].rule == "input of data/clean@1"
    assert not verdicts["data/raw@0"].keep


# Policies that would let all go.


def test_a_policy_by_which_all_but_the_newest_would_go_is_idle() -> None:
    some = [version("model/net@2"), version("model/net@1")]

    def found(retention: Retention) -> int:
        return len(idle(some, decide(some, retention, NOW), retention, NOW))

    assert found(policy(Rule("keep-tag", ("prodution",)))) == 1
    assert found(policy(Rule("keep-tag", ("prodution",)), may_remove_all=True)) == 0
    assert found(policy(Rule("keep-tag", ("prodution",)), Rule("keep-last", 1))) == 0
    assert found(policy(Rule("keep-tag", ("prodution",)), match="data/*")) == 0
    # What another policy keeps is kept.
    both = (*policy(Rule("keep-tag", ("x",))).policies, *policy(Rule("keep-last", 1)).policies)
    assert found(Retention(both)) == 0


def test_a_policy_by_which_nothing_goes_is_not_idle() -> None:
    some, retention = [version("model/net@2")], policy(Rule("keep-within", Age("1h", 1 / 24)))
    some[0] = some[0]._replace(time="2020-01-01T00:00:00Z")

    assert idle(some, decide(some, retention, NOW), retention, NOW) == []


@given(versions(), retentions)
def test_a_policy_that_is_not_idle_leaves_something_that_a_rule_keeps_or_means_it(
    some: list[Version], retention: Retention
) -> None:
    verdicts = decide(some, retention, NOW)
    found = idle(some, verdicts, retention, NOW)

    for one in retention.policies:
        about = [each for each in some if one.fits(each.entry)]
        if one not in found and not one.may_remove_all and about:
            lost = {each.ref for each in about} - kept(verdicts)
            by_rule = [
                each
                for entry, beside in by_entry(about).items()
                for each_policy in retention.fitting(entry)
                for rule in each_policy.rules
                for each in kept_by(rule, beside, NOW)
            ]
            assert by_rule or not lost


# What is perhaps misspelt.


def test_a_pattern_that_fits_no_entry_is_doubted() -> None:
    some = [version("model/net@1")]
    retention = Retention((Policy("policies[1]", ("model/*", "exp/*", "!modle/*"), (Rule("keep-last", 1),)),))

    found = list(doubts(some, ["model/net"], retention, NOW))

    assert found == ["policies[1]: no entry fits exp/*", "policies[1]: no entry fits !modle/*"]
    assert list(doubts(some, ["model/net", "exp/churn", "modle/net"], retention, NOW)) == []


def test_a_rule_that_keeps_nothing_is_doubted_once_for_all_that_it_is_about() -> None:
    names = [f"model/{letter}" for letter in "abcde"]
    some = [version(f"{name}@1") for name in names]

    def found(*rules: Rule, match: str = "*") -> list[str]:
        return list(doubts(some, names, policy(*rules, match=match), NOW))

    last, misspelt = Rule("keep-last", 1), Rule("keep-tag", ("prodution",))
    few = "policies[0]: keep-tag prodution keeps nothing of"
    assert found(last, misspelt) == [f"{few} model/a, model/b, model/c and of 2 more"]
    assert found(misspelt, match="model/b") == [f"{few} model/b"]
    some[4] = some[4]._replace(tags=("prodution",))
    assert found(last, misspelt) == []
    # Inputs are looked at for all entries together.
    assert found(Rule("keep-ancestors-of", "kept")) == []


def test_a_metric_that_versions_of_one_entry_do_not_have_is_doubted_there() -> None:
    some = [version("model/a@2", metrics={"auc": 0.5}), version("model/a@1"), version("model/b@1")]
    retention = policy(Rule("keep-best", Best(1, "auc", "max")), Rule("keep-last", 1))

    found = list(doubts(some, ["model/a", "model/b"], retention, NOW))

    assert found == ["policies[0]: keep-best 1 by auc (max) keeps nothing of model/b"]


@given(times.filter(bool), st.floats(0, 1_000_000))
def test_a_time_before_another_is_one_and_not_later(now: str, days: float) -> None:
    found = before(now, days)

    assert found <= now
    assert len(found) in (0, len(NOW))
