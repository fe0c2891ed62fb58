"""Bringing along versions of files that another place keeps: first a plan, then a version after the other.

What was imported before is known by what its metadata say of where it came from, so that a second time adds nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from mlreg.errors import MlregError, NoSpaceError, PartialError, UnavailableError, UsageError
from mlreg.formats.commit import Commit, Input
from mlreg.formats.names import Entry, check_tag
from mlreg.formats.versions import AUTO, VersionFormat, order
from mlreg.ids import CommitId, is_lower_hex
from mlreg.importers.kept import SOURCE, KeptFiles, KeptVersion
from mlreg.operations.history import files_of, newest_first, read_commit, tags_of
from mlreg.operations.history import leaf_of as version_in
from mlreg.operations.naming import called, meant
from mlreg.operations.register import NewVersion, add
from mlreg.registry.registry import Registry

NAMED = 3
"""Things that are left out which a sentence names."""
Origin = KeptFiles
"""A place that keeps versions of files, opened."""


class Brought(NamedTuple):
    """A version of files that another place keeps."""

    ref: str
    files: int
    size: int
    """Bytes of its files."""
    key: str
    """Which version it is there: a commit of git, a path."""
    tags: tuple[str, ...]
    """That are put on it."""
    added: bool
    """Whether it was not here before."""


class Skipped(NamedTuple):
    """What was not brought along."""

    what: str
    why: str


class ImportedStore(NamedTuple):
    """What another place keeps, and what of it was not here before."""

    tool: str
    versions: tuple[Brought, ...]
    """Of each entry the oldest first."""
    left_out: tuple[Skipped, ...]
    added: int
    size: int
    """Bytes of the files of the versions that were added."""
    dry_run: bool

    def refuse_nothing(self) -> None:
        """Raise `nothing_imported` if there was something, and none of it could be brought along.

        Raises:
            PartialError: `nothing_imported`.
        """
        if self.left_out and not self.versions:
            raise PartialError(
                "nothing_imported",
                f"nothing was imported: {self.left_out_in_words}",
                fix="what each line says, then the same again",
            )

    @property
    def left_out_in_words(self) -> str:
        """How much was left out, with the first of it; empty for nothing."""
        some = "; ".join(f"{one.what}: {one.why}" for one in self.left_out[:NAMED])
        more = f"; and {len(self.left_out) - NAMED} more" if len(self.left_out) > NAMED else ""
        return f"{len(self.left_out)} left out: {some}{more}" if some else ""


class _Planned(NamedTuple):
    kept: KeptVersion
    entry: Entry
    """As the log names it."""
    version: str
    known: CommitId | None
    tags: tuple[str, ...]


def bring(registry: Registry, origin: Origin, report: Callable[[int], None], *, dry_run: bool = False) -> ImportedStore:
    """Import the versions that another place keeps; one after the other, so that what was done stays done.

    Args:
        registry: where they go.
        origin: says what there is.
        report: told about bytes that were read.
        dry_run: only say what would be done; no content is read.
    """
    plan = _Plan(registry)
    planned = list(plan.of(origin.versions()))
    done: list[Brought] = []
    for one in planned:
        if one.known or dry_run:
            done.append(_brought(registry, one))
        elif found := plan.register(origin, one, report):
            done.append(found)
    if not dry_run:
        plan.put_tags(planned)
    left = [Skipped(what, why) for what, why in (*origin.left_out, *plan.left_out)]
    new = [one for one in done if one.added]
    return ImportedStore(origin.tool, tuple(done), tuple(left), len(new), sum(one.size for one in new), dry_run)


def _brought(registry: Registry, one: _Planned) -> Brought:
    shown = called(registry.repository.log.view, one.entry)
    kept = one.kept
    return Brought(f"{shown}@{one.version}", kept.files, kept.size, kept.key, one.tags, one.known is None)


class _Known(NamedTuple):
    """A version that was imported before."""

    version: str
    id: CommitId
    commit: Commit
    is_removed: bool


def _hindrance(known: _Known | None, kept: KeptVersion) -> str:
    """Return why a version is not brought along; empty if nothing stands against it."""
    if known and known.is_removed:
        return "it was removed here"
    if known and (known.commit.files, known.commit.size) != (kept.files, kept.size):
        return f"its files have changed since it became {known.version}: mlreg add makes a version of them"
    return ""


class _Plan:
    """What each version will be called here, or is called already."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._view = registry.repository.log.refresh()
        self._names: dict[Entry, list[str]] = {}
        """Of each entry every version name that was ever used, the newest first."""
        self._known: dict[tuple[Entry, str], _Known] = {}
        """What was imported before, by what it is called there."""
        self._made: dict[tuple[Entry, str], tuple[str, CommitId]] = {}
        self.left_out: list[Skipped] = []

    def of(self, versions: Iterator[KeptVersion]) -> Iterator[_Planned]:
        for kept in versions:
            entry = meant(self._view, kept.entry)
            if entry not in self._names:
                self._take_up(entry)
            known = self._known.get((entry, kept.key))
            if why := _hindrance(known, kept):
                self.left_out.append(Skipped(f"{kept.entry}, {_short(kept.key)}", why))
                continue
            version = known.version if known else self._name_of(entry, kept)
            if not version:
                why = f"{kept.version} is registered already, and came from elsewhere"
                self.left_out.append(Skipped(f"{kept.entry}, {_short(kept.key)}", why))
                continue
            if known:
                self._made[entry, kept.key] = (version, known.id)
            yield _Planned(kept, entry, version, known.id if known else None, tuple(self._tags(entry, kept)))

    def _take_up(self, entry: Entry) -> None:
        """Read what the versions of an entry say of where they came from."""
        refs = list(newest_first(self._view, entry))
        self._names[entry] = [version_in(ref) for ref in refs]
        for ref in refs:
            if target := ref.target or ref.removed:
                with suppress(MlregError):
                    commit = read_commit(self._registry.repository, target)
                    source = commit.metadata.get(SOURCE)
                    key = source.get("key") if isinstance(source, dict) else None
                    if isinstance(key, str):
                        self._known[entry, key] = _Known(version_in(ref), target, commit, ref.target is None)

    def _name_of(self, entry: Entry, kept: KeptVersion) -> str:
        """Return what a version is to be called: as there, or the next of its day, or in its order; empty if taken."""
        form, names = self._registry.format_of(entry), self._names[entry]
        own = next((one for one in _spellings(kept.version) if _is_version(form, one)), "")
        if own in names:
            return ""
        name = own or form.next(names, "minor" if "minor" in form.parts else AUTO, kept.day)
        names.append(name)
        names.sort(key=order, reverse=True)
        return name

    def _tags(self, entry: Entry, kept: KeptVersion) -> Iterator[str]:
        there = tags_of(self._view, entry)
        for tag in kept.tags:
            try:
                check_tag(tag)
            except UsageError as error:
                self.left_out.append(Skipped(f"tag {tag} of {kept.entry}", error.why or error.message))
                continue
            if tag in there:
                known = self._known.get((entry, kept.key))
                if not known or there[tag].target != known.id:
                    self.left_out.append(Skipped(f"tag {tag} of {kept.entry}", "it was put elsewhere here"))
                continue
            yield tag

    def register(self, origin: Origin, one: _Planned, report: Callable[[int], None]) -> Brought | None:
        """Register a version; None if it cannot be."""
        kept, repository = one.kept, self._registry.repository
        needed = [
            (need.role, self._made.get((meant(self._view, need.entry), need.key)), need.entry) for need in kept.inputs
        ]
        try:
            self._registry.check_metadata(one.entry, kept.metadata)
            new = NewVersion(
                entry=one.entry,
                versions=self._registry.format_of(one.entry),
                sources=origin.sources(kept),
                form="directory",
                author=self._registry.author,
                version=one.version,
                metadata=kept.metadata,
                inputs=[Input(role, made[1], f"{entry}@{made[0]}") for role, made, entry in needed if made],
                message=kept.message,
                tags=one.tags,
                may_be_older=True,
            )
            recorded = add(repository, new, report)
        except (NoSpaceError, UnavailableError):
            raise
        except MlregError as error:
            self.left_out.append(Skipped(f"{kept.entry}, {_short(kept.key)}", error.message))
            return None
        self._made[one.entry, kept.key] = (one.version, recorded.commit_id)
        origin.learn(kept, files_of(repository, recorded.commit))
        return _brought(self._registry, one)

    def put_tags(self, planned: Sequence[_Planned]) -> None:
        """Put tags on versions that were here before."""
        for one in planned:
            for tag in one.tags if one.known else ():
                self._registry.tag(f"{called(self._view, one.entry)}@{one.version}", tag)


