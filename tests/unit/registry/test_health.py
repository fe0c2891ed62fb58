"""Health: each thing that goes wrong turns its own check, and nothing is changed by looking."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mlreg.errors import MlregError
from mlreg.formats.transaction import slot_key
from mlreg.registry import backup_notes, backups, collecting
from mlreg.registry.bounds import DEFAULTS, Bounds, parse_bounds
from mlreg.registry.health import Asked, Check, Health, health
from mlreg.registry.places import init
from mlreg.registry.registry import Registry, silent
from mlreg.registry.sync import Sync
from mlreg.repository import database, log
from mlreg.repository.heads import Client
from mlreg.repository.log import Draft, made_from, now
from mlreg.retention.policy import Retention, parse_policies
from tests.unit.operations import live

ALL = Asked({}, Retention((), ()), None, 1.0, 60.0)
CALM = dict.fromkeys(DEFAULTS, "never never")


def bounds(**changes: str) -> dict[str, Bounds]:
    return {name: parse_bounds(name, text) for name, text in (CALM | changes).items()}


class Project:
    """A repository, all of which is in its remote."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.place = root / "here"

    def open(self) -> Registry:
        state = Client(self.root / "state")
        return Registry(
            self.place, "Ann", self.root / "cache", {"origin": str(self.root / "there")}, client=lambda: state
        )

    def look(self, asked: Asked = ALL, **changes: str) -> Health:
        return health(self.open(), asked._replace(bounds=bounds(**changes)), silent)

    def check(self, name: str, asked: Asked = ALL, **changes: str) -> Check:
        (found,) = [one for one in self.look(asked, **changes).checks if one.name == name]
        return found


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make, once, what each test gets a copy of."""
    root = tmp_path_factory.mktemp("template")
    for name in ("here", "there"):
        init(root / name, shared=True)
    project = Project(root)
    for version in ("1.0.0", "1.1.0"):
        (root / "weights").write_text(version)
        project.open().add("model/net", [root / "weights"], version=version)
    Sync(project.open()).push()
    for name in ("cache", "state"):
        shutil.rmtree(root / name)
    return root


@pytest.fixture
def project(template: Path, tmp_path: Path) -> Project:
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    return Project(tmp_path)


def files(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_what_is_well_is_green_and_is_not_touched(project: Project) -> None:
    before = files(project.place) | files(project.root / "there")

    found = project.look()

    assert [(one.name, one.state) for one in found.checks if one.state != "green"] == []
    assert (found.state, found.url) == ("green", str(project.place))
    assert [one.name for one in found.checks] == [
        *("log", "snapshot", "backup", "disk", "integrity", "remote", "packs", "waiting", "runs", "retention", "clock"),
    ]
    assert files(project.place) | files(project.root / "there") == before


def damage_a_block(project: Project) -> None:
    pack = max((project.place / "packs").rglob("*.pack"), key=lambda path: path.stat().st_size)
    data = bytearray(pack.read_bytes())
    data[0] ^= 1
    pack.chmod(0o644)
    pack.write_bytes(data)


def cut_the_log(project: Project) -> None:
    project.open().open()
    (project.place / slot_key(3)).unlink(missing_ok=True)
    (project.place / slot_key(2)).unlink()


def lose_the_remote(project: Project) -> None:
    shutil.rmtree(project.root / "there")


def cut_the_remote(project: Project) -> None:
    (project.root / "there" / slot_key(1)).unlink()


def push_nothing(project: Project) -> None:
    project.open().tag("model/net@1.0.0", "production")


def crash_a_run(project: Project) -> None:
    live.write(project.place / "runs", {"one": [live.start()]})


def drop_packs(project: Project) -> None:
    project.open().remove(["model/net@1.0.0"])
    collecting.collect(project.open(), grace=10**9, report=silent)


def write_in_the_future(project: Project) -> None:
    repository = project.open().repository
    slot = made_from(Draft("Ann"), repository.log.refresh().position, repository.identity)
    repository.store.create(slot_key(slot.number), slot._replace(time="2999-01-01T00:00:00Z").encode())


@pytest.mark.parametrize(
    ("befall", "check", "state", "changes"),
    [
        (damage_a_block, "integrity", "red", {}),
        (lose_the_remote, "remote", "red", {}),
        (cut_the_remote, "remote", "red", {}),
        (push_nothing, "remote", "yellow", {"unsent": "1 2"}),
        (push_nothing, "remote", "red", {"unsent": "1 1"}),
        (push_nothing, "remote", "green", {"unsent": "2 never"}),
        (crash_a_run, "runs", "yellow", {"crashed_runs": "1 never"}),
        (drop_packs, "waiting", "yellow", {"waiting": "1B 1G"}),
        (write_in_the_future, "clock", "red", {"clock_ahead": "5m 1d"}),
        (lambda project: None, "disk", "red", {"disk_free": "never 100%"}),
        (lambda project: None, "packs", "yellow", {"live_packs": "4 5"}),
        (lambda project: None, "log", "red", {"transactions": "1 2"}),
    ],
)
def test_what_goes_wrong_turns_its_own_check_and_says_what_to_do(
    befall: Callable[[Project], None], check: str, state: str, changes: dict[str, str], project: Project
) -> None:
    befall(project)

    found = project.check(check, ALL, **changes)

    assert (found.state, bool(found.value)) == (state, True)
    assert bool(found.fix) == (state != "green") or check == "log"
    if changes:
        assert found.bound == changes.popitem()[1]


def test_of_a_log_that_went_back_nothing_else_is_said(project: Project) -> None:
    cut_the_log(project)

    found = project.look()

    assert found.state == "red"
    assert [(one.name, one.state) for one in found.checks] == [("log", "red"), ("backup", "green"), ("disk", "green")]
    assert "went back" in found.checks[0].value


def lose(slot: Path) -> None:
    slot.unlink()


def rewrite(slot: Path) -> None:
    slot.write_bytes(slot.read_bytes().replace(b'"Ann"', b'"Eve"'))


@pytest.mark.parametrize("damage", [lose, rewrite])
def test_damage_in_the_middle_of_the_log_is_seen_though_the_cache_knows_what_was_there(
    damage: Callable[[Path], None], project: Project
) -> None:
    project.open().tag("model/net@1.0.0", "golden")
    assert project.check("log").state == "green"

    damage(project.place / slot_key(2))

    found = project.look()
    assert (found.checks[0].name, found.checks[0].state) == ("log", "red")
    assert "were not looked at" in found.checks[0].value
    assert "log/" in found.checks[0].fix


def test_offline_no_remote_is_asked(project: Project) -> None:
    project.open()
    lose_the_remote(project)

    assert project.check("remote", ALL._replace(timeout=0.0)).state == "green"


def test_a_remote_that_does_not_answer_is_given_up(project: Project) -> None:
    # What the remote is looked at with is held here, and comes free when the answer is there.
    with database._turn:
        found = project.check("remote", ALL._replace(timeout=0.01))

    assert (found.state, "did not answer" in found.value) == ("red", True)


def backed_up(project: Project, *lines: str) -> None:
    (project.place / backup_notes.FILE).write_text("".join(f"{line}\n" for line in lines))


def test_the_age_of_the_last_backup_counts(project: Project) -> None:
    old = json.dumps({"time": "2020-01-01T00:00:00Z", "to": "/mnt"})
    fresh, away = (json.dumps({"time": now(), "to": to}) for to in ("/srv", "/srv/away"))

    assert project.check("backup", backup_age="7d never").state == "yellow"
    assert project.check("backup", backup_age="7d 30d").state == "red"
    backed_up(project, old)
    assert [project.check("backup", backup_age=text).state for text in ("7d never", "7d 30d")] == ["yellow", "red"]
    backed_up(project, old, fresh)
    found = project.check("backup", backup_age="7d 30d")
    assert (found.state, "to /srv" in found.value) == ("green", True)
    backed_up(project, away)
    found = project.check("backup", backup_age="7d 30d")
    assert (found.state, "to /srv/away, which is not there now" in found.value) == ("yellow", True)


def test_a_backup_that_is_made_is_known_and_one_that_is_tried_is_not(project: Project, tmp_path: Path) -> None:
    backups.create(project.open(), f"{tmp_path}/copies/", dry_run=True, report=silent)
    assert backup_notes.last(project.place) is None

    backups.create(project.open(), f"{tmp_path}/copies/", report=silent)
    backups.create(project.open(), f"{tmp_path}/one.tar", report=silent)
    found = project.check("backup", backup_age="1d 7d")
    assert (found.state, f"to {tmp_path}/one.tar" in found.value) == ("green", True)
    for number in range(backup_notes.KEPT + 1):
        backup_notes.note(project.place, str(number))
    lines = (project.place / backup_notes.FILE).read_text().splitlines()
    assert (len(lines), json.loads(lines[-1])["to"]) == (backup_notes.KEPT, str(backup_notes.KEPT))


def test_who_restores_a_backup_accepts_that_the_log_had_gone_further(project: Project, tmp_path: Path) -> None:
    backups.create(project.open(), f"{tmp_path}/copies/", report=silent)
    project.open().tag("model/net@1.0.0", "newer")
    shutil.rmtree(project.place)
    backups.restore(f"{tmp_path}/copies", project.place, report=silent, client=Client(tmp_path / "state"))

    assert [one.ref for one in project.open().entries()] == ["model/net"]


@pytest.mark.parametrize("line", ["", "x", "{}", "[]", "1", '{"time": 1}', '{"time": "soon"}'])
def test_a_note_of_backups_that_cannot_be_read_counts_as_none(line: str, project: Project) -> None:
    backed_up(project, line)

    assert backup_notes.last(project.place) is None


def test_one_thing_is_not_told_as_if_it_were_several(tmp_path: Path) -> None:
    registry = Registry(init(tmp_path / "new", shared=True)[0], "Ann", tmp_path / "cache")
    asked = ALL._replace(bounds=bounds())
    (tmp_path / "file").write_text("bytes")
    registry.add("model/net", [tmp_path / "file"], version="1.0.0")

    found = {one.name: one.value for one in health(registry, asked, silent).checks}

    assert (found["log"], found["snapshot"]) == ("1 transaction", "1 transaction since the last")
    assert found["waiting"] == "0 B wait to be deleted"


def test_what_full_checks_came_to_is_told(project: Project) -> None:
    nothing = ALL._replace(share=0.0)
    assert project.check("integrity", nothing).value.endswith("4 packs never read whole")

    project.open().verify()

    assert "all was read whole within" in project.check("integrity", nothing).value


def test_versions_that_a_policy_lets_go_are_overdue(project: Project) -> None:
    asked = ALL._replace(retention=Retention(parse_policies([{"match": "model/*", "keep-last": 1}]), ()))

    found = project.check("retention", asked, overdue="1 never")

    assert (found.state, found.number, found.fix) == ("yellow", 1, "mlreg policy plan")


def test_snapshots_that_are_not_written_any_more_are_noticed(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.open().tag("model/net@1.0.0", "production")
    monkeypatch.setattr(log, "SNAPSHOT_EVERY", 1)
    assert project.check("snapshot").state == "yellow"

    project.open().tag("model/net@1.1.0", "production")

    assert project.check("snapshot").state == "green"


def test_a_sample_reads_something_however_small_the_share(project: Project) -> None:
    assert project.check("integrity", ALL._replace(share=0.0)).value.startswith("6 objects of 4 packs read")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("disk_free", "10%"),
        ("disk_free", "10 5"),
        ("backup_age", "7x never"),
        ("live_packs", "1 2 3"),
        ("waiting", "-1G -"),
        ("unsent", "x never"),
        ("clock_ahead", "1e9d never"),
        ("overdue", ""),
        ("disk_free", "5% 10%"),
        ("backup_age", "7d 1d"),
        ("backup_age", "1w 6d"),
        ("live_packs", "2 1"),
    ],
)
def test_bounds_that_mean_nothing_are_refused(name: str, text: str) -> None:
    with pytest.raises(MlregError) as caught:
        parse_bounds(name, text)

    assert (caught.value.code, bool(caught.value.fix)) == ("bad_config", True)


def test_bounds_are_read_with_their_units() -> None:
    assert parse_bounds("backup_age", "1.5h 2w")[1:3] == (5400, 1_209_600)
    assert parse_bounds("waiting", "50G never")[1:3] == (50e9, None)
    assert parse_bounds("live_packs", "5 5")[1:3] == (5, 5)
    assert parse_bounds("disk_free", "never 5%").state_of(0.05, less_is_worse=True) == "red"
    assert all(parse_bounds(name, text).text == text for name, text in DEFAULTS.items())
