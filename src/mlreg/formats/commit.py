"""A commit: one version of an entry, as small canonical JSON.

Format page: `docs/format/commit.md`. A commit names its files (the tree), the version before it
(parents) and what it was made from (inputs), and so the commits form a DAG.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Self, TypeVar

from mlreg.errors import IntegrityError, UnsupportedError, UsageError
from mlreg.formats import canonical
from mlreg.ids import CommitId, ContentId, TreeId

FORMAT = 1
MAX_BYTES = 4 * 1024 * 1024
MAX_METADATA = 1024 * 1024
"""Bytes of metadata, as canonical JSON, that `add` accepts."""

FORMS = ("arrays", "bytes", "directory", "file")
"""What was registered, so that `get_model` gives back the same kind of object."""

_FIELDS = {
    "author": str,
    "entry": str,
    "files": int,
    "form": str,
    "format": int,
    "inputs": list,
    "message": str,
    "metadata": dict,
    "parents": list,
    "size": int,
    "time": str,
    "tree": str,
    "version": str,
}


class Input(NamedTuple):
    """What a version was made from."""

    role: str
    """What it was used as: `data`, `base`, `code`."""
    commit: CommitId
    ref: str
    """How it was called when it was named, `data/frames@2026.11.23`; for people."""


class Commit(NamedTuple):
    """One version of an entry."""

    entry: str
    """`model/suture_detector`."""
    version: str
    tree: TreeId
    files: int
    size: int
    """Bytes of all files."""
    form: str
    """One of `FORMS`."""
    parents: tuple[CommitId, ...]
    """The version before, of the same entry; empty for the first."""
    inputs: tuple[Input, ...]
    """Sorted by role and commit."""
    metadata: Mapping[str, Any]
    message: str
    author: str
    time: str
    """UTC, `2026-11-23T06:28:00Z`."""

    def encode(self) -> bytes:
        """Return the canonical bytes; their hash is the commit's id."""
        inputs = [{"commit": str(i.commit), "ref": i.ref, "role": i.role} for i in self.inputs]
        return canonical.encode(
            {
                **self._asdict(),
                "format": FORMAT,
                "inputs": inputs,
                "metadata": dict(self.metadata),
                "parents": [str(parent) for parent in self.parents],
                "tree": str(self.tree),
            }
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a commit.

        Raises:
            IntegrityError: `bad_commit`, or `bad_json`.
            UnsupportedError: `unknown_commit_format`.
        """
        fields = canonical.decode(data, MAX_BYTES)
        if not isinstance(fields, dict) or not isinstance(fields.get("format"), int):
            raise _bad("it is not a commit")
        if fields["format"] != FORMAT:
            raise UnsupportedError(
                "unknown_commit_format",
                f"a commit has format {fields['format']}; this mlreg reads format {FORMAT}",
                fix="pip install --upgrade mlreg",
            )
        _check_fields(fields)
        del fields["format"]
        fields["tree"] = _id(TreeId, fields["tree"])
        fields["parents"] = tuple(_id(CommitId, parent) for parent in fields["parents"])
        fields["inputs"] = tuple(_input(item) for item in fields["inputs"])
        return cls(**fields)

    def has_same_content(self, other: Commit) -> bool:
        """Tell whether two commits register the same bytes with the same metadata and inputs.

        Author, time, message, version and parents do not count.
        """
        return self.content() == other.content()

    def content(self) -> str:
        """Return the id of what counts for `has_same_content`: 64 digits, made as `docs/format/annotation.md` says."""
        inputs = [[role, str(commit)] for role, commit in self.inputs_by_id()]
        fields = {"form": self.form, "inputs": inputs, "metadata": dict(self.metadata), "tree": str(self.tree)}
        return str(ContentId.of(canonical.encode(fields)))

    def inputs_by_id(self) -> tuple[tuple[str, CommitId], ...]:
        """Return (role, commit) of each input, without the names they had."""
        return tuple((item.role, item.commit) for item in self.inputs)

    def history(self) -> tuple[CommitId, ...]:
        """Return the commits this one names: the version before and the inputs."""
        return (*self.parents, *(item.commit for item in self.inputs))


def _check_fields(fields: dict[str, Any]) -> None:
    for name, kind in _FIELDS.items():
        if type(fields.get(name)) is not kind:
            raise _bad(f"its field {name!r} is missing or of the wrong kind")
    if unknown := sorted(set(fields) - set(_FIELDS)):
        raise _bad(f"its field {unknown[0]!r} is not known")
    if fields["form"] not in FORMS:
        raise _bad("its form is not known")
    if fields["files"] < 0 or fields["size"] < 0:
        raise _bad("its sizes are negative")


_Id = TypeVar("_Id", TreeId, CommitId)


def _id(kind: type[_Id], text: object) -> _Id:
    try:
        return kind.parse(text if isinstance(text, str) else "")
    except UsageError as error:
        raise _bad("it names something that is not an id") from error


def _input(item: object) -> Input:
    if not isinstance(item, dict) or {name: type(value) for name, value in item.items()} != {
        "commit": str,
        "ref": str,
        "role": str,
    }:
        raise _bad("an input is not made of commit, ref and role")
    return Input(item["role"], _id(CommitId, item["commit"]), item["ref"])


def _bad(reason: str) -> IntegrityError:
    return IntegrityError("bad_commit", "a commit cannot be read", why=reason)
