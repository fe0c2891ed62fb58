"""Whether a repository is well: one answer for cron, made of checks that each have a state, a value and a way out."""

from __future__ import annotations

import os
import random
import shlex
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from mlreg.errors import MlregError, RefusedError, UnavailableError, explain
from mlreg.formats.amounts import count_of, size_of
from mlreg.formats.snapshot import PREFIX as SNAPSHOTS
from mlreg.operations.check import sample
from mlreg.operations.collect import waiting as bytes_waiting
from mlreg.operations.found_whole import FoundWhole
from mlreg.operations.reading_turns import How, Turns
from mlreg.registry import backup_notes, pins
from mlreg.registry.bounds import Bounds, State
from mlreg.registry.registry import Registry, Report
from mlreg.registry.results import RemoteStatus
from mlreg.registry.retaining import Question, answer_to
from mlreg.registry.run_place import Place
from mlreg.registry.standing import status
from mlreg.repository.holes import numbers_in, refuse_gap
from mlreg.repository.log import now, snapshot_step
from mlreg.repository.repository import Repository
from mlreg.retention.policy import Retention
from mlreg.stores import open_store

NEWEST = 20
"""Transactions whose times are compared with the clock."""
CHAIN = 1000
"""Transactions that are read, and compared with those before them."""
Looks = Mapping[str, Callable[[], Iterator["Check"]]]
"""What looks, by what it looks at."""
_RANK: Mapping[State, int] = {"green": 0, "yellow": 1, "red": 2}


class Check(NamedTuple):
    """One thing that was looked at."""

    name: str
    subject: str
    """Which of several: the name of a remote; empty if there is one only."""
    state: State
    value: str
    """What was found, in words."""
    number: float | None
    """What was found, as a number: seconds, bytes, a share, or how many; None if that is not known."""
    bound: str
    """From where on it is yellow, and red; empty if no setting says that."""
    fix: str
    """What to do; empty if nothing has to be done."""


class Health(NamedTuple):
    """How well a repository is."""

    url: str
    time: str
    """When it was looked at."""
    state: State
    """The worst of all checks."""
    checks: tuple[Check, ...]


class Asked(NamedTuple):
    """What is to be looked at, and how."""

    bounds: Mapping[str, Bounds]
    retention: Retention
    runs: Path | None
    """Where runs are kept while they live; None for in the repository."""
    share: float
    """Of the stored blocks that are read, 0.0 to 1.0."""
    timeout: float
    """Seconds until a remote that does not answer is given up; 0 to ask none."""


def health(registry: Registry, asked: Asked, report: Report) -> Health:
    """Look at everything; what cannot be looked at is red.

    Args:
        registry: where.
        asked: what.
        report: told about stored bytes that were read.

    Raises:
        NoRepositoryError: `no_repository`.
    """
    repository = registry.repository
    beside: Looks = {
        "log": lambda: _log(repository, asked.bounds),
        "backup": lambda: _backup(registry.path, asked.bounds["backup_age"]),
        "disk": lambda: _disk(registry.path, asked.bounds["disk_free"]),
    }
    within: Looks = {
        "integrity": lambda: _integrity(repository, asked.share, report),
        "remote": lambda: _remotes(registry, asked),
        "packs": lambda: _packs(repository, asked.bounds),
        "runs": lambda: _runs(registry, asked),
        "retention": lambda: _retention(registry, asked),
        "clock": lambda: clock(repository, asked.bounds["clock_ahead"]),
    }
    checks = tuple(_looked(beside))
    if checks[0].number is not None:
        checks += tuple(_looked(within))
    else:
        checks = (
            checks[0]._replace(value=f"{checks[0].value}; {', '.join(within)} rest on it, and were not looked at"),
            *checks[1:],
        )
    return Health(repository.url, now(), worst(checks), checks)


def worst(checks: tuple[Check, ...]) -> State:
    """Return the worst state of some checks."""
    return max((check.state for check in checks), key=_RANK.__getitem__, default="green")


def _looked(looks: Looks) -> Iterator[Check]:
    for name, look in looks.items():
        try:
            yield from list(look())
        except MlregError as error:
            yield failed(name, error)
        except OSError as error:
            yield failed(name, explain(error, str(error.filename or name)))


def failed(name: str, error: MlregError, subject: str = "") -> Check:
    """Return the check of something that cannot be looked at."""
    return Check(name, subject, "red", error.message, None, "", next(iter(error.fix), ""))


