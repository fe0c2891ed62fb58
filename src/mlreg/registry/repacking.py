"""Storing what is there in fewer bytes, and deleting what was replaced."""

from __future__ import annotations

from collections.abc import Callable

from mlreg.operations import collect as collecting
from mlreg.operations.repack import Repacked
from mlreg.operations.repack import repack as store_differences
from mlreg.registry import results
from mlreg.registry.registry import Registry


def repack(registry: Registry, *, delta: bool, grace: float, report: Callable[[int], None]) -> results.Repacked:
    """Store versions smaller, and delete the packs that were replaced long enough ago.

    Args:
        registry: the one here.
        delta: store pieces of files as what they differ by from those of the version before, or of inputs.
        grace: seconds for which a pack stays after it was replaced: others may be reading it.
        report: told about bytes of packs that were looked at.
    """
    repository = registry.repository
    done = store_differences(repository, registry.author, report) if delta else _NOTHING
    deleted = collecting.collect(repository, registry.author, grace)
    return _result(done, deleted)


def preview(registry: Registry, *, delta: bool, grace: float, report: Callable[[int], None]) -> results.Repacked:
    """Return what `repack` would do; nothing is written."""
    tried = registry.rehearsal()
    done = store_differences(tried.repository, registry.author, report) if delta else _NOTHING
    return _result(done, collecting.preview(registry.repository, grace))._replace(dry_run=True)


_NOTHING = Repacked(0, 0, 0, 0)


def _result(done: Repacked, deleted: collecting.Collected) -> results.Repacked:
    return results.Repacked(*done, deleted=deleted.size, waiting=deleted.waiting)
