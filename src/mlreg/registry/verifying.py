"""What a check of a repository found, as a result."""

from __future__ import annotations

from collections.abc import Callable

from mlreg.operations.check import Checked, check
from mlreg.registry import results
from mlreg.repository.repository import Repository


def verify(repository: Repository, share: float, report: Callable[[int], None]) -> results.Verified:
    """Check a repository, and say what is damaged.

    Args:
        repository: it is only read.
        share: of the stored blocks that are read, 0.0 to 1.0.
        report: told about progress.
    """
    return told(repository.url, share, check(repository, share, report))


def told(url: str, share: float, found: Checked) -> results.Verified:
    """Return what a check of a place found."""
    return results.Verified(
        url=url,
        share=share,
        transactions=found.slots,
        snapshots=found.snapshots,
        versions=found.versions,
        tags=found.tags,
        packs=found.packs,
        objects=found.objects,
        size=found.size,
        orphans=found.orphans,
        problems=tuple(results.ProblemInfo(p.code, p.message, p.why, p.hurts) for p in found.problems),
    )
