"""Files out: a tree is written below a directory, and nothing outside it is touched.

Every component of a path is opened without following links, each file is complete and verified
under a temporary name before it takes the place of what was there, and files that are right already
are left alone, their times included.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from blake3 import blake3

from mlreg.errors import AccessError, MlregError, NotFoundError, RefusedError, UnsupportedError, explain
from mlreg.formats.identity import KEY
from mlreg.formats.paths import RESERVED, check_tree_paths
from mlreg.formats.tree import File, Mode
from mlreg.repository.repository import Repository, read_identity
from mlreg.stores.directory import DirectoryStore, make_directory

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
READ_SIZE = 1024 * 1024
KEPT = ("packs", "log", "snapshots", "remotes")
"""Directories of a repository."""
FLUSH_SIZE = 64 * 1024 * 1024
"""Bytes of a large file after which the kernel is told to write them out."""

Report = Callable[[int], None]


class Written(NamedTuple):
    """What a checkout did."""

    written: int
    """Files."""
    unchanged: int
    """Files that were right already."""
    removed: int
    """Files that were not part of the version."""
    size: int
    """Bytes written."""


def checkout(repository: Repository, files: Iterable[File], target: Path, report: Report) -> Written:
    """Make the files below `target` equal to `files`; what else is there stays.

    Raises:
        IntegrityError: `object_missing`, `object_damaged`, `content_mismatch`.
        RefusedError: `unsafe_path`, `colliding_paths`, `target_not_a_directory`, `in_the_way`,
            `target_is_a_repository`.
        AccessError, NoSpaceError: from the file system.
    """
    wanted = list(files)
    # All of them, before the first byte is written.
    check_tree_paths(file.path for file in wanted)
    _refuse_repository(target)
    changed: set[str] = set()
    written = unchanged = size = 0
    with _explained(target):
        root = _open_root(target)
        try:
            for file in wanted:
                with _directory(root, file.path) as (directory, name):
                    if _is_right(directory, name, file):
                        unchanged += 1
                    else:
                        _write(repository, file, directory, name)
                        changed.update(map(str, PurePosixPath(file.path).parents))
                        written += 1
                        size += file.size
                report(file.size)
            _flush(root, changed)
        finally:
            os.close(root)
    return Written(written, unchanged, 0, size)


def survey(files: Iterable[File], target: Path) -> Written:
    """Return what `checkout` would do; nothing is written.

    Raises:
        RefusedError: as `checkout`.
        AccessError: from the file system.
    """
    wanted = list(files)
    check_tree_paths(file.path for file in wanted)
    _refuse_repository(target)
    with _explained(target):
        right = {file.path for file in wanted if target.exists() and _is_there(target, file)}
    written = [file.size for file in wanted if file.path not in right]
    return Written(len(written), len(right), 0, sum(written))


def _is_there(target: Path, file: File) -> bool:
    root = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with _directory(root, file.path, _open_below) as (directory, name):
            _refuse_directory(directory, name)
            return _is_right(directory, name, file)
    except FileNotFoundError:
        return False
    finally:
        os.close(root)


def _refuse_repository(target: Path) -> None:
    """Refuse a target among whose files are those of a repository; a directory of its own in one is none."""
    absolute = target.absolute()
    for place in (absolute, *absolute.parents):
        below = absolute.relative_to(place).parts
        is_project = place.name == RESERVED
        if (is_project or not below or below[0] in KEPT) and _is_repository(place):
            raise RefusedError(
                "target_is_a_repository",
                f"{target} is in a repository",
                why="files of a version there could take the place of what the repository keeps",
                fix="name another directory",
            )


def _is_repository(place: Path) -> bool:
    """Tell whether a directory is a repository, and not only has a file of that name."""
    try:
        read_identity(DirectoryStore(place))
    except UnsupportedError:
        return True
    except MlregError:
        return False
    return True


def _flush(root: int, directories: Iterable[str]) -> None:
    """Make the names of files and directories below the root survive a power cut."""
    for path in sorted(directories):
        with _directory(root, "x" if path == "." else f"{path}/x") as (directory, _):
            os.fsync(directory)


def remove_strays(files: Iterable[File], target: Path) -> int:
    """Delete the files below `target` that are not among `files`, but no repository; return how many there were."""
    found = strays(files, target)
    with _explained(target):
        for path in found:
            root = _open_root(target)
            try:
                with _directory(root, path) as (directory, name):
                    os.unlink(name, dir_fd=directory)
            finally:
                os.close(root)
    return len(found)


def strays(files: Iterable[File], target: Path) -> list[str]:
    """Return the files below `target` that are not among `files`; those of repositories do not count."""
    _refuse_repository(target)
    wanted = {file.path for file in files}
    return [path for path in _files_below(target) if path not in wanted]


def _files_below(target: Path) -> Iterator[str]:
    """Yield the files and links below a directory; a repository is passed over, with everything in it."""
    for directory, below, names in os.walk(target, followlinks=False):
        if KEY in names and _is_repository(Path(directory)):
            below.clear()
            continue
        below[:] = [name for name in below if name != RESERVED]
        links = [name for name in below if Path(directory, name).is_symlink()]
        for name in (*names, *links):
            yield Path(directory, name).relative_to(target).as_posix()


def _open_root(target: Path) -> int:
    try:
        make_directory(target)
    except NotFoundError as error:
        raise NotADirectoryError(str(target)) from error
    # The target itself may be a link: the user named it. What is below may not.
    return os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


@contextmanager
def _directory(root: int, path: str, enter: Callable[[int, str], int] | None = None) -> Iterator[tuple[int, str]]:
    """Open the directory a file belongs in, and yield it with the file's name.

    Args:
        root: where the path begins.
        path: of the file.
        enter: opens a directory; by default it is made if need be.
    """
    *parents, name = path.split("/")
    current = os.dup(root)
    try:
        for parent in parents:
            below = (enter or _enter)(current, parent)
            os.close(current)
            current = below
        yield current, name
    finally:
        os.close(current)


def _enter(directory: int, name: str) -> int:
    with suppress(FileExistsError):
        os.mkdir(name, 0o777, dir_fd=directory)
    return _open_below(directory, name)


def _open_below(directory: int, name: str) -> int:
    try:
        return os.open(name, _DIRECTORY, dir_fd=directory)
    except NotADirectoryError as error:
        raise RefusedError(
            "in_the_way", f"{name} is in the way: a directory is needed there", fix="move it, then do it again"
        ) from error


def _is_right(directory: int, name: str, file: File) -> bool:
    """Tell whether the file is there with the right bytes and mode; never opens anything but a plain file."""
    try:
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(status.st_mode) or status.st_size != file.size or status.st_nlink > 1:
        return False
    if bool(status.st_mode & stat.S_IXUSR) != (file.mode is Mode.EXECUTABLE):
        return False
    fd = os.open(name, _READ, dir_fd=directory)
    try:
        hasher = blake3()
        while data := os.read(fd, READ_SIZE):
            hasher.update(data)
    finally:
        os.close(fd)
    return hasher.digest() == file.id


def _write(repository: Repository, file: File, directory: int, name: str) -> None:
    """Write one file under a temporary name, verify it, and give it its own."""
    _refuse_directory(directory, name)
    temporary = f".{name[:40]}.mlreg-{os.urandom(6).hex()}"
    mode = 0o777 if file.mode is Mode.EXECUTABLE else 0o666
    fd = os.open(temporary, _WRITE, mode, dir_fd=directory)
    try:
        try:
            _fill(repository, file, fd)
            os.fsync(fd)
        finally:
            os.close(fd)
        # Replaces a link or one name of a linked file; never writes through it.
        os.replace(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=directory)
        raise


def _fill(repository: Repository, file: File, fd: int) -> None:
    written = flushed = 0
    for data in repository.objects.read_whole(file.id, file.size):
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        written += len(data)
        if written - flushed >= FLUSH_SIZE:
            _flush_early(fd, written)
            flushed = written


def _flush_early(fd: int, written: int) -> None:
    """Let the disk begin while the next pieces are decoded, and take pages again instead of ever new ones.

    Measured on 2 GB: 1.6 s instead of 4.1, most of which the kernel spent on finding memory.
    """
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(fd, 0, written, os.POSIX_FADV_DONTNEED)


def _refuse_directory(directory: int, name: str) -> None:
    try:
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)):
        raise RefusedError(
            "in_the_way", f"{name} is in the way: a file is to be written there", fix="move it, then do it again"
        )


@contextmanager
def _explained(target: Path) -> Iterator[None]:
    try:
        yield
    except MlregError:
        raise
    except (FileExistsError, NotADirectoryError) as error:
        raise RefusedError("target_not_a_directory", f"{target} is not a directory", fix="name another one") from error
    except OSError as error:
        problem = explain(error, str(target))
        raise problem if problem.exit_status != 4 else AccessError("access_denied", str(target)) from error
