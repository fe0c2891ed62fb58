"""What commands promise, held against what they do: every command, its documents, and the codes it ends with.

A command that is added needs a row in `mlreg.cli.contract`, a scenario in `test_every_command`, and for each of its
exit codes something that leads to it: there, or one of the situations below.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from jsonschema import Draft202012Validator

from mlreg.cli import schemas
from mlreg.cli.contract import COMMANDS, EVERYWHERE, SCHEMAS
from mlreg.errors import ANSWER_IS_NO, RefusedError
from mlreg.registry import annotating, differences, results, tainting
from mlreg.registry.places import init
from mlreg.registry.registry import Registry
from mlreg.repository.log import Draft, Log
from mlreg.repository.view import View
from tests.cli.calling import Call, with_options
from tests.cli.conftest import ANN, leave_plan
from tests.cli.test_every_command import ONCE, REFUSED, TREE, WORKS, command_of

SCENARIOS = WORKS | ONCE
GENERAL = {0, *(error.exit_status for error in EVERYWHERE)}
ERRORS_PAGE = (Path(__file__).parents[2] / "docs" / "errors.md").read_text(encoding="utf-8")


@cache
def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(dict(schemas.schema_named(name).document))


def is_valid(document: dict[str, Any]) -> bool:
    """Tell whether a document is as the schema that it names says."""
    return bool(validator(document["schema"]).is_valid(document))


# Every command is in every table.


def test_every_command_has_a_contract_and_every_contract_a_command() -> None:
    assert set(COMMANDS) == set(TREE)


def test_every_command_has_a_scenario_for_each_schema_that_it_prints() -> None:
    tried = {(command_of(words), schema) for words, schema in SCENARIOS.values()}

    assert tried == {(words, name) for words, contract in COMMANDS.items() for name in contract.schemas}


def test_every_schema_is_printed_by_a_command() -> None:
    assert {name for contract in COMMANDS.values() for name in contract.schemas} | {"error"} == set(SCHEMAS)


# Documents.


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_one(name: str, mlreg: Call) -> None:
    printed = json.loads(mlreg("schema", name).out)

    Draft202012Validator.check_schema(printed)
    assert printed == mlreg("schema", f"mlreg.{name}/1", "--json").document["document"]
    assert printed["properties"]["schema"] == {"const": f"mlreg.{name}/1"}


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_a_command_prints_is_as_its_schema_says_and_nothing_else(name: str, mlreg: Call) -> None:
    words, schema = SCENARIOS[name]

    document = mlreg(*with_options(words, "--json")).document

    assert [*validator(schema).iter_errors(document)] == []
    for wrong in ({**document, "schema": "mlreg.other/1"}, {"schema": document["schema"]}):
        assert not validator(schema).is_valid(wrong)
    # What is printed and not described would be found by nobody.
    printed = [*document["items"][:1], {}][0] if SCHEMAS[schema].is_list else document
    assert set(printed) - {"schema"} <= set(SCHEMAS[schema].keys)


def test_a_list_holds_results_of_one_type_of_which_each_is_tried(mlreg: Call) -> None:
    lists = {name: schema.types for name, schema in SCHEMAS.items() if schema.is_list}
    # In this order some end with an error, since others were there before.
    runs = [(name, mlreg(*with_options(words, "--json"))) for words, name in WORKS.values()]

    printed = [(name, run.document) for name, run in runs if run.status == 0]
    found = {(name, frozenset(item)) for name, document in printed for item in document.get("items", ())}

    assert found == {(name, frozenset(results.fields_of(one))) for name, types in lists.items() for one in types}


@pytest.mark.parametrize("name", REFUSED)
def test_an_error_is_as_its_schema_says(name: str, mlreg: Call) -> None:
    assert [*validator("error").iter_errors(mlreg(*with_options(REFUSED[name][0], "--json")).error)] == []


def test_a_value_of_another_type_a_missing_field_and_an_unknown_word_are_not_as_the_schema_says(mlreg: Call) -> None:
    tagged = mlreg("tag", "net@1.0.0", "candidate", "--json").document
    lineage = mlreg("lineage", "model/net", "--json").document

    assert is_valid(tagged)
    assert is_valid({**tagged, "added_later": 1})
    assert not is_valid({**tagged, "changed": "true"})
    assert not is_valid({key: value for key, value in tagged.items() if key != "ref"})
    lineage["items"][0]["state"] = "lost"
    assert not is_valid(lineage)


def test_a_schema_says_what_the_source_says_of_a_field() -> None:
    found = schemas.schema_named("diff").document
    change = found["$defs"]["TensorChanges"]["properties"]["same_bytes"]

    assert found["description"] == differences.Difference.__doc__
    assert found["properties"]["same"] == {
        "description": "Whether nothing differs of what was asked for.",
        "type": "boolean",
    }
    assert change["anyOf"] == [{"type": "integer"}, {"type": "null"}]
    assert change["description"].endswith("None if they were not compared.")


def test_every_result_can_be_written_as_a_schema() -> None:
    types = [one for module in (results, differences) for one in vars(module).values() if hasattr(one, "_fields")]
    assert len(types) > 20

    for one in types:
        Draft202012Validator.check_schema(schemas.Definitions().object_of(one))


# Exit codes.

NO: dict[str, list[str]] = {
    "compare": ["compare", "--exp", "churn", "--fail-if=metrics.auc > 0.3"],
    "data check": [
        "data",
        "check",
        "./foreign/before.csv",
        "--rules=foreign/rules.yaml",
        "--rules=foreign/strict.yaml",
    ],
    "data overlap": ["data", "overlap", "./foreign/before.csv", "./foreign/after.csv", "--exit-code"],
    "data drift": ["data", "drift", "./foreign/before.csv", "./foreign/after.csv", "--threshold=0.01"],
    "diff": ["diff", "net@production", "data/rows", "--exit-code"],
    "doctor": ["doctor", "--fail-on=yellow"],
    "gc": ["gc", "-n", "--exit-code"],
    "health": ["health", "--offline", "--fail-on=yellow"],
    "policy plan": ["policy", "plan", "--now", "2999-01-01", "--exit-code"],
    "push": ["push", "-n", "--exit-code"],
    "status": ["status", "--exit-code"],
}
"""Questions whose answer is no."""


@pytest.mark.parametrize("name", [words for words, contract in COMMANDS.items() if contract.no])
def test_an_answer_that_is_no_is_printed_as_any_other_and_has_a_code_of_its_own(name: str, mlreg: Call) -> None:
    run, usual = mlreg(*NO[name], "--json"), mlreg(*NO[name][:-1], "--json")

    assert (run.status, usual.status) == (ANSWER_IS_NO, 0)
    # The question is part of the document, if it was put in words.
    words = {"gate": None, "failed": None, "reasons": None, "passed": None}
    # Whatever else the machine does goes on meanwhile.
    # What a threshold says is said of each column, too, and a rule that is asked is part of the answer.
    told: dict[str, tuple[str, ...]] = dict.fromkeys(("health", "doctor"), ("time", "checks"))
    told |= {"data drift": ("warn_at", "fail_at", "verdict", "tables"), "data check": ("verdict", "rules")}
    words |= dict.fromkeys(told.get(name, ()))
    assert {**run.document, **words} == {**usual.document, **words}
    assert ANSWER_IS_NO in COMMANDS[name].exit_codes


@pytest.mark.parametrize("name", REFUSED)
def test_an_error_is_one_that_the_contract_of_the_command_has(name: str) -> None:
    words, status, _ = REFUSED[name]

    if command_of(words) in COMMANDS:
        assert status in COMMANDS[command_of(words)].exit_codes | GENERAL


def test_every_exit_code_of_a_contract_is_an_error_that_the_page_lists_or_an_answer() -> None:
    listed = {int(status) for status in re.findall(r"^\| (\d+) \|", ERRORS_PAGE, re.MULTILINE)}

    assert {code for contract in COMMANDS.values() for code in contract.exit_codes} | GENERAL <= listed
    assert set(NO) == {words for words, contract in COMMANDS.items() if contract.no}


class Situation(NamedTuple):
    """Something that befalls a project, and how commands end that cannot live with it."""

    befall: Callable[[Path], None]
    status: int


def lose_the_repositories(root: Path) -> None:
    """Leave no repository anywhere, and the remotes in the settings of the project."""
    (root / "project" / ".mlreg.yaml").write_text("remotes:\n  origin: ../registry\n")
    shutil.rmtree(root / "project" / ".mlreg")
    shutil.rmtree(root / "registry")


def damage_the_repositories(root: Path) -> None:
    """Damage the one file that every repository has."""
    for name in ("project/.mlreg", "registry"):
        file = root / name / "mlreg.json"
        file.chmod(0o644)
        file.write_bytes(b"{}")


def fill_the_logs(root: Path) -> None:
    """Let something be left to do for each command, and no change fit a slot of the log any more."""
    for name, place in (("far", "registry"), ("own", "project/.mlreg")):
        register(root, place, f"model/{name}")
    here = Registry(root / "project" / ".mlreg", ANN)
    here.add("data/rows", [root / "project" / "weights"], version="2026.01.02", metadata={"rows": 1})
    here.remove(["data/rows@2026.01.01"])
    annotating.deprecate(here, "model/net@1.0.0", "another reason")
    annotating.freeze(here, "model/net@1.0.0", "")
    annotating.hold(here, "data/rows", "an audit")
    tainting.taint(here, "exp/churn@latest", "another reason")
    leave_plan(root / "project")


def taint_the_data(root: Path) -> None:
    """Taint what the model of the project was made from."""
    tainting.taint(Registry(root / "project" / ".mlreg", ANN), "data/rows@2026.01.01", "bad rows")


def refuse(log: Log, build: Callable[[View], Draft], sender: str = "") -> None:
    """Find every change too large, as `Log.append` does."""
    log.refresh()
    raise RefusedError(
        "transaction_too_large", f"{build(log.view)} of {sender or 'here'} is too large", fix="send less"
    )


def register_on_both_sides(root: Path) -> None:
    """Register what others have, too: a version here, in a clone that was cut and in the remote, and an entry."""
    clone, _ = init(root / "project" / "copy", shared=False)
    (clone / "config.yaml").touch()
    for place in ("registry", "project/.mlreg", "project/copy/.mlreg"):
        register(root, place, "model/both")
    register(root, "project/.mlreg", "model/vision/net")


def register(root: Path, place: str, entry: str) -> None:
    file = root / "new"
    file.write_text(place)
    Registry(root / place, ANN).add(entry, [file], version="1.0.0")


SITUATIONS = {
    "no repository": Situation(lose_the_repositories, 10),
    "damage": Situation(damage_the_repositories, 6),
    "full logs": Situation(fill_the_logs, 11),
    "tainted data": Situation(taint_the_data, 15),
    "names that are taken": Situation(register_on_both_sides, 5),
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_command_ends_as_its_contract_says_whatever_befalls_it(
    situation: str, mlreg: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    befall, status = SITUATIONS[situation]
    befall(tmp_path)
    if situation == "full logs":
        monkeypatch.setattr(Log, "append", refuse)
    ended = set()
    for number, (words, _) in enumerate(SCENARIOS.values()):
        for name in ("project", "registry"):
            if (tmp_path / name).exists():
                shutil.copytree(tmp_path / name, tmp_path / str(number) / name)
        root = tmp_path / str(number)
        for settings in root.rglob("config.yaml"):
            settings.write_text(f"remotes:\n  origin: {root}/registry\n")
        monkeypatch.chdir(root / "project")
        ended.add((command_of(words), mlreg(*with_options(words, "--json")).status))

    assert {end for end in ended if end[1] not in COMMANDS[end[0]].exit_codes | GENERAL} == set()
    # Nothing else leads to these codes, or everything that does is in the other table.
    expected = {words for words, contract in COMMANDS.items() if status in contract.exit_codes}
    refused = {command_of(words) for words, code, _ in REFUSED.values() if code == status}
    assert expected - refused <= {command for command, found in ended if found == status} <= expected
