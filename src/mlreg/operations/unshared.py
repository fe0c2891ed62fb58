"""Which files would be gone with some versions: those that no version has which stays."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from mlreg.formats.tree import Child, File, Node
from mlreg.ids import CommitId, ContentId, TreeId
from mlreg.operations.history import read_commits
from mlreg.repository.repository import Repository


def unshared(
    repository: Repository, going: Collection[CommitId], staying: Iterable[CommitId]
) -> dict[CommitId, dict[ContentId, int]]:
    """Return the files, with their bytes, that each of some versions has and that none has which stays.

    Bytes are those of whole files, before they are compressed; parts that two files share are not looked at.

    Args:
        repository: where.
        going: the versions; a file that several of them have is listed for each.
        staying: all other versions.

    Raises:
        IntegrityError: `object_missing`, `object_damaged`, a tree cannot be read.
    """
    if not going:
        return {}
    commits = read_commits(repository, going)
    found = {one: {file.id: file.size for file in _files(repository, [commits[one].tree])} for one in going}
    wanted = {content for files in found.values() for content in files}
    trees = [commit.tree for commit in read_commits(repository, staying).values()]
    kept = {file.id for file in _files(repository, trees) if file.id in wanted}
    return {
        one: {content: size for content, size in files.items() if content not in kept} for one, files in found.items()
    }


def _files(repository: Repository, roots: Iterable[TreeId]) -> Iterator[File]:
    """Yield the files of some trees; a node that several have is read once."""
    pending, seen = list(roots), set[TreeId]()
    while pending:
        node_id = pending.pop()
        if node_id in seen:
            continue
        seen.add(node_id)
        for row in Node.decode(repository.objects.read_tree(node_id)).rows:
            if isinstance(row, Child):
                pending.append(row.id)
            else:
                yield row
