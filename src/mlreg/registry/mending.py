"""Mending what is damaged: good copies from remotes or files, and what is lost said by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from mlreg.errors import IntegrityError, MlregError, RefusedError
from mlreg.operations import mending
from mlreg.operations.backing_up import what_helps
from mlreg.operations.good_copies import OtherRepository, PlainFiles, Source
from mlreg.registry.registry import Registry
from mlreg.registry.results import ProblemInfo


class GoodCopies(NamedTuple):
    """What one place gave."""

    source: str
    objects: int
    size: int
    """Bytes, not encoded."""


class HurtFile(NamedTuple):
    """A file of a version that cannot be read."""

    ref: str
    path: str
    """Empty if it cannot be said which files the version has, or what it was made from."""


class Repair(NamedTuple):
    """What `repair` did, or would do."""

    url: str
    given: tuple[GoodCopies, ...]
    damaged: int
    """Packs with bad copies, at first."""
    dropped: int
    """Of those that are not read any more; their files stay until `gc`."""
    transactions: tuple[int, ...]
    """Which `gc --undo` takes back."""
    snapshots: int
    """Written anew."""
    lost: tuple[str, ...]
    """Objects that versions need, and of which no good copy was found."""
    hurts: tuple[HurtFile, ...]
    problems: tuple[ProblemInfo, ...]
    """What `verify` finds still; in a dry run, what it finds now."""
    unreachable: tuple[str, ...]
    """Remotes that did not answer."""
    dry_run: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether nothing is hurt after it."""
        return not self.hurts and (self.dry_run or not self.problems)

    def refuse_loss(self) -> None:
        """Raise `damaged` if something stays hurt.

        Raises:
            IntegrityError: `damaged`.
        """
        if self.is_whole:
            return
        hurt = sorted({file.ref for file in self.hurts} | {ref for problem in self.problems for ref in problem.hurts})
        raise IntegrityError(
            "damaged",
            f"{self.url} is still damaged",
            why=f"versions that are hurt: {', '.join(hurt) or 'none'}",
            fix=(
                "mlreg repair --from URL, of another repository that has them",
                "mlreg repair --files DIR, with the files that were added",
            ),
        )


def repair(
    registry: Registry,
    place: str = "",
    *,
    others: Sequence[str] = (),
    files: Iterable[Path] = (),
    dry_run: bool = False,
    report: Callable[[int], None],
) -> Repair:
    """Mend a repository with good copies from elsewhere.

    Args:
        registry: the one here.
        place: the name or URL of what is mended; the one here if empty.
        others: names or URLs of repositories that are asked, in this order; by default the one here and all remotes.
        files: files and directories that may hold what was added.
        dry_run: only look.
        report: told about stored bytes that were checked.

    Raises:
        IntegrityError: the log is damaged, which cannot be mended.
        RefusedError: `is_a_backup`.
        UnavailableError: `busy_log`.
        NotFoundError: `no_remote`, `file_missing`. NoRepositoryError: `no_repository`.
    """
    target = registry.elsewhere(place) if place else registry
    if target.repository.is_backup:
        _refuse_backup(target.repository.url)
    sources, unreachable = _sources(registry, target, others)
    paths = list(files)
    if paths:
        sources.append(PlainFiles(paths))
    if dry_run:
        done = mending.preview(target.rehearsal().repository, sources, report)
    else:
        done = mending.repair(target.repository, sources, registry.author, report)
    return Repair(
        url=target.repository.url,
        given=tuple(GoodCopies(name, given.objects, given.size) for name, given in done.given.items()),
        damaged=done.damaged,
        dropped=len(done.dropped),
        transactions=done.slots,
        snapshots=done.snapshots,
        lost=tuple(f"{sort.name.lower()} {object_id}" for sort, object_id in done.lost),
        hurts=tuple(HurtFile(hurt.ref, hurt.path) for hurt in done.hurts),
        problems=tuple(ProblemInfo.of(problem) for problem in done.problems),
        unreachable=tuple(unreachable),
        dry_run=dry_run,
    )


def _refuse_backup(url: str) -> NoReturn:
    raise RefusedError(
        "is_a_backup",
        f"{url} is a backup, and takes no changes",
        why="it is mended by who backs up into it",
        fix=(f"mlreg backup verify {url}, which names what is damaged", *what_helps(url)),
    )


def _sources(registry: Registry, target: Registry, others: Sequence[str]) -> tuple[list[Source], list[str]]:
    """Return the repositories that are asked, and the names of those that do not answer."""
    sources: list[Source] = []
    unreachable: list[str] = []
    if others:
        sources.extend(OtherRepository(name, registry.elsewhere(name).repository) for name in others)
        return sources, []
    for name in ("", *registry.remotes):
        try:
            other = registry.elsewhere(name) if name else registry
            if other.repository.url != target.repository.url:
                sources.append(OtherRepository(name or "here", other.repository))
        except MlregError:
            unreachable.append(name or "here")
    return sources, unreachable
