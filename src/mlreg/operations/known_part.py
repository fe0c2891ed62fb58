"""Whether all that a live run holds was sealed already: its directory is a copy that was made while the run lived.

A part of a version is no version of its own: it would be the last one, and be shown as the run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from struct import pack
from typing import Any

from blake3 import blake3

from mlreg.formats.commit import Commit
from mlreg.formats.run import Series, is_same
from mlreg.ids import ContentId
from mlreg.operations.history import files_of
from mlreg.operations.live_runs import LiveRun
from mlreg.operations.run_metadata import metadata_of, metrics_of
from mlreg.repository.repository import Repository


def is_known(repository: Repository, commit: Commit, run: LiveRun) -> bool:
    """Tell whether the points, params and files of a live run are all among those of a sealed one."""
    params = metadata_of(repository, commit).get("params")
    return (
        _are_among(run.state.params, params if isinstance(params, Mapping) else {})
        and _are_points_of(run.state.metrics, metrics_of(repository, commit))
        and _are_files_of(run, {file.path: file.id for file in files_of(repository, commit)})
    )


def _are_among(params: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
    return all(name in known and is_same(known[name], value) for name, value in params.items())


def _are_points_of(metrics: Mapping[str, Series], known: Mapping[str, Series]) -> bool:
    return all(name in known and _points(series) <= _points(known[name]) for name, series in metrics.items())


def _points(series: Series) -> Counter[tuple[int, int, bytes]]:
    # By its bytes, a NaN is equal to itself.
    return Counter((point.step, point.time, pack("<d", point.value)) for point in series.points())


def _are_files_of(run: LiveRun, known: Mapping[str, ContentId]) -> bool:
    held = ((known.get(one.path), _content(run.files / one.place)) for one in run.state.artifacts.values())
    return all(content is None or content == sealed for sealed, content in held)


def _content(path: Path) -> ContentId | None:
    """Return what is in a file; None if it cannot be read, and so would not be sealed."""
    hasher = blake3()
    try:
        hasher.update_mmap(path)
    except (OSError, ValueError):
        return None
    return ContentId(hasher.digest())
