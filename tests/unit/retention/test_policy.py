"""Policies as people write them: what is read, and what is refused with a word that helps."""

from __future__ import annotations

from typing import Any

import pytest

from mlreg.errors import UsageError
from mlreg.retention.policy import WORDS, Age, Best, Policy, Retention, Rule, cleanup_policy, parse_policies, parse_tags

CASES: list[tuple[str, Any, Any, str]] = [
    ("keep-last", 5, 5, "keep-last 5"),
    ("keep-within", "90d", Age("90d", 90), "keep-within 90d"),
    ("keep-within", "12w", Age("12w", 84), "keep-within 12w"),
    ("keep-used-within", "36h", Age("36h", 1.5), "keep-used-within 36h"),
    ("keep-daily", 7, 7, "keep-daily 7"),
    ("keep-weekly", 4, 4, "keep-weekly 4"),
    ("keep-monthly", 12, 12, "keep-monthly 12"),
    ("keep-tag", "golden", ("golden",), "keep-tag golden"),
    ("keep-tag", ["golden", "v*"], ("golden", "v*"), "keep-tag golden, v*"),
    ("keep-best", {"metric": "accuracy", "count": 3}, Best(3, "accuracy", "max"), "keep-best 3 by accuracy (max)"),
    ("keep-best", "2 by val/loss", Best(2, "val/loss", "min"), "keep-best 2 by val/loss (min)"),
    ("keep-best", {"metric": "x", "direction": "min"}, Best(1, "x", "min"), "keep-best 1 by x (min)"),
    ("keep-best", {"metric": "metrics.map"}, Best(1, "map", "max"), "keep-best 1 by map (max)"),
    ("keep-best", "2 by metrics.val/loss", Best(2, "val/loss", "min"), "keep-best 2 by val/loss (min)"),
    ("keep-deployed", True, True, "keep-deployed"),
    ("keep-deployed", 3, 3, "keep-deployed 3"),
    ("keep-ancestors-of", "kept", "kept", "keep-ancestors-of kept"),
]
"""A word, a value, what it is read as, and how the rule is printed."""


def parsed(**words: Any) -> Policy:
    (policy,) = parse_policies([{"match": "model/*", **words}])
    return policy


def refused(document: object) -> UsageError:
    with pytest.raises(UsageError) as caught:
        parse_policies(document)
    assert caught.value.code == "bad_policy"
    return caught.value


@pytest.mark.parametrize(("word", "value", "expected", "text"), CASES)
def test_a_word_is_read_and_printed(word: str, value: object, expected: object, text: str) -> None:
    (rule,) = parsed(**{word: value}).rules

    assert rule == Rule(word, expected)
    assert str(rule) == text


def test_every_word_is_tried() -> None:
    assert {word for word, *_ in CASES} == set(WORDS)


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("keep_last", "keep-last"),
        ("keep-latest", "keep-last"),
        ("Keep-Within", "keep-within"),
        ("keep-dayly", "keep-daily"),
        ("keep-tags", "keep-tag"),
        ("mach", "match"),
        ("allow-remove", "allow-remove-all"),
    ],
)
def test_a_misspelt_word_is_answered_with_the_nearest(word: str, near: str) -> None:
    error = refused([{"match": "model/*", word: 1}])

    assert word in error.message
    assert error.fix == (f"did you mean {near}?",)


def test_a_word_like_no_other_is_answered_with_all_of_them() -> None:
    (fix,) = refused([{"match": "model/*", "zzz": 1}]).fix

    assert all(word in fix for word in WORDS)


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("keep-last", 0),
        ("keep-last", -1),
        ("keep-last", True),
        ("keep-last", "5"),
        ("keep-last", 1.5),
        ("keep-last", 10**9),
        ("keep-within", 90),
        ("keep-within", "90"),
        ("keep-within", "90m"),
        ("keep-within", "0d"),
        ("keep-within", "9999999y"),
        ("keep-tag", []),
        ("keep-tag", [1]),
        ("keep-tag", ""),
        ("keep-best", 3),
        ("keep-best", "3 of accuracy"),
        ("keep-best", {"count": 3}),
        ("keep-best", {"metric": "accuracy", "most": 3}),
        ("keep-best", {"metric": "accuracy", "count": 0}),
        ("keep-best", {"metric": "accuracy", "direction": "up"}),
        ("keep-best", {"metric": "speed"}),
        ("keep-best", {"metric": "metrics.", "direction": "max"}),
        ("keep-deployed", False),
        ("keep-deployed", "yes"),
        ("keep-ancestors-of", "all"),
        ("allow-remove-all", "yes"),
        ("allow-remove-all", 1),
        ("match", "detector"),
        ("match", "models/*"),
        ("match", []),
        ("match", ["!model/*"]),
        ("match", None),
    ],
)
def test_a_value_that_means_nothing_is_refused_and_its_word_named(word: str, value: object) -> None:
    assert word in refused([{"match": "model/*", word: value}]).message


@pytest.mark.parametrize(
    "document", ["model/*", {"match": "model/*"}, ["model/*"], [{}], [{"keep-last": 1}], [None], 7]
)
def test_what_is_no_list_of_policies_is_refused(document: object) -> None:
    assert refused(document).fix


def test_a_pattern_behind_an_exclamation_mark_takes_away() -> None:
    (policy,) = parse_policies([{"match": ["model/*", "data/rows", "!model/scratch/*"], "keep-last": 1}])

    assert [policy.fits(name) for name in ("model/net", "model/scratch/net", "data/rows", "data/other")] == [
        True,
        False,
        True,
        False,
    ]


def test_a_policy_without_a_rule_is_empty_unless_it_says_that_all_may_go() -> None:
    assert parsed().is_empty
    assert not parsed(**{"allow-remove-all": True}).is_empty
    assert not parsed(**{"keep-last": 1}).is_empty


def test_the_same_words_in_another_order_are_the_same_policy() -> None:
    one, other = ({"keep-last": 1, "keep-tag": "x"}, {"keep-tag": "x", "keep-last": 1})

    assert parsed(**one).document() == parsed(**other).document()
    assert parsed(**one).document() != parsed(**{**one, "keep-last": 2}).document()


def test_the_two_settings_of_a_kind_are_a_policy() -> None:
    both = cleanup_policy("registry.model.cleanup_policy", "model", 10, 90)

    assert both is not None
    assert [*map(str, both.rules)] == ["keep-last 10", "keep-within 90d"]
    assert both.match == ("model/*",)
    assert cleanup_policy("registry.model.cleanup_policy", "model", 0, 0) is None


def test_deployment_tags_are_one_or_a_list() -> None:
    assert (parse_tags("production"), parse_tags(["a", "b*"])) == (("production",), ("a", "b*"))
    wrong: list[object] = [[], {}, 1, [1], None]
    for document in wrong:
        with pytest.raises(UsageError):
            parse_tags(document)


def test_all_of_it_knows_which_policies_are_about_an_entry() -> None:
    retention = Retention(parse_policies([{"match": "model/*", "keep-last": 1}, {"match": "*", "keep-daily": 1}]))

    assert [policy.origin for policy in retention.fitting("model/net")] == ["policies[0]", "policies[1]"]
    assert [policy.origin for policy in retention.fitting("data/rows")] == ["policies[1]"]
    assert (retention.asks("keep-daily"), retention.asks("keep-best")) == (True, False)