def _log(repository: Repository, bounds: Mapping[str, Bounds]) -> Iterator[Check]:
    number = repository.log.refresh().number
    refuse_gap(repository.store, number)
    _follow_some(repository, number)
    bound = bounds["transactions"]
    yield Check("log", "", bound.state_of(number), count_of(number, "transaction"), number, bound.text, "")
    newest = max(numbers_in(repository.store.list(SNAPSHOTS), SNAPSHOTS), default=0)
    behind, most = number - newest, 2 * snapshot_step(number)
    state: State = "yellow" if behind > most else "green"
    fix = "mlreg verify: snapshots cannot be written, and logs are read from further back" if behind > most else ""
    yield Check(
        "snapshot", "", state, f"{count_of(behind, 'transaction')} since the last", behind, f"{most} never", fix
    )


def _follow_some(repository: Repository, number: int) -> None:
    """Read some slots in a row, chosen at random, and compare each with the one before: a view is no witness."""
    first = random.randint(1, max(1, number - CHAIN + 1))  # noqa: S311 - no secret
    before = repository.log.hash_of(first - 1) if first > 1 else None
    for _ in islice(repository.log.slots(first, before or repository.identity.origin), CHAIN):
        pass


def _integrity(repository: Repository, share: float, report: Report) -> Iterator[Check]:
    found = sample(repository, share, report)
    bad = len(found.problems)
    said = f"{count_of(found.objects, 'object')} of {count_of(found.packs, 'pack')} read, {bad} damaged"
    value = f"{found.problems[0].message}; {said}" if bad else f"{said}; {_read_whole(repository)}"
    state: State = "red" if bad else "green"
    yield Check("integrity", "", state, value, bad, "never 1", "" if state == "green" else "mlreg verify, mlreg repair")


def _read_whole(repository: Repository) -> str:
    """Return what checks of all that is stored came to so far."""
    with closing(FoundWhole.of(repository)) as notes:
        turns = Turns(repository, notes, How(decodes=False, now=time.time()))
        turns.summarize(repository.log.view.live_packs())
    covered = turns.covered
    if covered.never or covered.oldest is None:
        return f"{count_of(covered.never, 'pack')} never read whole"
    return f"all was read whole within {_words(max(0.0, time.time() - covered.oldest))}"


def _backup(path: str, bound: Bounds) -> Iterator[Check]:
    made = backup_notes.last(Path(path))
    if made is None:
        # Whoever set a bound wants one.
        state: State = "red" if bound.red is not None else "yellow" if bound.yellow is not None else "green"
        yield Check("backup", "", state, "none known", None, bound.text, "mlreg backup create PLACE")
        return
    age, is_there = max(0.0, time.time() - made.time), Path(made.to).exists()
    state = bound.state_of(age)
    value = f"{_words(age)} ago, to {made.to}"
    if not is_there:
        # A disk that is not there is no loss yet.
        state, value = ("yellow" if state == "green" else state), f"{value}, which is not there now"
    fix = "" if state == "green" else f"mlreg backup create {shlex.quote(made.to)}"
    yield Check("backup", "", state, value, round(age), bound.text, fix)


def _disk(path: str, bound: Bounds) -> Iterator[Check]:
    found = os.statvfs(path)
    shares = [(found.f_bavail / found.f_blocks, "of the space")] if found.f_blocks else []
    shares += [(found.f_favail / found.f_files, "of the files that it can have")] if found.f_files else []
    if not shares:
        return  # what has no size, such as a share that does not tell
    share, what = min(shares)
    state = bound.state_of(share, less_is_worse=True)
    value = f"{share:.0%} {what} free, {size_of(found.f_bavail * found.f_frsize)}"
    yield Check("disk", "", state, value, round(share, 4), bound.text, "" if state == "green" else "mlreg gc; mlreg du")


def _remotes(registry: Registry, asked: Asked) -> Iterator[Check]:
    trouble = _contacted(registry, asked.timeout) if asked.timeout else {}
    for remote in status(registry).remotes:
        if error := trouble.get(remote.name):
            yield failed("remote", error, remote.name)
        else:
            yield _lag(remote, asked.bounds["unsent"], is_asked=bool(asked.timeout))


