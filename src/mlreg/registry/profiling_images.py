"""What the images of a dataset are like, by their headers."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from mlreg.errors import explain
from mlreg.formats.tree import File
from mlreg.operations.stored_file import StoredFile
from mlreg.quality.images import Image, format_by_name, image_of
from mlreg.repository.repository import Repository

BROKEN = 100
"""Broken images that are named."""


class ImageKind(NamedTuple):
    """Images of one format and mode that are not broken."""

    format: str
    mode: str
    """`gray`, `rgb`, `rgba` …, with the bits of a channel if these are not 8."""
    files: int
    min_width: int
    max_width: int
    min_height: int
    max_height: int
    sizes: int
    """Different sizes."""


class BrokenImage(NamedTuple):
    """An image that is not what it says."""

    path: str
    why: str


class Images(NamedTuple):
    """The images of a dataset."""

    kinds: tuple[ImageKind, ...]
    """The most frequent first."""
    broken: int
    broken_samples: tuple[BrokenImage, ...]
    """The first ones by path, at most 100."""


def image_in(repository: Repository, file: File) -> Image | None:
    """Return what the header of a file of a version says; None if its name is not that of an image.

    Raises:
        IntegrityError: `object_missing`, `object_damaged`.
    """
    if not format_by_name(file.path):
        return None
    stored = StoredFile(repository.objects, file)

    def read(start: int, size: int) -> bytes:
        size = max(0, min(size, file.size - start))
        return bytes(stored.read(start, size)) if size else b""

    return image_of(read, file.size, file.path)


def image_at(path: Path, name: str) -> Image | None:
    """Return what the header of a file on the disk says; None if its name is not that of an image.

    Raises:
        NotFoundError, AccessError, UnavailableError: from the file system.
    """
    if not format_by_name(name):
        return None
    try:
        with path.open("rb") as file:
            read = partial(_pread, file.fileno())
            return image_of(read, os.fstat(file.fileno()).st_size, name)
    except OSError as error:
        raise explain(error, name) from error


def _pread(descriptor: int, start: int, size: int) -> bytes:
    return os.pread(descriptor, size, start)


def images_of(found: Mapping[str, Image]) -> Images:
    """Sum up images, by the path of each."""
    groups: dict[tuple[str, str], list[Image]] = {}
    for image in found.values():
        if not image.problem:
            groups.setdefault((image.format, image.mode), []).append(image)
    kinds = sorted((_kind(*key, images) for key, images in groups.items()), key=lambda one: (-one.files, one))
    broken = [BrokenImage(path, image.problem) for path, image in sorted(found.items()) if image.problem]
    return Images(tuple(kinds), len(broken), tuple(broken[:BROKEN]))


def _kind(name: str, mode: str, images: Sequence[Image]) -> ImageKind:
    widths, heights = [one.width for one in images], [one.height for one in images]
    sizes = len({(one.width, one.height) for one in images})
    return ImageKind(name, mode, len(images), min(widths), max(widths), min(heights), max(heights), sizes)
