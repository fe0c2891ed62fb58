"""Completion at the tab key: the answer itself, and shells that ask for it."""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mlreg.cli import completing
from mlreg.formats.transaction import RefChange
from mlreg.ids import CommitId
from mlreg.registry import completing as completing_refs
from mlreg.repository.log import Draft
from mlreg.repository.repository import Repository
from mlreg.stores import open_store
from tests.cli.calling import Call, Run, command, environment
from tests.cli.conftest import ANN
from tests.cli.test_help import with_mlreg
from tests.cli.words import written


def words(mlreg: Call, *typed: str) -> list[str]:
    """Return the words that the last of some words may become."""
    run = mlreg("__complete", "--", *typed)
    assert (run.status, run.err) == (0, "")
    assert all(line.count("\t") == 2 for line in run.out.splitlines())
    return [row[1] for row in run.rows]


def sorts(mlreg: Call, *typed: str) -> dict[str, str]:
    """Return the sort of each word."""
    return {row[1]: row[0] for row in mlreg("__complete", "--", *typed).rows}


def test_the_table_is_that_of_the_commands() -> None:
    assert completing.TABLE.read_text(encoding="utf-8") == written(), "run python -m tests.cli.words"


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (["sh"], ["show"]),
        (["tag", "l"], ["ls", "log"]),
        (["con"], ["config"]),
        (["show", "--j"], ["--json"]),
        (["tag", "rm", "--me"], ["--message"]),
        (["lineage", "x", "--output", ""], ["tree", "dot", "mermaid", "json"]),
        (["lineage", "--output=d"], ["--output=dot"]),
        (["add", "model/net", "--bump", "m"], ["major", "minor"]),
        (["config", "get", "registry.model.st"], ["registry.model.storage_path"]),
        (["config", "get", "remotes."], ["remotes.origin"]),
        (["config", "set", "aut"], ["author"]),
        (["config", "set", "author", ""], []),
        (["help", "re"], ["refs", "repair", "repack", "restore", "rev-parse", "report", "release", "remote"]),
        (["help", "remote", "f"], ["forget"]),
        (["schema", "tag"], ["tag", "tag-ls"]),
        (["completion", ""], ["bash", "zsh", "fish"]),
        (["push", "or"], ["origin"]),
        (["remote", "rm", ""], ["origin"]),
        (["remote", "add", ""], []),
        (["wait", "net", "--for", ""], ["exists", "tag="]),
        (["wait", "net", "--for", "tag="], ["tag=production"]),
        (["tag", "net@1.0.0", ""], ["production"]),
        (["tag", "set", "net@1.0.0", "p"], ["production"]),
        (["add", "model/net", "--tag", ""], ["production"]),
        (["add", "m"], ["model/"]),
        (["add", "model/net", "weights", "--in", "base=net@p"], ["base=net@production"]),
        (["add", "model/net", "weights", "--in", "base"], []),
        (["show", ""], ["data/", "exp/", "model/"]),
        (["show", "model/n"], ["model/net"]),
        (["show", "models/"], ["models/net"]),
        (["show", "n"], ["net"]),
        (["show", "model/net@"], ["model/net@production", "model/net@latest", "model/net@1.0.0"]),
        (["show", "datasets/rows@2"], ["datasets/rows@2026.01.01"]),
        (["rm", "model/net@1.0.0", "data/rows@l"], ["data/rows@latest"]),
        (["show", "origin::model/"], []),
        (["show", "model/net@1.0.0", ""], []),
        (["show", "model/net@1.0.0:"], []),
        (["show", "model/nothing@"], []),
        (["show", "--format", ""], []),
        (["show", "--", "--j"], []),
        (["--nothing", "show", "--", "n"], ["net"]),
        (["frobnicate", ""], []),
        (["ls", "--limit=3", "n"], ["net"]),
    ],
    ids=" ".join,
)
def test_a_word_becomes_what_may_stand_there(typed: list[str], expected: list[str], mlreg: Call) -> None:
    assert words(mlreg, *typed) == expected


