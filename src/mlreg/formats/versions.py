"""Versions: which of two is newer, how a format spells them, and what the next one is.

The order is one for all formats, so that an entry whose format was changed stays in order. A format
is `semver`, or a pattern such as `YYYY.MM.DD`, `major.minor` or `N`; nothing here knows the time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, Protocol

from mlreg.errors import UsageError
from mlreg.formats.names import MAX_VERSION_CHARS, is_id_prefix, is_version_text, quoted
from mlreg.formats.run import id_in, is_run_version

if TYPE_CHECKING:
    from datetime import date
    from re import Match

AUTO = "auto"
"""The word for `--bump` that leaves the part to the format."""

_PRE_RELEASE, _END, _TEXT, _NUMBER, _WORD, _RUN = b"\x01", b"\x02", b"\x10", b"\x20", b"\x30", b"\x40"


@lru_cache(maxsize=4096)
def order(text: str) -> bytes:
    """Return what to sort versions by: the key of a newer one is greater, and no two texts have equal keys.

    Numbers are compared as numbers, part by part, and a version that goes on is newer than where it
    stops: 1.2 < 1.10, 2026.11.23 < 2026.11.23.1. What looks like SemVer is ordered as SemVer 2.0.0
    says, pre-releases included; versions equal but for the build are ordered by its text. Runs are ordered
    by their ids, which begin with the time, and by how often they were sealed.

    Source: https://semver.org/spec/v2.0.0.html#spec-item-11
    """
    if is_run_version(text):
        run, _, count = text.partition("+")
        return _RUN + _bytes(run) + _numeral(count or "1") + _bytes(text)
    core, words = _split(text)
    key = b"".join(map(_chunk, _chunks(core)))
    if words is None:
        return key + _END + _bytes(text)
    return key + _PRE_RELEASE + b"".join(map(_word, words.split("."))) + b"\x00" + _bytes(text)


def precedence(text: str) -> str:
    """Return what of a version says how new it is: all but the build of SemVer."""
    return text.partition("+")[0]


def _split(text: str) -> tuple[str, str | None]:
    """Return what stands before the pre-release or the build, and the pre-release of a SemVer version."""
    before, _, _ = text.partition("+")
    core, dash, words = before.partition("-")
    numbers = core.split(".")
    is_semver = len(numbers) == 3 and all(map(_is_digits, numbers))
    return (core, words) if dash and words and is_semver else (before, None)


def _chunks(core: str) -> Iterable[str]:
    """Yield the runs of digits and of letters."""
    start = 0
    for end in range(1, len(core) + 1):
        if end == len(core) or _sort_of(core[end]) != _sort_of(core[start]):
            if core[start].isalnum():
                yield core[start:end]
            start = end


def _sort_of(character: str) -> int:
    return 2 if character.isdigit() else 1 if character.isalpha() else 0


def _chunk(run: str) -> bytes:
    return _numeral(run) if _is_digits(run) else _TEXT + _bytes(run) + b"\x00"


def _word(word: str) -> bytes:
    return _numeral(word) if _is_digits(word) else _WORD + _bytes(word) + b"\x00"


def _numeral(digits: str) -> bytes:
    """Return a number so that bytes compare as numbers do: its length first."""
    plain = digits.lstrip("0")
    return _NUMBER + bytes([min(len(plain), 255)]) + plain.encode()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def is_release(text: str) -> bool:
    """Tell whether a version is one, and not a SemVer pre-release, made to try it out."""
    return _split(text)[1] is None


def latest(versions: Iterable[str]) -> str | None:
    """Return the newest release, or if there is none the newest pre-release; None if there is no version at all."""
    return max(versions, key=lambda text: (is_release(text), order(text)), default=None)


class VersionFormat(Protocol):
    """Says what a version is, and which is the next. Holds no state."""

    name: str
    """What settings and messages call it."""
    parts: tuple[str, ...]
    """The words that `--bump` takes, besides `auto`."""

    def check(self, text: str) -> None:
        """Refuse what is not a version of this format.

        Raises:
            UsageError: `bad_version`, with the spelling that was perhaps meant.
        """
        ...

    def line(self, text: str) -> str:
        """Return which line of versions one belongs to: a line only goes forward, and lines stand side by side."""
        ...

    def follows(self, version: str, earlier: str) -> bool:
        """Tell whether a version goes on from the next lower one, which is then its parent."""
        ...

    def next(self, existing: Iterable[str], part: str, today: date) -> str:
        """Return the name of the version to make now; none of `existing` has it.

        Args:
            existing: every name that was ever used, the newest first; those of other formats are passed over.
            part: one of `parts`, or `auto`.
            today: the day in UTC, for formats that name versions by it.

        Raises:
            UsageError: `bad_bump`.
        """
        ...


class SemVer:
    """MAJOR.MINOR.PATCH[-PRERELEASE][+BUILD]. A line is one MAJOR.MINOR, so that an old one can be mended.

    `next` counts from the newest release, or from 0.0.0: the first version is 1.0.0, 0.1.0 or 0.0.1.
    Pre-releases do not count: after 1.4.0 and 2.0.0-rc.1, `major` is 2.0.0 and `minor` is 1.5.0.
    `auto` is `patch`, and 0.1.0 at first.

    Source: https://semver.org/spec/v2.0.0.html
    """

    name = "major.minor.patch"
    parts: tuple[str, ...] = ("major", "minor", "patch")

    def check(self, text: str) -> None:
        # Imported here: it takes longer than all the rest of this module.
        from semver import Version

        if is_version_text(text) and Version.is_valid(text):
            return
        try:
            near = str(Version.parse(text[:MAX_VERSION_CHARS].lstrip("vV"), optional_minor_and_patch=True))
        except ValueError:
            near = ""
        why = "a version is MAJOR.MINOR.PATCH in plain digits without leading zeros, as in 1.0.0, 1.0.0-rc.1, 1.0.0+gpu"
        raise _bad_version(self, text, why, near, "1.0.0")

    def line(self, text: str) -> str:
        return ".".join(text.split(".")[:2])

    def follows(self, version: str, earlier: str) -> bool:
        return True

    def next(self, existing: Iterable[str], part: str, today: date) -> str:
        from semver import Version

        _check_part(self, part)
        newest = next((text for text in existing if is_release(text) and Version.is_valid(text)), None)
        if part == AUTO:
            part = "patch" if newest else "minor"
        # Without its build: some releases of the library take the end of one for the next version.
        return str(Version.parse(newest or "0.0.0").finalize_version().next_version(part))


class _Token(NamedTuple):
    """A part of a pattern."""

    word: str
    """As the pattern writes it."""
    part: str
    """What `--bump` calls it; empty for text that stands as it is."""
    digits: str
    """What matches it; empty for text."""


_COUNT = "(?:0|[1-9][0-9]*)"
_DAYS = {"YYYY": "[0-9]{4}", "YY": "[0-9]{2}", "MM": "(?:0[1-9]|1[0-2])", "DD": "(?:0[1-9]|[12][0-9]|3[01])"}
_COUNTERS = {"major": "major", "minor": "minor", "patch": "patch", "N": "number"}
_WORDS = "YYYY|YY|MM|DD|major|minor|patch|N|[.+-]|v"
_DAY_PART = "date"


class Pattern:
    """A format made of the words YYYY, YY, MM, DD, major, minor, patch and N, with `.`, `-` or `+` between.

    `next` takes today for the words of a day and adds one to the part that was named, or to the last
    number; numbers behind it begin at 0 again. A pattern of days alone numbers what comes later on the
    same day: 2026.11.23, then 2026.11.23.1. Everything is one line.
    """

    def __init__(self, pattern: str) -> None:
        """Read a pattern.

        Raises:
            UsageError: `bad_version_format`.
        """
        import re

        self.name = pattern
        words = re.findall(_WORDS, pattern)
        _check_pattern(pattern, words)
        self._tokens = [_token(word) for word in words]
        self._has_day = any(token.part == _DAY_PART for token in self._tokens)
        counters = [token.part for token in self._tokens if token.part in _COUNTERS.values()]
        self._repeats = not counters
        self.parts: tuple[str, ...] = (*counters, *([_DAY_PART] if self._has_day else []))
        body = "".join(f"(?P<{t.word}>{t.digits})" if t.part else re.escape(t.word) for t in self._tokens)
        more = r"(?:\.(?P<again>[1-9][0-9]*))?" if self._repeats else ""
        self._shape = re.compile(body + more)

    def check(self, text: str) -> None:
        if not is_id_prefix(text) and self._match(text):
            return
        near = ".".join(word.zfill(2) for word in text.replace("-", ".").split("."))
        if not self._match(near) and text[:1] in "vV":
            near = text[1:]
        more = ", and from the second of a day on a number behind it" if self._repeats else ""
        why = f"the versions of this kind are {self.name}{more}"
        raise _bad_version(self, text, why, near if self._match(near) else "", self._example())

    def line(self, text: str) -> str:
        return ""

    def follows(self, version: str, earlier: str) -> bool:
        return True

    def next(self, existing: Iterable[str], part: str, today: date) -> str:
        _check_part(self, part)
        known = (found for text in existing if (found := self._match(text)))
        if self._repeats:
            return _again(known, self._spelled({}, today))
        numbers = self._numbers(next((found for found in known if self._is_of(found, today)), None))
        chosen = part if part in numbers else list(numbers)[-1]
        behind = list(numbers)[list(numbers).index(chosen) + 1 :]
        return self._spelled({**numbers, chosen: numbers[chosen] + 1, **dict.fromkeys(behind, 0)}, today)

    def _is_of(self, version: Match[str], today: date) -> bool:
        """Tell whether a version is of today, as far as the pattern tells; always if it has no day."""
        return all(version[t.word] == _day(t.word, today) for t in self._tokens if t.part == _DAY_PART)

    def _numbers(self, newest: Match[str] | None) -> dict[str, int]:
        """Return where each number stands, in the order of the pattern; at 0 before the first version."""
        counters = [token for token in self._tokens if token.part in _COUNTERS.values()]
        return {token.part: int(newest[token.word]) if newest else 0 for token in counters}

    def _spelled(self, numbers: Mapping[str, int], today: date) -> str:
        return "".join(
            _day(t.word, today) if t.part == _DAY_PART else str(numbers[t.part]) if t.part else t.word
            for t in self._tokens
        )

    def _example(self) -> str:
        from datetime import date

        return self._spelled(dict.fromkeys(_COUNTERS.values(), 1), date(2026, 11, 23))

    def _match(self, text: str) -> Match[str] | None:
        found = self._shape.fullmatch(text)
        return found if found and _is_day(found.groupdict()) else None


def _again(known: Iterable[Match[str]], day: str) -> str:
    """Return the next version of a day."""
    # The newest of the day, and not how many there are: a number is never used again.
    found = next((version for version in known if f"{version[0]}.".startswith(f"{day}.")), None)
    return f"{day}.{int(found['again'] or 0) + 1}" if found else day


def _token(word: str) -> _Token:
    if word in _DAYS:
        return _Token(word, _DAY_PART, _DAYS[word])
    return _Token(word, _COUNTERS.get(word, ""), _COUNT if word in _COUNTERS else "")


def _check_pattern(pattern: str, words: list[str]) -> None:
    parts = [word for word in words if word in _DAYS or word in _COUNTERS]
    reason = ""
    if "".join(words) != pattern or not parts:
        reason = "it is made of YYYY, YY, MM, DD, major, minor, patch and N, with '.', '-' or '+' between"
    elif len(set(parts)) < len(parts) or {"YYYY", "YY"} <= set(parts):
        reason = "a part stands in it twice"
    elif words[0] not in parts and words[:1] != ["v"]:
        reason = "it begins with a number, or with v and a number, so that no tag looks like it"
    elif "v" in words[1:] or any(a in parts and b in parts for a, b in pairwise(words)):
        reason = "between two numbers stands '.', '-' or '+'"
    elif any(a not in parts and b not in parts for a, b in pairwise([*words, "."])):
        reason = "behind every sign stands a number"
    if reason:
        raise UsageError(
            "bad_version_format",
            f"{quoted(pattern)} is not a version format",
            why=reason,
            fix=tuple(f"use {name}" for name in ("major.minor.patch", "YYYY.MM.DD", "N")),
        )


def _day(word: str, today: date) -> str:
    year = f"{today.year:04}"
    return {"YYYY": year, "YY": year[2:], "MM": f"{today.month:02}", "DD": f"{today.day:02}"}[word]


def _is_day(found: Mapping[str, str | None]) -> bool:
    """Tell whether the day exists; a month that is not in the pattern is one with 31 days."""
    from datetime import date

    year = int(found.get("YYYY") or 2000 + int(found.get("YY") or 0))
    try:
        date(year, int(found.get("MM") or 1), int(found.get("DD") or 1))
    except ValueError:
        return False
    return True


class RunIds:
    """The id of a run; each stands alone, and one that was resumed is `ID+2` when it is sealed again."""

    name = "run id"
    parts: tuple[str, ...] = ()

    def check(self, text: str) -> None:
        if not is_run_version(text):
            why = "a version of an experiment is a run, and is called by its id"
            raise _bad_version(self, text, why, "", "0199ab3f-21c5-7000-8000-000000000000")

    def line(self, text: str) -> str:
        return text

    def follows(self, version: str, earlier: str) -> bool:
        return id_in(version) == id_in(earlier)

    def next(self, existing: Iterable[str], part: str, today: date) -> str:
        why = "a version of an experiment is a run"
        raise UsageError("bad_bump", "runs are not counted", why=why, fix="mlreg run start EXPERIMENT")


RUNS = RunIds()


@cache
def version_format(name: str) -> VersionFormat:
    """Return a format by its name: `semver`, `calver`, `integer`, `run id`, or a pattern such as `YYYY.MM.DD`.

    Raises:
        UsageError: `bad_version_format`.
    """
    if name in ("semver", SemVer.name):
        return SemVer()
    if name == RunIds.name:
        return RUNS
    return Pattern({"calver": "YYYY.MM.DD", "integer": "N"}.get(name, name))


def _bad_version(form: VersionFormat, text: str, why: str, near: str, example: str) -> UsageError:
    fix = f"use {near}" if near else f"use a version like {example}"
    return UsageError("bad_version", f"{quoted(text)} is not a version of the format {form.name}", why=why, fix=fix)


def _check_part(form: VersionFormat, part: str) -> None:
    if part != AUTO and part not in form.parts:
        raise UsageError(
            "bad_bump",
            f"{quoted(part)} is not a part of a version {form.name}",
            why=f"the parts are {', '.join(form.parts)}, and auto",
            fix=tuple(f"use --bump {word}" for word in form.parts),
        )
