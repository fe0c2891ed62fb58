"""What dvc tracks: outs with their md5 in files `*.dvc` and `dvc.lock`, their content in a cache, history in git.

Read without its library. An out is a file or a directory; of a directory the cache holds a list of files, `.dir`.
"""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from configparser import ConfigParser
from configparser import Error as ConfigParserError
from contextlib import suppress
from datetime import UTC, date, datetime
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, NamedTuple

from mlreg.codecs.codec import Buffer
from mlreg.errors import IntegrityError, MlregError, NotFoundError, UsageError
from mlreg.formats.names import Entry, check_tag
from mlreg.formats.paths import check_path
from mlreg.formats.tree import File, Mode
from mlreg.ids import is_lower_hex
from mlreg.importers.foreign_files import Roots
from mlreg.importers.foreign_values import printable, segment_of
from mlreg.importers.git_history import GitCommit, GitHistory
from mlreg.importers.kept import SOURCE, Entries, KeptVersion, LeftOut, Needed, role_of
from mlreg.operations.scanning import Source, Stored

TOOL = "dvc"
LOCK = "dvc.lock"
_SUFFIX = ".dvc"
_FILES = (f"*{_SUFFIX}", LOCK)
_DIRECTORY = ".dir"
_MD5_DIGITS = 32
MAX_TEXT = 64 * 1024 * 1024
"""Bytes of a lock file, or a list of files, that is read."""
AT_ONCE = 1024 * 1024
"""Bytes in which files are read; dvc 2 took away the carriage returns of each on its own."""
_MAX_SUBJECT = 1000


class _Out(NamedTuple):
    """A file or directory that dvc tracks, as of one commit."""

    path: str
    """From the directory that is imported."""
    md5: str
    """With `.dir` behind it if it is a directory; empty if it has none."""
    mode: Mode
    is_old: bool
    """Whether dvc 2 computed the md5: of texts without carriage returns."""


class _Item(NamedTuple):
    """A file of a version."""

    path: str
    md5: str
    mode: Mode


class _Content(NamedTuple):
    """A file of the cache."""

    path: Path
    size: int


class _Kept(NamedTuple):
    """An out, and what it was made from."""

    out: _Out
    deps: list[_Out]


