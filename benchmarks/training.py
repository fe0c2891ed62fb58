"""A small transformer, really trained: `training.py DIR STEPS`, by an interpreter that has torch.

It learns the sources of Python's own library byte by byte for STEPS steps, and writes into DIR, as safetensors in bf16
and in fp32: `base`, `step1` to `step3` a tenth of the steps further each, and the base tuned to other text, the sources
of the same library's tests and tools, for a tenth of the steps at three rates; `state1` and `state2` are what the
optimizer holds at `step1` and `step2`.
"""

from __future__ import annotations

import copy
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from benchmarks.tuned import RATES
from mlreg.tensors.safetensors import encode_arrays

WIDTH, LAYERS, HEADS, WINDOW, BATCH = 320, 6, 5, 128, 12


class Transformer(nn.Module):
    """Says of each byte which one may be the next."""

    def __init__(self) -> None:
        """Begin with random weights."""
        super().__init__()
        self.bytes = nn.Embedding(256, WIDTH)
        self.places = nn.Embedding(WINDOW, WIDTH)
        layer = nn.TransformerEncoderLayer(WIDTH, HEADS, 4 * WIDTH, 0.0, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)
        self.head = nn.Linear(WIDTH, 256)

    def forward(self, text: torch.Tensor) -> torch.Tensor:
        """Return a score for each byte that may follow, at each place."""
        mask = nn.Transformer.generate_square_subsequent_mask(text.shape[1])
        known = self.bytes(text) + self.places(torch.arange(text.shape[1]))
        return self.head(self.layers(known, mask=mask, is_causal=True))


def text_of(pattern: str) -> torch.Tensor:
    """Return the bytes of sources of the standard library."""
    library = Path(sysconfig.get_path("stdlib"))
    sources = sorted(path for path in library.glob(pattern) if "site-packages" not in path.parts)
    return torch.frombuffer(bytearray(b"".join(path.read_bytes() for path in sources[:300])), dtype=torch.uint8).long()


def train(model: Transformer, optimizer: torch.optim.Optimizer, text: torch.Tensor, steps: int) -> None:
    """Take so many steps."""
    for _ in range(steps):
        starts = torch.randint(len(text) - WINDOW - 1, (BATCH, 1))
        batch = text[starts + torch.arange(WINDOW + 1)]
        scores = model(batch[:, :-1])
        loss = nn.functional.cross_entropy(scores.reshape(-1, 256), batch[:, 1:].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def save(place: Path, name: str, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write tensors in bf16 and in fp32."""
    import ml_dtypes

    for kind in ("bf16", "fp32"):
        arrays = {key: value.detach().float().numpy() for key, value in tensors.items()}
        if kind == "bf16":
            arrays = {key: value.astype(ml_dtypes.bfloat16) for key, value in arrays.items()}
        (place / kind).mkdir(parents=True, exist_ok=True)
        (place / kind / f"{name}.safetensors").write_bytes(b"".join(map(bytes, encode_arrays(arrays))))


def main(place: Path, steps: int) -> None:
    """Train, and write."""
    torch.manual_seed(1)
    model = Transformer()
    text, other = text_of("*.py"), text_of("test/**/*.py")
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4)
    train(model, optimizer, text, steps)
    save(place, "base", model.state_dict())
    base = copy.deepcopy(model)
    for number in (1, 2, 3):
        train(model, optimizer, text, max(1, steps // 10))
        save(place, f"step{number}", model.state_dict())
        if number < 3:
            kept = optimizer.state_dict()["state"]
            save(place, f"state{number}", {f"{key}.{name}": kept[key][name] for key in kept for name in kept[key]})
    for rate in RATES:
        tuned = copy.deepcopy(base)
        train(tuned, torch.optim.AdamW(tuned.parameters(), lr=float(rate)), other, max(1, steps // 10))
        save(place, f"tuned{rate}", tuned.state_dict())


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
