"""The recipes of docs/make-and-ci.md do what they say, with real make and a real shell."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

PAGE = Path(__file__).parents[2] / "docs" / "make-and-ci.md"
SRC = Path(__file__).parents[2] / "src"
RECIPES = {
    heading: re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL)[0]
    for heading, text in re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE.read_text(encoding="utf-8"), re.M | re.DOTALL)
}
"""The language and the text of each recipe, by its heading."""


class Done(NamedTuple):
    """How a recipe ended."""

    status: int
    out: str
    err: str


class Project:
    """A project with data, a model in production and a candidate, and the shared registry that it pushes to."""

    def __init__(self, root: Path) -> None:
        self.root, self.shared, self.place = root, root / "shared", root / "project"
        self.place.mkdir()
        (root / "bin").mkdir()
        program = root / "bin" / "mlreg"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m mlreg "$@"\n')
        program.chmod(0o755)
        self.environment = {
            **os.environ,
            "PATH": f"{root / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(SRC),
            "MLREG_AUTHOR": "Ann Lee <ann@example.org>",
            "MLREG_CACHE_DIR": str(root / "cache"),
            "REGISTRY": str(self.shared),
            "GITHUB_OUTPUT": str(root / "output"),
            "GITHUB_RUN_ID": "7",
            "CI_PIPELINE_URL": "https://ci.example.org/7",
        }
        (self.place / "frames").mkdir()
        self.write("frames/one", "1")
        self.write("train.sh", "cat $1/* >$2\necho trained >>log\n")
        self.write("evaluate.sh", "echo 'metrics: {map: 0.75}'\n")
        self.write("model/weights", "old")
        self.write("model/tokenizer.json", "{}")
        self.sh(f"mlreg init -q && mlreg init --shared -q {self.shared} && mlreg remote add origin {self.shared} -q")
        self.sh("mlreg add data/frames frames --version 2026.11.01 --tag golden -q")
        self.sh("mlreg add model/detector model --version 1.0.0 --tag production --meta metrics.map=0.6 -q")
        self.write("model/weights", "new")
        self.sh("mlreg add model/detector model --version 1.1.0 --tag candidate --meta metrics.map=0.7 -q")
        self.sh("mlreg push -q")

    def write(self, path: str, text: str) -> None:
        file = self.place / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)

    def read(self, path: str) -> str:
        return (self.place / path).read_text()

    def run(self, *words: str, where: Path | None = None) -> Done:
        done = subprocess.run(
            words, cwd=where or self.place, env=self.environment, capture_output=True, text=True, check=False
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def sh(self, script: str, where: Path | None = None) -> str:
        done = self.run("sh", "-eu", "-c", script, where=where)
        assert done.status == 0, done
        return done.out

    def make(self, target: str, *recipes: str) -> int:
        """Make a target by recipes of the page, and return how many commands that took, those of `@` not counted."""
        text = "\n".join(RECIPES[recipe][1] for recipe in recipes)
        self.write("Makefile", text)
        done = self.run("make", "--no-print-directory", target)
        assert done.status == 0, done
        return len([line for line in done.out.splitlines() if line.startswith(("rm ", "sh ", "mlreg ", "tar "))])


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def recipe(heading: str) -> str:
    """Return a recipe for sh."""
    language, text = RECIPES[heading]
    assert language == "sh"
    return str(text)


def train_again(project: Project) -> None:
    name = "Train again when the data moved"
    assert project.make("model.safetensors", name) == 2
    assert project.make("model.safetensors", name) == 0
    project.write("frames/two", "2")
    project.sh("mlreg add data/frames frames --version 2026.11.02")
    assert project.make("model.safetensors", name) == 0
    project.sh("mlreg tag data/frames@2026.11.02 golden")
    assert project.make("model.safetensors", name) == 2
    assert project.make("model.safetensors", name) == 0
    assert (project.read("model.safetensors"), project.read("log")) == ("12", "trained\n" * 2)


def register(project: Project) -> None:
    both = ("Train again when the data moved", "Register what a rule made")
    project.make("report.txt", *both)
    assert project.read("report.txt") == "model/detector@1.2.0 1 bytes from data/frames@2026.11.01\n"
    (project.place / "model.safetensors").touch()
    os.utime(project.place / "report.txt", (1, 1))
    os.utime(project.place / ".stamps/model", (1, 1))
    project.make("report.txt", *both)
    assert project.sh("mlreg ls model/detector -q").count("\n") == 3
    # The version is the same, so nobody has reason to write another report.
    assert (project.place / "report.txt").stat().st_mtime == 1


def files_as_a_target(project: Project) -> None:
    name = "Files of a version as a target"
    assert project.make("bundle.tar", name) == 1
    assert project.make("bundle.tar", name) == 0
    project.sh("mlreg tag model/detector@candidate production")
    assert project.make("bundle.tar", name) == 1
    assert project.read("serving/weights") == "new"


def promote(project: Project) -> None:
    project.sh(recipe("Promote, unless someone else did"))
    assert project.sh("mlreg rev-parse model/detector@production") == "model/detector@1.1.0\n"
    raced = recipe("Promote, unless someone else did").replace(
        "mlreg tag model", "mlreg tag model/detector@1.0.0 production\nmlreg tag model", 1
    )
    assert project.run("sh", "-eu", "-c", raced).status == 5


def leave_nothing_behind(project: Project) -> None:
    script = recipe("Stop a job that would leave something behind")
    assert "everything is pushed" in project.sh(script)
    project.sh("mlreg tag model/detector@candidate production")
    assert "pushed to origin" in project.sh(script)
    assert "everything is pushed" in project.sh(script)
    project.sh("mlreg config set remotes.origin /nowhere")
    assert project.run("sh", "-eu", "-c", script).status not in (0, 3)


def changed_file(project: Project) -> None:
    script = recipe("Stop a job if a file changed that should not")
    project.sh(script)
    assert project.read("changed.txt") == "weights\n"
    project.write("model/tokenizer.json", "[]")
    project.sh("mlreg add model/detector model --version 1.2.0 --tag candidate")
    done = project.run("sh", "-eu", "-c", script)
    assert (done.status, done.err) == (1, "the tokenizer changed\n")


def wait(project: Project) -> None:
    script = recipe("Wait for what another job makes")
    project.sh("mlreg tag rm model/detector@candidate && mlreg rm model/detector@1.1.0")
    other = project.root / "other"
    project.sh(f"mlreg clone {project.shared} {other} -q")
    project.sh(f"mlreg -C {other} tag model/detector@1.0.0 later && mlreg -C {other} push -q")
    waiting = script.replace("@candidate", "@late").replace("--interval 1s", "--interval 0.1")
    with subprocess.Popen(["sh", "-eu", "-c", waiting], cwd=project.place, env=project.environment) as process:
        project.sh(f"mlreg -C {other} tag model/detector@1.0.0 late && mlreg -C {other} push -q")
        assert process.wait() == 0
    assert project.read("candidate/weights") == "old"
    timed = script.replace("@candidate", "@never").replace("30m", "0.2").replace("1s", "0.1")
    assert project.run("sh", "-eu", "-c", timed).status == 124


def without_a_clone(project: Project) -> None:
    empty = project.root / "empty"
    empty.mkdir()
    out = project.sh(recipe("Read without a clone"), empty)
    assert out.splitlines()[:2] == ["data/frames", "model/detector"]
    assert sorted(path.name for path in empty.iterdir()) == ["tokenizer.json", "weights"]
    assert (empty / "weights/weights").read_text() == "old"


def go_through(project: Project) -> None:
    project.sh(recipe("Go through a list"))
    assert project.read("scores.tsv") == "1.1.0\t0.700\ttrue\n1.0.0\t0.600\ttrue\n"


def github(project: Project) -> None:
    job = yaml.safe_load(RECIPES["GitHub Actions"][1])["jobs"]["evaluate"]
    runner = project.root / "runner"
    runner.mkdir()
    (runner / "evaluate.sh").write_text(project.read("evaluate.sh"))
    for step in job["steps"]:
        project.sh(step["run"], runner)
    assert (project.root / "output").read_text() == "ref=model/detector@1.1.0\n"
    shown = project.sh(f"mlreg show {project.shared}::model/detector@evaluated --format '{{metadata.metrics.map}}'")
    assert shown == "0.75\n"


def gitlab(project: Project) -> None:
    job = yaml.safe_load(RECIPES["GitLab CI"][1])["release"]
    runner = project.root / "runner"
    runner.mkdir()
    for line in job["script"]:
        project.sh(line, runner)
    assert (runner / job["artifacts"]["paths"][0] / "weights").read_text() == "new"
    assert project.sh(f"mlreg rev-parse {project.shared}::model/detector@production") == "model/detector@1.1.0\n"


TRIED: dict[str, Callable[[Project], None]] = {
    "Train again when the data moved": train_again,
    "Register what a rule made": register,
    "Files of a version as a target": files_as_a_target,
    "Promote, unless someone else did": promote,
    "Stop a job that would leave something behind": leave_nothing_behind,
    "Stop a job if a file changed that should not": changed_file,
    "Wait for what another job makes": wait,
    "Read without a clone": without_a_clone,
    "Go through a list": go_through,
    "GitHub Actions": github,
    "GitLab CI": gitlab,
}


def test_every_recipe_is_tried() -> None:
    assert list(RECIPES) == list(TRIED)


@pytest.mark.parametrize("heading", TRIED)
def test_a_recipe_does_what_it_says(heading: str, project: Project) -> None:
    TRIED[heading](project)