class DvcStore:
    """The outs of a directory with `.dvc`, each state of them that git knows."""

    tool = TOOL

    def __init__(self, directory: Path, cache: Path | None = None, kind: str = "") -> None:
        """Name the directory.

        Args:
            directory: with `.dvc` in it.
            cache: where the content is, if not in `.dvc/cache`.
            kind: of all entries; by default it is told by their paths.

        Raises:
            NotFoundError: `file_missing`, it is not one of dvc, or there is no such cache.
        """
        if cache and not cache.is_dir():
            raise NotFoundError("file_missing", f"{cache} is no directory", fix="name the cache: --cache DIR")
        if not (directory / ".dvc").is_dir():
            raise NotFoundError(
                "file_missing", f"there is no .dvc in {directory}", fix="name the directory that has it"
            )
        self.left_out: list[LeftOut] = []
        self._directory = directory
        self._cache = cache or directory / ".dvc" / "cache"
        self._roots = Roots(self._cache)
        self._entries = Entries(kind)
        if cache is None and (other := _configured(directory)):
            why = f"the cache is said to be {printable(other)}: --cache names it"
            self.left_out.append(LeftOut(".dvc/config", why))
        self._git = GitHistory.of(directory)
        self._contents: dict[str, _Content | None] = {}
        """What lies in the cache, by md5."""
        self._known: dict[str, Stored] = {}
        """What the files of each md5 turned out to be."""
        self._newest: dict[tuple[str, str], list[KeptVersion]] = {}
        """Of each path and md5 the versions so far."""
        self._commits: dict[str, int] = {}
        """Places of the commits in their order."""
        self._outs: dict[tuple[Entry, str], _Out] = {}

    def versions(self) -> Iterator[KeptVersion]:
        """As `KeptFiles`."""
        if self._git is None:
            self.left_out.append(LeftOut("history", "there is no repository of git, or it has no commit"))
            yield from self._as_they_are()
            return
        found = [one for commit in self._git.commits(*_FILES) for one in self._of(self._git, commit)]
        tags = self._tags(self._git)
        yield from (one._replace(tags=tags.get((one.entry, one.key), ())) for one in found)

    def sources(self, version: KeptVersion) -> list[Source]:
        """As `KeptFiles`."""
        out = self._outs[version.entry, version.key]
        return [self._source(item, out) for item in self._items(out)]

    def learn(self, version: KeptVersion, files: Iterable[File]) -> None:
        """As `KeptFiles`."""
        md5s = {item.path: item.md5 for item in self._items(self._outs[version.entry, version.key])}
        self._known.update((md5s[file.path], Stored(file.id, file.size)) for file in files)

    # History.

    def _of(self, git: GitHistory, commit: GitCommit) -> Iterator[KeptVersion]:
        """Yield the versions that a commit made, those first that others were made from."""
        self._commits[commit.id] = len(self._commits)
        changes = {path: pair for path, pair in commit.changes.items() if _is_ours(path)}
        texts = git.contents(one for pair in changes.values() for one in pair if one)
        new: list[_Kept] = []
        for path, (before, after) in changes.items():
            old = {one.out.path: one.out.md5 for one in self._read(path, texts.get(before, b""), commit.id, told=False)}
            for one in self._read(path, texts.get(after, b""), commit.id):
                is_known = commit.is_merge and (one.out.path, one.out.md5) in self._newest
                if old.get(one.out.path) != one.out.md5 and not is_known:
                    new.append(one)
        source = {"author": printable(commit.author), "commit": commit.id, "time": _time(commit.time)}
        for one in _in_order(new):
            if version := self._version(one, commit.id, _day(commit.time), source):
                yield version._replace(message=printable(commit.subject[:_MAX_SUBJECT]))

    def _as_they_are(self) -> Iterator[KeptVersion]:
        """Yield the outs of the files on the disk."""
        kept: list[_Kept] = []
        roots = Roots(self._directory)
        days: dict[str, date] = {}
        for inside in _tracked(self._directory):
            if found := roots.file(self._directory / inside):
                some = self._read(inside, found.read_bytes()[: MAX_TEXT + 1], inside)
                days.update((one.out.path, _day(found.stat().st_mtime)) for one in some)
                kept += some
        for one in _in_order(kept):
            if version := self._version(one, one.out.md5, days[one.out.path], {}):
                yield version

    def _version(self, kept: _Kept, key: str, day: date, source: Mapping[str, str]) -> KeptVersion | None:
        """Return a version, if all of its content is there."""
        out = kept.out
        what = f"{out.path} of {key[:12]}"
        try:
            items = self._items(out)
            size = sum(self._found(item.md5).size for item in items)
        except MlregError as error:
            self.left_out.append(LeftOut(what, error.message))
            return None
        entry = self._entries.of(out.path)
        made_from = [self._newest[dep.path, dep.md5][-1] for dep in kept.deps if (dep.path, dep.md5) in self._newest]
        inputs = [Needed(role_of(one.entry), one.entry, one.key) for one in made_from]
        metadata = {SOURCE: {**source, "key": key, "md5": out.md5, "path": printable(out.path), "tool": TOOL}}
        version = KeptVersion(entry, key, "", day, len(items), size, metadata, "", inputs)
        self._newest.setdefault((out.path, out.md5), []).append(version)
        self._outs[entry, key] = out
        return version

    def _tags(self, git: GitHistory) -> dict[tuple[Entry, str], list[str]]:
        """Return the tags of git by the versions that were checked out with them."""
        found: dict[tuple[Entry, str], list[str]] = {}
        given: set[str] = set()
        for tag, commit in git.tags().items():
            name = _tag(tag)
            if name in given:
                self.left_out.append(LeftOut(f"tag {printable(tag)}", f"another one is called {name} here"))
                continue
            given.add(name)
            try:
                last = git.last_change(commit, *_FILES)
                files = {path: one for path, one in git.files(commit).items() if _is_ours(path)}
                texts = git.contents(files.values())
            except MlregError as error:
                self.left_out.append(LeftOut(f"tag {printable(tag)}", error.why or error.message))
                continue
            if last not in self._commits:
                self.left_out.append(
                    LeftOut(f"tag {printable(tag)}", "nothing that dvc tracks leads from it to what is checked out")
                )
                continue
            for path, blob in files.items():
                for one in self._read(path, texts[blob], commit, told=False):
                    versions = self._newest.get((one.out.path, one.out.md5), [])
                    # One that came back later has several.
                    before = [each for each in versions if self._commits[each.key] <= self._commits[last]]
                    if before:
                        found.setdefault((before[-1].entry, before[-1].key), []).append(name)
        return found

    # What dvc writes.

    def _read(self, path: str, data: bytes, where: str, *, told: bool = True) -> list[_Kept]:
        """Return the outs that a file of dvc names."""
        found: list[_Kept] = []
        document = _document(data)
        if document is None and told:
            what = path if path == where else f"{path} of {where[:12]}"
            self.left_out.append(LeftOut(printable(what), "it is not written as dvc writes it"))
        for stage, directory in _stages(path, document or {}):
            outs = [_out(one, directory) for one in _list(stage, "outs")]
            deps = [dep for one in _list(stage, "deps") if isinstance(dep := _out(one, directory), _Out)]
            for out in outs:
                if isinstance(out, _Out):
                    found.append(_Kept(out, deps))
                elif told:
                    self.left_out.append(LeftOut(f"{out.what} of {where[:12]}", out.why))
        return found

    def _items(self, out: _Out) -> list[_Item]:
        if not out.md5.endswith(_DIRECTORY):
            return [_Item(posixpath.basename(out.path), out.md5, out.mode)]
        data = self._found(out.md5).path.read_bytes()[: MAX_TEXT + 1]
        if hashlib.md5(data, usedforsecurity=False).hexdigest() != out.md5.removesuffix(_DIRECTORY):
            raise _other_checksum(out.md5)
        try:
            items = [_Item(_text(one, "relpath"), _text(one, "md5"), _mode(one)) for one in json.loads(data)]
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise IntegrityError(
                "other_checksum",
                f"the list of files {out.md5} is none",
                why=str(error),
                fix="dvc fetch, from its remote",
            ) from error
        for item in items:
            check_path(item.path)
        return items

    def _found(self, md5: str) -> _Content:
        """Return the content with an md5: dvc 3 has `files/md5` above what dvc 2 had."""
        if md5 not in self._contents:
            inside = Path(md5[:2], md5[2:])
            tried = (self._roots.file(above / inside) for above in (self._cache / "files" / "md5", self._cache))
            place = next(filter(None, tried), None) if _is_md5(md5) else None
            self._contents[md5] = _Content(place, place.stat().st_size) if place else None
        if (found := self._contents[md5]) is None:
            raise NotFoundError("file_missing", f"{md5[:64]!r} is not in the cache", fix="dvc fetch --all-commits")
        return found

    def _source(self, item: _Item, out: _Out) -> Source:
        known, place = self._known.get(item.md5), self._found(item.md5).path
        return Source(item.path, known or (lambda: _checked(place, item.md5, is_old=out.is_old)), item.mode)


