"""What files there are, as a tree: of a version, or of a directory on the disk, of which nothing is stored."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from blake3 import blake3

from mlreg.errors import explain
from mlreg.formats.commit import Commit
from mlreg.formats.tree import File, Load, build
from mlreg.ids import ContentId, TreeId
from mlreg.operations.scanning import Source
from mlreg.repository.repository import Repository

THREADS = min(8, os.cpu_count() or 1)
AT_ONCE = 1000
"""Files that wait to be hashed, at most."""
READ_SIZE = 1024 * 1024


class Listing(NamedTuple):
    """A tree, and what reads its nodes."""

    tree: TreeId
    load: Load


def listing_of(repository: Repository, commit: Commit) -> Listing:
    """Return the files of a version."""
    return Listing(commit.tree, repository.objects.read_tree)


def listing_on_disk(sources: Iterable[Source]) -> Listing:
    """Return files that lie on a disk; each is read, for its id, and nothing is written.

    Args:
        sources: in the order of their paths.

    Raises:
        NotFoundError: `file_missing`, AccessError: `access_denied`.
    """
    nodes: dict[TreeId, bytes] = {}
    root = build(_hashed(sources), nodes.__setitem__)
    return Listing(root.id, nodes.__getitem__)


def _hashed(sources: Iterable[Source]) -> Iterator[File]:
    waiting = iter(sources)
    with ThreadPoolExecutor(THREADS, thread_name_prefix="mlreg-hash") as pool:
        while some := list(islice(waiting, AT_ONCE)):
            yield from pool.map(file_of, some)


def file_of(source: Source) -> File:
    """Return what a file on a disk would be in a tree; raises as `listing_on_disk`."""
    place, hasher, size = str(source.content), blake3(), 0
    try:
        with Path(place).open("rb", buffering=0) as file:
            for data in iter(partial(file.read, READ_SIZE), b""):
                hasher.update(data)
                size += len(data)
    except OSError as error:
        raise explain(error, place) from error
    return File(source.path, source.mode, size, ContentId(hasher.digest()))
