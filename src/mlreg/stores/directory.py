"""A directory as a store: complete or absent, and still there after the power went.

Bytes go to a temporary file beside the key, are flushed to the disk, and then get their name by
`link(2)`, which replaces nothing. The directory is flushed before anything is reported as done. Works
on NFS: whether a link was made is decided by what is there afterwards, never by what `link` returned.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mlreg.errors import (
    AccessError,
    ConflictError,
    IntegrityError,
    MlregError,
    NotFoundError,
    UnavailableError,
    UsageError,
    explain,
)
from mlreg.stores.store import Leftover

TEMPORARY = ".tmp-"
"""Temporary files begin so; no key has a component that begins with a dot."""

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# Never writable by everyone, whatever the umask is.
_FILE_MODE, _DIRECTORY_MODE = 0o444, 0o775
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


class DirectoryStore:
    """Keys are files below `root`. See `mlreg.stores.store.Store` for what each verb promises."""

    def __init__(self, root: Path) -> None:
        """Name the place; nothing is read or made before the first verb."""
        self.root = full_path(root)
        self.url = str(self.root)

    def _path(self, key: str) -> str:
        # Keys are made from ids and numbers. This is the second line of defence, for what lies outside the root.
        if "\0" in key or any(part[:1] in ("", ".") for part in key.split("/")):
            raise UsageError("bad_key", f"not the key of anything in a store: {key!r}")
        return f"{self.url}/{key}"

    def read(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        with _translated(key, self.url):
            fd = os.open(self._path(key), _READ)
            try:
                status = os.fstat(fd)
                if not stat.S_ISREG(status.st_mode):
                    raise IntegrityError(
                        "not_a_file",
                        f"{key} in {self.url} is not a regular file",
                        fix="find out who put it there, and take it away",
                    )
                wanted = max(0, status.st_size - start)
                return _read_all(fd, start, wanted if size is None else min(size, wanted))
            finally:
                os.close(fd)

    def size(self, key: str) -> int | None:
        try:
            with _translated(key, self.url):
                return os.lstat(self._path(key)).st_size
        except NotFoundError:
            return None

    def create(self, key: str, data: bytes) -> None:
        with _translated(key, self.url), self._staged(key) as (fd, temporary):
            _write_all(fd, data)
            os.fsync(fd)
            with suppress(ConflictError):
                self._link(fd, temporary, key)
            # What a link returns is not trusted: the key says who has it.
            if self.read(key) != data:
                raise _taken(key, self.url)
            self._flush(temporary, key)

    @contextmanager
    def upload(self, key: str) -> Iterator[_FileUpload]:
        with _translated(key, self.url), self._staged(key) as (fd, temporary):
            yield _FileUpload(fd, key, self.url)
            os.fsync(fd)
            self._link(fd, temporary, key)
            self._flush(temporary, key)

    def _link(self, fd: int, temporary: str, key: str) -> None:
        """Give the temporary file its name, unless the name is taken.

        The link may be made though NFS reports that it exists: its file then has two names. It may not be
        made though Lustre reports success.
        """
        try:
            os.link(temporary, self._path(key), follow_symlinks=False)
        except OSError as error:
            if error.errno in _NO_LINKS:
                raise AccessError(
                    "no_hard_links",
                    f"the file system of {self.url} cannot make hard links",
                    why="a link is how mlreg makes sure that of two writers only one wins",
                    fix="keep the repository on a file system that has them: ext4, xfs, btrfs, zfs, APFS, NTFS, NFS",
                ) from error
            if os.fstat(fd).st_nlink < 2:
                if error.errno == errno.EEXIST:
                    raise _taken(key, self.url) from error
                raise
        found = self.size(key)
        if found is None:
            raise OSError(errno.EIO, "the link was reported as made, and is not there")
        if found != os.fstat(fd).st_size:
            raise _taken(key, self.url)

    def _flush(self, temporary: str, key: str) -> None:
        """Flush the directory in which a key has just got its name."""
        try:
            flush_directory(os.path.dirname(temporary))
        except OSError as error:
            raise UnavailableError(
                "not_durable",
                f"{key} in {self.url} is there, and may be gone after a power cut",
                why=error.strerror or "",
                fix="check the disk, then do it again",
            ) from error

    @contextmanager
    def _staged(self, key: str) -> Iterator[tuple[int, str]]:
        """Open a temporary file beside `key`; whatever happens, it is closed and gone afterwards."""
        directory = os.path.dirname(self._path(key))
        temporary = f"{directory}/{TEMPORARY}{os.urandom(8).hex()}"
        fd = -1
        # An interrupt may come as soon as the file is there.
        try:
            try:
                fd = os.open(temporary, _WRITE, _FILE_MODE)
            except FileNotFoundError:
                self._make_directory(directory)
                fd = os.open(temporary, _WRITE, _FILE_MODE)
            yield fd, temporary
        finally:
            with suppress(OSError):
                os.close(fd)
            with suppress(OSError):
                os.unlink(temporary)

    def _make_directory(self, directory: str) -> None:
        """Make a directory below the root, so that its name survives a power cut. The root must be there."""
        if not os.path.isdir(self.url):
            raise UnavailableError(
                "store_missing",
                f"{self.url} does not exist",
                why="the disk may not be mounted, or the path is misspelt",
                fix=f"mlreg init --shared {self.url}",
            )
        parent = os.path.dirname(directory)
        if not os.path.isdir(parent):
            self._make_directory(parent)
        with suppress(FileExistsError):
            os.mkdir(directory, _DIRECTORY_MODE)
        flush_directory(parent)

    def list(self, prefix: str) -> Iterator[str]:
        with _translated(prefix, self.url):
            yield from _walk(self._path(prefix.rstrip("/")), prefix if prefix.endswith("/") else prefix + "/")

    def delete(self, key: str) -> None:
        with _translated(key, self.url), suppress(FileNotFoundError):
            os.unlink(self._path(key))
            flush_directory(os.path.dirname(self._path(key)))

    def modified(self, key: str) -> float | None:
        try:
            with _translated(key, self.url):
                return os.lstat(self._path(key)).st_mtime
        except NotFoundError:
            return None

    def leftovers(self) -> Iterator[Leftover]:
        with _translated(TEMPORARY, self.url):
            for name in _temporaries(self.url):
                with suppress(FileNotFoundError):  # done in the meantime
                    status = os.lstat(f"{self.url}/{name}")
                    yield Leftover(name, status.st_size, status.st_mtime)

    def discard(self, leftover: Leftover) -> None:
        with _translated(leftover.name, self.url), suppress(FileNotFoundError):
            os.unlink(f"{self.url}/{leftover.name}")


class _FileUpload:
    def __init__(self, fd: int, key: str, url: str) -> None:
        self._fd, self._key, self._url = fd, key, url

    def write(self, data: bytes | bytearray | memoryview) -> None:
        # Here, not only around the block: the writer may hold the block open while its caller is told.
        with _translated(self._key, self._url):
            _write_all(self._fd, data)


def directory_of(url: str) -> Path:
    """Return the path that a URL of the form `file:///srv/reg`, or a plain path, names.

    Raises:
        UsageError: `bad_url`.
    """
    if not url.startswith("file:"):
        return Path(url)
    from urllib.parse import unquote, urlsplit

    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost") or parts.query or parts.fragment or not parts.path.startswith("/"):
        raise UsageError("bad_url", f"not a file URL: {url!r}", fix="write it with three slashes: file:///srv/registry")
    return Path(unquote(parts.path))


def full_path(path: Path) -> Path:
    """Return a path that means the same from everywhere.

    `..` is taken away by what it means, links included; other paths stay as they were written.
    """
    return path.resolve() if ".." in path.parts else path.absolute()


def make_directory(path: Path) -> None:
    """Make a directory and what is missing above it, so that its name survives a power cut.

    Raises:
        AccessError, NoSpaceError: from the file system.
    """
    if path.is_dir():
        return
    with _translated(path.name, str(path.parent)):
        if not path.parent.is_dir():
            make_directory(path.parent)
        with suppress(FileExistsError):
            os.mkdir(path, _DIRECTORY_MODE)
        flush_directory(str(path.parent))


def _read_all(fd: int, start: int, size: int) -> bytes:
    data = os.pread(fd, size, start)
    if len(data) == size:
        return data
    parts = [data]
    while data and (missing := size - sum(map(len, parts))):
        data = os.pread(fd, missing, start + size - missing)
        parts.append(data)
    return b"".join(parts)


def _write_all(fd: int, data: bytes | bytearray | memoryview) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def flush_directory(path: str) -> None:
    """Let the names in a directory survive a power cut."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _walk(directory: str, prefix: str) -> Iterator[str]:
    try:
        entries = [entry for entry in os.scandir(directory) if not entry.name.startswith(".")]
    except (FileNotFoundError, NotADirectoryError):
        return
    # With the slash a directory has in keys, so that the order is that of the keys.
    named = {entry.name + "/" * entry.is_dir(follow_symlinks=False): entry for entry in entries}
    for name, entry in sorted(named.items()):
        if name.endswith("/"):
            yield from _walk(entry.path, prefix + name)
        else:
            yield prefix + name


def _temporaries(root: str) -> Iterator[str]:
    """Yield the paths of temporary files below the directories of keys."""
    pending = [name for name in _subdirectories(root, "") if not name.startswith(".")]
    while pending:
        directory = pending.pop()
        pending.extend(_subdirectories(root, f"{directory}/"))
        with os.scandir(f"{root}/{directory}") as entries:
            yield from (f"{directory}/{entry.name}" for entry in entries if entry.name.startswith(TEMPORARY))


def _subdirectories(root: str, prefix: str) -> list[str]:
    with os.scandir(f"{root}/{prefix}") as entries:
        return [f"{prefix}{entry.name}" for entry in entries if entry.is_dir(follow_symlinks=False)]


def _taken(key: str, url: str) -> ConflictError:
    return ConflictError("key_exists", f"{key} exists in {url} already, with other bytes")


@contextmanager
def _translated(key: str, url: str) -> Iterator[None]:
    """Turn what the operating system reports into what the reader can do about it."""
    try:
        yield
    except MlregError:
        raise
    except OSError as error:
        raise explain(error, f"{key} in {url}") from error
