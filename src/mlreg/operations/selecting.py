"""Which files are meant: patterns as in `.gitignore`, of what is taken and of what is left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Self

from mlreg.errors import UsageError
from mlreg.formats.names import quoted

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

IGNORE_FILE = ".mlregignore"
"""In a directory that is added: patterns of what is left out of it. It is no part of the version."""
MAX_PATTERN = 4096
"""Characters of a pattern."""


class Patterns(NamedTuple):
    """Patterns as people write them."""

    include: Sequence[str] = ()
    """If there are any, only files that fit one of them are taken."""
    exclude: Sequence[str] = ()
    """Files and directories that fit one are left out; a later one with `!` in front takes them in again."""


class Selection:
    """What patterns choose; nothing is left out without patterns."""

    def __init__(self, patterns: Patterns) -> None:
        """Read the patterns.

        Raises:
            UsageError: `bad_pattern`.
        """
        self._include = _spec(patterns.include)
        self._exclude = _spec(patterns.exclude)

    @classmethod
    def of_file(cls, text: str) -> Self:
        """Return what an ignore file leaves in.

        Raises:
            UsageError: `bad_pattern`.
        """
        return cls(Patterns(exclude=text.splitlines()))

    def takes(self, path: str) -> bool:
        """Tell whether a file is meant.

        Args:
            path: with `/`, from where the patterns begin.
        """
        if self._exclude and self._exclude.match_file(path):
            return False
        return self._include is None or self._include.match_file(path)

    def enters(self, path: str) -> bool:
        """Tell whether there may be files that are meant in a directory: of one that is left out, no file is meant."""
        return not (self._exclude and self._exclude.match_file(f"{path}/"))


def _spec(patterns: Sequence[str]) -> GitIgnoreSpec | None:
    if not patterns:
        return None
    from pathspec import GitIgnoreSpec

    try:
        for pattern in patterns:
            if len(pattern) > MAX_PATTERN:
                raise UsageError(
                    "bad_pattern",
                    f"a pattern has more than {MAX_PATTERN} characters",
                    fix="use a shorter one, or several",
                )
        return GitIgnoreSpec.from_lines(patterns)
    except ValueError as error:
        raise UsageError(
            "bad_pattern", f"{quoted(' '.join(patterns))} cannot be read", why=str(error), fix="write it like '*.jpg'"
        ) from error
