"""Why something is kept: every link of the chain is true, and what nothing keeps is what a collector takes."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from mlreg.errors import NotFoundError, UsageError
from mlreg.registry import annotating, collecting
from mlreg.registry.annotating import rename
from mlreg.registry.places import init
from mlreg.registry.reasons import Link, why
from mlreg.registry.registry import Registry

LARGE = np.random.default_rng(0).bytes(5_000_000)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    registry = Registry(init(tmp_path / "here", shared=True)[0], "Ann", tmp_path / "cache")
    for version, files in {"1.0.0": {"large": LARGE, "one": b"one"}, "2.0.0": {"large": LARGE, "two": b"two"}}.items():
        folder = tmp_path / version
        folder.mkdir()
        for name, data in files.items():
            (folder / name).write_bytes(data)
        registry.add("model/net", [folder], version=version)
    registry.tag("model/net@1.0.0", "production")
    return registry


def id_of(registry: Registry, ref: str) -> str:
    return registry.files(ref)[0].id


def test_a_file_is_kept_by_a_tagged_version_before_others(registry: Registry) -> None:
    found = why(registry, "model/net@2.0.0:large")
    assert found.links == (
        Link("tag", "model/net@production"),
        Link("version", "model/net@1.0.0"),
        Link("file", "large"),
    )
    assert why(registry, id_of(registry, "model/net@2.0.0:large")).links == found.links
    assert (found.more, why(registry, "model/net@2.0.0:two").more) == (1, 0)
    assert why(registry, "model/net@2.0.0:two").links == (Link("version", "model/net@2.0.0"), Link("file", "two"))


def test_a_piece_of_a_file_is_named_with_it(registry: Registry) -> None:
    repository = registry.repository
    from mlreg.ids import ContentId

    parts = list(repository.objects.parts_of(ContentId.of(LARGE), len(LARGE)))
    assert len(parts) > 1
    found = why(registry, str(parts[-1].id)[:11])
    assert found.links[-2:] == (Link("file", "large"), Link("piece", str(parts[-1].id)))
    assert found.more == 1


def test_an_input_is_named_by_the_ref_that_finds_it(registry: Registry, tmp_path: Path) -> None:
    registry.add("model/tuned", [tmp_path / "1.0.0"], version="1.0.0", inputs=[("base", "model/net@1.0.0")])
    rename(registry, "model/tuned", "model/vision/tuned")

    name = why(registry, "model/net@1.0.0").links[-1].name
    assert registry.show(name).ref == name == "model/vision/tuned@1.0.0"


def test_a_version_is_kept_by_its_name_its_tags_and_those_made_from_it(registry: Registry, tmp_path: Path) -> None:
    registry.add("model/tuned", [tmp_path / "1.0.0"], version="1.0.0", inputs=[("base", "model/net@1.0.0")])
    assert why(registry, "model/net@1.0.0").links == (
        Link("tag", "model/net@production"),
        Link("version", "model/net@1.0.0"),
        Link("input of, as base", "model/tuned@1.0.0"),
    )


def test_holds_and_freezes_of_a_version_and_of_its_entry_are_named(registry: Registry) -> None:
    file = id_of(registry, "model/net@1.0.0:one")
    assert [(found.held, found.frozen) for found in map(partial(why, registry), ("model/net@1.0.0", file))] == [
        ("", False),
        ("", False),
    ]

    annotating.hold(registry, "model/net", "an audit")
    annotating.freeze(registry, "model/net@1.0.0")

    for text in ("model/net@1.0.0", "model/net@production:one", file):
        assert (why(registry, text).held, why(registry, text).frozen) == ("an audit", True)
    assert (why(registry, "model/net@2.0.0").held, why(registry, "model/net@2.0.0").frozen) == ("an audit", False)


def test_what_nothing_keeps_is_what_gc_takes(registry: Registry) -> None:
    one, two = (id_of(registry, f"model/net@{ref}") for ref in ("1.0.0:one", "2.0.0:two"))
    registry.remove(["model/net@2.0.0"])

    assert [why(registry, digits).is_kept for digits in (one, two)] == [True, False]
    collecting.collect(registry, grace=0, report=lambda size: None)
    assert why(registry, one).is_kept


def test_what_is_no_id_of_anything_is_said(registry: Registry) -> None:
    with pytest.raises(NotFoundError) as caught:
        why(registry, "0" * 64)
    assert caught.value.code == "no_object"
    with pytest.raises(UsageError) as short:
        why(registry, "abcd")
    assert short.value.code == "short_id"