def _checked(path: Path, md5: str, *, is_old: bool) -> Iterator[Buffer]:
    """Yield what a file of the cache holds, and the end of it only if it has its md5.

    Raises:
        IntegrityError: `other_checksum`.
    """
    plain, unix = hashlib.md5(usedforsecurity=False), hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while data := file.read(AT_ONCE):
            plain.update(data)
            if is_old:
                unix.update(data.replace(b"\r\n", b"\n"))
            yield data
    if md5 not in (plain.hexdigest(), unix.hexdigest() if is_old else ""):
        raise _other_checksum(md5)


def _other_checksum(md5: str) -> IntegrityError:
    return IntegrityError("other_checksum", f"the cache holds other bytes than {md5}", fix="dvc fetch, from its remote")


def _configured(directory: Path) -> str:
    """Return where the settings of a directory say that its cache is; empty if they say nothing."""
    settings = ConfigParser(interpolation=None, strict=False)
    with suppress(ConfigParserError, OSError, UnicodeDecodeError):
        settings.read([directory / ".dvc" / name for name in ("config", "config.local")], encoding="utf-8")
    return settings.get("cache", "dir", fallback="")


def _tracked(directory: Path) -> Iterator[str]:
    """Yield the files of dvc below a directory, sorted, but for those in hidden directories."""
    for above, folders, names in os.walk(directory):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in filter(_is_ours, sorted(names)):
            yield Path(above, name).relative_to(directory).as_posix()


