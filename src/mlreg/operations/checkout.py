"""Files out: a tree is written below a directory, and nothing outside it is touched.

Every component of a path is opened without following links, each file is complete and verified
under a temporary name before it takes the place of what was there, and files that are right already
are left alone, their times included.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from enum import Enum
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from blake3 import blake3

from mlreg.errors import MlregError, NotFoundError, RefusedError, UnsupportedError, explain, unreadable
from mlreg.formats.identity import KEY
from mlreg.formats.pack import Sort
from mlreg.formats.paths import RESERVED, check_tree_paths
from mlreg.formats.tree import File, Mode
from mlreg.ids import ContentId
from mlreg.operations.placing import Place, Placing
from mlreg.repository.objects import LIKELY_WHOLE, Objects
from mlreg.repository.repository import Repository, read_identity
from mlreg.stores.directory import DirectoryStore, make_directory

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
READ_SIZE = 1024 * 1024
AHEAD = 500
"""Files whose places are found in one go."""
KEPT = ("packs", "log", "snapshots", "remotes")
"""Directories of a repository."""
NOT_STRAY = (RESERVED, ".git")
"""Names of what is never removed: it has a history of its own."""

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


def checkout(
    repository: Repository, files: Iterable[File], target: Path, report: Report, right: Collection[str] = ()
) -> Written:
    """Make the files below `target` equal to `files`; what else is there stays.

    Args:
        repository: that has them.
        files: in the order of a tree.
        target: made if it is not there.
        report: told about progress, in bytes.
        right: paths of files that were just found as they should be, and need not be read again.

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
                    if file.path in right or _keeps(place, name, file):
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


class Survey(NamedTuple):
    """What is there, before a checkout."""

    right: frozenset[str]
    """Paths of files that are as they should be."""
    own: tuple[str, ...]
    """Paths of files that would be replaced, and whose bytes the repository does not have."""


def survey(repository: Repository, files: Iterable[File], target: Path) -> Survey:
    """Look at what a checkout would find; nothing is written.

    Raises:
        RefusedError: as `checkout`.
        AccessError: from the file system.
    """
    wanted = list(files)
    check_tree_paths(file.path for file in wanted)
    _refuse_repository(target)
    states: dict[_State, list[str]] = {state: [] for state in _State}
    with _explained(target):
        if target.exists():
            for path, state in _states(repository.objects, wanted, target):
                states[state].append(path)
    return Survey(frozenset(states[_State.RIGHT]), tuple(states[_State.OWN]))


class _State(Enum):
    """What is where a file belongs."""

    RIGHT = "the file"
    OPEN = "nothing, or what can be had again"
    OWN = "bytes that the repository does not have"


def _states(objects: Objects, files: Iterable[File], target: Path) -> Iterator[tuple[str, _State]]:
    root = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for directory, group in groupby(files, key=_directory_of):
            with ExitStack() as leave:
                try:
                    place, _ = leave.enter_context(_directory(root, f"{directory}/x".lstrip("/"), _open_below))
                except FileNotFoundError:
                    continue
                for file in group:
                    yield file.path, _state(objects, place, file)
    finally:
        os.close(root)


def _state(objects: Objects, directory: int, file: File) -> _State:
    name = file.path.rpartition("/")[2]
    status = _status(directory, name)
    _refuse_special(name, status)
    content = _content_at(directory, name, status)
    if status is None or content is None:
        return _State.OPEN
    if content == file.id:
        return _State.RIGHT if _is_alike(file, status) else _State.OPEN
    return _State.OWN if _would_be_lost(objects, status, content) else _State.OPEN


def _content_at(directory: int, name: str, status: os.stat_result | None) -> ContentId | None:
    """Return what a plain file holds; None if there is none, or it has vanished since."""
    if status is None or not stat.S_ISREG(status.st_mode):
        return None
    try:
        return _content_of(directory, name)
    except FileNotFoundError:
        return None


def _would_be_lost(objects: Objects, status: os.stat_result, content: ContentId) -> bool:
    """Tell whether nothing else has the bytes of a file; under its other names a linked one stays."""
    is_elsewhere = not status.st_size or status.st_nlink > 1
    return not is_elsewhere and not any(objects.has(sort, content) for sort in (Sort.PIECE, Sort.RECIPE))


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


def own_among(repository: Repository, paths: Iterable[str], target: Path) -> list[str]:
    """Return those of some files below `target` whose bytes the repository does not have."""
    objects = repository.objects
    with _explained(target), _root(target) as root:
        return [path for path in paths if _is_own(objects, root, path)]


def _is_own(objects: Objects, root: int, path: str) -> bool:
    with _directory(root, path, _open_below) as (directory, name):
        status = _status(directory, name)
        content = _content_at(directory, name, status)
        return status is not None and content is not None and _would_be_lost(objects, status, content)


def _files_below(target: Path) -> Iterator[str]:
    """Yield the files and links below a directory; a repository is passed over, with everything in it."""
    for directory, below, names in os.walk(target, followlinks=False):
        if KEY in names and _is_repository(Path(directory)):
            below.clear()
            continue
        below[:] = [name for name in below if name not in NOT_STRAY]
        links = [name for name in below if Path(directory, name).is_symlink()]
        for name in (name for name in (*names, *links) if name not in NOT_STRAY):
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
    return status is not None and _is_alike(file, status) and _content_of(directory, name) == file.id


def _is_alike(file: File, status: os.stat_result) -> bool:
    """Tell whether a plain file of its own is there, with the right size and mode."""
    is_own = stat.S_ISREG(status.st_mode) and status.st_nlink == 1
    is_executable = bool(status.st_mode & stat.S_IXUSR)
    return is_own and status.st_size == file.size and is_executable == (file.mode is Mode.EXECUTABLE)


def _content_of(directory: int, name: str) -> ContentId:
    fd = os.open(name, _READ, dir_fd=directory)
    try:
        hasher = blake3()
        while data := os.read(fd, READ_SIZE):
            hasher.update(data)
    finally:
        os.close(fd)
    return ContentId(hasher.digest())


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
        raise problem if problem.exit_status != 4 else unreadable(error, str(target)) from error
