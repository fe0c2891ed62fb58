"""What is needed: every object that a version reads, and every commit.

Tree nodes are visited once, however many versions share them, so that a pass costs what is there and not what versions
add up to. Commits are needed always, those of removed versions too: history and lineage are made of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mlreg.formats.pack import Sort
from mlreg.formats.recipe import Recipe
from mlreg.formats.tree import Child, File, Node
from mlreg.ids import ObjectId, TreeId
from mlreg.operations.history import Wanted
from mlreg.repository.objects import Objects


class Marks:
    """The ids of objects that are needed, by their sort."""

    def __init__(self, objects: Objects, recipes: set[ObjectId]) -> None:
        """Mark nothing yet.

        Args:
            objects: where trees and recipes are read.
            recipes: ids of all files that have a recipe; others are not looked for.
        """
        self._objects = objects
        self.recipes = recipes
        self.ids: dict[Sort, set[ObjectId]] = {sort: set() for sort in Sort}

    def is_needed(self, sort: Sort, object_id: ObjectId) -> bool:
        """Tell whether an object is marked, or a commit."""
        return sort is Sort.COMMIT or object_id in self.ids[sort]

    def copy(self) -> Marks:
        """Return the same marks, to which others can be added."""
        other = Marks(self._objects, self.recipes)
        other.ids = {sort: set(ids) for sort, ids in self.ids.items()}
        return other

    def add_all(self, roots: Iterable[TreeId]) -> None:
        """Mark trees with all below them; errors as `add`."""
        for root in roots:
            for _ in self.add(root):
                pass

    def add(self, root: TreeId) -> Iterator[Wanted]:
        """Mark a tree with all below it, and yield what was not marked before.

        Raises:
            IntegrityError: `object_missing`, `object_damaged`: what lies behind it cannot be told.
        """
        pending = [root]
        nodes = self.ids[Sort.TREE]
        while pending:
            node_id = pending.pop()
            if node_id in nodes:
                continue
            node = Node.decode(self._objects.read_tree(node_id))
            nodes.add(node_id)
            yield Sort.TREE, node_id
            for row in node.rows:
                if isinstance(row, Child):
                    pending.append(row.id)
                elif row.size:
                    yield from self._file(row)

    def _file(self, file: File) -> Iterator[Wanted]:
        # It may lie there in both ways; then both are kept.
        yield from self._mark(Sort.PIECE, file.id)
        if file.id in self.recipes and file.id not in self.ids[Sort.RECIPE]:
            recipe = Recipe.decode(bytes(self._objects.read(Sort.RECIPE, file.id)))
            yield from self._mark(Sort.RECIPE, file.id)
            for part in recipe.parts:
                yield from self._page(part.id) if recipe.is_paged else self._mark(Sort.PIECE, part.id)

    def _page(self, page_id: ObjectId) -> Iterator[Wanted]:
        if page_id not in self.ids[Sort.PAGE]:
            page = Recipe.decode(bytes(self._objects.read(Sort.PAGE, page_id)))
            yield from self._mark(Sort.PAGE, page_id)
            for part in page.parts:
                yield from self._mark(Sort.PIECE, part.id)

    def _mark(self, sort: Sort, object_id: ObjectId) -> Iterator[Wanted]:
        if object_id not in self.ids[sort]:
            self.ids[sort].add(object_id)
            yield sort, object_id
