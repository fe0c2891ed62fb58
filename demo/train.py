"""Training code as users have it, with mlreg in it: `mlreg run exec digits -- python train.py --seed 1`."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from network import Network, read_images

from mlreg.config import Config
from mlreg.registry import ExperimentRegistry


def main() -> None:
    """Train, log each epoch, and leave the weights in `out/`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rate", type=float, default=0.1)
    parser.add_argument("--epochs", type=int, default=8)
    asked = parser.parse_args()
    train, test = (read_images(Path("digits", f"{name}.csv")) for name in ("train", "test"))
    registry = ExperimentRegistry(**Config().get_experiment_registry_config())
    # In a process that `mlreg run exec` started, this is the run that it made.
    with registry.start_experiment("digits", params=vars(asked)) as run:
        network = Network(seed=asked.seed)

        def log(epoch: int) -> None:
            metrics = {"train/loss": network.loss(train), "loss": network.loss(test)}
            run.log_metrics({**metrics, "accuracy": network.accuracy(test)}, step=epoch)

        network.train(train, asked.epochs, asked.rate, log)
    Path("out").mkdir(exist_ok=True)
    np.savez(Path("out", "weights.npz"), **network.arrays)
    print(f"seed {asked.seed}, rate {asked.rate}: accuracy {network.accuracy(test):.1%}")


if __name__ == "__main__":
    main()
