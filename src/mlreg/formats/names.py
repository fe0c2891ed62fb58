"""Legal names: of entries, tags, roles and remotes, and the ref names the log holds.

Format page: `docs/format/names.md`. A name that passes here can stand unquoted in a shell, a URL, a
ref and a makefile, can be a file name on every system, and can be read in one way only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, Self

from mlreg.errors import IntegrityError, UsageError

KIND_WORDS: Mapping[str, str] = {
    "model": "model",
    "models": "model",
    "data": "data",
    "dataset": "data",
    "datasets": "data",
    "exp": "exp",
    "experiment": "exp",
    "experiments": "exp",
}
"""Word a user may write -> kind of an entry. A new kind is a new line."""

EXPERIMENT = "exp"
"""The kind whose versions are runs."""

KINDS = frozenset(KIND_WORDS.values())

RESERVED_WORDS = frozenset(KIND_WORDS) | frozenset({"run", "runs", "deploy", "obj", "version", "tag", "remote"})
"""What no name may begin with, so that `model/x` is always a kind and a name."""

MAX_NAME_CHARS = 200
MAX_SEGMENTS = 4
MIN_SEGMENT_CHARS = 2
MAX_SEGMENT_CHARS = 64
MAX_VERSION_CHARS = 128
MIN_ID_PREFIX = 8
"""Hexadecimal digits from which on a word is read as the beginning of an id."""
MAX_ID_CHARS = 64

_DIGITS = frozenset("0123456789")
_HEX = _DIGITS | frozenset("abcdef")
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz")
_SEGMENT_CHARS = _LETTERS | _DIGITS | frozenset("._-")
_VERSION_CHARS = _LETTERS | _DIGITS | frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ+.-")
_DEVICES = frozenset({"con", "prn", "aux", "nul", "conin$", "conout$"}) | frozenset(
    f"{port}{digit}" for port in ("com", "lpt") for digit in "123456789"
)
_MOVING_WORDS = frozenset({"latest", "head"})
_SORTS: Mapping[str, Literal["version", "tag"]] = {"version": "version", "tag": "tag"}
_SHOWN_CHARS = 80

Rule = tuple[Callable[[str], bool], str]
"""What tells that a text breaks the rule, and the rule in words."""


def is_device(word: str) -> bool:
    """Tell whether Windows reads a lower-case file name as a device: `nul`, `con.txt`, `com1`."""
    return word.partition(".")[0].rstrip(" ") in _DEVICES


def is_id_prefix(text: str) -> bool:
    """Tell whether `text` is 8 to 64 lower-case hexadecimal digits."""
    return MIN_ID_PREFIX <= len(text) <= MAX_ID_CHARS and _HEX.issuperset(text)


def is_version_text(text: str) -> bool:
    """Tell whether `text` has only ASCII letters, digits, `+`, `.` and `-`, at most 128."""
    return 1 <= len(text) <= MAX_VERSION_CHARS and _VERSION_CHARS.issuperset(text)


def quoted(text: str) -> str:
    """Return `text` in quotes, as ASCII that no terminal obeys, cut behind 80 characters."""
    return ascii(text) if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]!a}..."


# The first rule that is broken is the one that is shown; the cheap ones that bound the rest come first.
_SEGMENT: tuple[Rule, ...] = (
    # One letter before a colon is a drive on Windows: `x:weights` must be a name and a path.
    (
        lambda text: not MIN_SEGMENT_CHARS <= len(text) <= MAX_SEGMENT_CHARS,
        f"a part of a name has {MIN_SEGMENT_CHARS} to {MAX_SEGMENT_CHARS} characters",
    ),
    # One case, so that no two names are one file on macOS or Windows; ASCII, so that no two look the same.
    (lambda text: not _SEGMENT_CHARS.issuperset(text), "only a-z, 0-9, '.', '_' and '-' are allowed"),
    # A leading "-" is an option, a leading "." is hidden, a leading "_" is kept for mlreg.
    (lambda text: text[0] in "._-", "it must begin with a letter or a digit"),
    (lambda text: text[-1] == ".", "it must not end in '.', which Windows drops"),
    (lambda text: text.endswith(".lock"), "it must not end in '.lock', which reads as a lock file"),
    (lambda text: ".." in text, "it must not have '..', which reads as a range or a parent directory"),
    (is_device, "it is the name of a device on Windows"),
)

_WORD: tuple[Rule, ...] = (
    *_SEGMENT,
    (lambda text: text[0] not in _LETTERS, "it must begin with a letter"),
)

_TAG: tuple[Rule, ...] = (
    *_WORD,
    (lambda text: text in _MOVING_WORDS, "'latest' and 'head' move by themselves"),
    (is_id_prefix, f"{MIN_ID_PREFIX} or more hexadecimal digits read as the id of a version"),
    (lambda text: text[0] == "v" and text[1] in _DIGITS, "'v' and a digit read as a version"),
)

_NAME: tuple[Rule, ...] = (
    (lambda text: len(text) > MAX_NAME_CHARS, f"a name has at most {MAX_NAME_CHARS} characters"),
    (lambda text: text.count("/") >= MAX_SEGMENTS, f"a name has at most {MAX_SEGMENTS} parts"),
    (lambda text: text.partition("/")[0] in RESERVED_WORDS, "its first part is a word that mlreg uses itself"),
    (lambda text: text in _MOVING_WORDS, "'latest' and 'head' name the newest version"),
    (lambda text: len(text) == MAX_ID_CHARS and _HEX.issuperset(text), "64 hexadecimal digits are an id"),
)


def fault(text: str, rules: tuple[Rule, ...]) -> str:
    """Return the first rule that `text` breaks, in words; empty when it keeps them all."""
    return next((rule for is_broken_by, rule in rules if is_broken_by(text)), "")


def _segment_fault(text: str) -> str:
    return fault(text, _SEGMENT)


def _word_fault(text: str) -> str:
    return fault(text, _WORD)


def _tag_fault(text: str) -> str:
    return fault(text, _TAG)


def _name_fault(text: str) -> str:
    return fault(text, _NAME) or next(filter(None, map(_segment_fault, text.split("/"))), "")


def _check(code: str, what: str, text: str, fault_of: Callable[[str], str]) -> None:
    """Raise `code` if `text` is at fault, with a legal spelling near to it if there is one."""
    if not (reason := fault_of(text)):
        return
    near = _cleaned(text) if text.isascii() and len(text) <= MAX_NAME_CHARS else ""
    fix = f"use {near}" if near and not fault_of(near) else "mlreg help refs"
    raise UsageError(code, f"{quoted(text)} cannot be the name of {what}", why=reason, fix=fix)


def _cleaned(text: str) -> str:
    segments = ("".join(c if c in _SEGMENT_CHARS else "-" for c in s).strip("._-") for s in text.lower().split("/"))
    return "/".join(filter(None, segments))


def check_name(name: str) -> None:
    """Refuse what is not the name of an entry: 1 to 4 segments with `/` between, at most 200 characters.

    A segment has 2 to 64 of `a-z 0-9 . _ -` and begins with a letter or a digit.

    Raises:
        UsageError: `bad_name`, with the rule it breaks.
    """
    _check("bad_name", "an entry", name, _name_fault)


def check_tag(tag: str) -> None:
    """Refuse what is not a tag: one segment that begins with a letter and cannot be a version or an id.

    Raises:
        UsageError: `bad_tag`, with the rule it breaks.
    """
    _check("bad_tag", "a tag", tag, _tag_fault)


def check_role(role: str) -> None:
    """Refuse what is not the role of an input: one segment that begins with a letter.

    Raises:
        UsageError: `bad_role`, with the rule it breaks.
    """
    _check("bad_role", "a role", role, _word_fault)


def check_remote(name: str) -> None:
    """Refuse what is not the name of a remote: one segment.

    Raises:
        UsageError: `bad_remote`, with the rule it breaks.
    """
    _check("bad_remote", "a remote", name, _segment_fault)


def check_version_text(version: str) -> None:
    """Refuse characters that no version format uses; whether it is a version, its format says.

    Raises:
        UsageError: `bad_version`.
    """
    if not is_version_text(version):
        reason = f"a version has 1 to {MAX_VERSION_CHARS} of the characters A-Z, a-z, 0-9, '+', '.' and '-'"
        raise UsageError(
            "bad_version",
            f"{quoted(version)} is not a version",
            why=reason,
            fix="write it like 1.2.0, or 2026.11.23 for data",
        )


class Entry(NamedTuple):
    """A named thing under version control; prints as `model/suture_detector`."""

    kind: str
    """`model`, `data` or `exp`."""
    name: str
    """`suture_detector`, `team/suture_detector`."""

    def __str__(self) -> str:
        """Return the kind, `/` and the name."""
        return f"{self.kind}/{self.name}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `model/NAME`, `data/NAME` or `exp/NAME`; every word of `KIND_WORDS` will do for the kind.

        Raises:
            UsageError: `bad_entry`, no kind in front; `bad_name`.
        """
        word, slash, name = text.partition("/")
        if not slash or word not in KIND_WORDS:
            raise _no_kind(text)
        check_name(name)
        return cls(KIND_WORDS[word], name)


