"""What is to push, and to pull, is what a plain push and a plain pull would send."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlreg.registry import annotating
from mlreg.registry.places import init
from mlreg.registry.registry import Registry
from mlreg.registry.standing import status
from mlreg.registry.sync import Sync

OLD, NEW = "model/net@1.0.0", "model/net@1.1.0"


@pytest.fixture
def places(tmp_path: Path) -> tuple[Registry, Registry]:
    """A registry with two versions, and its remote, which has both."""
    there = Registry(init(tmp_path / "there", shared=True)[0], "Bob", tmp_path / "cache-there")
    here = Registry(init(tmp_path / "here", shared=True)[0], "Ann", tmp_path / "cache", {"origin": there.path})
    for ref in (OLD, NEW):
        (tmp_path / "file").write_text(ref)
        here.add("model/net", [tmp_path / "file"], version=ref.partition("@")[2])
    Sync(here, "origin").push()
    return here, there


def left(here: Registry) -> tuple[tuple[str, ...], int, tuple[str, ...], int]:
    """Return the refs and the number of statements to push, and to pull."""
    (remote,) = status(here).remotes
    return remote.unpushed, remote.unpushed_notes, remote.unpulled, remote.unpulled_notes


LEVEL = ((), 0, (), 0)


def test_what_the_remote_removed_is_not_to_push_with_its_tags_and_what_was_said_of_it(
    places: tuple[Registry, Registry],
) -> None:
    here, there = places
    there.remove([OLD])
    here.tag(OLD, "golden")
    annotating.label(here, OLD, {"team": "vision"})

    assert not Sync(here, "origin").push().changed

    assert left(here) == LEVEL
    assert here.tags(OLD.partition("@")[0])


def test_what_was_removed_here_is_not_to_pull_with_its_tags_and_what_was_said_of_it(
    places: tuple[Registry, Registry],
) -> None:
    here, there = places
    here.remove([NEW])
    there.tag(NEW, "golden")
    annotating.label(there, NEW, {"team": "vision"})

    assert not Sync(here, "origin").pull().changed

    assert left(here) == LEVEL


def test_what_is_said_of_an_entry_of_which_the_remote_removed_all_is_to_push(
    places: tuple[Registry, Registry],
) -> None:
    here, there = places
    there.remove([OLD, NEW])
    Sync(here, "origin").fetch()
    annotating.label(here, "model/net", {"team": "vision"})

    assert left(here) == ((), 1, (), 0)
    assert Sync(here, "origin").push().notes == 1
    assert left(here) == LEVEL


def test_what_is_new_here_is_to_push(places: tuple[Registry, Registry], tmp_path: Path) -> None:
    here, _ = places
    (tmp_path / "file").write_text("newest")
    here.add("model/net", [tmp_path / "file"], version="2.0.0")
    here.tag("model/net@2.0.0", "production")
    annotating.label(here, "model/net@2.0.0", {"team": "vision"})

    assert left(here) == (("model/net@2.0.0", "model/net@production"), 1, (), 0)
    Sync(here, "origin").push()
    assert left(here) == LEVEL
