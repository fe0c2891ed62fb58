"""What is said of entries and versions after they were made: corrections, labels, deprecations, freezes, holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mlreg.errors import NotFoundError, UsageError
from mlreg.formats.annotation import HELD, Annotation, about_entry, about_version, facts_of, merge_patch
from mlreg.formats.canonical import check
from mlreg.formats.names import Entry
from mlreg.formats.plain import plain
from mlreg.formats.ref import Ref, parse_ref
from mlreg.operations import naming
from mlreg.operations.annotate import annotate, version_name
from mlreg.operations.history import latest_of, read_commit
from mlreg.operations.naming import called
from mlreg.registry import results
from mlreg.registry.refusing import refuse_path, refuse_remote
from mlreg.registry.registry import Registry
from mlreg.registry.resolve import resolve, resolve_entry
from mlreg.repository.view import View


class Subject:
    """An entry, or a version, that something is said about."""

    def __init__(self, registry: Registry, ref: Ref) -> None:
        refuse_path(ref)
        self._registry = registry
        self._repository = registry._at(ref)
        self._find(self._repository.log.view, ref)

    def _find(self, view: View, ref: Ref) -> None:
        if ref.name and ref.selector is None:
            entry = resolve_entry(view, ref)
            if latest_of(view, entry) is None:
                raise NotFoundError("ref_not_found", f"{ref.name} has no version any more", fix=f"mlreg log {ref}")
            self.entry, self.ref, self.about = entry, str(called(view, entry)), about_entry(entry)
            self.is_version, self._start = False, {}
            return
        self._target = target = resolve(self._repository, ref)
        commit = read_commit(self._repository, target.commit_id)
        self.entry, self.ref = target.entry, str(target)
        self.about = about_version(version_name(view, target.entry, target.version), commit.content())
        self.is_version = True
        self._start = {"metadata": commit.metadata}

    @classmethod
    def to_change(cls, registry: Registry, text: str) -> Subject:
        """Return what a ref of this repository names."""
        ref = parse_ref(text)
        refuse_remote(ref)
        return cls(registry, ref)

    @property
    def view(self) -> View:
        """The state in which it was found."""
        return self._repository.log.view

    def annotations(self) -> list[Annotation]:
        """Return what was stated about it, in order."""
        return self._repository.log.view.annotations(self.about)

    def facts(self) -> dict[str, Any]:
        return facts_of(self.annotations(), self._start)

    def _before(self, view: View) -> Mapping[str, Any]:
        if self.is_version:
            # It may have been removed since it was looked up.
            version_name(view, self._target.entry, self._target.version)
        return self._start

    def state(self, patch: Mapping[str, Any], message: str) -> results.Annotated:
        done = annotate(self._repository, self.about, patch, self._registry.author, message, self._before)
        return results.Annotated(self.ref, changed=done is not None, facts=self.facts())


def correct(
    registry: Registry, text: str, changes: Mapping[str, Any], unset: Iterable[str] = (), message: str = ""
) -> results.Annotated:
    """Correct the metadata of a version; what it was registered with is kept.

    Args:
        registry: where.
        text: a ref of a version.
        changes: JSON values, nested as in the metadata; mappings are merged, other values replaced.
        unset: dotted keys that are taken away.
        message: why.

    Raises:
        UsageError: `no_version_named`, the ref is an entry; `bad_json`, `bad_field`; `schema_violation`.
    """
    subject = Subject.to_change(registry, text)
    if not subject.is_version:
        raise UsageError(
            "no_version_named",
            f"say which version of {subject.ref} is corrected",
            why="metadata belongs to a version; an entry has labels",
            fix=(f"mlreg ls {subject.ref}", f"mlreg label {subject.ref} KEY=VALUE"),
        )
    patch = plain(dict(changes))
    check(patch)
    present = merge_patch(subject.facts().get("metadata"), patch)
    for key in unset:
        _take_away(patch, key, present)
    registry.check_metadata(subject.entry, merge_patch(present, patch))
    return subject.state({"metadata": patch}, message or f"correct {subject.ref}")


def _take_away(patch: dict[str, Any], key: str, present: Mapping[str, Any]) -> None:
    """Put the removal of a dotted key into a merge patch; of what is not present, nothing."""
    place = _place_of(key, present)
    *parents, last = place or key.split(".")
    below: Any = patch
    for parent in parents:
        below = below.setdefault(parent, {}) if place else below.get(parent, {})
        if not isinstance(below, dict):
            raise UsageError("bad_meta", f"{key} is taken away, and {parent} is set", fix="do one after the other")
    if place:
        below[last] = None


def _place_of(key: str, values: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return the keys that lead to a dotted key, which may have dots of their own; None if nothing is there."""
    if key in values:
        return (key,)
    for at in (at for at, character in enumerate(key) if character == "."):
        below = values.get(key[:at])
        if isinstance(below, Mapping) and (found := _place_of(key[at + 1 :], below)):
            return (key[:at], *found)
    return None


