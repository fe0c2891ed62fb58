"""Which versions are read, how often, when and how; and which are not."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, timedelta

from mlreg.errors import UsageError
from mlreg.formats.names import known_ref_name
from mlreg.formats.ref import Ref, parse_ref
from mlreg.formats.usage import Counts, Key, Reader
from mlreg.ids import CommitId
from mlreg.operations.history import read_commits
from mlreg.operations.usage_files import counts_in
from mlreg.registry.describe import Shown
from mlreg.registry.refusing import refuse_path
from mlreg.registry.registry import Registry
from mlreg.registry.resolve import resolve, resolve_entry
from mlreg.registry.results import UsageInfo
from mlreg.repository.log import now
from mlreg.repository.repository import Repository

_DAYS = {"d": 1, "w": 7}
LONGEST = 36_500
"""Days back at most."""
Readers = Mapping[Key, Mapping[Reader, int]]


def day_of(since: str, today: str) -> str:
    """Return the day that `90d`, `12w` or a day means.

    Raises:
        UsageError: `bad_since`.
    """
    found = re.fullmatch(r"([0-9]{1,5})([dw])", since)
    if found and (days := int(found[1]) * _DAYS[found[2]]) <= LONGEST:
        return str(date.fromisoformat(today) - timedelta(days=days))
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", since):
            return str(date.fromisoformat(since))
    except ValueError:
        pass
    raise UsageError("bad_since", f"{since!r:.80} is no time since when", fix="write it like 90d, 12w or 2026-11-23")


def usage(registry: Registry, text: str = "", since: str = "") -> list[UsageInfo]:
    """Return how often versions were read: that which a ref names, or those of an entry, or of all, that were.

    Args:
        registry: where.
        text: a version, an entry, or nothing.
        since: `90d`, `12w` or a day; what was earlier is not counted.

    Returns:
        The one that was read most often first.

    Raises:
        NotFoundError: `ref_not_found`, `ref_ambiguous`.
        UsageError: `bad_since`.
    """
    start = day_of(since, now()[:10]) if since else ""
    is_one = bool(text) and _names_one(parse_ref(text))
    found = (info for info in _infos(registry, text, start) if info.times or is_one)
    return sorted(found, key=lambda info: (-info.times, info.ref))


def unused(registry: Registry, text: str = "", since: str = "90d") -> list[UsageInfo]:
    """Return the versions that no one read since a day, and that are older; the largest first.

    Args:
        registry: where.
        text: a version, an entry, or nothing.
        since: `90d`, `12w` or a day.

    Raises:
        NotFoundError: `ref_not_found`, `ref_ambiguous`.
        UsageError: `bad_since`.
    """
    start = day_of(since or "90d", now()[:10])
    found = (info for info in _infos(registry, text, "") if info.last < start and info.time[:10] < start)
    return sorted(found, key=lambda info: (-info.size, info.ref))


def _names_one(ref: Ref) -> bool:
    return not ref.name or ref.selector is not None


def _infos(registry: Registry, text: str, start: str) -> Iterator[UsageInfo]:
    repository = registry._at(parse_ref(text)) if text else registry.repository
    versions = _versions(repository, text)
    counts = _by_version(counts_in(repository.store), start)
    commits = read_commits(repository, versions.values())
    shown = Shown(repository.log.view)
    for name, commit_id in versions.items():
        commit = commits[commit_id]
        yield _info(shown.version(commit), counts.get(name, {}))._replace(size=commit.size, time=commit.time)


def _versions(repository: Repository, text: str) -> dict[str, CommitId]:
    """Return the versions that a text means, as the log names them."""
    view = repository.log.refresh()
    ref, prefix = parse_ref(text) if text else None, "version/"
    if ref:
        refuse_path(ref)
        if _names_one(ref):
            target = resolve(repository, ref)
            return {f"{target.entry}@{target.version}": target.commit_id}
        prefix = f"version/{resolve_entry(view, ref)}/"
    named = ((known_ref_name(state.name), state.target) for state in view.refs(prefix))
    return {f"{name.entry}@{name.leaf}": target for name, target in named if name and target}


def _by_version(counts: Counts, start: str) -> dict[str, Readers]:
    found: dict[str, dict[Key, Mapping[Reader, int]]] = {}
    for key, readers in counts.items():
        if key.day >= start:
            found.setdefault(key.version, {})[key] = readers
    return dict(found)


def _info(ref: str, read: Readers) -> UsageInfo:
    ways: Counter[str] = Counter()
    for key, readers in read.items():
        ways[key.way] += sum(readers.values())
    names = {reader for readers in read.values() for reader in readers if reader.by or reader.host}
    by = sorted("@".join(filter(None, name)) for name in names)
    last = max((key.day for key in read), default="")
    return UsageInfo(ref, ways.total(), last, dict(sorted(ways.items())), tuple(by), 0, "")
