"""What need not be stored again: an object that leads to others counts only with all that it leads to.

Who collects, or mends, may take pieces away and leave the recipe or the tree that leads to them, in a pack with others
that are needed. Whoever relied on what was left would store nothing, and have lost what was added.
"""

from __future__ import annotations

from mlreg.formats.pack import Sort
from mlreg.formats.recipe import Recipe
from mlreg.formats.tree import File, Node
from mlreg.ids import ContentId, ObjectId, TreeId
from mlreg.operations.history import needs_of_recipe, nodes_of
from mlreg.operations.looking_again import DAMAGE
from mlreg.repository.repository import Repository


class Holdings:
    """What a repository holds, with all that it leads to."""

    def __init__(self, repository: Repository) -> None:
        """Look at the newest state. The indexes of all packs must have been taken up."""
        self._repository = repository
        self._objects = repository.objects
        self._is_complete = not repository.log.view.generation
        """Whether nothing was ever taken away, so that nothing can be there in part."""

    def has(self, sort: Sort, object_id: ObjectId) -> bool:
        """Tell whether an object is held; a recipe with its pages and pieces, a node of a tree by itself."""
        return self._objects.holds(sort, object_id) and (sort is not Sort.RECIPE or self._leads_on(object_id))

    def has_file(self, content: ContentId) -> bool:
        """Tell whether the bytes of a file are held."""
        return any(self.has(sort, content) for sort in (Sort.PIECE, Sort.RECIPE))

    def has_tree(self, root: TreeId) -> bool:
        """Tell whether a tree is held with all nodes and files below it."""
        if self._is_complete:
            return self._objects.holds(Sort.TREE, root)
        try:
            return all(self._has_files(node) for _, node in nodes_of(self._repository, root))
        except DAMAGE:
            return False

    def _has_files(self, node: Node) -> bool:
        ids = [row.id for row in node.rows if isinstance(row, File) and row.size]
        found = self._objects.held(Sort.PIECE, ids)
        return all(content in found or self.has(Sort.RECIPE, content) for content in ids)

    def _leads_on(self, content: ObjectId) -> bool:
        if self._is_complete:
            return True
        found: dict[Sort, set[ObjectId]] = {}
        try:
            recipe = Recipe.decode(bytes(self._objects.read(Sort.RECIPE, content)))
            for sort, object_id in needs_of_recipe(self._objects, recipe):
                found.setdefault(sort, set()).add(object_id)
        except DAMAGE:
            return False
        return all(self._objects.held(sort, list(ids)) >= ids for sort, ids in found.items())
