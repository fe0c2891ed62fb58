"""Places that keep versions may be made to hurt: nothing of them is run, followed elsewhere, or passed over unsaid."""

from __future__ import annotations

import hashlib
import shutil
import tracemalloc
from pathlib import Path

import pytest

from mlreg.errors import UnsupportedError
from mlreg.importers.git_history import GitHistory
from mlreg.registry import importing_stores
from mlreg.registry.importing_stores import ImportedStore, Origin
from mlreg.registry.places import init
from mlreg.registry.registry import Registry, silent
from tests.foreign_stores import Dvc, write_tree

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git here")
MD5 = "0123456789abcdef0123456789abcdef"
SECRET = b"root:x:0:0"


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(init(tmp_path / "project", shared=False)[0], "Bob")


@pytest.fixture
def dvc(tmp_path: Path) -> Dvc:
    return Dvc(tmp_path / "there")


def bring(registry: Registry, origin: Origin) -> ImportedStore:
    return importing_stores.bring(registry, origin, silent)


def left(result: ImportedStore) -> list[str]:
    """Return what was left out, but for the history that is not there."""
    return [one.what for one in result.left_out if one.what != "history"]


# Files of dvc.

OUTS = {
    "a number for the md5": "outs: [{path: x, md5: 5}]",
    "a list for the md5": f"outs: [{{path: x, md5: [{MD5}]}}]",
    "a mapping for the md5": f"outs: [{{path: x, md5: {{{MD5}: {MD5}}}}}]",
    "null for the md5": "outs: [{path: x, md5: null}]",
    "no md5": "outs: [{path: x, md5: }]",
    "a number for the path": "outs: [{path: 5, md5: 5}]",
    "a list for the path": f"outs: [{{path: [x], md5: {MD5}}}]",
    "a mapping for the path": f"outs: [{{path: {{x: x}}, md5: {MD5}}}]",
    "nothing for the path": f"outs: [{{path: , md5: {MD5}}}]",
    "no path": f"outs: [{{md5: {MD5}}}]",
    "lists beside them": f"outs: [{{path: x, md5: {MD5}, size: [1], isexec: [1], hash: {{a: b}}}}]",
    "a number for an out": "outs: [5]",
    "a list for an out": "outs: [[x]]",
    "a number for the outs": "outs: 5",
    "a mapping for the outs": f"outs: {{path: x, md5: {MD5}}}",
    "a list for the file": f"[{{path: x, md5: {MD5}}}]",
    "a number for the file": "5",
    "no YAML": "<<<<<<< HEAD\nouts: [}",
}


@pytest.mark.parametrize("odd", OUTS)
def test_an_out_of_dvc_with_values_that_are_no_text_is_left_out_by_name_and_those_beside_it_come(
    odd: str, registry: Registry, dvc: Dvc
) -> None:
    dvc.track("good", dvc.put(b"good"))
    (dvc.root / "x.dvc").write_text(OUTS[odd])

    result = bring(registry, importing_stores.dvc(dvc.root))

    assert [one.ref.partition("@")[0] for one in result.versions] == ["data/good"]
    assert len(left(result)) == 1


@pytest.mark.parametrize("row", ["5", "[]", "{}", '{"relpath":5,"md5":MD5}', '{"relpath":null,"md5":MD5}'])
def test_a_directory_of_dvc_whose_list_has_values_that_are_no_text_is_left_out(
    row: str, registry: Registry, dvc: Dvc
) -> None:
    data = f"[{row}]".replace("MD5", f'"{dvc.put(b"x")}"').encode()
    dvc.track("rows", dvc.put(data, hashlib.md5(data).hexdigest() + ".dir"))  # noqa: S324 - what dvc has

    result = bring(registry, importing_stores.dvc(dvc.root))

    assert result.versions == ()
    assert [what.partition(" ")[0] for what in left(result)] == ["rows"]


@pytest.mark.parametrize("field", ["md5", "isexec", "path", "hash"])
def test_aliases_in_a_file_of_dvc_are_not_written_out(field: str, registry: Registry, dvc: Dvc) -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 10)}]" for at in range(1, 7)]
    out = {"path": "x", "md5": MD5, field: "*a6"}
    levels.append(f"outs: [{{{', '.join(f'{key}: {value}' for key, value in out.items())}}}]")
    (dvc.root / "x.dvc").write_text("\n".join(levels))

    tracemalloc.start()
    try:
        result = bring(registry, importing_stores.dvc(dvc.root))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert len(left(result)) == 1
    assert peak < 10 << 20  # as a text it has five times that


# git.


def trap(place: Path) -> tuple[str, Path]:
    """Return a program that leaves a mark, and the mark."""
    mark, script = place / "was run", place / "evil"
    script.write_text(f"#!/bin/sh\ntouch '{mark}'\n")
    script.chmod(0o755)
    return str(script), mark


