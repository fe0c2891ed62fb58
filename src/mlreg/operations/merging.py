"""Merging: many small packs become few, so that their number grows with the logarithm of what is stored.

Every version adds a small pack or two. Packs of about one size form a class, and when a class is full it becomes one
pack of a higher one; so each byte is written once for each class, a few times in all. No object is taken away by it:
what lies in the old packs, needed or not, lies in the new one, and who reads the old files finds them for a day more.

It is done by hand (`merge_all`), and by those who add (`keep_few`): bounded, seldom, and after their own transaction.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import NamedTuple

from mlreg.errors import MlregError
from mlreg.formats.pack import PackKind, Sort
from mlreg.formats.transaction import PackEntry
from mlreg.operations.collect import collect_replaced
from mlreg.operations.looking_again import DAMAGE
from mlreg.operations.rewriting import copy_objects, replace_packs
from mlreg.repository.objects import Objects
from mlreg.repository.packing import PACK_SIZE, PackWriter
from mlreg.repository.repository import Repository
from mlreg.repository.view import DROPPED, LIVE, Place, View

BOUNDS = (0, 8 << 10, 64 << 10, 512 << 10, PACK_SIZE // 16)
"""Bytes at which the classes of small packs begin, and where the last one ends; larger packs are left alone."""
MANY = 16
"""Packs of a class that become one when no one asked for it: who adds waits for few merges, and each byte for few."""
GRACE = 24 * 3600.0
"""Seconds after which the files of packs that were replaced are deleted when no one asked for it."""
WAITING = 256 << 20
"""Bytes of such files, or a quarter of what is live, beyond which nothing is merged when no one asked for it."""


class Most(NamedTuple):
    """What one transaction merges of a kind, at most."""

    packs: int
    size: int
    """Bytes."""


ONCE = Most(256, 16 << 20)
"""For who adds something, and did not ask for it."""
AT_ONCE = Most(2000, PACK_SIZE)
"""For who asked."""
WITHOUT_END = Most(1 << 62, 1 << 62)


class Merged(NamedTuple):
    """Packs that became others."""

    before: tuple[PackEntry, ...]
    after: tuple[PackEntry, ...]

    def with_step(self, step: Merged) -> Merged:
        """Return what both did together: what the first made and the second merged again does not count."""
        gone, made = set(step.before), set(self.after)
        before = (*self.before, *(pack for pack in step.before if pack not in made))
        return Merged(before, (*(pack for pack in self.after if pack not in gone), *step.after))


_NOTHING = Merged((), ())


# What becomes one.


def class_of(size: int) -> int:
    """Return the class of a pack with so many bytes, counted from 0; `len(BOUNDS) - 1` if it is not small."""
    return bisect_right(BOUNDS, size) - 1


def choose(packs: Sequence[PackEntry], many: int, most: Most) -> list[PackEntry]:
    """Return those packs of one kind that should become one, the small ones first; none if no class is full.

    Args:
        packs: live ones, in any order, which is kept within a class.
        many: packs of a class, or what is to become one, that are too many.
        most: of what is returned.
    """
    classes: dict[int, list[PackEntry]] = {}
    for pack in packs:
        classes.setdefault(class_of(pack.size), []).append(pack)
    chosen: list[PackEntry] = []
    total = 0
    for number in range(len(BOUNDS) - 1):
        some = classes.get(number, [])
        # What the lower classes become may fill this one.
        arrives = bool(chosen) and class_of(total) == number
        if len(some) + arrives < many:
            continue
        for pack in some:
            if len(chosen) == most.packs or total + pack.size > most.size:
                return chosen
            chosen.append(pack)
            total += pack.size
    return chosen


def due(view: View, many: int, most: Most, leaving: Collection[PackEntry] = ()) -> list[PackEntry]:
    """Return the packs of both kinds that should be merged, but for those that go for another reason."""
    small = {kind: view.live_packs_below(BOUNDS[-1], kind) for kind in PackKind}
    staying = {kind: [pack for pack in packs if pack not in leaving] for kind, packs in small.items()}
    chosen = (choose(packs, many, most) for packs in staying.values())
    return [pack for some in chosen if len(some) > 1 for pack in some]


# Merging.


def merge(repository: Repository, author: str, packs: Sequence[PackEntry], report: Callable[[int], None]) -> Merged:
    """Merge packs in one transaction; those that are damaged, or all if others replace one meanwhile, are left alone.

    Args:
        repository: nobody need keep off it meanwhile.
        author: of the transaction.
        packs: live ones.
        report: told about bytes of packs that were looked at.
    """
    generation = repository.log.view.generation
    with repository.writer() as writer:
        old = _copied(repository.objects, writer, packs, report)
        return _replaced(repository, author, writer, old, generation) if len(old) > 1 else _NOTHING


def merge_all(repository: Repository, author: str, report: Callable[[int], None]) -> Merged:
    """Merge small packs until none can be merged, as `merge` does."""
    done = _NOTHING
    while (step := merge(repository, author, due(repository.log.refresh(), 2, AT_ONCE), report)).before:
        done = done.with_step(step)
    return done


def _copied(
    objects: Objects, writer: PackWriter, packs: Sequence[PackEntry], report: Callable[[int], None]
) -> list[PackEntry]:
    """Give a writer what packs hold, each object once, and return the packs of which all is there, verified.

    Of a damaged one the writer may have some, which is there twice then and does no harm.
    """
    damaged: set[PackEntry] = set()
    objects.take_up_all()
    # Of two copies the newest is kept, as it is the one that is read; and one that needs no other piece, before all.
    for is_difference in (False, True):
        for pack in reversed(packs):
            try:
                if pack not in damaged:
                    _copy(objects, writer, pack, _slots(objects, pack, is_difference=is_difference))
            except DAMAGE:
                damaged.add(pack)
            report(pack.size * (not is_difference))
    return [pack for pack in packs if pack not in damaged]


def _slots(objects: Objects, pack: PackEntry, *, is_difference: bool) -> Sequence[int]:
    """Return the numbers of the objects of a pack that are stored as differences, or of the others."""
    index = objects.index(pack.id)
    if not index.bases:
        return range(0 if is_difference else len(index))
    return [slot for slot in range(len(index)) if objects.is_difference(Place(pack.id, slot)) is is_difference]


def _copy(objects: Objects, writer: PackWriter, pack: PackEntry, slots: Sequence[int]) -> None:
    index, wanted = objects.index(pack.id), []
    for slot in slots:
        item = index.item(slot)
        if item.sort is Sort.RECIPE and objects.places(item.sort, item.id)[0].pack != pack.id:
            # A file may be cut in two ways. The newest recipe counts, wherever it lies; the pieces of this one may
            # be gone, and what is written now is newer than both.
            writer.add(item.sort, item.id, objects.read(item.sort, item.id))
        if not writer.has(item.sort, item.id):
            wanted.append(slot)
    _refuse_wrong_copies(objects, pack, wanted)
    copy_objects(objects, writer, pack, wanted)


def _refuse_wrong_copies(objects: Objects, pack: PackEntry, slots: Sequence[int]) -> None:
    """Refuse a pack that has a copy which its id does not fit, where there is another: the good one must stay.

    Raises:
        IntegrityError: `object_damaged`, `bad_block`.
    """
    items = {slot: objects.index(pack.id).item(slot) for slot in slots}
    for sort in {item.sort for item in items.values()}:
        places = objects.places_of(sort, [item.id for item in items.values() if item.sort is sort])
        for slot, item in items.items():
            if item.sort is sort and len(places.get(item.id, ())) > 1:
                objects.read_at(Place(pack.id, slot), item.id)


def _replaced(repository: Repository, author: str, writer: PackWriter, old: list[PackEntry], generation: int) -> Merged:
    """Let the log name the new packs instead of the old ones.

    Nothing is done if those are not live any more, or if a collector came in between: of a file that is cut in two ways
    it may have kept the pieces of the other.
    """
    written = writer.finish()
    if len(written) >= len(old) or not replace_packs(
        repository, author, "merge", old, written, lambda view: view.generation != generation
    ):
        writer.take_back(written)
        return _NOTHING
    # What goes wrong with a cache is no fault of what is done.
    with suppress(MlregError):
        for pack in written:
            repository.log.view.add_index(pack.id, writer.indexes[pack.id])
    return Merged(tuple(old), written)


# When no one asked for it.


def keep_few(repository: Repository, author: str, added: Sequence[PackEntry], grace: float = GRACE) -> None:
    """Merge small packs if those that were added just now fill a class; else this costs next to nothing.

    Of many who add at once few find that they do. What was asked for is done and safe, so nothing here makes it fail.

    Args:
        repository: says whether this is wanted.
        author: of the transactions.
        added: what the log names since the last transaction of the caller.
        grace: seconds for which files of packs that were merged stay.
    """
    with suppress(Exception, KeyboardInterrupt):
        if _is_due(repository.log.view, added) and repository.merges:
            collect_replaced(repository, author, grace)
            _merge_some(repository, author, added)


def _is_due(view: View, added: Sequence[PackEntry]) -> bool:
    """Tell whether packs that were added took the number of a class over a multiple of `MANY`."""
    for (kind, number), new in Counter((pack.kind, class_of(pack.size)) for pack in added).items():
        if number < len(BOUNDS) - 1:
            count = view.count_live(kind, BOUNDS[number], BOUNDS[number + 1])
            if count // MANY > max(0, count - new) // MANY:
                return True
    return False


def _merge_some(repository: Repository, author: str, added: Sequence[PackEntry]) -> None:
    """Merge a little, or as much as was added."""
    view = repository.log.refresh()
    left = max(ONCE.packs, len(added))
    size = max(ONCE.size, sum(pack.size for pack in added))
    while left > 0 and view.size_of(DROPPED) <= max(WAITING, view.size_of(LIVE) // 4):
        packs = due(view, MANY, Most(min(left, AT_ONCE.packs), min(size, AT_ONCE.size)))
        step = merge(repository, author, packs, lambda _: None)
        if not step.before:
            return
        left -= len(step.before)
        size -= sum(pack.size for pack in step.before)