def test_what_may_go_on_gets_no_blank_behind_it(mlreg: Call) -> None:
    assert mlreg("add", "model/vision/seg", "weights", "--version", "1.0.0").status == 0

    assert sorts(mlreg, "show", "model/") == {"model/net": "part", "model/vision/": "part"}
    assert sorts(mlreg, "show", "model/vision/") == {"model/vision/seg": "part"}
    assert sorts(mlreg, "add", "model/") == {"model/net": "word", "model/vision/": "part"}
    assert sorts(mlreg, "show", "net@p") == {"net@production": "word"}


def test_the_shell_adds_files_and_directories_where_they_are_meant(mlreg: Call) -> None:
    assert sorts(mlreg, "add", "model/net", "w") == {"": "files"}
    assert sorts(mlreg, "add", "model/net", "one", "two", "w") == {"": "files"}
    assert sorts(mlreg, "get", "net", "") == {"": "directories"}
    assert sorts(mlreg, "verify", "") == {"origin": "word", "": "directories"}


def test_a_renamed_entry_is_completed_by_its_new_name(mlreg: Call) -> None:
    assert mlreg("mv", "model/net", "model/graph").status == 0

    assert words(mlreg, "show", "model/") == ["model/graph"]
    assert words(mlreg, "show", "model/graph@p") == ["model/graph@production"]


def test_versions_that_were_removed_are_completed_to_be_restored_and_not_otherwise(mlreg: Call) -> None:
    assert mlreg("add", "model/net", "weights", "--version", "1.1.0", "--tag", "candidate").status == 0
    assert mlreg("tag", "rm", "net@candidate").status == 0
    assert mlreg("rm", "net@1.1.0").status == 0

    assert words(mlreg, "restore", "net@") == words(mlreg, "restore", "net@1") == ["net@1.1.0"]
    assert words(mlreg, "show", "net@1") == ["net@1.0.0"]
    assert "net@candidate" not in words(mlreg, "show", "net@")


def test_of_many_versions_the_newest_are_listed_and_then_the_beginnings(many: Call) -> None:
    newest = words(many, "show", "model/many@")

    assert newest[:3] == ["model/many@latest", "model/many@2.0.0", "model/many@1.10.59"]
    assert len(newest) == 1 + completing_refs.NEWEST
    assert sorts(many, "show", "model/many@1") == {"model/many@1.": "part"}
    assert words(many, "show", "model/many@1.")[:2] == ["model/many@1.10.", "model/many@1.9."]
    assert words(many, "show", "model/many@1.9.8") == ["model/many@1.9.8"]
    # One part can be long, too.
    assert sorts(many, "show", "model/many@1.10.1") == {
        "model/many@1.10.19": "word",
        "model/many@1.10.18": "word",
        "model/many@1.10.17": "word",
        "model/many@1.10.16": "word",
        "model/many@1.10.15": "word",
        "model/many@1.10.14": "word",
        "model/many@1.10.13": "word",
        "model/many@1.10.12": "word",
        "model/many@1.10.11": "word",
        "model/many@1.10.10": "word",
        "model/many@1.10.1": "word",
    }
    assert sorts(many, "show", "model/many@1.10.")["model/many@1.10.1"] == "part"
    assert len(words(many, "show", "model/many@1.10.")) == 10


@pytest.fixture
def many(mlreg: Call) -> Call:
    """Return the command where 2.0.0, 1.0.0 to 1.9.9, and 1.10.0 to 1.10.59 are named, without registering each."""
    versions = ["2.0.0", *(f"1.{n // 10}.{n % 10}" for n in range(100)), *(f"1.10.{n}" for n in range(60))]
    name(*(f"version/model/many/{version}" for version in versions))
    return mlreg


def name(*names: str) -> None:
    """Let the log name something; what it points to is never looked at."""
    repository = Repository(open_store(str(Path(".mlreg").absolute())))
    changes = tuple(RefChange(one, None, CommitId(bytes(32))) for one in sorted(names))
    repository.log.append(lambda view: Draft(ANN, refs=changes))
    repository.close()


