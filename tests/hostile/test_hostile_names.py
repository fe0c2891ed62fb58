"""A remote whose log names what no mlreg would: nothing of it comes into the log here, and the rest stays usable."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlreg.errors import IntegrityError
from mlreg.formats.transaction import RefChange
from mlreg.ids import CommitId
from mlreg.registry.places import init
from mlreg.registry.registry import Registry
from mlreg.registry.standing import status
from mlreg.registry.sync import Sync
from mlreg.repository.log import Draft
from tests.unit.repository.samples import force_slot

ILLEGAL = {
    "no entry": "version/rubbish",
    "no version": "version/model/evil",
    "a way out": "version/model/../../x/1.0.0",
    "an unknown kind": "version/flow/net/1.0.0",
    "an escape": "version/model/net\x1b[2J/1.0.0",
    "an illegal tag": "tag/model/net/1.0.0",
    "a tag of nothing": "tag/rubbish",
}
WRONG = {
    "no version of the kind": ("version/model/net/notaversion", "bad_ref_name", "wrong_commit"),
    "a version that is another": ("version/model/net/9.9.9", "wrong_commit", ""),
    "a version of another entry": ("version/model/other/1.0.0", "wrong_commit", ""),
    "a tag of another entry": ("tag/model/own/stolen", "stray_tag", ""),
}


class Scene:
    """A registry here with model/own, and a remote with model/net."""

    def __init__(self, root: Path) -> None:
        self.root = root
        file = root / "weights"
        file.write_bytes(b"weights")
        self.there = Registry(init(root / "there", shared=True)[0], "Eve")
        self.there.add("model/net", [file], version="1.0.0", tags=["golden"])
        self.place = init(root / "here", shared=True)[0]
        self.here.add("model/own", [file], version="1.0.0", tags=["mine"])

    @property
    def here(self) -> Registry:
        return Registry(self.place, "Ann", self.root / "cache", {"origin": str(self.root / "there")})

    def name(self, ref: str) -> None:
        """Let the remote's log call its one commit by another name."""
        commit = CommitId.parse(self.there.show("model/net@1.0.0").id)
        force_slot(self.there.repository, Draft("Eve", refs=(RefChange(ref, None, commit),)))


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


@pytest.mark.parametrize("case", [*ILLEGAL, *WRONG])
def test_a_name_that_no_mlreg_writes_is_refused_and_what_is_asked_for_by_name_comes(case: str, scene: Scene) -> None:
    scene.name(ILLEGAL[case] if case in ILLEGAL else WRONG[case][0])
    before = scene.here.repository.log.refresh().number

    with pytest.raises(IntegrityError) as caught:
        Sync(scene.here, "origin").pull()

    allowed = {"bad_ref_name"} if case in ILLEGAL else set(WRONG[case][1:])
    assert caught.value.code in allowed
    assert caught.value.fix
    assert scene.here.repository.log.refresh().number == before
    if "net@" not in caught.value.message:
        Sync(scene.here, "origin").pull(["model/net"])
        assert {entry.ref for entry in scene.here.entries()} == {"model/own", "model/net"}
    assert scene.here.verify().problems == ()


@pytest.mark.parametrize("case", ILLEGAL)
def test_a_log_with_an_illegal_name_can_be_looked_at_and_worked_with(case: str, scene: Scene) -> None:
    scene.name(ILLEGAL[case])
    there = Registry(scene.there.path, "Eve", scene.root / "cache")

    assert [entry.ref for entry in there.entries()] == ["model/net"]
    assert [tag.ref for tag in there.tags()] == ["model/net@golden"]
    assert [event.ref for event in there.log()] == ["model/net@1.0.0", "model/net@golden"]
    assert there.show("model/net@golden").tags == ("golden",)
    assert there.rev_parse("b3:" + there.show("model/net@1.0.0").id[:12]).version == "1.0.0"
    assert status(there).entries == 1
    (scene.root / "weights").write_bytes(b"others")
    there.add("model/net", [scene.root / "weights"], bump="minor")
    assert [problem.code for problem in there.verify().problems] == ["bad_ref_name"]


@pytest.mark.parametrize("name", ILLEGAL.values())
def test_no_writer_puts_an_illegal_name_into_the_log(name: str, scene: Scene) -> None:
    log = scene.there.repository.log
    commit = CommitId(bytes(32))
    before = log.refresh().number

    with pytest.raises(IntegrityError) as caught:
        log.append(lambda view: Draft("Eve", refs=(RefChange(name, None, commit),)))
    assert (caught.value.code, log.refresh().number) == ("bad_ref_name", before)
