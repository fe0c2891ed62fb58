"""`mlreg.json`: what a repository is, and what reading it needs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.errors import IntegrityError, UnsupportedError
from mlreg.formats import canonical
from mlreg.formats.identity import MAX_BYTES, Identity, refuse_unknown
from mlreg.ids import TransactionHash
from tests.unit.formats.damage import check_refused_or_exact, cuts
from tests.unit.formats.test_canonical import texts

IDENTITY = Identity("0123456789abcdef" * 2, "2026-11-23T06:28:00Z")


@given(repository=st.binary(min_size=16, max_size=16).map(bytes.hex), created=texts)
def test_an_identity_is_read_back(repository: str, created: str) -> None:
    identity = Identity(repository, created)

    assert Identity.decode(identity.encode()) == identity


def test_no_damage_gives_a_second_form_of_an_identity() -> None:
    check_refused_or_exact(Identity.decode, Identity.encode, IDENTITY.encode())


def test_an_identity_that_is_cut_is_refused() -> None:
    for data in cuts(IDENTITY.encode()):
        with pytest.raises(IntegrityError):
            Identity.decode(data)


def test_the_log_begins_at_the_hash_of_the_file() -> None:
    assert IDENTITY.origin == TransactionHash.of(IDENTITY.encode())
    assert IDENTITY._replace(repository="0" * 32).origin != IDENTITY.origin


def changed(**fields: Any) -> bytes:
    document = json.loads(IDENTITY.encode()) | fields
    return canonical.encode({name: value for name, value in document.items() if value is not ...})


WRONG: dict[str, dict[str, Any]] = {
    "true for the format": {"format": True},
    "a float for the format": {"format": 1.0},
    "text for the format": {"format": "1"},
    "no format": {"format": ...},
    "a short id": {"repository": "01"},
    "an id with capitals": {"repository": "AB" * 16},
    "an id with a newline": {"repository": "ab" * 15 + "a\n"},
    "a number for the id": {"repository": 1},
    "another hash": {"hash": "sha256"},
    "a number for the time": {"created": 0},
    "text for features": {"features": "abc"},
    "a feature that is a number": {"features": [1]},
    "an unknown field": {"note": ""},
    "no id": {"repository": ...},
}


@pytest.mark.parametrize("name", WRONG)
def test_a_field_that_is_missing_unknown_or_of_another_kind_is_refused(name: str) -> None:
    with pytest.raises(IntegrityError) as caught:
        Identity.decode(changed(**WRONG[name]))
    assert caught.value.code == "bad_identity"


@pytest.mark.parametrize("document", [[], 1, None, "text", {}])
def test_other_json_is_not_an_identity(document: Any) -> None:
    with pytest.raises(IntegrityError) as caught:
        Identity.decode(canonical.encode(document))
    assert caught.value.code == "bad_identity"


def test_a_newer_format_is_refused_by_its_number_whatever_else_it_holds() -> None:
    with pytest.raises(UnsupportedError) as caught:
        Identity.decode(changed(format=2, hash="blake4", repository=...))
    assert caught.value.code == "newer_format"
    assert "2" in caught.value.message


def test_unknown_features_are_refused_by_name() -> None:
    with pytest.raises(UnsupportedError) as caught:
        Identity.decode(changed(features=["shards", "ciphers"]))
    assert caught.value.code == "unknown_feature"
    assert "'ciphers', 'shards'" in caught.value.message


def test_no_feature_is_no_reason_to_refuse() -> None:
    refuse_unknown([])


def test_a_file_over_its_limit_is_refused() -> None:
    with pytest.raises(IntegrityError) as caught:
        Identity.decode(changed(created="x" * MAX_BYTES))
    assert caught.value.code == "bad_json"
