"""Say that something is wrong with a version, and with all that was made from it; and take it back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlreg.errors import UsageError
from mlreg.formats.annotation import TAINTED, about_version
from mlreg.formats.names import known_ref_name, version_ref
from mlreg.formats.ref import Ref, parse_ref
from mlreg.ids import CommitId
from mlreg.operations.history import read_commit, version_of
from mlreg.operations.naming import called
from mlreg.operations.tainting import Taints
from mlreg.registry import results
from mlreg.registry.annotating import Subject
from mlreg.registry.describe import Shown
from mlreg.registry.refusing import refuse_path, refuse_remote
from mlreg.registry.registry import Registry
from mlreg.registry.resolve import resolve_entry
from mlreg.repository.view import View


class _Source(Subject):
    """A version that taints, or does not any more; one that was removed, too, for what was made from it stays."""

    _removed: CommitId | None = None

    def _find(self, view: View, ref: Ref) -> None:
        entry = resolve_entry(view, ref) if ref.name else None
        found = version_of(view, entry, ref.selector) if entry and ref.selector and not ref.steps else None
        if entry is None or found is None or found.target or found.removed is None:
            super()._find(view, ref)
            return
        commit = read_commit(self._repository, found.removed)
        self.entry, self.ref = entry, f"{called(view, entry)}@{commit.version}"
        self.about = about_version(version_ref(entry, commit.version), commit.content())
        self.is_version, self._start, self._removed = True, {"metadata": commit.metadata}, found.removed

    @property
    def commit_id(self) -> CommitId:
        """Of the version."""
        return self._removed or self._target.commit_id

    def _before(self, view: View) -> Mapping[str, Any]:
        return self._start


def _source(registry: Registry, text: str) -> _Source:
    ref = parse_ref(text)
    refuse_remote(ref)
    refuse_path(ref)
    source = _Source(registry, ref)
    if not source.is_version:
        raise UsageError(
            "no_version_named",
            f"say which version of {source.ref} is meant",
            why="what was made from other versions of it is not tainted",
            fix=(f"mlreg ls {source.ref}", f"name it like {source.ref}@latest"),
        )
    return source


def tags_on_tainted(registry: Registry, source: str) -> list[str]:
    """Return the tags that point to a version, or to what was made from it, if it is tainted; sorted.

    Args:
        registry: where.
        source: of the taint, in the one form in which refs are printed.
    """
    repository = registry.repository
    view = repository.log.refresh()
    named = [(known_ref_name(ref.name), ref.target) for ref in view.refs("tag/")]
    tags = [(name, target) for name, target in named if name and target]
    taints, shown = Taints(repository).of_each(target for _, target in tags), Shown(view)
    reached = {target for target, some in taints.items() if source in {taint.ref for taint in some}}
    return sorted(shown.ref(name.entry, name.leaf) for name, target in tags if target in reached)


def other_sources(registry: Registry, text: str) -> list[str]:
    """Return the versions by which a version is tainted, sorted; it may have been removed."""
    source = _source(registry, text)
    repository = registry.repository
    return sorted(taint.ref for taint in Taints(repository).of_each([source.commit_id])[source.commit_id])


def taint(registry: Registry, text: str, reason: str) -> results.Annotated:
    """Say what is wrong with a version: it is tainted, and everything that was made from it or ever will be.

    Args:
        registry: where.
        text: a ref of a version of any kind, which may have been removed.
        reason: what is wrong.

    Raises:
        UsageError: `no_reason`; `no_version_named`, the ref is an entry.
    """
    if not reason.strip():
        what = f"say what is wrong with {text}"
        raise UsageError("no_reason", what, fix=f"mlreg taint {text} --reason 'WHY'")
    return _source(registry, text).state({TAINTED: reason}, reason)


def untaint(registry: Registry, text: str, message: str = "") -> results.Annotated:
    """Take the taint of a version back. What it was made from may still be tainted, and so it with that.

    Raises:
        UsageError: `no_version_named`.
    """
    source = _source(registry, text)
    return source.state({TAINTED: None}, message or f"untaint {source.ref}")
