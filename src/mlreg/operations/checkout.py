"""Files out: a tree is written below a directory, and nothing outside it is touched.

Every component of a path is opened without following links, each file is complete and verified
under a temporary name before it takes the place of what was there, and files that are right already
are left alone, their times included.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from blake3 import blake3

from mlreg.errors import AccessError, MlregError, NotFoundError, RefusedError, UnsupportedError, explain
from mlreg.formats.identity import KEY
from mlreg.formats.pack import Sort
from mlreg.formats.paths import RESERVED, check_tree_paths
from mlreg.formats.tree import File, Mode
from mlreg.operations.placing import Place, Placing
from mlreg.repository.objects import LIKELY_WHOLE
from mlreg.repository.repository import Repository, read_identity
from mlreg.stores.directory import DirectoryStore, make_directory

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
READ_SIZE = 1024 * 1024
AHEAD = 500
"""Files whose places are found in one go."""
KEPT = ("packs", "log", "snapshots", "remotes")
"""Directories of a repository."""

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
    written = unchanged = size = 0
    inner = _inner_directories(wanted)
    with _explained(target), _root(target) as root, Placing(root, partial(_opened, root)) as placing:
        for directory, group in groupby(_found_ahead(repository, wanted), key=_directory_of):
            with placing.directory(directory, is_last=directory not in inner) as place:
                for file in group:
                    name = file.path.rpartition("/")[2]
                    if _keeps(place, name, file):
                        unchanged += 1
                    else:
                        placing.write(place, name, file.mode, repository.objects.read_whole(file.id, file.size))
                        written += 1
                        size += file.size
                    report(file.size)
        placing.finish()
    return Written(written, unchanged, 0, size)


def _found_ahead(repository: Repository, files: Sequence[File]) -> Iterator[File]:
    """Yield files; where the small ones among the next lie is found in one go."""
    for start in range(0, len(files), AHEAD):
        some = files[start : start + AHEAD]
        repository.objects.look_ahead(Sort.PIECE, [file.id for file in some if file.size <= LIKELY_WHOLE])
        yield from some


def _directory_of(file: File) -> str:
    return file.path.rpartition("/")[0]


def _inner_directories(files: Iterable[File]) -> set[str]:
    """Return the root, and the directories that have others in them."""
    found = {""}
    for directory in {_directory_of(file) for file in files}:
        above = directory.rpartition("/")[0]
        while above not in found:
            found.add(above)
            above = above.rpartition("/")[0]
    return found


def _keeps(place: Place, name: str, file: File) -> bool:
    """Tell whether a file is right as it is."""
    if place.is_new:
        return False
    status = _status(place.descriptor, name)
    if _is_right(place.descriptor, name, file, status):
        return True
    _refuse_special(name, status)
    return False


@contextmanager
def _opened(root: int, directory: str) -> Iterator[int]:
    """Open a directory below the root by its path, empty for the root; it is made if need be."""
    with _directory(root, f"{directory}/x" if directory else "x") as (there, _):
        yield there


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
            status = _status(directory, name)
            _refuse_special(name, status)
            return _is_right(directory, name, file, status)
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


def remove_strays(files: Iterable[File], target: Path) -> int:
    """Delete the files below `target` that are not among `files`, but no repository; return how many there were."""
    found = strays(files, target)
    with _explained(target), _root(target) as root:
        for path in found:
            with _directory(root, path) as (directory, name):
                os.unlink(name, dir_fd=directory)
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


@contextmanager
def _root(target: Path) -> Iterator[int]:
    try:
        make_directory(target)
    except NotFoundError as error:
        raise NotADirectoryError(str(target)) from error
    # The target itself may be a link: the user named it. What is below may not.
    root = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield root
    finally:
        os.close(root)


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


def _status(directory: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _is_right(directory: int, name: str, file: File, status: os.stat_result | None) -> bool:
    """Tell whether the file is there with the right bytes and mode; never opens anything but a plain file."""
    if status is None or not stat.S_ISREG(status.st_mode) or status.st_size != file.size or status.st_nlink > 1:
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


def _refuse_special(name: str, status: os.stat_result | None) -> None:
    if status and not (stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)):
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
