"""What a check of a repository found, as a result."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime

from mlreg.errors import MlregError, UsageError
from mlreg.operations.backing_up import what_helps
from mlreg.operations.check import Checked, check
from mlreg.operations.found_whole import FoundWhole
from mlreg.operations.reading_turns import How
from mlreg.registry import results
from mlreg.repository.repository import Repository


def verify(
    repository: Repository,
    share: float,
    report: Callable[[int], None],
    *,
    place: str = "",
    decodes: bool = True,
    older: float = 0.0,
    limit: float = math.inf,
    clock: Callable[[], float] = time.monotonic,
) -> results.Verified:
    """Check a repository, and say what is damaged.

    Args:
        repository: it is only read. What was found whole is noted in its cache.
        share: of the stored blocks that are read, 0.0 to 1.0.
        report: told about progress.
        place: the name of the repository, or a URL, if it is not the one here.
        decodes: whether the id of every object is computed again; otherwise stored bytes are compared with their sums.
        older: seconds; only what was not found whole for so long is read.
        limit: seconds after which no further pack is read.
        clock: seconds, from any beginning.

    Raises:
        UsageError: `bad_share`, of blocks by chance, and at once of what was not read for long.
    """
    if share < 1 and (older or limit < math.inf):
        why = "--sample reads blocks by chance, --for and --older what was not read for long"
        raise UsageError("bad_share", "--sample does not go with --for or --older", why=why, fix="leave --sample out")
    end, now = clock() + limit, time.time()
    how = How(decodes, now, now - older if older else math.inf, lambda: clock() >= end)
    with closing(FoundWhole.of(repository)) as notes:
        fix = what_helps(repository.url) if repository.is_backup else ()
        found = told(repository.url, share, check(repository, share, report, how, notes), decodes=decodes, fix=fix)
    problems = (*found.problems, *_other(repository))
    return found._replace(problems=tuple(one.at(place) for one in problems) if place else problems)


def _other(repository: Repository) -> Iterator[results.ProblemInfo]:
    """Yield a problem if the log is whole, and not the one that this user saw last."""
    try:
        repository.log.heads.check(repository.log.hash_of)
    except MlregError as error:
        yield results.ProblemInfo(error.code, error.message, error.why, (), error.fix)


def told(
    url: str, share: float, found: Checked, *, decodes: bool = True, fix: tuple[str, ...] = ()
) -> results.Verified:
    """Return what a check of a place found, with what helps there if that is not what the problems say."""
    problems = map(results.ProblemInfo.of, found.problems)
    oldest = found.covered.oldest
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
        problems=tuple(one._replace(fix=fix or one.fix) for one in problems),
        total=found.total,
        decoded=decodes,
        complete=found.covered.is_complete,
        never=found.covered.never,
        oldest="" if oldest is None else datetime.fromtimestamp(oldest, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        dropped=found.dropped,
    )
