"""Legal names, and the names of refs in the log."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.errors import IntegrityError, MlregError, UsageError
from mlreg.formats.names import (
    KIND_WORDS,
    RESERVED_WORDS,
    Entry,
    RefName,
    check_name,
    check_remote,
    check_role,
    check_tag,
    check_version_text,
    parse_ref_name,
    quoted,
    remote_ref,
    tag_ref,
    version_ref,
)

# What breaks the rule of a segment, wherever a segment stands (rows 54, 66, 67, 69, 71 of the hostile inputs).
HOSTILE_SEGMENTS = {
    "empty": "",
    "white space": "  ",
    "one letter": "x",
    "65 characters": "a" * 65,
    "a megabyte": "a" * 1_000_000,
    "short option": "-rf",
    "long option": "--help",
    "hidden": ".hidden",
    "kept underscore": "_private",
    "upper case": "Model",
    "HEAD": "HEAD",
    "git's upstream": "@{upstream}",
    "git's parent": "ab~1",
    "git's other parent": "ab^",
    "range": "ab..cd",
    "parent directory": "..",
    "lock file": "ab.lock",
    "trailing dot": "ab.",
    "trailing newline": "abc\n",
    "NUL": "ab\0",
    "escape": "ab\x1b[2J",
    "backslash": "ab\\cd",
    "colon": "ab:cd",
    "space inside": "my model",
    "Cyrillic e": "r\u0435snet",
    "Arabic digit": "ab\u0663",
    "Kelvin sign": "\u212a2",
    "dotless i": "res\u0131net",
    "half a surrogate pair": "ab\ud800",
    "device": "con",
    "device with extension": "nul.txt",
    "numbered device": "com1",
    "printer port": "lpt9.tar.gz",
}
HOSTILE_NAMES = HOSTILE_SEGMENTS | {
    "64 hexadecimal digits": "0123456789abcdef" * 4,
    "latest": "latest",
    "head": "head",
    "parent segment": "refs/../xx",
    "empty segment": "ab//cd",
    "leading slash": "/ab",
    "trailing slash": "ab/",
    "five segments": "aa/bb/cc/dd/ee",
    "bad segment inside": "team/Suture",
    "201 characters": "/".join(["a" * 49] * 3 + ["b" * 51]),
}
HOSTILE_TAGS = HOSTILE_SEGMENTS | {
    "latest": "latest",
    "head": "head",
    "two segments": "ab/cd",
    "id prefix": "deadbeef",
    "dense version": "v12",
    "version": "1.0.0",
    "version with v": "v1.0.0",
    "digit in front": "2nd",
}
HOSTILE_VERSIONS = {
    "empty": "",
    "path behind plus": "1.0.0+../../x",
    "Arabic digit": "\u0663.0.0",
    "underscore of int": "1_0",
    "trailing newline": "1.0.0\n",
    "space": "1.0 ",
    "slash": "1/0",
    "half a surrogate pair": "1.0\ud800",
    "129 characters": "1" * 129,
    "a megabyte": "1" * 1_000_000,
}

ALNUM = "abcdefghijklmnopqrstuvwxyz0123456789"


def is_legal(check: Callable[[str], None], text: str) -> bool:
    try:
        check(text)
    except UsageError:
        return False
    return True


segments = st.text(f"{ALNUM}._-", min_size=2, max_size=64).filter(lambda text: is_legal(check_remote, text))
names = st.lists(segments, min_size=1, max_size=4).map("/".join).filter(lambda text: is_legal(check_name, text))
tags = st.text(f"{ALNUM}._-", min_size=2, max_size=64).filter(lambda text: is_legal(check_tag, text))
versions = st.text(f"{ALNUM}ABCXYZ+.-", min_size=1, max_size=128)
entries = st.builds(Entry, st.sampled_from(sorted(set(KIND_WORDS.values()))), names)
# Words of the grammar stand close together here, which random characters seldom do.
scraps = st.lists(
    st.sampled_from(["remote", "version", "tag", "model", "models", "data", "/", "xx", "v1", "1.0", "", "\n", ".."]),
    max_size=12,
).map("".join)


@pytest.mark.parametrize("name", HOSTILE_NAMES.values(), ids=HOSTILE_NAMES)
def test_a_hostile_name_of_an_entry_is_refused(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_name(name)
    assert caught.value.code == "bad_name"


@pytest.mark.parametrize("tag", HOSTILE_TAGS.values(), ids=HOSTILE_TAGS)
def test_a_hostile_tag_is_refused(tag: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_tag(tag)
    assert caught.value.code == "bad_tag"


@pytest.mark.parametrize("role", [*HOSTILE_SEGMENTS.values(), "ab/cd", "2nd"])
def test_a_hostile_role_is_refused(role: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_role(role)
    assert caught.value.code == "bad_role"


@pytest.mark.parametrize("remote", [*HOSTILE_SEGMENTS.values(), "ab/cd"])
def test_a_hostile_name_of_a_remote_is_refused(remote: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_remote(remote)
    assert caught.value.code == "bad_remote"


@pytest.mark.parametrize("version", HOSTILE_VERSIONS.values(), ids=HOSTILE_VERSIONS)
def test_a_hostile_version_is_refused(version: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_version_text(version)
    assert caught.value.code == "bad_version"


@pytest.mark.parametrize("word", sorted(RESERVED_WORDS))
def test_a_word_of_mlreg_is_refused_in_front_of_a_name_and_accepted_behind(word: str) -> None:
    for name in (word, f"{word}/suture"):
        with pytest.raises(UsageError) as caught:
            check_name(name)
        assert caught.value.code == "bad_name"
    check_name(f"suture/{word}")


@pytest.mark.parametrize(
    "name",
    [
        "suture_detector",
        "resnet-50",
        "gpt2",
        "3d.unet",
        "team/ct/liver/seg",
        "deadbeef",
        "z" * 64,
        "console",
        "com10",
        "models2",
        "/".join(["a" * 49] * 3 + ["b" * 50]),
    ],
)
def test_an_ordinary_name_is_accepted(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize("tag", ["production", "best_f1", "team-a.ready", "deadbee", "vnext", "facade-01", "z" * 64])
def test_an_ordinary_tag_is_accepted(tag: str) -> None:
    check_tag(tag)


@pytest.mark.parametrize("version", ["1.0.0", "2026.11.23", "1.0.0-rc.1+build.5", "v3", "1" * 128])
def test_the_characters_of_every_version_format_are_accepted(version: str) -> None:
    check_version_text(version)


@pytest.mark.parametrize(
    ("written", "near"),
    [("Suture_Detector", "suture_detector"), ("_draft", "draft"), ("my model", "my-model"), ("Team/_X1", "team/x1")],
)
def test_a_refused_name_comes_with_a_legal_one_near_to_it(written: str, near: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_name(written)
    assert caught.value.fix == (f"use {near}",)


@pytest.mark.parametrize("name", ["con", "model/x1", "r\u0435snet", "A" * 201, ""])
def test_a_refused_name_comes_without_a_proposal_when_none_is_legal_and_near(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_name(name)
    assert caught.value.fix == ("mlreg help refs",)


@given(st.text(max_size=210))
def test_whatever_is_proposed_is_legal(name: str) -> None:
    try:
        check_name(name)
    except UsageError as error:
        for fix in error.fix:
            if fix != "mlreg help refs":
                check_name(fix.removeprefix("use "))


@given(st.text(max_size=300))
def test_a_quoted_text_is_short_printable_ascii(text: str) -> None:
    assert quoted(text).isascii()
    assert quoted(text).isprintable()
    assert len(quoted(text)) < 900


@pytest.mark.parametrize(("word", "kind"), KIND_WORDS.items())
def test_every_kind_word_leads_to_the_kind_that_is_printed(word: str, kind: str) -> None:
    entry = Entry.parse(f"{word}/suture/detector")

    assert entry == Entry(kind, "suture/detector")
    assert str(entry) == f"{kind}/suture/detector"


@pytest.mark.parametrize("text", ["", "suture", "run/ab", "Model/ab", "model", "/ab", "origin::model/ab", "ab/cd"])
def test_an_entry_without_a_kind_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Entry.parse(text)
    assert caught.value.code == "bad_entry"


def test_an_entry_without_a_kind_is_offered_with_each_kind() -> None:
    with pytest.raises(UsageError) as caught:
        Entry.parse("suture")
    assert caught.value.fix == ("use model/suture", "use data/suture")


@pytest.mark.parametrize("text", ["model/", "model/X", "model/model/ab", "data//ab", "model/ab\n"])
def test_an_entry_with_an_illegal_name_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Entry.parse(text)
    assert caught.value.code == "bad_name"


@given(entries)
def test_a_printed_entry_reads_back(entry: Entry) -> None:
    assert Entry.parse(str(entry)) == entry


def test_ref_names_are_those_of_the_format_page() -> None:
    entry = Entry("model", "x1")

    assert version_ref(entry, "1.0.0") == "version/model/x1/1.0.0"
    assert tag_ref(entry, "production") == "tag/model/x1/production"
    assert remote_ref("origin", tag_ref(entry, "production")) == "remote/origin/tag/model/x1/production"


@given(entries, versions, tags, segments)
def test_a_ref_name_reads_back_as_what_it_was_made_of(entry: Entry, version: str, tag: str, remote: str) -> None:
    assert parse_ref_name(version_ref(entry, version)) == RefName("version", entry, version, None)
    assert parse_ref_name(tag_ref(entry, tag)) == RefName("tag", entry, tag, None)
    assert parse_ref_name(remote_ref(remote, tag_ref(entry, tag))) == RefName("tag", entry, tag, remote)


@given(scraps | st.text(max_size=80))
def test_a_text_is_no_ref_name_or_exactly_the_one_it_reads_as(text: str) -> None:
    try:
        found = parse_ref_name(text)
    except IntegrityError:
        return
    made = version_ref(found.entry, found.leaf) if found.sort == "version" else tag_ref(found.entry, found.leaf)
    assert text == (made if found.remote is None else remote_ref(found.remote, made))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "remote",
        "remote/",
        "remote/origin",
        "remote/origin/tag",
        "tag/model/xx",
        "tag/model//production",
        "tag/model/xx/",
        "/tag/model/xx/production",
        "tags/model/xx/production",
        "tag/models/xx/production",
        "tag/run/xx/production",
        "tag/model/xx/1.0.0",
        "tag/model/xx/production\n",
        "tag/model/XX/production",
        "tag/model/../../production",
        "version/model/xx/1_0",
        "remote/remote/origin/tag/model/xx/production",
        "remote/Origin/tag/model/xx/production",
        "remote//tag/model/xx/production",
        "tag/model/xx/" + "a" * 1_000_000,
        "/" * 1_000_000,
    ],
    ids=quoted,
)
def test_what_is_not_quite_a_ref_name_is_refused_as_damage(text: str) -> None:
    with pytest.raises(IntegrityError) as caught:
        parse_ref_name(text)
    assert caught.value.code == "bad_ref_name"


def test_a_ref_name_is_not_made_of_illegal_parts() -> None:
    entry = Entry("model", "x1")
    made_of_illegal_parts: dict[str, Callable[[], str]] = {
        "bad_name": lambda: tag_ref(Entry("model", "../x1"), "production"),
        "bad_entry": lambda: tag_ref(Entry("models", "x1"), "production"),
        "bad_tag": lambda: tag_ref(entry, "a/b"),
        "bad_version": lambda: version_ref(entry, "1/0"),
        "bad_remote": lambda: remote_ref("../x", "tag/model/x1/production"),
        "bad_ref_name": lambda: remote_ref("origin", "remote/other/tag/model/x1/production"),
    }

    for code, make in made_of_illegal_parts.items():
        with pytest.raises(MlregError) as caught:
            make()
        assert caught.value.code == code
