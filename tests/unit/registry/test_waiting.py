"""Waiting ends when the version is there or the time is up, on a clock of the test's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mlreg.errors import MlregError
from mlreg.registry import waiting
from mlreg.registry.places import init
from mlreg.registry.registry import Registry
from mlreg.registry.resolve import Target

ANN = "Ann Lee <ann@example.org>"
REF = "model/net@1.0.0"


class Clock:
    """Time passes only in sleep; at some seconds something happens."""

    def __init__(self, events: dict[float, Callable[[], object]]) -> None:
        self.now = 0.0
        self.sleeps: list[float] = []
        self._events = dict(events)

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds
        for moment in [moment for moment in self._events if moment <= self.now]:
            self._events.pop(moment)()


@pytest.fixture
def here(tmp_path: Path) -> Registry:
    return Registry(init(tmp_path / "here", shared=True)[0], ANN)


def add(directory: Path, version: str = "1.0.0", tag: str = "") -> None:
    """Add a version as another process would; the repository is made if it is not there."""
    place, _ = init(directory, shared=True)
    file = directory.parent / "weights"
    file.write_bytes(version.encode())
    Registry(place, ANN).add("model/net", [file], version=version, tags=[tag] if tag else [])


def wait(
    registry: Registry,
    ref: str,
    events: dict[float, Callable[[], object]] | None = None,
    tag: str = "",
    limit: float = 10,
) -> tuple[Target | str, list[float]]:
    """Return what was found, or the code of the error, and the pauses between looks."""
    clock = Clock(events or {})
    try:
        found = waiting.wait(
            registry, ref, tag=tag, limit=limit, interval=4, clock=lambda: clock.now, sleep=clock.sleep
        )
    except MlregError as error:
        return error.code, clock.sleeps
    return found, clock.sleeps


def test_what_is_there_is_found_at_once(here: Registry, tmp_path: Path) -> None:
    add(tmp_path / "here")

    assert wait(here, REF, limit=0) == (here.rev_parse(REF), [])
    assert wait(here, "net", limit=0) == (here.rev_parse(REF), [])


def test_what_comes_is_found_at_the_next_look(here: Registry, tmp_path: Path) -> None:
    found, sleeps = wait(here, REF, {5: lambda: add(tmp_path / "here")})

    assert (str(found), sleeps) == (REF, [4, 4])


def test_the_last_look_is_when_the_time_is_up(here: Registry, tmp_path: Path) -> None:
    found, sleeps = wait(here, REF, {10: lambda: add(tmp_path / "here")})

    assert (str(found), sleeps) == (REF, [4, 4, 2])


def test_when_the_time_is_up_the_error_says_what_is_missing(here: Registry) -> None:
    with pytest.raises(MlregError, match="did not come") as caught:
        waiting.wait(here, REF, tag="", limit=0, interval=1)

    assert (caught.value.code, caught.value.exit_status, caught.value.retryable) == ("wait_timeout", 124, True)
    assert caught.value.why == "there is no entry model/net"
    assert wait(here, REF) == ("wait_timeout", [4, 4, 2])
    assert wait(here, REF, limit=0) == ("wait_timeout", [])


def test_a_removed_version_is_waited_for(here: Registry, tmp_path: Path) -> None:
    add(tmp_path / "here")
    here.remove([REF])

    found, sleeps = wait(here, REF, {1: lambda: here.restore([REF])})

    assert (str(found), sleeps) == (REF, [4])


@pytest.mark.parametrize("form", ["{root}/there::", "file://{root}/there::", "origin::"])
def test_a_repository_elsewhere_may_come_later(form: str, tmp_path: Path) -> None:
    here = Registry(tmp_path / "nothing", ANN, tmp_path / "cache", {"origin": f"{tmp_path}/there"})
    there = tmp_path / "there"
    events: dict[float, Callable[[], object]] = {
        3: there.mkdir,
        7: lambda: init(there, shared=True),
        11: lambda: add(there, "0.9.0"),
        15: lambda: add(there),
    }

    found, sleeps = wait(here, form.format(root=tmp_path) + REF, events, limit=100)

    assert (str(found), sleeps) == (REF, [4] * 4)


def test_the_repository_of_a_project_elsewhere_may_come_later(tmp_path: Path) -> None:
    here = Registry(tmp_path / "nothing", ANN)
    project = tmp_path / "project"
    project.mkdir()

    assert str(wait(here, f"{project}::{REF}", {5: lambda: add(project / ".mlreg")})[0]) == REF


def test_no_repository_here_is_not_waited_for(tmp_path: Path) -> None:
    assert wait(Registry(tmp_path, ANN), REF) == ("no_repository", [])


def test_a_tag_is_waited_for_until_it_points_to_the_version(here: Registry, tmp_path: Path) -> None:
    add(tmp_path / "here")
    events: dict[float, Callable[[], object]] = {
        3: lambda: add(tmp_path / "here", "1.1.0", tag="production"),
        7: lambda: here.tag("net@1.0.0", "candidate"),
        11: lambda: here.tag("net@1.0.0", "production"),
    }

    found, sleeps = wait(here, REF, events, tag="production", limit=100)

    assert (str(found), sleeps) == (REF, [4, 4, 4])


@pytest.mark.parametrize(
    ("tag", "reason"), [("candidate", "no tag model/net@candidate"), ("production", "another version")]
)
def test_a_tag_that_does_not_come_is_said_to_be_elsewhere_or_nowhere(
    tag: str, reason: str, here: Registry, tmp_path: Path
) -> None:
    add(tmp_path / "here")
    add(tmp_path / "here", "1.1.0", tag="production")

    with pytest.raises(MlregError, match=f"with the tag {tag}") as caught:
        waiting.wait(here, REF, tag=tag, limit=0, interval=1)

    assert caught.value.code == "wait_timeout"
    assert reason in caught.value.why


def test_a_tag_that_was_taken_away_points_to_nothing(here: Registry, tmp_path: Path) -> None:
    add(tmp_path / "here", tag="production")
    here.untag("net@production")

    assert wait(here, REF, tag="production", limit=0) == ("wait_timeout", [])


@pytest.mark.parametrize(
    ("ref", "code"),
    [
        ("nowhere::model/net", "no_remote"),
        ("model/Net", "bad_ref"),
        ("net", "ref_ambiguous"),
        ("model/net@1.0.0:nofile", "path_not_found"),
    ],
)
def test_what_time_does_not_mend_ends_at_once(ref: str, code: str, here: Registry, tmp_path: Path) -> None:
    add(tmp_path / "here")
    here.add("data/net", [tmp_path / "weights"], version="2026.01.01")

    assert wait(here, ref) == (code, [])


def test_looks_without_a_pause_are_refused(here: Registry) -> None:
    with pytest.raises(MlregError, match="no time between") as caught:
        waiting.wait(here, REF, tag="", limit=1, interval=0)

    assert caught.value.code == "bad_duration"


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("2h", 7200), ("1.5", 1.5), ("0", 0), ("0.5h", 1800)]
)
def test_a_duration_is_seconds(text: str, seconds: float) -> None:
    assert waiting.seconds_of(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "s", "soon", "-1", "+1", "1 s", "1w", "1e9", "1.", ".5", "nan", "inf", "1_0", "٣", "1s\n", "9" * 400]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(MlregError) as caught:
        waiting.seconds_of(text)

    assert caught.value.code == "bad_duration"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "bad_condition"),
        ("tag", "bad_condition"),
        ("exists=1", "bad_condition"),
        ("tag=", "bad_tag"),
        ("tag=1.0", "bad_tag"),
    ],
)
def test_what_cannot_be_waited_for_is_refused(text: str, code: str) -> None:
    with pytest.raises(MlregError) as caught:
        waiting.tag_in(text)

    assert caught.value.code == code
    assert (waiting.tag_in("exists"), waiting.tag_in("tag=production")) == ("", "production")


def test_no_pause_is_longer_than_a_system_can_sleep(here: Registry) -> None:
    clock = Clock({})
    limit = 9_999_999 * 3600.0
    with pytest.raises(MlregError):
        waiting.wait(here, REF, tag="", limit=limit, interval=limit / 2, clock=lambda: clock.now, sleep=clock.sleep)
    assert max(clock.sleeps) <= waiting.LONGEST_SLEEP
