"""Whether a log is whole, and the one that was seen before: by this user, by whoever wrote a head down, by a copy."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from mlreg.errors import IntegrityError, NoRepositoryError, UsageError
from mlreg.formats.spoken import phrase_of
from mlreg.operations.proving import Seen, prove, strays_in
from mlreg.registry import pins, sync
from mlreg.registry.registry import Registry
from mlreg.repository.repository import Repository

MOST_STRAYS = 20
"""Files that an answer names."""
MIN_DIGITS = 16
"""Digits of a hash that are enough to compare it."""
_HEAD = re.compile(rf"([0-9]{{1,16}}):([0-9a-f]{{{MIN_DIGITS},64}}|(?:[a-z]{{5}}-){{5}}[a-z]{{5}})")


class Head(NamedTuple):
    """Where a log ends: who knows this can tell later whether anything before it was changed."""

    url: str
    number: int
    """Of the newest transaction."""
    hash: str
    phrase: str
    """The same as six words, to say on the phone."""
    time: str
    head: str
    """Number and hash, as `--expect` takes them."""


class SeenHead(NamedTuple):
    """A transaction that was compared with what was seen of it before."""

    by: str
    """Who saw it: `this machine`, the name of a remote, `--expect`."""
    number: int
    hash: str


class ProvenLog(NamedTuple):
    """A log that is whole."""

    url: str
    transactions: int
    hash: str
    """Of the newest transaction."""
    phrase: str
    compared: tuple[SeenHead, ...]
    """What it was compared with, beside itself; all of it is as it was."""
    strays: tuple[str, ...]
    """Files among the transactions that are none, and that no reader looks at; some."""


class Forgotten(NamedTuple):
    """A log that is accepted as it is."""

    url: str
    changed: bool
    """False if nothing was kept of it."""


def head(registry: Registry, place: str = "") -> Head:
    """Return where the log of this repository, or of another one, ends.

    Args:
        registry: where.
        place: the name of a remote, or a URL; this repository if empty.

    Raises:
        IntegrityError: `log_went_back`, `log_forked`, `bad_log`.
    """
    repository = _opened(registry, place)
    number, digest = repository.log.refresh().position
    digest = digest or repository.identity.origin
    slot = repository.log.slot(number) if number else None
    return Head(repository.url, number, str(digest), phrase_of(digest), slot.time if slot else "", f"{number}:{digest}")


def verify(registry: Registry, place: str = "", expected: Sequence[str] = ()) -> ProvenLog:
    """Walk the log of this repository, or of another one, and compare it with what was seen of it before.

    Args:
        registry: where.
        place: the name of a remote, or a URL; this repository if empty.
        expected: `NUMBER:HASH`, as `head` returns them, or a phrase in place of the hash.

    Raises:
        IntegrityError: `bad_log`, `bad_transaction`, `bad_json`: a slot is damaged, missing, double or of another log;
            `log_went_back`, `log_forked`: it is not the log that was seen; `remote_replaced`.
        UsageError: `bad_head`.
    """
    claims = [_claim(text) for text in expected]
    repository = _opened(registry, place)
    seen = [*_seen(registry, repository, place), *claims]
    position = prove(repository, seen)
    if place:
        _compare_copies(registry, repository, position.number)
    else:
        repository.log.heads.remember(position)
    digest = position.head or repository.identity.origin
    return ProvenLog(
        url=repository.url,
        transactions=position.number,
        hash=str(digest),
        phrase=phrase_of(digest),
        compared=tuple(SeenHead(one.by, one.number, one.head) for one in seen),
        strays=tuple(islice(strays_in(repository.store), MOST_STRAYS)),
    )


def _opened(registry: Registry, place: str) -> Repository:
    return registry.elsewhere(place).repository if place else registry.repository


def _claim(text: str) -> Seen:
    found = _HEAD.fullmatch(text)
    if not found:
        fix = "write what `mlreg audit head` prints: NUMBER:HASH, or NUMBER: and the six words"
        raise UsageError("bad_head", f"{text!r:.100} is no head of a log", fix=fix)
    return Seen(int(found[1]), found[2], "--expect", f"leave --expect {text} out")


def _seen(registry: Registry, repository: Repository, place: str) -> Iterator[Seen]:
    """Yield what this user saw of a log."""
    if place in registry.remotes and (pin := pins.read(registry.path, place)):
        if pin.repository != repository.identity.repository:
            pins.check(registry.path, place, repository)
        yield Seen(pin.number, str(pin.head), place, f"mlreg remote forget {place}")
    elif not place and (last := repository.log.heads.last()) and last.head:
        yield Seen(last.number, str(last.head), "this machine")


def _compare_copies(registry: Registry, there: Repository, last: int) -> None:
    """Refuse a copy of this repository, file by file, that was written to, as this one was, since it was copied.

    Raises:
        IntegrityError: `log_forked`.
    """
    try:
        here = registry.repository
    except NoRepositoryError:
        return
    if here.identity != there.identity:
        return
    common = bisect_left(range(1, min(last, here.log.refresh().number) + 1), 1, key=lambda n: _differs(here, there, n))
    if common < min(last, here.log.view.number):
        raise IntegrityError(
            "log_forked",
            f"{here.url} and {there.url} are copies of one repository, and have parted after transaction {common}",
            why="both were written to since one was copied from the other",
            fix="write to one of them only; `mlreg push` and `mlreg pull` bring over what the other has alone",
        )


def _differs(here: Repository, there: Repository, number: int) -> bool:
    return here.log.hash_of(number) != there.log.hash_of(number)


def forget(registry: Registry, place: str = "") -> Forgotten:
    """Forget how far a log went, so that it is accepted as it is.

    Args:
        registry: where.
        place: the name of a remote; this repository if empty.

    Raises:
        NotFoundError: `no_remote`.
    """
    if place:
        url = sync.Sync(registry, place).url
        return Forgotten(url, pins.forget(registry.path, place))
    return Forgotten(registry.repository.url, registry.repository.log.heads.forget())
