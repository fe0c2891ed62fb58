"""Paths inside a tree: safe on every system, and one tree on every system."""

from __future__ import annotations

import ntpath
import posixpath
import unicodedata
from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlreg.errors import IntegrityError, RefusedError
from mlreg.formats.paths import check_path, check_tree_paths, fold

# Rows 1-24 of the hostile inputs, as far as one path can be hostile by itself.
HOSTILE = {
    "1 parent": "../x",
    "2 parent inside": "a/../../x",
    "3 absolute": "/etc/passwd",
    "4 drive": "C:\\x",
    "4 drive with slash": "C:/x",
    "4 relative to a drive": "C:x",
    "5 share": "\\\\host\\share\\x",
    "5 share with slashes": "//host/share/x",
    "6 backslash": "a\\..\\..\\x",
    "7 empty": "",
    "7 dot": ".",
    "7 dots": "..",
    "7 slash": "/",
    "7 empty component": "a//b",
    "7 dot inside": "a/./b",
    "7 trailing slash": "a/",
    "8 NUL": "a\0b",
    "9 newline": "a\nb",
    "9 trailing newline": "a\n",
    "9 trailing CR": "a\r",
    "9 TAB": "a\tb",
    "9 ESC": "a\x1b[2J",
    "9 DEL": "a\x7f",
    "9 C1": "a\x9b2J",
    "10 repository": ".mlreg/config",
    "10 repository inside": "a/.mlreg/config",
    "11 upper case": ".MLREG",
    "11 trailing dot": ".mlreg.",
    "11 trailing space": ".mlreg ",
    "11 short name": "MLREG~1",
    "11 short name inside": "a/mlreg~2/b",
    "11 stream": ".mlreg::$INDEX_ALLOCATION",
    "12 ignorable": ".ml\u200creg",
    "12 byte order mark": "\ufeff.mlreg",
    "12 wide letters": ".\uff4d\uff4c\uff52\uff45\uff47",
    "12 wide dot": "\uff0emlreg",
    "12 no-break space": ".mlreg\u00a0",
    "12 wide dots": "\uff0e\uff0e/x",
    "12 two dot leader": "\u2025/x",
    "16 trailing space": "a ",
    "16 trailing dot": "a.",
    "16 trailing dot of a directory": "a./b",
    "16 leading space": " a",
    "17 CON": "CON",
    "17 NUL.txt": "NUL.txt",
    "17 prn.": "PRN.tar.gz",
    "17 aux.json": "x/aux.json",
    "17 superscript": "COM\u00b9",
    "17 superscript with extension": "lpt\u00b3.log",
    "17 space before the dot": "nul .txt",
    "17 console": "conin$",
    "17 console with extension": "a/CONOUT$.txt",
    "18 stream": "name:stream",
    "22 component of 256 bytes": "a" * 256,
    "22 component of 256 bytes in UTF-8": "\u00e9" * 128,
    "22 path of 4,097 bytes": "/".join(["a" * 240] * 16 + ["a" * 241]),
    "22 path of 4,097 bytes in UTF-8": "/".join(["\u00e9" * 120] * 16 + ["\u00e9" * 120 + "a"]),
    "22 depth 129": "/".join("a" * 129),
    "22 a megabyte": "a" * 1_000_000,
    "22 a megabyte of slashes": "/" * 1_000_000,
    "23 lone surrogate": "a\udcff",
    "24 bidi override": "model\u202egnp.bin",
    "24 bidi isolate": "a\u2067b",
    "24 zero width space": "a\u200bb",
    "24 tag character": "a\U000e0041",
    "24 line separator": "a\u2028b",
    "24 paragraph separator": "a\u2029b",
    "24 private use": "a\ue000",
}

SAFE = [
    "model.safetensors",
    "a",
    "-rf",
    "--help",
    "train/0001.jpg",
    ".gitignore",
    ".mlreg2/x",
    ".mlregistry",
    "mlreg",
    "mlreg~x",
    "config.json",
    "conv1/kernel",
    "com10",
    "auxiliary",
    "a b/c d",
    "...a",
    "a..b",
    "~",
    "file (1) [copy] {2} #1 'x' & $y; 100%!",
    'what*is?"this"<|>',
    "stra\u00dfe/\u00e9te\u0301/\u65e5\u672c.txt",
    "\U0001f600",
    "a\u00a0b",
    "2024\uff0f01",
    "a" * 255,
    "\u00e9" * 127,
    "/".join("a" * 128),
    "/".join(["a" * 240] * 17),
    "/".join(["\u00e9" * 120] * 17),
]