def _short(key: str) -> str:
    """Return as much of the id of a commit as people read; a path as it is."""
    return key[:12] if is_lower_hex(key, len(key)) else key


def _spellings(version: str) -> list[str]:
    """Return a version as formats may have it: `v2` is `2.0.0`, `2024-05-01` is `2024.05.01` or `2024.5.1`."""
    numbers = version.replace("-", ".").replace("_", ".").split(".") if version else []
    plain = [str(int(number)) for number in numbers if number.isascii() and number.isdigit()]
    whole = plain if len(plain) == len(numbers) else []
    return [version, ".".join(numbers), ".".join([*whole, "0", "0"][:3]) if whole else "", ".".join(whole)]


def _is_version(form: VersionFormat, text: str) -> bool:
    with suppress(UsageError):
        form.check(text)
        return True
    return False


def dvc(directory: Path, cache: Path | None = None, kind: str = "") -> Origin:
    """Return what dvc tracks in a directory; arguments and errors as `DvcStore`."""
    from mlreg.importers.dvc import DvcStore

    return DvcStore(directory, cache, _checked(kind))


def directories(directory: Path, kind: str = "") -> Origin:
    """Return the versions in a tree of directories; arguments and errors as `TreeStore`."""
    from mlreg.importers.kept_tree import TreeStore

    return TreeStore(directory, _checked(kind))


def _checked(kind: str) -> str:
    if kind not in ("", "model", "data"):
        raise UsageError("bad_name", f"{kind!r:.80} is no kind of files", fix=("--kind data", "--kind model"))
    return kind
