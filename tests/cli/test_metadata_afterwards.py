"""Cards, hints and settings of a kind: what a user types, from end to end."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cli.calling import Call, command, environment, on_terminal

CARD = """---
license: mit
pipeline_tag: object-detection
---

# Net

Finds sutures.
"""


def shown(mlreg: Call, ref: str) -> dict[str, Any]:
    run = mlreg("show", ref, "--json")
    assert run.status == 0
    document: dict[str, Any] = json.loads(run.out)
    return document


def test_a_card_becomes_metadata_and_comes_back_as_a_card(mlreg: Call) -> None:
    Path("README.md").write_text(CARD, encoding="utf-8")

    assert mlreg("add", "model/net", "weights", "--bump", "minor", "--card", "README.md", "--meta", "x=1").status == 0

    metadata = shown(mlreg, "model/net@1.1.0")["metadata"]
    assert metadata == {"license": "mit", "task": "object-detection", "card": "# Net\n\nFinds sutures.\n", "x": 1}
    assert mlreg("show", "model/net@1.1.0", "--card").out == CARD.replace("detection\n", "detection\nx: 1\n")
    assert mlreg("ls", "--search", "SUTURES", "-q").out == "model/net@1.1.0\n"


def test_a_card_goes_into_a_file_as_it_was(mlreg: Call) -> None:
    """Tabs and odd line ends are shown as escapes on a terminal only."""
    text = "---\nlicense: mit\n---\n\n# Net\n\n\tcode\there\u2028more\x0b\n"
    Path("README.md").write_text(text, encoding="utf-8")
    mlreg("add", "model/net", "weights", "--bump", "minor", "--card", "README.md")

    run = subprocess.run(command("show", "model/net", "--card"), capture_output=True, env=environment(), check=True)

    assert run.stdout.decode() == text


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("---\na: &x [*x, *x]\n---\n", "bad_yaml"),
        ("---\n!!python/object/apply:os.system ['true']\n---\n", "bad_yaml"),
        ("---\nlicense: mit\n", "bad_card"),
        ("---\n- a\n---\n", "bad_card"),
        ("---\nlicense: [1]\n---\n", "bad_field"),
    ],
)
def test_a_card_that_is_none_is_refused_and_nothing_is_registered(mlreg: Call, text: str, code: str) -> None:
    Path("README.md").write_text(text, encoding="utf-8")

    run = mlreg("add", "model/net", "weights", "--bump", "minor", "--card", "README.md", "--json")
    assert (run.status, json.loads(run.err)["code"]) == (2, code)
    assert mlreg("ls", "model/net", "-q").out == "model/net@1.0.0\n"


def test_a_field_of_the_wrong_kind_is_named_by_its_path(mlreg: Call) -> None:
    run = mlreg("add", "model/net", "weights", "--bump", "minor", "--meta", "metrics.map=high")
    assert (run.status, "metrics.map" in run.err) == (2, True)
    run = mlreg("meta", "set", "model/net@1.0.0", "metrics.map=high")
    assert (run.status, "metrics.map" in run.err) == (2, True)


def test_a_key_that_is_perhaps_misspelt_is_kept_and_pointed_out(mlreg: Call) -> None:
    run = mlreg("add", "model/net", "weights", "--bump", "minor", "--meta", "licence=mit")

    assert (run.status, "license" in run.err) == (0, True)
    assert shown(mlreg, "model/net@1.1.0")["metadata"] == {"licence": "mit"}


def test_hostile_text_in_what_is_said_reaches_no_terminal(mlreg: Call) -> None:
    mlreg("label", "model/net", "team=\x1b[2Jred", "-m", "why\x1b]0;x\x07")
    mlreg("deprecate", "model/net@1.0.0", "-m", "old\x1b[2J")

    for words in (["show", "model/net"], ["meta", "log", "model/net"], ["get", "model/net@1.0.0", "out"], ["log"]):
        run = mlreg(*words)
        assert "\x1b" not in run.out + run.err
        assert "\x07" not in run.out + run.err


def test_a_version_that_goes_back_is_refused_unless_it_is_meant(mlreg: Call) -> None:
    mlreg("add", "model/net", "weights", "--version", "1.0.5", "--meta", "x=1")

    run = mlreg("add", "model/net", "weights", "--version", "1.0.2", "--meta", "x=2", "--json")
    assert (run.status, json.loads(run.err)["code"]) == (11, "version_goes_back")
    assert mlreg("add", "model/net", "weights", "--version", "1.0.2", "--meta", "x=2", "--older").status == 0
    assert mlreg("add", "model/net", "weights", "--version", "0.9.9", "--meta", "x=3").status == 0
    assert mlreg("rev-parse", "net").out == "model/net@1.0.5\n"


def test_the_settings_say_how_versions_are_called_and_where_files_lie(mlreg: Call) -> None:
    Path(".mlreg.yaml").write_text(
        "registry:\n"
        "  model: {storage_path: models/, version_format: N, cleanup_policy: {max_versions: 10}}\n"
        "  data: {storage_path: data/, access_control: true}\n",
        encoding="utf-8",
    )
    Path("models/other").mkdir(parents=True)
    Path("models/other/weights").write_bytes(b"1")

    assert mlreg("add", "model/other", "--version", "auto", "-q").out == "model/other@1\n"
    Path("models/other/weights").write_bytes(b"2")
    assert mlreg("add", "model/other", "--bump", "auto", "-q").out == "model/other@2\n"
    assert mlreg("add", "model/other", "--version", "1.0.0").status == 2
    assert mlreg("get", "model/other@1").status == 0
    assert Path("models/other/weights").read_bytes() == b"1"
    assert mlreg("get", "data/rows").status == 0
    assert Path("data/rows/weights").read_bytes() == b"weights"
    listed = mlreg("config", "list").out
    assert "registry.model.cleanup_policy.max_versions\t10\n" in listed
    assert f"registry.data.storage_path\t{Path.cwd()}/data\n" in listed


@pytest.mark.parametrize(
    ("line", "code", "word"),
    [
        ("model: {versionformat: N}", "unknown_key", "version_format"),
        ("model: {version_format: YYYYMMDD}", "bad_version_format", "YYYY.MM.DD"),
        ("model: {cleanup_policy: {max_versions: 0}}", "bad_config", "max_versions"),
        ("model: {cleanup_policy: {retention_days: -1}}", "bad_config", "retention_days"),
        ("experiment: {tracking_interval: 1e9}", "bad_config", "tracking_interval"),
        ("data: {access_control: maybe}", "bad_config", "access_control"),
        ("deploy: {storage_path: x}", "unknown_key", "registry"),
        ("model: [1]", "bad_config", "registry.model"),
    ],
)
def test_a_setting_that_means_nothing_is_refused(mlreg: Call, line: str, code: str, word: str) -> None:
    Path(".mlreg.yaml").write_text(f"registry:\n  {line}\n", encoding="utf-8")

    run = mlreg("config", "list", "--json")
    assert (run.status, json.loads(run.err)["code"]) == (2, code)
    assert word in run.err


def test_a_setting_of_a_kind_can_be_written_and_read(mlreg: Call) -> None:
    for key, value in (
        ("registry.model.version_format", "YYYY.MM.N"),
        ("registry.model.cleanup_policy.max_versions", "7"),
        ("registry.data.access_control", "true"),
    ):
        assert mlreg("config", "set", key, value).status == 0
        assert mlreg("config", "get", key, "-q").out == f"{value}\n"
    text = Path(".mlreg/config.yaml").read_text(encoding="utf-8")
    assert "max_versions: 7\n" in text
    assert "access_control: true\n" in text
    assert mlreg("config", "set", "registry.model.version_format", "N.N").status == 2


def test_without_a_path_and_without_a_place_the_fix_says_both_ways(mlreg: Call) -> None:
    run = mlreg("add", "model/net", "--bump", "minor")

    assert run.status == 2
    assert "storage_path" in run.err


@pytest.mark.parametrize("what", ["models/net", "models/*", "models", "net"])
def test_another_word_for_a_kind_finds_what_the_kind_does(mlreg: Call, what: str) -> None:
    assert mlreg("ls", what, "--sort", "version", "-q").out == "model/net@1.0.0\n"


def test_a_template_lets_no_stored_character_rule_the_terminal(mlreg: Call) -> None:
    mlreg("label", "model/net", "team=\x1b[2Jred")

    shown = (
        on_terminal("ls", "model", "--format", r"{ref}\t{labels}").out
        + on_terminal("show", "net", "--format", "{labels.team}").out
    )

    assert "\x1b" not in shown
    assert r"\x1b[2Jred" in shown
    assert mlreg("show", "net", "--format", "{labels.team}").out == "\x1b[2Jred\n"
