"""Snapshots: a help that is read back exactly, or refused so that the reader goes on without it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import zstandard
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from mlreg.errors import IntegrityError, MlregError, UnsupportedError
from mlreg.formats import canonical
from mlreg.formats.pack import PackKind
from mlreg.formats.snapshot import MAGIC, MAX_BYTES, NoteState, PackState, RefState, Snapshot, snapshot_key
from mlreg.formats.transaction import PackEntry
from mlreg.ids import CommitId, TransactionHash
from tests.unit.formats.damage import check_small_refusal, cuts, damaged
from tests.unit.formats.test_canonical import texts
from tests.unit.formats.test_transaction import commits, hexes, ids, numbers, packs

HEADER = struct.Struct("<4sBBHQ")
PACK = PackEntry("0123456789abcdef" * 2, PackKind.META, 700, 100, bytes(range(32)), 3)
SNAPSHOT = Snapshot(
    number=256,
    head=TransactionHash.of(b"slot 256"),
    generation=2,
    requires=(),
    refs=(
        RefState("tag/model/suture/old", None, CommitId.of(b"old"), 9),
        RefState("version/model/suture/1.0.0", CommitId.of(b"new"), None, 7),
    ),
    packs=(PackState(PACK, 7, 0), PackState(PACK._replace(id="ab" * 16), 8, 90)),
    reaped=("cd" * 16,),
)

notes = st.dictionaries(texts, texts | st.integers(0, 9), max_size=3)
snapshots = st.builds(
    Snapshot,
    number=numbers,
    head=ids.map(TransactionHash),
    generation=numbers,
    requires=st.just(()),
    refs=st.lists(st.builds(RefState, texts, commits, commits, numbers), max_size=3).map(tuple),
    packs=st.lists(st.builds(PackState, packs, numbers, numbers), max_size=3).map(tuple),
    annotations=st.lists(st.builds(NoteState, notes, numbers), max_size=3).map(tuple),
    reaped=st.lists(hexes, max_size=2).map(tuple),
)


@given(snapshot=snapshots)
def test_a_snapshot_is_read_back(snapshot: Snapshot) -> None:
    assert Snapshot.decode(snapshot.encode()) == snapshot


def test_a_large_snapshot_is_compressed_and_read_back() -> None:
    refs = tuple(RefState(f"version/model/suture/1.0.{n}", CommitId.of(b"same"), None, n) for n in range(5000))
    large = SNAPSHOT._replace(refs=refs)

    assert len(large.encode()) < 100_000
    assert Snapshot.decode(large.encode()) == large


def test_keys_of_snapshots_are_in_the_order_of_their_numbers() -> None:
    assert snapshot_key(256) == "snapshots/0000000000000256"
    assert sorted(map(snapshot_key, (1000, 9, 256))) == list(map(snapshot_key, (9, 256, 1000)))


def test_no_damage_changes_what_a_snapshot_says() -> None:
    """The same state may be compressed in several forms, so the bytes may differ, and the state may not."""
    for data in damaged(SNAPSHOT.encode()):
        with suppress(MlregError):
            assert Snapshot.decode(data) == SNAPSHOT


def test_a_snapshot_that_is_cut_is_refused() -> None:
    for data in cuts(SNAPSHOT.encode()):
        with pytest.raises(IntegrityError) as caught:
            Snapshot.decode(data)
        assert caught.value.code in ("bad_snapshot", "bad_block")


def sealed(plain: bytes) -> bytes:
    """Return a snapshot with any content, under its right hash: nothing else stops a writer with a fault."""
    return HEADER.pack(MAGIC, 1, 0, 0, len(plain)) + blake3(plain).digest() + plain


DOCUMENT: dict[str, Any] = {
    "generation": 2,
    "head": "00" * 32,
    "number": 256,
    "packs": [["ab" * 16, 2, 700, 100, "00" * 32, 3, 7, False]],
    "reaped": ["cd" * 16],
    "refs": [["tag/model/suture/old", None, "00" * 32, 9]],
    "requires": [],
}


def changed(**fields: Any) -> bytes:
    document = DOCUMENT | fields
    return sealed(canonical.encode({name: value for name, value in document.items() if value is not ...}))


def pack_with(at: int, *, value: object) -> dict[str, Any]:
    row = list(DOCUMENT["packs"][0])
    row[at] = value
    return {"packs": [row]}


def ref_with(at: int, *, value: object) -> dict[str, Any]:
    row = list(DOCUMENT["refs"][0])
    row[at] = value
    return {"refs": [row]}


def test_a_pack_of_which_it_is_not_said_when_was_dropped_at_the_latest_where_the_snapshot_was_made() -> None:
    (found,) = Snapshot.decode(changed(**pack_with(7, value=True))).packs

    assert found.dropped == 256
    assert Snapshot.decode(changed(**pack_with(7, value=True), dropped=[9])).packs == (found._replace(dropped=9),)


def test_a_snapshot_need_not_say_when_packs_were_dropped_to_agree_with_a_state() -> None:
    said = Snapshot.decode(changed(**pack_with(7, value=True), dropped=[9]))
    unsaid = Snapshot.decode(changed(**pack_with(7, value=True)))

    assert said.agrees_with(said)
    assert unsaid.agrees_with(said)
    assert not said.agrees_with(unsaid)
    assert not unsaid.agrees_with(Snapshot.decode(changed()))
    assert not Snapshot.decode(changed(**pack_with(7, value=True), dropped=[8])).agrees_with(said)
    # Who begins at such a one names a later slot; none names one that is to come, or another pack.
    assert Snapshot.decode(changed(**pack_with(7, value=True), dropped=[10])).agrees_with(said)
    assert not Snapshot.decode(changed(**pack_with(7, value=True), dropped=[257])).agrees_with(said)
    assert not Snapshot.decode(changed(packs=[])).agrees_with(said)
    assert not said.agrees_with(Snapshot.decode(changed(packs=[])))


def test_the_document_that_is_changed_below_is_a_snapshot() -> None:
    assert Snapshot.decode(changed()).number == 256


WRONG: dict[str, dict[str, Any]] = {
    "true for the number": {"number": True},
    "a slot that dropped no pack": {"dropped": [9]},
    "fewer slots than dropped packs": pack_with(7, value=True) | {"dropped": []},
    "zero for the slot that dropped a pack": pack_with(7, value=True) | {"dropped": [0]},
    "text for the slot that dropped a pack": pack_with(7, value=True) | {"dropped": ["9"]},
    "text for the number": {"number": "256"},
    "a float for the number": {"number": 256.5},
    "a negative number": {"number": -1},
    "true for the generation": {"generation": True},
    "no head": {"head": None},
    "a short head": {"head": "00"},
    "no names": {"refs": ...},
    "text for names": {"refs": "abc"},
    "a name that is a number": ref_with(0, value=1),
    "a name that is a list": ref_with(0, value=["a"]),
    "a target that is no id": ref_with(1, value="main"),
    "a target that is a number": ref_with(2, value=5),
    "a name with text for its slot": ref_with(3, value="9"),
    "a short row": {"refs": [["tag/model/suture/old", None]]},
    "a long row": {"refs": [[*DOCUMENT["refs"][0], 1]]},
    "a row that is a mapping": {"refs": [{"name": "a"}]},
    "a pack with another name": pack_with(0, value="../" + "0" * 29),
    "a pack of an unknown kind": pack_with(1, value=3),
    "a pack with true for its kind": pack_with(1, value=True),
    "a pack with text for its size": pack_with(2, value="700"),
    "a pack with a negative size": pack_with(3, value=-1),
    "a pack with a short hash": pack_with(4, value="00"),
    "a pack with a list for its objects": pack_with(5, value=[]),
    "a pack with true for its slot": pack_with(6, value=True),
    "a pack with a number for dropped": pack_with(7, value=0),
    "a reaped path": {"reaped": ["../../x"]},
    "a reaped number": {"reaped": [1]},
    "a number for features": {"requires": 1},
    "a feature that is a number": {"requires": [1]},
}


@pytest.mark.parametrize("name", WRONG)
def test_a_field_that_is_missing_or_of_another_kind_is_refused(name: str) -> None:
    with pytest.raises(IntegrityError) as caught:
        Snapshot.decode(changed(**WRONG[name]))
    assert caught.value.code == "bad_snapshot"


@pytest.mark.parametrize("document", [[], 1, None, "text", {}, [["number", 1]]])
def test_other_json_is_not_a_snapshot(document: Any) -> None:
    with pytest.raises(IntegrityError) as caught:
        Snapshot.decode(sealed(canonical.encode(document)))
    assert caught.value.code == "bad_snapshot"


def with_header(version: int = 1, codec: int = 0, flags: int = 0, size: int | None = None) -> bytes:
    plain = canonical.encode(DOCUMENT)
    header = HEADER.pack(MAGIC, version, codec, flags, len(plain) if size is None else size)
    return header + blake3(plain).digest() + plain


def zeros_compressed() -> bytes:
    """Return a snapshot of a megabyte whose content is 256 times that."""
    stored = zstandard.compress(bytes(256 << 20))
    return HEADER.pack(MAGIC, 1, 1, 0, 5) + bytes(32) + stored


LIES: dict[str, tuple[Callable[[], bytes], str]] = {
    "another signature": (lambda: b"MLRT" + changed()[4:], "bad_snapshot"),
    "another size": (lambda: with_header(size=5), "bad_block"),
    "a size over the limit": (lambda: with_header(size=MAX_BYTES + 1), "bad_snapshot"),
    "a size of 2**64 - 1": (lambda: with_header(size=2**64 - 1), "bad_snapshot"),
    "a size just below the limit": (lambda: with_header(size=MAX_BYTES), "bad_block"),
    "a bomb": (zeros_compressed, "bad_block"),
    "a later version": (lambda: with_header(version=2), "unknown_snapshot_version"),
    "an unknown flag": (lambda: with_header(flags=1), "unknown_snapshot_version"),
    "an unknown codec": (lambda: with_header(codec=250), "unknown_codec"),
    "another spelling": (lambda: sealed(b" " + canonical.encode(DOCUMENT)), "bad_json"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_snapshot_that_lies_is_refused_before_anything_large_is_held(lie: str) -> None:
    make, code = LIES[lie]
    data = make()

    check_small_refusal(lambda: Snapshot.decode(data), code)


def test_a_snapshot_that_needs_a_feature_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedError) as caught:
        Snapshot.decode(changed(requires=["shards"]))
    assert caught.value.code == "unknown_feature"


@given(noise=st.binary(max_size=200))
def test_noise_under_its_right_hash_is_refused(noise: bytes) -> None:
    with pytest.raises(MlregError):
        Snapshot.decode(sealed(noise))
