"""Writing the files of a version out, or saying what that would do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol

from mlreg.errors import NotFoundError, RefusedError
from mlreg.formats.names import quoted
from mlreg.formats.ref import Ref
from mlreg.formats.tree import File
from mlreg.operations import history
from mlreg.operations.checkout import Survey, checkout, own_among, remove_strays, strays, survey
from mlreg.operations.scanning import NO_PATTERNS
from mlreg.operations.selecting import Patterns, Selection
from mlreg.operations.tainting import refuse_tainted
from mlreg.registry import results
from mlreg.registry.describe import version_info
from mlreg.registry.resolve import Target
from mlreg.repository.repository import Repository

__all__ = ["Finds", "Getting", "Patterns"]


class Finds(Protocol):
    """What a `Registry` is asked here."""

    def find(self, text: str) -> tuple[Repository, Ref, Target]:
        """Return the repository that a ref speaks of, the ref, and the version that it names."""

    def allow(self, repository: Repository, target: Target, despite_taint: str) -> None:
        """Refuse to give out a version that is tainted, or keep why it is wanted all the same."""

    def used(self, repository: Repository, target: Target, way: str) -> None:
        """Keep that a version was read."""

    def files_of(self, repository: Repository, target: Target, path: str | None) -> list[File]:
        """Return the files of a version at or below a path."""


class Getting:
    """One version, and the directory it is to be written to."""

    def __init__(
        self,
        registry: Finds,
        text: str,
        directory: Path,
        patterns: Patterns = NO_PATTERNS,
        *,
        despite_taint: str = "",
    ) -> None:
        """Find the version.

        Args:
            registry: where refs begin.
            text: a ref; with a path, only that file or directory.
            directory: which need not be there.
            patterns: of the files that are written; others of the version are left as they are, there or not.
            despite_taint: why it is wanted though it is tainted.

        Raises:
            NotFoundError: `path_not_found`, no file fits the patterns; and what else a ref may raise.
            UsageError: `bad_pattern`.
            TaintedError: `tainted`.
        """
        self._registry, self._despite_taint = registry, despite_taint
        self._repository, ref, self._target = registry.find(text)
        refuse_tainted(self._repository, [self._target.commit_id], str(self._target), despite_taint)
        self._directory = directory
        self._all = registry.files_of(self._repository, self._target, ref.path)
        selection = Selection(patterns)
        self._files = [file for file in self._all if selection.takes(file.path)] if any(patterns) else self._all
        if self._all and not self._files:
            raise NotFoundError(
                "path_not_found",
                f"{self._target} has no such file",
                why="the patterns leave none",
                fix=f"mlreg ls {text}",
            )

    def get(self, report: Callable[[int], None], *, delete: bool, replace: bool) -> results.Got:
        """Write the files; those that are right already are not touched.

        Args:
            report: told about progress, in bytes.
            delete: also remove files that are not part of the version, but nothing of git or of a repository.
            replace: replace, and remove, files, too, whose bytes the repository does not have.

        Raises:
            IntegrityError: `object_missing`, `object_damaged`.
            RefusedError: `own_changes`, `in_the_way`, `target_is_a_repository`; nothing is written then.
        """
        self._refuse_loss(delete, replace)
        self._registry.allow(self._repository, self._target, self._despite_taint)
        done = checkout(self._repository, self._files, self._directory, report, self._found.right)
        removed = remove_strays(self._all, self._directory) if delete else 0
        self._registry.used(self._repository, self._target, "get")
        return self._got(done.written, done.unchanged, removed, done.size)

    def preview(self, *, delete: bool, replace: bool) -> results.Got:
        """Return what `get` would do, or raise what it would; no byte of the version is read, none is written."""
        self._refuse_loss(delete, replace)
        right = self._found.right
        sizes = [file.size for file in self._files if file.path not in right]
        removed = len(self.strays()) if delete else 0
        return self._got(len(sizes), len(right), removed, sum(sizes))._replace(dry_run=True)

    def _refuse_loss(self, delete: bool, replace: bool) -> None:
        if replace:
            return
        if self._found.own:
            raise _own_changes(self._directory, self._found.own, "replaced")
        if delete and (own := own_among(self._repository, self.strays(), self._directory)):
            raise _own_changes(self._directory, own, "removed")

    @cached_property
    def _found(self) -> Survey:
        return survey(self._repository, self._files, self._directory)

    def own(self) -> tuple[str, ...]:
        """Return the paths of the files that would be replaced, and whose bytes the repository does not have."""
        return self._found.own

    def strays(self) -> list[str]:
        """Return the paths of the files in the directory that are not part of the version, sorted."""
        return sorted(strays(self._all, self._directory))

    def _got(self, written: int, unchanged: int, removed: int, size: int) -> results.Got:
        commit = history.read_commit(self._repository, self._target.commit_id)
        info = version_info(self._repository, self._target.commit_id, commit)
        counts = (written, unchanged, removed, size)
        return results.Got(str(self._target), str(self._directory), *counts, info.deprecated, info.id)


SHOWN = 3
"""Files that an error names."""


def _own_changes(directory: Path, paths: Sequence[str], what: str) -> RefusedError:
    more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    return RefusedError(
        "own_changes",
        f"files in {directory} would be {what} that are in no version: {', '.join(map(quoted, paths[:SHOWN]))}{more}",
        why="they were changed, or made, here, and could not be had again",
        fix=(
            "register them first: mlreg add ...",
            "name another directory",
            f"if they may be {what}: mlreg get -y ...",
        ),
    )