@needs_git
def test_content_that_git_would_have_to_fetch_is_not_fetched_whatever_its_settings_allow(
    registry: Registry, dvc: Dvc, tmp_path: Path
) -> None:
    """A clone may have left content where it came from, and the settings say by which program it comes."""
    dvc.track("data/rows", dvc.put(b"one"))
    dvc.commit("one")
    program, mark = trap(tmp_path)
    for key, value in {
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
        "remote.origin.url": f"ext::{program}",
        "remote.origin.uploadpack": program,
        "core.sshCommand": program,
        "protocol.allow": "always",
        "protocol.ext.allow": "always",
        "protocol.file.allow": "always",
    }.items():
        dvc.git("config", key, value)
    text = (dvc.root / "data" / "rows.dvc").read_bytes()
    blob = hashlib.sha1(b"blob %d\0%b" % (len(text), text)).hexdigest()  # noqa: S324 - what git has
    (dvc.root / ".git" / "objects" / blob[:2] / blob[2:]).unlink()

    for url in (f"ext::{program}", str(dvc.root)):
        dvc.git("config", "remote.origin.url", url)
        with pytest.raises(UnsupportedError):
            bring(registry, importing_stores.dvc(dvc.root))
        assert not mark.exists()


@needs_git
def test_git_is_left_no_way_to_reach_another_place(dvc: Dvc, tmp_path: Path) -> None:
    dvc.track("data/rows", dvc.put(b"one"))
    dvc.commit("one")
    program, mark = trap(tmp_path)
    dvc.git("config", "protocol.ext.allow", "always")
    dvc.git("config", "protocol.file.allow", "always")

    for url in (f"ext::{program}", str(dvc.root), f"file://{dvc.root}"):
        with pytest.raises(UnsupportedError, match="git does not answer"):
            GitHistory(dvc.root)._run("ls-remote", f"--upload-pack={program}", url)
        assert not mark.exists()


@needs_git
@pytest.mark.parametrize("words", [("status",), ("update-ref", "refs/heads/other", "HEAD")], ids=["monitor", "hook"])
def test_no_program_runs_that_the_settings_of_a_repository_name(
    words: tuple[str, ...], dvc: Dvc, tmp_path: Path
) -> None:
    dvc.track("data/rows", dvc.put(b"one"))
    dvc.commit("one")
    program, mark = trap(tmp_path)
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    shutil.copy(program, hooks / "reference-transaction")
    (dvc.root / ".git" / "more").write_text(f"[core]\n\tfsmonitor = {program}\n\thooksPath = {hooks}\n")
    dvc.git("config", "include.path", "more")
    mark.unlink(missing_ok=True)

    GitHistory(dvc.root)._run(*words)

    assert not mark.exists()


# Trees.


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """Return a directory beside the tree, whose files are none of it."""
    (tmp_path / "outside" / "v1").mkdir(parents=True)
    for path in ("secret", "v1/secret"):
        (tmp_path / "outside" / path).write_bytes(SECRET)
    return tmp_path / "outside"


@pytest.mark.parametrize("target", ["{outside}/secret", "../../../../outside/secret", "hop", "../../../hop"])
def test_a_link_that_leads_out_of_a_tree_leaves_its_version_out(
    target: str, registry: Registry, outside: Path, tmp_path: Path
) -> None:
    """Directly, or over another link that lies in the tree."""
    root = write_tree(tmp_path / "tree", "models/net/v1/w.pt", "models/net/v2/w.pt", f"hop -> {outside}/secret")
    write_tree(root, f"models/net/v2/hop -> {outside}/secret", "models/net/v3/w.pt", "models/net/v3/same.pt -> w.pt")
    (root / "models/net/v2/x.pt").symlink_to(target.format(outside=outside))

    result = bring(registry, importing_stores.directories(root))

    assert [one.ref for one in result.versions] == ["model/net@1.0.0", "model/net@3.0.0"]
    assert "models/net/v2" in left(result)
    assert everything(registry) == {b"models/net/v1/w.pt", b"models/net/v3/w.pt"}


@pytest.mark.parametrize("link", ["models/v2", "models/net/v2", "models/net_v2.pt", "models", "weights/net/best"])
def test_a_link_that_leads_out_is_no_version_and_no_tag(
    link: str, registry: Registry, outside: Path, tmp_path: Path
) -> None:
    root = write_tree(tmp_path / "tree", "data/rows/v1/a.csv", "weights/net/v1/w.pt")
    (root / link).parent.mkdir(parents=True, exist_ok=True)
    (root / link).symlink_to(outside / ("secret" if link.endswith(".pt") else "v1" if "/" in link else "."))

    result = bring(registry, importing_stores.directories(root))

    assert len(result.versions) == 2
    assert not any(one.tags for one in result.versions)
    assert link in left(result)
    assert everything(registry) == {b"data/rows/v1/a.csv", b"weights/net/v1/w.pt"}


def everything(registry: Registry) -> set[bytes]:
    """Return what the files of all versions hold."""
    refs = [version.ref for entry in registry.entries() for version in registry.versions(entry.ref)]
    return {b"".join(registry.cat(f"{ref}:{file.path}")) for ref in refs for file in registry.files(ref)}
