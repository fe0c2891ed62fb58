"""What holds for every command: three ways to print, exit codes, errors that say what, why and how to go on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from mlreg.cli.app import tree
from tests.cli.calling import Call, with_options
from tests.cli.conftest import CRASHED, NOTE, OPEN, RUNNING

NUMBERS = Path(__file__).parents[1] / "golden" / "numbers-v1-by-0.1.0"
"""A repository with a file of tensors."""


WORKS: dict[str, tuple[list[str], str]] = {
    "init": (["init"], "init"),
    "status": (["status"], "status"),
    "verify": (["verify"], "verify"),
    "verify sampled": (["verify", "--sample", "50%"], "verify"),
    "verify in time": (["verify", "--for", "10m", "--older", "30d"], "verify"),
    "verify as stored": (["verify", "origin", "--stored"], "verify"),
    "repair": (["repair"], "repair"),
    "repair tried": (["repair", "-n", "--files", "weights"], "repair"),
    "repair elsewhere": (["repair", "origin", "--from", "origin"], "repair"),
    "migrate": (["migrate"], "migrate"),
    "repack": (["repack"], "repack"),
    "repack delta": (["repack", "--delta", "--grace", "0"], "repack"),
    "repack tried": (["repack", "--delta", "-n"], "repack"),
    "repack elsewhere": (["repack", "origin"], "repack"),
    "gc": (["gc"], "gc"),
    "gc tried": (["gc", "-n", "--grace", "0"], "gc"),
    "gc taken back": (["gc", "--undo", "1"], "gc-undo"),
    "gc elsewhere": (["gc", "origin", "--yes"], "gc"),
    "du": (["du"], "du"),
    "why": (["why", "model/net@1.0.0"], "why"),
    "why a file": (["why", "model/net@1.0.0:weights"], "why"),
    "du of an entry": (["du", "model/net"], "du"),
    "config get": (["config", "get", "author"], "config"),
    "config get with its origin": (["config", "get", "remotes.origin", "--origin"], "config"),
    "config set": (["config", "set", "author", "Bob"], "config"),
    "config list": (["config", "list"], "config-list"),
    "config check": (["config", "check"], "config-list"),
    "config list origin": (["config", "list", "--origin"], "config-list"),
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
    "add tagged": (
        ["add", "model/net", "weights", "--version", "1.2.0", "--in", "data=data/rows@latest", "--tag", "candidate"],
        "add",
    ),
    "copy": (["copy", "model/net@1.0.0", "--version", "1.0.1", "--tag", "candidate"], "copy"),
    "get": (["get", "model/net@production", "out"], "get"),
    "cat": (["cat", "model/net@production:weights"], "cat"),
    "rm": (["rm", "data/rows@2026.01.01"], "rm"),
    "ls removed": (["ls", "--removed", "data/rows"], "ls-removed"),
    "restore": (["restore", "data/rows@2026.01.01"], "restore"),
    "ls": (["ls"], "ls"),
    "ls kind": (["ls", "datasets"], "ls"),
    "ls pattern": (["ls", "model/*"], "ls"),
    "ls entry": (["ls", "model/net"], "ls"),
    "ls version": (["ls", "model/net@1.0.0"], "ls"),
    "show": (["show", "net@production"], "show"),
    "show tensors": (["show", "--tensors", f"{NUMBERS}::model/numbers"], "show-tensors"),
    "log": (["log"], "log"),
    "log short": (["log", "-n", "1"], "log"),
    "log drawn": (["log", "--graph", "model/net"], "log-graph"),
    "lineage": (["lineage", "model/net"], "lineage"),
    "lineage down": (["lineage", "data/rows", "--down", "--depth", "1"], "lineage"),
    "usage": (["usage", "model/net@production"], "usage"),
    "usage unused": (["usage", "--unused", "--since", "2999-01-01"], "usage"),
    "audit log": (["audit", "log"], "audit-log"),
    "audit log filtered": (
        ["audit", "log", "model/*", "--by", "ann", "--since", "2020-01-01", "--action", "tag", "-n", "1"],
        "audit-log",
    ),
    "audit verify": (["audit", "verify"], "audit-verify"),
    "audit verify elsewhere": (["audit", "verify", "origin"], "audit-verify"),
    "audit head": (["audit", "head"], "audit-head"),
    "audit forget": (["audit", "forget"], "audit-forget"),
    "health": (["health"], "health"),
    "health offline": (["health", "--offline", "--sample", "100%", "--report", "openmetrics=m.prom"], "health"),
    "doctor": (["doctor"], "doctor"),
    "doctor mends": (["doctor", "--fix", "--remote"], "doctor"),
    "rev-parse": (["rev-parse", "net@production", "data/rows"], "rev-parse"),
    "wait": (["wait", "net@production", "--timeout", "0"], "wait"),
    "wait tag": (["wait", "net@1.0.0", "--for", "tag=production", "--timeout", "0"], "wait"),
    "diff": (["diff", "net@production", "data/rows"], "diff"),
    "diff rows": (["diff", "net@production", "data/rows", "--rows", "--key", "id", "--samples", "1"], "diff"),
    "tag": (["tag", "model/net@1.0.0", "candidate"], "tag"),
    "tag rm": (["tag", "rm", "model/net@production"], "tag"),
    "tag ls": (["tag", "ls"], "tag-ls"),
    "tag log": (["tag", "log", "model/net@production"], "log"),
    "meta set": (["meta", "set", "model/net@1.0.0", "metrics.map=0.6", "-m", "measured again"], "meta"),
    "meta unset": (["meta", "unset", "model/net@1.0.0", "metrics.map"], "meta"),
    "meta log": (["meta", "log", "model/net@1.0.0"], "meta-log"),
    "label": (["label", "model/net", "team=vision"], "meta"),
    "mv": (["mv", "model/net", "model/vision/net"], "mv"),
    "deprecate": (["deprecate", "model/net@1.0.0", "-m", "old data"], "meta"),
    "undeprecate": (["undeprecate", "model/net@1.0.0"], "meta"),
    "taint": (["taint", "exp/churn@latest", "--reason", "the seed was fixed"], "meta"),
    "untaint": (["untaint", "exp/churn@latest"], "meta"),
    "freeze": (["freeze", "model/net"], "meta"),
    "unfreeze": (["unfreeze", "model/net@1.0.0"], "meta"),
    "ls where": (["ls", "--where", "meta.metrics.map > 0 or kind = 'model'", "--sort", "-time", "--limit", "3"], "ls"),
    "ls at": (["ls", "--at", "2999-01-01"], "ls"),
    "show at": (["show", "net@production", "--at", "2999-01-01T00:00:00Z"], "show"),
    "tag expect": (["tag", "net@1.0.0", "candidate", "--expect", "none"], "tag"),
    "ls search": (["ls", "model", "--search", "NET"], "ls"),
    "add next": (["add", "model/net", "weights", "--version", "auto", "--meta", "x=1"], "add"),
    "add onto": (["add", "model/net", "weights", "--onto", "net@1.0.0", "--at", "more", "--version", "auto"], "add"),
    "add from": (["add", "data/part", "--from", "net@1.0.0", "--include", "w*", "--version", "2026.01.01"], "add"),
    "get some": (["get", "net@production", "some", "--include", "w*", "--exclude", "*.tmp"], "get"),
    "cat range": (["cat", "net@production:weights", "--range", "0-1"], "cat"),
    "remote add": (["remote", "add", "backup", "/elsewhere"], "remote"),
    "remote ls": (["remote", "ls"], "remote-ls"),
    "remote forget": (["remote", "forget", "origin"], "remote"),
    "backup create": (["backup", "create", "new/", "--keep", "2"], "backup"),
    "backup create tried": (["backup", "create", "foreign/kept/", "-n"], "backup"),
    "backup ls": (["backup", "ls", "foreign/kept"], "backup-ls"),
    "backup verify": (["backup", "verify", "foreign/kept.tar", "--at", "1"], "verify"),
    "backup restore tried": (["backup", "restore", "foreign/kept.tar", "again", "-n"], "backup-restore"),
    "bundle ls": (["bundle", "ls", "foreign/far.bundle"], "bundle"),
    "bundle verify": (["bundle", "verify", "foreign/far.bundle", "--sample", "50%"], "verify"),
    "bundle apply tried": (["bundle", "apply", "foreign/far.bundle", "-n"], "bundle-apply"),
    "bundle apply": (["bundle", "apply", "foreign/far.bundle"], "bundle-apply"),
    "push": (["push"], "push"),
    "pull": (["pull"], "pull"),
    "fetch": (["fetch"], "fetch"),
    "clone": (["clone", "../registry", "copy"], "clone"),
    "run start": (["run", "start", "churn", "--param", "lr=0.1", "--in", "train=data/rows@latest"], "run"),
    "run log": (["run", "log", "loss=0.25", "auc=.9", "--step", "3", "--run", OPEN], "run-log"),
    "run param": (["run", "param", "lr=0.1", "--run", OPEN], "run-log"),
    "run resume": (["run", "resume", CRASHED], "run"),
    "run resume sealed": (["run", "resume", "exp/churn@latest"], "run"),
    "run label": (["run", "label", "team=vision", "--run", OPEN], "run-log"),
    "run artifact": (["run", "artifact", "weights", "--run", OPEN], "run-log"),
    "run adopt": (["run", "adopt", "--crashed"], "run-ls"),
    "run exec": (["run", "exec", "churn", "--out", "model/made=weights", "--", "true"], "run-exec"),
    "run ls": (["run", "ls", "churn", "--where", "metrics.auc > 0", "--sort", "-metrics.auc"], "run-ls"),
    "run ls columns": (["run", "ls", "--columns", "params.lr,metrics.loss", "-n", "2"], "run-ls"),
    "run show": (["run", "show", OPEN], "run"),
    "run show sealed": (["run", "show", "exp/churn@best"], "run"),
    "exp ls": (["exp", "ls"], "exp-ls"),
    "exp set-goal": (["exp", "set-goal", "churn", "loss", "min"], "exp-goal"),
    "compare": (["compare", "--exp", "churn"], "compare"),
    "compare groups": (["compare", "--exp", "churn", "--group-by", "params.lr"], "compare"),
    "blame": (["blame", "exp/churn@best", "-m", "auc", "--direction", "min"], "blame"),
    "blame version": (["blame", "net@production", "-m", "map"], "blame"),
    "data profile": (["data", "profile", "data/rows"], "data-profile"),
    "data profile columns": (["data", "profile", "--columns", "./foreign/table.csv"], "data-profile"),
    "data drift": (["data", "drift", "data/rows@latest", "data/rows"], "data-drift"),
    "data drift of files": (["data", "drift", "foreign/before.csv", "./foreign/after.csv"], "data-drift"),
    "data check": (["data", "check", "./foreign/before.csv", "--rules", "foreign/rules.yaml"], "data-check"),
    "data check of a version": (["data", "check", "data/rows", "--rules", "foreign/few.yaml"], "data-check"),
    "data overlap": (["data", "overlap", "data/rows", "./foreign/after.csv"], "data-overlap"),
    "data overlap samples": (
        ["data", "overlap", "foreign/before.csv", "./foreign/after.csv", "--samples", "2"],
        "data-overlap",
    ),
    "import mlflow": (["import", "mlflow", "foreign/mlruns"], "import"),
    "import tensorboard": (["import", "tensorboard", "foreign/events"], "import"),
    "import wandb": (["import", "wandb", "foreign/wandb"], "import"),
    "import trackio": (["import", "trackio", "foreign/trackio"], "import"),
    "import csv": (["import", "csv", "foreign/table.csv"], "import"),
    "import-store dvc": (["import-store", "dvc", "foreign/stores/dvc"], "import-store"),
    "import-store tree": (["import-store", "tree", "foreign/stores/tree"], "import-store"),
    "import-store tried": (["import-store", "tree", "foreign/stores/tree", "-n"], "import-store"),
    "import tried": (["import", "csv", "foreign/table.csv", "-n"], "import"),
    "note add": (["note", "add", "exp/churn@best", "look at this"], "note"),
    "note ls": (["note", "ls"], "note-ls"),
    "plot": (["plot", "--exp", "churn", "-m", "loss"], "plot"),
    "plot table": (["plot", "--exp", "churn", "--kind", "scatter", "-m", "params.lr", "-m", "auc"], "plot-table"),
    "report": (["report", "exp/churn", "model/net@production", "-o", "r.html"], "report"),
    "export": (["export", "data/rows", "--as", "croissant"], "export"),
    "export a card": (["export", "model/net", "--as", "card"], "export"),
    "export to a file": (["export", "data/rows", "--as", "croissant", "croissant.json"], "export"),
    "hold": (["hold", "model/net@1.0.0", "--reason", "an audit"], "meta"),
    "release": (["release", "data/rows"], "meta"),
    "policy show": (["policy", "show"], "policy"),
    "policy plan": (["policy", "plan"], "policy-plan"),
    "policy plan free": (["policy", "plan", "exp/*", "--free", "1B", "--now", "2999-01-01"], "policy-plan"),
    "policy explain": (["policy", "explain", "model/net@1.0.0"], "policy-explain"),
    "policy apply tried": (["policy", "apply", "last", "-n"], "policy-apply"),
    "policy apply": (["policy", "apply", "last"], "policy-apply"),
    "help": (["help"], "help"),
    "help topic": (["help", "refs"], "help"),
    "help command": (["help", "tag", "set"], "help"),
    "schema": (["schema", "ls"], "schema"),
    "schemas": (["schema"], "schema-list"),
    **{f"completion {shell}": (["completion", shell], "completion") for shell in ("bash", "zsh", "fish")},
}
ONCE: dict[str, tuple[list[str], str]] = {
    "config unset": (["config", "unset", "remotes.origin"], "config"),
    "remote rm": (["remote", "rm", "origin"], "remote"),
    "note rm": (["note", "rm", "exp/churn", NOTE], "note"),
    "backup create a file": (["backup", "create", "new.tar", "--since", "foreign/kept.tar"], "backup"),
    "backup restore": (["backup", "restore", "foreign/kept", "again"], "backup-restore"),
    "bundle create": (["bundle", "create", "new.bundle", "model/net", "--since", "data/rows"], "bundle"),
    "run finish": (["run", "finish", "--run", OPEN], "run"),
}
"""What works, and once more is an error, and that is right."""


@pytest.mark.parametrize("name", WORKS | ONCE)
def test_json_is_one_document_with_its_schema(name: str, mlreg: Call) -> None:
    words, schema = (WORKS | ONCE)[name]

    run = mlreg(*with_options(words, "--json"))

    assert (run.status, run.err) == (0, "")
    assert json.loads(run.out)["schema"] == f"mlreg.{schema}/1"
    assert run.out.count("\n") == 1


LEAVES_OUT = ("import-store dvc", "import-store tree", "import-store tried")
"""What works, and warns of what it cannot do."""


@pytest.mark.parametrize("name", WORKS)
def test_quiet_prints_one_name_a_line_and_text_no_more_than_it_says(name: str, mlreg: Call) -> None:
    words, _ = WORKS[name]

    quiet = mlreg(*with_options(words, "-q"))

    assert (quiet.status, quiet.err.startswith("warning: "), bool(quiet.err)) == (0, *[name in LEAVES_OUT] * 2)
    assert not [line for line in quiet.out.splitlines() if "\t" in line or not line]
    assert mlreg(*words).status == 0


@pytest.mark.parametrize("name", ONCE)
def test_what_works_once_prints_one_name_a_line(name: str, mlreg: Call) -> None:
    run = mlreg(*ONCE[name][0], "-q")

    assert (run.status, run.err, run.out.count("\n")) == (0, "", 1)
    assert "\t" not in run.out
    assert mlreg(*ONCE[name][0]).status


def commands(group: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path}{name} ")
        else:
            yield f"{path}{name}", command


TREE: dict[str, Any] = dict(commands(typer.main.get_command(tree())))
"""Every command by the words that call it."""


def command_of(words: list[str]) -> str:
    """Return which command a command line calls; `tag REF NAME` is `tag set`."""
    path = " ".join(words[:2]) if " ".join(words[:2]) in TREE else words[0]
    return "tag set" if path == "tag" else path


def words_of(path: str) -> set[str]:
    """Return what the arguments and options of a command are called."""
    return {parameter.name for parameter in TREE[path].params}


@pytest.mark.parametrize("path", TREE)
def test_every_command_explains_itself_and_prints_in_three_ways(path: str) -> None:
    options = {option for parameter in TREE[path].params for option in parameter.opts}

    assert TREE[path].help, path
    assert {"--json", "-q", "--format", "-C"} <= options, path


def files_below(directory: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


TRIED: dict[str, list[str]] = {
    command: words for words, _ in (WORKS | ONCE).values() if "dry_run" in words_of(command := command_of(words))
}
"""What each command does that has a dry run."""


@pytest.mark.parametrize("command", TRIED)
def test_a_dry_run_leaves_every_file_as_it_is(command: str, mlreg: Call, tmp_path: Path) -> None:
    words = [word for word in TRIED[command] if word != "-n"]
    before = files_below(tmp_path / "project"), files_below(tmp_path / "registry")

    run = mlreg(*with_options(words, "-n", "--json"))

    assert (run.status, run.err, run.document["dry_run"]) == (0, "", True)
    assert mlreg(*with_options(words, "-n")).out
    assert (files_below(tmp_path / "project"), files_below(tmp_path / "registry")) == before


def test_a_dry_run_of_an_undo_brings_nothing_back(mlreg: Call) -> None:
    Path("rows").write_text("rows of their own")
    mlreg("add", "data/rows", "rows", "--version", "2026.01.02")
    mlreg("rm", "data/rows@2026.01.02")
    assert mlreg("gc").status == 0
    before = files_below(Path.cwd())

    assert mlreg("gc", "--undo", "last", "-n").out.startswith("dry run: brought back 2 packs of transaction ")
    assert mlreg("gc", "--undo", "last", "-n", "--json").document["dry_run"] is True

    assert files_below(Path.cwd()) == before
    assert mlreg("gc", "--undo", "last").out.startswith("brought back 2 packs of transaction ")


REFUSED: dict[str, tuple[list[str], int, str]] = {
    "no such command": (["frobnicate"], 2, "usage"),
    "no such option": (["ls", "--frobnicate"], 2, "usage"),
    "no argument": (["show"], 2, "usage"),
    "no version": (["add", "model/net", "weights"], 2, "version_or_bump"),
    "both": (["add", "model/net", "weights", "--version", "2.0.0", "--bump", "major"], 2, "version_or_bump"),
    "a bad version": (["add", "model/net", "weights", "--version", "two"], 2, "bad_version"),
    "a bad bump": (["add", "model/net", "weights", "--bump", "date"], 2, "bad_bump"),
    "a bad name": (["add", "model/Net", "weights", "--version", "1.0.0"], 2, "bad_name"),
    "no kind": (["add", "net", "weights", "--version", "1.0.0"], 2, "bad_entry"),
    "a bad pair": (["add", "model/net", "weights", "--bump", "major", "--meta", "x"], 2, "bad_meta"),
    "a bad input": (["add", "model/net", "weights", "--bump", "major", "--in", "x"], 2, "bad_input"),
    "a bad tag": (["tag", "model/net@1.0.0", "1.0"], 2, "bad_tag"),
    "no form of a lineage": (["lineage", "model/net", "--output", "png"], 2, "usage"),
    "a negative depth": (["lineage", "model/net", "--depth", "-1"], 2, "usage"),
    "a bad share": (["verify", "--sample", "much"], 2, "bad_share"),
    "an unknown key": (["config", "set", "autor", "x"], 2, "unknown_key"),
    "a bad ref": (["show", "../x"], 2, "bad_ref"),
    "an empty path": (["add", "model/net", "", "--bump", "major"], 2, "empty_path"),
    "no file": (["add", "model/net", "nothing", "--bump", "major"], 4, "file_missing"),
    "no entry": (["show", "model/nothing"], 4, "ref_not_found"),
    "no such version": (["show", "model/net@9.0.0"], 4, "ref_not_found"),
    "no such path": (["cat", "model/net:nothing"], 4, "path_not_found"),
    "a path in a diff": (["diff", "model/net:weights", "model/net"], 2, "path_in_diff"),
    "no number of rows to show": (["diff", "model/net", "model/net", "--samples", "-1"], 2, "usage"),
    "no such tag": (["tag", "rm", "model/net@nothing"], 4, "tag_missing"),
    "no such remote": (["push", "nowhere"], 4, "no_remote"),
    "other content": (["add", "model/net", "weights", "--version", "1.0.0"], 5, "version_exists"),
    "another URL": (["remote", "add", "origin", "/elsewhere"], 5, "remote_exists"),
    "a name of another": (["mv", "model/net", "model/net@1.0.0"], 2, "bad_name"),
    "no repository there": (["clone", "../nothing"], 10, "no_repository"),
    "a tagged version": (["rm", "model/net@1.0.0"], 11, "version_tagged"),
    "an unclear version": (["rm", "model/net"], 11, "no_version"),
    "an unknown place": (["remote", "add", "far", "ftp://host/path"], 2, "unknown_scheme"),
    "no setting": (["config", "get", "registry.model.storage_path"], 4, "not_set"),
    "no setting to take away": (["config", "set", "cache_dir", ""], 4, "not_set"),
    "no setting to unset": (["config", "unset", "cache_dir"], 4, "not_set"),
    "no setting of that name to unset": (["config", "unset", "autor"], 2, "unknown_key"),
    "a pattern to hold": (["hold", "model/*", "--reason", "x"], 2, "bad_ref"),
    "a pattern to remove": (["rm", "model/net@*"], 2, "bad_ref"),
    "nothing to verify": (["verify", "../nowhere"], 10, "no_repository"),
    "no remote to verify": (["verify", "nowhere"], 4, "no_remote"),
    "nothing to repair": (["repair", "../nowhere"], 10, "no_repository"),
    "no remote to repair from": (["repair", "--from", "nowhere"], 4, "no_remote"),
    "no files to repair from": (["repair", "--files", "nothing"], 4, "file_missing"),
    "no file to copy from": (["copy", "model/nothing", "--version", "2.0.0"], 4, "ref_not_found"),
    "a copy over another": (["copy", "data/rows", "model/net", "--version", "1.0.0"], 5, "version_exists"),
    "no cache of dvc": (["import-store", "dvc", "foreign/stores/dvc", "--cache", "nowhere"], 4, "file_missing"),
    "no dvc to import from": (["import-store", "dvc", "nowhere"], 4, "file_missing"),
    "no tree to import from": (["import-store", "tree", "nowhere"], 4, "file_missing"),
    "no kind to import as": (["import-store", "tree", "foreign/stores/tree", "--kind", "exp"], 2, "bad_name"),
    "a share and a time": (["verify", "--sample", "5%", "--for", "1m"], 2, "bad_share"),
    "nothing to get": (["get", "model/nothing"], 4, "ref_not_found"),
    "files into the repository": (["get", "model/net", ".mlreg"], 11, "target_is_a_repository"),
    "nothing to remove": (["rm", "model/net@9.0.0"], 4, "ref_not_found"),
    "nothing to restore": (["restore", "model/net@9.0.0"], 4, "ref_not_found"),
    "a search in what was removed": (["ls", "--removed", "--sort", "name"], 2, "removed_alone"),
    "nothing to list": (["ls", "model/nothing"], 4, "ref_not_found"),
    "no log": (["log", "model/nothing"], 4, "ref_not_found"),
    "no lineage": (["lineage", "model/nothing"], 4, "ref_not_found"),
    "nothing to parse": (["rev-parse", "model/nothing"], 4, "ref_not_found"),
    "no usage": (["usage", "model/nothing"], 4, "ref_not_found"),
    "no time of usage": (["usage", "--since", "lately"], 2, "bad_since"),
    "nothing came": (["wait", "model/net@9.0.0", "--timeout", "0"], 124, "wait_timeout"),
    "no remote to wait for": (["wait", "nowhere::model/net"], 4, "no_remote"),
    "no such condition": (["wait", "model/net", "--for", "gone"], 2, "bad_condition"),
    "no duration": (["wait", "model/net", "--timeout", "soon"], 2, "bad_duration"),
    "nothing to compare with": (["diff", "model/net", "model/nothing"], 4, "ref_not_found"),
    "nothing to tag": (["tag", "model/nothing", "candidate"], 4, "ref_not_found"),
    "a tag elsewhere": (["tag", "net@1.0.0", "candidate", "--expect", "net@1.0.0"], 5, "tag_moved"),
    "no tags": (["tag", "ls", "model/nothing"], 4, "ref_not_found"),
    "no log of a tag": (["tag", "log", "model/net@nothing"], 4, "ref_not_found"),
    "nothing to correct": (["meta", "set", "model/net@9.0.0", "x=1"], 4, "ref_not_found"),
    "nothing to unset": (["meta", "unset", "model/net@9.0.0", "x"], 4, "ref_not_found"),
    "no statements": (["meta", "log", "model/nothing"], 4, "ref_not_found"),
    "nothing to label": (["label", "model/nothing", "x=1"], 4, "ref_not_found"),
    "nothing to deprecate": (["deprecate", "model/nothing", "-m", "old"], 4, "ref_not_found"),
    "nothing to take back": (["undeprecate", "model/nothing"], 4, "ref_not_found"),
    "nothing to taint": (["taint", "model/nothing", "--reason", "bad"], 4, "ref_not_found"),
    "a taint without a reason": (["taint", "data/rows@latest"], 2, "no_reason"),
    "a taint of no version": (["taint", "data/rows", "--reason", "bad"], 2, "no_version_named"),
    "nothing to untaint": (["untaint", "model/nothing"], 4, "ref_not_found"),
    "nothing to hold": (["hold", "model/nothing", "--reason", "an audit"], 4, "ref_not_found"),
    "a hold without a reason": (["hold", "model/net"], 2, "no_reason"),
    "nothing to release": (["release", "model/nothing"], 4, "ref_not_found"),
    "nothing to plan for": (["policy", "plan", "model/nothing"], 4, "ref_not_found"),
    "more than comes free": (["policy", "plan", "--free", "1T"], 11, "cannot_free"),
    "no size": (["policy", "plan", "--free", "much"], 2, "bad_size"),
    "no time to plan for": (["policy", "plan", "--now", "soon"], 2, "bad_ref"),
    "no plan": (["policy", "apply", "0123456789abcdef"], 4, "plan_missing"),
    "nothing to explain": (["policy", "explain", "model/nothing"], 4, "ref_not_found"),
    "no word of a policy": (["config", "set", "policies", "[{match: 'model/*', keep-lst: 3}]"], 2, "bad_policy"),
    "no list of policies": (["config", "set", "policies", "keep-last"], 2, "bad_policy"),
    "nothing to freeze": (["freeze", "model/nothing"], 4, "ref_not_found"),
    "nothing to unfreeze": (["unfreeze", "model/nothing"], 4, "ref_not_found"),
    "nothing to back up since": (["backup", "create", "new.tar", "--since", "nothing"], 4, "no_backup"),
    "a backup over a file": (["backup", "create", "weights"], 11, "file_exists"),
    "a backup among other files": (["backup", "create", "foreign"], 11, "not_a_backup"),
    "a backup in a repository": (["backup", "create", "../registry"], 11, "not_a_backup"),
    "keep of a file": (["backup", "create", "new.tar", "--keep", "3"], 2, "keep_of_a_file"),
    "since in a directory": (["backup", "create", "new/", "--since", "foreign/kept"], 2, "since_for_a_directory"),
    "a backup to repair": (["repair", "foreign/kept"], 11, "is_a_backup"),
    "no backups": (["backup", "ls", "../registry"], 4, "no_backup"),
    "no archive to list": (["backup", "ls", "weights"], 6, "bad_archive"),
    "no such backup": (["backup", "verify", "foreign/kept", "--at", "9"], 4, "no_backup"),
    "no archive to verify": (["backup", "verify", "weights"], 6, "bad_archive"),
    "no backup to restore": (["backup", "restore", "nothing", "again"], 4, "no_backup"),
    "no archive to restore": (["backup", "restore", "weights", "again"], 6, "bad_archive"),
    "a backup over something": (["backup", "restore", "foreign/kept", "foreign"], 11, "not_empty"),
    "nothing to bundle": (["bundle", "create", "new.bundle", "model/nothing"], 4, "ref_not_found"),
    "a bundle over a file": (["bundle", "create", "weights"], 11, "file_exists"),
    "no bundle": (["bundle", "ls", "nothing"], 4, "no_bundle"),
    "no archive for a bundle": (["bundle", "ls", "weights"], 6, "bad_archive"),
    "no bundle to verify": (["bundle", "verify", "nothing"], 4, "no_bundle"),
    "tags both ways": (["bundle", "apply", "foreign/far.bundle", "--keep-tags", "--force-tags"], 2, "keep_or_force"),
    "a backup for a bundle": (["bundle", "verify", "foreign/kept.tar"], 6, "bad_bundle"),
    "no bundle to apply": (["bundle", "apply", "nothing"], 4, "no_bundle"),
    "a bundle with other content": (["bundle", "apply", "foreign/other.bundle"], 5, "version_conflict"),
    "no remote to take away": (["remote", "rm", "nowhere"], 4, "no_remote"),
    "no remote to forget": (["remote", "forget", "nowhere"], 4, "no_remote"),
    "no remote to pull from": (["pull", "nowhere"], 4, "no_remote"),
    "no remote to fetch from": (["fetch", "nowhere"], 4, "no_remote"),
    "no run to log to": (["run", "log", "loss=1", "--run", "01a20c4f-0000"], 4, "run_missing"),
    "no metric to log": (["run", "log", "loss", "--run", OPEN], 2, "bad_metric"),
    "no number": (["run", "log", "loss=low", "--run", OPEN], 2, "bad_metric"),
    "a metric without a name": (["run", "log", "=1", "--run", OPEN], 2, "bad_run_name"),
    "no run to give params": (["run", "param", "lr=1", "--run", "01a20c4f-0000"], 4, "run_missing"),
    "no run to label": (["run", "label", "x=1", "--run", "01a20c4f-0000"], 4, "run_missing"),
    "no run that is said": (["run", "param", "lr=1"], 2, "no_run"),
    "no file to log": (["run", "artifact", "nothing", "--run", OPEN], 4, "file_missing"),
    "no run to end": (["run", "finish", "--run", "01a20c4f-0000"], 4, "run_missing"),
    "no run to go on with": (["run", "resume", "01a20c4f-0000"], 4, "ref_not_found"),
    "a run that lives, resumed": (["run", "resume", RUNNING], 11, "run_is_running"),
    "no way to end": (["run", "finish", "--run", OPEN, "--status", "good"], 2, "bad_status"),
    "no run to adopt": (["run", "adopt", "01a20c4f-0000"], 4, "run_missing"),
    "nothing to adopt": (["run", "adopt"], 2, "no_run"),
    "no run to show": (["run", "show", "01a20c4f-0000"], 4, "ref_not_found"),
    "a model is no run": (["run", "show", "model/net"], 4, "not_a_run"),
    "another param": (["run", "param", "lr=0.3", "--run", OPEN], 5, "param_differs"),
    "a run that lives": (["run", "finish", "--run", RUNNING], 11, "run_is_running"),
    "a run that lives, adopted": (["run", "adopt", RUNNING], 11, "run_is_running"),
    "no output": (["run", "exec", "churn", "--out", "model/net=nothing", "--", "true"], 4, "output_missing"),
    "other data": (["compare", "--exp", "churn", "--strict"], 11, "not_comparable"),
    "no input of a run": (["run", "start", "churn", "--in", "train=data/nothing"], 4, "ref_not_found"),
    "a bad name of an experiment": (["run", "start", "Churn"], 2, "bad_name"),
    "no experiment": (["run", "ls", "nothing"], 4, "ref_not_found"),
    "a bad expression on runs": (["run", "ls", "--where", "metrics.auc >"], 2, "bad_expression"),
    "no program": (["run", "exec", "churn", "--", "no-such-program"], 125, "program_not_found"),
    "no command": (["run", "exec", "churn"], 125, "no_command"),
    "an option that run exec has not": (["run", "exec", "churn", "--frobnicate", "--", "true"], 125, "usage"),
    "an input of a command without a role": (["run", "exec", "churn", "--in", "x", "--", "true"], 125, "bad_input"),
    "no directory to run in": (["run", "exec", "churn", "-C", "nowhere", "--", "true"], 125, "no_directory"),
    "an output without a place": (["run", "exec", "churn", "--out", "model/net", "--", "true"], 125, "bad_output"),
    "a bad name to aim at": (["exp", "set-goal", "Nothing", "auc", "max"], 2, "bad_name"),
    "a bad aim": (["exp", "set-goal", "churn", "auc", "up"], 2, "bad_direction"),
    "no run to compare": (["compare", "exp/churn@nothing"], 4, "ref_not_found"),
    "nothing to compare": (["compare", "--exp", "churn", "--where", "metrics.auc > 99"], 2, "nothing_to_compare"),
    "a bad gate": (["compare", "--exp", "churn", "--fail-if", "metrics.auc <"], 2, "bad_expression"),
    "no such report": (["compare", "--exp", "churn", "--report", "pdf=x"], 2, "bad_report"),
    "no baseline": (["compare", "exp/churn@best", "--baseline", "model/net"], 2, "no_baseline"),
    "nothing to blame": (["blame", "exp/nothing", "-m", "auc"], 4, "ref_not_found"),
    "no metric to blame for": (["blame", "exp/churn", "-m", "nothing"], 4, "no_such_metric"),
    "no way to fall": (["blame", "exp/churn", "-m", "auc", "--direction", "up"], 2, "bad_direction"),
    "a note on a run that is open": (["note", "add", f"run/{OPEN}", "x"], 4, "ref_not_found"),
    "nothing to note": (["note", "add", "model/nothing", "x"], 4, "ref_not_found"),
    **{
        f"nothing to import from {tool}": (["import", tool, "nowhere"], 4, "file_missing")
        for tool in ("mlflow", "tensorboard", "wandb", "trackio")
    },
    "no experiment to import": (["import", "mlflow", "foreign/mlruns", "--exp", "nothing"], 4, "experiment_missing"),
    "no table to import": (["import", "csv", "nowhere"], 4, "key_missing"),
    "no table to profile": (["data", "profile", "./nowhere"], 4, "file_missing"),
    "nothing to profile": (["data", "profile", "data/nothing"], 4, "ref_not_found"),
    "nothing to compare tables of": (["data", "drift", "data/rows", "data/nothing"], 4, "ref_not_found"),
    "nothing to check": (["data", "check", "data/nothing", "--rules", "foreign/rules.yaml"], 4, "ref_not_found"),
    "no rules": (["data", "check", "data/rows"], 2, "no_rules"),
    "rules of no table": (["data", "check", "data/rows", "--rules", "foreign/rules.yaml"], 2, "bad_rule"),
    "rules that are not there": (["data", "check", "data/rows", "--rules", "nowhere.yaml"], 4, "file_missing"),
    "no place for a state": (["health", "--report", "openmetrics=nowhere/m.prom"], 2, "bad_place"),
    "a bad report on rules": (["data", "check", "./a", "--report", "html=x"], 2, "bad_report"),
    "nothing to overlap": (["data", "overlap", "data/rows", "data/nothing"], 4, "ref_not_found"),
    "data beside themselves": (["data", "overlap", "data/rows", "data/rows@latest"], 2, "same_data"),
    "a bad threshold": (["data", "drift", "./a", "./b", "--threshold", "-1"], 2, "bad_threshold"),
    "a bad report on drift": (["data", "drift", "./a", "./b", "--report", "html=x"], 2, "bad_report"),
    "a table without metrics": (["import", "csv", "weights"], 2, "no_metric"),
    "a table that is none": (
        ["import", "csv", "foreign/wandb/offline-run-20260101_000000-abcd1234/run-abcd1234.wandb"],
        2,
        "bad_table",
    ),
    "no mlflow": (["import", "mlflow", "foreign/trackio/churn.db"], 13, "not_readable"),
    "no mlruns": (["import", "mlflow", "foreign"], 13, "not_readable"),
    "no trackio": (["import", "trackio", "weights"], 13, "not_readable"),
    "a server of mlflow": (["import", "mlflow", "http://localhost:5000"], 2, "bad_source"),
    "an empty note": (["note", "add", "model/net", ""], 2, "bad_note"),
    "no notes": (["note", "ls", "model/nothing"], 4, "ref_not_found"),
    "no such note": (["note", "rm", "model/net", "ffff"], 4, "note_missing"),
    "nothing to draw": (["plot", "-m", "auc", "--where", "metrics.auc > 99"], 2, "nothing_to_plot"),
    "no metric to draw": (["plot", "--exp", "churn", "-m", "auc", "-m", "loss"], 2, "no_metric"),
    "no such metric": (["plot", "--exp", "churn", "-m", "nothing"], 4, "no_such_metric"),
    "nothing to report": (["report", "--exp", "churn", "--where", "metrics.auc > 99"], 2, "nothing_to_report"),
    "no place for a report": (["report", "-o", "nowhere/r.html"], 2, "bad_place"),
    "a report on a directory": (["report", "-o", "foreign"], 2, "bad_place"),
    "a report below a file": (["report", "-o", "weights/r.html"], 2, "bad_place"),
    "no place for a picture": (["plot", "--exp", "churn", "-m", "auc", "--out", "nowhere/p.svg"], 2, "bad_place"),
    "no kind of picture": (["plot", "--exp", "churn", "-m", "auc", "--out", "p.png"], 2, "bad_picture"),
    "no range": (["cat", "net@production:weights", "--range", "1"], 2, "bad_range"),
    "no file that fits": (["get", "net@production", "out", "--include", "*.jpg"], 4, "path_not_found"),
    "nothing that fits": (
        ["add", "model/net", "weights", "--include", "*.jpg", "--version", "2.0.0"],
        2,
        "nothing_to_add",
    ),
    "no base": (["add", "model/net", "weights", "--replace", "--version", "2.0.0"], 2, "no_base"),
    "no dataset to export": (["export", "model/net", "--as", "croissant"], 2, "no_dataset"),
    "nothing to export": (["export", "data/nothing", "--as", "croissant"], 4, "ref_not_found"),
    "a file to export": (["export", "data/rows:rows.csv", "--as", "croissant"], 2, "path_in_export"),
    "no place for an export": (["export", "data/rows", "--as", "croissant", "nowhere/c.json"], 2, "bad_place"),
    "no topic": (["help", "nothing"], 4, "no_topic"),
    "no such shell": (["completion", "csh"], 2, "usage"),
    "no schema": (["schema", "nothing"], 4, "no_schema"),
}


def test_an_import_of_nothing_lists_what_was_left_out_and_fails(mlreg: Call) -> None:
    run = mlreg("import-store", "dvc", "foreign/stores/dvc", "--cache", "foreign", "--json")

    assert (run.status, json.loads(run.err)["code"]) == (12, "nothing_imported")
    assert len(run.document["left_out"]) == 3


@pytest.mark.parametrize("name", REFUSED)
def test_an_error_has_its_code_and_prints_nothing_else(name: str, mlreg: Call) -> None:
    words, status, code = REFUSED[name]
    before = mlreg("log", "--json").out

    text = mlreg(*words)

    assert (text.status, text.out) == (status, "")
    what, *rest = text.err.splitlines()
    assert what.startswith(f"error[{code}]: ")
    # Someone who reads it learns why, or what to do.
    assert rest
    assert all(line.startswith(("  why: ", "  fix: ")) for line in rest)
    # That a command did not make what it should is kept: as a run that failed.
    assert (mlreg("log", "--json").out == before) == (code != "output_missing")


@pytest.mark.parametrize("name", REFUSED)
def test_an_error_is_one_line_of_json_at_the_end_if_json_is_asked_for(name: str, mlreg: Call) -> None:
    words, status, code = REFUSED[name]

    run = mlreg(*with_options(words, "--json"))

    assert (run.status, run.out, run.err.count("\n")) == (status, "", 1)
    assert set(run.error) == {"schema", "code", "exit", "message", "why", "fix", "retryable"}
    assert run.error["schema"] == "mlreg.error/1"
    assert (run.error["code"], run.error["exit"]) == (code, status)
    assert run.error["message"] in mlreg(*words).err


def test_a_template_prints_a_line_for_each_result(mlreg: Call) -> None:
    listed = mlreg("ls", "--json").document["items"]

    run = mlreg("ls", "--format", r"{ref}\t{versions:>3}")

    assert run.rows == [[item["ref"], f"{item['versions']:>3}"] for item in listed]
    assert (
        mlreg("show", "net@production", "--format", "{id}").out
        == mlreg("show", "net@production", "--json").document["id"] + "\n"
    )


@pytest.mark.parametrize("text", ["{ref", "{ref} {reff}", "{refs}"])
def test_a_template_that_does_not_fit_is_refused_before_anything_is_done(text: str, mlreg: Call) -> None:
    run = mlreg("tag", "net@1.0.0", "candidate", "--format", text)

    assert (run.status, run.out) == (2, "")
    assert "bad_template" in run.err
    assert mlreg("rev-parse", "net@candidate").status == 4


def test_a_template_may_name_all_that_json_has(mlreg: Call) -> None:
    assert mlreg("tag", "net@1.0.0", "candidate", "--format", "{ref} {changed}").out == "model/net@candidate true\n"
    assert mlreg("ls", "model/net@1.0.0", "--format", "{path}").out == "weights\n"


def test_a_setting_is_shown_with_where_it_was_set(mlreg: Call) -> None:
    file = Path(".mlreg/config.yaml").absolute()

    assert mlreg("config", "get", "author", "--origin").rows == [["Ann Lee <ann@example.org>", "environment"]]
    assert mlreg("config", "get", "remotes.origin", "--origin").rows[0][1] == str(file)
    assert mlreg("config", "get", "repository", "--origin").rows == [[str(file.parent), "default"]]
    assert mlreg("config", "get", "author").rows == [["Ann Lee <ann@example.org>"]]


def test_two_ways_to_print_are_refused_as_json_since_that_was_asked_for(mlreg: Call) -> None:
    run = mlreg("ls", "--json", "-q")

    assert (run.status, run.out, run.error["code"]) == (2, "", "one_output")


@pytest.mark.parametrize("other", ["--json", "-q"])
def test_a_picture_and_another_way_to_print_are_refused(other: str, mlreg: Call) -> None:
    run = mlreg("lineage", "model/net", "--output", "dot", other)

    assert (run.status, run.out) == (2, "")
    assert "one_output" in run.err


def test_an_error_outside_a_repository_says_what_to_do(
    tmp_path: Path, mlreg: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")

    run = mlreg("ls")

    assert run.status == 10
    assert "fix: mlreg init" in run.err
