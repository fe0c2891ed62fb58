"""What a version is put together of: files from a disk, files of other versions, and the version they go onto."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from mlreg.errors import NotFoundError, UsageError
from mlreg.formats.annotation import merge_patch
from mlreg.formats.paths import check_path
from mlreg.formats.plain import plain
from mlreg.formats.tree import File
from mlreg.operations.scanning import Source, Stored, named_path, sources_below
from mlreg.operations.selecting import Patterns, Selection
from mlreg.registry.getting import Finds
from mlreg.registry.results import VersionInfo


class Parts(NamedTuple):
    """What to put together, besides files from a disk."""

    include: Sequence[str] = ()
    """Patterns as in `.gitignore`: only files that fit one are taken."""
    exclude: Sequence[str] = ()
    """Files that fit one are left out."""
    taken: Sequence[str] = ()
    """Refs, with or without a path, whose files are taken under the paths that they have there."""
    at: str = ""
    """The directory of the version below which all of these go."""
    onto: str = ""
    """Ref of a version whose files and metadata the new one has, too, unless others take their places."""
    replaces: bool = False
    """Whether files of that version go that are at `at` and are not put there again."""

    @property
    def origins(self) -> list[tuple[str, str]]:
        """What a version that is put together so was made from, by role."""
        return [*(("from", ref) for ref in self.taken), *([("onto", self.onto)] if self.onto else [])]

    @property
    def patterns(self) -> Patterns:
        """What is taken, and what is left out."""
        return Patterns(self.include, self.exclude)


def compose(registry: Finds, paths: Sequence[str | Path], parts: Parts) -> list[Source]:
    """Return the files of a version that is to be registered; of those of other versions no byte is read.

    Args:
        registry: of the other versions.
        paths: a directory stands for what is in it; a file, or each of several paths, for itself.
        parts: as it says.

    Raises:
        NotFoundError: `file_missing`, `ref_not_found`; `path_not_found`, also if there is nothing to replace.
        UsageError: `nothing_to_add`, `bad_pattern`, `remote_input`, `no_base`.
        RefusedError: `special_file`, `unsafe_path`.
    """
    if parts.replaces and not parts.onto:
        raise UsageError("no_base", "there is nothing to replace files of", fix="--onto REF")
    found: list[Source] = []
    if paths or not parts.taken:
        found.extend(sources_below(map(named_path, paths), parts.patterns))
    found.extend(_taken(registry, parts))
    if parts.at:
        check_path(parts.at)
        found = [source._replace(path=f"{parts.at}/{source.path}") for source in found]
    return list(_put_onto(registry, parts, found)) if parts.onto else found


def changed_metadata(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata of a version that goes onto another one: that one's, and what is said otherwise.

    >>> changed_metadata({"license": "MIT", "splits": {"train": "a"}}, {"license": None, "splits": {"test": "b"}})
    {'splits': {'train': 'a', 'test': 'b'}}
    """
    merged: dict[str, Any] = merge_patch(base, plain(dict(changes)))
    return merged


def doubts_of(base: VersionInfo, version: VersionInfo) -> Iterator[str]:
    """Yield what is wrong with a version whose files another one of its entry has, too, and which is its past."""
    known = {taint.ref for taint in version.taints}
    return (
        f"{base.ref}, whose files it has, is tainted by {taint.ref}: {taint.reason}"
        for taint in base.taints
        if taint.ref not in known
    )


def _taken(registry: Finds, parts: Parts) -> Iterator[Source]:
    selection = Selection(parts.patterns)
    for text in parts.taken:
        chosen = [file for file in _files(registry, text) if selection.takes(file.path)]
        if not chosen:
            raise UsageError("nothing_to_add", f"the patterns leave nothing of {text}", fix=f"mlreg ls {text}")
        yield from _stored(chosen)


def _put_onto(registry: Finds, parts: Parts, found: Sequence[Source]) -> Iterator[Source]:
    new = {source.path for source in found}
    there = _files(registry, parts.onto)
    if parts.replaces and not any(_is_below(file.path, parts.at) for file in there):
        raise _nothing_at(parts, there)
    kept = (file for file in there if file.path not in new)
    yield from _stored(file for file in kept if not (parts.replaces and _is_below(file.path, parts.at)))
    yield from found


def _nothing_at(parts: Parts, there: Sequence[File]) -> NotFoundError:
    above = {str(folder) for file in there for folder in PurePosixPath(file.path).parents if folder.name}
    near = get_close_matches(parts.at, above, n=1)
    fix = (*(f"--at {shlex.quote(one)}" for one in near), "leave --replace out, if it is new")
    return NotFoundError("path_not_found", f"{parts.onto} has nothing at {parts.at} to replace", fix=fix)


def _is_below(path: str, directory: str) -> bool:
    return not directory or path == directory or path.startswith(f"{directory}/")


def _stored(files: Iterable[File]) -> Iterator[Source]:
    return (Source(file.path, Stored(file.id, file.size), file.mode) for file in files)


def _files(registry: Finds, text: str) -> list[File]:
    repository, ref, target = registry.find(text)
    if ref.remote is not None:
        raise UsageError("remote_input", f"{text} is not here yet", fix=f"mlreg pull {ref.remote} {ref.name}")
    return registry.files_of(repository, target, ref.path)
