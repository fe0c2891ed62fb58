"""The main job of mlreg on real input: train, register, tag, push, clone, restore, prove. `make demo` runs it.

A small network learns the handwritten digits that scikit-learn ships. Everything happens in a temporary
directory, which is removed at the end; `--keep` leaves it for a look.
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
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from blake3 import blake3
from sklearn.datasets import load_digits

from mlreg.config import Config
from mlreg.registry import ModelRegistry

COLOUR = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
BOLD, GREEN, DIM, PLAIN = ("\033[1m", "\033[32m", "\033[2m", "\033[0m") if COLOUR else ("", "", "", "")


def say(sentence: str) -> None:
    """Print what comes next and why."""
    sys.stdout.write(f"\n{BOLD}{sentence}{PLAIN}\n")
    sys.stdout.flush()


def run(command: str, where: Path, expected: int = 0) -> str:
    """Run one mlreg command, show it with what it prints, and return its standard output."""
    sys.stdout.write(f"{GREEN}$ mlreg {command}{PLAIN}\n")
    done = subprocess.run(
        [sys.executable, "-m", "mlreg", *shlex.split(command)], cwd=where, capture_output=True, text=True, check=False
    )
    sys.stdout.write(f"{done.stdout}{done.stderr}")
    sys.stdout.flush()
    check(done.returncode == expected, f"`mlreg {command}` ended with {done.returncode}, not {expected}")
    return done.stdout


def check(holds: bool, otherwise: str) -> None:
    """End the demo if something that was promised does not hold."""
    if not holds:
        sys.exit(f"the demo failed: {otherwise}")


def fact(text: str) -> None:
    """Print something that was checked."""
    sys.stdout.write(f"{DIM}  checked: {text}{PLAIN}\n")


class Network:
    """One hidden layer, trained by gradient descent with momentum."""

    def __init__(self, arrays: Mapping[str, np.ndarray] | None = None, hidden: int = 64) -> None:
        """Start from given weights, or from random ones."""
        random = np.random.default_rng(0)
        self.arrays = dict(arrays) if arrays else {
            "hidden.weight": random.standard_normal((64, hidden), dtype=np.float32) * np.float32(0.1),
            "hidden.bias": np.zeros(hidden, np.float32),
            "out.weight": random.standard_normal((hidden, 10), dtype=np.float32) * np.float32(0.1),
            "out.bias": np.zeros(10, np.float32),
        }

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the hidden layer, (n, hidden), and the probabilities, (n, 10), for images of shape (n, 64)."""
        a = self.arrays
        hidden = np.maximum(x @ a["hidden.weight"] + a["hidden.bias"], 0)
        scores = hidden @ a["out.weight"] + a["out.bias"]
        exp = np.exp(scores - scores.max(axis=1, keepdims=True))
        return hidden, exp / exp.sum(axis=1, keepdims=True)

    def train(self, x: np.ndarray, y: np.ndarray, epochs: int, rate: float = 0.1) -> None:
        """Go through the images in batches of 64, `epochs` times."""
        random = np.random.default_rng(1)
        speed = {name: np.zeros_like(value) for name, value in self.arrays.items()}
        for _ in range(epochs):
            order = random.permutation(len(x))
            for start in range(0, len(x), 64):
                batch = order[start : start + 64]
                self._step(x[batch], y[batch], speed, rate)

    def _step(self, x: np.ndarray, y: np.ndarray, speed: dict[str, np.ndarray], rate: float) -> None:
        hidden, chance = self.forward(x)
        chance[np.arange(len(y)), y] -= 1
        below = (chance @ self.arrays["out.weight"].T) * (hidden > 0)
        slopes = {
            "hidden.weight": x.T @ below,
            "hidden.bias": below.sum(axis=0),
            "out.weight": hidden.T @ chance,
            "out.bias": chance.sum(axis=0),
        }
        for name, slope in slopes.items():
            speed[name] = 0.9 * speed[name] - rate / len(y) * slope
            self.arrays[name] = (self.arrays[name] + speed[name]).astype(np.float32)

    def accuracy(self, x: np.ndarray, y: np.ndarray) -> float:
        """Return the share of images, 0 to 1, that are read right."""
        return float((self.forward(x)[1].argmax(axis=1) == y).mean())


