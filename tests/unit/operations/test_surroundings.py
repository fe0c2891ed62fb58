"""What a command runs in is found: in real repositories of git, and of the Python that the command uses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlreg.operations import code_state as code
from mlreg.operations.code_state import CodeState, code_state
from mlreg.operations.surroundings import capture, python_of


def git(directory: Path, *words: str) -> str:
    """Run git as a user of its own."""
    settings = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "protocol.file.allow=always")
    return subprocess.run(
        ["git", *settings, "-C", str(directory), *words], capture_output=True, text=True, check=True
    ).stdout


def repository(directory: Path) -> Path:
    """Make a repository with one commit."""
    directory.mkdir(parents=True)
    git(directory, "init", "-q", "-b", "main")
    (directory / "train.py").write_text("print(1)\n")
    (directory / "data.bin").write_bytes(bytes(range(256)))
    git(directory, "add", ".")
    git(directory, "commit", "-q", "-m", "first")
    return directory


def state(directory: Path) -> CodeState:
    found = code_state(directory)
    assert found is not None
    return found


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return repository(tmp_path / "project")


# Code.


def test_clean_code_has_its_commit_and_no_diff(project: Path) -> None:
    commit = git(project, "rev-parse", "HEAD").strip()
    (project / ".mlreg").mkdir()
    (project / ".mlreg" / "log").write_text("the registry is no part of the code")

    assert state(project) == CodeState(
        {"branch": "main", "commit": commit, "diff": "", "directory": "", "dirty": False, "untracked": []}, b""
    )


def test_a_diff_makes_of_the_commit_what_was_run_wherever_in_the_repository_that_was(
    project: Path, tmp_path: Path
) -> None:
    (project / "train.py").write_text("print(2)\n")
    (project / "data.bin").write_bytes(bytes(range(255, -1, -1)))
    (project / "new.py").write_text("added\n")
    git(project, "add", "new.py")
    (project / "deep" / "er").mkdir(parents=True)
    # Settings with which a diff looks otherwise.
    for key in ("diff.noprefix", "diff.mnemonicPrefix", "diff.relative"):
        git(project, "config", key, "true")
    git(project, "config", "color.ui", "always")
    git(project, "config", "diff.external", "false")

    found = state(project / "deep" / "er")

    assert (found.facts["dirty"], found.facts["directory"]) == (True, "deep/er")
    git(tmp_path, "clone", "-q", str(project), "copy")
    (tmp_path / "patch").write_bytes(found.diff)
    git(tmp_path / "copy", "apply", str(tmp_path / "patch"))
    for name in ("train.py", "data.bin", "new.py"):
        assert (tmp_path / "copy" / name).read_bytes() == (project / name).read_bytes()


def test_files_that_are_not_tracked_are_named_and_not_kept(project: Path) -> None:
    (project / "key of ann.txt").write_text("secret")
    (project / "fö\n.txt").write_text("secret")

    found = state(project)

    assert (found.facts["dirty"], found.facts["untracked"]) == (True, ["fö\n.txt", "key of ann.txt"])
    assert found.diff == b""


def test_code_without_a_commit_differs_from_nothing(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "train.py").write_text("print(1)\n")
    git(tmp_path, "add", ".")

    found = state(tmp_path)

    assert (found.facts["commit"], found.facts["branch"], found.facts["dirty"]) == ("", "main", True)
    assert b"+print(1)" in found.diff


def test_a_commit_without_a_branch_has_none(project: Path) -> None:
    git(project, "checkout", "-q", "--detach")

    assert (state(project).facts["branch"], len(state(project).facts["commit"])) == ("", 40)


def test_a_directory_without_git_has_no_code(tmp_path: Path) -> None:
    assert code_state(tmp_path) is None


def test_that_git_does_not_answer_is_said(project: Path) -> None:
    (project / ".git" / "HEAD").write_text("nonsense")

    found = state(project)

    assert (set(found.facts), found.diff) == ({"problem"}, b"")
    assert "fatal" in found.facts["problem"]


def test_that_there_is_no_git_is_said(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    assert "git cannot be run" in state(project).facts["problem"]


def test_changes_within_a_submodule_are_part_of_the_diff(project: Path, tmp_path: Path) -> None:
    repository(tmp_path / "library")
    git(project, "submodule", "--quiet", "add", str(tmp_path / "library"), "libs/own")
    git(project, "commit", "-q", "-m", "with a library")
    assert state(project).facts["dirty"] is False
    (project / "libs" / "own" / "train.py").write_text("print(3)\n")
    (project / "libs" / "own" / "note").write_text("not tracked")
    (project / "train.py").write_text("print(2)\n")

    found = state(project)

    assert found.facts["untracked"] == ["libs/own/note"]
    assert b"-dirty" not in found.diff
    git(tmp_path, "clone", "-q", "--recurse-submodules", str(project), "copy")
    (tmp_path / "patch").write_bytes(found.diff)
    git(tmp_path / "copy", "apply", str(tmp_path / "patch"))
    assert (tmp_path / "copy" / "train.py").read_text() == "print(2)\n"
    assert (tmp_path / "copy" / "libs" / "own" / "train.py").read_text() == "print(3)\n"


def test_another_commit_of_a_submodule_is_named(project: Path, tmp_path: Path) -> None:
    repository(tmp_path / "library")
    git(project, "submodule", "--quiet", "add", str(tmp_path / "library"), "own")
    git(project, "commit", "-q", "-m", "with a library")
    git(project / "own", "commit", "-q", "--allow-empty", "-m", "second")

    assert f"+Subproject commit {git(project / 'own', 'rev-parse', 'HEAD')}" in state(project).diff.decode()


def test_of_a_long_diff_the_beginning_is_kept_and_it_is_said(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code, "MAX_DIFF", 5000)
    (project / "train.py").write_text("print(2)\n" * 100_000)

    found = state(project)

    assert (len(found.diff), found.facts["diff_cut"]) == (5000, True)
    assert found.diff.startswith(b"diff --git a/train.py b/train.py")


# Packages.


def script(path: Path, first: str) -> str:
    path.write_text(f"{first}\n")
    path.chmod(0o755)
    return str(path)


def test_packages_are_those_of_the_python_that_a_command_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A virtual environment without pip, which takes seconds to make.
    environment = tmp_path / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    packages = next((environment / "lib").glob("python*")) / "site-packages" / "Thing-1.5.dist-info"
    packages.mkdir()
    (packages / "METADATA").write_text("Metadata-Version: 2.1\nName: Thing\nVersion: 1.5\n")
    monkeypatch.chdir(tmp_path)
    # Modules of the project must not be taken for those of Python.
    (tmp_path / "csv.py").write_text("raise SystemExit(1)")
    (tmp_path / "email").mkdir()

    found = capture(["env/bin/python", "train.py"])

    version = ".".join(map(str, sys.version_info[:3]))
    assert found.files["environment.txt"].decode() == f"python {version}\nThing==1.5\n"
    assert found.facts["python"] == version
    assert found.facts["interpreter"] == "env/bin/python"
    assert found.facts["command"] == ["env/bin/python", "train.py"]


def test_the_python_of_a_command_is_the_one_that_it_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = script(tmp_path / "python3.99", "#!/bin/sh")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    long = script(tmp_path / "long", f'#!/bin/sh\n\'\'\'exec\' "{python}" "$0" "$@"')
    torchrun = script(tmp_path / "torchrun", f"#!{python} -u")
    env = script(tmp_path / "by-env", "#!/usr/bin/env -S python3.99 -u")
    shell = script(tmp_path / "shell", "#!/bin/sh")

    for command in ([python], ["python3.99"], [torchrun, "x"], ["torchrun"], [env], [long], ["env", "A=1", python]):
        assert python_of(command) == python, command
    assert python_of([shell]) != python
    assert Path(python_of([shell])).name.startswith("python")


def test_a_python_that_fails_has_no_packages(tmp_path: Path) -> None:
    broken = script(tmp_path / "python3.99", "#!/bin/sh\nexit 1")

    found = capture([broken])

    assert "environment" not in found.facts
    assert "environment.txt" not in found.files
