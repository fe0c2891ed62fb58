"""What datasets are like: of a version, or of files that are not registered.

A profile of a file is a function of its bytes: it is kept in the cache, by the id of the file, so that a version that
adds a file to the one before costs that file. The cache may be deleted at any time.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import NamedTuple

from mlreg.errors import NotFoundError, UsageError
from mlreg.formats.ref import ELSEWHERE, Ref, is_on_disk
from mlreg.formats.tree import File
from mlreg.quality.file_profile import VERSION, FileProfile, decode, encode
from mlreg.quality.images import Image
from mlreg.quality.profile import TableProfile, added_up, shown
from mlreg.quality.profiling import profile_of
from mlreg.quality.tables import Form, TableFile, form_by_name, table_file
from mlreg.registry.getting import Finds
from mlreg.registry.profiling_images import Images, image_at, image_in, images_of
from mlreg.registry.resolve import Target
from mlreg.repository.repository import Repository
from mlreg.stores.small_file import replace_file

FOLDERS = 1000
"""Folders that a profile lists."""

Report = Callable[[int], None]


class FileType(NamedTuple):
    """Files whose names end alike."""

    suffix: str
    """`.csv`; empty of names without one."""
    files: int
    size: int
    """Bytes."""


class Folder(NamedTuple):
    """Files that are directly in one folder; where folders are classes, this is the balance of classes."""

    path: str
    files: int


class Profile(NamedTuple):
    """What a dataset is like."""

    ref: str
    """A version, perhaps with a path in it; or a path on the disk."""
    id: str
    """Of the version; empty of files that are not registered."""
    version: int
    """Of what is computed: profiles of two versions are not to be compared."""
    files: int
    size: int
    """Bytes."""
    types: tuple[FileType, ...]
    """The most frequent first."""
    folders: tuple[Folder, ...]
    """The fullest first; at most 1000."""
    tables: tuple[TableProfile, ...]
    """Files with the same columns make one table; the one with the most rows comes first."""
    images: Images
    """By their headers."""


class Table(NamedTuple):
    """Files with the same columns, and what is known of them together."""

    files: tuple[str, ...]
    profile: FileProfile


class Measured(NamedTuple):
    """A dataset whose tables are known."""

    ref: str
    id: str
    files: Sequence[tuple[str, int]]
    """Path and size of each."""
    tables: Sequence[Table]
    """The one with the most rows first."""
    images: Callable[[], Mapping[str, Image]]
    """Reads the headers of its images, and returns them by path."""


def _silent(size: int) -> None:
    """Report nothing."""


def profile(registry: Finds, text: str, report: Report = _silent) -> Profile:
    """Say what a dataset is like.

    Args:
        registry: where refs begin.
        text: a ref, perhaps with a path; or a path on the disk, if it begins with `.` or `/`, or ends as the name of
            a table does and is a file, and has no `::`.
        report: told about progress, in bytes.

    Raises:
        UsageError: `bad_table`, with file and line.
        UnsupportedError: `missing_extra`, for Parquet without DuckDB.
        NotFoundError: `path_not_found`, `file_missing`, and what else a ref may raise.
        IntegrityError: what must be read is damaged or gone.
    """
    found = measured(registry, text, report)
    types, sizes = Counter[str](), Counter[str]()
    for path, size in found.files:
        suffix = PurePosixPath(path).suffix.lower()
        types[suffix] += 1
        sizes[suffix] += size
    folders = Counter(str(PurePosixPath(path).parent) for path, _ in found.files)
    return Profile(
        ref=found.ref,
        id=found.id,
        version=VERSION,
        files=len(found.files),
        size=sum(size for _, size in found.files),
        types=tuple(FileType(suffix, count, sizes[suffix]) for suffix, count in _ranked(types)),
        folders=tuple(Folder(path, count) for path, count in _ranked(folders)[:FOLDERS]),
        tables=tuple(shown(table.profile, table.files) for table in found.tables),
        images=images_of(found.images()),
    )


def measured(registry: Finds, text: str, report: Report = _silent) -> Measured:
    """Return the tables of a dataset; raises as `profile`."""
    return _measured_path(Path(text), report) if is_path(text) else _measured_version(registry, text, report)


def is_path(text: str) -> bool:
    """Tell whether a text means files on the disk, and no version; also without a dot, if it is the name of a table."""
    if ELSEWHERE in text:
        return False
    return is_on_disk(text) or (form_by_name(text) is not None and Path(text).is_file())


def has_namesake(text: str) -> bool:
    """Tell whether there are files on the disk, too, that a text which means a version might mean."""
    with suppress(OSError):
        return ELSEWHERE not in text and not is_path(text) and Path(text).exists()
    return False


def find_data(registry: Finds, text: str) -> tuple[Repository, Ref, Target]:
    """Return what a ref names; raises as `registry.find`, and says so if files on the disk may be meant."""
    try:
        return registry.find(text)
    except (NotFoundError, UsageError) as error:
        if has_namesake(text):
            fix = (f"if it is {text} on the disk that is meant: ./{text}", *error.fix)
            raise type(error)(error.code, error.message, why=error.why, fix=fix) from error
        raise


def _ranked(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda one: (-one[1], one[0]))


# Versions.


def _measured_version(registry: Finds, text: str, report: Report) -> Measured:
    repository, ref, target = find_data(registry, text)
    files = registry.files_of(repository, target, ref.path)
    shown_ref = f"{target}:{ref.path}" if ref.path else str(target)
    profiles = {}
    for file in files:
        if form := form_by_name(file.path):
            profiles[file.path] = _of_file(repository, file, form, f"{target}:{file.path}")
        report(file.size)
    sizes = [(file.path, file.size) for file in files]

    def images() -> Mapping[str, Image]:
        return {file.path: image for file in files if (image := image_in(repository, file))}

    return Measured(shown_ref, str(target.commit_id), sizes, _tables(profiles), images)


def _of_file(repository: Repository, file: File, form: Form, name: str) -> FileProfile:
    kept = repository.notes.parent / "profiles" / f"{file.id}-{form.value}-{VERSION}" if repository.notes else None
    found = _read(kept)
    if found is None:
        with stored_table(repository, file, form, name) as table:
            found = profile_of(table)
        _keep(kept, found)
    return found


@contextmanager
def stored_table(repository: Repository, file: File, form: Form, name: str) -> Iterator[TableFile]:
    """Yield a file of a version as a table on the disk, for as long as it is needed.

    Args:
        repository: where it is.
        file: the file.
        form: that its name promises; its first bytes count more.
        name: a ref of it; messages call it so.

    Raises:
        IntegrityError: `object_missing`, `object_damaged`.
    """
    with TemporaryDirectory(prefix="mlreg-") as directory:
        path = Path(directory) / "table"
        with path.open("wb") as target:
            for part in repository.objects.read_whole(file.id, file.size):
                target.write(part)
        yield table_file(path, name, f"mlreg cat {shlex.quote(name)}") or TableFile(path, name, form)


def _read(path: Path | None) -> FileProfile | None:
    try:
        return decode(path.read_bytes()) if path else None
    except OSError:
        return None


def _keep(path: Path | None, found: FileProfile) -> None:
    """Keep a profile. One that cannot be kept is computed again."""
    try:
        if path:
            replace_file(path, encode(found))
    except OSError:
        return


# Files on the disk.


def _measured_path(path: Path, report: Report) -> Measured:
    if not path.exists():
        raise NotFoundError("file_missing", f"{path} does not exist", fix="check the path")
    found = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
    profiles: dict[str, FileProfile] = {}
    named: dict[str, Path] = {}
    for one in found:
        name = one.relative_to(path).as_posix() if path.is_dir() else one.name
        named[name] = one
        if form_by_name(name) and (table := table_file(one)):
            profiles[name] = profile_of(table)
        report(one.stat().st_size)
    sizes = [(name, one.stat().st_size) for name, one in named.items()]

    def images() -> Mapping[str, Image]:
        return {name: image for name, one in named.items() if (image := image_at(one, name))}

    return Measured(str(path), "", sizes, _tables(profiles), images)


def _tables(profiles: Mapping[str, FileProfile]) -> list[Table]:
    """Return the tables that files make: those with the same columns make one."""
    groups: dict[frozenset[str], list[str]] = {}
    for path, one in sorted(profiles.items()):
        groups.setdefault(frozenset(column.name for column in one.columns), []).append(path)
    tables = [Table(tuple(paths), added_up([profiles[path] for path in paths])) for paths in groups.values()]
    return sorted(tables, key=lambda table: (-table.profile.rows, table.files))
