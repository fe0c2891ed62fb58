"""What a file system can do is tried out, and nothing is left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlreg.stores import probing
from mlreg.stores.probing import Probe, is_open_to_all, network_of, probe


def test_a_directory_of_this_machine_can_do_all_and_is_left_empty(tmp_path: Path) -> None:
    assert probe(tmp_path)._replace(tells_case=True) == Probe(is_writable=True)
    assert [*tmp_path.iterdir()] == []


def test_what_is_not_there_cannot_be_written(tmp_path: Path) -> None:
    assert not probe(tmp_path / "nothing").is_writable


def test_the_mount_that_a_path_lies_on_decides_whether_it_is_a_network_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mounts"
    lines = ("/dev/a / ext4 rw 0 0", f"server:/x {tmp_path} nfs4 rw 0 0", f"/dev/b {tmp_path}/local xfs rw 0 0", "half")
    mounts.write_text("\n".join(lines))
    monkeypatch.setattr(probing, "_MOUNTS", mounts)

    assert [network_of(tmp_path / name) for name in ("home/ann", "local/cache", ".")] == ["nfs4", "", "nfs4"]
    monkeypatch.setattr(probing, "_MOUNTS", tmp_path / "nothing")
    assert not network_of(tmp_path)


def test_a_directory_is_open_to_all_unless_each_may_only_take_away_what_is_theirs(tmp_path: Path) -> None:
    found = []
    for mode in (0o777, 0o1777, 0o775):
        tmp_path.chmod(mode)
        found.append(is_open_to_all(tmp_path))

    assert found == [True, False, False]
    assert not is_open_to_all(tmp_path / "nothing")
