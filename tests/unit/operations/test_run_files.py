"""Files of a run: all that were logged and are there, and never one from outside of its directory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.formats.paths import check_path, check_tree_paths
from mlreg.formats.run import Artifact
from mlreg.operations.run_files import RunFiles, files_of_run
from mlreg.operations.scanning import Source

paths = st.lists(st.sampled_from(("a", "A", "b", "ﬁ", "fi", "é", "e\u0301", "2", "x.txt")), min_size=1, max_size=3).map(
    "/".join
)


def kept(files: Path, *artifacts: tuple[str, str], reserved: tuple[str, ...] = ()) -> RunFiles:
    named = [Artifact(path, place) for path, place in artifacts]
    return files_of_run(files, named, (), reserved)


@given(earlier=st.lists(paths, max_size=4, unique=True), logged=st.lists(paths, max_size=6, unique=True))
def test_whatever_was_logged_lies_side_by_side_on_any_system_and_nothing_is_lost(
    tmp_path_factory: pytest.TempPathFactory, earlier: list[str], logged: list[str]
) -> None:
    files = tmp_path_factory.mktemp("files")
    before = [Source(path, lambda: [b""]) for path in earlier]
    for number, _ in enumerate(logged):
        (files / str(number)).touch()
    artifacts = [Artifact(path, str(number)) for number, path in enumerate(logged)]

    found = files_of_run(files, artifacts, before, ("metrics.safetensors", "run.json"))

    stand = [source.path for source in found.sources]
    check_tree_paths(sorted([*stand, "metrics.safetensors", "run.json"]))
    assert [found.moved.get(path, path) for path in stand] == list(dict.fromkeys([*earlier, *logged]))
    # What has room stands where it was to stand.
    assert stand[:1] == list(dict.fromkeys([*earlier, *logged]))[:1]
    places = {found.moved.get(source.path, source.path): source.content for source in found.sources}
    assert all(places[path] == str(files / str(number)) for number, path in enumerate(logged))


def test_a_file_in_the_way_of_a_directory_moves_aside(tmp_path: Path) -> None:
    for name in "xyz":
        (tmp_path / name).touch()

    found = kept(tmp_path, ("a", "x"), ("a/b.txt", "y"), ("A", "z"))

    assert [source.path for source in found.sources] == ["a", "2/b.txt", "2/A"]
    assert found.moved == {"2/b.txt": "a/b.txt", "2/A": "A"}


@pytest.mark.parametrize("path", ["run.json", "RUN.JSON", "metrics.safetensors", "metrics.safetensors/x"])
def test_no_file_takes_the_place_of_what_is_written_at_the_end(tmp_path: Path, path: str) -> None:
    (tmp_path / "x").touch()

    found = kept(tmp_path, (path, "x"), reserved=("metrics.safetensors", "run.json"))

    (source,) = found.sources
    assert found.moved == {source.path: path}


def test_the_longest_path_finds_another_place_too(tmp_path: Path) -> None:
    deep = "/".join(["d"] * 127 + ["x" * 255])
    for name in "xy":
        (tmp_path / name).touch()
    check_path(deep)

    found = kept(tmp_path, (deep, "x"), (deep.upper(), "y"))

    for source in found.sources:
        check_path(source.path)


@pytest.mark.parametrize(
    "place",
    [
        "..",
        "../secret",
        "/etc/hostname",
        "sub/x",
        ".",
        "",
        "link",
        "pipe",
        "sub",
        "gone",
        "a\0b",
        "x" * 300,
        "./x",
        "x/",
    ],
)
def test_nothing_but_a_file_of_the_run_itself_is_taken(tmp_path: Path, place: str) -> None:
    files = tmp_path / "files"
    (files / "sub").mkdir(parents=True)
    (files / "sub" / "x").touch()
    (files / "x").touch()
    (tmp_path / "secret").touch()
    (files / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(files / "pipe")

    assert kept(files, ("artifacts/a", place)) == ([], ["artifacts/a"], {})


def test_a_link_in_the_place_of_the_directory_of_files_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "key").touch()
    (tmp_path / "files").symlink_to(tmp_path / "elsewhere")

    assert kept(tmp_path / "files", ("artifacts/a", "key")).missing == ["artifacts/a"]


@pytest.mark.parametrize(
    "path", ["", "/a", "../a", "a/../b", "a//b", "a\nb", "\x1b[2J", "con", "a:b", ".mlreg/x", "x" * 5000, "a\udc80"]
)
def test_a_path_that_is_not_safe_is_none_of_the_version(tmp_path: Path, path: str) -> None:
    (tmp_path / "x").touch()

    assert kept(tmp_path, (path, "x"), ("b", "x")).missing == [path]
