"""Storing what is there in fewer bytes and fewer files, and deleting what was replaced."""

from __future__ import annotations

from collections.abc import Callable

from mlreg.operations import collect as collecting
from mlreg.operations import merging
from mlreg.operations.merging import Merged
from mlreg.operations.repack import NOTHING, Repacked
from mlreg.operations.repack import repack as store_differences
from mlreg.registry import results
from mlreg.registry.registry import Registry


def repack(registry: Registry, *, delta: bool, grace: float, report: Callable[[int], None]) -> results.Repacked:
    """Merge small packs, store versions smaller, and delete the packs that were replaced long enough ago.

    Args:
        registry: here or elsewhere; nobody need keep off it meanwhile.
        delta: store pieces of files as what they differ by from those of the version before, or of inputs.
        grace: seconds for which a pack stays after it was replaced: others may be reading it.
        report: told about bytes of packs that were looked at.
    """
    repository = registry.repository
    done = store_differences(repository, registry.author, report) if delta else NOTHING
    merged = merging.merge_all(repository, registry.author, report)
    return _result(done, merged, collecting.collect(repository, registry.author, grace))


def preview(registry: Registry, *, delta: bool, grace: float, report: Callable[[int], None]) -> results.Repacked:
    """Return what `repack` would do; nothing is written, so that what would be stored smaller is not merged, too."""
    tried = registry.rehearsal()
    done = store_differences(tried.repository, registry.author, report) if delta else NOTHING
    small = merging.due(tried.repository.log.refresh(), 2, merging.WITHOUT_END, done.replaced)
    merged = merging.merge(tried.repository, registry.author, small, report)
    return _result(done, merged, collecting.preview(registry.repository, grace))._replace(dry_run=True)


def _result(done: Repacked, merged: Merged, deleted: collecting.Collected) -> results.Repacked:
    return results.Repacked(
        pieces=done.pieces,
        packs=len(done.replaced),
        before=sum(pack.size for pack in done.replaced),
        after=sum(pack.size for pack in done.written),
        merged=len(merged.before),
        merged_into=len(merged.after),
        deleted=deleted.size,
        waiting=deleted.waiting,
    )
