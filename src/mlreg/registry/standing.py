"""Where a repository stands, beside its remotes as they were at the last contact."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from mlreg.formats.annotation import ABOUT_ENTRY, is_of_taint, version_in
from mlreg.formats.names import (
    known_ref_name,
    parse_ref_name,
    remote_ref,
)
from mlreg.ids import CommitId
from mlreg.registry import pins, results
from mlreg.registry.describe import Shown
from mlreg.registry.registry import Registry
from mlreg.registry.resolve import entries_of
from mlreg.registry.uniting import target_of
from mlreg.repository.repository import view_path
from mlreg.repository.view import View
from mlreg.stores import open_store


def status(registry: Registry) -> results.Status:
    """Return where a repository stands, and how far its remotes were at the last contact; contacts none."""
    view = registry.repository.log.refresh()
    own = live_names(view)
    return results.Status(
        path=registry.repository.url,
        repository=registry.repository.identity.repository,
        transactions=view.number,
        entries=len(entries_of(view)),
        versions=sum(1 for name in own if name.startswith("version/")),
        tags=sum(1 for name in own if name.startswith("tag/")),
        remotes=tuple(_remote_status(registry, name, own) for name in sorted(registry.remotes)),
    )


def live_names(view: View) -> dict[str, CommitId]:
    """Return the versions and tags that are there, by their names in the log, with what they point to."""
    refs = (*view.refs("version/"), *view.refs("tag/"))
    return {ref.name: ref.target for ref in refs if ref.target and known_ref_name(ref.name)}


def _remote_status(registry: Registry, remote: str, own: dict[str, CommitId]) -> results.RemoteStatus:
    url, here = registry.remotes[remote], registry.repository.log.view
    pin = pins.read(registry.repository.url, remote)
    if pin is None or registry.cache is None:
        return results.RemoteStatus(
            remote, url, seen=False, unpushed=_shown(here, own), unpulled=(), unpushed_notes=0, unpulled_notes=0
        )
    view = View(view_path(registry.cache, pin.repository, open_store(url).url))
    theirs = live_names(view)
    agreed = {name: target_of(here, remote_ref(remote, name)) for name in {*own, *theirs} if name.startswith("tag/")}

    def is_news(names: dict[str, CommitId], others: dict[str, CommitId], ref: str) -> bool:
        return others.get(ref) != names[ref] and agreed.get(ref) != names[ref]

    unpushed = [ref for ref in own if is_news(own, theirs, ref) and not _is_removed(here, view, ref)]
    unpulled = [
        ref
        for ref in theirs
        if is_news(theirs, own, ref) and (ref.startswith("tag/") or here.ref(ref) is None)
        if not _is_removed(view, here, ref)
    ]
    unpushed_notes = _notes_lacking(here, view, {*theirs, *unpushed})
    unpulled_notes = _notes_lacking(view, here, {*own, *unpulled})
    view.close()
    return results.RemoteStatus(
        remote,
        url,
        seen=True,
        unpushed=_shown(here, unpushed),
        unpulled=_shown(here, unpulled),
        unpushed_notes=unpushed_notes,
        unpulled_notes=unpulled_notes,
    )


def _is_removed(sender: View, receiver: View, ref: str) -> bool:
    """Tell whether the receiver removed a version, or that which a tag points to: neither goes there by itself."""
    name, target = parse_ref_name(ref), target_of(sender, ref)
    family = f"version/{name.entry}/"
    names = sender.names_of(target) if name.sort == "tag" and target else [ref]
    found = (receiver.ref(one) for one in names if one.startswith(family))
    return any(one is not None and one.target is None for one in found)


def _notes_lacking(sender: View, receiver: View, refs: Collection[str]) -> int:
    """Count the statements that one view has, and the other lacks.

    Args:
        sender: the one.
        receiver: the other.
        refs: what the receiver has or is to get, and of what else no statement goes there.
    """
    families = {f"{ref.rpartition('/')[0]}/" for ref in refs}

    def is_about(about: str) -> bool:
        if about.startswith(ABOUT_ENTRY):
            family = f"version/{about.removeprefix(ABOUT_ENTRY)}/"
            return family in families or any(receiver.newest_first(family))
        return version_in(about) in refs

    by_name = sender.all_annotations().items()
    stated = (one for about, some in by_name if is_about(about) or is_of_taint(some) for one in some)
    return sum(not receiver.has_annotation(one.id) for one in stated)


def _shown(view: View, names: Iterable[str]) -> tuple[str, ...]:
    shown = Shown(view)
    return tuple(shown.ref(name.entry, name.leaf) for name in map(parse_ref_name, names))
