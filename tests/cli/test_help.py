"""Topics of help are true: they name all there is, and what they show runs."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from mlreg.cli.app import EPILOG
from mlreg.cli.contract import COMMANDS, EVERYWHERE
from mlreg.cli.main import ELSEWHERE
from mlreg.cli.topic import ENDINGS, FOLDER, TOPICS, text_of
from mlreg.config import KEYS, variable_of
from mlreg.formats.ref import parse_ref
from tests.cli.calling import SRC, Call, command, environment
from tests.cli.test_every_command import TREE
from tests.docs.error_codes import EXIT_STATUS, codes_in_source

READ_FROM_THE_ENVIRONMENT = re.compile(r'environ(?:ment)?\.get\("(\w+)"')


@pytest.fixture
def project(mlreg: Call) -> Call:
    """The project that topics speak of: two versions of model/detector, made from data/frames, one in production."""
    Path("weights.bin").write_text("weights")
    made = ("--in", "data=data/frames@latest")
    for words in (
        ["add", "data/frames", "weights.bin", "--version", "2026.01.01"],
        ["add", "model/detector", "weights.bin", "--version", "1.0.0", "--tag", "production", *made],
        ["add", "model/detector", "weights.bin", "--version", "1.1.0", "--meta", "metrics.map=0.9", *made],
        ["tag", "model/detector@1.1.0", "production"],
        ["push"],
    ):
        assert mlreg(*words).status == 0
    return mlreg


def examples(topic: str) -> list[str]:
    """Return the commands that a topic shows, where they stand alone on a line."""
    return re.findall(r"^    ((?:[A-Z_]+='[^']*' )?mlreg .+)$", text_of(topic).partition("\nExample")[2], re.MULTILINE)


def with_mlreg(directory: Path) -> dict[str, str]:
    """Put a program of that name into a new directory, and return an environment that finds it."""
    directory.mkdir()
    program = directory / "mlreg"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(command())} "$@"\n')
    program.chmod(0o755)
    return environment(PATH=f"{directory}:{environment()['PATH']}")


def test_every_topic_has_a_file_and_every_file_is_a_topic(mlreg: Call) -> None:
    listed = re.findall(r"[a-z-]+", EPILOG.partition("mlreg help ")[2].replace(" and", ""))

    assert tuple(listed) == TOPICS
    assert {path.stem for path in FOLDER.iterdir()} == set(TOPICS)
    assert all(topic in mlreg("help", "--help").out for topic in TOPICS)


@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_is_printed_as_it_is_and_fits_a_window(topic: str, mlreg: Call) -> None:
    run = mlreg("help", topic)

    assert run.out.splitlines() == text_of(topic).splitlines()
    assert run.out.startswith(topic.upper().replace("-", " ") + ": ")
    # No place for a table is left, and none is too wide; errors have sentences of any length.
    assert not re.search(r"^\[[a-z]+\]$", run.out, re.MULTILINE)
    assert topic == "errors" or max(map(len, run.out.splitlines())) <= 120
    assert mlreg("help", topic, "--json").document["text"] == text_of(topic)


@pytest.mark.parametrize("path", [path for path in TREE if path not in TOPICS])
def test_help_of_a_command_is_what_the_command_says_of_itself(path: str, mlreg: Call) -> None:
    assert mlreg("help", *path.split()).out == mlreg(*path.split(), "--help").out


@pytest.mark.parametrize("words", [[], ["tag"], ["remote"]])
def test_help_of_a_group_is_what_the_group_says_of_itself(words: list[str], mlreg: Call) -> None:
    assert mlreg("help", *words).out == mlreg(*words, "--help").out


def test_help_of_what_is_not_there_names_what_is_near(mlreg: Call) -> None:
    assert "fix: mlreg help exit-codes" in mlreg("help", "exit-code").err
    assert "fix: mlreg help tag set" in mlreg("help", "tag", "sett").err
    assert mlreg("help", "tag", "set", "more").status == 4


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("topic", [topic for topic in TOPICS if examples(topic)])
def test_what_a_topic_shows_runs(topic: str, tmp_path: Path) -> None:
    found = with_mlreg(tmp_path / "bin")

    for line in examples(topic):
        done = subprocess.run(["sh", "-c", line], env=found, capture_output=True, check=False, text=True)
        assert (done.returncode, done.stderr) == (0, ""), line


def test_topics_show_examples() -> None:
    assert {topic for topic in TOPICS if examples(topic)} == {"refs", "output", "config", "environment"}


def test_the_rules_of_make_run_once_and_again_when_a_tag_moved(project: Call, tmp_path: Path) -> None:
    rules = re.findall(r"^    ([.\w]+: .*)$", text_of("make"), re.MULTILINE)
    Path("Makefile").write_text("\n".join(rules))
    found = with_mlreg(tmp_path / "bin")

    def make(*goals: str) -> str:
        return subprocess.run(["make", *goals], env=found, capture_output=True, check=True, text=True).stdout

    assert len(rules) == 4
    assert "wc" in make("report.txt")
    assert "wc" not in make("report.txt")
    assert project("tag", "model/detector@1.0.0", "production").status == 0
    assert "wc" in make("report.txt")
    assert Path("production.ref").read_text().startswith("model/detector@1.0.0 ")
    assert "mlreg add" in make("added.ref")
    assert "mlreg add" not in make("added.ref")


# They name all there is.


def test_refs_that_are_shown_can_be_read() -> None:
    refs = [shlex.split(line)[-1] for line in examples("refs")]

    assert len([parse_ref(ref) for ref in refs]) > 8


def test_every_setting_is_in_the_topic_and_has_a_variable() -> None:
    assert re.findall(r"^    ([a-z_.]+)$", text_of("config"), re.MULTILINE) == list(KEYS)
    assert re.findall(r"^    (MLREG_[A-Z_]+)$", text_of("environment"), re.MULTILINE) == list(map(variable_of, KEYS))


def test_every_variable_that_is_read_is_in_the_topic() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (SRC / "mlreg").rglob("*.py")]
    read = {name for source in sources for name in READ_FROM_THE_ENVIRONMENT.findall(source)}

    assert {"NO_COLOR", "MLREG_DEBUG", "XDG_CACHE_HOME"} <= read
    assert read - set(re.findall(r"\b[A-Z_]{2,}\b", text_of("environment"))) == set()


def test_every_exit_code_is_in_the_topic_and_no_other() -> None:
    listed = {int(code) for code in re.findall(r"^    (\d+) ", text_of("exit-codes"), re.MULTILINE)}

    assert listed == {*EXIT_STATUS.values(), *ENDINGS}
    everywhere = ", ".join(str(error.exit_status) for error in sorted(EVERYWHERE, key=lambda error: error.exit_status))
    assert f"beside 0, {everywhere} and 130 to 143" in text_of("exit-codes")


def test_the_codes_of_every_command_are_in_the_topic() -> None:
    rows = dict(re.findall(r"^    mlreg ([a-z -]+?)(?:  +([\d ]+))?$", text_of("exit-codes"), re.MULTILINE))

    assert {words: {int(code) for code in codes.split()} for words, codes in rows.items()} == {
        words: contract.exit_codes for words, contract in COMMANDS.items()
    }


def test_every_error_is_in_the_topic_with_its_exit_code() -> None:
    listed = re.findall(r"^([a-z_]+) \((\d+)\)$", text_of("errors"), re.MULTILINE)

    assert {(code, int(status)) for code, status in listed} == {
        (code, status) for code, found in codes_in_source().items() for status in found
    }


@pytest.mark.parametrize("word", ELSEWHERE)
def test_commands_of_other_tools_lead_to_the_ones_that_do_the_same_here(word: str, project: Call) -> None:
    assert word not in COMMANDS

    done = project(word)

    assert done.status == 2
    assert f"fix: mlreg {ELSEWHERE[word]}" in done.err
    assert project(*ELSEWHERE[word].split()[:1], "--help").status == 0
