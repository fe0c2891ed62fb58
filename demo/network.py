"""What the demo trains: a small network that reads handwritten digits, and the digits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

RATE = 0.1
BATCH = 64


class Images(NamedTuple):
    """Digits as scanned, and what they are."""

    pixels: np.ndarray
    """(n, 64), from 0 to 1."""
    labels: np.ndarray
    """(n,), from 0 to 9."""


class Network:
    """One hidden layer, trained by gradient descent with momentum; float32."""

    hidden = 64

    def __init__(self, arrays: Mapping[str, np.ndarray] | None = None, seed: int = 0) -> None:
        """Start with given weights, or with random ones, of one seed the same each time."""
        self.arrays = dict(arrays or self._begin(np.random.default_rng(seed)))

    def _begin(self, random: np.random.Generator) -> dict[str, np.ndarray]:
        return {
            "hidden.weight": random.standard_normal((64, self.hidden), dtype=np.float32) * np.float32(0.1),
            "hidden.bias": np.zeros(self.hidden, np.float32),
            "out.weight": random.standard_normal((self.hidden, 10), dtype=np.float32) * np.float32(0.1),
            "out.bias": np.zeros(10, np.float32),
        }

    def forward(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the hidden layer, (n, hidden), and the probability of each digit, (n, 10)."""
        a = self.arrays
        hidden = np.maximum(pixels @ a["hidden.weight"] + a["hidden.bias"], 0)
        scores = hidden @ a["out.weight"] + a["out.bias"]
        exponents = np.exp(scores - scores.max(axis=1, keepdims=True))
        return hidden, exponents / exponents.sum(axis=1, keepdims=True)

    def train(
        self,
        images: Images,
        epochs: int,
        rate: float = RATE,
        told: Callable[[int], None] = lambda epoch: None,
    ) -> None:
        """Go through the images in random batches, `epochs` times; `told` hears of each."""
        random = np.random.default_rng(1)
        speed = {name: np.zeros_like(array) for name, array in self.arrays.items()}
        for epoch in range(epochs):
            order = random.permutation(len(images.labels))
            for batch in np.split(order, range(BATCH, len(order), BATCH)):
                self._step(Images(images.pixels[batch], images.labels[batch]), rate, speed)
            told(epoch)

    def _step(self, images: Images, rate: float, speed: dict[str, np.ndarray]) -> None:
        hidden, error = self.forward(images.pixels)
        error[np.arange(len(images.labels)), images.labels] -= 1
        below = (error @ self.arrays["out.weight"].T) * (hidden > 0)
        slopes = {
            "hidden.weight": images.pixels.T @ below,
            "hidden.bias": below.sum(axis=0),
            "out.weight": hidden.T @ error,
            "out.bias": error.sum(axis=0),
        }
        for name, slope in slopes.items():
            speed[name] = 0.9 * speed[name] - rate / len(images.labels) * slope
            self.arrays[name] = (self.arrays[name] + speed[name]).astype(np.float32)

    def loss(self, images: Images) -> float:
        """Return the mean cross-entropy, in nats."""
        right = self.forward(images.pixels)[1][np.arange(len(images.labels)), images.labels]
        return float(-np.log(np.maximum(right, 1e-12)).mean())

    def accuracy(self, images: Images) -> float:
        """Return the share of images, 0 to 1, that are read right."""
        return float((self.forward(images.pixels)[1].argmax(axis=1) == images.labels).mean())


def read_images(path: Path) -> Images:
    """Return the digits of a table that `write_images` wrote."""
    rows = np.loadtxt(path, delimiter=",")
    return Images((rows[:, 1:] / 16).astype(np.float32), rows[:, 0].astype(int))


def write_images(path: Path, pixels: np.ndarray, labels: np.ndarray) -> None:
    """Write digits as a table, label first.

    Args:
        path: of the table.
        pixels: (n, 64), whole numbers from 0 to 16.
        labels: (n,), from 0 to 9.
    """
    np.savetxt(path, np.column_stack([labels, pixels.astype(int)]), fmt="%d", delimiter=",")
