"""What a sample of a tensor format is."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

Content: TypeAlias = tuple[str, tuple[int, ...], bytes]
"""Dtype, shape and bytes of a tensor."""


class Sample(NamedTuple):
    """A file, and the tensors it must be found to have."""

    title: str
    data: bytes
    tensors: dict[str, Content]
