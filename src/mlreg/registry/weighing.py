"""Where the bytes of a repository are, by version, by entry, or by kind."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import NamedTuple

from mlreg.errors import NotFoundError
from mlreg.formats.ref import is_pattern
from mlreg.operations import weighing
from mlreg.operations.looking_again import again_if_collected
from mlreg.operations.naming import called
from mlreg.registry.registry import Registry


class Share(NamedTuple):
    """What something takes in a repository."""

    ref: str
    """A version, an entry, or a kind; or words for what is none of them."""
    versions: int
    size: int
    """Plain bytes of the files; what several versions have is counted for each."""
    own: int
    """Stored bytes that nothing else needs."""


class DiskUse(NamedTuple):
    """Where the bytes of a repository are; the sum of `own`, of all and of the rest, is what the disk has."""

    url: str
    shares: tuple[Share, ...]
    """The largest first."""
    shared: int
    """Stored bytes that several of them need."""
    others: int
    """Stored bytes that only versions need which were not asked for, or share with those."""
    history: int
    """Of commits, which stay."""
    unused: int
    """Of packs, that no version needs; `mlreg gc` gives back what is worth it."""
    waiting: int
    """Of files that are not needed any more, and stay for a while."""
    log: int
    """Of the log, of snapshots, and of counts of reads."""
    total: int
    unnamed: int
    """Of files that no transaction names: half written, or left by an attempt that was cut; `mlreg gc` deletes them
    when they are old enough."""


def weigh(registry: Registry, pattern: str, report: Callable[[int], None]) -> DiskUse:
    """Return what entries take; or what the versions of one entry take.

    Args:
        registry: here or elsewhere.
        pattern: `model/*`; without a wildcard an entry, whose versions are listed; empty for all entries.
        report: told about bytes of packs that were looked at.

    Raises:
        NotFoundError: `ref_not_found`, nothing is called so.
        IntegrityError: something that a version needs cannot be read.
    """
    repository = registry.repository
    found = again_if_collected(repository, lambda: weighing.weigh(repository, report))
    by_version = pattern and not is_pattern(pattern)
    shares = _of_versions(registry, found, pattern) if by_version else _of_entries(registry, found, pattern or "*")
    if pattern and not shares:
        raise NotFoundError("ref_not_found", f"no entry is called {pattern}", fix="mlreg ls")
    own = sum(share.own for share in shares)
    shared = found.entries.get(_logged(registry, found, pattern), 0) if by_version else found.shared
    shared += 0 if by_version else sum(found.kinds.values())
    rest = found.history + found.unused + found.waiting + found.unnamed + found.rest
    return DiskUse(
        url=registry.repository.url,
        shares=tuple(sorted(shares, key=lambda share: (-share.own, share.ref))),
        shared=shared,
        others=found.total - own - shared - rest,
        history=found.history,
        unused=found.unused,
        waiting=found.waiting,
        log=found.rest,
        total=found.total,
        unnamed=found.unnamed,
    )


def _of_versions(registry: Registry, found: weighing.Weights, entry: str) -> list[Share]:
    view = registry.repository.log.view
    return [
        Share(f"{entry}@{weight.name.leaf}", 1, weight.size, weight.own)
        for weight in found.versions
        if str(called(view, weight.name.entry)) == entry
    ]


def _of_entries(registry: Registry, found: weighing.Weights, pattern: str) -> list[Share]:
    view = registry.repository.log.view
    shares: dict[str, Share] = {}
    names: dict[str, str] = {}
    for weight in found.versions:
        logged = str(weight.name.entry)
        if logged not in names:
            names[logged] = str(called(view, weight.name.entry))
            shares[logged] = Share(names[logged], 0, 0, found.entries.get(logged, 0))
        before = shares[logged]
        shares[logged] = Share(before.ref, before.versions + 1, before.size + weight.size, before.own + weight.own)
    return [share for share in shares.values() if fnmatchcase(share.ref, pattern)]


def _logged(registry: Registry, found: weighing.Weights, entry: str) -> str:
    """Return the name under which the log has an entry."""
    view = registry.repository.log.view
    names = (weight.name.entry for weight in found.versions)
    return next((str(name) for name in names if str(called(view, name)) == entry), entry)
