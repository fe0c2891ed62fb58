"""Versions: which is newer, how a format spells them, and what the next one is called."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterable
from datetime import date, timedelta
from itertools import pairwise

import pytest
import semver
from hypothesis import given
from hypothesis import strategies as st

from mlreg.errors import UsageError
from mlreg.formats.versions import AUTO, VersionFormat, is_release, latest, order, version_format

TODAY = date(2026, 11, 23)
SEMVER, CALVER, INTEGER = version_format("semver"), version_format("calver"), version_format("integer")
FORMATS = {
    name: version_format(name)
    for name in ("semver", "calver", "integer", "major.minor", "YYYY.MM.N", "vN", "YY.MM-patch", "YYYY.MM")
}

every_format = pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)

numbers = st.integers(0, 3) | st.integers(0, 10**20)
words = st.from_regex(r"0|[1-9][0-9]{0,2}|[0-9]*[a-zA-Z-][0-9a-zA-Z-]{0,2}", fullmatch=True)
builds = st.from_regex(r"[0-9a-zA-Z-]{1,3}", fullmatch=True)
suffixes = st.builds(
    lambda before, build: (f"-{'.'.join(before)}" if before else "") + (f"+{'.'.join(build)}" if build else ""),
    st.lists(words, max_size=3),
    st.lists(builds, max_size=2),
)
semvers = st.builds("{}.{}.{}{}".format, numbers, numbers, numbers, suffixes)
days = st.dates() | st.dates(date(2026, 11, 22), date(2026, 11, 24))
calvers = st.builds(
    lambda day, number: day.isoformat().replace("-", ".") + (f".{number}" if number else ""), days, numbers
)
patterns = st.from_regex(r"v?(0|[1-9][0-9]{0,3})([.-](0|[1-9][0-9]?)){0,2}", fullmatch=True)

# Near misses: the characters of versions, what Python takes for digits, and ends that a careless match lets through.
noise = st.text(st.sampled_from("019.-+av_ \n٣²"), max_size=12) | st.text(max_size=5)
damaged = st.builds(
    lambda text, place, piece: text[:place] + piece + text[place + 1 :],
    semvers | calvers,
    st.integers(0, 12),
    st.sampled_from(["", ".", "-", "+", "0", "_", "٣", "\n", " ", ".."]),
)
texts = semvers | calvers | noise | damaged


def is_accepted(form: VersionFormat, text: str) -> bool:
    try:
        form.check(text)
    except UsageError as error:
        return error.code != "bad_version"
    return True


def newest_first(existing: Iterable[str]) -> list[str]:
    return sorted(existing, key=order, reverse=True)


# What is refused

HOSTILE_ANYWHERE = {
    "empty": "",
    "space": " ",
    "word": "latest",
    "option": "--help",
    "path": "../../x",
    "10000 digits": "9" * 10_000,
    "129 characters": "1.0.0-" + "a" * 123,
    "a megabyte of dots": "." * 1_000_000,
    "NUL": "1.0.0\0",
}
HOSTILE_SEMVER = {
    "build of dots": "1.0.0+..",
    "path in the build": "1.0.0+../../x",
    "two numbers with a zero": "01.0",
    "leading zero": "01.0.0",
    "leading zero in the patch": "1.0.00",
    "leading zero before the release": "1.0.0-rc.01",
    "empty pre-release": "1.0.0-",
    "empty word": "1.0.0-rc..1",
    "empty build": "1.0.0+",
    "two signs of a build": "1.0.0++",
    "empty build of a pre-release": "1.0.0-rc.1+",
    "two builds": "1.0.0+a+b",
    "Arabic digit": "\u0663.0.0",
    "Arabic digit before the release": "1.0.0-rc.\u0663",
    "superscript digit": "1.0.0-\u00b2",
    "full-width digit": "\uff11.0.0",
    "underscore": "1_0",
    "underscore in a number": "1_0.0.0",
    "sign": "+1.0.0",
    "minus": "-1.0.0",
    "space before": " 1.0.0",
    "space after": "1.0.0 ",
    "newline after": "1.0.0\n",
    "one number": "1",
    "two numbers": "1.0",
    "four numbers": "1.0.0.0",
    "v": "v1.0.0",
    "exponent": "1e3.0.0",
    "underscore in the pre-release": "1.0.0-rc_1",
    "umlaut": "1.0.0-\u00fc",
    "half a surrogate pair": "1.0.0-\ud800",
}
HOSTILE_CALVER = {
    "30th of February": "2026.02.30",
    "29th of February in a common year": "2026.02.29",
    "29th of February in 1900": "1900.02.29",
    "month 13": "2026.13.01",
    "month 0": "2026.00.01",
    "day 0": "2026.01.00",
    "year 0": "0000.01.01",
    "five digits of a year": "12026.01.01",
    "two digits of a year": "26.01.01",
    "one digit of a month": "2026.1.01",
    "one digit of a day": "2026.01.1",
    "number 0": "2026.01.01.0",
    "leading zero": "2026.01.01.01",
    "no number": "2026.01.01.",
    "two numbers": "2026.01.01.1.1",
    "no day": "2026.01",
    "ISO": "2026-01-01",
    "word after": "2026.01.01-rc1",
    "word for a number": "2026.01.01.a",
    "Arabic digits": "\u0662\u0660\u0662\u0666.01.01",
    "superscript number": "2026.01.01.\u00b2",
    "underscore": "2_26.01.01",
    "sign": "+026.01.01",
    "space": " 026.01.01",
    "newline after": "2026.01.01\n",
}


@pytest.mark.parametrize("text", (HOSTILE_ANYWHERE | HOSTILE_SEMVER).values(), ids=HOSTILE_ANYWHERE | HOSTILE_SEMVER)
def test_what_is_not_a_semver_version_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        SEMVER.check(text)
    assert caught.value.code == "bad_version"
    assert caught.value.why


@pytest.mark.parametrize("text", (HOSTILE_ANYWHERE | HOSTILE_CALVER).values(), ids=HOSTILE_ANYWHERE | HOSTILE_CALVER)
def test_what_is_not_a_calver_version_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        CALVER.check(text)
    assert caught.value.code == "bad_version"
    assert caught.value.why


@pytest.mark.parametrize("text", ["0.0.0", "1.0.0-0", "1.0.0--", "1.0.0-0a.-1", "1.0.0+001", "10.20.30-rc.1+build.5-x"])
def test_odd_semver_versions_are_accepted(text: str) -> None:
    SEMVER.check(text)


@pytest.mark.parametrize("text", ["0001.01.01", "2000.02.29", "2026.12.31", "2026.12.31.1", "9999.12.31.10"])
def test_odd_calver_versions_are_accepted(text: str) -> None:
    CALVER.check(text)


@pytest.mark.parametrize(
    ("form", "text", "meant"),
    [
        (SEMVER, "v1.2.3", "1.2.3"),
        (SEMVER, "1.2", "1.2.0"),
        (SEMVER, "V2", "2.0.0"),
        (SEMVER, "x", "1.0.0"),
        (CALVER, "2026-11-05", "2026.11.05"),
        (CALVER, "2026.1.5", "2026.01.05"),
        (CALVER, "1.0.0", "2026.11.23"),
        (INTEGER, "v7", "7"),
    ],
)
def test_a_refusal_shows_the_spelling_that_was_perhaps_meant(form: VersionFormat, text: str, meant: str) -> None:
    with pytest.raises(UsageError) as caught:
        form.check(text)
    assert caught.value.fix[0].endswith(f" {meant}")


@every_format
@given(text=texts)
def test_a_refusal_shows_a_spelling_that_is_accepted(form: VersionFormat, text: str) -> None:
    try:
        form.check(text)
    except UsageError as error:
        form.check(error.fix[0].rpartition(" ")[2])


@given(text=semvers)
def test_every_semver_version_of_at_most_128_characters_is_accepted(text: str) -> None:
    assert is_accepted(SEMVER, text) == (len(text) <= 128)


@given(text=calvers)
def test_every_calver_version_is_accepted(text: str) -> None:
    CALVER.check(text)


# Order


@given(some=st.lists(texts | patterns, max_size=8))
def test_the_order_is_total_and_does_not_depend_on_where_one_starts(some: list[str]) -> None:
    ordered, turned = sorted(some, key=order), some[::-1]

    assert sorted(turned, key=order) == ordered
    for one, other in pairwise(ordered):
        assert one == other or order(one) < order(other)


@given(one=semvers, other=semvers)
def test_semver_versions_are_in_the_order_of_the_library(one: str, other: str) -> None:
    mine, its = order(one), order(other)
    library = semver.Version.parse(one).compare(other)

    if library:
        assert (mine > its) - (mine < its) == library
    else:
        assert (mine > its) - (mine < its) == (one > other) - (one < other)


def test_the_example_of_the_semver_page_is_in_its_order() -> None:
    before = ["alpha", "alpha.1", "alpha.beta", "beta", "beta.2", "beta.11", "rc.1"]
    page = [*(f"1.0.0-{words}" for words in before), "1.0.0"]
    turned = page[::-1]

    assert sorted(turned, key=order) == page


def test_versions_that_differ_in_their_build_alone_are_in_the_order_of_their_text() -> None:
    assert sorted(["1.0.0+b", "1.0.1", "1.0.0+a.2", "1.0.0"], key=order) == [
        "1.0.0",
        "1.0.0+a.2",
        "1.0.0+b",
        "1.0.1",
    ]


def test_calver_versions_are_in_the_order_of_their_days_and_of_their_numbers_in_one_day() -> None:
    ordered = ["2025.12.31.12", "2026.01.01", "2026.01.01.2", "2026.01.01.10", "2026.01.02"]
    turned = ordered[::-1]

    assert sorted(turned, key=order) == ordered


def test_ten_thousand_versions_are_sorted_in_well_under_a_second() -> None:
    suffix = ["", "-rc.1", "-alpha.2.x", "+build.7"]
    rng = random.Random(0)
    many = [f"{rng.randrange(9)}.{rng.randrange(99)}.{n}{rng.choice(suffix)}" for n in range(10_000)]

    started = time.process_time()
    sorted(many, key=order)
    latest(many)
    assert time.process_time() - started < 1


def test_importing_and_ordering_do_not_load_the_semver_library() -> None:
    program = (
        "import sys; from mlreg.formats.versions import latest, version_format;"
        "version_format('semver'); latest(['1.0.0', '2.0.0-rc.1']); sys.exit('semver' in sys.modules)"
    )

    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", program], env=environment, check=False).returncode == 0


# The newest one


@pytest.mark.parametrize(
    ("some", "newest"),
    [
        ([], None),
        (["1.0.0"], "1.0.0"),
        (["1.9.0", "1.10.0", "1.2.0"], "1.10.0"),
        (["1.0.0", "2.0.0-rc.1"], "1.0.0"),
        (["1.0.0-rc.1", "2.0.0-rc.2", "2.0.0-rc.10"], "2.0.0-rc.10"),
        (["1.0.0+a", "1.0.0+b-1", "1.0.0"], "1.0.0+b-1"),
        (["1.0.0", "2026.11.23"], "2026.11.23"),
        (["2026.11.23", "2026.11.23.1"], "2026.11.23.1"),
        (["9", "10"], "10"),
    ],
    ids=str,
)
def test_the_newest_semver_version_is_a_release_if_there_is_one(some: list[str], newest: str | None) -> None:
    assert latest(some) == newest
    assert latest(reversed(some)) == newest


@given(some=st.lists(calvers, min_size=1, max_size=8))
def test_the_newest_calver_version_is_the_last_in_their_order(some: list[str]) -> None:
    assert latest(some) == sorted(some, key=order)[-1]


# The next one


@pytest.mark.parametrize(
    ("existing", "part", "wanted"),
    [
        ([], "major", "1.0.0"),
        ([], "minor", "0.1.0"),
        ([], "patch", "0.0.1"),
        (["1.2.3"], "major", "2.0.0"),
        (["1.2.3"], "minor", "1.3.0"),
        (["1.2.3"], "patch", "1.2.4"),
        (["1.9.0", "1.10.0"], "minor", "1.11.0"),
        (["1.4.0", "2.0.0-rc.1"], "major", "2.0.0"),
        (["1.4.0", "2.0.0-rc.1"], "minor", "1.5.0"),
        (["1.0.0-rc.1"], "major", "1.0.0"),
        (["1.0.0+gpu"], "patch", "1.0.1"),
        (["99.0", "latest", "1.0.0"], "patch", "1.0.1"),
    ],
    ids=str,
)
def test_a_part_of_the_newest_release_grows(existing: list[str], part: str, wanted: str) -> None:
    assert SEMVER.next(newest_first(existing), part, TODAY) == wanted


@pytest.mark.parametrize(
    ("existing", "wanted"),
    [
        ([], "2026.11.23"),
        (["2026.11.22", "2026.11.22.7"], "2026.11.23"),
        (["2026.11.23"], "2026.11.23.1"),
        (["2026.11.23", "2026.11.23.1"], "2026.11.23.2"),
        (["2026.11.23", "2026.11.23.9", "2026.11.23.10"], "2026.11.23.11"),
        (["2026.11.23.3"], "2026.11.23.4"),
        (["2027.01.01.5"], "2026.11.23"),
        (["2026.11.23.0", "2026.11.23x"], "2026.11.23"),
    ],
    ids=str,
)
@pytest.mark.parametrize("part", [*CALVER.parts, AUTO])
def test_the_first_of_a_day_is_the_day_and_the_others_are_counted(part: str, existing: list[str], wanted: str) -> None:
    assert CALVER.next(newest_first(existing), part, TODAY) == wanted


def test_the_count_begins_again_with_every_day() -> None:
    names: list[str] = []
    for day in (TODAY, TODAY, TODAY, TODAY + timedelta(1), TODAY + timedelta(1)):
        names.append(CALVER.next(newest_first(names), "date", day))

    assert names == ["2026.11.23", "2026.11.23.1", "2026.11.23.2", "2026.11.24", "2026.11.24.1"]


@every_format
@given(data=st.data())
def test_the_next_version_is_new_and_a_release(form: VersionFormat, data: st.DataObject) -> None:
    existing = data.draw(st.lists(semvers | calvers | texts | patterns, max_size=8))
    part, today = data.draw(st.sampled_from([*form.parts, AUTO])), data.draw(days)

    name = form.next(newest_first(existing), part, today)
    form.check(name)
    assert name not in existing
    assert is_release(name)


@given(existing=st.lists(semvers, max_size=8), part=st.sampled_from([*SEMVER.parts, AUTO]))
def test_the_next_semver_version_is_newer_than_every_release(existing: list[str], part: str) -> None:
    name = SEMVER.next(newest_first(existing), part, TODAY)

    assert all(order(name) > order(text) for text in existing if is_release(text))


@pytest.mark.parametrize(
    ("pattern", "existing", "part", "wanted"),
    [
        ("integer", [], "auto", "1"),
        ("integer", ["9", "10", "x"], "number", "11"),
        ("vN", ["v9", "v10"], "auto", "v11"),
        ("major.minor", ["1.9", "1.10"], "minor", "1.11"),
        ("major.minor", ["1.9", "1.10"], "major", "2.0"),
        ("major.minor", [], "major", "1.0"),
        ("YYYY.MM.N", ["2026.10.4", "2026.11.2"], "auto", "2026.11.3"),
        ("YYYY.MM.N", ["2026.10.4"], "number", "2026.11.1"),
        ("YYYY.MM.N", ["2026.12.4", "2026.11.2"], "date", "2026.11.3"),
        ("YYYY.MM", ["2026.11"], "date", "2026.11.1"),
        ("semver", [], "auto", "0.1.0"),
        ("semver", ["1.2.3"], "auto", "1.2.4"),
    ],
    ids=str,
)
def test_the_next_version_of_a_pattern(pattern: str, existing: list[str], part: str, wanted: str) -> None:
    assert version_format(pattern).next(newest_first(existing), part, TODAY) == wanted


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "x",
        "N.N",
        "YYYYMMDD",
        "YYYY.YY",
        ".N",
        "N.",
        "N..N",
        "rN",
        "N-v",
        "major minor",
        "v",
        "v.N",
        "N" * 5000,
        "{N}",
    ],
    ids=lambda pattern: pattern[:9],
)
def test_what_is_no_format_is_refused_with_one_that_is(pattern: str) -> None:
    with pytest.raises(UsageError) as caught:
        version_format(pattern)
    assert caught.value.code == "bad_version_format"
    for fix in caught.value.fix:
        version_format(fix.removeprefix("use "))


@pytest.mark.parametrize("text", ["12345678", "2026112312", "deadbeef"])
def test_a_number_that_reads_as_an_id_is_no_version(text: str) -> None:
    assert not is_accepted(INTEGER, text)


@pytest.mark.parametrize(
    ("form", "one", "other", "is_same"),
    [
        (SEMVER, "1.2.3", "1.2.9-rc.1+gpu.2", True),
        (SEMVER, "1.2.3", "1.3.0", False),
        (CALVER, "2026.11.23", "2025.01.01.4", True),
        (INTEGER, "3", "7", True),
    ],
)
def test_a_line_is_what_goes_forward(form: VersionFormat, one: str, other: str, is_same: bool) -> None:
    assert (form.line(one) == form.line(other)) is is_same


@every_format
@pytest.mark.parametrize("part", ["", "Major", "patch ", "prerelease", "next", "\x1b[2J"])
def test_another_word_is_refused_and_the_right_ones_are_named(form: VersionFormat, part: str) -> None:
    with pytest.raises(UsageError) as caught:
        form.next([], part, TODAY)
    assert caught.value.code == "bad_bump"
    assert [fix.rpartition(" ")[2] for fix in caught.value.fix] == list(form.parts)
    assert "\x1b" not in caught.value.message
