"""What differs between two versions, in one repository or in two, or files on the disk: files, metadata, inputs.

Nothing is written. A difference is a pair: what was before, and what is after; None where there is nothing.
"""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple, TypeVar

from mlreg.formats.annotation import leaves
from mlreg.formats.commit import Input
from mlreg.formats.tree import Difference, differences
from mlreg.operations.listing import Listing

_Item = TypeVar("_Item")


class ValueChange(NamedTuple):
    """A value of metadata that differs."""

    path: tuple[str, ...]
    """The keys that lead to it."""
    before: Any
    after: Any


class _Absent:
    """What stands where there is no value: null is one."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = _Absent()


class InputChange(NamedTuple):
    """An input that differs."""

    role: str
    """Of both."""
    before: Input | None
    after: Input | None


def compare_files(before: Listing, after: Listing) -> list[Difference]:
    """Return the files that differ, sorted by path; what was renamed by its new one.

    A file that was removed and one with the same bytes that was added are one that was renamed: first those
    that keep the last part of their path, then the others, in the order of their paths. Each is paired once.

    Raises:
        IntegrityError: `bad_tree`, `object_missing`, `object_damaged`.
    """
    found = list(differences(before.tree, after.tree, before.load, after.load))
    changed = [one for one in found if one.before and one.after]
    removed = [one.before for one in found if one.before and not one.after]
    added = [one.after for one in found if one.after and not one.before]
    moved, removed, added = _pair(removed, added, lambda file: (file.id, file.path.rpartition("/")[2]))
    renamed, removed, added = _pair(removed, added, lambda file: file.id)
    pairs = (*moved, *renamed, *((file, None) for file in removed), *((None, file) for file in added))
    return sorted((*changed, *(Difference(*pair) for pair in pairs)), key=_path)


def _path(one: Difference) -> str:
    file = one.after or one.before
    return file.path if file else ""


def _pair(
    before: Sequence[_Item], after: Sequence[_Item], key: Callable[[_Item], Hashable]
) -> tuple[list[tuple[_Item, _Item]], list[_Item], list[_Item]]:
    """Pair, of each key, the first with the first, the second with the second; return what is left over, too."""
    waiting: defaultdict[Hashable, deque[int]] = defaultdict(deque)
    for at, item in enumerate(before):
        waiting[key(item)].append(at)
    pairs, left = [], []
    for item in after:
        if places := waiting.get(key(item)):
            pairs.append((before[places.popleft()], item))
        else:
            left.append(item)
    # In their order again: paired the other way round, the same ones meet.
    return pairs, [before[at] for at in sorted(chain.from_iterable(waiting.values()))], left


def compare_metadata(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[ValueChange]:
    """Return the values that differ, sorted by path; `ABSENT` where there is none.

    Mappings are compared key by key. Everything else is one value: a list, and a mapping without keys.
    """
    old, new = dict(leaves(before)), dict(leaves(after))
    pairs = ((path, old.get(path, ABSENT), new.get(path, ABSENT)) for path in sorted(old.keys() | new.keys()))
    return [ValueChange(*pair) for pair in pairs if not _is_same(*pair[1:])]


def _is_same(before: object, after: object) -> bool:
    if before is ABSENT or after is ABSENT:
        return False
    # As text: to Python, 1 and 1.0 and True are equal.
    return json.dumps(before, sort_keys=True) == json.dumps(after, sort_keys=True)


def compare_inputs(before: Sequence[Input], after: Sequence[Input]) -> list[InputChange]:
    """Return the inputs that differ in role, commit or ref, sorted by role; those of one role are paired in order."""
    old, new = frozenset(before), frozenset(after)
    gone = [item for item in before if item not in new]
    come = [item for item in after if item not in old]
    pairs, gone, come = _pair(gone, come, lambda item: item.role)
    changes = [InputChange(was.role, was, becomes) for was, becomes in pairs]
    changes += [InputChange(item.role, item, None) for item in gone]
    changes += [InputChange(item.role, None, item) for item in come]
    return sorted(changes, key=lambda change: change.role)