COLLISIONS = {
    "13 case": ("README", "readme"),
    "14 composition": ("e\u0301", "\u00e9"),
    "14 composition in a directory": ("e\u0301/a", "\u00e9/b"),
    "15 sharp s": ("STRASSE", "stra\u00dfe"),
    "15 Kelvin sign": ("k", "\u212a"),
    "15 ligature": ("fi", "\ufb01"),
    "15 dotted capital I": ("i\u0307", "\u0130"),
    "15 capital of a composition": ("J\u030c", "\u01f0"),
    "15 accents in another order after folding": ("i\u0325\u0307", "\u0130\u0325"),
    "15 mathematical capital": ("a", "\U0001d400"),
    "16 no-break space": ("a", "a\u00a0"),
    "21 file and directory": ("a", "a/b"),
    "21 file and directory that differ in case": ("A", "a/b"),
    "directories that differ in case": ("Dir/a", "dir/b"),
    "inner directories that differ in case": ("a/Dir/a/x", "a/dir/b/y"),
}

components = st.text(st.sampled_from("aA\u00e9\u0301e\u212akK\u00df s.~-\uff0f\u0130i\u0307fi\ufb01"), max_size=3)
hostile_components = st.sampled_from(
    ["..", ".", "", "C:", "con", "COM1", "nul.txt", "\\", ".mlreg", "MLREG~1", "\0", "\x7f", "\u202e", "\ud800", "a."]
)
some_paths = st.lists(components | hostile_components | st.text(max_size=4), min_size=1, max_size=4).map("/".join)
# Few letters, so that paths often meet.
tight_paths = st.lists(st.sampled_from("aAbB-"), min_size=1, max_size=4).map("/".join)


def is_safe(path: str) -> bool:
    try:
        check_path(path)
    except RefusedError:
        return False
    return True


def is_refused_for_a_collision(paths: list[str]) -> bool:
    try:
        check_tree_paths(paths)
    except RefusedError as error:
        return error.code == "colliding_paths"
    return False


def breaks_a_rule(path: str) -> bool:
    """Say for ASCII paths what the module says, in other words and without its short cut."""
    parts = path.split("/")
    devices = {"con", "prn", "aux", "nul", "conin$", "conout$"} | {
        f"{p}{n}" for p in ("com", "lpt") for n in range(1, 10)
    }
    return (
        len(path) > 4096
        or len(parts) > 128
        or any(ord(character) < 32 or character in "\\:\x7f" for character in path)
        or any(part == "" or part[0] == " " or part[-1] in ". " or len(part) > 255 for part in parts)
        or any(part.lower() == ".mlreg" or part.split(".")[0].rstrip(" ").lower() in devices for part in parts)
        or any(part.lower().startswith("mlreg~") and part[6:].isdigit() for part in parts)
    )


def cannot_be_one_tree(paths: list[str]) -> bool:
    """Compare every place a list of paths makes with every other: slow, and too simple to be wrong."""
    places = dict.fromkeys(paths, "file")
    for path in paths:
        parts = path.split("/")
        for depth in range(1, len(parts)):
            directory = "/".join(parts[:depth])
            if places.get(directory) == "file":
                return True
            places[directory] = "directory"
    return max(Counter(map(fold, places)).values(), default=0) > 1


