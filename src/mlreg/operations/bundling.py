"""Some versions of a repository as a small repository in one file, for those who share no network.

It is a repository like any other, with a log of its own. What the other side has already may be left out: pieces of
files only, so that trees and commits are whole, and everything but the content of some files can be read from it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping

from mlreg.errors import IntegrityError, MlregError, NotFoundError
from mlreg.formats import bundle as bundles
from mlreg.formats.backup import Point
from mlreg.formats.bundle import Bundle, Need, bad_bundle, sum_of
from mlreg.formats.pack import Sort
from mlreg.ids import CommitId, ObjectId
from mlreg.operations.arriving import prove
from mlreg.operations.check import Checked, check
from mlreg.operations.history import Wanted, needs_of, read_commit
from mlreg.operations.transfer import Report, Sending, Transferred, missing_at, transfer
from mlreg.repository.log import now
from mlreg.repository.repository import Repository, create_repository
from mlreg.repository.view import View
from mlreg.stores.store import Store


def create(
    source: Repository,
    target: Store,
    plan: Callable[[View], Sending],
    since: Mapping[str, CommitId],
    author: str,
    report: Report,
) -> Bundle:
    """Write a bundle into an empty store.

    Args:
        source: refreshed.
        target: of a file that is being written.
        plan: says which names it has, and what is stated about them.
        since: versions that the other side has; those of which the source has no files do not count.
        author: of the bundle.
        report: told about bytes that were copied.
    """
    create_repository(target)
    there = Repository(target)
    leaving = _Leaving(source, since)
    transfer(source, there, plan, author, f"bundle of {author}", report, lacking=leaving.lacking)
    found = Bundle(
        repository=source.identity.repository,
        point=Point(source.log.view.number, source.log.view.position.head or source.identity.origin),
        time=now(),
        author=author,
        host=os.uname().nodename,
        needs=leaving.needs(),
        left_out=len(leaving.left_out),
        sum=sum_of(leaving.left_out),
    )
    target.create(bundles.KEY, found.encode())
    return found


class _Leaving:
    """Leaves out the pieces of versions that the other side has."""

    def __init__(self, source: Repository, since: Mapping[str, CommitId]) -> None:
        self._pieces = {ref: _pieces_of(source, commit) for ref, commit in since.items()}
        self._since = since
        self.left_out: set[ObjectId] = set()

    def lacking(self, source: Repository, target: Repository, tips: Iterable[CommitId]) -> list[Wanted]:
        """Return what is to be copied."""
        found = missing_at(source, target, tips)
        known = set[ObjectId]().union(*self._pieces.values())
        self.left_out |= {object_id for sort, object_id in found if sort is Sort.PIECE and object_id in known}
        return [(sort, object_id) for sort, object_id in found if sort is not Sort.PIECE or object_id not in known]

    def needs(self) -> tuple[Need, ...]:
        """Return the versions that have what was left out."""
        having = (ref for ref, pieces in self._pieces.items() if not pieces.isdisjoint(self.left_out))
        return tuple(Need(ref, self._since[ref]) for ref in having)


def _pieces_of(source: Repository, commit: CommitId) -> frozenset[ObjectId]:
    try:
        needed = needs_of(source, read_commit(source, commit))
        return frozenset(object_id for sort, object_id in needed if sort is Sort.PIECE)
    except IntegrityError:
        return frozenset()  # it was collected here


def read_bundle(store: Store) -> Bundle:
    """Return what a bundle says of itself.

    Raises:
        IntegrityError: `bad_bundle`. UnsupportedError: `newer_format`.
    """
    if store.size(bundles.KEY) is None:
        raise bad_bundle(f"{store.url} is no bundle")
    return Bundle.decode(store.read(bundles.KEY, 0, bundles.MAX_BYTES + 1))


def apply(
    bundle: Repository,
    said: Bundle,
    target: Repository,
    plan: Callable[[View], Sending],
    author: str,
    report: Report,
) -> Transferred:
    """Bring what a bundle holds, if all is there that it leaves out.

    Args:
        bundle: refreshed.
        said: of itself.
        target: refreshed.
        plan: says which names are to be set.
        author: of the transaction.
        report: told about bytes that were copied.

    Raises:
        NotFoundError: `bundle_needs`; nothing was written. ConflictError: from `plan`.
    """

    def lacking(source: Repository, there: Repository, tips: Iterable[CommitId]) -> list[Wanted]:
        return refuse_unmet(source, said, there, tips)

    message = f"bundle of {said.author}, {said.time}"
    return transfer(bundle, target, plan, author, message, report, lacking=lacking, accept=prove)


def refuse_unmet(bundle: Repository, said: Bundle, target: Repository, tips: Iterable[CommitId]) -> list[Wanted]:
    """Return what a target lacks of versions of a bundle, which has all of it.

    Raises:
        NotFoundError: `bundle_needs`, it has not. IntegrityError: `bad_bundle`, and should have.
    """
    found = missing_at(bundle, target, tips)
    if any(not bundle.objects.has(*wanted) for wanted in found):
        raise _unmet(said, target)
    return found


def _unmet(said: Bundle, target: Repository) -> MlregError:
    live = {ref.name: ref.target for ref in target.log.view.refs("version/")}
    absent = [need.ref for need in said.needs if live.get(f"version/{need.ref.replace('@', '/')}") != need.commit]
    if not absent:
        return bad_bundle("it lacks what it should hold, or the repository here is damaged: mlreg verify")
    return NotFoundError(
        "bundle_needs",
        f"the bundle needs versions that are not here: {', '.join(absent)}",
        why="their files were left out when it was made",
        fix=("apply the bundles before it first", "have one made without --since"),
    )


def verify(repository: Repository, said: Bundle, share: float, report: Report) -> Checked:
    """Read all of a bundle, and compare it with what was written; what was left out must be missing, and nothing else.

    Args:
        repository: the bundle.
        said: of itself.
        share: of the blocks that are read, 0.0 to 1.0.
        report: told about bytes that were read.
    """
    found = check(repository, share, report)
    if said.left_out:
        absent = _absent(repository)
        if (len(absent), sum_of(absent)) == (said.left_out, said.sum):
            excused = {repository.objects.lost(Sort.PIECE, piece).message for piece in absent}
            found.problems = [one for one in found.problems if one.message not in excused]
    return found


def _absent(repository: Repository) -> set[ObjectId]:
    """Return the pieces that the versions of a repository need, and that it does not have."""
    absent = set[ObjectId]()
    for ref in repository.log.refresh().refs("version/"):
        try:
            needed = needs_of(repository, read_commit(repository, ref.target)) if ref.target else iter(())
            wanted = {object_id for sort, object_id in needed if sort is Sort.PIECE}
        except MlregError:
            continue  # the check has told
        absent |= {piece for piece in wanted if not repository.objects.has(Sort.PIECE, piece)}
    return absent
