"""Files on a disk: found below what was named, in the order of their paths, with what the system says of each."""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from mlreg.codecs.codec import Buffer
from mlreg.errors import NotFoundError, RefusedError, UsageError, unreadable
from mlreg.formats.paths import check_path
from mlreg.formats.tree import Mode
from mlreg.ids import ContentId
from mlreg.operations.selecting import IGNORE_FILE, Patterns, Selection

OWN_DIRECTORY = ".mlreg"
OWN = (OWN_DIRECTORY, IGNORE_FILE)
"""Names of what is no part of a version."""
NO_PATTERNS = Patterns()

_STAMP = struct.Struct("<5Q")
STAMP_SIZE = _STAMP.size
_MASK = (1 << 64) - 1


class Stored(NamedTuple):
    """What a file holds that the repository has already."""

    id: ContentId
    size: int


class Source(NamedTuple):
    """One file that wants to become part of a version."""

    path: str
    """Where it stands in the tree."""
    content: str | Path | Callable[[], Iterable[Buffer]] | Stored
    """A file on disk, what yields its bytes, or what need not be read."""
    mode: Mode = Mode.FILE
    stamp: bytes = b""
    """What `stamp_of` says of a file when it was found; empty if it is not from a disk."""


def named_path(path: str | Path) -> Path:
    """Return a path that someone wrote.

    Raises:
        UsageError: `empty_path`: it would be the present directory, and was probably a variable that is not set.
    """
    if path == "":
        raise UsageError("empty_path", "the path is empty", fix="write . for this directory")
    return Path(path)


def sources_below(paths: Iterable[Path], patterns: Patterns = NO_PATTERNS) -> list[Source]:
    """Return the files that one or several paths stand for; those of each path in the order of their places.

    A single directory stands for what is in it; a single file, or each of several paths, for itself
    under its own name. A link to a file stands for that file; the directory `.mlreg` is passed over, and what
    the file `.mlregignore` of a directory that was named says.

    Args:
        paths: that someone named.
        patterns: of the files that are meant, by their places in the tree.

    Raises:
        UsageError: `bad_pattern`.
        NotFoundError: `file_missing`.
        RefusedError: `special_file` (a device, a pipe, a link to a directory); `unsafe_path`, of a directory.
        UsageError: `nothing_to_add`.
    """
    named, selection = list(paths), Selection(patterns)
    found: list[Source] = []
    ignoring: list[Path] = []
    for path in named:
        absolute = path.absolute()
        status = _status(absolute)
        place = "" if len(named) == 1 else absolute.name
        if stat.S_ISDIR(status.st_mode) and not (place and absolute.is_symlink()):
            ignored = _ignored(absolute)
            ignoring.extend([path / IGNORE_FILE] if ignored else [])
            found.extend(_below(str(absolute), place, (selection, ignored) if ignored else (selection,), len(place)))
        elif selection.takes(absolute.name):
            found.append(_source(str(absolute), absolute.name, status))
    if not found:
        raise _nothing(named, [*(["the patterns"] if any(patterns) else []), *map(str, ignoring)])
    return found


def _nothing(named: Sequence[Path], choosing: Sequence[str]) -> UsageError:
    why = f"{' and '.join(choosing)} leave{'s' * (choosing[0] != 'the patterns')} nothing" if choosing else ""
    return UsageError(
        "nothing_to_add",
        f"there is no file in {', '.join(map(str, named)) or 'nothing'}",
        why=why,
        fix="check the path, and the patterns",
    )


def _ignored(directory: Path) -> Selection | None:
    """Return what the ignore file of a directory leaves in; None if it has none.

    Raises:
        UsageError: `bad_pattern`, also of a file that is no text.
    """
    path = directory / IGNORE_FILE
    try:
        return Selection.of_file(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("bad_pattern", f"{path} cannot be read", why=str(error), fix="mend or remove it") from error


def _below(directory: str, place: str, selections: Sequence[Selection], top: int) -> Iterator[Source]:
    """Yield the files of a directory; `top` is where their places begin as the ignore file has them."""
    if place:
        check_path(place)  # which also bounds how deep this goes
    for entry in _entries(directory):
        name = f"{place}/{entry.name}" if place else entry.name
        if entry.is_dir(follow_symlinks=False):
            if _all(selections, Selection.enters, name, top):
                yield from _below(entry.path, name, selections, top)
        elif _all(selections, Selection.takes, name, top):
            yield _source(entry.path, name, _status(entry))


def _all(selections: Sequence[Selection], question: Callable[[Selection, str], bool], name: str, top: int) -> bool:
    own, *ignored = selections
    return question(own, name) and all(question(one, name[top:].lstrip("/")) for one in ignored)


def _entries(directory: str) -> list[os.DirEntry[str]]:
    """Return what is in a directory, in the order in which the paths of all files below come."""
    try:
        with os.scandir(directory) as entries:
            return sorted((entry for entry in entries if entry.name not in OWN), key=_order)
    except OSError as error:
        raise unreadable(error, directory) from error


def _order(entry: os.DirEntry[str]) -> str:
    return f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name


def _status(file: Path | os.DirEntry[str]) -> os.stat_result:
    try:
        return file.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        path = Path(file)
        if path.is_symlink():
            why = f"it is a link to {path.readlink()}, and there is nothing there"
            raise NotFoundError("file_missing", f"{path} cannot be read", why=why, fix="mend or remove it") from error
        raise NotFoundError("file_missing", f"{path} does not exist", fix="check the spelling") from error
    except OSError as error:
        raise unreadable(error, os.fspath(file)) from error


def _source(path: str, place: str, status: os.stat_result) -> Source:
    mode = status.st_mode
    if not stat.S_ISREG(mode):
        raise RefusedError(
            "special_file",
            f"{path} is neither a file nor a directory",
            why="a device, a pipe, a socket or a link to a directory cannot be kept",
            fix="leave it out, or name the files to add one by one",
        )
    return Source(place, path, Mode.EXECUTABLE if mode & stat.S_IXUSR else Mode.FILE, stamp_of(status))


def stamp_of(status: os.stat_result) -> bytes:
    """Return what a system says of a file: another one, or one that was written to, has another stamp."""
    values = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev)
    return _STAMP.pack(*[value & _MASK for value in values])


def size_in(stamp: bytes) -> int:
    """Return the bytes of a file."""
    size, _, _, _, _ = _STAMP.unpack(stamp)
    return int(size)


def changed_in(stamp: bytes) -> int:
    """Return when a file was changed last, its bytes or its name: nanoseconds since 1970."""
    _, modified, changed, _, _ = _STAMP.unpack(stamp)
    return int(max(modified, changed))
