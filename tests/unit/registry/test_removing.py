"""Removing: only what was named outright goes, and never something else that the name leads to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mlreg.errors import MlregError
from mlreg.registry import annotating
from mlreg.registry.places import init
from mlreg.registry.registry import Registry


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry with a student that was made from a teacher of the same version."""
    path, _ = init(tmp_path / "here", shared=True)
    registry = Registry(path, "Ann")
    for name, inputs in (("teacher", ()), ("student", [("teacher", "model/teacher@1.0.0")])):
        file = tmp_path / name
        file.write_text(name)
        registry.add(f"model/{name}", [file], version="1.0.0", inputs=inputs)
    return registry


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(MlregError) as caught:
        call()
    return caught.value.code


@pytest.mark.parametrize("step", ["@1.0.0^teacher", "@latest^teacher", "@latest", "", "@production"])
def test_what_a_ref_leads_to_is_not_removed(registry: Registry, step: str) -> None:
    registry.tag("model/student@1.0.0", "production")
    registry.untag("model/student@production")
    expected = "ref_not_found" if step == "@production" else "no_version"

    assert refused(lambda: registry.remove([f"model/student{step}"])) == expected
    assert [len(registry.versions(f"model/{name}")) for name in ("teacher", "student")] == [1, 1]


def test_a_version_is_removed_by_the_beginning_of_its_id(registry: Registry) -> None:
    prefix = registry.show("model/student@1.0.0").id[:16]

    assert registry.remove([f"b3:{prefix}"]).refs == ("model/student@1.0.0",)


def test_a_file_is_neither_removed_nor_tagged_nor_spoken_of(registry: Registry) -> None:
    file = "model/student@1.0.0:student"

    assert refused(lambda: registry.remove([file])) == "path_in_change"
    assert refused(lambda: registry.restore([file])) == "path_in_change"
    assert refused(lambda: registry.tag(file, "production")) == "path_in_change"
    assert refused(lambda: annotating.freeze(registry, file)) == "path_in_change"
    assert registry.tags() == []


def test_versions_of_several_entries_are_removed_in_one_step_or_not_at_all(registry: Registry) -> None:
    both = ["model/student@1.0.0", "model/teacher@1.0.0"]
    annotating.freeze(registry, both[1])
    before = registry.repository.log.refresh().number

    assert refused(lambda: registry.remove(both)) == "version_frozen"
    assert (registry.repository.log.refresh().number, len(registry.versions("model/student"))) == (before, 1)

    annotating.unfreeze(registry, both[1])
    assert registry.remove(both, "old").refs == tuple(both)
    assert registry.repository.log.refresh().number == before + 2
    assert registry.restore(both).changed
    assert registry.repository.log.refresh().number == before + 3


def test_what_is_frozen_is_called_by_its_present_name(registry: Registry) -> None:
    annotating.freeze(registry, "model/student@1.0.0")
    annotating.rename(registry, "model/student", "model/pupil")

    with pytest.raises(MlregError, match=r"model/pupil@1\.0\.0"):
        registry.remove(["model/student@1.0.0"])


def test_a_second_hold_says_why_it_was_held_before(registry: Registry) -> None:
    ref = "model/teacher@1.0.0"

    assert annotating.hold(registry, ref, "an audit").previous == ""
    assert annotating.hold(registry, ref, "a lawsuit").previous == "an audit"
    again = annotating.hold(registry, ref, "a lawsuit")
    assert (again.changed, again.previous, registry.show(ref).held) == (False, "a lawsuit", "a lawsuit")
