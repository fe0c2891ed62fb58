"""Writing what packs hold into new packs: blocks as they are where all in them is wanted, without decoding."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from mlreg.codecs.difference import DIFFERENCE
from mlreg.codecs.planes import Planes
from mlreg.formats.pack import Block, Item, PackIndex
from mlreg.formats.transaction import PackEntry
from mlreg.ids import ContentId
from mlreg.repository.log import Draft, Settled
from mlreg.repository.objects import Objects
from mlreg.repository.packing import PackWriter
from mlreg.repository.repository import Repository
from mlreg.repository.view import LIVE, View
from mlreg.stores.store import Upload

FULL = 64 * 1024
"""Plain bytes of a block that is worth keeping; what is in smaller ones is put together with others like it."""


def copy_objects(objects: Objects, writer: PackWriter, pack: PackEntry, wanted: Collection[int]) -> None:
    """Give a writer some objects of a pack.

    Args:
        objects: where they are read, and verified.
        writer: of the new packs.
        pack: a live one.
        wanted: numbers of the objects in its index.

    Raises:
        IntegrityError: `block_damaged`, `object_damaged`; what was given before stays in the writer.
    """
    index, chosen = objects.index(pack.id), set(wanted)
    by_block: dict[int, list[int]] = {}
    for slot in range(len(index)):
        by_block.setdefault(index.item(slot).block, []).append(slot)
    for number, slots in by_block.items():
        needed = [slot for slot in slots if slot in chosen]
        if not needed:
            continue
        block, items = index.block(number), [index.item(slot) for slot in needed]
        if len(needed) == len(slots) and stays_as_it_is(block, items):
            copy_block(objects, writer, pack, block, items)
        else:
            for item in items:
                writer.add(item.sort, item.id, objects.read(item.sort, item.id))


def stays_as_it_is(block: Block, items: list[Item]) -> bool:
    """Tell whether a block is better copied than put together anew with others."""
    return block.plain_size >= FULL or (len(items) == 1 and block.codec in (DIFFERENCE.number, Planes.number))


def copy_block(objects: Objects, writer: PackWriter, pack: PackEntry, block: Block, items: list[Item]) -> None:
    """Give a writer a whole block, verified by its sum."""
    stored = objects.stored_block(pack.id, block)
    if block.codec == DIFFERENCE.number:
        writer.add_difference(ContentId(items[0].id), block.plain_size, stored)
    else:
        writer.add_block(pack.kind, stored, block, items)


def copy_pack(
    objects: Objects, pack: PackEntry, index: PackIndex, upload: Upload, report: Callable[[int], None]
) -> None:
    """Write a whole pack as it is, every block verified by its sum on the way.

    Args:
        objects: where it is read.
        pack: as the log names it.
        index: of it, verified.
        upload: takes its bytes.
        report: told about bytes that were written.

    Raises:
        IntegrityError: `block_damaged`. NotFoundError: `key_missing`, the pack is gone.
    """
    for block in index.blocks():
        upload.write(objects.stored_block(pack.id, block))
        report(block.stored_size)
    upload.write(index.with_trailer())


def read_pack(objects: Objects, pack: PackEntry, index: PackIndex) -> None:
    """Read all blocks of a pack, and keep nothing of them; errors as of `copy_pack`."""
    for block in index.blocks():
        objects.stored_block(pack.id, block)


def replace_packs(
    repository: Repository,
    author: str,
    verb: str,
    old: Sequence[PackEntry],
    written: Sequence[PackEntry],
    is_outdated: Callable[[View], bool] = lambda view: False,
) -> bool:
    """Let the log name new packs instead of old ones; False, and nothing is done, if one of those is not live any more.

    Args:
        repository: that has them.
        author: of the transaction.
        verb: of its message.
        old: packs of which all objects are in the new ones.
        written: the new ones.
        is_outdated: what else stands against it, in the newest state.
    """
    ids = tuple(pack.id for pack in old)

    def build(view: View) -> Draft:
        if is_outdated(view) or any(view.pack_state(pack_id) != LIVE for pack_id in ids):
            raise Settled
        return Draft(author, f"{verb} {len(ids)} packs into {len(written)}", add=tuple(written), drop=ids)

    try:
        repository.log.append(build)
    except Settled:
        return False
    return True
