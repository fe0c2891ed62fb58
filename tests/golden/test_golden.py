"""Repositories that earlier releases wrote are read, whole and with the same ids, by this one.

`write.py` made them, one for each release. They are never written again.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from mlreg.codecs import CODECS
from mlreg.codecs.difference import DIFFERENCE
from mlreg.formats.snapshot import Snapshot
from mlreg.registry import ModelRegistry, Registry, backups, bundles
from mlreg.registry.places import init
from mlreg.registry.registry import silent
from tests.golden.write import expected, write

HERE = Path(__file__).parent
READER = HERE.parent / "second_reader" / "reader.py"
GOLDEN = sorted(path for path in HERE.glob("[dnr]*-v*-by-*") if path.is_dir())
MOST_BYTES = 60_000


def recorded(golden: Path) -> dict[str, Any]:
    """Return what was found in a repository by the release that wrote it."""
    found: dict[str, Any] = json.loads(golden.with_name(f"{golden.name}.json").read_text(encoding="utf-8"))
    return found


def bytes_of(directory: Path) -> dict[str, bytes]:
    files = (path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in files}


@pytest.fixture(params=GOLDEN, ids=lambda path: path.name)
def golden(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A repository of an earlier release; whatever a test does, it stays as it is."""
    path: Path = request.param
    before = bytes_of(path)
    yield path
    assert bytes_of(path) == before


STATEMENTS = sorted(path for path in HERE.glob("statements-v*-by-*") if path.is_dir())


@pytest.mark.parametrize("golden", STATEMENTS, ids=lambda path: path.name)
def test_what_was_said_holds_as_it_did(golden: Path) -> None:
    then, now = recorded(golden), expected(Registry(golden, ""))

    assert now | {"versions": {}} == then | {"versions": {}}
    assert {ref: version | then["versions"][ref] for ref, version in now["versions"].items()} == now["versions"]
    one, two = (now["versions"][f"model/team/greeter@{version}"] for version in ("1.0.0", "1.1.0"))
    assert (one["metadata"], one["labels"], one["deprecated"]) == (
        {"metrics": {"map": 0.5}, "note": "größer"},
        {"team": "audio", "old": True},
        "too loud",
    )
    assert (two["labels"], two["frozen"], two["disputed"]) == ({"team": "vision"}, True, ["metadata.metrics.map"])
    assert Registry(golden, "").verify().problems == ()
    assert str(Registry(golden, "").rev_parse("model/greeter")) == "model/team/greeter@1.1.0"


BACKUPS = sorted(HERE.glob("backup-v*-by-*"))


@pytest.mark.parametrize("file", BACKUPS, ids=lambda path: path.name)
def test_a_backup_is_restored_as_the_repository_that_it_is_of(file: Path, tmp_path: Path) -> None:
    then = recorded(file.with_name(file.name.replace("backup", "statements")))

    done = backups.restore(str(file), tmp_path / "again", report=silent)

    now = expected(Registry(done.path, ""))
    assert now | {"versions": {}} == then | {"versions": {}}
    assert {ref: version | then["versions"][ref] for ref, version in now["versions"].items()} == now["versions"]
    assert (done.backup.host, done.backup.time) == ("golden", "2026-11-23T06:29:00Z")
    assert backups.verify(str(file), 0, (), 1.0, silent).problems == ()


@pytest.mark.parametrize("file", BACKUPS, ids=lambda path: path.name)
def test_bundles_are_applied_one_behind_the_other(file: Path, tmp_path: Path) -> None:
    place, _ = init(tmp_path / "again", shared=True)
    registry = Registry(place, "Eve")
    for number in (1, 2):
        bundle = str(file.with_name(file.name.replace("backup", f"bundle-{number}")))
        assert bundles.verify(bundle, 1.0, silent).problems == ()
        bundles.apply(registry, bundle, report=silent)
    assert bundles.info(bundle).needs == ("model/greeter@1.0.0",)

    then = recorded(file.with_name(file.name.replace("backup", "statements")))
    versions = {version.ref: version.id for version in registry.versions("model/team/greeter")}
    assert versions == {ref: version["id"] for ref, version in then["versions"].items()}
    assert registry.verify().problems == ()


