"""Do files have the sizes that their trees state? No id covers that, and who writes one out would stop at it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from mlreg.formats.pack import Sort
from mlreg.formats.tree import File
from mlreg.ids import ContentId, ObjectId
from mlreg.operations.history import Wanted
from mlreg.operations.reading_all import LOOKED_UP
from mlreg.repository.repository import Repository
from mlreg.repository.view import Place

_NOTHING = ContentId.of(b"")


def misstated(repository: Repository, files: Iterable[File], bad: Mapping[Wanted, object]) -> Iterator[File]:
    """Yield files that are one piece, or nothing, of another size than stated; many are looked up at once.

    Args:
        repository: whose view has the indexes of the packs.
        files: of a tree.
        bad: pieces with a damaged copy, which are passed over.
    """
    left = iter(files)
    while some := list(islice(left, LOOKED_UP)):
        places = repository.log.view.places_of(Sort.PIECE, [file.id for file in some if file.size])
        yield from (file for file in some if not file.size and file.id != _NOTHING)
        sizes = _sizes(repository, places.values())
        yield from (file for file in some if sizes.get(file.id, file.size) != file.size and not _is_bad(file, bad))


def _sizes(repository: Repository, found: Iterable[Sequence[Place]]) -> dict[ObjectId, int]:
    """Return the sizes of pieces, by their ids; pack by pack, since few indexes are held at once."""
    sizes: dict[ObjectId, int] = {}
    for place in sorted((places[0] for places in found), key=lambda place: place.pack):
        item = repository.objects.index(place.pack).item(place.slot)
        sizes[item.id] = item.size
    return sizes


def _is_bad(file: File, bad: Mapping[Wanted, object]) -> bool:
    return (Sort.PIECE, file.id) in bad
