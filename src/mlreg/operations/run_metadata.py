"""The metadata and the metrics of a sealed run, also of one that has more than a commit holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlreg.errors import MlregError
from mlreg.formats import canonical
from mlreg.formats.commit import Commit
from mlreg.formats.run import Series
from mlreg.formats.run_summary import LONG, REST
from mlreg.formats.series import FILE, decode_series
from mlreg.operations.history import files_of
from mlreg.repository.repository import Repository

MAX_BYTES = 256 * 1024 * 1024
"""Bytes of metadata that are read."""


def metadata_of(repository: Repository, commit: Commit) -> Mapping[str, Any]:
    """Return all metadata of a run; what its commit says of it, if the rest cannot be read."""
    run = commit.metadata.get("run")
    if not (isinstance(run, Mapping) and run.get(REST) == LONG):
        return commit.metadata
    try:
        file = next((one for one in files_of(repository, commit) if one.path == LONG), None)
        if file is None or file.size > MAX_BYTES:
            return commit.metadata
        found = canonical.decode(b"".join(repository.objects.read_whole(file.id, file.size)), MAX_BYTES)
    except MlregError:
        return commit.metadata
    return found if isinstance(found, dict) else commit.metadata


def metrics_of(repository: Repository, commit: Commit) -> dict[str, Series]:
    """Return the points of all metrics of a run.

    Raises:
        IntegrityError: `bad_series`, or what reading a file raises.
    """
    file = next((one for one in files_of(repository, commit) if one.path == FILE), None)
    return decode_series(b"".join(repository.objects.read_whole(file.id, file.size))) if file else {}
