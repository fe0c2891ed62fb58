"""Safe paths inside a tree: what may be written out on any system without leaving the target.

Format page: `docs/format/paths.md`. The rules of POSIX, Windows and macOS hold everywhere, so that
what was added on one system can be written out on every other. Nothing is normalised: a path is
kept as it was given, or refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, lru_cache
from itertools import pairwise

from mlreg.errors import IntegrityError, RefusedError
from mlreg.formats.names import Rule, fault, is_device, quoted

MAX_PATH_BYTES = 4096
"""UTF-8 bytes of a path."""
MAX_COMPONENT_BYTES = 255
"""UTF-8 bytes of a component: what ext4, APFS and NTFS hold."""
MAX_DEPTH = 128
"""Components of a path."""

RESERVED = ".mlreg"
"""The directory a repository lies in; no tree may write into one."""

# Control, format, surrogate and private characters, and the two line ends of Unicode.
_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})

_REMEMBERED = 1024
"""Components whose verdict is kept: neighbours in a tree share their directories."""

# HFS+ does not see these in a name: `.ml<U+200C>reg` is `.mlreg` there.
_HFS_IGNORABLE = dict.fromkeys([*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF])


def check_path(path: str) -> None:
    """Refuse a path that is not safe inside a tree, by the rules of every system at once.

    A path has at most 4,096 bytes and 128 components of at most 255 bytes, with `/` between.

    Raises:
        RefusedError: `unsafe_path`, with the rule it breaks.
    """
    if len(path) <= MAX_PATH_BYTES and path.count("/") < MAX_DEPTH and _plain().fullmatch(path):
        return
    if reason := _path_fault(path):
        raise RefusedError("unsafe_path", f"the path {quoted(path)} is not safe", why=reason, fix="rename the file")


@cache
def _plain() -> re.Pattern[str]:
    """Match only safe paths, and most of them; the others take the slow way through the rules."""
    character = r"[!-\-0-9;-\[\]-}]"  # printable ASCII, without . / : \ ~ and the space
    no_device = r"(?!(?i:con(?:in|out)?|prn|aux|nul|com[0-9]|lpt[0-9])\b)"
    component = rf"{no_device}{character}(?:(?:{character}|[. ]){{0,253}}{character})?"
    return re.compile(f"{component}(?:/{component})*")


def _path_fault(path: str) -> str:
    components = path.split("/") if len(path) <= MAX_PATH_BYTES else []
    if not 1 <= len(components) <= MAX_DEPTH:
        return f"a path has at most {MAX_PATH_BYTES} bytes and {MAX_DEPTH} components"
    for component in components:
        if reason := _component_fault(component):
            return reason
    # Only now: a lone surrogate has no UTF-8.
    return "" if len(path.encode()) <= MAX_PATH_BYTES else f"a path has at most {MAX_PATH_BYTES} bytes"


@lru_cache(_REMEMBERED)
def _component_fault(component: str) -> str:
    return fault(component, _COMPONENT)


def _has_unsafe_character(component: str) -> bool:
    if component.isprintable():
        return False
    from unicodedata import category

    return any(category(character) in _UNSAFE_CATEGORIES for character in component)


def _is_reserved(component: str) -> bool:
    """Tell whether some system reads the component as `.mlreg`, or as nothing but dots."""
    key = fold(component)
    # NTFS gives `.mlreg` a short name of the form `MLREG~1`.
    return key in ("", RESERVED) or (key.startswith("mlreg~") and key[6:].isdigit())


_COMPONENT: tuple[Rule, ...] = (
    (lambda c: c in ("", ".", ".."), "a path is relative, and has no empty, '.' or '..' component"),
    (lambda c: "\\" in c, "'\\' separates components on Windows"),
    (lambda c: ":" in c, "':' follows a drive and precedes a stream on Windows"),
    (_has_unsafe_character, "it has a control, invisible or private character, or is not UTF-8"),
    (lambda c: c[0] == " " or c[-1] in " .", "Windows drops a space or a dot at the end, and shells one in front"),
    (lambda c: len(c.encode()) > MAX_COMPONENT_BYTES, f"a component has at most {MAX_COMPONENT_BYTES} bytes"),
    # The key also turns the superscript digits, which Windows accepts in COM1, into plain ones.
    (lambda c: is_device(fold(c)), "it is the name of a device on Windows"),
    (_is_reserved, f"some system reads it as '{RESERVED}', where a repository lies, or as nothing but dots"),
)


def fold(path: str) -> str:
    """Return the key that two paths share if any system may take them for one place.

    It knows the letter cases, the compositions of accents and compatibility forms of Unicode, what
    HFS+ ignores, and the dots and spaces that Windows drops. `fold(fold(p)) == fold(p)`.
    """
    return "/".join(map(_fold_component, path.split("/")))


@lru_cache(_REMEMBERED)
def _fold_component(component: str) -> str:
    if component.isascii():
        return component.lower().rstrip(" .")
    from unicodedata import normalize

    visible = normalize("NFC", component).translate(_HFS_IGNORABLE)
    # Folding the case can undo a composition, so that it is followed by another.
    folded = normalize("NFKC", normalize("NFKC", visible).casefold())
    # No system reads a wide solidus as a separator, and so the key must not.
    return folded.replace("/", "\uff0f").rstrip(" .")


def check_tree_paths(paths: Iterable[str]) -> None:
    """Refuse a list of paths that is not one tree of files on every system.

    Args:
        paths: in the order of their UTF-8 bytes, each once. All are held in memory.

    Raises:
        RefusedError: `unsafe_path`; `colliding_paths`, two that fold to one place, in whole or in a
            directory, or a file where another path has a directory.
        IntegrityError: `unsorted_tree`.
    """
    known: list[str] = []
    last = ""
    for path in paths:
        check_path(path)
        # Code points and their UTF-8 bytes have one order; surrogates, the exception, are refused.
        if path <= last:
            raise _unsorted(last, path)
        known.append(path)
        last = path
    # With the separator below every other character, whatever may collide becomes neighbours.
    known.sort(key=_place)
    for one, other in pairwise(known):
        if _collide(one, other):
            raise _colliding(one, other)


def _place(path: str) -> str:
    """Return the key of a checked path, which has no component that ends in a space or a dot."""
    return (path.lower() if path.isascii() else fold(path)).replace("/", "\0")


def _collide(one: str, other: str) -> bool:
    for mine, its in zip(one.split("/"), other.split("/"), strict=False):
        if mine != its:
            return fold(mine) == fold(its)
    return True  # one is a file where the other has a directory


def _unsorted(last: str, path: str) -> IntegrityError:
    return IntegrityError(
        "unsorted_tree",
        f"in a tree, the path {quoted(path)} stands behind {quoted(last)}",
        why="paths are in the order of their UTF-8 bytes, each once",
    )


def _colliding(one: str, other: str) -> RefusedError:
    return RefusedError(
        "colliding_paths",
        f"the paths {quoted(one)} and {quoted(other)} cannot lie side by side on every system",
        why="they differ only in what macOS or Windows ignores, or one is a file where the other has a directory",
        fix="rename one of them",
    )
