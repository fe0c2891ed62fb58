"""An archive is a tar in the one form that is written: any tar reads it, and it reads no other."""

from __future__ import annotations

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.errors import IntegrityError
from mlreg.formats.archive import BLOCK, END, MAX_SIZE, decode_header, encode_header, is_key, padded
from mlreg.formats.backup import beside_key, record_key
from mlreg.formats.snapshot import snapshot_key
from mlreg.formats.transaction import slot_key
from mlreg.ids import ContentId
from mlreg.repository.objects import pack_key
from tests.unit.formats.damage import flips

keys = st.one_of(
    st.sampled_from(["mlreg.json", "backup.json", "bundle.json"]),
    st.integers(1, 10**16 - 1).map(slot_key),
    st.integers(1, 10**16 - 1).map(snapshot_key),
    st.integers(1, 10**16 - 1).map(record_key),
    st.binary(min_size=16, max_size=16).map(lambda digits: pack_key(digits.hex())),
    st.binary(max_size=4).map(lambda data: beside_key(ContentId.of(data))),
)


@given(key=keys, size=st.integers(0, MAX_SIZE) | st.integers(8**11 - 2, 8**11 + 2))
def test_a_header_is_read_back(key: str, size: int) -> None:
    assert decode_header(encode_header(key, size)) == (key, size)


@given(st.dictionaries(keys, st.binary(max_size=2000), max_size=5))
def test_any_tar_reads_what_is_written(contents: dict[str, bytes]) -> None:
    parts = (encode_header(key, len(data)) + data.ljust(padded(len(data)), b"\0") for key, data in contents.items())
    with tarfile.open(fileobj=io.BytesIO(b"".join(parts) + END)) as tar:
        found = {member.name: tar.extractfile(member) for member in tar}

        assert {name: file.read() for name, file in found.items() if file} == contents


@pytest.mark.parametrize("size", [0, 8**11 - 1, 8**11, 10**12])
def test_any_tar_reads_a_size(size: int) -> None:
    assert tarfile.TarInfo.frombuf(encode_header("mlreg.json", size), "ascii", "strict").size == size


def test_no_damage_gives_a_second_form_of_a_header() -> None:
    header = encode_header("log/0000000000000001", 1234)
    for data in flips(header):
        with pytest.raises(IntegrityError) as caught:
            decode_header(data)
        assert caught.value.code == "bad_archive"


NO_KEYS = (
    *(
        "",
        "/mlreg.json",
        "./mlreg.json",
        "mlreg.json/",
        "../mlreg.json",
        "mlreg.json\n",
        "config.yaml",
        "packs/",
        "log/1",
    ),
    *("log/000000000000000\u0661", "log/0000000000000001.tmp", "LOG/0000000000000001", "log/00000000000000001"),
    *(
        f"packs/00/{'3f' * 16}.pack",
        f"packs/3f/{'3f' * 15}.pack",
        f"packs/3f/{'3F' * 16}.pack",
        f"packs/3f/{'3f' * 16}",
    ),
    *(f"beside/../{'3f' * 32}", f"beside/00/{'3f' * 32}", f"beside/3f/{'3f' * 31}", "usage/shared/x", "runs/x"),
)


@pytest.mark.parametrize("name", NO_KEYS)
def test_what_is_no_key_of_a_repository_is_none_of_an_archive(name: str) -> None:
    assert not is_key(name)


def test_sizes_are_filled_up_to_whole_blocks() -> None:
    assert [padded(size) for size in (0, 1, BLOCK, BLOCK + 1)] == [0, BLOCK, BLOCK, 2 * BLOCK]
