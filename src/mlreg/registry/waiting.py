"""Waiting until a version is there, here or elsewhere: nothing is told, so it looks again and again."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from mlreg.errors import MlregError, NoRepositoryError, NotFoundError, NotYetError, UnavailableError, UsageError
from mlreg.formats.names import check_tag
from mlreg.formats.ref import parse_ref
from mlreg.registry.registry import Registry
from mlreg.registry.resolve import Target

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
LONGEST_SLEEP = 86_400.0
"""Seconds between two looks at most: no system sleeps for thousands of years."""
_COMES_LATER = {"ref_not_found", "version_removed"}
"""Codes of what is not there and may come."""


def seconds_of(text: str) -> float:
    """Return how many seconds a duration has: `90s`, `10m`, `2h`, `7d`, `1.5`; up to nine digits before a point.

    Raises:
        UsageError: `bad_duration`.
    """
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)([smhd]?)", text)
    if not found:
        raise UsageError("bad_duration", f"{text!r:.80} is no duration", fix="write it like 90s, 10m, 2h, 7d or 1.5")
    return float(found[1]) * _SECONDS[found[2]]


def tag_in(condition: str) -> str:
    """Return the tag that is waited for: `production` of `tag=production`, none of `exists`.

    Raises:
        UsageError: `bad_condition`, `bad_tag`.
    """
    word, mark, tag = condition.partition("=")
    if word == "tag" and mark:
        check_tag(tag)
        return tag
    if condition != "exists":
        what = f"{condition!r:.80} is nothing that can be waited for"
        raise UsageError("bad_condition", what, fix=("--for exists", "--for tag=NAME"))
    return ""


def wait(
    registry: Registry,
    text: str,
    *,
    tag: str,
    limit: float,
    interval: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Target:
    """Return the version that a ref names as soon as it is there.

    A repository elsewhere may come into being, or be out of reach, meanwhile; the one here must be there.

    Args:
        registry: the one here.
        text: the ref; it may be elsewhere.
        tag: of its entry, that must point to the version, too; or empty.
        limit: seconds; the last look is when they are over, and the first in any case.
        interval: seconds between two looks; more than 0.
        clock: returns seconds.
        sleep: takes seconds.

    Raises:
        NotYetError: `wait_timeout`.
        NotFoundError: `ref_ambiguous`, `no_remote`, `path_not_found`: what waiting does not help against.
        UsageError: `bad_duration`, the interval is nothing.
    """
    if interval <= 0:
        raise UsageError("bad_duration", "there is no time between two looks", fix="--interval 2s")
    end = clock() + limit
    while True:
        try:
            return _look(registry, text, tag)
        except (NotFoundError, NoRepositoryError, UnavailableError) as error:
            if not _may_come(error, text):
                raise
            reason = error
        left = end - clock()
        if left <= 0:
            what = f"{text} with the tag {tag}" if tag else text
            raise NotYetError(
                "wait_timeout",
                f"{what} did not come within {limit:g} s",
                why=reason.message,
                fix=("wait longer, with --timeout", *reason.fix),
            ) from reason
        sleep(min(interval, left, LONGEST_SLEEP))


def _look(registry: Registry, text: str, tag: str) -> Target:
    repository, ref, target = registry.find(text)
    if ref.path:
        registry.files_of(repository, target, ref.path)
    if tag:
        found = repository.log.view.ref(f"tag/{target.entry}/{tag}")
        if found is None or found.target != target.commit_id:
            shown = f"{target.called}@{tag}"
            reason = f"{shown} is another version" if found and found.target else f"there is no tag {shown}"
            raise NotFoundError("ref_not_found", reason, fix=f"mlreg tag ls {target.called}")
    return target


def _may_come(error: MlregError, text: str) -> bool:
    """Tell whether what stopped a look may be over at the next one."""
    if isinstance(error, NoRepositoryError):
        return parse_ref(text).remote is not None
    return error.retryable or error.code in _COMES_LATER
