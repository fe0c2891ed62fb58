"""Plans that wait to be applied: a file for each, beside the log of the repository.

They lie in the repository, and not in a cache, so that one person can look at a plan and another, on another host, can
apply it. Nothing in a file is believed: who applies it works the plan out anew, and compares. So a plan that was
changed by hand is refused as one that is old.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from mlreg.errors import MlregError, NotFoundError
from mlreg.formats import canonical
from mlreg.formats.names import quoted
from mlreg.registry.resolve import moment_of
from mlreg.stores.directory import DirectoryStore
from mlreg.stores.small_file import replace_file
from mlreg.stores.store import Store

FOLDER, LAST = "plans", "last"
MAX_BYTES = 256 * 1024 * 1024
MOST = 20
"""Plans that are kept; the oldest are forgotten."""


class StoredPlan(NamedTuple):
    """A plan as it was stored."""

    id: str
    now: str
    pattern: str
    free: int
    removes: Sequence[Sequence[str]]
    """The ref of each version that goes, and the id of its commit."""
    reasons: Sequence[str]
    """The rules that decided on them, each once."""
    retention: Mapping[str, Any]
    versions: Mapping[str, Mapping[str, Any]]
    """What it rests on of each version, by ref."""


def store_plan(store: Store, plan: StoredPlan) -> bool:
    """Keep a plan, and forget those that are too many; False where nothing can be written."""
    if not isinstance(store, DirectoryStore):
        return False
    try:
        replace_file(store.root / FOLDER / f"{plan.id}.json", canonical.encode(plan._asdict()))
        for old in _newest_first(store)[MOST:]:
            old.unlink(missing_ok=True)
    except OSError:
        return False
    return True


def read_plan(store: Store, word: str) -> StoredPlan:
    """Return the plan with an id, or the beginning of one; `last` is the one that was stored last.

    Raises:
        NotFoundError: `plan_missing`; `ref_ambiguous`, several ids begin so.
    """
    found = _meant(store, word) if isinstance(store, DirectoryStore) else []
    if len(found) > 1:
        fix = tuple(f"mlreg policy apply {path.stem}" for path in found[:5])
        raise NotFoundError("ref_ambiguous", f"{len(found)} plans have an id that begins with {quoted(word)}", fix=fix)
    try:
        with found[0].open("rb") as file:
            # One byte more than a plan may have is enough to see that it is none.
            return _plan_of(canonical.decode(file.read(MAX_BYTES + 1), MAX_BYTES))
    except (IndexError, OSError, TypeError, ValueError, MlregError) as error:
        why = f"only the last {MOST} are kept, in the repository where they were made"
        what = f"there is no plan {quoted(word)} that can be read"
        raise NotFoundError("plan_missing", what, why=why, fix="mlreg policy plan") from error


def _meant(store: DirectoryStore, word: str) -> list[Path]:
    paths = _newest_first(store)
    return paths[:1] if word == LAST else [path for path in paths if word and path.stem.startswith(word)]


def _plan_of(fields: dict[str, Any]) -> StoredPlan:
    plan = StoredPlan(**fields)
    pairs = [(ref, commit) for ref, commit in plan.removes]
    texts = (plan.id, plan.now, plan.pattern, *plan.reasons, *(text for pair in pairs for text in pair))
    mappings = (plan.retention, plan.versions, *plan.versions.values())
    if type(plan.free) is not int or not all(isinstance(text, str) for text in texts):
        raise ValueError("a field is of the wrong kind")
    if not all(isinstance(one, Mapping) for one in mappings):
        raise ValueError("a field is no object")
    return plan._replace(now=moment_of(plan.now))


def _newest_first(store: DirectoryStore) -> list[Path]:
    found: list[tuple[int, str, Path]] = []
    for path in (store.root / FOLDER).glob("*.json"):
        # Another process may forget one meanwhile.
        with suppress(OSError):
            status = path.lstat()
            # Whoever reads from a pipe would wait for ever.
            found += [(status.st_mtime_ns, path.name, path)] if stat.S_ISREG(status.st_mode) else []
    return [path for _, _, path in sorted(found, reverse=True)]
