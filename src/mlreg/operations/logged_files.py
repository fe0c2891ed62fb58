"""Files that a live run was given: copied into its directory as they are at that moment."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from mlreg.errors import explain
from mlreg.formats.paths import check_path
from mlreg.operations.journaling import FILES
from mlreg.operations.scanning import named_path, sources_below

_CHUNK = 1 << 20


def keep_path(run: Path, path: str | Path, below: str, name: str = "") -> Iterator[Mapping[str, str]]:
    """Copy a file, or all files below a directory; yield what the journal says of each.

    Args:
        run: directory of the run.
        path: a file or a directory.
        below: where in the version it stands: `artifacts`.
        name: what it is called there; by default a file is called as it is, and a directory stands for what is in it.

    Raises:
        NotFoundError: `file_missing`. RefusedError: `special_file`, `unsafe_path`. NoSpaceError, AccessError.
    """
    given = named_path(path)
    is_directory = given.is_dir()
    for source in sources_below([given]):
        inside = f"{name}/{source.path}" if name and is_directory else name or source.path
        yield _copied(run, str(source.content), f"{below}/{inside}")


def _copied(run: Path, source: str, path: str) -> Mapping[str, str]:
    check_path(path)
    with _new_file(run, source) as file, Path(source).open("rb") as original:
        shutil.copyfileobj(original, file, _CHUNK)
    return {"path": path, "place": Path(file.name).name}


def keep_bytes(run: Path, data: bytes, path: str) -> Mapping[str, str]:
    """Write bytes to a file of a run; return what the journal says of it. Errors as `keep_path`."""
    check_path(path)
    with _new_file(run, path) as file:
        file.write(data)
    return {"path": path, "place": Path(file.name).name}


@contextmanager
def _new_file(run: Path, what: str) -> Iterator[IO[bytes]]:
    """Yield a new file of a run, which is whole on the disk afterwards: the journal may speak of it. Or not there."""
    place = run / FILES / os.urandom(8).hex()
    try:
        # The run itself is not made again: it may be sealed.
        place.parent.mkdir(exist_ok=True)
        try:
            with place.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            place.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise explain(error, what) from error
