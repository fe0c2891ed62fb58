"""Slots of the log: one line that is signed, lines that sign it, and nothing that reads in two ways."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.errors import IntegrityError, UnsupportedError
from mlreg.formats import canonical
from mlreg.formats.pack import PackKind
from mlreg.formats.transaction import (
    ID_DIGITS,
    MAX_BYTES,
    PackEntry,
    RefChange,
    Transaction,
    is_from,
    new_id,
    slot_key,
)
from mlreg.ids import CommitId, TransactionHash
from tests.unit.formats.damage import check_refused_or_exact, cuts
from tests.unit.formats.test_canonical import texts, values

PACK = PackEntry("0123456789abcdef" * 2, PackKind.META, 700, 100, bytes(range(32)), 3)
SLOT = Transaction(
    number=7,
    previous=TransactionHash.of(b"slot 6"),
    id="ab" * 16,
    time="2026-11-23T06:28:00Z",
    author="Ann",
    message="add model/suture@1.0.0",
    refs=(
        RefChange("version/model/suture/1.0.0", None, CommitId.of(b"new")),
        RefChange("tag/model/suture/old", CommitId.of(b"old"), None),
    ),
    add=(PACK,),
    drop=("cd" * 16,),
    reap=("ef" * 16,),
    is_lossy=True,
    notes=({"about": "later"},),
    signatures=(b"sig one", b""),
)

ids = st.binary(min_size=32, max_size=32)
hexes = st.binary(min_size=16, max_size=16).map(bytes.hex)
numbers = st.integers(0, 2**63 - 1)
packs = st.builds(PackEntry, hexes, st.sampled_from(PackKind), numbers, numbers, ids, numbers)
commits = st.none() | ids.map(CommitId)
slots = st.builds(
    Transaction,
    number=numbers,
    previous=ids.map(TransactionHash),
    id=hexes,
    time=texts,
    author=texts,
    message=texts,
    refs=st.lists(st.builds(RefChange, texts, commits, commits), max_size=2).map(tuple),
    add=st.lists(packs, max_size=2).map(tuple),
    drop=st.lists(hexes, max_size=2).map(tuple),
    reap=st.lists(hexes, max_size=2).map(tuple),
    is_lossy=st.booleans(),
    notes=st.lists(st.dictionaries(texts, values, max_size=2), max_size=2).map(tuple),
    requires=st.just(()),
    signatures=st.lists(st.binary(max_size=9).map(lambda line: line.replace(b"\n", b"")), max_size=2).map(tuple),
)


@given(slot=slots)
def test_a_slot_is_read_back(slot: Transaction) -> None:
    assert Transaction.decode(slot.encode()) == slot


def test_no_damage_gives_a_second_form_of_a_slot() -> None:
    check_refused_or_exact(Transaction.decode, Transaction.encode, SLOT.encode())


def test_a_slot_that_is_cut_is_refused_or_has_lost_whole_signatures() -> None:
    body = SLOT.body() + b"\n"

    for data in cuts(SLOT.encode()):
        if data in (body, body + b"sig one\n"):
            assert Transaction.decode(data).refs == SLOT.refs
            continue
        with pytest.raises(IntegrityError):
            Transaction.decode(data)


def test_what_is_signed_does_not_depend_on_the_signatures() -> None:
    assert SLOT._replace(signatures=()).body() == SLOT.body()
    assert SLOT.encode().splitlines()[0] == SLOT.body()


def test_keys_of_slots_are_in_the_order_of_their_numbers() -> None:
    assert slot_key(1) == "log/0000000000000001"
    keys = [slot_key(number) for number in (1, 9, 10, 255, 256, 10**15)]
    assert keys == sorted(keys)


def changed(**fields: Any) -> bytes:
    """Return the slot with other JSON in some fields; a field that becomes `...` is left out."""
    document = json.loads(SLOT.body()) | fields
    return canonical.encode({name: value for name, value in document.items() if value is not ...}) + b"\n"


def pack_with(**fields: Any) -> dict[str, Any]:
    pack: dict[str, Any] = json.loads(SLOT.body())["add"][0] | fields
    return {"add": [{name: value for name, value in pack.items() if value is not ...}]}


def ref_with(**fields: Any) -> dict[str, Any]:
    return {"refs": [{"name": "a", "new": None, "old": None} | fields]}


WRONG: dict[str, dict[str, Any]] = {
    "true for the number": {"number": True},
    "a float for the number": {"number": 7.0},
    "text for the number": {"number": "7"},
    "a negative number": {"number": -1},
    "true for the format": {"format": True},
    "text for the format": {"format": "1"},
    "no format": {"format": ...},
    "a short id": {"id": "ab"},
    "an id with capitals": {"id": "AB" * 16},
    "an id with a newline": {"id": "ab" * 15 + "a\n"},
    "an id that is a number": {"id": 5},
    "a hash that is too long": {"previous": "0" * 65},
    "no hash": {"previous": None},
    "a hash that is a number": {"previous": 5},
    "text for names": {"refs": "abc"},
    "a mapping for names": {"refs": {"name": "a"}},
    "a name that is a number": ref_with(name=1),
    "a target that is no id": ref_with(new="main"),
    "a target that is a number": ref_with(old=0),
    "a name with one field more": ref_with(note=""),
    "a name that is text": {"refs": ["tag"]},
    "text for packs": {"add": "abc"},
    "a pack that is text": {"add": ["abc"]},
    "a pack of an unknown kind": pack_with(kind="index"),
    "a pack of a kind that is a list": pack_with(kind=[]),
    "a pack with a negative size": pack_with(size=-1),
    "a pack with true for a size": pack_with(objects=True),
    "a pack with a float for a size": pack_with(index_size=100.0),
    "a pack without a size": pack_with(size=...),
    "a pack with another name": pack_with(id="../" + "0" * 29),
    "a pack with a short hash": pack_with(sum="00"),
    "a pack with one field more": pack_with(note=""),
    "text for what is dropped": {"drop": "cd" * 16},
    "empty text for what is dropped": {"drop": ""},
    "a dropped path": {"drop": ["../../x"]},
    "a reaped path": {"reap": ["packs/00/0"]},
    "a number for lossy": {"lossy": 1},
    "nothing for lossy": {"lossy": None},
    "a note that is text": {"notes": ["text"]},
    "a mapping for notes": {"notes": {}},
    "text for features": {"requires": "abc"},
    "a feature that is a number": {"requires": [1]},
    "a number for the author": {"author": 1},
    "nothing for the message": {"message": None},
    "no time": {"time": ...},
    "an unknown field": {"surprise": []},
}


@pytest.mark.parametrize("name", WRONG)
def test_a_field_that_is_missing_unknown_or_of_another_kind_is_refused(name: str) -> None:
    with pytest.raises(IntegrityError) as caught:
        Transaction.decode(changed(**WRONG[name]))
    assert caught.value.code == "bad_transaction"


LATER: dict[str, tuple[dict[str, Any], str]] = {
    "a format": ({"format": 2}, "unknown_transaction_format"),
    "a format and fields": ({"format": 2, "shards": 4, "refs": ...}, "unknown_transaction_format"),
    "a feature": ({"requires": ["shards"]}, "unknown_feature"),
}


@pytest.mark.parametrize("what", LATER)
def test_what_a_later_release_needs_is_refused_by_name(what: str) -> None:
    fields, code = LATER[what]

    with pytest.raises(UnsupportedError) as caught:
        Transaction.decode(changed(**fields))
    assert caught.value.code == code


@pytest.mark.parametrize("document", [[], 1, None, "slot", {}])
def test_other_json_is_not_a_slot(document: Any) -> None:
    with pytest.raises(IntegrityError) as caught:
        Transaction.decode(canonical.encode(document) + b"\n")
    assert caught.value.code == "bad_transaction"


@pytest.mark.parametrize(
    "data",
    [b"", b"\n", SLOT.body(), b" " + SLOT.encode(), SLOT.body() + b"\r\n", SLOT.body().replace(b",", b", ") + b"\n"],
    ids=["nothing", "an empty line", "no end", "a space in front", "another line end", "white space"],
)
def test_a_slot_in_another_spelling_is_refused(data: bytes) -> None:
    with pytest.raises(IntegrityError) as caught:
        Transaction.decode(data)
    assert caught.value.code in ("bad_transaction", "bad_json")


def test_a_slot_over_its_limit_is_refused() -> None:
    with pytest.raises(IntegrityError) as caught:
        Transaction.decode(SLOT._replace(signatures=(b"x" * MAX_BYTES,)).encode())
    assert caught.value.code == "bad_transaction"


def test_the_id_of_what_was_sent_says_from_where_and_is_never_the_same() -> None:
    ids = [new_id(bytes([number]) * 16, "here") for number in range(50)]

    assert len(set(ids)) == 50
    assert all(is_from(one, "here") and not is_from(one, "there") for one in ids)
    assert not any(is_from(new_id(bytes([number]) * 16), "") for number in range(50))
    assert all(len(one) == ID_DIGITS for one in ids)
