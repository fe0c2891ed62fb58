"""Bundles: versions in one file, for those who share no network; made, looked at, proven and applied."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mlreg.errors import NotFoundError, UsageError
from mlreg.formats.bundle import Bundle
from mlreg.formats.commit import Commit
from mlreg.formats.names import known_ref_name, parse_ref_name
from mlreg.ids import CommitId
from mlreg.operations import bundling
from mlreg.operations.history import read_commits
from mlreg.operations.transfer import Sending, Transferred
from mlreg.registry import pins, results
from mlreg.registry.describe import Shown
from mlreg.registry.registry import Registry, Report
from mlreg.registry.sync import synced
from mlreg.registry.uniting import Chosen, Union, Ways, choose
from mlreg.registry.verifying import told
from mlreg.repository.repository import Repository
from mlreg.repository.view import View
from mlreg.stores import open_store, path_of
from mlreg.stores.archive import ArchiveWriter


class BundledVersion(NamedTuple):
    """A version in a bundle."""

    ref: str
    id: str
    files: int
    size: int
    tags: tuple[str, ...]


class BundleInfo(NamedTuple):
    """A bundle."""

    path: str
    repository: str
    """Id of the repository that it was made of."""
    transaction: int
    """The last one of that repository when it was made."""
    time: str
    author: str
    host: str
    versions: tuple[BundledVersion, ...]
    notes: int
    """Corrections, labels and other statements in it."""
    needs: tuple[str, ...]
    """Refs of versions that must be there before it is applied."""
    left_out: int
    """Pieces of files that it does not hold, because those have them."""
    size: int
    """Bytes of the file."""

    @property
    def refs(self) -> tuple[str, ...]:
        """Of its versions."""
        return tuple(version.ref for version in self.versions)


def create(
    registry: Registry, path: str, refs: Sequence[str], *, since: Sequence[str] = (), report: Report
) -> BundleInfo:
    """Write versions with their tags, lineage and what was said of them into a file.

    Args:
        registry: the one here.
        path: a new file.
        refs: entries, or versions; all if empty.
        since: what the other side has, whose files are left out: earlier bundles, entries or versions.
        report: told about bytes that were copied.

    Raises:
        RefusedError: `file_exists`. NotFoundError: of a ref. IntegrityError: `bad_archive`, `bad_bundle`.
    """
    here = registry.repository
    here.log.refresh()
    chosen, known = choose(here, refs), _known(here, since)

    def plan(view: View) -> Sending:
        united = Union(here, Repository(target), view, chosen, "bundle", registry.format_of, is_push=True)
        return Sending([*united.versions, *united.tags({}, force=False)], united.notes())

    with ArchiveWriter(path_of(path)) as target:
        bundling.create(here, target, plan, known, registry.author, report)
        target.finish()
    return info(path)


def _known(here: Repository, since: Sequence[str]) -> dict[str, CommitId]:
    """Return the versions that the other side has, by the refs that the log has for them."""
    refs = [text for text in since if not path_of(text).is_file()]
    found = {ref: commit for text in since if text not in refs for ref, commit in _versions_in(text).items()}
    for name in choose(here, refs).names or () if refs else ():
        ref, state = parse_ref_name(name), here.log.view.ref(name)
        if ref.sort == "version" and state and state.target:
            found[f"{ref.entry}@{ref.leaf}"] = state.target
    return found


def _versions_in(path: str) -> dict[str, CommitId]:
    """Return the versions that are in a bundle, or were needed by it."""
    repository, said = _open(path)
    names = ((parse_ref_name(ref.name), ref.target) for ref in repository.log.view.refs("version/") if ref.target)
    return {**{need.ref: need.commit for need in said.needs}, **{f"{n.entry}@{n.leaf}": target for n, target in names}}


def _open(path: str) -> tuple[Repository, Bundle]:
    if not path_of(path).is_file():
        raise NotFoundError("no_bundle", f"there is no file {path}", fix="check the path")
    repository = Repository(open_store(path))
    said = bundling.read_bundle(repository.store)
    repository.log.refresh()
    return repository, said


def info(path: str) -> BundleInfo:
    """Return what is in a bundle.

    Raises:
        NotFoundError: `no_bundle`. IntegrityError: `bad_archive`, `bad_bundle`, damage.
    """
    repository, said = _open(path)
    view = repository.log.view
    return BundleInfo(
        path=repository.url,
        repository=said.repository,
        transaction=said.point.number,
        time=said.time,
        author=said.author,
        host=said.host,
        versions=tuple(_versions(repository)),
        notes=sum(map(len, view.all_annotations().values())),
        needs=tuple(need.ref for need in said.needs),
        left_out=said.left_out,
        size=path_of(path).stat().st_size,
    )


def _versions(repository: Repository) -> Iterator[BundledVersion]:
    view = repository.log.view
    shown = Shown(view)
    names = [(known_ref_name(ref.name), ref.target) for ref in view.refs("version/")]
    live = [(name, target) for name, target in names if name and target]
    commits: dict[CommitId, Commit] = read_commits(repository, (target for _, target in live))
    for name, target in live:
        tags = [found for ref in view.names_of(target) if (found := known_ref_name(ref)) and found.sort == "tag"]
        commit = commits[target]
        leaves = tuple(tag.leaf for tag in tags if tag.remote is None and tag.entry == name.entry)
        yield BundledVersion(shown.ref(name.entry, name.leaf), str(target), commit.files, commit.size, leaves)


def verify(path: str, share: float, report: Report) -> results.Verified:
    """Read all of a bundle, and say what is damaged.

    Raises:
        NotFoundError: `no_bundle`. IntegrityError: `bad_archive`, `bad_bundle`.
    """
    repository, said = _open(path)
    found = bundling.verify(repository, said, share, report)
    return told(repository.url, share, found, fix=("ask whoever made it to send it again, or to make another one",))


def apply(
    registry: Registry, path: str, *, force_tags: bool = False, keep_tags: bool = False, report: Report
) -> results.Synced:
    """Bring the versions of a bundle, and move tags to where they were when it was made.

    Tags stay where they are if a later bundle of the same repository was applied before.

    Args:
        registry: the one here.
        path: the bundle.
        force_tags: let the tags of the bundle win over those here.
        keep_tags: bring the versions only.
        report: told about bytes that were copied.

    Raises:
        UsageError: `keep_or_force`. NotFoundError: `no_bundle`; `bundle_needs`, and nothing was written.
        ConflictError: `version_conflict`, `tag_conflict`. IntegrityError: `bad_archive`, `bad_bundle`, damage.
    """
    applying = _Applying(registry, path, force_tags=force_tags, keep_tags=keep_tags)
    done = bundling.apply(applying.bundle, applying.said, registry.repository, applying.plan, registry.author, report)
    applying.remember()
    return applying.told(done)


def preview(registry: Registry, path: str, *, force_tags: bool = False, keep_tags: bool = False) -> results.Synced:
    """Return what `apply` would bring now; nothing is written. Errors as there."""
    applying = _Applying(registry, path, force_tags=force_tags, keep_tags=keep_tags)
    found = applying.plan(registry.repository.log.view)
    bundling.refuse_unmet(applying.bundle, applying.said, registry.repository, [move.new for move in found.moves])
    would = Transferred(tuple(found.moves), len(found.notes), packs=0, size=0)
    return applying.told(would)._replace(dry_run=True)


class _Applying:
    """A bundle, and the repository that it is applied to."""

    def __init__(self, registry: Registry, path: str, *, force_tags: bool, keep_tags: bool) -> None:
        if force_tags and keep_tags:
            raise UsageError("keep_or_force", "--keep-tags and --force-tags exclude each other", fix="leave one out")
        self.bundle, self.said = _open(path)
        self._registry, self._here = registry, registry.repository
        self._here.log.refresh()
        self._path = path if "/" in path else f"./{path}"
        self._remote = f"bundle-{self.said.repository[:16]}"
        """Under this name the log keeps where its tags were."""
        self._forces = force_tags
        self._moves_tags = force_tags or not (keep_tags or self._is_outdated())

    def _is_outdated(self) -> bool:
        """Tell whether tags have moved on since it was made, as far as is known here."""
        number = self.said.point.number
        if self.said.repository == self._here.identity.repository:
            return number <= self._here.log.view.number
        pin = pins.read(self._here.url, self._remote)
        return pin is not None and number < pin.number

    def plan(self, view: View) -> Sending:
        """Say what is to be brought."""
        command = f"mlreg bundle apply {shlex.quote(self._path)}"
        ways = Ways(self._path, command, f"{command} --force-tags", f"{command} --keep-tags", "")
        united = Union(
            self.bundle,
            self._here,
            view,
            Chosen(None),
            self._remote,
            self._registry.format_of,
            is_push=False,
            ways=ways,
        )
        if not self._moves_tags:
            return Sending(united.versions, united.notes())
        prefix = f"remote/{self._remote}/"
        agreed = {ref.name.removeprefix(prefix): ref.target for ref in view.refs(f"{prefix}tag/")}
        tags = list(united.tags(agreed, force=self._forces))
        moves = [*united.versions, *tags, *united.agreed({move.name for move in tags})]
        return Sending(moves, united.notes())

    def remember(self) -> None:
        """Note how far the log was that the bundle was made of, if its tags were taken over."""
        if self._moves_tags and self.said.repository != self._here.identity.repository:
            pins.write(self._here.url, self._remote, pins.Pin(self.said.repository, *self.said.point))

    def told(self, done: Transferred) -> results.Synced:
        """Return what was done."""
        return synced(self._here.log.view, self._path, self.bundle.url, done)
