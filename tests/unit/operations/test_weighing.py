"""What versions weigh is what the disk has, and what removing them gives back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlreg.formats import recipe
from mlreg.operations.weighing import weigh
from mlreg.registry import collecting, weighing
from mlreg.registry.places import init
from mlreg.registry.registry import Registry
from mlreg.repository.objects import pack_key
from mlreg.stores.directory import TEMPORARY

SLACK = 6000
"""Bytes of trees, indexes and log slots by which a step may differ."""


def made(place: Path, versions: dict[str, list[int]]) -> Registry:
    """Return a registry with versions whose files are noise, named by its seed; equal seeds are equal files."""
    registry = Registry(init(place / "here", shared=True)[0], "Ann", place / "cache")
    for ref, seeds in versions.items():
        entry, _, version = ref.partition("@")
        folder = place / ref.replace("/", "-")
        folder.mkdir()
        for seed in seeds:
            (folder / str(seed)).write_bytes(np.random.default_rng(seed).bytes(100_000))
        registry.add(entry, [folder], version=version)
    return registry


def on_disk(registry: Registry) -> int:
    files = (path for path in Path(registry.path).rglob("*") if path.is_file() and path.name != "mlreg.json")
    return sum(path.stat().st_size for path in files)


def nothing(size: int) -> None:
    """Take no notice of progress."""


SHARING = {
    "data/rows@2026.01.01": [1, 2, 3],
    "data/rows@2026.01.02": [2, 3, 4],
    "data/more@2026.01.01": [3, 5],
    "model/net@1.0.0": [5, 6],
}


def test_each_byte_belongs_to_those_who_need_it(tmp_path: Path) -> None:
    found = weigh(made(tmp_path, SHARING).repository, nothing)

    own = {f"{weight.name.entry}@{weight.name.leaf}": round(weight.own, -5) for weight in found.versions}
    assert own == {
        "data/rows@2026.01.01": 100_000,
        "data/rows@2026.01.02": 100_000,
        "data/more@2026.01.01": 0,
        "model/net@1.0.0": 100_000,
    }
    assert {name: round(size, -5) for name, size in found.entries.items() if size > SLACK} == {"data/rows": 100_000}
    assert {name: round(size, -5) for name, size in found.kinds.items()} == {"data": 100_000}
    assert round(found.shared, -5) == 100_000


def test_the_parts_add_up_to_the_disk(tmp_path: Path) -> None:
    registry = made(tmp_path, SHARING)
    assert weigh(registry.repository, nothing).total == on_disk(registry)

    registry.remove(["data/rows@2026.01.01"])
    found = weighing.weigh(registry, "", nothing)
    assert found.unused > 100_000
    collecting.collect(registry, grace=3600, report=nothing)
    assert weighing.weigh(registry, "", nothing).waiting > 100_000
    collecting.collect(registry, grace=0, report=nothing)

    found = weighing.weigh(registry, "", nothing)
    assert found.total == on_disk(registry)
    assert (found.unused < SLACK, found.waiting) == (True, 0)


def test_a_pack_that_is_gone_from_the_disk_does_not_make_the_log_smaller(tmp_path: Path) -> None:
    registry = made(tmp_path, SHARING)
    before = weighing.weigh(registry, "", nothing)
    registry.remove(["data/rows@2026.01.01", "data/rows@2026.01.02"])
    collecting.collect(registry, grace=3600, report=nothing)
    dropped = [pack for pack, _ in registry.repository.log.refresh().dropped_packs()]
    for pack in dropped:
        (Path(registry.path) / pack_key(pack.id)).unlink()

    found = weighing.weigh(registry, "", nothing)

    assert dropped
    assert (found.waiting, found.unnamed) == (0, 0)
    assert found.log > before.log
    assert found.total == on_disk(registry)


def test_what_no_transaction_names_is_no_part_of_the_log(tmp_path: Path) -> None:
    registry = made(tmp_path, SHARING)
    before = weighing.weigh(registry, "", nothing)
    place = Path(registry.path) / pack_key("ab" * 16)
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(b"left by a push that was cut")
    (place.parent / f"{TEMPORARY}0123456789abcdef").write_bytes(b"half")

    found = weighing.weigh(registry, "", nothing)

    assert (found.unnamed, found.log) == (len(b"left by a push that was cut" + b"half"), before.log)
    assert found.total == on_disk(registry)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.integers(0, 6), min_size=1, max_size=4, unique=True), min_size=1, max_size=4), st.data())
def test_own_bytes_are_those_that_removing_a_version_gives_back(
    tmp_path_factory: pytest.TempPathFactory, versions: list[list[int]], data: st.DataObject
) -> None:
    named = {f"data/rows@2026.01.{number + 1:02}": seeds for number, seeds in enumerate(versions)}
    registry = made(tmp_path_factory.mktemp("any"), named)
    ref = data.draw(st.sampled_from(sorted(named)))
    own = next(share.own for share in weighing.weigh(registry, "data/rows", nothing).shares if share.ref == ref)

    registry.remove([ref])
    found = weighing.weigh(registry, "", nothing)

    assert abs(found.unused - own) < SLACK


@pytest.mark.parametrize("rows", [recipe.PAGE_ROWS, 2], ids=["a recipe", "pages"])
def test_large_files_share_what_they_have_in_common(rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe, "PAGE_ROWS", rows)
    one, both, other = (np.random.default_rng(seed).bytes(4_000_000) for seed in range(3))
    registry = made(tmp_path, {})
    for version, data in {"1.0.0": one + both, "2.0.0": both + other}.items():
        (tmp_path / "large").write_bytes(data)
        registry.add("model/net", [tmp_path / "large"], version=version)

    found = weigh(registry.repository, nothing)

    # Where the halves meet, a piece belongs to one of them.
    assert [round(weight.own / 4e6, 1) for weight in found.versions] == pytest.approx([1, 1], abs=0.3)
    assert found.entries["model/net"] / 4e6 == pytest.approx(1, abs=0.3)
    assert found.unused < SLACK


def test_an_entry_can_be_asked_for_and_what_is_not_there_is_said(tmp_path: Path) -> None:
    registry = made(tmp_path, SHARING)
    found = weighing.weigh(registry, "data/rows", nothing)
    assert {share.ref for share in found.shares} == {"data/rows@2026.01.01", "data/rows@2026.01.02"}
    assert sum(share.own for share in found.shares) + found.shared + found.others == pytest.approx(
        found.total - found.history - found.unused - found.waiting - found.log
    )
    assert {share.ref for share in weighing.weigh(registry, "data/*", nothing).shares} == {"data/rows", "data/more"}