def test_a_name_that_is_not_legal_is_not_shown(mlreg: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    # A hostile repository: no release writes this.
    monkeypatch.setattr("mlreg.repository.log.parse_ref_name", lambda name: None)
    name("tag/model/net/x\n$(id)", "version/model/$(id)/1.0.0", "version/model/net/9.0.0 $(id)", "version/odd/net/1")

    assert words(mlreg, "show", "model/") == ["model/net"]
    assert words(mlreg, "show", "net@") == ["net@production", "net@latest", "net@1.0.0"]
    assert words(mlreg, "show", "net@9") == []


@pytest.mark.parametrize("typed", [["show", "model/"], ["show", "net@"], ["push", ""], ["-C", "nowhere", "show", "m"]])
def test_without_a_repository_nothing_is_said(
    typed: list[str], call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert call("__complete", "--", *typed) == Run(0, "", "")
    assert call("__complete", "--", "sho").out.startswith("word\tshow\t")


def test_a_damaged_repository_and_wrong_settings_are_not_complained_of(mlreg: Call) -> None:
    Path(".mlreg.yaml").write_text("autor: x\n")
    assert mlreg("__complete", "--", "push", "") == Run(0, "", "")
    Path(".mlreg.yaml").unlink()
    file = Path(".mlreg/mlreg.json")
    file.chmod(0o644)
    file.write_bytes(b"{}")

    assert mlreg("__complete", "--", "show", "model/") == Run(0, "", "")


def test_the_directory_that_is_named_is_asked(mlreg: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    for typed in (
        ["-C", "project", "show"],
        ["--repo=project", "show"],
        ["show", "-C", "project"],
        ["-C", "project", "tag"],
    ):
        assert words(mlreg, *typed, "net@p") == ["net@production"]


def test_a_remote_is_never_asked(mlreg: Call, tmp_path: Path) -> None:
    (tmp_path / "registry").rename(tmp_path / "away")

    assert words(mlreg, "push", "") == ["origin"]
    assert words(mlreg, "show", "origin::m") == []


@pytest.mark.usefixtures("mlreg")
def test_the_answer_needs_neither_the_command_tree_nor_what_prints() -> None:
    asked = "import sys; sys.argv = ['mlreg', '__complete', '--', 'show', 'net@']; from mlreg.cli.main import main"
    shown = "import atexit; atexit.register(lambda: print(*sorted(sys.modules)))"
    out = output([*command()[:1], "-c", f"{asked}; {shown}; main()"], environment())

    assert "net@production" in out
    loaded = set(out.splitlines()[-1].split())
    assert "mlreg.registry.completing" in loaded
    assert not loaded & {"typer", "click", "rich", "numpy", "mlreg.cli.app", "mlreg.cli.output", "mlreg.cli.contract"}


def output(words: list[str], surroundings: dict[str, str], typed: str = "") -> str:
    """Return what a program prints that has nothing to complain of."""
    done = subprocess.run(words, env=surroundings, input=typed, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


# Shells.


@pytest.fixture
def shells(mlreg: Call, tmp_path: Path) -> dict[str, str]:
    """Return surroundings in which mlreg is on the path, and shells start with its script only."""
    home = tmp_path / "home"
    home.mkdir()
    for shell in ("bash", "zsh"):
        (home / f".{shell}rc").write_text("PS1='READY> '\n" + mlreg("completion", shell).out)
    Path("a file").touch()
    surroundings = with_mlreg(tmp_path / "bin")
    return {**surroundings, "HOME": str(home), "ZDOTDIR": str(home), "TERM": "dumb", "MLREG_AUTHOR": ANN}


def needs(shell: str) -> None:
    """Skip the test where there is no such shell."""
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_is_one_that_its_shell_can_read(shell: str, call: Call) -> None:
    needs(shell)

    assert output([shell, "-n"], environment(), call("completion", shell).out) == ""


BASH = """
eval "$(mlreg completion bash)"
COMP_LINE=$1 COMP_POINT=${#1} COMP_CWORD=$(($# - 3))
set -- "$2" "${@:3}"
word=$1; shift
COMP_WORDS=("$@")
_mlreg mlreg "$word" ""
printf '%s\\n' "${COMPREPLY[@]}"
"""
"""Takes the line, the word that an answer takes the place of, and the words as bash breaks them."""


@pytest.mark.parametrize(
    ("line", "word", "broken", "expected"),
    [
        ("mlreg sh", "sh", ["mlreg", "sh"], ["show"]),
        ("mlreg show model/net@pro", "@pro", ["mlreg", "show", "model/net", "@pro"], ["@production"]),
        # With `shopt -u hostcomplete` the sign stays.
        ("mlreg show model/net@pro", "pro", ["mlreg", "show", "model/net", "@", "pro"], ["production"]),
        ("mlreg show model/net@", "@", ["mlreg", "show", "model/net", "@"], ["@production", "@latest", "@1.0.0"]),
        ("mlreg lineage --output=d", "d", ["mlreg", "lineage", "--output", "=", "d"], ["dot"]),
        ("mlreg wait net --for tag=", "", ["mlreg", "wait", "net", "--for", "tag", "="], ["production"]),
        ("mlreg  rm   net@1.0.0  data/", "data/", ["mlreg", "rm", "net", "@1.0.0", "data/"], ["data/rows"]),
        ("mlreg add model/net a", "a", ["mlreg", "add", "model/net", "a"], ["a file"]),
        ("mlreg push ", "", ["mlreg", "push", ""], ["origin"]),
        ("mlreg show model/nothing@", "@", ["mlreg", "show", "model/nothing", "@"], [""]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bash_gets_what_it_puts_in_the_place_of_the_end_of_the_word(
    line: str, word: str, broken: list[str], expected: list[str], shells: dict[str, str]
) -> None:
    found = output(["bash", "--norc", "-c", BASH, "bash", line, word, *broken], shells)

    assert found.split("\n")[:-1] == expected


@pytest.mark.parametrize("shell", ["bash", "zsh"])
@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("mlreg rev-parse model/net@pro\t", "mlreg rev-parse model/net@production"),
        ("mlreg rev-p\tmo\tn\t@pr\t", "mlreg rev-parse model/net@production"),
        ("mlreg wait net@1.0.0 --timeout 0 --for tag=p\t", "mlreg wait net@1.0.0 --timeout 0 --for tag=production"),
        ("mlreg add model/net w\t--bump pat\t", "mlreg add model/net weights --bump patch"),
    ],
)
def test_a_person_at_a_terminal_gets_the_whole_word(shell: str, typed: str, line: str, shells: dict[str, str]) -> None:
    needs(shell)

    shown = at_prompt([shell, "-i"], shells, typed + "\n")

    # What the person sees, and that mlreg understood it.
    assert f"{line} model/net@1.0." in shown or f"{line} added model/net@1.0." in shown


def at_prompt(shell: list[str], surroundings: dict[str, str], text: str) -> str:
    """Type into a shell on a terminal when it is ready, then leave it, and return the words that it showed."""
    ours, terminal = pty.openpty()
    shown = b""
    with subprocess.Popen(
        shell, env=surroundings, start_new_session=True, stdin=terminal, stdout=terminal, stderr=terminal
    ) as process:
        os.close(terminal)
        try:
            for prompts, keys in ((1, text), (2, "exit\n"), (3, "")):
                while plain(shown).count("READY> ") < prompts:
                    shown += os.read(ours, 65536)
                os.write(ours, keys.encode())
        except OSError:
            process.wait()  # the shell has ended
    os.close(ours)
    return " ".join(plain(shown).split())


def plain(shown: bytes) -> str:
    """Return what a terminal was sent, without what moves the cursor."""
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|[\r\x08]", "", shown.decode(errors="replace"))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("mlreg show model/net@pro", ["model/net@production"]),
        ("mlreg tag l", ["ls", "log"]),
        ("mlreg wait net --for tag=", ["tag=production"]),
        ("mlreg show net@", ["net@production", "net@latest", "net@1.0.0"]),
        ("mlreg add model/net w", ["weights"]),
    ],
)
def test_fish_is_told_the_whole_words(line: str, expected: list[str], shells: dict[str, str]) -> None:
    needs("fish")
    asked = f"mlreg completion fish | source; complete --do-complete '{line}'"

    found = output(["fish", "-c", asked], shells)

    assert [row.partition("\t")[0] for row in found.splitlines()] == expected
