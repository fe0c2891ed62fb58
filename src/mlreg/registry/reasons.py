"""Why something takes room: what keeps a version, a file, or a part of one."""

from __future__ import annotations

from typing import NamedTuple

from mlreg.errors import NotFoundError, UsageError
from mlreg.formats.names import known_ref_name
from mlreg.ids import is_lower_hex
from mlreg.operations import reasons
from mlreg.operations.history import leaf_of, tags_of
from mlreg.operations.lineage import users_of
from mlreg.operations.naming import called
from mlreg.registry.registry import Registry
from mlreg.registry.resolve import Target
from mlreg.registry.results import VersionInfo

FEWEST_DIGITS = 6


class Link(NamedTuple):
    """A step from a name to what is kept."""

    what: str
    """`tag`, `version`, `input`, `file`, `piece`, `recipe`, `page`, `tree` or `commit`."""
    name: str


class Kept(NamedTuple):
    """What keeps something: each of the links the next one."""

    asked: str
    is_kept: bool
    links: tuple[Link, ...]
    size: int
    """Stored bytes of it, by its id; plain bytes of a version."""
    more: int = 0
    """Other versions that keep a file, or an object, too."""
    held: str = ""
    """Why the version is held; empty if it is not."""
    frozen: bool = False
    """Whether the version is frozen."""


def why(registry: Registry, text: str) -> Kept:
    """Say what keeps a version, a file of one, or an object by the first digits of its id.

    What retention policies keep is not looked at: `policies.explain` tells that.

    Raises:
        NotFoundError: `ref_not_found`, `no_object`.
        UsageError: `short_id`.
    """
    if is_lower_hex(text, len(text)):
        return _of_object(registry, text)
    repository, ref, target = registry.find(text)
    if ref.path:
        (file,) = registry.files_of(repository, target, ref.path)[:1]
        return _of_object(registry, str(file.id))._replace(asked=text)
    return _of_version(registry, text, target)


def _of_object(registry: Registry, digits: str) -> Kept:
    if len(digits) < FEWEST_DIGITS:
        raise UsageError("short_id", f"{digits} is too short for an id", fix=f"give {FEWEST_DIGITS} digits or more")
    found = reasons.why(registry.repository, digits[: len(digits) // 2 * 2])
    objects = [one for one in found.objects if str(one[1]).startswith(digits)]
    if not objects:
        raise NotFoundError(
            "no_object",
            f"nothing that is stored has an id that begins with {digits}",
            fix="mlreg ls REF, which has the ids of files; or name a version",
        )
    more, links = found.reason.more if found.reason else 0, _links(registry, found.reason)
    kept = Kept(digits, found.reason is not None, links, found.size, more)
    version = next((link.name for link in links if link.what == "version"), "")
    return _with_statements(kept, registry.show(version)) if version else kept


def _with_statements(kept: Kept, version: VersionInfo) -> Kept:
    return kept._replace(held=version.held, frozen=version.frozen)


def _links(registry: Registry, reason: reasons.Reason | None) -> tuple[Link, ...]:
    if reason is None:
        return ()
    entry = called(registry.repository.log.view, reason.name.entry)
    links = [Link("tag", f"{entry}@{tag}") for tag in reason.tags[:1]]
    links.append(Link("version", f"{entry}@{reason.name.leaf}"))
    if reason.path:
        links.append(Link("file", reason.path))
    if reason.is_part or not reason.path:
        links.append(Link(reason.sort.name.lower(), str(reason.object_id)))
    return tuple(links)


def _of_version(registry: Registry, text: str, target: Target) -> Kept:
    repository = registry.repository
    view, entry = repository.log.view, target.entry
    tags = [leaf_of(ref) for ref in tags_of(view, entry).values() if ref.target == target.commit_id]
    ref = view.ref(f"version/{entry}/{target.version}")
    links = [Link("tag", f"{called(view, entry)}@{tag}") for tag in tags]
    is_kept = bool(ref and ref.target)
    if is_kept:
        links.append(Link("version", f"{called(view, entry)}@{target.version}"))
    for user in users_of(repository).get(target.commit_id, ()):
        named = filter(None, map(known_ref_name, view.names_of(user.commit_id)))
        names = [f"{called(view, name.entry)}@{name.leaf}" for name in named if name.sort == "version"]
        links.extend(Link(f"input of, as {user.role}", name) for name in names[:1])
    version = registry.show(text)
    return _with_statements(Kept(text, is_kept, tuple(links), version.size), version)
