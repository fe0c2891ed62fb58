"""What is needed: every object that a version reads, and every commit.

Tree nodes are visited once, however many versions share them, so that a pass costs what is there and not what versions
add up to. Commits are needed always, those of removed versions too: history and lineage are made of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator

from mlreg.formats.pack import Sort
from mlreg.formats.recipe import Recipe
from mlreg.formats.tree import Child, File, Node
from mlreg.ids import ObjectId, TreeId
from mlreg.operations.history import Wanted
from mlreg.repository.objects import Objects


class Walk(ABC):
    """Goes from trees to all that is behind them: nodes, recipes, pages and pieces."""

    def __init__(self, objects: Objects, recipes: set[ObjectId]) -> None:
        """Begin nowhere yet.

        Args:
            objects: where trees and recipes are read.
            recipes: ids of all files that have a recipe; others are not looked for.
        """
        self._objects = objects
        self.recipes = recipes

    @abstractmethod
    def is_known(self, sort: Sort, object_id: ObjectId) -> bool:
        """Tell whether an object was met, so that nothing behind it is looked at again."""

    @abstractmethod
    def note(self, sort: Sort, object_id: ObjectId) -> None:
        """Note that an object was met."""

    def add_all(self, roots: Iterable[TreeId]) -> None:
        """Walk through trees with all below them; errors as `add`."""
        for root in roots:
            for _ in self.add(root):
                pass

    def add(self, root: TreeId) -> Iterator[Wanted]:
        """Walk through a tree, and yield what was not known before.

        Raises:
            IntegrityError: `object_missing`, `object_damaged`: what lies behind it cannot be told.
        """
        pending = [root]
        while pending:
            node_id = pending.pop()
            if self.is_known(Sort.TREE, node_id):
                continue
            # Noted when it was read, so that one that cannot be read is met again.
            node = Node.decode(self._objects.read_tree(node_id))
            yield from self._mark(Sort.TREE, node_id)
            for row in node.rows:
                if isinstance(row, Child):
                    pending.append(row.id)
                elif row.size:
                    yield from self._file(row)

    def _file(self, file: File) -> Iterator[Wanted]:
        # It may lie there in both ways; then both are kept.
        yield from self._mark(Sort.PIECE, file.id)
        if file.id in self.recipes and not self.is_known(Sort.RECIPE, file.id):
            recipe = Recipe.decode(bytes(self._objects.read(Sort.RECIPE, file.id)))
            yield from self._mark(Sort.RECIPE, file.id)
            for part in recipe.parts:
                yield from self._page(part.id) if recipe.is_paged else self._mark(Sort.PIECE, part.id)

    def _page(self, page_id: ObjectId) -> Iterator[Wanted]:
        if not self.is_known(Sort.PAGE, page_id):
            page = Recipe.decode(bytes(self._objects.read(Sort.PAGE, page_id)))
            yield from self._mark(Sort.PAGE, page_id)
            for part in page.parts:
                yield from self._mark(Sort.PIECE, part.id)

    def _mark(self, sort: Sort, object_id: ObjectId) -> Iterator[Wanted]:
        if not self.is_known(sort, object_id):
            self.note(sort, object_id)
            yield sort, object_id


class Marks(Walk):
    """The ids of objects that are needed, by their sort."""

    def __init__(self, objects: Objects, recipes: set[ObjectId]) -> None:
        """Mark nothing yet; as a `Walk`."""
        super().__init__(objects, recipes)
        self.ids: dict[Sort, set[ObjectId]] = {sort: set() for sort in Sort}

    def is_known(self, sort: Sort, object_id: ObjectId) -> bool:
        """Tell whether an object is marked."""
        return object_id in self.ids[sort]

    def note(self, sort: Sort, object_id: ObjectId) -> None:
        """Mark an object."""
        self.ids[sort].add(object_id)

    def is_needed(self, sort: Sort, object_id: ObjectId) -> bool:
        """Tell whether an object is marked, or a commit."""
        return sort is Sort.COMMIT or object_id in self.ids[sort]

    def copy(self) -> Marks:
        """Return the same marks, to which others can be added."""
        other = Marks(self._objects, self.recipes)
        other.ids = {sort: set(ids) for sort, ids in self.ids.items()}
        return other
