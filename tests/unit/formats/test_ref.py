"""The ref grammar: what is read, how it is printed, what is refused."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlreg.errors import UsageError
from mlreg.formats.names import check_name, check_role, check_tag, quoted
from mlreg.formats.paths import check_path
from mlreg.formats.ref import EXAMPLE, TENSOR, Ref, Step, parse_ref

HEX64 = "0123456789abcdef" * 4

READ = {
    "xx": Ref(None, None, "xx"),
    "b3": Ref(None, None, "b3"),
    "team/suture": Ref(None, None, "team/suture"),
    "model/suture": Ref(None, "model", "suture"),
    "data/team/frames:train/0001.jpg": Ref(None, "data", "team/frames", path="train/0001.jpg"),
    "model/b3:deadbeef": Ref(None, "model", "b3", path="deadbeef"),
    "xx@latest": Ref(None, None, "xx", "latest"),
    "xx@1.0.0-rc.1+build.5": Ref(None, None, "xx", "1.0.0-rc.1+build.5"),
    "xx@best_f1": Ref(None, None, "xx", "best_f1"),
    "xx@deadbeef": Ref(None, None, "xx", "deadbeef"),
    "model/suture_detector@production": Ref(None, "model", "suture_detector", "production"),
    "data/frames@2026.11.23:train/0001.jpg": Ref(None, "data", "frames", "2026.11.23", (), "train/0001.jpg"),
    "xx@prod~3": Ref(None, None, "xx", "prod", (Step("back", "3"),)),
    "xx@prod~0": Ref(None, None, "xx", "prod", (Step("back", "0"),)),
    "xx@prod^": Ref(None, None, "xx", "prod", (Step("input", ""),)),
    "xx@prod^^data": Ref(None, None, "xx", "prod", (Step("input", ""), Step("input", "data"))),
    "xx@prod^base~2@{1}:a": Ref(
        None, None, "xx", "prod", (Step("input", "base"), Step("back", "2"), Step("at", "1")), "a"
    ),
    "xx@prod@{2026-03-01}": Ref(None, None, "xx", "prod", (Step("at", "2026-03-01"),)),
    "xx@prod@{2026-03-01T12:00:00.123Z}:a": Ref(
        None, None, "xx", "prod", (Step("at", "2026-03-01T12:00:00.123Z"),), "a"
    ),
    "xx@prod@{2026-03-01T12:00+01:00}": Ref(None, None, "xx", "prod", (Step("at", "2026-03-01T12:00+01:00"),)),
    "origin::model/suture": Ref("origin", "model", "suture"),
    "origin::model/suture@production@{2026-03-01}": Ref(
        "origin", "model", "suture", "production", (Step("at", "2026-03-01"),)
    ),
    "/srv/reg::model/xx": Ref("/srv/reg", "model", "xx"),
    "../reg::xx": Ref("../reg", None, "xx"),
    "file:///srv/reg::model/xx@1.0.0": Ref("file:///srv/reg", "model", "xx", "1.0.0"),
    "s3://bucket/a::b::xx:f": Ref("s3://bucket/a::b", None, "xx", path="f"),
    "http://[::1]:80/reg::xx": Ref("http://[::1]:80/reg", None, "xx"),
    f"b3:{HEX64}": Ref(None, None, "", HEX64),
    "b3:deadbeef~1:a/b": Ref(None, None, "", "deadbeef", (Step("back", "1"),), "a/b"),
    "origin::b3:deadbeef": Ref("origin", None, "", "deadbeef"),
}

READ_AND_RESPELT = {
    "models/suture": "model/suture",
    "dataset/frames": "data/frames",
    "datasets/frames@1.0:a": "data/frames@1.0:a",
    "xx@prod~": "xx@prod~1",
    "xx@prod~~": "xx@prod~1~1",
    "@deadbeef": "b3:deadbeef",
    f"@{HEX64}:a": f"b3:{HEX64}:a",
    HEX64: f"b3:{HEX64}",
    f"{HEX64}:a": f"b3:{HEX64}:a",
    "models:/suture@champion": "model/suture@champion",
    "models:/suture/1.0.0": "model/suture@1.0.0",
    "models:/suture/latest": "model/suture@latest",
    "models:/team/suture/3": "model/team/suture@3",
    "origin::models:/suture@champion": "origin::model/suture@champion",
}

REFUSED = {
    "empty": "",
    "white space": " ",
    "space in front": " xx",
    "trailing newline": "xx\n",
    "trailing newline of a version": "xx@1.0\n",
    "short option": "-rf",
    "long option": "--help",
    "git's upstream": "@{upstream}",
    "HEAD": "HEAD",
    "latest": "latest",
    "lone @": "@",
    "at latest": "@latest",
    "range of names": "aa..bb",
    "range of versions": "xx@1.0..2.0",
    "lock file": "aa.lock",
    "step without selector": "xx~1",
    "input without selector": "xx^",
    "moment without selector": "xx@{1}",
    "parent": "refs/../xx",
    "kind alone": "model",
    "kind and slash": "model/",
    "kind twice": "model/model/xx",
    "kind of later": "run/ab",
    "kind without name": "model/@deadbeef",
    "upper case": "model/Suture",
    "Cyrillic": "r\u0435snet",
    "empty selector": "xx@",
    "empty selector and path": "xx@:a",
    "selector with a slash": "xx@aa/bb",
    "selector with an underscore in front": "xx@_a",
    "Arabic version": "xx@\u0663.0.0",
    "Arabic step": "xx@prod~\u0663",
    "word for a step": "xx@prod~a",
    "zeros in front of a step": "xx@prod~01",
    "huge step": "xx@prod~1234567890",
    "role in upper case": "xx@prod^Data",
    "role with a digit in front": "xx@prod^1",
    "open brace": "xx@prod@{1",
    "empty braces": "xx@prod@{}",
    "word in braces": "xx@prod@{yesterday}",
    "Arabic date": "xx@prod@{\u0662026-03-01}",
    "date of another order": "xx@prod@{01.03.2026}",
    "lone second @": "xx@prod@x",
    "text behind braces": "xx@prod@{1}x",
    "33 steps": "xx@prod" + "~" * 33,
    "empty path": "xx:",
    "absolute path": "xx:/etc/passwd",
    "path to a parent": "xx:../a",
    "path with a colon": "xx:a:b",
    "path with an escape": "xx:a\x1b[2J",
    "drive": "C:\\xx",
    "id of 7 digits": "b3:deadbee",
    "id of 65 digits": f"b3:{HEX64}0",
    "id in upper case": "b3:DEADBEEF",
    "bare id in upper case": HEX64.upper(),
    "id of other letters": "b3:deadbeeg",
    "id after two marks": "b3:@deadbeef",
    "id with Arabic digits": "b3:\u0663\u0663\u0663\u0663\u0663\u0663\u0663\u0663",
    "empty remote": "::xx",
    "illegal remote": "Origin::xx",
    "two remotes": "aa::bb::xx",
    "remote with a control character": "/srv\n/reg::xx",
    "remote without ref": "origin::",
    "MLflow without version": "models:/suture",
    "MLflow without anything": "models:/",
    "MLflow with an illegal name": "models:/My Model/1",
    "8,193 characters": "xx:a#" + "t" * 8188,
    "a megabyte": "x" * 1_000_000,
    "a megabyte of steps": "xx@prod" + "~" * 1_000_000,
    "a megabyte of colons": ":" * 1_000_000,
    "half a surrogate pair": "xx:\ud800",
}

names = st.sampled_from(["xx", "b3", "suture_detector", "team/ct/x.1", "deadbeef", "0-a"])
remotes = st.sampled_from(["origin", "b3", "/srv/reg", "../a b", "s3://bucket/a::b", "ssh://h:22/p", "C:/reg", "a/b:"])
bases = st.sampled_from(["1.0.0", "2026.11.23", "latest", "production", "best_f1", "deadbeef", HEX64, "1.0-rc+b"])
counts = st.integers(0, 10**9 - 1).map(str)
steps = st.one_of(
    st.builds(Step, st.just("back"), counts),
    st.builds(Step, st.just("input"), st.sampled_from(["", "data", "base.model", "code_2"])),
    st.builds(
        Step, st.just("at"), counts | st.sampled_from(["2026-03-01", "2026-03-01T12:00:00-05:00".replace("5", "0")])
    ),
)
paths = st.sampled_from(["a", "train/0001.jpg", "a b/c@d~1^x", "-x", "\u00e9/\U0001f600", "{1}"])
chains = st.lists(steps, max_size=4).map(tuple)
kinds = st.none() | st.sampled_from(["model", "data"])
refs = st.one_of(
    st.builds(Ref, st.none() | remotes, kinds, names, bases, chains, st.none() | paths),
    st.builds(Ref, st.none() | remotes, st.just("data"), names, st.none(), st.just(()), st.none() | paths),
    st.builds(
        Ref,
        st.none() | remotes,
        st.none(),
        st.just(""),
        st.sampled_from(["deadbeef", HEX64]),
        chains,
        st.none() | paths,
    ),
)
# Marks and words of the grammar in any order: nearly a ref, more often than random characters are.
scraps = st.lists(
    st.sampled_from(
        [":", "::", "@", "@{", "}", "~", "^", "/", "b3:", "models:/", "model/", "data", "xx", "v1", "1.0", "7", "..",
         "deadbeef", "2026-03-01", "latest", "\n", "\u0663", "", HEX64, "::xx", "xx@prod"]
    ),
    max_size=8,
).map("".join)  # fmt: skip


def refuses(text: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        parse_ref(text)
    assert caught.value.code == "bad_ref"
    return caught.value


@pytest.mark.parametrize(
    ("text", "listed"),
    [("model/*", "model/*"), ("model/n?t", "model/n?t"), ("model/net@*", "model/net"), ("net@1.[0-9]", "net")],
)
def test_a_pattern_is_refused_as_one_with_what_lists_that_which_fits(text: str, listed: str) -> None:
    error = refuses(text)

    assert error.message.startswith(f"'{text}' is a pattern")
    assert error.fix[0].endswith(f"mlreg ls '{listed}' -q")


def test_a_path_may_have_a_mark_of_a_pattern() -> None:
    assert parse_ref("model/net:a*[1]?").path == "a*[1]?"


@pytest.mark.parametrize(("text", "ref"), READ.items())
def test_a_ref_in_our_spelling_is_read_and_printed_unchanged(text: str, ref: Ref) -> None:
    assert parse_ref(text) == ref
    assert str(ref) == text


@pytest.mark.parametrize(("text", "ours"), READ_AND_RESPELT.items())
def test_a_ref_in_another_spelling_is_printed_in_ours(text: str, ours: str) -> None:
    assert str(parse_ref(text)) == ours
    assert parse_ref(ours) == parse_ref(text)


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_what_is_not_a_ref_is_refused(text: str) -> None:
    refuses(text)


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_a_refusal_is_short_printable_ascii_and_shows_the_text_and_a_right_ref(text: str) -> None:
    error = refuses(text)

    shown = " ".join((error.message, error.why, *error.fix))
    assert shown.isascii()
    assert shown.isprintable()
    assert len(shown) < 1000
    assert quoted(text) in error.message
    assert error.why
    assert EXAMPLE in error.fix[-1]


@pytest.mark.parametrize(
    ("text", "word"), [("xx@", "behind '@'"), ("models:/suture", "@TAG"), ("xx~1", "@latest~1"), ("b3:train", "id")]
)
def test_a_ref_that_lacks_something_is_refused_with_what_it_lacks(text: str, word: str) -> None:
    assert word in refuses(text).why


def test_a_ref_of_8192_characters_is_read() -> None:
    path = "a#" + "t" * 8187

    assert parse_ref(f"xx:{path}").path == path


@pytest.mark.parametrize("tensor", ["/decoder/If_1.then./rnn/W", "..", " ", "a:b", "a#b", "~1", ""])
def test_behind_a_file_a_tensor_may_have_any_name(tensor: str) -> None:
    ref = parse_ref(f"model/net@1.0.0:dir/a.onnx#{tensor}")

    assert ref.path == f"dir/a.onnx#{tensor}"
    assert parse_ref(str(ref)) == ref


def test_the_example_of_a_right_ref_is_one() -> None:
    assert str(parse_ref(EXAMPLE)) == EXAMPLE


@given(refs)
@example(Ref(None, "model", "b3", None, (), "deadbeef"))
def test_a_printed_ref_reads_back_as_itself(ref: Ref) -> None:
    assert parse_ref(str(ref)) == ref


@given(scraps | st.text(max_size=60))
def test_any_text_is_refused_or_printed_as_a_ref_that_reads_the_same(text: str) -> None:
    try:
        ref = parse_ref(text)
    except UsageError:
        return
    assert parse_ref(str(ref)) == ref


@given(scraps)
def test_the_parts_of_a_ref_are_legal_by_themselves(text: str) -> None:
    try:
        ref = parse_ref(text)
    except UsageError:
        return
    if ref.name:
        check_name(ref.name)
    if ref.path is not None:
        check_path(ref.path.partition(TENSOR)[0])
    for step in ref.steps:
        if step.sort == "input" and step.value:
            check_role(step.value)
    if ref.selector is not None and "_" in ref.selector:
        check_tag(ref.selector)
    assert ref.name or ref.selector
    assert ref.selector or not ref.steps
