"""Files that say they are archives, and would do harm, or were cut: refused, and nothing is written anywhere."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlreg.errors import IntegrityError, MlregError
from mlreg.formats import archive
from mlreg.formats.archive import BLOCK, END, decode_header, encode_header, padded
from mlreg.formats.backup import BESIDE
from mlreg.registry import backups, bundles
from mlreg.registry.places import init
from mlreg.registry.registry import Registry, silent
from mlreg.stores.archive import ArchiveStore
from tests.hostile.counting import SCALE, TRIED

KEY, OTHER = "mlreg.json", "log/0000000000000001"


def member(key: str, data: bytes) -> bytes:
    return encode_header(key, len(data)) + data.ljust(padded(len(data)), b"\0")


def foreign(form: Literal[0, 1, 2] = tarfile.USTAR_FORMAT, **fields: Any) -> bytes:
    """Return a header as another program writes it."""
    info = tarfile.TarInfo(KEY)
    for name, value in fields.items():
        setattr(info, name, value)
    return info.tobuf(form)


def summed(header: bytes) -> bytes:
    """Return a header with the sum that fits it."""
    blank = header[:148] + b" " * 8 + header[156:]
    return header[:148] + b"%06o\0 " % sum(blank) + header[156:]


def with_field(start: int, data: bytes) -> bytes:
    header = encode_header(KEY, 0)
    return summed(header[:start] + data + header[start + len(data) :])


ARCHIVES: dict[str, bytes] = {
    "nothing": b"",
    "half an end": END[:BLOCK],
    "text": b"hello\n" * 1000,
    "zeros alone, too many": END * 3,
    "something behind the end": member(KEY, b"{}") + END + b"x",
    "another archive behind it": (member(KEY, b"{}") + END) * 2,
    "no end": member(KEY, b"{}"),
    "an end of one block": member(KEY, b"{}") + bytes(BLOCK),
    "a key twice": member(KEY, b"{}") * 2 + END,
    "a size beyond the file": encode_header(KEY, 10**9) + bytes(BLOCK) + END,
    "a size of which the padding is beyond": encode_header(KEY, 1) + END,
    "a huge size": encode_header(KEY, 1 << 61) + END,
    "a size that is negative": with_field(124, b"\xff" * 12) + END,
    "a size in binary that is small": with_field(124, b"\x80" + bytes(10) + b"\x00") + END,
    "a size with spaces": with_field(124, b"          0\0") + END,
    "a size of no number": with_field(124, b"zzzzzzzzzzz\0") + END,
    "a name that leaves the target": foreign(name="../evil") + END,
    "an absolute name": foreign(name="/etc/evil") + END,
    "a name with a dot": foreign(name="./mlreg.json") + END,
    "a name in two parts": with_field(345, b"log") + END,
    "a name that is none of a repository": foreign(name="config.yaml") + END,
    "settings": member(KEY, b"{}") + foreign(name=".mlreg/config.yaml") + END,
    "a link": foreign(type=tarfile.SYMTYPE, linkname="/etc/passwd") + END,
    "a hard link": foreign(type=tarfile.LNKTYPE, linkname="/etc/passwd") + END,
    "a directory": foreign(type=tarfile.DIRTYPE) + END,
    "a device": foreign(type=tarfile.CHRTYPE) + END,
    "a pipe": foreign(type=tarfile.FIFOTYPE) + END,
    "a sparse file": foreign(type=tarfile.GNUTYPE_SPARSE) + END,
    "a name of GNU tar": foreign(type=tarfile.GNUTYPE_LONGNAME) + END,
    "an extended header": foreign(tarfile.PAX_FORMAT, pax_headers={"path": "../evil"}) + END,
    "a global header": foreign(type=tarfile.XGLTYPE) + END,
    "another mode": foreign(mode=0o4777) + END,
    "a user": foreign(uid=1000, mode=0o444) + END,
    "a time": foreign(mtime=1, mode=0o444) + END,
    "a wrong sum": encode_header(KEY, 0)[:148] + b"000000\0 " + encode_header(KEY, 0)[156:] + END,
    "an archive in an archive": member(KEY, b"{}") + member("inner.tar", END) + END,
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_file_that_is_no_archive_is_refused(name: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(ARCHIVES[name])

    for use in (backups.ls, bundles.info, lambda path: backups.restore(path, tmp_path / "out", report=silent)):
        with pytest.raises(IntegrityError) as caught:
            use(str(file))
        assert caught.value.code == "bad_archive"
        assert str(file) in caught.value.message
    assert list(tmp_path.iterdir()) == [file]


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place in ("pipe", "absent"):
        for use in (backups.ls, bundles.info):
            with pytest.raises(MlregError) as caught:
                use(str(tmp_path / place))
            assert caught.value.code in ("no_backup", "no_bundle")


def test_an_archive_holds_no_more_keys_than_can_be_held_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlreg.stores.archive.MAX_KEYS", 2)
    (tmp_path / "file").write_bytes(member(KEY, b"") + member(OTHER, b"") + END)
    assert len(list(ArchiveStore(tmp_path / "file").list("log/"))) == 1
    (tmp_path / "file").write_bytes(member(KEY, b"") + member(OTHER, b"") + member("backup.json", b"") + END)

    with pytest.raises(IntegrityError):
        ArchiveStore(tmp_path / "file")


# Real ones, damaged.


@pytest.fixture(scope="module")
def backup(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A backup with some versions, settings and a run."""
    root = tmp_path_factory.mktemp("backup")
    place, _ = init(root / "project", shared=False)
    registry = Registry(place, "Ann")
    for number in range(2):
        (root / "weights").write_text(f"weights {number}")
        registry.add("model/net", [root / "weights"], version=f"1.{number}.0", tags=["production"])
    (place / "config.yaml").write_text("author: Ann\n")
    backups.create(registry, str(root / "file"), report=silent)
    return (root / "file").read_bytes()