def _is_ours(path: str) -> bool:
    name = posixpath.basename(path)
    return name == LOCK or (name.endswith(_SUFFIX) and name != _SUFFIX)


def _is_md5(text: str) -> bool:
    return is_lower_hex(text.removesuffix(_DIRECTORY), _MD5_DIGITS)


def _document(data: bytes) -> dict[str, Any] | None:
    """Return what stands in a file of dvc: texts, lists and mappings; None if it cannot be read."""
    import yaml

    if not data:
        return {}
    if len(data) > MAX_TEXT:
        return None
    try:
        # Every value is a text, no tag is obeyed.
        read = yaml.load(data, Loader=yaml.BaseLoader)  # noqa: S506 - the loader that makes no objects
    except (yaml.YAMLError, RecursionError, ValueError):
        return None
    return read if isinstance(read, dict) else None


def _stages(path: str, document: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Yield the stages of a file, each with the directory that its paths begin at."""
    above = posixpath.dirname(path)
    if posixpath.basename(path) != LOCK:
        yield document, posixpath.join(above, _text(document, "wdir") or ".")
        return
    stages = document.get("stages") if "schema" in document else document
    if isinstance(stages, dict):
        yield from ((stage, above) for stage in stages.values() if isinstance(stage, dict))


def _list(stage: Mapping[str, Any], key: str) -> list[Any]:
    """Return what a stage lists; something that is no list is one thing that can be nothing."""
    found = stage.get(key) or []
    return found if isinstance(found, list) else [None]


def _text(fields: Mapping[str, Any], key: str) -> str:
    """Return a text; empty for what is none: with aliases in it, it may stand for more than there is memory."""
    found = fields.get(key)
    return found if isinstance(found, str) else ""


def _out(one: object, directory: str) -> _Out | LeftOut:
    fields = one if isinstance(one, dict) else {}
    named, md5 = _text(fields, "path"), _text(fields, "md5")
    path = posixpath.normpath(posixpath.join(directory, named))
    if not named:
        return LeftOut("an out", "its path is no text")
    if "://" in named or path.startswith(("/", "..")):
        return LeftOut(printable(named), "it lies outside of the directory")
    if not _is_md5(md5):
        return LeftOut(printable(path), "it has no md5, so nothing of it is in a cache")
    return _Out(path, md5, _mode(fields), _text(fields, "hash") != "md5")


def _mode(fields: Mapping[str, Any]) -> Mode:
    is_executable = fields.get("isexec") is True or _text(fields, "isexec").lower() == "true"
    return Mode.EXECUTABLE if is_executable else Mode.FILE


def _in_order(kept: list[_Kept]) -> list[_Kept]:
    """Return outs so that each follows those that it was made from; a circle stays as it is."""
    by_path = {one.out.path: one for one in kept}
    graph = {path: [dep.path for dep in one.deps if dep.path in by_path] for path, one in by_path.items()}
    try:
        return [by_path[path] for path in TopologicalSorter(graph).static_order()]
    except CycleError:
        return list(by_path.values())


def _tag(name: str) -> str:
    """Return what a tag of git is called here: `v1.0` would read as a version, and is `git-v1.0`."""
    with suppress(UsageError):
        check_tag(name)
        return name
    return f"git-{segment_of(name)}"


def _day(seconds: float) -> date:
    return datetime.fromtimestamp(min(max(seconds, 0), 2**40), UTC).date() if seconds < 2**37 else date(1970, 1, 1)


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if 0 <= seconds < 2**37 else ""
