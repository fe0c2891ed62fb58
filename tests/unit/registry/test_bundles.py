"""Bundles: versions, tags, lineage and statements go from here to there in files, and nothing is lost or moved back."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from mlreg.errors import ConflictError, IntegrityError, MlregError, NotFoundError, RefusedError
from mlreg.formats.archive import END, encode_header, padded
from mlreg.formats.pack import Sort
from mlreg.ids import TreeId
from mlreg.registry import annotating, bundles, tainting
from mlreg.registry.places import init
from mlreg.registry.registry import Registry, silent
from mlreg.registry.sync import Sync
from mlreg.stores.archive import ArchiveStore


class Site:
    """A place with a repository, which shares no network with others."""

    def __init__(self, root: Path, name: str) -> None:
        self.root = root
        self.place, _ = init(root / name, shared=False)
        self.registry = Registry(self.place, name, root / f"cache of {name}")

    def add(self, version: str, text: str, **options: object) -> None:
        directory = self.root / "files"
        directory.mkdir(exist_ok=True)
        (directory / "weights").write_text(text)
        (directory / "large").write_bytes(random.Random(1).randbytes(100_000))
        self.registry.add("model/net", [directory], version=version, **options)  # type: ignore[arg-type] # passed on

    def bundle(self, name: str, *refs: str, since: tuple[str, ...] = ()) -> str:
        path = str(self.root / name)
        bundles.create(self.registry, path, refs, since=since, report=silent)
        return path

    def apply(self, path: str, *, force_tags: bool = False, keep_tags: bool = False) -> tuple[str, ...]:
        would = bundles.preview(self.registry, path, force_tags=force_tags, keep_tags=keep_tags)
        done = bundles.apply(self.registry, path, force_tags=force_tags, keep_tags=keep_tags, report=silent)
        assert (would.versions, would.tags, would.notes) == (done.versions, done.tags, done.notes)
        assert self.registry.verify().problems == ()
        return done.refs

    @property
    def tag(self) -> str:
        return self.registry.rev_parse("model/net@production").version


@pytest.fixture
def here(tmp_path: Path) -> Site:
    site = Site(tmp_path, "here")
    site.registry.add("data/rows", [__file__], version="2026.01.01")
    site.add("1.0.0", "first", tags=["production"], inputs=[("data", "data/rows@latest")])
    return site


@pytest.fixture
def there(tmp_path: Path) -> Site:
    return Site(tmp_path, "there")


def text(site: Site, version: str) -> bytes:
    return b"".join(site.registry.cat(f"model/net@{version}:weights"))


def test_a_bundle_brings_versions_tags_lineage_and_what_was_said(here: Site, there: Site) -> None:
    annotating.label(here.registry, "model/net@1.0.0", {"team": "vision"})
    tainting.taint(here.registry, "data/rows@2026.01.01", "bad rows")

    refs = there.apply(here.bundle("all", "model/net"))

    assert refs == ("model/net@1.0.0", "model/net@production")
    info = there.registry.show("model/net@production")
    assert info == here.registry.show("model/net@production")
    assert (info.labels, [taint.reason for taint in info.taints]) == ({"team": "vision"}, ["bad rows"])
    assert [node.ref for node in there.registry.lineage("model/net")] == ["model/net@1.0.0", "data/rows@2026.01.01"]
    assert there.apply(here.bundle("again", "model/net")) == ()


def test_all_is_in_a_bundle_of_nothing_in_particular(here: Site, there: Site) -> None:
    assert set(there.apply(here.bundle("all"))) == {"model/net@1.0.0", "model/net@production", "data/rows@2026.01.01"}


def test_a_bundle_is_read_as_any_remote(here: Site, there: Site) -> None:
    path = here.bundle("all")
    far = there.registry.elsewhere(path)

    assert [entry.ref for entry in far.entries()] == ["data/rows", "model/net"]
    assert b"".join(there.registry.cat(f"{path}::model/net@production:weights")) == b"first"
    puller = Registry(there.place, "there", None, {"stick": path})
    assert len(Sync(puller, "stick").pull().versions) == 2
    with pytest.raises(RefusedError):
        far.tag("model/net@1.0.0", "mine")


def test_a_bundle_of_many_small_versions_holds_each_pack_once(here: Site, there: Site) -> None:
    for number in range(1, 20):
        here.registry.add("model/many", [here.root / "files" / "weights"], version=f"1.{number}.0")
        (here.root / "files" / "weights").write_text(f"weights {number}")
    packs = Registry(here.place, "Eve").repository.log.refresh().live_packs()
    path = here.bundle("many", "model/many")

    store = ArchiveStore(Path(path))
    assert list(store.list("log/")) == ["log/0000000000000001"]
    assert sum(store.size(key) or 0 for key in store.list("packs/")) < 2 * sum(pack.size for pack in packs)
    assert len(there.apply(path)) == 19


# What others have already.


def test_files_of_an_earlier_bundle_are_left_out_and_it_is_needed(here: Site, there: Site) -> None:
    first = here.bundle("first", "model/net")
    here.add("1.1.0", "second", tags=["production"])
    second = here.bundle("second", "model/net", since=(first,))

    assert Path(second).stat().st_size < Path(first).stat().st_size
    info = bundles.info(second)
    assert [(one.ref, one.tags) for one in info.versions] == [
        ("model/net@1.0.0", ()),
        ("model/net@1.1.0", ("production",)),
    ]
    assert (info.needs, info.left_out) == (("model/net@1.0.0",), 2)
    before = there.registry.repository.log.refresh().number
    for act in (bundles.preview, lambda *args: bundles.apply(*args, report=silent)):
        with pytest.raises(NotFoundError) as caught:
            act(there.registry, second)
        assert (caught.value.code, "model/net@1.0.0" in caught.value.message) == ("bundle_needs", True)
    assert there.registry.repository.log.refresh().number == before
    assert list(there.registry.repository.store.list("packs/")) == []

    there.apply(first)
    assert there.apply(second) == ("model/net@1.1.0", "model/net@production")
    assert [text(there, version) for version in ("1.0.0", "1.1.0")] == [b"first", b"second"]


def test_bundles_go_on_from_each_other(here: Site, there: Site) -> None:
    paths = [here.bundle("0", "model/net")]
    for number in range(1, 4):
        here.add(f"1.{number}.0", f"version {number}")
        paths.append(here.bundle(str(number), "model/net", since=(paths[-1],)))
    # What the one before left out is left out again.
    assert Path(paths[3]).stat().st_size < 20_000
    for path in paths:
        there.apply(path)

    assert text(there, "1.3.0") == b"version 3"


def test_versions_that_are_known_to_be_there_are_left_out(here: Site, there: Site) -> None:
    there.apply(here.bundle("first", "model/net@1.0.0"))
    here.add("1.1.0", "second")

    path = here.bundle("second", "model/net@1.1.0", since=("model/net@1.0.0",))

    assert bundles.info(path).needs == ("model/net@1.0.0",)
    assert there.apply(path) == ("model/net@1.1.0",)


def test_what_was_left_out_is_not_needed_if_someone_has_it_in_another_version(here: Site, there: Site) -> None:
    there.add("9.0.0", "first")
    here.add("1.1.0", "second")

    path = here.bundle("second", "model/net", since=("model/net@1.0.0",))

    assert "model/net@1.1.0" in there.apply(path)
    assert text(there, "1.0.0") == b"first"


def test_what_has_nothing_in_common_needs_nothing(here: Site, there: Site) -> None:
    path = here.bundle("net", "model/net", since=("data/rows",))

    assert (bundles.info(path).needs, bundles.info(path).left_out) == ((), 0)
    there.apply(path)


def test_of_a_bundle_that_leaves_something_out_all_else_is_proven(here: Site) -> None:
    here.add("1.1.0", "second")
    path = Path(here.bundle("second", "model/net", since=("model/net@1.0.0",)))
    assert bundles.verify(str(path), 1.0, silent).problems == ()
    store = ArchiveStore(path)
    parts = {key: store.read(key) for prefix in ("log/", "packs/") for key in store.list(prefix)}
    parts |= {key: store.read(key) for key in ("mlreg.json", "bundle.json")}
    piece = next(key for key, data in parts.items() if b"second" in data)

    harmed = path.with_name("harmed")
    for broken in ({**parts, piece: parts[piece].replace(b"second", b"Second")}, {**parts, piece: None}):
        members = (
            encode_header(key, len(data)) + data.ljust(padded(len(data)), b"\0") for key, data in broken.items() if data
        )
        harmed.write_bytes(b"".join(members) + END)
        found = bundles.verify(str(harmed), 1.0, silent)
        assert {ref for problem in found.problems for ref in problem.hurts} >= {"model/net@1.1.0"}


# Tags, and what both sides did.


def test_an_older_bundle_moves_no_tag_back(here: Site, there: Site) -> None:
    first = here.bundle("first")
    here.add("1.1.0", "second", tags=["production"])
    second = here.bundle("second")

    there.apply(second)
    assert there.apply(first) == ()
    assert there.tag == "1.1.0"
    assert there.apply(first, force_tags=True) == ("model/net@production",)
    assert there.tag == "1.0.0"


def test_a_tag_that_moved_on_one_side_only_is_moved(here: Site, there: Site) -> None:
    there.apply(here.bundle("first"))
    here.add("1.1.0", "second", tags=["production"])
    there.apply(here.bundle("second"))
    assert there.tag == "1.1.0"

    there.registry.tag("model/net@1.0.0", "production", "taken back there")
    here.add("1.2.0", "third")
    assert there.apply(here.bundle("third")) == ("model/net@1.2.0",)
    assert there.tag == "1.0.0"


def test_a_tag_that_moved_on_both_sides_is_for_people_to_decide(here: Site, there: Site) -> None:
    there.apply(here.bundle("first"))
    there.add("1.5.0", "theirs", tags=["production"])
    here.add("1.1.0", "second", tags=["production"])
    path = here.bundle("second")
    before = there.registry.repository.log.refresh().number

    with pytest.raises(ConflictError) as caught:
        bundles.apply(there.registry, path, report=silent)
    assert caught.value.code == "tag_conflict"
    assert any(f"mlreg bundle apply {path} --keep-tags" in fix for fix in caught.value.fix)
    assert not any("pull" in fix or "push" in fix for fix in caught.value.fix)
    assert there.registry.repository.log.refresh().number == before
    assert there.apply(path, keep_tags=True) == ("model/net@1.1.0",)
    assert there.tag == "1.5.0"
    assert there.apply(path, force_tags=True) == ("model/net@production",)
    assert there.tag == "1.1.0"


def test_a_version_with_other_content_is_a_conflict_with_a_way_out(here: Site, there: Site) -> None:
    there.add("1.0.0", "another")
    path = here.bundle("first")

    with pytest.raises(ConflictError) as caught:
        bundles.apply(there.registry, path, report=silent)

    assert caught.value.code == "version_conflict"
    assert f"mlreg bundle apply {path}" in caught.value.fix[1]
    assert "push" not in caught.value.fix[1]


def test_a_bundle_of_its_own_changes_nothing(here: Site) -> None:
    path = here.bundle("first")
    here.add("1.1.0", "second", tags=["production"])

    assert here.apply(path) == ()
    assert here.tag == "1.1.0"


# What is no bundle.


def test_a_file_that_is_there_stays(here: Site, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(RefusedError):
        here.bundle("mine")
    with pytest.raises(MlregError):
        here.bundle("nothing", "model/nothing")
    assert (tmp_path / "mine").read_text() == "mine"
    assert not list(tmp_path.glob("*nothing*"))


@pytest.mark.parametrize("use", [bundles.info, lambda path: bundles.verify(path, 1.0, silent)])
def test_what_is_no_bundle_is_refused(use: Callable[[str], object], tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        use(str(tmp_path / "absent"))
    with pytest.raises(NotFoundError):
        use(str(tmp_path))
    with pytest.raises(IntegrityError) as caught:
        use(__file__)
    assert caught.value.code == "bad_archive"


def test_a_pull_works_where_a_remote_has_a_version_and_not_the_one_before(here: Site, there: Site) -> None:
    here.add("1.1.0", "second")
    middle, _ = init(here.root / "middle", shared=True)
    remotes = {"middle": str(middle), "here": str(here.place)}
    Sync(Registry(here.place, "here", None, remotes), "middle").push(["model/net@1.1.0"])
    far = Registry(there.place, "there", None, remotes)
    Sync(far, "here").pull(["model/net@1.0.0"])
    tree = TreeId.parse(here.registry.show("model/net@1.0.0").tree)
    assert not Registry(middle, "").repository.objects.has(Sort.TREE, tree)

    assert Sync(far, "middle").pull().versions == ("model/net@1.1.0",)
    assert text(there, "1.1.0") == b"second"
