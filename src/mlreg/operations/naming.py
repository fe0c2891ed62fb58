"""What entries are called. A renamed entry keeps its name in the log; the new one is stated about it.

So nothing is rewritten, a rename travels like a label, and the old name goes on to work. A name that an
entry of the log has always means that entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlreg.errors import ConflictError, UsageError
from mlreg.formats.annotation import ABOUT_ENTRY, about_entry, entry_of, facts_of
from mlreg.formats.names import Entry
from mlreg.formats.transaction import Transaction
from mlreg.operations.annotate import annotate
from mlreg.operations.history import newest_first
from mlreg.repository.repository import Repository
from mlreg.repository.view import View

FACT = "name"
"""Of an entry: what it is called, `model/net`."""


def called(view: View, entry: Entry, facts: Mapping[str, Any] | None = None) -> Entry:
    """Return the name that an entry of the log is shown by.

    Args:
        view: where.
        entry: as the log names it.
        facts: what was stated about it, if it is known already.
    """
    if facts is None:
        facts = facts_of(view.annotations(about_entry(entry)))
    name = _entry(facts.get(FACT))
    # Two people may have given one name to two entries: the first in the log's order has it.
    return name if name and name.kind == entry.kind and meant(view, name) == entry else entry


def meant(view: View, name: Entry) -> Entry:
    """Return the entry of the log that a name stands for, now or in former times; itself if it is new."""
    if _is_in_log(view, name):
        return name
    given = {entry_of(about): stated for about, stated in view.annotations_with(ABOUT_ENTRY, FACT, str(name)).items()}
    now = [entry for entry, stated in given.items() if _entry(facts_of(stated).get(FACT)) == name]
    ever = [entry for entry, stated in given.items() if any(_entry(one.patch.get(FACT)) == name for one in stated)]
    return next((entry for entry in (*sorted(now), *sorted(ever)) if entry.kind == name.kind), name)


def rename(repository: Repository, entry: Entry, name: Entry, author: str, message: str) -> Transaction | None:
    """Call an entry by another name from now on; None if it is called so already.

    Args:
        repository: where.
        entry: as the log names it.
        name: of the same kind.
        author: who.
        message: why.

    Raises:
        UsageError: `other_kind`.
        ConflictError: `entry_exists`, the name is that of another entry, or was.
    """
    if entry.kind != name.kind:
        fix = f"mlreg mv {entry} {entry.kind}/{name.name}"
        raise UsageError("other_kind", f"{entry} cannot become {name}", why="the kind of an entry stays", fix=fix)

    def before(view: View) -> Mapping[str, Any]:
        owner = meant(view, name)
        if owner != entry and (owner != name or _is_in_log(view, name)):
            raise ConflictError(
                "entry_exists",
                f"{name} is the name of another entry",
                why="" if owner == name else f"it is or was that of {owner}",
                fix=(f"mlreg show {name}", "choose another name"),
            )
        return {FACT: str(entry)}

    return annotate(repository, about_entry(entry), {FACT: str(name)}, author, message, before)


def _is_in_log(view: View, entry: Entry) -> bool:
    return next(newest_first(view, entry), None) is not None


def _entry(name: object) -> Entry | None:
    """Read a name that was stated; it may be someone else's work."""
    if not isinstance(name, str):
        return None
    try:
        entry = Entry.parse(name)
    except UsageError:
        return None
    return entry if str(entry) == name else None