def _lag(remote: RemoteStatus, bound: Bounds, *, is_asked: bool) -> Check:
    unsent, unbrought = len(remote.unpushed) + remote.unpushed_notes, len(remote.unpulled) + remote.unpulled_notes
    when = "" if is_asked else ", as of the last contact" if remote.seen else ", never met"
    state, value = bound.state_of(unsent), f"{unsent} not pushed, {unbrought} not pulled{when}"
    fix = "" if state == "green" else f"mlreg push {remote.name}"
    return Check("remote", remote.name, state, value, unsent, bound.text, fix)


def _contacted(registry: Registry, timeout: float) -> dict[str, MlregError]:
    """Look at all remotes at once, and return what went wrong; one that does not answer in time is left behind."""
    trouble: dict[str, MlregError] = {name: _slow(name, url, timeout) for name, url in registry.remotes.items()}
    here = registry.path

    def meet(name: str, url: str) -> None:
        try:
            there = Repository(open_store(url), registry.cache)
            there.log.refresh()
            pins.check(here, name, there)
        except MlregError as error:
            trouble[name] = error
        else:
            del trouble[name]

    # A thread that hangs in the kernel cannot be ended: it must not keep the process from its end.
    threads = [threading.Thread(target=meet, args=one, daemon=True) for one in registry.remotes.items()]
    end = time.monotonic() + timeout
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return dict(trouble)


def _slow(name: str, url: str, timeout: float) -> UnavailableError:
    what, why = f"{name} did not answer within {timeout:g} s", "it may be down, or on a network disk that hangs"
    return UnavailableError("remote_slow", what, why=why, fix=f"look at {url}")


def _packs(repository: Repository, bounds: Mapping[str, Bounds]) -> Iterator[Check]:
    view, bound, waiting = repository.log.view, bounds["live_packs"], bounds["waiting"]
    live, size = len(view.live_packs()), bytes_waiting(repository)
    state = bound.state_of(live)
    yield Check("packs", "", state, f"{live} live", live, bound.text, "" if state == "green" else "mlreg repack")
    state = waiting.state_of(size)
    fix = "" if state == "green" else "mlreg gc"
    yield Check("waiting", "", state, f"{size_of(size)} wait to be deleted", size, waiting.text, fix)


def _runs(registry: Registry, asked: Asked) -> Iterator[Check]:
    bound, runs = asked.bounds["crashed_runs"], Place(registry, asked.runs).live()
    crashed = sum(run.status == "crashed" for run in runs)
    state = bound.state_of(crashed)
    value = f"{crashed} of {len(runs)} that are open have crashed"
    fix = "" if state == "green" else "mlreg run adopt --crashed"
    yield Check("runs", "", state, value, crashed, bound.text, fix)


def _retention(registry: Registry, asked: Asked) -> Iterator[Check]:
    bound = asked.bounds["overdue"]
    if not asked.retention.policies:
        yield Check("retention", "", "green", "no policy is set", None, bound.text, "")
        return
    try:
        overdue = len(answer_to(registry, asked.retention, Question("*", 0, now()), asked.runs, is_clock=True).removes)
    except RefusedError as error:
        yield Check("retention", "", "yellow", error.message, None, bound.text, next(iter(error.fix), ""))
        return
    state = bound.state_of(overdue)
    value, fix = f"{count_of(overdue, 'version')} would go", "" if state == "green" else "mlreg policy plan"
    yield Check("retention", "", state, value, overdue, bound.text, fix)


def clock(repository: Repository, bound: Bounds) -> Iterator[Check]:
    """Compare the clock with the times of the newest transactions: years off, it was one of them that was wrong."""
    number = repository.log.refresh().number
    slots = (repository.log.slot(one) for one in range(max(1, number - NEWEST + 1), number + 1))
    times = [moment for slot in slots if slot and (moment := _seconds(slot.time)) is not None]
    ahead = max(0.0, max(times, default=0.0) - time.time())
    state = bound.state_of(ahead)
    value = f"a transaction is of {_words(ahead)} later than now" if ahead else "no transaction is of the future"
    fix = "" if state == "green" else "compare the clocks of the machines that write: date -u"
    yield Check("clock", "", state, value, round(ahead), bound.text, fix)


def _seconds(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return None


def _words(seconds: float) -> str:
    """Return a duration in the largest unit that it fills.

    >>> _words(90_000)
    '1 d'
    """
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"