def label(
    registry: Registry, text: str, labels: Mapping[str, Any], unset: Iterable[str] = (), message: str = ""
) -> results.Annotated:
    """Label an entry or a version: `team=vision`. Labels of an entry hold for all its versions."""
    subject = Subject.to_change(registry, text)
    patch = plain(dict(labels))
    check(patch)
    present = merge_patch(subject.facts().get("labels"), patch)
    for key in unset:
        _take_away(patch, key, present)
    return subject.state({"labels": patch}, message or f"label {subject.ref}")


def deprecate(registry: Registry, text: str, why: str) -> results.Annotated:
    """Say that an entry or a version should not be used any more, and why.

    Raises:
        UsageError: `no_reason`.
    """
    if not why.strip():
        raise UsageError("no_reason", f"say why {text} should not be used", fix=f"mlreg deprecate {text} -m 'WHY'")
    return Subject.to_change(registry, text).state({"deprecated": why}, why)


def undeprecate(registry: Registry, text: str, message: str = "") -> results.Annotated:
    """Say that an entry or a version may be used again."""
    subject = Subject.to_change(registry, text)
    return subject.state({"deprecated": None}, message or f"undeprecate {subject.ref}")


def freeze(registry: Registry, text: str, message: str = "") -> results.Annotated:
    """Keep an entry or a version from being removed."""
    subject = Subject.to_change(registry, text)
    return subject.state({"frozen": True}, message or f"freeze {subject.ref}")


def unfreeze(registry: Registry, text: str, message: str = "") -> results.Annotated:
    """Let an entry or a version be removed again."""
    subject = Subject.to_change(registry, text)
    return subject.state({"frozen": None}, message or f"unfreeze {subject.ref}")


def hold(registry: Registry, text: str, reason: str) -> results.Annotated:
    """Keep an entry or a version from being removed until it is released: by hand, and by retention policies.

    Raises:
        UsageError: `no_reason`.
    """
    if not reason.strip():
        raise UsageError("no_reason", f"say why {text} is held", fix=f"mlreg hold {text} --reason 'WHY'")
    subject = Subject.to_change(registry, text)
    before = str(subject.facts().get(HELD) or "")
    return subject.state({HELD: reason}, reason)._replace(previous=before)


def release(registry: Registry, text: str, message: str = "") -> results.Annotated:
    """Let an entry or a version that was held be removed again."""
    subject = Subject.to_change(registry, text)
    return subject.state({HELD: None}, message or f"release {subject.ref}")


def statements(registry: Registry, text: str) -> list[results.StatementInfo]:
    """Return what was stated about an entry or a version, the last first."""
    subject = Subject(registry, parse_ref(text))
    return [
        results.StatementInfo(subject.ref, one.id, one.author, one.time, one.message, one.patch)
        for one in reversed(subject.annotations())
    ]


def rename(registry: Registry, entry: str, name: str, message: str = "") -> results.Renamed:
    """Call an entry by another name; its old names go on to mean it, and nothing of it changes.

    Args:
        registry: where.
        entry: `model/NAME` or `data/NAME`.
        name: of the same kind.
        message: why.

    Raises:
        ConflictError: `entry_exists`, the name is that of another entry, or was.
        UsageError: `other_kind`, `not_an_entry`.
    """
    ref, new = parse_ref(entry), Entry.parse(name)
    refuse_remote(ref)
    if ref.selector or ref.path:
        why = "all versions of an entry have its name"
        raise UsageError("not_an_entry", f"{entry} is not an entry", why=why, fix=f"mlreg mv {ref.name} {new}")
    view = registry.repository.log.refresh()
    found = resolve_entry(view, ref)
    before = called(view, found)
    done = naming.rename(registry.repository, found, new, registry.author, message)
    return results.Renamed(str(new), str(before), done is not None)
