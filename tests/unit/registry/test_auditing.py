"""The audit trail: each thing that a transaction did is a row, and filters leave nothing out that they should not."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlreg.errors import MlregError
from mlreg.formats.annotation import Annotation
from mlreg.formats.origin import Origin
from mlreg.formats.transaction import RefChange, slot_key
from mlreg.ids import CommitId
from mlreg.operations import sweeping
from mlreg.registry import annotating, collecting, noting, tainting
from mlreg.registry.auditing import ACTIONS, AuditEvent, audit
from mlreg.registry.places import init
from mlreg.registry.registry import Registry, silent
from mlreg.registry.sync import Sync
from mlreg.repository import log
from mlreg.repository.heads import Client
from mlreg.repository.log import Draft, made_from

ANN, BO = "Ann Lee <ann@example.org>", "Bo <bo@example.org>"
HERE = Client(origin=Origin("ann", "node-1"))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make, once, what each test gets a copy of."""
    root = tmp_path_factory.mktemp("template")
    file = root / "weights"
    file.write_bytes(b"weights")
    registry = Registry(init(root / "here", shared=True)[0], ANN, client=lambda: HERE)
    registry.add("model/net", [file], version="1.0.0", tags=["production"], message="first")
    file.write_bytes(b"other weights")
    registry.add("model/net", [file], version="2.0.0")
    return root


