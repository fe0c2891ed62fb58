"""What a backup says of itself: when, by whom, up to which slot, and which files lay beside the repository.

Format page: `docs/format/backup.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from mlreg.errors import IntegrityError, MlregError, NotFoundError, UnsupportedError
from mlreg.formats import canonical
from mlreg.formats.paths import check_tree_paths
from mlreg.ids import ContentId, TransactionHash

KEY = "backup.json"
"""Says that a store is a backup, and takes no transactions."""
PREFIX = "backups/"
BESIDE = "beside/"
FORMAT = 1
DIGITS = 16
MAX_RECORD = 64 * 1024
"""Bytes of a record."""
MAX_LIST = 64 * 1024 * 1024
"""Bytes of the list of files beside a repository."""
PLACES = ("config.yaml", "remotes", "runs", "staging", "usage")
"""Files and directories beside the keys of a repository that are kept."""

MARK = canonical.encode({"format": FORMAT})
"""The bytes of `KEY`."""


def record_key(number: int) -> str:
    """Return the key of a backup, counted from 1: `backups/0000000000000001`."""
    return f"{PREFIX}{number:0{DIGITS}d}"


def beside_key(content: ContentId) -> str:
    """Return the key under which the bytes of a file lie that is no part of the repository."""
    return f"{BESIDE}{str(content)[:2]}/{content}"


class Point(NamedTuple):
    """A slot of a log, and its hash."""

    number: int
    head: TransactionHash

    def fields(self) -> dict[str, object]:
        """Return what JSON has of it."""
        return {"head": str(self.head), "number": self.number}

    @classmethod
    def of(cls, fields: dict[str, Any]) -> Point:
        """Read it; ValueError or the like for what is none."""
        if set(fields) != {"head", "number"} or type(fields["number"]) is not int or fields["number"] < 0:
            raise ValueError("no slot")
        return cls(fields["number"], TransactionHash.parse(fields["head"]))


class BesideFile(NamedTuple):
    """A file that lay beside the keys of a repository."""

    path: str
    size: int
    id: ContentId


class Record(NamedTuple):
    """One backup."""

    repository: str
    """Id of the repository."""
    point: Point
    """The last slot in it; the hash of `mlreg.json` before the first."""
    since: Point | None
    """What is not in this file, but in the backups before it: all up to this slot. None if all is here."""
    time: str
    author: str
    host: str
    is_project: bool
    """Whether the repository was the `.mlreg` of a project."""
    versions: int
    size: int
    """Bytes of the packs that it needs."""
    copied: int
    """Bytes that were not there before."""
    beside: ContentId
    """Id of the list of files beside the repository."""

    def encode(self) -> bytes:
        """Return the bytes of the record."""
        fields: dict[str, object] = dict(self._asdict())
        since = self.since.fields() if self.since else None
        fields |= {"format": FORMAT, "point": self.point.fields(), "since": since, "beside": str(self.beside)}
        return canonical.encode(fields)

    @classmethod
    def decode(cls, data: bytes) -> Record:
        """Read a record.

        Raises:
            IntegrityError: `bad_backup`, `bad_json`. UnsupportedError: `newer_format`.
        """
        fields = canonical.decode(data, MAX_RECORD)
        refuse_newer(fields, "backup")
        try:
            since = Point.of(fields["since"]) if fields["since"] is not None else None
            point, beside = Point.of(fields["point"]), ContentId.parse(fields["beside"])
            found = cls(
                **{name: fields[name] for name in cls._fields} | {"since": since, "point": point, "beside": beside}
            )
            texts = (found.repository, found.time, found.author, found.host)
            numbers = (found.versions, found.size, found.copied)
            is_sound = all(type(text) is str for text in texts) and type(found.is_project) is bool
            if not is_sound or any(type(number) is not int or number < 0 for number in numbers):
                raise ValueError("a field of another type")
            same = found.encode() == data
        except (KeyError, TypeError, ValueError, AttributeError, MlregError) as error:
            raise bad_backup("a record of a backup does not hold what it should") from error
        if not same:
            raise bad_backup("a record of a backup has a field that is not known")
        return found


def encode_list(files: Sequence[BesideFile]) -> bytes:
    """Return the list of the files beside a repository, sorted by path."""
    return canonical.encode([[file.path, file.size, str(file.id)] for file in sorted(files)])


def decode_list(data: bytes) -> list[BesideFile]:
    """Read such a list; every path in it is safe, and below one of `PLACES`.

    Raises:
        IntegrityError: `bad_backup`, `bad_json`.
    """
    try:
        rows = canonical.decode(data, MAX_LIST)
        files = [BesideFile(path, size, ContentId.parse(digits)) for path, size, digits in rows]
        check_tree_paths(file.path for file in files)
        is_sound = all(type(file.size) is int and file.size >= 0 and is_kept(file.path) for file in files)
    except (TypeError, ValueError, AttributeError, MlregError) as error:
        raise bad_backup("the list of files beside the repository cannot be read") from error
    if not is_sound:
        raise bad_backup("the list of files beside the repository names one that has no place there")
    return files


def is_kept(path: str) -> bool:
    """Tell whether a file at a path beside a repository is one that a backup holds."""
    top, slash, _ = path.partition("/")
    return top in PLACES and bool(slash) is (top != PLACES[0])


def refuse_newer(fields: object, what: str) -> None:
    """Refuse a record of a later release by its format.

    Raises:
        UnsupportedError: `newer_format`. IntegrityError: `bad_backup`, it is no record.
    """
    if not isinstance(fields, dict) or type(fields.get("format")) is not int:
        raise bad_backup(f"it does not say which format the {what} has")
    if fields["format"] != FORMAT:
        raise UnsupportedError(
            "newer_format",
            f"the {what} has format {fields['format']}; this mlreg reads format {FORMAT}",
            fix="pip install --upgrade mlreg",
        )


def base_missing(url: str, since: Point) -> NotFoundError:
    """Return the error for a backup at a place that is read without those that it was made since."""
    return NotFoundError(
        "backup_base_missing",
        f"{url} holds only what came after transaction {since.number}",
        why="it was made with --since, and needs the backups before it",
        fix=(
            f"mlreg backup verify {url} --base FILE, once for each of them",
            f"to look into it: mlreg backup restore {url} DIR --base FILE",
        ),
    )


def bad_backup(reason: str) -> IntegrityError:
    """Return the error for what is not as a backup is written."""
    return IntegrityError("bad_backup", "a backup cannot be read", why=reason, fix="use another backup")
