"""What holds for every command: three ways to print, exit codes, errors that say what, why and how to go on."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer
from blake3 import blake3

from mlreg.cli.app import COMMANDS, tree
from mlreg.cli.main import main


class Run(NamedTuple):
    """What a call printed, and how it ended."""

    status: int
    out: str
    err: str


Call = Callable[..., Run]


@pytest.fixture
def mlreg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Return a function that runs the command in a project with a model, a dataset, and a remote."""
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    monkeypatch.setenv("MLREG_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("MLREG_AUTHOR", "Ann Lee <ann@example.org>")

    def call(*words: str) -> Run:
        monkeypatch.setattr(sys, "argv", ["mlreg", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return Run(int(ended.value.code or 0), printed.out, printed.err)

    (project / "weights").write_bytes(b"weights")
    assert call("init").status == 0
    assert call("init", "--shared", "../registry").status == 0
    assert call("remote", "add", "origin", "../registry").status == 0
    assert call("add", "data/rows", "weights", "--version", "2026.01.01").status == 0
    words = ("--version", "1.0.0", "--in", "data=data/rows@latest", "--meta", "metrics.map=0.5", "--tag", "production")
    assert call("add", "model/net", "weights", *words).status == 0
    return call


WORKS: dict[str, tuple[list[str], str]] = {
    "init": (["init"], "init"),
    "status": (["status"], "status"),
    "verify": (["verify"], "verify"),
    "verify sampled": (["verify", "--sample", "50%"], "verify"),
    "config get": (["config", "get", "author"], "config"),
    "config set": (["config", "set", "author", "Bob"], "config"),
    "config list": (["config", "list"], "config-list"),
    "add": (["add", "model/net", "weights", "--version", "1.1.0"], "add"),
    "add again": (
        [
            "add",
            "model/net",
            "weights",
            "--bump",
            "patch",
            "--in",
            "data=data/rows@latest",
            "--meta",
            "metrics.map=0.5",
        ],
        "add",
    ),
    "get": (["get", "model/net@production", "out"], "get"),
    "cat": (["cat", "model/net@production:weights"], "cat"),
    "rm": (["rm", "data/rows@2026.01.01"], "rm"),
    "restore": (["restore", "data/rows@2026.01.01"], "restore"),
    "ls": (["ls"], "ls"),
    "ls pattern": (["ls", "model/*"], "ls"),
    "ls entry": (["ls", "model/net"], "ls"),
    "ls version": (["ls", "model/net@1.0.0"], "ls"),
    "show": (["show", "net@production"], "show"),
    "log": (["log"], "log"),
    "lineage": (["lineage", "model/net"], "lineage"),
    "rev-parse": (["rev-parse", "net@production", "data/rows"], "rev-parse"),
    "tag": (["tag", "model/net@1.0.0", "candidate"], "tag"),
    "tag rm": (["tag", "rm", "model/net@production"], "tag"),
    "tag ls": (["tag", "ls"], "tag-ls"),
    "tag log": (["tag", "log", "model/net@production"], "log"),
    "remote add": (["remote", "add", "backup", "/elsewhere"], "remote"),
    "remote ls": (["remote", "ls"], "remote-ls"),
    "remote forget": (["remote", "forget", "origin"], "remote"),
    "push": (["push"], "push"),
    "pull": (["pull"], "pull"),
    "fetch": (["fetch"], "fetch"),
    "clone": (["clone", "../registry", "copy"], "clone"),
}


@pytest.mark.parametrize("name", WORKS)
def test_json_is_one_document_with_its_schema(name: str, mlreg: Call) -> None:
    words, schema = WORKS[name]

    run = mlreg(*words, "--json")

    assert (run.status, run.err) == (0, "")
    assert json.loads(run.out)["schema"] == f"mlreg.{schema}/1"
    assert run.out.count("\n") == 1


@pytest.mark.parametrize("name", WORKS)
def test_quiet_prints_one_name_a_line_and_text_no_more_than_it_says(name: str, mlreg: Call) -> None:
    words, _ = WORKS[name]

    quiet = mlreg(*words, "-q")

    assert (quiet.status, quiet.err) == (0, "")
    assert not [line for line in quiet.out.splitlines() if "\t" in line or not line]
    assert mlreg(*words).status == 0


def test_every_command_is_in_the_table_of_what_works(mlreg: Call) -> None:
    tried = {words[0] for words, _ in WORKS.values()}

    # Once more would be an error, and that is right.
    assert mlreg("remote", "rm", "origin", "-q") == Run(0, "origin\n", "")
    assert tried == {word for words in COMMANDS.values() for word in words}


def commands(group: Any, path: str = "mlreg") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


@pytest.mark.parametrize(
    ("path", "command"), list(commands(typer.main.get_command(tree()))), ids=lambda value: str(value)[:30]
)
def test_every_command_explains_itself_and_prints_in_three_ways(path: str, command: Any) -> None:
    options = {option for parameter in command.params for option in parameter.opts}

    assert command.help, path
    assert {"--json", "-q"} <= options, path


REFUSED: dict[str, tuple[list[str], int, str]] = {
    "no such command": (["frobnicate"], 2, "usage"),
    "no such option": (["ls", "--frobnicate"], 2, "usage"),
    "no argument": (["show"], 2, "usage"),
    "two ways to print": (["ls", "--json", "-q"], 2, "one_output"),
    "no version": (["add", "model/net", "weights"], 2, "version_or_bump"),
    "both": (["add", "model/net", "weights", "--version", "2.0.0", "--bump", "major"], 2, "version_or_bump"),
    "a bad version": (["add", "model/net", "weights", "--version", "two"], 2, "bad_version"),
    "a bad bump": (["add", "model/net", "weights", "--bump", "date"], 2, "bad_bump"),
    "a bad name": (["add", "model/Net", "weights", "--version", "1.0.0"], 2, "bad_name"),
    "no kind": (["add", "net", "weights", "--version", "1.0.0"], 2, "bad_entry"),
    "a bad pair": (["add", "model/net", "weights", "--bump", "major", "--meta", "x"], 2, "bad_meta"),
    "a bad input": (["add", "model/net", "weights", "--bump", "major", "--in", "x"], 2, "bad_input"),
    "a bad tag": (["tag", "model/net@1.0.0", "1.0"], 2, "bad_tag"),
    "a bad share": (["verify", "--sample", "much"], 2, "bad_share"),
    "an unknown key": (["config", "set", "autor", "x"], 2, "unknown_key"),
    "a bad ref": (["show", "../x"], 2, "bad_ref"),
    "no file": (["add", "model/net", "nothing", "--bump", "major"], 4, "file_missing"),
    "no entry": (["show", "model/nothing"], 4, "ref_not_found"),
    "no such version": (["show", "model/net@9.0.0"], 4, "ref_not_found"),
    "no such path": (["cat", "model/net:nothing"], 4, "path_not_found"),
    "no such tag": (["tag", "rm", "model/net@nothing"], 4, "tag_missing"),
    "no such remote": (["push", "nowhere"], 4, "no_remote"),
    "other content": (["add", "model/net", "weights", "--version", "1.0.0"], 5, "version_exists"),
    "another URL": (["remote", "add", "origin", "/elsewhere"], 5, "remote_exists"),
    "no repository there": (["clone", "../nothing"], 10, "no_repository"),
    "a tagged version": (["rm", "model/net@1.0.0"], 11, "version_tagged"),
    "an unclear version": (["rm", "model/net"], 11, "no_version"),
    "an unknown place": (["remote", "add", "far", "ftp://host/path"], 2, "unknown_scheme"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_error_has_its_code_and_prints_nothing_else(name: str, mlreg: Call) -> None:
    words, status, code = REFUSED[name]
    before = mlreg("log", "--json").out

    text = mlreg(*words)
    document = mlreg(*words, "--json") if name != "two ways to print" else text

    assert (text.status, text.out, document.out) == (status, "", "")
    if name != "two ways to print":
        assert text.err.startswith(f"error[{code}]: ")
    error = (
        json.loads(document.err.splitlines()[-1]) if document.err.startswith("{") else {"code": code, "exit": status}
    )
    assert (error["code"], error["exit"]) == (code, status)
    assert mlreg("log", "--json").out == before


def test_an_error_outside_a_repository_says_what_to_do(
    tmp_path: Path, mlreg: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")

    run = mlreg("ls")

    assert run.status == 10
    assert "fix: mlreg init" in run.err


HOSTILE = "a\x1b[2J\x1b]0;x\x07b\u202ec\x9bd\re"


def test_no_text_reaches_the_terminal_as_a_command(mlreg: Call) -> None:
    Path("odd").write_text("odd")
    words = ("-m", HOSTILE, "--meta", f"note={HOSTILE}", "--meta", f"{HOSTILE}=1")
    assert mlreg("add", "model/odd", "odd", "--version", "1.0.0", *words).status == 0

    for command in (
        ["show", "model/odd"],
        ["log"],
        ["ls", "model/odd"],
        ["show", HOSTILE],
        ["push", HOSTILE],
        [HOSTILE],
    ):
        for run in (mlreg(*command), mlreg(*command, "--json")):
            shown = (run.out + run.err).replace("\n", "").replace("\t", "")
            assert shown.isprintable(), command


def real(*words: str, **options: Any) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "mlreg", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_command_and_nothing_is_registered(number: int, status: int, mlreg: Call) -> None:
    os.mkfifo("pipe")
    Path("large").write_bytes(os.urandom(64 << 20))
    started = real("add", "model/large", "large", "--version", "1.0.0")
    while not list(Path(".mlreg/packs").rglob(".tmp-*")):
        assert started.poll() is None
    started.send_signal(number)
    started.communicate()

    assert started.returncode == status
    assert mlreg("show", "model/large").status == 4
    assert not list(Path(".mlreg/packs").rglob(".tmp-*"))
    assert mlreg("verify").status == 0


def test_a_reader_that_goes_away_is_no_fault(mlreg: Call) -> None:
    assert mlreg("push").status == 0
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "mlreg", "log"]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)

    assert (done.returncode, done.stderr) == (141, b"")


def test_a_terminal_gets_a_table_and_a_pipe_gets_tabs(mlreg: Call) -> None:
    piped = mlreg("ls").out
    main_end, terminal = pty.openpty()
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "200"}
    subprocess.run([sys.executable, "-m", "mlreg", "ls"], stdout=terminal, env=environment, check=True)
    os.close(terminal)
    shown = os.read(main_end, 65536).decode()

    assert piped.splitlines()[0].split("\t")[0] == "data/rows"
    assert "ENTRY" in shown
    assert "\t" not in shown
    assert "\x1b[3" not in shown


def test_the_id_that_ls_prints_is_what_b3sum_prints(mlreg: Call, tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(os.urandom(9_000_000))
    assert mlreg("add", "model/large", str(large), "--version", "1.0.0").status == 0

    (file,) = json.loads(mlreg("ls", "model/large@1.0.0", "--json").out)["items"]

    assert file["id"] == blake3(large.read_bytes()).hexdigest()
    if shutil.which("b3sum"):
        printed = subprocess.run(["b3sum", str(large)], capture_output=True, text=True, check=True).stdout
        assert printed.split()[0] == file["id"]