def test_archives_of_all_kinds_are_there_and_small() -> None:
    files = [path for path in HERE.iterdir() if path.name.startswith(("backup-", "bundle-"))]

    assert sorted(path.name.partition("-v")[0] for path in files) == ["backup", "bundle-1", "bundle-2"]
    assert sum(path.stat().st_size for path in files) < MOST_BYTES


def test_there_is_one_for_this_format() -> None:
    assert [path.name for path in (*GOLDEN, *STATEMENTS)] == [
        "differences-v1-by-0.1.0",
        "dropped-v1-by-0.1.0",
        "numbers-v1-by-0.1.0",
        "repository-v1-by-0.1.0",
        "statements-v1-by-0.1.0",
    ]


def test_every_codec_is_in_one_of_them() -> None:
    used = set[int]()
    for golden in GOLDEN:
        repository = Registry(golden, "").repository
        for pack in repository.log.refresh().live_packs():
            used.update(block.codec for block in repository.objects.index(pack.id).blocks())

    assert used == {*(codec.number for codec in CODECS), DIFFERENCE.number}


def test_it_is_small(golden: Path) -> None:
    assert sum(map(len, bytes_of(golden).values())) < MOST_BYTES


def test_all_that_was_recorded_is_found_with_the_same_ids(golden: Path) -> None:
    """A later release may know more of a version, but nothing else."""
    then, now = recorded(golden), expected(Registry(golden, ""))
    for ref, version in then["versions"].items():
        assert now["versions"][ref] | version == now["versions"][ref]

    assert now["versions"].keys() == then["versions"].keys()
    assert now | {"versions": {}} == then | {"versions": {}}


def test_it_is_verified_clean(golden: Path) -> None:
    found = Registry(golden, "").verify()

    assert found.problems == ()
    assert (found.transactions, found.versions) == (recorded(golden)["number"], len(recorded(golden)["versions"]))
    assert found.snapshots == len(list(golden.glob("log/snapshot*")) or list(golden.glob("snapshots/*")))


def test_every_version_is_written_out_as_it_was(golden: Path, tmp_path: Path) -> None:
    registry = Registry(golden, "")
    for number, (ref, version) in enumerate(recorded(golden)["versions"].items()):
        out = tmp_path / str(number)
        registry.get(ref, out)
        files = {path: (len(data), blake3(data).hexdigest()) for path, data in bytes_of(out).items()}

        assert (len(files), sum(size for size, _ in files.values())) == (version["files"], version["size"])
        assert all(files[path] == (size, digest) for path, size, _, digest in version["listed"])
        assert all(
            (out / path).stat().st_mode & 0o100 == executable * 0o100 for path, _, executable, _ in version["listed"]
        )


def test_a_snapshot_that_does_not_say_when_packs_were_dropped_is_in_one_of_them_and_one_that_was_made_from_it() -> None:
    places = sorted((HERE / "dropped-v1-by-0.1.0" / "snapshots").iterdir())
    older, newer = (Snapshot.decode(place.read_bytes()) for place in places)

    assert older.encode() != places[0].read_bytes()
    assert newer.encode() == places[1].read_bytes()
    assert {state.dropped for one in (older, newer) for state in one.packs} == {0, older.number}


def test_arrays_come_back_as_arrays() -> None:
    matrix = ModelRegistry(HERE / "repository-v1-by-0.1.0", "").get_model("team/matrix", "0.1.0")

    assert matrix["w"].tolist() == [0, 1, 2, 3, 4, 5]


def test_the_second_reader_reads_it_too(golden: Path, tmp_path: Path) -> None:
    refs = {name: target for name, (target, _, _) in recorded(golden)["refs"].items() if target}
    command = [sys.executable, "-I", str(READER), str(golden)]
    listed = subprocess.run([*command, "ls"], capture_output=True, text=True, check=True).stdout
    for ref in recorded(golden)["versions"]:
        subprocess.run([*command, "restore", ref, str(tmp_path / ref.replace("/", "-"))], check=True)

    assert dict(line.split() for line in listed.splitlines()) == refs


def test_the_same_content_has_the_same_ids_in_this_release(tmp_path: Path) -> None:
    """However it is stored: ids do not depend on packs, pieces or codecs."""
    again = write(tmp_path / "again")["versions"]
    first = recorded(HERE / "repository-v1-by-0.1.0")["versions"]

    assert {ref: version["id"] for ref, version in again.items()} == {ref: v["id"] for ref, v in first.items()}
