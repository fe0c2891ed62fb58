"""A disk that is full, and one that may only be read: real file systems, mounted for the test."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from mlreg.errors import AccessError, NoSpaceError
from mlreg.formats.journal import read_journal
from mlreg.registry.experiment import ExperimentRegistry
from mlreg.registry.places import init
from mlreg.registry.runs_here import RUNS_HERE


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs root, and the right to mount")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=False)


def mlreg(where: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mlreg", *words]
    return subprocess.run(command, cwd=where, capture_output=True, text=True, check=False)


def used(place: Path) -> int:
    status = os.statvfs(place)
    return (status.f_blocks - status.f_bfree) * status.f_frsize


def test_a_full_disk_gets_its_space_back_and_works_when_there_is_room(disk: Path, tmp_path: Path) -> None:
    large, small = tmp_path / "large", tmp_path / "small"
    large.write_bytes(os.urandom(20 << 20))
    small.write_bytes(os.urandom(1 << 20))
    assert mlreg(disk, "init").returncode == 0
    before = used(disk)

    full = mlreg(disk, "add", "model/net", str(large), "--version", "1.0.0")

    assert full.returncode == 14
    assert full.stderr.startswith("error[no_space]: ")
    assert used(disk) - before < 1 << 20
    assert mlreg(disk, "verify").stdout.startswith("clean: 0 transactions")
    assert mlreg(disk, "add", "model/net", str(small), "--version", "1.0.0").returncode == 0
    assert mlreg(disk, "verify").returncode == 0


def test_a_backup_and_a_restore_on_a_full_disk_leave_nothing_and_work_when_there_is_room(
    disk: Path, tmp_path: Path
) -> None:
    project, large, small = tmp_path / "project", tmp_path / "large", tmp_path / "small"
    project.mkdir()
    large.write_bytes(os.urandom(20 << 20))
    small.write_bytes(os.urandom(1 << 20))
    assert mlreg(project, "init").returncode == 0
    assert mlreg(project, "add", "model/net", str(small), "--version", "1.0.0").returncode == 0
    assert mlreg(project, "backup", "create", f"{disk}/kept/").returncode == 0
    assert mlreg(project, "backup", "create", "elsewhere/").returncode == 0
    assert mlreg(project, "add", "model/net", str(large), "--version", "1.1.0").returncode == 0
    assert mlreg(project, "backup", "create", "elsewhere/").returncode == 0
    before = used(disk)

    for words in (
        ("create", f"{disk}/kept/"),
        ("create", f"{disk}/file.tar"),
        ("restore", "elsewhere", f"{disk}/again"),
    ):
        full = mlreg(project, "backup", *words)
        assert (full.returncode, full.stderr.startswith("error[no_space]: ")) == (14, True), full.stderr
        assert used(disk) - before < 1 << 20
    assert [path.name for path in disk.iterdir()] == ["kept"]
    assert mlreg(project, "backup", "ls", f"{disk}/kept", "-q").stdout == "1\n"
    assert mlreg(project, "backup", "verify", f"{disk}/kept").returncode == 0
    assert mlreg(project, "rm", "model/net@1.1.0").returncode == 0
    assert mlreg(project, "gc").returncode == 0
    assert mlreg(project, "backup", "create", f"{disk}/kept/").returncode == 0
    assert mlreg(project, "backup", "verify", f"{disk}/kept").returncode == 0
    assert mlreg(project, "backup", "restore", "elsewhere", f"{disk}/again", "--at", "1").returncode == 0


def test_a_backup_on_a_disk_that_may_only_be_read_is_read_and_not_written(disk: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "weights").write_bytes(b"weights")
    assert mlreg(project, "init").returncode == 0
    assert mlreg(project, "add", "model/net", "weights", "--version", "1.0.0").returncode == 0
    for place in ("kept/", "file.tar"):
        assert mlreg(project, "backup", "create", f"{disk}/{place}").returncode == 0
    assert mlreg(project, "bundle", "create", f"{disk}/net.bundle").returncode == 0
    assert mlreg(project, "tag", "model/net@latest", "production").returncode == 0
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)

    for place in ("kept", "file.tar"):
        assert mlreg(project, "backup", "verify", f"{disk}/{place}").returncode == 0
        assert mlreg(project, "backup", "restore", f"{disk}/{place}", f"from {place}").returncode == 0
    assert mlreg(project, "bundle", "verify", f"{disk}/net.bundle").returncode == 0
    assert mlreg(project, "bundle", "apply", f"{disk}/net.bundle").returncode == 0
    for place in ("kept/", "other/", "other.tar"):
        refused = mlreg(project, "backup", "create", f"{disk}/{place}")
        assert (refused.returncode, refused.stdout) == (7, ""), place
        assert refused.stderr.startswith("error[access_denied]: ")


def test_a_disk_that_may_only_be_read_is_read_and_not_written(disk: Path, tmp_path: Path) -> None:
    file = tmp_path / "weights"
    file.write_bytes(b"weights")
    assert mlreg(disk, "init").returncode == 0
    assert mlreg(disk, "add", "model/net", str(file), "--version", "1.0.0").returncode == 0
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)

    assert mlreg(disk, "get", "model/net@latest", str(tmp_path / "out")).returncode == 0
    assert mlreg(disk, "verify").returncode == 0
    refused = mlreg(disk, "tag", "model/net@latest", "production")
    assert (refused.returncode, refused.stdout) == (7, "")
    assert refused.stderr.startswith("error[access_denied]: ")


def fill(disk: Path) -> Path:
    """Take all room on a disk, and return the file that holds it."""
    file = disk / "filling"
    with file.open("wb", buffering=0) as filling, suppress(OSError):
        while True:
            # Single bytes, at the end, so that none is left.
            if filling.write(bytes(4096)) < 4096:
                filling.write(b"x")
    return file


@pytest.mark.filterwarnings("ignore:.*waits in memory:RuntimeWarning")
def test_a_full_disk_in_the_middle_of_a_run_loses_nothing_and_stops_no_training(disk: Path) -> None:
    registry = ExperimentRegistry(disk / "registry", "Ann")
    run = registry.start_experiment("churn")
    for number in range(100):
        run.log_metric("loss", number)

    filling = fill(disk)
    for number in range(100, 2000):
        run.log_metric("loss", number)
    run.log_param("text", "x" * 100_000)
    with pytest.raises(NoSpaceError):
        run.log_bytes(bytes(100_000), "large")
    assert list((run.directory / "files").iterdir()) == []
    for _ in range(2):
        with pytest.raises(NoSpaceError):
            run.finish()
    run.log_metric("loss", 2000)
    filling.unlink()
    run.log_text("there is room again", "note.txt")
    info = run.finish()

    assert [point.value for point in registry.get_metrics(run.id)["loss"].points()] == list(map(float, range(2001)))
    assert (info.status, info.params) == ("finished", {"text": "x" * 100_000})
    files = [file.path for file in registry.registry.files(info.ref)]
    assert files == ["artifacts/note.txt", "metrics.safetensors"]
    assert list((disk / "registry" / "runs").iterdir()) == []
    assert registry.registry.verify().problems == ()


@pytest.mark.filterwarnings("ignore:.*waits in memory:RuntimeWarning")
def test_of_a_process_that_dies_on_a_full_disk_all_is_kept_for_which_there_was_room(disk: Path) -> None:
    registry = ExperimentRegistry(disk / "registry", "Ann")
    run = registry.start_experiment("churn")
    run.log_metric("loss", 1)
    filling = fill(disk)
    for number in range(2, 2000):
        run.log_metric("loss", number)
    run._journal.abandon()
    RUNS_HERE.discard(run)
    filling.unlink()
    again = ExperimentRegistry(disk / "registry", "Ann")
    (journal,) = run.directory.glob("*.journal")
    reading = read_journal(journal.read_bytes())
    kept = [record["metrics"]["loss"] for record in reading.records if "metrics" in record]

    assert kept == list(map(float, range(1, len(kept) + 1)))
    assert again.get_run(run.id).metrics == {"loss": kept[-1]}


def test_a_run_that_finds_no_room_to_begin_is_not_begun(disk: Path) -> None:
    assert mlreg(disk, "init").returncode == 0
    assert mlreg(disk, "run", "start", "churn").returncode == 0
    filling = fill(disk)

    refused = mlreg(disk, "run", "start", "churn", "--param", "text=" + "x" * 10_000)
    assert (refused.returncode, refused.stdout) == (14, "")

    filling.unlink()
    assert len(mlreg(disk, "run", "ls", "-q").stdout.split()) == 1


def test_runs_that_may_only_be_read_are_shown_and_sealed_elsewhere(disk: Path, tmp_path: Path) -> None:
    for number in range(2):
        run = ExperimentRegistry(disk / "registry", "Ann").start_experiment("churn")
        run.log_metric("loss", number)
        run.close()
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    there = ExperimentRegistry(disk / "registry", "Bob")
    here = ExperimentRegistry(tmp_path / "registry", "Bob", runs=disk / "registry" / "runs")
    init(tmp_path / "registry", shared=True)

    assert [info.status for info in there.list_runs()] == ["crashed"] * 2
    for refused in (lambda: there.start_experiment("churn"), lambda: there.adopt(run.id), lambda: there.resume(run.id)):
        with pytest.raises(AccessError):
            refused()
    for _ in range(2):
        assert {info.metrics["loss"] for info in here.adopt_all(crashed=True)} == {0.0, 1.0}
    assert len(here.registry.versions("exp/churn")) == 2
    assert here.registry.verify().problems == ()
