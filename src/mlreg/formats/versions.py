"""Version schemes: how the versions of a kind are spelled, which is newer, and what the next one is.

To add one: write a class beside `CalVer` and add it to `SCHEMES`. Nothing here knows the time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from mlreg.errors import UsageError
from mlreg.formats.names import MAX_VERSION_CHARS, is_version_text, quoted

if TYPE_CHECKING:
    from datetime import date


class VersionScheme(Protocol):
    """Says what a version is. Holds no state."""

    name: str
    """What settings and messages call it."""
    parts: tuple[str, ...]
    """The words that `--bump` takes."""

    def check(self, text: str) -> None:
        """Refuse what is not a version of this scheme.

        Raises:
            UsageError: `bad_version`, with the spelling that was perhaps meant.
        """
        ...

    def key(self, text: str) -> tuple[Any, ...]:
        """Return what to sort by: a newer version has a greater key, and no two texts have equal ones.

        A text that `check` refuses is lower than every version: one that came in by another way does
        not keep anyone from the others.
        """
        ...

    def is_release(self, text: str) -> bool:
        """Tell whether `text` is a version, and not one made before a release to try it out."""
        ...

    def next(self, existing: Iterable[str], part: str, today: date) -> str:
        """Return the name of the version to make now; none of `existing` has it.

        Args:
            existing: every name that was ever used, in any order; what `check` refuses is passed over.
            part: one of `parts`.
            today: the day in UTC, for schemes that name versions by it.

        Raises:
            UsageError: `bad_bump`.
        """
        ...


def latest(scheme: VersionScheme, versions: Iterable[str]) -> str | None:
    """Return the newest release, or if there is none the newest pre-release; None if there is no version at all."""
    return max(versions, key=lambda text: (scheme.is_release(text), scheme.key(text)), default=None)


class SemVer:
    """MAJOR.MINOR.PATCH[-PRERELEASE][+BUILD], ordered as SemVer 2.0.0 says; equal but for the build, by its text.

    `next` counts from the newest release, or from 0.0.0: the first version is 1.0.0, 0.1.0 or 0.0.1.
    Pre-releases do not count: after 1.4.0 and 2.0.0-rc.1, `major` is 2.0.0 and `minor` is 1.5.0.

    Source: https://semver.org/spec/v2.0.0.html
    """

    name = "semver"
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

    # Own code, and not the library's class, which would slow down every command that looks for the newest.
    def key(self, text: str) -> tuple[Any, ...]:
        core, plus, build = text.partition("+")
        release, dash, words = core.partition("-")
        numbers = release.split(".")
        before = words.split(".") if dash else []
        if not (
            is_version_text(text)
            and len(numbers) == 3
            and all(map(_is_number, numbers))
            and all(_is_number(word) or (word and not word.isdigit()) for word in before)
            and (not plus or ("+" not in build and all(build.split("."))))
        ):
            return (False, text)
        # A release is newer than its pre-releases, and there a word is newer than a number.
        ranks = tuple((False, int(word), "") if word.isdigit() else (True, 0, word) for word in before)
        return (True, *map(int, numbers), not dash, ranks, build)

    def is_release(self, text: str) -> bool:
        return "-" not in text.partition("+")[0] and bool(self.key(text)[0])

    def next(self, existing: Iterable[str], part: str, today: date) -> str:
        from semver import Version

        _check_part(self, part)
        newest = latest(self, filter(self.is_release, existing))
        # Without its build: some releases of the library take the end of one for the next version.
        return str(Version.parse(newest or "0.0.0").finalize_version().next_version(part))


class CalVer:
    """YYYY.MM.DD for the first version of a day, and then YYYY.MM.DD.1, YYYY.MM.DD.2; only days that exist.

    `next` is today's next one, also when there are versions of later days; a number that was left out
    or removed is not used again. Both words of `--bump` say the same.
    """

    name = "calver"
    parts: tuple[str, ...] = ("date", "auto")

    def check(self, text: str) -> None:
        if self.key(text)[0]:
            return
        near = ".".join(word.zfill(2) for word in text.replace("-", ".").split("."))
        why = "a version is a day, YYYY.MM.DD, and from the second of a day on a number, YYYY.MM.DD.1"
        raise _bad_version(self, text, why, near, "2026.11.23")

    def key(self, text: str) -> tuple[Any, ...]:
        words = text.split(".")
        if not (
            is_version_text(text)
            and [len(word) for word in words[:3]] == [4, 2, 2]
            and all(map(str.isdigit, words))
            and (len(words) == 3 or (len(words) == 4 and words[3][0] != "0"))
        ):
            return (False, text)
        year, month, day, number = map(int, (*words, "0")[:4])
        return (True, year, month, day, number) if _is_day(year, month, day) else (False, text)

    def is_release(self, text: str) -> bool:
        return bool(self.key(text)[0])

    def next(self, existing: Iterable[str], part: str, today: date) -> str:
        _check_part(self, part)
        day = f"{today.year:04}.{today.month:02}.{today.day:02}"
        newest = latest(self, (text for text in existing if text[:10] == day and self.is_release(text)))
        return day if newest is None else f"{day}.{self.key(newest)[-1] + 1}"


SCHEMES: Mapping[str, VersionScheme] = {"semver": SemVer(), "calver": CalVer()}
"""By name. A new scheme is a new line."""


def _is_number(text: str) -> bool:
    """Tell whether `text`, which is ASCII, is a number without leading zeros."""
    return text.isdigit() and (text[0] != "0" or text == "0")


def _is_day(year: int, month: int, day: int) -> bool:
    try:
        from datetime import date

        date(year, month, day)
    except ValueError:
        return False
    return True


def _bad_version(scheme: VersionScheme, text: str, why: str, near: str, example: str) -> UsageError:
    fix = f"use {near}" if scheme.key(near)[0] else f"use a version like {example}"
    return UsageError("bad_version", f"{quoted(text)} is not a {scheme.name} version", why=why, fix=fix)


def _check_part(scheme: VersionScheme, part: str) -> None:
    if part not in scheme.parts:
        raise UsageError(
            "bad_bump",
            f"{quoted(part)} is not a part of a {scheme.name} version",
            why=f"the parts are {', '.join(scheme.parts)}",
            fix=tuple(f"use --bump {word}" for word in scheme.parts),
        )
