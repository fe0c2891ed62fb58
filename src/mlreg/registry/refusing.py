"""What is refused of a ref or of a value, whoever is asked."""

from __future__ import annotations

from collections.abc import Mapping

from mlreg.errors import UsageError
from mlreg.formats.ref import Ref


def refuse_remote(ref: Ref) -> None:
    """Refuse a change of another repository.

    Raises:
        UsageError: `remote_change`.
    """
    if ref.remote is not None:
        raise UsageError(
            "remote_change",
            f"{ref} is in another repository",
            why="changes are made here, and then pushed",
            fix=f"mlreg push {ref.remote}",
        )


def refuse_other_types(version: object, metadata: object) -> None:
    """Refuse what Python lets a caller pass, and what is neither a version nor metadata.

    Raises:
        UsageError: `bad_version`, `bad_meta`.
    """
    if not isinstance(version, str):
        raise UsageError("bad_version", f"a version is text, not {version!r:.80}", fix=f'version="{version!s:.80}"')
    if metadata is not None and not isinstance(metadata, Mapping):
        word = type(metadata).__name__
        raise UsageError("bad_meta", f"metadata is a mapping, not a {word}", fix='{"metrics": {"map": 0.93}}')


def refuse_path(ref: Ref) -> None:
    """Refuse a ref of a file where a whole version is meant: what is done would be done to all of it.

    Raises:
        UsageError: `path_in_change`.
    """
    if ref.path is not None:
        whole = ref._replace(path=None)
        raise UsageError("path_in_change", f"{ref} is a file, and versions are changed as a whole", fix=f"use {whole}")
