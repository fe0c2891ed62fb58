"""What comes from another repository is compared with its ids before a name rests on it.

Sums say that a pack is as it was written, and no more. Who wrote it may have put other bytes under an id; whoever adds
the right ones later would find them there already, and keep nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mlreg.errors import IntegrityError, MlregError
from mlreg.formats.pack import PackKind, Sort
from mlreg.formats.recipe import Recipe
from mlreg.formats.transaction import PackEntry, Transaction
from mlreg.ids import ContentId, ObjectId, TransactionHash
from mlreg.operations.reading_all import Reader
from mlreg.repository.log import Log
from mlreg.repository.objects import Objects
from mlreg.repository.repository import Repository
from mlreg.repository.view import Place, View


def prove(source: Repository, here: Repository, packs: Sequence[PackEntry]) -> None:
    """Compute the ids of all that new packs hold.

    Args:
        source: where they came from.
        here: has their files; its log does not name them yet.
        packs: the new ones.

    Raises:
        IntegrityError: `wrong_bytes`.
    """
    if packs:
        newcomers = _Newcomers(here, packs)
        with Reader(newcomers.repository, decodes=True, report=lambda _: None) as reader:
            for error in newcomers.faults(reader):
                raise _wrong(source, error) from error


class _Apart(Log):
    """A log that is made up, and has nothing to do with what is in the store."""

    def refresh(self) -> View:
        """Stay where it is."""
        return self.view


class _Newcomers:
    """New packs as a repository of their own, with those packs from before that they build on."""

    def __init__(self, here: Repository, packs: Sequence[PackEntry]) -> None:
        self._here = here
        self._packs = packs
        self.repository = Repository(here.store)
        self.repository.log = _Apart(here.store, here.identity, self.repository.log.view)
        self.repository.objects = Objects(here.store, self.repository.log)
        for pack in packs:
            self._add(pack)

    def _add(self, pack: PackEntry) -> None:
        view, number = self.repository.log.view, self.repository.log.view.number + 1
        nobody = Transaction(number, TransactionHash(bytes(32)), "", "", "", "", add=(pack,))
        view.apply([(nobody, nobody.previous)])
        view.add_index(pack.id, self.repository.objects.fetch_index(pack))

    def faults(self, reader: Reader) -> Iterator[MlregError]:
        """Yield what is wrong; files first, so that their pieces are read once.

        Raises:
            IntegrityError: of what was here before.
        """
        hidden: IntegrityError | None = None
        try:
            yield from self._of_files(reader)
        except IntegrityError as error:
            hidden = error  # of a piece: which of both it is of will be seen
        yield from self._of_packs(reader)
        if hidden and hidden.code == "bad_recipe":
            yield hidden
        elif hidden:
            raise hidden

    def _of_files(self, reader: Reader) -> Iterator[MlregError]:
        seen: set[ContentId] = set()
        for place, content in self._recipes():
            if content in seen:
                yield IntegrityError(
                    "bad_recipe", f"there are two recipes of {content}", fix="mlreg verify, where it came from"
                )
            seen.add(content)
            recipe = Recipe.decode(bytes(self.repository.objects.read_at(place, content)))
            self._bring_parts(recipe)
            if error := reader.read_file(content, recipe):
                yield error

    def _of_packs(self, reader: Reader) -> Iterator[MlregError]:
        for pack in self._packs:
            reader.read_pack(pack.id)
            yield from reader.errors.get(pack.id, ())

    def _recipes(self) -> Iterator[tuple[Place, ContentId]]:
        for pack in self._packs:
            if pack.kind is PackKind.META:
                for slot, item in enumerate(self.repository.objects.index(pack.id).items()):
                    if item.sort is Sort.RECIPE:
                        yield Place(pack.id, slot), ContentId(item.id)

    def _bring_parts(self, recipe: Recipe) -> None:
        """Take in the packs here that hold what a file is made of, and did not come."""
        ids = list(dict.fromkeys(part.id for part in recipe.parts))
        if not recipe.is_paged:
            self._bring(Sort.PIECE, ids)
            return
        self._bring(Sort.PAGE, ids)
        for page in ids:
            parts = Recipe.decode(bytes(self.repository.objects.read(Sort.PAGE, page))).parts
            self._bring(Sort.PIECE, [part.id for part in parts])

    def _bring(self, sort: Sort, ids: Sequence[ObjectId]) -> None:
        view, pending = self.repository.log.view, [(sort, ids)]
        while pending:
            sort, ids = pending.pop()
            known = view.places_of(sort, ids)
            for pack_id in self._packs_here(sort, [one for one in ids if one not in known]):
                if view.pack_state(pack_id) is None:
                    self._add(self._here.log.view.pack(pack_id))
                    # What pieces differ from may lie elsewhere.
                    pending.append((Sort.PIECE, self.repository.objects.index(pack_id).bases))

    def _packs_here(self, sort: Sort, ids: Sequence[ObjectId]) -> set[str]:
        found = self._here.objects.places_of(sort, ids)
        if len(found) < len(ids):
            # Packs were merged meanwhile, and no one looked into the new one yet.
            self._here.objects.take_up_all()
            found = self._here.objects.places_of(sort, ids)
        return {place.pack for places in found.values() for place in places}


def _wrong(source: Repository, error: MlregError) -> IntegrityError:
    return IntegrityError(
        "wrong_bytes",
        f"{source.url} sent other bytes than it says: {error.message}",
        why="they were damaged before they were written there, or someone put them there; nothing was taken",
        fix=(
            "ask whoever keeps it to run: mlreg verify",
            "take the entries you need one by one: mlreg pull REMOTE ENTRY",
        ),
    )
