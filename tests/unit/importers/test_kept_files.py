"""Versions that others keep come along once, with their history, and what cannot is said."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from mlreg.errors import NotFoundError, PartialError, UsageError
from mlreg.formats.tree import Mode
from mlreg.importers.git_history import GitHistory
from mlreg.registry import importing_stores
from mlreg.registry.importing_stores import ImportedStore
from mlreg.registry.places import init
from mlreg.registry.registry import Registry, silent
from tests.foreign_stores import Dvc, write_tree

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git here")


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(init(tmp_path / "project", shared=False)[0], "Bob")


@pytest.fixture
def dvc(tmp_path: Path) -> Dvc:
    return Dvc(tmp_path / "there")


@pytest.fixture(params=[2, 3], ids=["dvc 2", "dvc 3"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Dvc:
    """Either layout of the cache."""
    return Dvc(tmp_path / "there", request.param)


def bring(registry: Registry, dvc: Dvc, *, dry_run: bool = False) -> ImportedStore:
    return importing_stores.bring(registry, importing_stores.dvc(dvc.root), silent, dry_run=dry_run)


def bring_tree(registry: Registry, root: Path, kind: str = "", *, dry_run: bool = False) -> ImportedStore:
    return importing_stores.bring(registry, importing_stores.directories(root, kind), silent, dry_run=dry_run)


def refs(result: ImportedStore) -> list[str]:
    return [one.ref for one in result.versions]


def left(result: ImportedStore) -> dict[str, str]:
    return {one.what: one.why for one in result.left_out}


def content(registry: Registry, ref: str, path: str) -> bytes:
    return b"".join(registry.cat(f"{ref}:{path}"))


# dvc.


@needs_git
def test_each_commit_that_changed_an_out_is_a_version_with_who_when_and_why(registry: Registry, dvc: Dvc) -> None:
    dvc.track("data/rows", dvc.put_directory({"a.csv": b"one", "deep/b.csv": b"two"}))
    dvc.commit("first rows", "golden", "v1.0")
    (dvc.root / "readme").write_text("nothing that is tracked")
    dvc.commit("a word")
    dvc.track("data/rows", dvc.put_directory({"a.csv": b"one", "deep/b.csv": b"three"}))
    dvc.track("net.pt", dvc.put(b"weights"), isexec=True)
    dvc.commit("more rows")

    result = bring(registry, dvc)

    assert refs(result) == ["data/rows@2026.05.01", "data/rows@2026.05.03", "model/net.pt@0.1.0"]
    assert [one.tags for one in result.versions] == [("golden", "git-v1.0"), (), ()]
    assert (result.added, left(result)) == (3, {})
    info = registry.show("data/rows@golden")
    source = info.metadata["source"]
    assert (info.message, info.author) == ("first rows", "Bob")
    assert (source["author"], source["time"]) == ("Ann <ann@example.org>", "2026-05-01T10:00:00Z")
    assert source["commit"] == result.versions[0].key
    assert content(registry, "data/rows@2026.05.03", "deep/b.csv") == b"three"
    (file,) = registry.files("model/net.pt@0.1.0")
    assert (file.path, Mode.EXECUTABLE) == ("net.pt", Mode.EXECUTABLE)
    assert registry.verify().is_clean


@needs_git
def test_a_second_import_adds_what_is_new_and_nothing_else(registry: Registry, dvc: Dvc) -> None:
    dvc.track("data/rows", dvc.put(b"one"))
    dvc.commit("first")
    first = bring(registry, dvc)
    number = registry.repository.log.refresh().number

    again = bring(registry, dvc)

    assert (again.added, refs(again), registry.repository.log.refresh().number) == (0, refs(first), number)
    dvc.track("data/rows", dvc.put(b"two"))
    dvc.commit("second")
    dvc.git("tag", "late", "HEAD~1")
    assert [(one.ref, one.added) for one in bring(registry, dvc).versions] == [
        ("data/rows@2026.05.01", False),
        ("data/rows@2026.05.02", True),
    ]
    assert registry.show("data/rows@late").version == "2026.05.01"


@needs_git
def test_what_was_removed_or_tagged_otherwise_here_stays_so(registry: Registry, dvc: Dvc) -> None:
    for number, data in enumerate((b"one", b"two")):
        dvc.track("data/rows", dvc.put(data))
        dvc.commit("rows", *["good"] * number)
    bring(registry, dvc)
    registry.tag("data/rows@2026.05.01", "good")

    assert left(bring(registry, dvc)) == {"tag good of data/rows": "it was put elsewhere here"}
    registry.remove(["data/rows@2026.05.02"])
    again = bring(registry, dvc)
    assert (again.added, refs(again)) == (0, ["data/rows@2026.05.01"])
    assert "it was removed here" in left(again).values()


@needs_git
def test_what_a_stage_read_is_an_input_of_what_it_made(registry: Registry, dvc: Dvc) -> None:
    rows = [dvc.put_directory({"a.csv": data}) for data in (b"one", b"two")]
    for number, md5 in enumerate(rows):
        dvc.track("data/rows", md5)
        clean, net = dvc.put(b"clean %d" % number), dvc.put(b"net %d" % number)
        dvc.lock(
            train={"deps": {"data/clean.csv": clean, "train.py": "1" * 32}, "outs": {"models/net.pt": net}},
            clean={"deps": {"data/rows": md5}, "outs": {"data/clean.csv": clean}},
        )
        dvc.commit("train")

    assert bring(registry, dvc).added == 6
    for day, version in (("01", "0.1.0"), ("02", "0.2.0")):
        lineage = [(node.role, node.ref) for node in registry.lineage(f"model/net.pt@{version}")]
        assert lineage[1:] == [("clean-csv", f"data/clean.csv@2026.05.{day}"), ("rows", f"data/rows@2026.05.{day}")]


@needs_git
def test_a_merge_repeats_no_version_and_a_tag_means_the_state_it_was_put_on(registry: Registry, dvc: Dvc) -> None:
    dvc.track("data/rows", dvc.put(b"one"))
    dvc.commit("one", "first")
    dvc.git("checkout", "-b", "side")
    dvc.track("data/other", dvc.put(b"other"))
    dvc.commit("other")
    dvc.git("checkout", "main")
    dvc.track("data/rows", dvc.put(b"two"))
    dvc.commit("two")
    dvc.git("merge", "side", "-m", "merge")
    dvc.track("data/rows", dvc.put(b"one"))
    dvc.commit("one again", "back")

    result = bring(registry, dvc)

    assert sorted(refs(result)) == [
        "data/other@2026.05.02",
        "data/rows@2026.05.01",
        "data/rows@2026.05.03",
        "data/rows@2026.05.04",
    ]
    assert registry.show("data/rows@first").version == "2026.05.01"
    assert registry.show("data/rows@back").version == "2026.05.04"


def test_without_git_the_present_state_comes_and_it_is_said(registry: Registry, either: Dvc) -> None:
    either.track("data/rows", either.put_directory({"a.csv": b"one"}))
    either.track("net.pt", either.put(b"weights"))

    result = bring(registry, either)

    assert sorted(ref.partition("@")[0] for ref in refs(result)) == ["data/rows", "model/net.pt"]
    assert left(result) == {"history": "there is no repository of git, or it has no commit"}
    assert bring(registry, either).added == 0


def test_what_is_not_in_the_cache_is_listed_and_not_made_up(registry: Registry, either: Dvc) -> None:
    either.track("data/gone", "0" * 32)
    either.track("data/part", either.put_directory({"a": b"here", "b": b"gone"}))
    either.place(either.put(b"gone")).unlink()
    either.track("data/whole", either.put(b"whole"))

    result = bring(registry, either)

    assert [ref.partition("@")[0] for ref in refs(result)] == ["data/whole"]
    assert [what.split(" ")[0] for what in left(result)] == ["history", "data/gone", "data/part"]


def test_other_bytes_than_the_md5_says_are_not_registered(registry: Registry, either: Dvc) -> None:
    for name in ("file", "directory", "list"):
        md5 = either.put(name.encode()) if name == "file" else either.put_directory({"a": name.encode()})
        either.track(f"data/{name}", md5)
    for data in (b"file", b"directory"):
        either.place(either.put(data)).write_bytes(data.upper())
    listed = either.put_directory({"a": b"list"})
    either.place(listed).write_bytes(either.place(listed).read_bytes() + b" ")

    result = bring(registry, either)

    assert refs(result) == []
    assert sum("other bytes" in why for why in left(result).values()) == 3
    assert list(registry.entries()) == []
    assert registry.verify().is_clean


def test_texts_of_dvc_2_have_the_md5_of_their_lines(registry: Registry, tmp_path: Path) -> None:
    dvc = Dvc(tmp_path / "there", 2)
    unix = dvc.put(b"a\nb\n")
    dvc.place(unix).write_bytes(b"a\r\nb\r\n")
    dvc.track("data/rows", unix)

    result = bring(registry, dvc)

    assert content(registry, refs(result)[0], "rows") == b"a\r\nb\r\n"


def test_old_lock_files_other_directories_and_a_cache_elsewhere_are_read(registry: Registry, tmp_path: Path) -> None:
    dvc = Dvc(tmp_path / "there", 2)
    md5 = dvc.put(b"one")
    outs = [{"path": "a.csv", "md5": md5}]
    (dvc.root / "deep").mkdir()
    (dvc.root / "deep" / "dvc.lock").write_text(yaml.safe_dump({"prepare": {"cmd": "true", "outs": outs}}))
    (dvc.root / "deep" / "bb.dvc").write_text(yaml.safe_dump({"wdir": "../data", "outs": [{"path": "bb", "md5": md5}]}))
    dvc.cache.rename(tmp_path / "elsewhere")
    (dvc.root / ".dvc" / "config").write_text("[cache]\n    dir = /srv/cache\n")

    without = bring(registry, dvc)
    origin = importing_stores.dvc(dvc.root, tmp_path / "elsewhere")
    result = importing_stores.bring(registry, origin, silent)

    assert refs(without) == []
    assert "--cache" in left(without)[".dvc/config"]
    assert sorted(ref.partition("@")[0] for ref in refs(result)) == ["data/bb", "data/deep/a.csv"]
    assert ".dvc/config" not in left(result)


def test_a_dry_run_says_the_same_and_reads_and_writes_nothing(registry: Registry, dvc: Dvc) -> None:
    dvc.track("data/rows", dvc.put(b"one"))
    dvc.place(dvc.put(b"one")).write_bytes(b"ONE")

    planned = bring(registry, dvc, dry_run=True)

    assert [(one.files, one.size, one.added) for one in planned.versions] == [(1, 3, True)]
    assert registry.repository.log.refresh().number == 0


HOSTILE = [
    b"outs: [{path: ../../etc/passwd, md5: 0123456789abcdef0123456789abcdef}]",
    b"outs: [{path: /etc/passwd, md5: 0123456789abcdef0123456789abcdef}]",
    b"outs: [{path: 's3://bucket/x', md5: 0123456789abcdef0123456789abcdef}]",
    b"outs: [{path: x, md5: ../../../../etc/passwd}]",
    b"outs: [{path: x, md5: [1, 2]}]",
    b"outs: {path: x}",
    b"outs: [1, null, x]",
    b"!!python/object/apply:os.system [touch hacked]",
    b"[" * 10_000,
    b"\xff\xfe\x00",
    b"wdir: ../..\nouts: [{path: x, md5: 0123456789abcdef0123456789abcdef}]",
]


@pytest.mark.parametrize("data", HOSTILE)
def test_a_hostile_file_of_dvc_brings_nothing(data: bytes, registry: Registry, dvc: Dvc) -> None:
    (dvc.root / "x.dvc").write_bytes(data)

    assert refs(bring(registry, dvc)) == []
    assert not Path("hacked").exists()


@pytest.mark.parametrize("path", ["../out", "/etc/passwd", "a/../../b", "", "a\\..\\b", "nul", "a//b"])
def test_a_hostile_path_in_a_directory_of_dvc_brings_nothing(path: str, registry: Registry, dvc: Dvc) -> None:
    dvc.track("data/rows", dvc.put_directory({path: b"x"}))

    assert refs(bring(registry, dvc)) == []


def test_a_link_in_the_cache_is_not_followed_out_of_it(registry: Registry, dvc: Dvc, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    md5 = dvc.put(b"secret")
    dvc.place(md5).unlink()
    dvc.place(md5).symlink_to(tmp_path / "secret")
    dvc.track("data/rows", md5)

    assert refs(bring(registry, dvc)) == []


@needs_git
def test_nothing_in_a_repository_of_git_is_run(registry: Registry, dvc: Dvc, tmp_path: Path) -> None:
    dvc.track("data/rows", dvc.put(b"one"))
    (dvc.root / ".gitattributes").write_text("*.dvc diff=evil filter=evil\n")
    dvc.commit("--output=hacked", "good")
    script = tmp_path / "evil"
    script.write_text(f"#!/bin/sh\ntouch {tmp_path}/hacked\n")
    script.chmod(0o755)
    for key in (
        "core.fsmonitor",
        "core.pager",
        "diff.external",
        "diff.evil.textconv",
        "diff.evil.command",
        "gpg.program",
    ):
        dvc.git("config", key, str(script))
    dvc.git("config", "log.showSignature", "true")
    dvc.git("config", "core.hooksPath", str(tmp_path))

    assert bring(registry, dvc).added == 1
    assert not (tmp_path / "hacked").exists()


@needs_git
def test_names_that_look_like_options_and_break_lines_are_names(registry: Registry, dvc: Dvc) -> None:
    odd, unsafe = ["data/--help", "data/a b", "data/\u00e9"], ["data/a\tb\nc", "data/:(exclude)x"]
    for path in (*odd, *unsafe):
        dvc.track(path, dvc.put(path.encode()))
    dvc.commit("odd\n\n:100644 100644 body M\x01x")

    result = bring(registry, dvc)

    assert (result.added, len(left(result))) == (len(odd), len(unsafe))
    assert all("is not safe" in why for why in left(result).values())
    assert {registry.show(ref).metadata["source"]["path"] for ref in refs(result)} == set(odd)


@needs_git
def test_a_variable_of_git_leads_nowhere_else(dvc: Dvc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dvc.track("data/rows", dvc.put(b"one"))
    dvc.commit("one")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    history = GitHistory.of(dvc.root)

    assert history is not None
    assert [commit.subject for commit in history.commits("*.dvc")] == ["one"]


def test_where_dvc_is_not_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"\.dvc"):
        importing_stores.dvc(tmp_path)
    with pytest.raises(UsageError, match="kind"):
        importing_stores.dvc(tmp_path, kind="exp")


@needs_git
@pytest.mark.skipif(shutil.which("dvc") is None, reason="there is no dvc here")
def test_what_dvc_itself_wrote_comes_along(registry: Registry, tmp_path: Path) -> None:
    root = tmp_path / "real"
    (root / "data").mkdir(parents=True)

    def run(*words: str) -> None:
        own = {"HOME": str(tmp_path), "GIT_CONFIG_GLOBAL": os.devnull, "DVC_NO_ANALYTICS": "1"}
        subprocess.run(words, cwd=root, check=True, capture_output=True, env={**os.environ, **own})

    run("git", "init")
    run("dvc", "init")
    for text in ("one", "two"):
        (root / "data" / "a.csv").write_text(text)
        run("dvc", "add", "data")
        run("git", "add", "-A")
        run("git", "-c", "user.name=Ann", "-c", "user.email=a@b", "commit", "-m", text)

    result = importing_stores.bring(registry, importing_stores.dvc(root), silent)

    assert [content(registry, ref, "a.csv") for ref in refs(result)] == [b"one", b"two"]


# A tree of directories.


def test_directories_and_files_that_are_named_as_versions_are_versions_in_their_order(
    registry: Registry, tmp_path: Path
) -> None:
    root = write_tree(
        tmp_path / "tree",
        *(f"models/resnet/{version}/w.pt" for version in ("v1", "v2", "v10")),
        *(f"models/triton/{version}/w.pt" for version in ("1", "2")),
        *(f"data/frames/{day}/0001.jpg" for day in ("2024-05-01", "20240502")),
        *(f"data/mnist/train/{label}/1.png" for label in (0, 1)),
        *("models/vgg_v1.2.pt", "models/vgg-v1.3.pt", "models/bert/w.safetensors", "models/bert/config.json"),
        *("models/resnet/production -> v2", "models/resnet/gone -> nowhere", "models/resnet/latest -> v10"),
        *("models/resnet/notes/todo", "README.md", ".hidden/v1/x"),
    )

    result = bring_tree(registry, root)

    assert [ref for ref in refs(result) if not ref.startswith("data/mnist@")] == [
        *("data/frames@2024.05.01", "data/frames@2024.05.02", "model/bert@0.1.0"),
        *("model/resnet@1.0.0", "model/resnet@2.0.0", "model/resnet@10.0.0"),
        *("model/triton@1.0.0", "model/triton@2.0.0", "model/vgg@1.2.0", "model/vgg@1.3.0"),
    ]
    assert registry.show("model/resnet@production").version == "2.0.0"
    assert content(registry, "model/vgg@1.3.0", "vgg-v1.3.pt") == b"models/vgg-v1.3.pt"
    (mnist,) = (one for one in result.versions if one.ref.startswith("data/mnist@"))
    assert mnist.files == 2
    assert set(left(result)) == {
        *("README.md", "models/resnet/notes", "models/resnet/gone", "models/resnet/latest"),
    }


def test_a_tree_that_was_imported_adds_nothing_and_says_what_changed(registry: Registry, tmp_path: Path) -> None:
    root = write_tree(tmp_path / "tree", "models/net/v1/w.pt", "models/net/v2/w.pt")
    assert bring_tree(registry, root, dry_run=True).added == bring_tree(registry, root).added == 2
    (root / "models/net/v1/w.pt").write_text("something longer than before")
    write_tree(root, "models/net/v3/w.pt", "models/net/v1.0/w.pt")

    again = bring_tree(registry, root)

    assert [(one.ref, one.added) for one in again.versions] == [
        ("model/net@2.0.0", False),
        ("model/net@3.0.0", True),
    ]
    assert "have changed" in left(again)["model/net, models/net/v1"]
    assert "registered already" in left(again)["model/net, models/net/v1.0"]


def test_versions_of_data_by_number_follow_their_order_and_not_their_times(registry: Registry, tmp_path: Path) -> None:
    root = write_tree(tmp_path / "tree", "data/rows/v1/a.csv", "data/rows/v2/a.csv", "data/rows/v10/a.csv")
    for version, moment in (("v1", 1_700_000_000), ("v2", 1_600_000_000), ("v10", 1_700_000_000)):
        os.utime(root / "data/rows" / version / "a.csv", (moment, moment))

    result = bring_tree(registry, root)

    assert refs(result) == ["data/rows@2023.11.14", "data/rows@2023.11.14.1", "data/rows@2023.11.14.2"]
    assert [one.key.rpartition("/")[2] for one in result.versions] == ["v1", "v2", "v10"]


def test_a_directory_that_is_an_entry_itself_and_a_kind_that_is_said(registry: Registry, tmp_path: Path) -> None:
    root = write_tree(tmp_path / "needles", "v1/a.txt", "v2/a.txt")

    assert refs(bring_tree(registry, root, "model")) == ["model/needles@1.0.0", "model/needles@2.0.0"]


def test_a_link_to_a_directory_in_a_version_leaves_that_version_out(registry: Registry, tmp_path: Path) -> None:
    root = write_tree(tmp_path / "tree", "models/net/v1/w.pt", "models/net/v1/etc -> /etc", "models/net/v2/w.pt")

    result = bring_tree(registry, root)

    assert refs(result) == ["model/net@2.0.0"]
    assert "models/net/v1" in left(result)


def test_a_link_to_a_version_that_is_left_out_says_so(registry: Registry, tmp_path: Path) -> None:
    root = write_tree(tmp_path / "tree", "models/net/v1/w.pt", "models/net/v1/etc -> /etc", "models/net/v2/w.pt")
    write_tree(root, "models/net/stable -> v1", "models/net/away -> /etc")

    found = left(bring_tree(registry, root))

    assert found["models/net/stable"] == "a link to what was left out itself"
    assert found["models/net/away"] == "a link that leads to no version"


def test_an_import_of_which_all_was_left_out_is_no_success(registry: Registry, dvc: Dvc, tmp_path: Path) -> None:
    dvc.track("data/rows", "1" * 32)
    with pytest.raises(PartialError) as caught:
        bring(registry, dvc).refuse_nothing()
    assert (caught.value.code, caught.value.exit_status) == ("nothing_imported", 12)
    assert "data/rows" in caught.value.message
    dvc.track("data/other", dvc.put(b"one"))
    bring(registry, dvc).refuse_nothing()
    with pytest.raises(NotFoundError):
        importing_stores.dvc(dvc.root, tmp_path / "nowhere")