def main() -> None:
    """Run the demo."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the directory")
    keep = parser.parse_args().keep
    place = Path(tempfile.mkdtemp(prefix="mlreg-demo-"))
    os.environ.update(MLREG_AUTHOR="Ann Lee <ann@example.org>", MLREG_CACHE_DIR=str(place / "cache"))
    try:
        story(place)
    finally:
        if not keep:
            shutil.rmtree(place)
    say(f"Everything held. {f'The files are in {place}' if keep else 'The directory is removed again.'}")


def story(place: Path) -> None:
    """Tell the story, step by step."""
    work, remote, clone = place / "work", place / "registry", place / "colleague"
    work.mkdir()
    train, test = make_data(work / "digits")

    say("1. Any directory is a registry.")
    run("init", work)
    say("2. The dataset becomes a version that never changes. Its name is a date.")
    run("add data/digits digits --bump date -m 'handwritten digits, split 80/20' --meta rows=1797", work)

    say("3. Train a little, and register the arrays from Python, with what they were made from.")
    os.chdir(work)
    registry = ModelRegistry(**Config().get_registry_config())
    network = Network()
    network.train(*train, epochs=2)
    first = register(registry, network, "1.0.0", epochs=2, accuracy=network.accuracy(*test), tag="production")
    say("4. Train more: a better version, and the tag moves. Its history stays.")
    network.train(*train, epochs=30)
    better = network.accuracy(*test)
    register(registry, network, "1.1.0", epochs=32, accuracy=better, tag="candidate")
    run("tag model/digits@1.1.0 production -m 'better on the test split'", work)
    run("tag log model/digits@production", work)
    check(better > first, "training more did not help")

    say("5. Share it: push to a directory, which could be on a disk that a hundred jobs see.")
    run(f"init --shared {remote}", work)
    run(f"remote add origin {remote}", work)
    run("push", work)
    run("push", work)

    say("6. A colleague clones it, and gets what is in production, bit for bit.")
    run(f"clone {remote} {clone}", place)
    run("get model/digits@production out", clone)
    check_ids(clone)
    os.chdir(clone)
    restored = ModelRegistry(**Config().get_registry_config()).get_model("digits", "production")
    check(Network(restored).accuracy(*test) == better, "the restored model is another one")
    fact(f"the restored model reads {better:.1%} of the test images, exactly as the one that was trained")

    say("7. Where does it come from?")
    check("data/digits@" in run("lineage model/digits@production", clone), "the lineage is not there")

    say("8. Prove that nothing is damaged; then damage one byte, and see it found.")
    run("verify", clone)
    flip_a_byte(remote)
    run("verify origin", clone, expected=6)


def make_data(directory: Path) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Write the digits as two files, and return (images, labels) to train on and to test with."""
    digits = load_digits()
    images, labels = (digits.data / 16).astype(np.float32), digits.target
    order = np.random.default_rng(2).permutation(len(images))
    parts = {"train": order[: len(order) * 4 // 5], "test": order[len(order) * 4 // 5 :]}
    directory.mkdir()
    for name, chosen in parts.items():
        rows = np.column_stack([labels[chosen], digits.data[chosen].astype(int)])
        np.savetxt(directory / f"{name}.csv", rows, fmt="%d", delimiter=",")
    train, test = ((images[chosen], labels[chosen]) for chosen in parts.values())
    return train, test


def register(registry: ModelRegistry, network: Network, version: str, epochs: int, accuracy: float, tag: str) -> float:
    """Register the arrays of a network, show what is known of the version, and return the accuracy."""
    metadata: dict[str, Any] = {
        "description": "one hidden layer, handwritten digits",
        "metrics": {"accuracy": round(accuracy, 4)},
        "hyperparameters": {"epochs": epochs, "hidden": 64},
    }
    sys.stdout.write(f"{GREEN}>>> registry.register_model(arrays, 'digits', '{version}', metadata, ...){PLAIN}\n")
    info = registry.register_model(
        network.arrays, "digits", version, metadata, inputs=[("data", "data/digits@latest")], tags=[tag]
    )
    run(f"show {info.ref}", Path.cwd())
    return accuracy


def check_ids(clone: Path) -> None:
    """Compare the id that mlreg prints with the hash of the file that it wrote."""
    listed = json.loads(run("ls model/digits@production --json", clone))
    for file in listed["items"]:
        digest = blake3((clone / "out" / file["path"]).read_bytes()).hexdigest()
        check(digest == file["id"], f"{file['path']} has another hash than its id")
        fact(f"b3sum of out/{file['path']} is {digest[:16]}..., its id")


def flip_a_byte(remote: Path) -> None:
    """Damage the largest pack of a repository."""
    pack = max(remote.glob("packs/*/*.pack"), key=lambda path: path.stat().st_size)
    data = bytearray(pack.read_bytes())
    data[100] ^= 1
    pack.chmod(0o644)
    pack.write_bytes(data)
    sys.stdout.write(f"{DIM}  (one bit of {pack.name} was turned over){PLAIN}\n")


if __name__ == "__main__":
    main()
