"""Rules can be taken out, and are missed by tests that are there; some are tried here, all by `make mutants`."""

from __future__ import annotations

import pytest

from tests.reliability.mutants import MUTANTS, ROOT, Mutant, changed, is_noticed

EVERYDAY = ("no-flush", "no-chain")
"""Mutants whose tests are fast."""


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_can_be_made_and_its_tests_are_there(mutant: Mutant) -> None:
    compile(changed(mutant), mutant.file, "exec")

    for test in mutant.tests:
        file, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / "tests" / file).read_text(encoding="utf-8")


def test_there_are_many_rules_and_each_has_a_name() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len({mutant.rule for mutant in MUTANTS}) == len(MUTANTS) >= 12


@pytest.mark.parametrize("name", EVERYDAY)
def test_a_rule_that_is_forgotten_is_noticed(name: str) -> None:
    assert is_noticed(next(mutant for mutant in MUTANTS if mutant.name == name))


def test_a_mutant_that_changes_nothing_is_not_noticed() -> None:
    mutant = next(mutant for mutant in MUTANTS if mutant.name == "no-chain")

    assert not is_noticed(mutant._replace(instead=mutant.text))
