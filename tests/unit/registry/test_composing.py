"""A version is put together of files from a disk, of other versions, and of the one it goes onto."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mlreg.errors import MlregError, NotFoundError, TaintedError, UsageError
from mlreg.operations.selecting import Patterns
from mlreg.registry import annotating, tainting
from mlreg.registry.composing import Parts
from mlreg.registry.getting import Getting
from mlreg.registry.places import init
from mlreg.registry.reading import content_of
from mlreg.registry.registry import Registry

FILES = {"train/a.csv": "1", "train/b.csv": "2", "test/a.csv": "3", "notes.txt": "4", "deep/er/x.tmp": "5"}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write(tmp_path / "files", FILES)
    return tmp_path


@pytest.fixture
def registry(place: Path) -> Registry:
    return Registry(init(place / "here", shared=True)[0], "Ann")


def write(directory: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)


def add(registry: Registry, version: str, *paths: Path, parts: Parts = Parts(), entry: str = "data/rows") -> set[str]:  # noqa: B008 - frozen
    registry.add(entry, paths, version=version, parts=parts)
    return {file.path for file in registry.files(f"{entry}@{version}")}


def texts(registry: Registry, ref: str) -> dict[str, str]:
    return {file.path: b"".join(registry.cat(file.ref)).decode() for file in registry.files(ref)}


def refused(registry: Registry, *paths: Path, parts: Parts) -> str:
    with pytest.raises(MlregError) as caught:
        registry.add("data/other", paths, version="2026.01.01", parts=parts)
    assert [entry.ref for entry in registry.entries() if entry.ref == "data/other"] == []
    return caught.value.code


# Patterns.


@pytest.mark.parametrize(
    ("parts", "found"),
    [
        (Parts(include=["*.csv"]), {"train/a.csv", "train/b.csv", "test/a.csv"}),
        (Parts(include=["train/"]), {"train/a.csv", "train/b.csv"}),
        (Parts(include=["/*.txt", "test/*"]), {"notes.txt", "test/a.csv"}),
        (Parts(exclude=["*.csv"]), {"notes.txt", "deep/er/x.tmp"}),
        (Parts(exclude=["deep/"]), FILES.keys() - {"deep/er/x.tmp"}),
        (Parts(include=["*.csv"], exclude=["train/", "!train/a.csv"]), {"test/a.csv"}),
        (Parts(exclude=["*.csv", "!b.csv"]), {"train/b.csv", "notes.txt", "deep/er/x.tmp"}),
        (Parts(exclude=["**/er/*"]), FILES.keys() - {"deep/er/x.tmp"}),
    ],
)
def test_patterns_choose_files_as_git_would(registry: Registry, place: Path, parts: Parts, found: set[str]) -> None:
    assert add(registry, "2026.01.01", place / "files", parts=parts) == found


def test_an_ignore_file_leaves_files_out_and_is_none_of_them(registry: Registry, place: Path) -> None:
    write(place / "files", {".mlregignore": "# raw\n*.tmp\n/train/*\n!/train/b.csv\n"})

    assert add(registry, "2026.01.01", place / "files") == {"train/b.csv", "test/a.csv", "notes.txt"}
    assert add(registry, "2026.01.02", place / "files", parts=Parts(include=["*.csv"])) == {"train/b.csv", "test/a.csv"}


def test_an_ignore_file_speaks_of_its_own_directory_also_beside_others(registry: Registry, place: Path) -> None:
    write(place / "files", {".mlregignore": "/a.csv\n", "a.csv": "6"})
    write(place / "more", {"a.csv": "7"})

    found = add(registry, "2026.01.01", place / "files", place / "more")
    assert found == {f"files/{name}" for name in FILES} | {"more/a.csv"}


def test_a_directory_that_is_left_out_is_not_even_looked_into(registry: Registry, place: Path) -> None:
    (place / "files/raw").mkdir()
    (place / "files/raw/loop").symlink_to("/", target_is_directory=True)

    assert refused(registry, place / "files", parts=Parts()) == "special_file"
    assert add(registry, "2026.01.01", place / "files", parts=Parts(exclude=["raw/"])) == FILES.keys()


def test_an_ignore_file_that_leaves_nothing_is_named(registry: Registry, place: Path) -> None:
    write(place / "files", {".mlregignore": "*\n"})

    for patterns, why in ((Parts(), "{} leaves nothing"), (Parts(include=["a*"]), "the patterns and {} leave nothing")):
        with pytest.raises(UsageError) as caught:
            registry.add("data/other", [place / "files"], version="2026.01.01", parts=patterns)
        assert caught.value.why == why.format(place / "files/.mlregignore")


def test_nothing_that_fits_is_an_error_and_no_empty_version(registry: Registry, place: Path) -> None:
    assert refused(registry, place / "files", parts=Parts(include=["*.jpg"])) == "nothing_to_add"
    assert refused(registry, place / "files", parts=Parts(include=["x" * 5000])) == "bad_pattern"
    (place / "files/.mlregignore").write_bytes(b"\xff\xfe")
    assert refused(registry, place / "files", parts=Parts()) == "bad_pattern"


# Other versions.


def test_files_of_another_version_are_taken_without_being_read(
    registry: Registry, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(registry, "2026.01.01", place / "files")
    monkeypatch.setattr(type(registry.repository.objects), "read_whole", lambda *_: pytest.fail("it was read"))

    parts = Parts(taken=["data/rows@latest:train", "data/rows@latest:notes.txt"])
    assert add(registry, "2026.01.01", entry="data/part", parts=parts) == {"train/a.csv", "train/b.csv", "notes.txt"}
    parts = Parts(taken=["data/rows@latest"], include=["*.csv"], at="all/of")
    assert add(registry, "2026.01.02", entry="data/part", parts=parts) == {
        f"all/of/{name}" for name in FILES if name.endswith(".csv")
    }
    monkeypatch.undo()
    assert texts(registry, "data/part@2026.01.01") == {
        name: FILES[name] for name in ("notes.txt", "train/a.csv", "train/b.csv")
    }


def test_what_a_version_is_put_together_of_is_what_it_was_made_from(registry: Registry, place: Path) -> None:
    add(registry, "2026.01.01", place / "files")
    add(registry, "2026.01.01", entry="data/part", parts=Parts(taken=["data/rows@latest:train"]))
    add(registry, "2026.01.02", place / "files", parts=Parts(onto="data/part@latest", at="more"), entry="data/part")

    refs = [(node.role, node.ref) for node in registry.lineage("data/part@2026.01.02")]
    assert refs[1:] == []
    add(
        registry,
        "2026.01.01",
        entry="data/other",
        parts=Parts(onto="data/part@latest", taken=["data/rows@latest"], at="x"),
    )
    refs = [(node.role, node.ref) for node in registry.lineage("data/other@2026.01.01")]
    assert refs[1:] == [("from", "data/rows@2026.01.01"), ("onto", "data/part@2026.01.02")]
    again = registry.add("data/part", [place / "files"], bump="date", parts=Parts(onto="data/part@latest", at="more"))
    assert not again.changed


def test_new_files_go_onto_a_version_that_is_not_on_the_disk(registry: Registry, place: Path) -> None:
    add(registry, "2026.01.01", place / "files")
    write(place / "new", {"b.csv": "changed", "c.csv": "new"})

    add(registry, "2026.01.02", place / "new", parts=Parts(onto="data/rows@2026.01.01", at="train"))
    assert texts(registry, "data/rows@2026.01.02") == FILES | {"train/b.csv": "changed", "train/c.csv": "new"}
    add(registry, "2026.01.03", place / "new", parts=Parts(onto="data/rows@2026.01.01", at="train", replaces=True))
    without = {name: text for name, text in FILES.items() if not name.startswith("train/")}
    assert texts(registry, "data/rows@2026.01.03") == without | {"train/b.csv": "changed", "train/c.csv": "new"}
    assert registry.show("data/rows@2026.01.03").parents == (registry.show("data/rows@2026.01.02").id,)


def test_what_is_known_of_a_version_stays_known_of_what_goes_onto_it_unless_it_is_said_otherwise(
    registry: Registry, place: Path
) -> None:
    known = {"license": "MIT", "splits": {"train": "train/*", "test": "test/*"}, "description": "all"}
    registry.add("data/rows", [place / "files"], version="2026.01.01", metadata=known)
    annotating.correct(registry, "data/rows@2026.01.01", {"license": "Apache-2.0"}, (), "it was")
    parts = Parts(onto="data/rows@2026.01.01", at="more")

    def added(metadata: dict[str, object] | None, entry: str = "data/rows", bump: str = "date") -> dict[str, object]:
        return dict(registry.add(entry, [place / "files"], bump=bump, parts=parts, metadata=metadata).version.metadata)

    assert added(None) == {**known, "license": "Apache-2.0"}
    assert added({"splits": {"test": "new/*"}, "description": None, "rows": np.int64(3)}) == {
        "license": "Apache-2.0",
        "splits": {"train": "train/*", "test": "new/*"},
        "rows": 3,
    }
    assert added(None, "data/other") == {**known, "license": "Apache-2.0"}
    add(registry, "2026.01.09", entry="data/third", parts=Parts(taken=["data/rows@2026.01.01"]))
    assert registry.show("data/third").metadata == {}


def test_going_onto_the_latest_again_changes_nothing_with_what_is_known_of_it(registry: Registry, place: Path) -> None:
    registry.add("data/rows", [place / "files"], version="2026.01.01", metadata={"license": "MIT"})

    def again() -> bool:
        parts = Parts(onto="data/rows@latest", at="more")
        return registry.add("data/rows", [place / "files"], bump="date", parts=parts, metadata={"n": 1}).changed

    assert (again(), again()) == (True, False)


def test_what_has_files_of_a_tainted_version_of_its_own_entry_is_tainted(registry: Registry, place: Path) -> None:
    add(registry, "2026.01.01", place / "files")
    tainting.taint(registry, "data/rows@2026.01.01", "wrong")
    for number, parts in enumerate((Parts(onto="data/rows@2026.01.01"), Parts(taken=["data/rows@2026.01.01:train"]))):
        paths = [place / "files" / "notes.txt"] if parts.onto else []
        with pytest.raises(TaintedError):
            registry.add("data/rows", paths, version=f"2026.02.0{number + 1}", parts=parts, tags=["golden"])
        added = registry.add("data/rows", paths, version=f"2026.02.0{number + 1}", parts=parts)
        assert [taint.ref for taint in added.version.taints] == [added.version.ref]
        assert "data/rows@2026.01.01" in added.version.taints[0].reason


def test_who_says_that_it_is_mended_makes_a_version_that_is_not_tainted(registry: Registry, place: Path) -> None:
    add(registry, "2026.01.01", place / "files")
    tainting.taint(registry, "data/rows@2026.01.01", "wrong labels in test")
    parts = Parts(onto="data/rows@2026.01.01", at="test", replaces=True)
    added = registry.add(
        "data/rows",
        [place / "files" / "notes.txt"],
        version="2026.02.01",
        parts=parts,
        tags=["golden"],
        despite_taint="the test set is another one",
    )
    assert added.version.taints == ()
    assert "the test set is another one" in registry.log("data/rows")[0].message


def test_who_comes_back_to_files_that_an_earlier_version_had_is_told_so(registry: Registry, place: Path) -> None:
    def hints(*names: str, version: str = "") -> tuple[str, ...]:
        paths = [place / "files" / name for name in names]
        return registry.add("data/rows", paths, version=version, bump="" if version else "date").hints

    assert hints("train", version="2026.01.01") == ()
    assert hints("test", version="2026.01.02") == ()
    assert hints("train", version="2026.01.03") == ("its files are those of data/rows@2026.01.01",)
    assert hints("train") == ()  # that is the newest one, and no new version
    registry.add("data/rows", [place / "files/train"], version="2026.01.04", metadata={"n": 1})
    assert registry.add("data/rows", [place / "files/train"], version="2026.01.05", metadata={"n": 2}).hints == ()
    annotating.rename(registry, "data/rows", "data/lines")
    again = registry.add("data/lines", [place / "files/test"], version="2026.01.06")
    assert again.hints == ("its files are those of data/lines@2026.01.02",)


def test_a_part_of_a_version_may_be_what_others_go_onto(registry: Registry, place: Path) -> None:
    add(registry, "2026.01.01", place / "files")

    parts = Parts(onto="data/rows@2026.01.01:train", at="more")
    assert add(registry, "2026.01.02", place / "files/test", parts=parts) == {
        "train/a.csv",
        "train/b.csv",
        "more/a.csv",
    }


def test_what_cannot_be_put_together_is_refused(registry: Registry, place: Path) -> None:
    add(registry, "2026.01.01", place / "files")
    files = place / "files"

    assert refused(registry, files, parts=Parts(replaces=True)) == "no_base"
    assert refused(registry, files, parts=Parts(onto="data/nothing")) == "ref_not_found"
    assert refused(registry, files, parts=Parts(onto=f"{place}/here::data/rows")) == "remote_input"
    assert refused(registry, parts=Parts(taken=["data/rows:nothing"])) == "path_not_found"
    assert refused(registry, parts=Parts(taken=["data/rows"], include=["*.jpg"])) == "nothing_to_add"
    assert refused(registry, files, parts=Parts(at="../out")) == "unsafe_path"
    assert refused(registry, files, parts=Parts(at="/etc")) == "unsafe_path"
    assert refused(registry, files, parts=Parts(onto="data/rows", at="notes.txt")) == "colliding_paths"
    assert refused(registry, files / "notes.txt", parts=Parts(taken=["data/rows:notes.txt"])) == "colliding_paths"


def test_files_of_a_version_whose_pack_is_gone_are_missed_and_not_registered(registry: Registry, place: Path) -> None:
    add(registry, "2026.01.01", place / "files")
    for pack in (place / "here/packs").rglob("*.pack"):
        if any(entry.id == pack.stem and entry.kind == 1 for entry in registry.repository.log.view.live_packs()):
            pack.unlink()
    fresh = Registry(place / "here", "Ann")

    assert refused(fresh, parts=Parts(taken=["data/rows"])) in ("object_missing", "object_damaged")


# Some files out.


def test_some_files_are_written_and_others_left_as_they_are(registry: Registry, place: Path) -> None:
    add(registry, "2026.01.01", place / "files")
    out = place / "out"
    write(out, {"notes.txt": "mine", "stray": "x"})

    done = Getting(registry, "data/rows", out, Patterns(include=["train/"])).get(
        lambda _: None, delete=True, replace=True
    )

    assert (done.written, done.removed) == (2, 1)
    assert {path.name for path in out.rglob("*") if path.is_file()} == {"a.csv", "b.csv", "notes.txt"}
    assert (out / "notes.txt").read_text() == "mine"
    with pytest.raises(MlregError, match="no such file"):
        Getting(registry, "data/rows", out, Patterns(include=["*.jpg"]))


def test_replacing_where_nothing_is_is_refused_with_the_name_that_is_near(registry: Registry, place: Path) -> None:
    write(place / "onto", {"test/a": "1", "train/b": "2"})
    add(registry, "2026.01.01", place / "onto")

    with pytest.raises(NotFoundError) as caught:
        add(registry, "2026.01.02", place / "files", parts=Parts(onto="data/rows@latest", at="tset", replaces=True))

    assert (caught.value.code, caught.value.fix[0]) == ("path_not_found", "--at test")


def test_a_range_that_begins_behind_the_end_is_refused_with_the_size(registry: Registry, place: Path) -> None:
    write(place / "onto", {"ten": "0123456789", "empty": ""})
    add(registry, "2026.01.01", place / "onto")
    spans = ("9-99", "-99", "0-")

    read = [b"".join(content_of(registry, "data/rows@latest:ten", span).parts) for span in spans]
    assert read == [b"9", b"0123456789", b"0123456789"]
    assert b"".join(content_of(registry, "data/rows@latest:empty", "0-99").parts) == b""
    for span in ("10-", "10-12", "999-"):
        with pytest.raises(UsageError) as caught:
            content_of(registry, "data/rows@latest:ten", span)
        assert (caught.value.code, caught.value.why) == ("bad_range", "it has 10 bytes")
