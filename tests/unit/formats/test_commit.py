"""Commits: equal commits have equal bytes, and a field of the wrong kind is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.errors import IntegrityError, UnsupportedError, UsageError
from mlreg.formats import canonical
from mlreg.formats.commit import FORMS, MAX_BYTES, Commit, Input
from mlreg.ids import CommitId, TreeId
from tests.unit.formats.damage import check_refused_or_exact, cuts
from tests.unit.formats.test_canonical import texts, values

COMMIT = Commit(
    entry="model/suture",
    version="1.2.0",
    tree=TreeId.of(b"tree"),
    files=2,
    size=12,
    form="directory",
    parents=(CommitId.of(b"before"),),
    inputs=(Input("data", CommitId.of(b"data"), "data/frames@2026.11.23"),),
    metadata={"metrics": {"map": 0.5}, "tags": ["a", None, True]},
    message="größer",
    author="Ann <ann@example.org>",
    time="2026-11-23T06:28:00Z",
)

ids = st.binary(min_size=32, max_size=32)
commits = st.builds(
    Commit,
    entry=texts,
    version=texts,
    tree=ids.map(TreeId),
    files=st.integers(0, 2**63 - 1),
    size=st.integers(0, 2**63 - 1),
    form=st.sampled_from(FORMS),
    parents=st.lists(ids.map(CommitId), max_size=2).map(tuple),
    inputs=st.lists(st.builds(Input, texts, ids.map(CommitId), texts), max_size=2).map(tuple),
    metadata=st.dictionaries(texts, values, max_size=3),
    message=texts,
    author=texts,
    time=texts,
)


@given(commit=commits)
def test_a_commit_is_read_back(commit: Commit) -> None:
    assert Commit.decode(commit.encode()) == commit


def test_no_damage_gives_a_second_form_of_a_commit() -> None:
    check_refused_or_exact(Commit.decode, Commit.encode, COMMIT.encode())


def test_a_commit_that_is_cut_is_refused() -> None:
    for data in cuts(COMMIT.encode()):
        with pytest.raises(IntegrityError):
            Commit.decode(data)


def changed(**fields: Any) -> bytes:
    """Return the commit with other JSON in some fields; a field that becomes None is left out."""
    document = json.loads(COMMIT.encode()) | fields
    return canonical.encode({name: value for name, value in document.items() if value is not None})


ID = "0" * 64
WRONG: dict[str, dict[str, Any]] = {
    "text for parents": {"parents": "abc"},
    "numbers for parents": {"parents": [1]},
    "a short id": {"tree": "00"},
    "a capital id": {"tree": "A" * 64},
    "an id with a newline": {"tree": ID[:-1] + "\n"},
    "digits that are not ASCII": {"tree": "٣" * 64},
    "a list for a text": {"message": ["text"]},
    "a number for a text": {"version": 1},
    "true for a number": {"files": True},
    "a float for a number": {"size": 12.0},
    "a negative number": {"size": -1},
    "negative files": {"files": -1},
    "true for the format": {"format": True},
    "text for the format": {"format": "1"},
    "no format": {"format": None},
    "a list for metadata": {"metadata": [1]},
    "a mapping for inputs": {"inputs": {}},
    "an input that is text": {"inputs": ["data"]},
    "an input without a role": {"inputs": [{"commit": ID, "ref": ""}]},
    "an input with one field more": {"inputs": [{"commit": ID, "ref": "", "role": "", "note": ""}]},
    "an input with a number": {"inputs": [{"commit": ID, "ref": 1, "role": ""}]},
    "an input of no id": {"inputs": [{"commit": "main", "ref": "", "role": ""}]},
    "a form that is not known": {"form": "zip"},
    "an unknown field": {"note": ""},
    "no author": {"author": None},
}


@pytest.mark.parametrize("name", WRONG)
def test_a_field_that_is_missing_unknown_or_of_another_kind_is_refused(name: str) -> None:
    with pytest.raises(IntegrityError) as caught:
        Commit.decode(changed(**WRONG[name]))
    assert caught.value.code == "bad_commit"


@pytest.mark.parametrize("document", [[], 1, None, "commit", {}])
def test_other_json_is_not_a_commit(document: Any) -> None:
    with pytest.raises(IntegrityError) as caught:
        Commit.decode(canonical.encode(document))
    assert caught.value.code == "bad_commit"


@pytest.mark.parametrize("number", [0, 2, -1])
def test_another_format_asks_for_a_newer_release(number: int) -> None:
    with pytest.raises(UnsupportedError) as caught:
        Commit.decode(changed(format=number))
    assert caught.value.code == "unknown_commit_format"


@pytest.mark.parametrize("data", [b" " + COMMIT.encode(), COMMIT.encode() + b"\n", b"\xef\xbb\xbf" + COMMIT.encode()])
def test_a_commit_in_another_spelling_is_refused(data: bytes) -> None:
    with pytest.raises(IntegrityError) as caught:
        Commit.decode(data)
    assert caught.value.code == "bad_json"


def test_a_commit_over_its_limit_is_refused() -> None:
    with pytest.raises(IntegrityError) as caught:
        Commit.decode(COMMIT._replace(message="x" * MAX_BYTES).encode())
    assert caught.value.code == "bad_json"


def test_metadata_that_json_cannot_hold_is_refused_and_its_place_named() -> None:
    with pytest.raises(UsageError) as caught:
        COMMIT._replace(metadata={"metrics": {"loss": float("nan")}}).encode()
    assert caught.value.code == "bad_json"
    assert "$.metadata.metrics.loss" in caught.value.message


OTHER_INPUT = Input("data", CommitId.of(b"other"), "data/frames@2026.11.23")


@pytest.mark.parametrize(
    ("changes", "is_same"),
    [
        ({}, True),
        ({"author": "Bob", "time": "", "message": "", "version": "9.0.0", "parents": ()}, True),
        ({"inputs": (COMMIT.inputs[0]._replace(ref="data/frames@latest"),)}, True),
        ({"metadata": {"tags": ["a", None, True], "metrics": {"map": 0.5}}}, True),
        ({"metadata": {**COMMIT.metadata, "metrics": {"map": 0.25}}}, False),
        ({"metadata": {**COMMIT.metadata, "tags": ["a", None, 1]}}, False),
        ({"tree": TreeId.of(b"other")}, False),
        ({"form": "file"}, False),
        ({"inputs": ()}, False),
        ({"inputs": (OTHER_INPUT,)}, False),
        ({"inputs": (COMMIT.inputs[0]._replace(role="base"),)}, False),
    ],
)
def test_commits_have_the_same_content_if_files_metadata_and_inputs_are_equal(
    changes: dict[str, Any], is_same: bool
) -> None:
    assert COMMIT.has_same_content(COMMIT._replace(**changes)) is is_same


def test_the_history_of_a_commit_is_the_version_before_and_its_inputs() -> None:
    assert COMMIT.history() == (CommitId.of(b"before"), CommitId.of(b"data"))
