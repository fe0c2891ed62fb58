"""The main job of mlreg on real input: train, register, compare, tag, push, clone, restore, prove. `make demo` runs it.

A small network learns to read the 1,797 handwritten digits that come with scikit-learn. Every command that is
shown is run as it stands, and what it prints is what you see. All happens in a temporary directory, which is removed
at the end (`--keep` leaves it for a look). The exit status is not 0 if a command or a check fails.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from blake3 import blake3
from network import RATE, Images, Network, read_images, write_images
from sklearn.datasets import load_digits

from mlreg.config import Config
from mlreg.registry import ModelRegistry

COLOUR = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
BOLD, BLUE, GREEN, PLAIN = ("\033[1m", "\033[34m", "\033[32m", "\033[0m") if COLOUR else ("", "", "", "")

DAMAGED = 6
"""What mlreg exits with when stored bytes are not what was written."""
NO = 3
"""What it exits with when the answer to a question is no."""


def main() -> None:
    """Run the demo in a directory of its own."""
    parser = argparse.ArgumentParser(description="Show what mlreg does, on real input.")
    parser.add_argument("--keep", action="store_true", help="leave the directory at the end")
    keep = parser.parse_args().keep
    directory = Path(tempfile.mkdtemp(prefix="mlreg-"))
    try:
        checks = Demo(directory / "demo").run()
    finally:
        if not keep:
            shutil.rmtree(directory)
    left = f"Everything is in {directory}" if keep else "Nothing is left behind; --keep would leave it for a look"
    print(f"\n{BOLD}All {checks} checks hold.{PLAIN} {left}.")


class Failed(SystemExit):
    """Something that mlreg promises does not hold: the demo ends with this sentence, and status 1."""


class Demo:
    """The story, with the directories it plays in."""

    def __init__(self, place: Path) -> None:
        """Make the directories; none of the settings of who runs the demo have a say in it."""
        self.place = place
        self.work, self.registry, self.desk = place / "work", place / "registry", place / "desk"
        self.work.mkdir(parents=True)
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("MLREG_")}
        self.environment |= {
            "MLREG_AUTHOR": "Ann Lee <ann@example.org>",
            "MLREG_CACHE_DIR": str(place / "cache"),
            "XDG_CONFIG_HOME": str(place / "config"),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        }
        self.network = Network()
        self.checks = 0

    def run(self) -> int:
        """Tell the story, and return how many checks held."""
        train, test = make_data(self.work / "digits")
        self.begin(train)
        self.first_model(train, test)
        accuracy = self.better_model(train, test)
        self.what_changed()
        self.runs()
        self.share()
        self.clone()
        self.compare(test, accuracy)
        self.damage()
        return self.checks

    def begin(self, train: Images) -> None:
        """Make a repository, and register the dataset."""
        self.say("A registry is a directory; there is no server to start.")
        self.mlreg("init", self.work)
        self.say(f"The dataset: {len(train.labels)} digits to learn from, others to test with. Its version is the day.")
        self.mlreg("add data/digits digits --bump date -m 'handwritten digits, split 80 to 20'", self.work)
        self.mlreg("ls data/digits@latest", self.work)

    def first_model(self, train: Images, test: Images) -> None:
        """Train a little, register the arrays from Python, and tag them."""
        self.say("Train for two epochs, and register the weights from the training code.")
        self.network.train(train, epochs=2)
        self.register("1.0.0", epochs=2, accuracy=self.network.accuracy(test))
        self.mlreg("show model/digits@candidate", self.work)
        self.say("It is the best there is so far, so it goes to production. A tag is a name that moves.")
        self.mlreg("tag model/digits@candidate production -m 'the first one'", self.work)

    def better_model(self, train: Images, test: Images) -> float:
        """Train more, move the tag, show where it has been, and return the accuracy."""
        self.say("Train for 30 epochs more. The new version is better, so production moves; where it has been is kept.")
        self.network.train(train, epochs=30)
        accuracy = self.network.accuracy(test)
        self.register("1.1.0", epochs=32, accuracy=accuracy)
        # Times in the log are whole seconds, and what was in production before is asked for by its time.
        time.sleep(1)
        self.mlreg("tag model/digits@1.1.0 production -m 'better on the test digits'", self.work)
        self.mlreg("tag log model/digits@production", self.work)
        moves = [event["target"] for event in self.ask("tag log model/digits@production", self.work)["items"]]
        self.check(moves == ["model/digits@1.1.0", "model/digits@1.0.0"], "the tag was at 1.0.0, and is at 1.1.0")
        return accuracy

    def what_changed(self) -> None:
        """Compare the two versions, and look at what was in production before."""
        self.say("What is different? Metadata, and every weight.")
        self.mlreg("diff model/digits@1.0.0 model/digits@1.1.0 --tensors", self.work)
        found = self.ask("diff model/digits@1.0.0 model/digits@1.1.0 --tensors", self.work)
        changed = {one["name"] for table in found["tensors"] for one in table["changes"]}
        self.check(changed == set(self.network.arrays), "all four tensors were trained further")
        moment = self.ask("tag log model/digits@production", self.work)["items"][-1]["time"]
        dated = f"'model/digits@production@{{{moment}}}'"
        self.say("What was in production then? A ref can carry a date or a time.")
        self.mlreg(f"show {dated} --format '{{ref}}: accuracy {{metadata.metrics.accuracy}}'", self.work)
        then = self.ask(f"rev-parse {dated}", self.work)["items"][0]["ref"]
        self.check(then == "model/digits@1.0.0", f"at {moment} it was 1.0.0")

    def runs(self) -> None:
        """Run training code with three seeds at two rates, compare the runs, and write a report."""
        self.say("Experiments: a command becomes a run, with its code, environment, output, metrics and files.")
        for script in ("train.py", "network.py"):
            shutil.copy(Path(__file__).with_name(script), self.work)
        for rate, seed in product((0.1, 0.01), (1, 2, 3)):
            made = "--in data=data/digits@latest --out model/tried=out"
            self.mlreg(f"run exec digits {made} -- python train.py --seed {seed} --rate {rate}", self.work)
        self.mlreg("exp set-goal digits accuracy max", self.work)
        shown = "params.rate,params.seed,metrics.accuracy"
        self.mlreg(f"run ls digits --sort -metrics.accuracy --columns {shown}", self.work)
        self.say("Is the higher rate better, or was it luck? A mean over seeds lies between [low, high] with 95 %.")
        self.mlreg("compare --exp digits --group-by params.rate", self.work)
        groups = self.ask("compare --exp digits --group-by params.rate --metrics accuracy", self.work)["groups"]
        slow, fast = (group["metrics"][0] for group in groups)
        self.check(slow["runs"] == fast["runs"] == 3, "each rate was tried with three seeds")
        self.check(slow["high"] < fast["low"], f"no luck: at most {slow['high']:.3f} beside at least {fast['low']:.3f}")
        self.say("A gate for CI: the latest run may not be much worse than the best one. It is, by exit code 3.")
        gate = "--fail-if 'metrics.accuracy < baseline - 0.02'"
        self.mlreg(f"compare exp/digits@best exp/digits@latest {gate} --metrics accuracy", self.work, status=NO)
        self.say("One page on all of it, which opens anywhere, without a network.")
        self.mlreg("report exp/digits model/tried -o report.html", self.work)

    def share(self) -> None:
        """Push everything to a directory."""
        self.say("To share it, push to another directory: here, on a network disk, on a stick.")
        self.mlreg("init --shared ../registry", self.work)
        self.mlreg("remote add origin ../registry", self.work)
        self.mlreg("push", self.work)
        self.say("Pushing again sends nothing.")
        self.mlreg("push", self.work)

    def clone(self) -> None:
        """Clone, get the model in production, and prove that its files are those that were registered."""
        self.say("Someone else clones the registry, and gets what is in production.")
        self.mlreg("clone registry desk", self.place)
        self.mlreg("get model/digits@production served", self.desk)
        for file in self.ask("ls model/digits@production", self.desk)["items"]:
            digest = blake3((self.desk / "served" / file["path"]).read_bytes()).hexdigest()
            self.check(digest == file["id"], f"b3sum of {file['path']} is {digest[:16]}..., which is its id")

    def compare(self, test: Images, accuracy: float) -> None:
        """Prove that the model of the clone is the one that was trained, and show what it was made from."""
        self.say("The same model as arrays again, in the code that serves it:")
        self.code("model = registry.get_model('digits', 'production')")
        arrays = ModelRegistry(**self.config(self.desk)).get_model("digits", "production")
        trained = {name: (array.dtype, array.shape, array.tobytes()) for name, array in self.network.arrays.items()}
        found = {name: (array.dtype, array.shape, array.tobytes()) for name, array in arrays.items()}
        self.check(found == trained, "every weight is the one that was trained, bit for bit")
        restored = Network(arrays).accuracy(test)
        self.check(restored == accuracy, f"it reads {restored:.1%} of the test digits, as on the day it was trained")
        self.say("Which data was it made from?")
        self.mlreg("lineage model/digits@production", self.desk)
        made_from = [node["ref"].partition("@")[0] for node in self.ask("lineage model/digits", self.desk)["items"]]
        self.check(made_from == ["model/digits", "data/digits"], "the lineage leads to the dataset")

    def damage(self) -> None:
        """Break a copy of the registry, see it found, and mend it."""
        copy = self.place / "copy"
        self.say("A registry can be copied with any tool. Every stored byte can be proven:")
        self.shell("cp -r registry copy")
        self.mlreg("verify", copy)
        pack = self.pack_of("model/digits/1.1.0")
        self.say("Now flip one bit of the copy, in the pack with the weights that are in production.")
        flip_a_bit(copy / pack)
        self.mlreg("verify", copy, status=DAMAGED)
        hurt = {ref for problem in self.ask("verify", copy, status=DAMAGED)["problems"] for ref in problem["hurts"]}
        self.check(hurt == {"model/digits@1.1.0"}, "verify found it, and named the one version that it hurts")
        self.say("What is damaged is refused; what is not can still be had.")
        self.mlreg("get model/digits@production broken", copy, status=DAMAGED)
        self.mlreg("get model/digits@1.0.0 whole", copy)
        self.say("A pack is the same file in every copy, so the copy can be mended from the registry.")
        self.shell(f"cp -f registry/{pack} copy/{pack}")
        self.mlreg("verify", copy)

    def pack_of(self, version: str) -> Path:
        """Return the pack that holds the files of a version, as the log says, which is plain JSON."""
        for slot in sorted((self.work / ".mlreg" / "log").iterdir()):
            transaction = json.loads(slot.read_bytes())
            if any(ref["name"] == f"version/{version}" for ref in transaction["refs"]):
                found = next(pack["id"] for pack in transaction["add"] if pack["kind"] == "data")
                return Path("packs", found[:2], f"{found}.pack")
        raise Failed(f"the log does not say where {version} is")

    def register(self, version: str, *, epochs: int, accuracy: float) -> None:
        """Register the weights as they are now."""
        metadata: dict[str, Any] = {
            "description": "one hidden layer, reads handwritten digits",
            "metrics": {"accuracy": round(accuracy, 4)},
            "hyperparameters": {"epochs": epochs, "hidden": self.network.hidden, "rate": RATE},
        }
        inputs, tags = [("data", "data/digits@latest")], ["candidate"]
        self.code(
            f"registry.register_model(weights, 'digits', '{version}', metadata,",
            f"                        inputs={inputs}, tags={tags})",
        )
        registry = ModelRegistry(**self.config(self.work))
        info = registry.register_model(self.network.arrays, "digits", version, metadata, inputs=inputs, tags=tags)
        print(f"{info.ref}: {len(self.network.arrays)} arrays, {info.size} bytes, accuracy {accuracy:.1%}")

    def config(self, directory: Path) -> dict[str, Any]:
        """Return what `ModelRegistry` wants to know in a directory."""
        return Config(directory, self.environment).get_registry_config()

    def say(self, sentence: str) -> None:
        """Print what comes next, and why."""
        print(f"\n{BOLD}{sentence}{PLAIN}")

    def code(self, *lines: str) -> None:
        """Print what the training code does."""
        for mark, line in zip((">>>", *["..."] * len(lines)), lines, strict=False):
            print(f"{BLUE}{mark} {line}{PLAIN}")

    def mlreg(self, command: str, where: Path, status: int = 0) -> None:
        """Run a command of mlreg in a directory, for all to see; `status` is what it has to exit with."""
        print(f"{BLUE}{where.name}$ mlreg {command}{PLAIN}", flush=True)
        done = subprocess.run(
            [sys.executable, "-m", "mlreg", *shlex.split(command)],
            cwd=where,
            env=self.environment,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if done.returncode != status:
            raise Failed(f"`mlreg {command}` ended with {done.returncode}, not {status}")
        self.checks += 1

    def ask(self, command: str, where: Path, status: int = 0) -> dict[str, Any]:
        """Return what a command of mlreg answers under `--json`."""
        done = subprocess.run(
            [sys.executable, "-m", "mlreg", *shlex.split(command), "--json"],
            cwd=where,
            env=self.environment,
            capture_output=True,
            check=False,
        )
        if done.returncode != status:
            raise Failed(f"`mlreg {command} --json` ended with {done.returncode}: {done.stderr.decode()}")
        return dict(json.loads(done.stdout))

    def shell(self, command: str) -> None:
        """Run a command that is not of mlreg."""
        print(f"{BLUE}{self.place.name}$ {command}{PLAIN}", flush=True)
        subprocess.run(shlex.split(command), cwd=self.place, check=True)

    def check(self, holds: bool, fact: str) -> None:
        """Print a fact that holds; end the demo if it does not."""
        if not holds:
            raise Failed(f"This does not hold: {fact}")
        self.checks += 1
        print(f"{GREEN}checked: {fact}{PLAIN}")


def make_data(directory: Path) -> tuple[Images, Images]:
    """Write the digits as train.csv and test.csv, and return them to train on and to test with."""
    digits = load_digits()
    order = np.random.default_rng(2).permutation(len(digits.target))
    directory.mkdir()
    paths = [directory / f"{name}.csv" for name in ("train", "test")]
    for path, chosen in zip(paths, np.split(order, [len(order) * 4 // 5]), strict=True):
        write_images(path, digits.data[chosen], digits.target[chosen])
    train, test = map(read_images, paths)
    return train, test


def flip_a_bit(path: Path) -> None:
    """Damage a file in the middle of its first kilobyte."""
    data = bytearray(path.read_bytes())
    data[512] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)


if __name__ == "__main__":
    main()