@pytest.mark.parametrize("path", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_path_is_refused(path: str) -> None:
    with pytest.raises(RefusedError) as caught:
        check_path(path)
    assert caught.value.code == "unsafe_path"


@pytest.mark.parametrize("path", HOSTILE.values(), ids=HOSTILE)
def test_a_refusal_shows_a_hostile_path_as_short_printable_ascii(path: str) -> None:
    with pytest.raises(RefusedError) as caught:
        check_path(path)
    assert caught.value.message.isascii()
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 900


@pytest.mark.parametrize("path", HOSTILE.values(), ids=HOSTILE)
def test_a_tree_with_a_hostile_path_is_refused(path: str) -> None:
    with pytest.raises(RefusedError) as caught:
        check_tree_paths([path])
    assert caught.value.code == "unsafe_path"


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/./b", "a//b", "a/"])
def test_a_path_that_leaves_the_tree_is_refused_for_that_reason(path: str) -> None:
    with pytest.raises(RefusedError) as caught:
        check_path(path)
    assert "relative" in caught.value.why


@pytest.mark.parametrize("path", SAFE)
def test_an_ordinary_path_is_accepted(path: str) -> None:
    check_path(path)


@given(st.lists(st.text("aAbBnNuUlLcCoOmM1~. -:\\/$\t\x7f", max_size=6) | hostile_components).map("/".join))
@example("a/" * 127 + "a")
@example("a/" * 128 + "a")
@example("a" * 255)
@example("a" * 256)
def test_the_short_cut_for_ascii_accepts_and_refuses_what_the_rules_do(path: str) -> None:
    if path.isascii():
        assert is_safe(path) != breaks_a_rule(path)


@given(some_paths)
def test_an_accepted_path_stays_inside_its_target_on_posix_and_windows(path: str) -> None:
    if is_safe(path):
        assert posixpath.normpath(posixpath.join("/target", path)) == f"/target/{path}"
        assert ntpath.normpath(ntpath.join("C:\\target", path)) == "C:\\target\\" + path.replace("/", "\\")


@given(some_paths)
def test_an_accepted_path_has_no_character_that_hides_or_commands(path: str) -> None:
    if is_safe(path):
        assert not {unicodedata.category(character) for character in path} & {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def test_what_a_file_system_does_not_see_is_not_in_the_key() -> None:
    assert fold(".ml\u200creg/e\u200d\u0301") == ".mlreg/\u00e9"


@given(some_paths)
def test_folding_twice_is_folding_once(path: str) -> None:
    assert fold(fold(path)) == fold(path)


@given(some_paths)
def test_spellings_of_one_path_have_one_key(path: str) -> None:
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        components = (unicodedata.normalize(form, component) for component in path.split("/"))
        assert fold("/".join(component.replace("/", "\uff0f") for component in components)) == fold(path)
    assert fold(path.upper()) == fold(path.upper().lower())


@given(some_paths)
def test_a_key_has_as_many_components_as_its_path(path: str) -> None:
    assert fold(path).count("/") == path.count("/")


@pytest.mark.parametrize("pair", COLLISIONS.values(), ids=COLLISIONS)
def test_paths_that_meet_on_some_system_are_refused_together(pair: tuple[str, str]) -> None:
    for path in pair:
        check_tree_paths([path])

    with pytest.raises(RefusedError) as caught:
        check_tree_paths(sorted(pair))
    assert caught.value.code == "colliding_paths"


def test_paths_that_meet_are_found_with_any_number_of_others_between() -> None:
    others = [f"b/{number:03d}" for number in range(500)]

    with pytest.raises(RefusedError) as caught:
        check_tree_paths(sorted(["B/x", *others, "a", "a-b", "c"]))
    assert caught.value.code == "colliding_paths"
    with pytest.raises(RefusedError) as caught:
        check_tree_paths(sorted(["a", "a-b", "a.b", "a/b"]))
    assert caught.value.code == "colliding_paths"


@given(st.lists(tight_paths, unique=True, max_size=6).map(sorted))
@example(["A/a", "a/b", "b"])
@example(["A", "a/b"])
def test_a_tree_is_refused_exactly_when_two_of_its_places_meet(paths: list[str]) -> None:
    assert is_refused_for_a_collision(paths) == cannot_be_one_tree(paths)


@given(st.lists(some_paths.filter(is_safe), unique=True, max_size=5))
def test_a_tree_of_unusual_paths_is_refused_exactly_when_two_of_its_places_meet(paths: list[str]) -> None:
    paths.sort(key=str.encode)

    assert is_refused_for_a_collision(paths) == cannot_be_one_tree(paths)


@pytest.mark.parametrize(
    "paths",
    [["b", "a"], ["a", "a"], ["a/b", "a-b"], ["\U0001f600", "\uffe6"]],
    ids=["20 unsorted", "19 twice", "sorted by components", "sorted by UTF-16"],
)
def test_paths_out_of_the_order_of_their_bytes_are_refused(paths: list[str]) -> None:
    with pytest.raises(IntegrityError) as caught:
        check_tree_paths(paths)
    assert caught.value.code == "unsorted_tree"


@pytest.mark.parametrize("paths", [[], ["a"], ["a-b", "a/b"], ["a/b", "a/c", "ab"], ["\uffe6", "\U0001f600"]])
def test_a_tree_of_ordinary_paths_is_accepted(paths: list[str]) -> None:
    check_tree_paths(iter(paths))
