"""Tensor formats: bytes to the places of tensors in them, and arrays to bytes and back. Pure, and never unpickled.

To add one: write a file beside `safetensors.py` that keeps the promise of `tensor_format`, and add it to `FORMATS`.
The conformance tests run on every line of the table.
"""

from __future__ import annotations

from mlreg.tensors.gguf import Gguf
from mlreg.tensors.npy import Npy
from mlreg.tensors.onnx import Onnx
from mlreg.tensors.safetensors import Safetensors
from mlreg.tensors.tensor_format import TensorFormat
from mlreg.tensors.zip import Zip

FORMATS: tuple[TensorFormat, ...] = (Gguf(), Safetensors(), Npy(), Zip(), Onnx())
"""The first that recognises a file reads it. GGUF before safetensors: a file of 123 tensors would be both.
ONNX last: it begins with no word of its own."""

HEAD = 64
"""Bytes of the beginning of a file by which its format is recognised."""


def format_of(head: bytes) -> TensorFormat | None:
    """Return the format that a file which begins so may be of."""
    return next((found for found in FORMATS if found.recognises(head[:HEAD])), None)