def with_kind(kind: str, name: str) -> str:
    """Return a name with its kind in front, where it may stand already: no name begins with such a word.

    >>> with_kind("data", "frames"), with_kind("data", "datasets/frames")
    ('data/frames', 'data/frames')
    """
    word, slash, rest = name.partition("/")
    return f"{kind}/{rest if slash and KIND_WORDS.get(word) == kind else name}"


def is_entry(entry: Entry) -> bool:
    """Tell whether kind and name of an entry are legal."""
    return entry.kind in KINDS and not _name_fault(entry.name)


def _no_kind(text: str) -> UsageError:
    name = "NAME" if _name_fault(text) else text
    return UsageError(
        "bad_entry",
        f"{quoted(text)} does not begin with a kind of entry",
        why="an entry is called by its kind and its name, as in model/NAME and data/NAME",
        fix=tuple(f"use {kind}/{name}" for kind in ("model", "data")),
    )


class RefName(NamedTuple):
    """What a name in the log stands for; prints as that name."""

    sort: Literal["version", "tag"]
    entry: Entry
    leaf: str
    """The version, or the tag."""
    remote: str | None = None
    """Whose ref this is a copy of; None for our own."""

    def __str__(self) -> str:
        """Return the name in the log, unchecked."""
        name = f"{self.sort}/{self.entry}/{self.leaf}"
        return name if self.remote is None else f"remote/{self.remote}/{name}"