@pytest.fixture
def registry(template: Path, tmp_path: Path) -> Registry:
    """A registry with two versions, of which one has a tag."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    return Registry(tmp_path / "here", ANN, remotes={"origin": str(tmp_path / "there")}, client=lambda: HERE)


def by_another(registry: Registry) -> Registry:
    return Registry(registry.path, BO, registry.cache, registry.remotes)


def actions(registry: Registry, what: str = "", **chosen: str) -> list[str]:
    return [f"{one.action} {one.ref}" for one in audit(registry, what, **chosen)]  # type: ignore[arg-type] # words


def last(registry: Registry) -> AuditEvent:
    return next(audit(registry))


def test_a_row_says_who_what_when_from_where_and_why(registry: Registry) -> None:
    by_another(registry).tag("model/net@2.0.0", "production", "it is better")
    first, *_, added = list(audit(registry))

    assert first == AuditEvent(
        number=3,
        time=first.time,
        author=BO,
        user="",
        host="",
        action="tag",
        ref="model/net@production",
        previous="model/net@1.0.0",
        target="model/net@2.0.0",
        message="it is better",
    )
    assert (added.number, added.user, added.host, added.message) == (1, "ann", "node-1", "first")


def test_each_thing_that_can_be_done_has_its_row(registry: Registry, tmp_path: Path) -> None:
    init(tmp_path / "there", shared=True)
    one, two = "model/net@1.0.0", "model/net@2.0.0"
    annotating.correct(registry, two, {"map": 0.5})
    annotating.label(registry, "model/net", {"team": "vision"})
    annotating.deprecate(registry, one, "old")
    annotating.undeprecate(registry, one)
    annotating.freeze(registry, one)
    annotating.unfreeze(registry, one)
    annotating.hold(registry, one, "an audit")
    annotating.release(registry, one)
    tainting.taint(registry, two, "bad data")
    tainting.untaint(registry, two)
    noting.remove(registry, two, noting.add(registry, two, "look").id)
    annotating.rename(registry, "model/net", "model/vision/net")
    Sync(registry).push()
    registry.untag("model/vision/net@production")
    registry.remove(["model/vision/net@1.0.0"])
    registry.restore(["model/vision/net@1.0.0"])
    registry.remove(["model/vision/net@1.0.0"])
    collecting.collect(registry, grace=0, report=silent)

    renamed = [row.replace("model/vision/net", "net") for row in actions(registry)]
    assert renamed[::-1] == [
        "add net@1.0.0",
        "tag net@production",
        "add net@2.0.0",
        "meta net@2.0.0",
        "label net",
        "deprecate net@1.0.0",
        "undeprecate net@1.0.0",
        "freeze net@1.0.0",
        "unfreeze net@1.0.0",
        "hold net@1.0.0",
        "release net@1.0.0",
        "taint net@2.0.0",
        "untaint net@2.0.0",
        "note net@2.0.0",
        "note net@2.0.0",
        "mv net",
        "agree origin::net@production",
        "untag net@production",
        "remove net@1.0.0",
        "restore net@1.0.0",
        "remove net@1.0.0",
        "gc ",
        "gc ",
    ]
    assert {row.partition(" ")[0] for row in renamed} <= set(ACTIONS)


def test_packs_that_are_taken_back_are_a_row_and_those_of_a_version_are_none(registry: Registry) -> None:
    registry.untag("model/net@production")
    registry.remove(["model/net@1.0.0"])
    collecting.collect(registry, grace=10**9, report=silent)
    dropped = last(registry)
    sweeping.undo(registry.repository, dropped.number, ANN)

    assert (dropped.action, dropped.previous) == ("gc", "2 packs")
    assert (last(registry).action, last(registry).target) == ("store", "2 packs")
    assert [one.action for one in audit(registry) if one.number == 1] == ["tag", "add"]


@pytest.mark.parametrize(
    ("what", "rows"),
    [
        ("", 5),
        ("model/net", 3),
        ("model/*", 3),
        ("model/net@production", 1),
        ("model/net@2.0.0", 1),
        ("data/rows@2026.01.01", 2),
        ("*/rows", 2),
        ("model/x*", 0),
    ],
)
def test_a_ref_or_a_pattern_chooses_what_it_names(what: str, rows: int, registry: Registry, tmp_path: Path) -> None:
    registry.add("data/rows", [tmp_path / "weights"], version="2026.01.01")
    annotating.freeze(registry, "data/rows@2026.01.01")

    assert len(actions(registry, what)) == rows


def test_what_has_another_name_now_is_found_by_it(registry: Registry) -> None:
    annotating.rename(registry, "model/net", "model/vision/net")

    assert len(actions(registry, "model/vision/net")) == 4
    assert len(actions(registry, "model/net")) == 4  # it was called so, and nothing else is


def test_the_log_is_chosen_by_author_by_user_and_host_and_by_pattern(registry: Registry) -> None:
    by_another(registry).tag("model/net@2.0.0", "candidate")

    assert actions(registry, by="bo@") == ["tag model/net@candidate"]
    assert actions(registry, by="LEE") == actions(registry, by="ann@node-1") == actions(registry)[1:]
    assert actions(registry, by="bo*") == ["tag model/net@candidate"]
    assert actions(registry, by="o*") == []


def test_times_and_actions_choose(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    for day in (3, 4, 5):
        monkeypatch.setattr(log, "now", lambda day=day: f"2020-01-0{day}T12:00:00Z")
        registry.tag("model/net@1.0.0", f"tag{day}")

    chosen = {"since": "2020-01-04", "until": "2020-01-04"}
    assert actions(registry, **chosen) == ["tag model/net@tag4"]
    assert len(list(audit(registry, actions=["add"]))) == 2
    assert actions(registry, until="2020-01-05T12:00:00Z", since="2020-01-04T12:00:01Z") == ["tag model/net@tag5"]
    assert [one.ref for one in audit(registry, limit=1)] == ["model/net@tag5"]


def test_since_takes_hours_and_minutes(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    for hours in (30, 3, 0):
        then = f"{datetime.now(UTC) - timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}"
        monkeypatch.setattr(log, "now", lambda then=then: then)
        registry.tag("model/net@1.0.0", f"tag{hours}")

    tags = {since: [one.ref for one in audit(registry, since=since, actions=["tag"])] for since in ("90m", "2h", "4h")}
    assert tags["90m"][0] == "model/net@tag0"
    assert "model/net@tag3" not in tags["90m"] + tags["2h"]
    assert "model/net@tag3" in tags["4h"]
    assert "model/net@tag30" not in tags["4h"]


@pytest.mark.parametrize(
    ("chosen", "code"),
    [
        ({"since": "2x"}, "bad_since"),
        ({"since": "yesterday"}, "bad_since"),
        ({"until": "2026-13-01"}, "bad_ref"),
        ({"actions": ["promote"]}, "bad_action"),
        ({"what": "model/other"}, "ref_not_found"),
    ],
)
def test_what_means_nothing_is_refused_before_a_row_is_asked_for(
    chosen: dict[str, str], code: str, registry: Registry
) -> None:
    with pytest.raises(MlregError) as caught:
        audit(registry, **chosen)  # type: ignore[arg-type] # words

    assert caught.value.code == code


def test_names_and_facts_that_no_release_knows_are_shown_as_they_are(registry: Registry) -> None:
    commit = CommitId.parse(registry.show("model/net@1.0.0").id)
    note = Annotation("0" * 32, "entry/model/net", {"new": 1, "frozen": None}, (), BO, "2026-01-01T00:00:00Z", "")
    refs = (RefChange("later/model/net/x", None, commit),)
    repository = registry.repository
    slot = made_from(
        Draft(ANN, "later", refs, notes=(note.note(),)), repository.log.refresh().position, repository.identity
    )
    repository.store.create(slot_key(3), slot.encode())

    rows = [(one.action, one.ref, one.target, one.stated_by) for one in audit(registry) if one.number == 3]
    assert sorted(rows) == [
        ("move", "later/model/net/x", "model/net@1.0.0", ""),
        ("state", "model/net", "new: 1", BO),
        ("unfreeze", "model/net", "", BO),
    ]


@pytest.mark.parametrize("time", ["2999-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "", "soon", "\U0010ffff"])
def test_nothing_is_hidden_by_what_its_writer_took_for_a_time(time: str, registry: Registry) -> None:
    repository = registry.repository
    slot = made_from(Draft(BO, "later", drop=()), repository.log.refresh().position, repository.identity)
    refs = (RefChange("tag/model/net/hidden", None, CommitId.parse(registry.show("model/net@1.0.0").id)),)
    repository.store.create(slot_key(3), slot._replace(time=time, refs=refs).encode())

    assert actions(registry)[0] == "tag model/net@hidden"
    assert actions(registry, by="bo") == ["tag model/net@hidden"]
    assert len(actions(registry, since="2020-01-01", until="2998-01-01")) == 3


def test_a_view_that_began_at_a_snapshot_tells_the_same(registry: Registry) -> None:
    before = list(audit(registry))
    registry.repository.log.write_snapshot()

    assert list(audit(Registry(registry.path, ANN))) == before


def test_where_it_was_written_is_left_out_if_that_is_not_wanted(registry: Registry) -> None:
    by_another(registry).tag("model/net@1.0.0", "candidate")

    assert registry.repository.log.slot(3) is not None
    assert [slot.notes for number in (1, 3) if (slot := registry.repository.log.slot(number))] == [
        ({"host": "node-1", "sort": "origin", "user": "ann"},),
        (),
    ]