def parts_of(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        files = {member.name: tar.extractfile(member) for member in tar}
    return {name: file.read() for name, file in files.items() if file}


def restore(data: bytes, tmp_path: Path) -> Registry:
    file, out = tmp_path / "file", tmp_path / "out"
    file.write_bytes(data)
    backups.restore(str(file), out, report=silent)
    return Registry(out / ".mlreg", "Eve")


def test_a_backup_that_is_cut_anywhere_is_none(backup: bytes, tmp_path: Path) -> None:
    for size in range(0, len(backup), 97):
        with pytest.raises(IntegrityError) as caught:
            restore(backup[:size], tmp_path)
        assert caught.value.code == "bad_archive"
        assert [path.name for path in tmp_path.iterdir()] == ["file"]


HARM: dict[str, Callable[[dict[str, bytes]], object]] = {
    "a slot less": lambda parts: parts.pop("log/0000000000000002"),
    "no log": lambda parts: [parts.pop(key) for key in list(parts) if key.startswith("log/")],
    "a pack less": lambda parts: parts.pop(next(key for key in parts if key.startswith("packs/"))),
    "a file less": lambda parts: parts.pop(next(key for key in parts if key.startswith(BESIDE))),
    "no identity": lambda parts: parts.pop("mlreg.json"),
    "another identity": lambda parts: parts.update(
        {"mlreg.json": parts["mlreg.json"].replace(b'"repository":"', b'"repository":"00')}
    ),
    "an empty record": lambda parts: parts.update({"backups/0000000000000001": b""}),
    "a record that reaches further": lambda parts: parts.update(
        {"backups/0000000000000001": parts["backups/0000000000000001"].replace(b'"number":2', b'"number":3')}
    ),
    "a record that ends earlier": lambda parts: parts.update(
        {"backups/0000000000000001": parts["backups/0000000000000001"].replace(b'"number":2', b'"number":1')}
    ),
}


@pytest.mark.parametrize("name", HARM)
def test_a_backup_that_was_put_together_anew_is_not_restored(name: str, backup: bytes, tmp_path: Path) -> None:
    parts = parts_of(backup)
    HARM[name](parts)

    with pytest.raises(MlregError):
        restore(b"".join(member(key, data) for key, data in parts.items()) + END, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_order_of_keys_does_not_matter(backup: bytes, tmp_path: Path) -> None:
    parts = parts_of(backup)
    data = b"".join(member(key, parts[key]) for key in sorted(parts, reverse=True)) + END

    assert b"".join(restore(data, tmp_path).cat("model/net@production:weights")) == b"weights 1"


@settings(max_examples=50)
@given(data=st.data())
def test_a_changed_byte_is_refused_or_changes_nothing(
    data: st.DataObject, backup: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    at, byte = data.draw(st.integers(0, len(backup) - 1)), data.draw(st.integers(0, 255))
    TRIED["archive"] += 1
    root = tmp_path_factory.mktemp("changed")

    with suppress(MlregError):
        registry = restore(backup[:at] + bytes([byte]) + backup[at + 1 :], root)
        # In what fills up a block, or in a record: when and by whom.
        assert registry.verify().problems == ()
        assert b"".join(registry.cat("model/net@production:weights")) == b"weights 1"
        return
    assert [path.name for path in root.iterdir()] == ["file"]


@settings(max_examples=100 * SCALE)
@given(st.binary(min_size=BLOCK, max_size=BLOCK) | st.binary(max_size=40).map(lambda some: with_field(0, some)))
def test_a_header_of_any_bytes_is_refused_or_one_that_is_written(header: bytes) -> None:
    TRIED["archive header"] += 1
    with suppress(IntegrityError):
        key, size = decode_header(header)
        assert encode_header(key, size) == header
    assert archive.is_key(KEY)
