"""What is set up wrongly, on this machine and in this repository, and how to mend it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Collection, Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from mlreg.adapters import ADAPTERS
from mlreg.errors import IntegrityError, MlregError, NoRepositoryError, UsageError
from mlreg.formats.amounts import count_of, size_of
from mlreg.operations import collect
from mlreg.operations.history import latest_of, read_commits
from mlreg.registry import pins
from mlreg.registry.bounds import DEFAULTS, State, parse_bounds
from mlreg.registry.health import Check, Health, clock, failed, worst
from mlreg.registry.registry import Registry
from mlreg.registry.resolve import entries_of
from mlreg.repository.holes import refuse_gap
from mlreg.repository.log import now
from mlreg.repository.repository import Repository
from mlreg.stores import open_store
from mlreg.stores.directory import DirectoryStore
from mlreg.stores.probing import is_open_to_all, network_of, probe

OLDEST = (3, 11)
MOST_ENTRIES = 500
"""Entries whose newest version is asked what it needs to be loaded."""


class Surroundings(NamedTuple):
    """What is around a repository; each is asked once the settings can be read."""

    release: str
    """Of mlreg."""
    check_settings: Callable[[], object]
    """Raises what is wrong with the settings."""
    cache: Callable[[], Path]
    state: Callable[[], Path]


def examine(opened: Callable[[], Registry], place: Surroundings, *, contacts: bool) -> Health:
    """Look at everything; nothing is changed.

    Args:
        opened: returns the registry; there need not be a repository.
        place: what is around it.
        contacts: whether to ask the remotes.
    """
    return _examined(opened, place, contacts=contacts, mends=_Nothing())


def mend(opened: Callable[[], Registry], place: Surroundings, *, contacts: bool) -> Health:
    """Look at everything, and mend what is safe to mend: leftovers of cut writes, and notes that cannot be read.

    Args:
        opened: as for `examine`, and so are the others.
        place: as above.
        contacts: as above.
    """
    return _examined(opened, place, contacts=contacts, mends=_Mending())


class _Nothing:
    """Mends nothing."""

    def leftovers(self, repository: Repository) -> Check:
        """Tell what cut writes left."""
        left = collect.leftovers(repository)
        return _said("leftovers", "yellow", _files(left), "mlreg doctor --fix") if left else NONE_LEFT

    def pin(self, here: str, remote: str) -> bool:
        """Tell whether a note that cannot be read is gone."""
        return False


class _Mending(_Nothing):
    """Mends what is safe to mend."""

    def leftovers(self, repository: Repository) -> Check:
        gone = collect.discard_leftovers(repository)
        return _said("leftovers", "green", f"deleted: {_files(gone)}") if gone else NONE_LEFT

    def pin(self, here: str, remote: str) -> bool:
        return pins.forget(here, remote)


def _examined(opened: Callable[[], Registry], place: Surroundings, *, contacts: bool, mends: _Nothing) -> Health:
    url, checks = "", [*_packages(place.release)]
    try:
        place.check_settings()
        checks.append(_said("settings", "green", "can be read"))
        checks += [*_directory("cache", place.cache()), *_directory("state", place.state())]
        registry = opened()
        url = registry.repository.url
    except NoRepositoryError as error:
        checks.append(_said("repository", "yellow", error.message, error.fix[0]))
    except UsageError as error:
        checks.append(failed("settings", error))
    except MlregError as error:
        checks.append(failed("repository", error))
    else:
        checks += [*_repository(registry, mends), *_remotes(registry, mends, contacts=contacts)]
    return Health(url, now(), worst(tuple(checks)), tuple(checks))


def _files(left: Collection[collect.Doomed]) -> str:
    names = ", ".join(file.key for file in left)
    size = size_of(sum(file.size for file in left))
    return f"{count_of(len(left), 'file')}, {size}, that cut writes left: {names:.200}"


def _said(name: str, state: State, value: str, fix: str = "", subject: str = "") -> Check:
    return Check(name, subject, state, value, None, "", fix)


NONE_LEFT = _said("leftovers", "green", "none")


# This machine.


def _packages(release: str) -> Iterator[Check]:
    python = ".".join(map(str, sys.version_info[:3]))
    is_old = sys.version_info < OLDEST
    fix = f"use Python {'.'.join(map(str, OLDEST))} or newer" if is_old else ""
    yield _said("python", "red" if is_old else "green", f"Python {python}, mlreg {release}", fix)
    missing = [name for name in _required() if not _is_installed(name)]
    said = f"not there: {', '.join(missing)}" if missing else "all that is required is there"
    yield _said("packages", "red" if missing else "green", said, "pip install mlreg" if missing else "")


def _required() -> list[str]:
    """Return the packages that mlreg needs without its extras; none if it was not installed as a package."""
    try:
        lines = requires("mlreg") or []
    except PackageNotFoundError:
        return []
    return [found[0] for line in lines if "extra ==" not in line and (found := re.match(r"[\w.-]*\w", line))]


def _is_installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def _directory(name: str, directory: Path) -> Iterator[Check]:
    """Yield whether a directory of this machine alone can be used; it need not be there yet."""
    there = next((one for one in (directory, *directory.parents) if one.is_dir()), directory)
    if not probe(there).is_writable:
        what = "every command reads the log anew" if name == "cache" else "a log that went back is not noticed"
        yield _said(name, "yellow", f"{there} cannot be written: {what}", f"mlreg config set {name}_dir DIRECTORY")
    elif network := network_of(there):
        what = f"{directory} is on a network disk ({network}), where databases are slow and may be damaged"
        yield _said(name, "yellow", what, f"mlreg config set {name}_dir DIRECTORY, on a disk of this machine")
    else:
        yield _said(name, "green", str(directory))


# The repository.


def _repository(registry: Registry, mends: _Nothing) -> Iterator[Check]:
    repository = registry.repository
    yield _said("repository", "green", repository.url)
    if isinstance(repository.store, DirectoryStore):
        yield from _file_system(repository.store.root)
    try:
        refuse_gap(repository.store, repository.log.refresh().number)
    except MlregError as error:
        yield failed("log", error)
        return
    yield _said("log", "green", count_of(repository.log.view.number, "transaction"))
    yield from clock(repository, parse_bounds("clock_ahead", DEFAULTS["clock_ahead"]))
    yield mends.leftovers(repository)
    yield from _extras(repository)


def _file_system(root: Path) -> Iterator[Check]:
    found = probe(root)
    if not found.is_writable:
        yield _said("rights", "yellow", f"{root} can only be read", "fine if that is meant; else ask who owns it")
        return
    fix = "keep the repository on ext4, xfs, btrfs, zfs, APFS or NFS"
    if not found.has_links:
        yield _said("file system", "red", "it cannot make hard links, so two writers could both win", fix)
    elif not found.flushes:
        yield _said("file system", "red", "directories cannot be flushed: what is done may go with the power", fix)
    else:
        case = "" if found.tells_case else "; it does not tell A from a, so some versions cannot be written out"
        yield _said("file system", "green" if found.tells_case else "yellow", f"links, flushes{case}")
    opened = [path for path in (root, root / "log", root / "packs") if is_open_to_all(path)]
    said = f"everyone may change what is in {opened[0]}" if opened else "not everyone may write"
    fix = f"chmod o-w {opened[0]}" if opened else ""
    yield _said("rights", "yellow" if opened else "green", said, fix)


def _extras(repository: Repository) -> Iterator[Check]:
    """Yield what newest versions need to be loaded as objects and is not installed."""
    view = repository.log.view
    newest = (latest_of(view, entry) for entry in list(entries_of(view))[:MOST_ENTRIES])
    packages = {adapter.name: adapter for adapter in ADAPTERS if adapter.package}
    missing: dict[str, str] = {}
    for commit in read_commits(repository, [ref.target for ref in newest if ref and ref.target]).values():
        adapter = packages.get(str(commit.metadata.get("adapter", "")))
        if adapter and find_spec(adapter.package) is None:
            missing.setdefault(adapter.extra or adapter.package, f"{commit.entry}@{commit.version}")
    for extra, shown in sorted(missing.items()):
        yield _said("extra", "yellow", f"{shown} needs it to be loaded", f"pip install 'mlreg[{extra}]'", extra)


def _remotes(registry: Registry, mends: _Nothing, *, contacts: bool) -> Iterator[Check]:
    for name, url in registry.remotes.items():
        try:
            store = open_store(url)
            _read_pin(registry.path, name, mends)
            if contacts:
                there = Repository(store, registry.cache)
                there.log.refresh()
                pins.check(registry.path, name, there)
        except MlregError as error:
            yield failed("remote", error, name)
        else:
            yield _said("remote", "green", url if contacts else f"{url}, not asked", subject=name)


def _read_pin(here: str, remote: str, mends: _Nothing) -> None:
    try:
        pins.read(here, remote)
    except IntegrityError:
        if not mends.pin(here, remote):
            raise
