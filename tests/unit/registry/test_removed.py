"""What was removed is listed with what brings it back, and each way that is named works."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlreg.errors import NotFoundError, UsageError
from mlreg.registry import annotating, collecting
from mlreg.registry.places import init
from mlreg.registry.registry import Registry, silent
from mlreg.registry.removed import RemovedInfo, removed
from mlreg.registry.repacking import repack
from mlreg.registry.sync import Sync
from mlreg.repository.objects import pack_key

OLD, NEW = "model/net@1.0.0", "model/net@1.1.0"
PULL = f"mlreg pull REMOTE {OLD}, from a remote that has it"


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry with two versions of model/net, one of data/rows, and a remote that has all."""
    init(tmp_path / "there", shared=True)
    path = init(tmp_path / "here", shared=True)[0]
    registry = Registry(path, "Ann", tmp_path / "cache", {"origin": str(tmp_path / "there")})
    for ref in (OLD, NEW, "data/rows@2026.01.01"):
        entry, _, version = ref.partition("@")
        (tmp_path / "file").write_text(f"bytes of {ref}")
        registry.add(entry, [tmp_path / "file"], version=version)
    Sync(registry, "origin").push()
    return registry


def collect(registry: Registry, grace: float) -> tuple[int, ...]:
    return collecting.collect(registry, grace=grace, report=silent).transactions


def refused(registry: Registry, ref: str = OLD) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what helps against the errors of a look and of a restore."""
    with pytest.raises(NotFoundError) as looked:
        registry.show(ref)
    with pytest.raises(NotFoundError) as restored:
        registry.restore([ref])
    assert (looked.value.code, restored.value.code) == ("version_removed", "version_collected")
    return tuple(looked.value.fix), tuple(restored.value.fix)


def only(registry: Registry, pattern: str = "*") -> RemovedInfo:
    (one,) = removed(registry, pattern)
    return one


def test_what_was_removed_is_listed_with_who_when_and_why(registry: Registry) -> None:
    assert removed(registry, "*") == []
    registry.remove([OLD], "it was trained on the test split")

    one = only(registry)

    event = registry.log()[0]
    said = (OLD, event.time, "Ann", "it was trained on the test split", len(f"bytes of {OLD}"))
    assert one == (*said, True, (f"mlreg restore {OLD}",))
    registry.restore([OLD])
    assert removed(registry, "*") == []


def test_entries_are_meant_by_name_and_by_pattern_also_if_no_version_is_left(registry: Registry) -> None:
    annotating.rename(registry, "data/rows", "data/lines")
    registry.remove(["data/lines@2026.01.01", OLD])

    def refs(pattern: str) -> list[str]:
        return [one.ref for one in removed(registry, pattern)]

    assert refs("*") == ["data/lines@2026.01.01", OLD]
    assert refs("data/*") == refs("data/lines") == refs("lines") == refs("data/rows") == ["data/lines@2026.01.01"]
    assert refs("model/net") == [OLD]
    with pytest.raises(NotFoundError):
        removed(registry, "model/nothing")
    with pytest.raises(UsageError):
        removed(registry, NEW)


def test_what_a_gc_took_comes_back_by_undoing_that_one(registry: Registry) -> None:
    registry.remove([OLD])
    (slot,) = collect(registry, grace=3600)
    registry.remove([NEW])
    (later,) = collect(registry, grace=3600)

    undo = f"mlreg gc --undo {slot} && mlreg restore {OLD}"
    assert refused(registry)[0][0] == refused(registry)[1][0] == undo
    assert [(one.whole, one.back[0]) for one in removed(registry, "model/net")] == [
        (False, undo),
        (False, f"mlreg gc --undo {later} && mlreg restore {NEW}"),
    ]
    collecting.undo(registry, str(slot))
    registry.restore([OLD])


def test_packs_that_a_merge_replaced_are_not_taken_for_what_a_gc_took(registry: Registry) -> None:
    registry.remove([OLD])
    repack(registry, delta=False, grace=3600, report=silent)
    assert registry.repository.log.refresh().dropped_packs()
    (slot,) = collect(registry, grace=3600)

    assert only(registry).back == (f"mlreg gc --undo {slot} && mlreg restore {OLD}", PULL)


def test_what_was_deleted_comes_back_by_a_pull_and_nothing_else_is_named(registry: Registry) -> None:
    registry.remove([OLD])
    collect(registry, grace=0)

    assert refused(registry) == ((PULL,), (PULL,))
    assert (only(registry).whole, only(registry).back) == (False, (PULL,))
    with pytest.raises(NotFoundError) as caught:
        collecting.undo(registry, "last")
    assert (caught.value.code, caught.value.fix[0][:18]) == ("nothing_dropped", "mlreg ls --removed")
    Sync(registry, "origin").pull([OLD])
    assert b"".join(registry.cat(f"{OLD}:file")) == f"bytes of {OLD}".encode()
    assert removed(registry, "*") == []


def test_an_undo_whose_files_someone_deleted_is_not_named(registry: Registry) -> None:
    registry.remove([OLD])
    collect(registry, grace=3600)
    for pack, _ in registry.repository.log.refresh().dropped_packs():
        (Path(registry.path) / pack_key(pack.id)).unlink()

    assert refused(registry) == ((PULL,), (PULL,))