def version_ref(entry: Entry, version: str) -> str:
    """Return the log's name of a version: `version/model/x1/1.0.0`; raises `bad_version`, `bad_name`."""
    return _ref_name(RefName("version", entry, version))


def tag_ref(entry: Entry, tag: str) -> str:
    """Return the log's name of a tag: `tag/model/x1/production`; raises `bad_tag`, `bad_name`."""
    return _ref_name(RefName("tag", entry, tag))


def remote_ref(remote: str, ref: str) -> str:
    """Return the log's name of a remote's ref: `remote/origin/tag/model/x1/production`.

    Raises:
        UsageError: `bad_remote`.
        IntegrityError: `bad_ref_name`, `ref` is not the name of a version or tag of the remote's own.
    """
    name = parse_ref_name(ref)
    if name.remote is not None:
        raise _bad_ref_name(ref, "a remote's copy of another remote's ref is not kept")
    return _ref_name(name._replace(remote=remote))


def parse_ref_name(text: str) -> RefName:
    """Read a name of the log; only what `version_ref`, `tag_ref` and `remote_ref` return is one.

    Raises:
        IntegrityError: `bad_ref_name`, with the rule it breaks.
    """
    remote, rest = None, text
    if text.startswith("remote/"):
        remote, _, rest = text.removeprefix("remote/").partition("/")
    word, _, rest = rest.partition("/")
    path, _, leaf = rest.rpartition("/")
    kind, _, name = path.partition("/")
    if (sort := _SORTS.get(word)) is None:
        raise _bad_ref_name(text, "it begins neither with version/ nor with tag/")
    found = RefName(sort, Entry(kind, name), leaf, remote)
    try:
        _ref_name(found)
    except UsageError as error:
        raise _bad_ref_name(text, f"{error.message}: {error.why}") from error
    return found


def known_ref_name(text: str) -> RefName | None:
    """Read a name of the log; None if it is not legal, which lists pass over and `mlreg verify` reports."""
    try:
        return parse_ref_name(text)
    except IntegrityError:
        return None


def _ref_name(name: RefName) -> str:
    if name.entry.kind not in KINDS:
        raise _no_kind(str(name.entry))
    check_name(name.entry.name)
    (check_version_text if name.sort == "version" else check_tag)(name.leaf)
    if name.remote is not None:
        check_remote(name.remote)
    return str(name)


def _bad_ref_name(text: str, reason: str) -> IntegrityError:
    return IntegrityError("bad_ref_name", f"{quoted(text)} is not the name of a ref", why=reason, fix="mlreg verify")
