"""`mlreg://` for fsspec, and so for pandas, Arrow, Polars, DuckDB and loaders of torch.

    mlreg:///data/train@2026.11.23/x.parquet      the repository here: that of the option `repository`, or the nearest
    mlreg://origin/data/train@golden/x.parquet    a remote, read without a clone
    mlreg:///data/train@staging/x.parquet         files that wait to become a version: may be written

Versions are read-only. Page: `docs/data.md`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path
from threading import RLock
from typing import Any, NamedTuple

from fsspec import AbstractFileSystem  # noqa: TID253 - this module is imported by fsspec only
from fsspec.implementations.local import LocalFileSystem  # noqa: TID253 - this module is imported by fsspec only
from fsspec.utils import stringify_path, tokenize  # noqa: TID253 - this module is imported by fsspec only

from mlreg.config import Config
from mlreg.errors import (
    AccessError,
    ConflictError,
    MlregError,
    NoRepositoryError,
    NotFoundError,
    RefusedError,
    TaintedError,
    UsageError,
)
from mlreg.formats.names import KIND_WORDS
from mlreg.formats.paths import check_path
from mlreg.formats.ref import parse_ref
from mlreg.formats.tree import File, Folder, Mode
from mlreg.registry.given import Inputs
from mlreg.registry.registry import Registry
from mlreg.registry.results import VersionInfo
from mlreg.registry.staging import area_of, commit_area, staged
from mlreg.registry.version_files import VersionFiles, entry_above, has_tag, names_below

PROTOCOL = "mlreg"
STAGING = "staging"
_NUMBERS: Mapping[type[MlregError], int] = {
    NotFoundError: errno.ENOENT,
    NoRepositoryError: errno.ENOENT,
    UsageError: errno.EINVAL,
    ConflictError: errno.EEXIST,
    AccessError: errno.EACCES,
    RefusedError: errno.EPERM,
    TaintedError: errno.EPERM,
}
_VERSIONS_KEPT = 64


class Place(NamedTuple):
    """What a path names."""

    remote: str
    """Empty for the repository here."""
    entry: str
    """`data/train`, or the beginning of names if there is no selector."""
    selector: str
    """A version, a tag, `latest`, `latest~1`; empty above versions."""
    path: str
    """Of a file or a directory in the version; empty for its root."""

    @property
    def root(self) -> str:
        """The path of the version, or of the beginning of names."""
        ref = f"{self.entry}@{self.selector}" if self.selector else self.entry
        return f"{self.remote}/{ref}" if ref or not self.remote else self.remote

    def below(self, path: str) -> str:
        """Return the path of something in the version."""
        return f"{self.root}/{path}" if path else self.root


def place_of(path: str) -> Place:
    """Read a path without protocol: `/data/train@2026.11.23/x.parquet`."""
    remote, _, rest = path.partition("/")
    words = rest.split("/") if rest else []
    at = next((number for number, word in enumerate(words) if "@" in word), None)
    if at is None:
        return Place(remote, rest, "", "")
    name, _, selector = words[at].partition("@")
    return Place(remote, "/".join([*words[:at], name]), selector, "/".join(words[at + 1 :]))


class _Opened(NamedTuple):
    """A registry that all file systems of a process share."""

    registry: Registry
    lock: RLock
    """Held while names are looked up."""


@cache
def _opened_at(_process: int, directory: str, repository: str, remote: str) -> _Opened:
    """Open a registry; for each process anew, since neither files nor locks may be carried into a fork."""
    config = Config(directory)
    here = Registry(
        lambda: _nearest(config),
        lambda: config.author,
        config.cache,
        lambda: config.remotes,
        lambda: config.formats,
        config.schemas,
        tracking=lambda: config.tracking,
        rules=config.rules,
        client=config.client,
    )
    for place in filter(None, (repository, remote)):
        here = here.elsewhere(place)
    return _Opened(here, RLock())


def _nearest(config: Config) -> Path:
    try:
        return config.repository
    except NoRepositoryError as error:
        option = 'repository="/srv/registry"'
        fix = (f'fsspec.filesystem("mlreg", {option})', f"pandas.read_csv(..., storage_options=dict({option}))")
        raise NoRepositoryError(error.code, error.message, why=error.why, fix=fix) from error


@contextmanager
def _told_as_system_errors(path: str) -> Iterator[None]:
    """Turn what mlreg raises into what callers of a file system know: the cause says why and what to do."""
    try:
        yield
    except MlregError as error:
        number = next((number for kind, number in _NUMBERS.items() if isinstance(error, kind)), errno.EIO)
        number = errno.EISDIR if error.code == "no_path" else number
        raise OSError(number, str(error), path) from error


class MlregFileSystem(AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
    """The versions of a repository as directories, and areas where the next ones wait.

    Tags and `latest` are looked up at each call. A process that is forked, a thread, and a copy by pickle may use it.
    """

    protocol = PROTOCOL
    root_marker = "/"
    cachable = False  # what it shows depends on the directory it was made in; what is slow to open is shared
    local_file = False

    def __init__(
        self, repository: str | Path = "", staging: str = STAGING, directory: str | Path = "", **options: Any
    ) -> None:
        """Open nothing yet.

        Args:
            repository: a path with a `/`, a URL or the name of a remote; by default the repository of `directory`.
            staging: the word behind `@` that names an area. A tag of that name comes first.
            directory: where settings and the repository are looked for; by default the present one.
            options: of fsspec.
        """
        super().__init__(**options)
        self.directory = str(Path(directory or ".").absolute())
        place = str(repository)
        is_path = "/" in place and ":" not in place.partition("/")[0]
        self.repository = str(Path(self.directory, place)) if is_path else place
        self.staging = staging
        self._local = LocalFileSystem(auto_mkdir=True)
        self._forget()

    def _forget(self) -> None:
        self._versions = lru_cache(_VERSIONS_KEPT)(VersionFiles)
        self._read: set[str] = set()

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (type(self), self.repository, self.staging, self.directory)

    @property
    def _fs_token(self) -> str:
        return str(tokenize(type(self).__name__, self.directory, self.repository, self.staging))

    @property
    def fsid(self) -> str:
        """Return what is the same for file systems that show the same."""
        return f"{PROTOCOL}_{self._fs_token}"

    # Paths.

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        """Return `/data/train@2026.11.23/x`, or `origin/data/…` for a remote."""
        if isinstance(path, list):
            return [cls._strip_protocol(one) for one in path]
        text = str(stringify_path(path)).removeprefix(f"{PROTOCOL}://").rstrip("/")
        first, _, rest = text.lstrip("/").partition("/")
        if text.startswith("/") or not text:
            return f"/{text.lstrip('/')}"
        return f"/{KIND_WORDS[first]}/{rest}".rstrip("/") if first in KIND_WORDS else text

    @classmethod
    def _parent(cls, path: str) -> str:
        return str(cls._strip_protocol(path)).rpartition("/")[0] or cls.root_marker

    def _at(self, place: Place) -> _Opened:
        return _opened_at(os.getpid(), self.directory, self.repository, place.remote)

    def _area(self, place: Place) -> str | None:
        """Return the local path of what waits at a place; None if the place is in a version, or above all."""
        if place.selector != self.staging or place.remote:
            return None
        registry, lock = self._at(place)
        with lock:
            if has_tag(registry, place.entry, self.staging):
                return None
            if place.path:
                check_path(place.path)
            return str(area_of(registry, place.entry) / place.path)

    def _writable(self, path: str) -> tuple[str, Place]:
        """Return the local path of what may be written, and the place; an error if nothing may."""
        place = place_of(self._strip_protocol(path))
        local = self._area(place)
        if local is None:
            why = f"only what lies in NAME@{self.staging} may be written; versions and tags are made by commit()"
            raise OSError(errno.EROFS, why, path)
        return local, place

    def _files(self, place: Place) -> VersionFiles:
        """Return the files of the version that a place is in, as names and tags are now."""
        registry, lock = self._at(place)
        self._check_selector(place)
        with lock:
            return self._versions(registry, str(registry.rev_parse(f"{place.entry}@{place.selector}")))

    def _check_selector(self, place: Place) -> None:
        """Refuse a path behind `:`, as refs of the command line have it."""
        path = parse_ref(f"{place.entry}@{place.selector}").path
        if path is not None:
            selector = place.selector.removesuffix(f":{path}")
            right = place._replace(selector=selector).below("/".join(filter(None, (path, place.path))))
            fix = str(self.unstrip_protocol(right))
            raise UsageError("bad_ref", f"{place.selector} is no version", why="use / after the version", fix=fix)

    def _readable(self, place: Place) -> VersionFiles:
        """Return the files of a version that may be read; that it was is kept, once."""
        files = self._files(place)
        registry, lock = self._at(place)
        with lock:
            registry.allow(files.repository, files.target, "")
            if str(files.target) not in self._read:
                self._read.add(str(files.target))
                registry.used(files.repository, files.target, "api")
        return files

    # Reading.

    def ls(self, path: str, detail: bool = True, **options: Any) -> list[Any]:
        """List what lies right in a directory, or a file alone."""
        shown = self._strip_protocol(path)
        with _told_as_system_errors(shown):
            found = self._ls(place_of(shown), shown)
        return found if detail else [one["name"] for one in found]

    def _ls(self, place: Place, shown: str) -> list[dict[str, Any]]:
        if not place.selector:
            return self._names(place, shown)
        if local := self._area(place):
            return [self._renamed(info, local, place) for info in self._local.ls(local, detail=True)]
        files = self._files(place)
        found = files.find(place.path)
        if isinstance(found, File):
            return [_info(found, place)]
        return [_info(one, place) for one in files.listed(place.path)]

    def _names(self, place: Place, shown: str) -> list[dict[str, Any]]:
        registry, lock = self._at(place)
        with lock:
            words, versions = names_below(registry, place.entry)
            areas = [] if place.remote else [f"{entry}@{self.staging}" for entry in staged(registry)]
        above = f"{place.entry}/" if place.entry else ""
        waiting = {name.removeprefix(above) for name in areas if name.startswith(above)}
        names = {*words, *versions, *(name for name in waiting if "/" not in name)}
        names |= {name.partition("/")[0] for name in waiting if "/" in name}
        if not names and place.entry:
            raise self._missing(place, shown)
        return [_directory(f"{shown.rstrip('/')}/{name}") for name in sorted(names)]

    def _missing(self, place: Place, shown: str) -> NotFoundError:
        """Return the error about a path that names nothing; perhaps a version was forgotten in it."""
        registry, lock = self._at(place)
        with lock:
            entry = entry_above(registry, place.entry)
        if not entry:
            return NotFoundError("path_not_found", f"there is no {shown}", fix=f"{shown}@latest, if it is an entry")
        path = place.entry.removeprefix(entry).lstrip("/")
        fix = str(self.unstrip_protocol(place._replace(entry=entry, selector="latest").below(path)))
        return NotFoundError("path_not_found", f"there is no {shown}: say which version of {entry}", fix=fix)

    def info(self, path: str, **options: Any) -> dict[str, Any]:
        """Return name, type, size, and of a file of a version its id."""
        shown = self._strip_protocol(path)
        place = place_of(shown)
        with _told_as_system_errors(shown):
            if not place.selector:
                self._ls(place, shown)
                return _directory(shown)
            if local := self._area(place):
                return self._renamed(self._local.info(local), local, place)
            return _info(self._files(place).find(place.path), place)

    def find(
        self, path: str, maxdepth: int | None = None, withdirs: bool = False, detail: bool = False, **options: Any
    ) -> Any:
        """Return all files below a path; of a version in one pass."""
        place = place_of(self._strip_protocol(path))
        if maxdepth is not None or withdirs or not place.selector or self._area(place):
            return super().find(path, maxdepth=maxdepth, withdirs=withdirs, detail=detail, **options)
        with _told_as_system_errors(path):
            try:
                infos = [_info(file, place) for file in self._files(place).below(place.path)]
            except NotFoundError:
                infos = []
        return {info["name"]: info for info in infos} if detail else [info["name"] for info in infos]

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        shown = self._strip_protocol(path)
        place = place_of(shown)
        with _told_as_system_errors(shown):
            if mode == "rb" and self._area(place) is None:
                if not place.selector:
                    self._names(place, shown)
                    raise IsADirectoryError(errno.EISDIR, "it is a directory", shown)
                return self._readable(place).open(place.path)
            local, _ = self._writable(shown)
            if mode == "rb" and Path(local).is_dir():
                raise IsADirectoryError(errno.EISDIR, "it is a directory", shown)
            return self._local.open(local, mode, autocommit=options.get("autocommit", True))

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **options: Any) -> bytes:
        """Return the bytes of a file, or of a range of it; negative places count from its end."""
        with self.open(path) as file, _told_as_system_errors(path):
            if start is None and end is None:
                return bytes(file.read())
            size = file.seek(0, os.SEEK_END)
            first, last, _ = slice(start, end).indices(size)
            file.seek(first)
            return bytes(file.read(max(0, last - first)))

    def checksum(self, path: str) -> int:
        """Return a number that is another one if the bytes are."""
        return int(tokenize(self.ukey(path)), 16)

    def ukey(self, path: str) -> str:
        """Return the id of the content of a file, which tells caches whether it is the same."""
        info = self.info(path)
        return str(info.get("id") or tokenize(info))

    def created(self, path: str) -> datetime:
        """Return when the version of a file was registered."""
        return self.modified(path)

    def modified(self, path: str) -> datetime:
        """Return when a file last changed: for a version, when it was registered."""
        shown = self._strip_protocol(path)
        place = place_of(shown)
        with _told_as_system_errors(shown):
            if local := self._area(place):
                return self._local.modified(local)  # type: ignore[no-any-return]  # fsspec has no types
            return datetime.fromisoformat(self._files(place).time)

    def pin(self, path: str) -> str:
        """Return a path with its version in place of a tag: what is read there never changes.

        Args:
            path: `mlreg:///data/train@golden/x.parquet`, or of the whole version.
        """
        place = place_of(self._strip_protocol(path))
        with _told_as_system_errors(path):
            target = self._files(place).target
        return str(self.unstrip_protocol(place._replace(selector=target.version).below(place.path)))

    def invalidate_cache(self, path: str | None = None) -> None:
        """Forget what is open; versions do not change, so only a repository that was made anew needs it."""
        super().invalidate_cache(path)
        if path is None:
            self._forget()
            _opened_at.cache_clear()

    # Writing what waits.

    def commit(
        self,
        path: str,
        version: str = "",
        *,
        bump: str = "",
        metadata: Mapping[str, Any] | None = None,
        inputs: Inputs = (),
        message: str = "",
        tags: Iterable[str] = (),
    ) -> VersionInfo:
        """Register what waits as the next version of its entry, after which it waits no longer.

        Args:
            path: `mlreg:///data/train@staging`.
            version: its name; by default the next one.
            bump: instead of a version.
            metadata: JSON values.
            inputs: (role, ref).
            message: why.
            tags: set in the same step.

        Raises:
            MlregError: as `mlreg add` does.
        """
        _, place = self._writable(path)
        registry, lock = self._at(place)
        with lock:
            return commit_area(
                registry,
                place.entry,
                version=version,
                bump=bump,
                metadata=metadata,
                inputs=inputs,
                message=message,
                tags=tags,
            )

    def mkdir(self, path: str, create_parents: bool = True, **options: Any) -> None:
        """Make a directory where files wait."""
        with _told_as_system_errors(path):
            self._local.mkdir(self._writable(path)[0], create_parents=create_parents)

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Make a directory and those above it where files wait; one that is there may be anywhere."""
        if exist_ok and self.isdir(path):
            return
        with _told_as_system_errors(path):
            self._local.makedirs(self._writable(path)[0], exist_ok=exist_ok)

    def rmdir(self, path: str) -> None:
        """Remove an empty directory where files wait."""
        with _told_as_system_errors(path):
            self._local.rmdir(self._writable(path)[0])

    def rm_file(self, path: str) -> None:
        """Remove a file, or an empty directory, where files wait."""
        with _told_as_system_errors(path):
            local, _ = self._writable(path)
            if self._local.isdir(local):
                self._local.rmdir(local)
            else:
                self._local.rm_file(local)

    def cp_file(self, path1: str, path2: str, **options: Any) -> None:
        """Copy a file to where files wait, from there or from a version; of a directory only itself."""
        if self.isdir(path1):
            self.makedirs(path2, exist_ok=True)
            return
        with self.open(path1, "rb") as source, self.open(path2, "wb") as target:
            while data := source.read(self.blocksize):
                target.write(data)

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **options: Any) -> None:
        """Write a file where files wait."""
        with self.open(path, "xb" if mode == "create" else "wb") as file:
            file.write(value)

    def _renamed(self, info: Mapping[str, Any], local: str, place: Place) -> dict[str, Any]:
        """Return what is known of a local path under the name it has here."""
        return {**info, "name": place.below(place.path) + str(info["name"]).removeprefix(local)}


def _again(cls: type[MlregFileSystem], repository: str, staging: str, directory: str) -> MlregFileSystem:
    return cls(repository=repository, staging=staging, directory=directory)


def _directory(name: str) -> dict[str, Any]:
    return {"name": name, "size": 0, "type": "directory"}


def _info(found: File | Folder, place: Place) -> dict[str, Any]:
    name = place.below(found.path)
    if isinstance(found, Folder):
        return _directory(name)
    executable = found.mode is Mode.EXECUTABLE
    return {"name": name, "size": found.size, "type": "file", "id": str(found.id), "executable": executable}
