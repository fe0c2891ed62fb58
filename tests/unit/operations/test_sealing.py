"""Sealing: a run becomes a version with all that was said of it, once, whoever seals it and however often."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from mlreg.errors import MlregError, NotFoundError
from mlreg.formats import canonical
from mlreg.formats.annotation import about_version, facts_of
from mlreg.formats.commit import Commit
from mlreg.formats.names import Entry
from mlreg.formats.run_summary import LONG
from mlreg.formats.series import FILE, decode_series
from mlreg.operations.annotate import annotate
from mlreg.operations.history import files_of, read_commit, version_of, versions_of
from mlreg.operations.live_runs import read_live_run
from mlreg.operations.naming import rename
from mlreg.operations.record import remove
from mlreg.operations.register import Recorded
from mlreg.operations.sealing import MAX_LABELS, MAX_MESSAGE, seal
from mlreg.repository.repository import Repository
from mlreg.stores.faulty import Fault, FaultyStore, fail_at
from mlreg.stores.memory import MemoryStore
from tests.unit.operations.live import HERE, NOW, RUN, end, left, logged, read, start, write
from tests.unit.repository.samples import repository_in

CHURN = Entry("exp", "churn")
SAID = {"a": [start(), {"params": {"lr": 0.1}, "time": NOW}, logged(0.5, 1), logged(0.25, 2, 1), end(3)]}


@pytest.fixture
def repository() -> Repository:
    return repository_in()


def versions(repository: Repository, entry: Entry = CHURN) -> list[str]:
    """Return the versions of an experiment, the oldest first."""
    return list(reversed(versions_of(repository.log.refresh(), entry)))


def commit_of(repository: Repository, version: str = RUN) -> Commit:
    found = version_of(repository.log.refresh(), CHURN, version)
    assert found
    assert found.target
    return read_commit(repository, found.target)


def files(repository: Repository, version: str = RUN) -> dict[str, bytes]:
    whole = repository.objects.read_whole
    return {one.path: b"".join(whole(one.id, one.size)) for one in files_of(repository, commit_of(repository, version))}


def labels(repository: Repository, version: str = RUN) -> Any:
    about = about_version(f"version/{CHURN}/{version}", commit_of(repository, version).content())
    return facts_of(repository.log.refresh().annotations(about)).get("labels")


def artifact(path: str, place: str, time: int = 1) -> dict[str, Any]:
    return {"artifact": {"path": path, "place": place}, "time": NOW + time}


def sealed(repository: Repository, runs: Path, *said: dict[str, Any], **more: bytes) -> Recorded:
    """Seal a run that said all this, and then ended."""
    return seal(repository, read(runs, {"a": [start(), *said, end(9)]}, more), "Ann")


# What a version holds.


def test_a_sealed_run_holds_all_that_was_said_and_its_directory_is_gone(tmp_path: Path, repository: Repository) -> None:
    said = [*SAID["a"][:-1], artifact("artifacts/model.pt", "f1"), {"labels": {"team": "a"}, "time": NOW}, end(3)]

    done = seal(repository, read(tmp_path, {"a": said}, {"f1": b"weights"}), "Ann")

    assert (str(done.commit.entry), done.commit.version, done.is_changed) == ("exp/churn", RUN, True)
    stored = files(repository)
    assert sorted(stored) == ["artifacts/model.pt", "metrics.safetensors"]
    assert stored["artifacts/model.pt"] == b"weights"
    points = [(one.step, one.time - NOW, one.value) for one in decode_series(stored[FILE])["loss"].points()]
    assert points == [(0, 1, 0.5), (1, 2, 0.25)]
    assert labels(repository) == {"team": "a"}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("status", ["finished", "failed", "killed", "crashed"])
def test_a_run_is_sealed_with_how_it_ended(tmp_path: Path, repository: Repository, status: str) -> None:
    said = [start(), logged(1, 1)] if status == "crashed" else [start(), logged(1, 1), end(2, status)]

    seal(repository, read(tmp_path, {"a": said}), "Ann")

    assert commit_of(repository).metadata["run"]["status"] == status


def test_what_is_too_long_for_a_commit_is_a_file(tmp_path: Path, repository: Repository) -> None:
    long = [{"params": {f"p{number}": "x" * 500_000}, "time": NOW} for number in range(4)]

    sealed(repository, tmp_path, *long, {"told": {"name": "n" * 900_000}, "time": NOW})

    stored = canonical.decode(files(repository)[LONG], 4_000_000)
    assert sorted(stored["params"]) == ["p0", "p1", "p2", "p3"]
    assert commit_of(repository).metadata["params"] == {}


def test_a_long_description_is_the_message_in_part_and_a_fact_as_a_whole(
    tmp_path: Path, repository: Repository
) -> None:
    text = "why " * 200_000

    sealed(repository, tmp_path, {"told": {"description": text}, "time": NOW})

    assert commit_of(repository).message == text[:MAX_MESSAGE]
    assert commit_of(repository).metadata["run"]["description"] == text


def test_labels_for_which_there_is_no_room_are_facts(tmp_path: Path, repository: Repository) -> None:
    large = {f"l{number}": str(number) * size for number, size in enumerate((600_000, 300_000, 600_000))}

    sealed(
        repository,
        tmp_path,
        *({"labels": {name: value}, "time": NOW} for name, value in large.items()),
        {"labels": {"team": "a"}, "time": NOW},
    )

    stated, long = labels(repository), canonical.decode(files(repository)[LONG], 4_000_000)["run"]["long_labels"]
    assert {**stated, **long} == {**large, "team": "a"}
    assert sorted(stated) == ["l1", "team"]
    assert len(canonical.encode(stated)) <= MAX_LABELS + 100


def test_files_that_are_not_there_are_named(tmp_path: Path, repository: Repository) -> None:
    sealed(repository, tmp_path, artifact("artifacts/a", "f1"), artifact("artifacts/b", "../../secret"), f1=b"1")

    assert sorted(files(repository)) == ["artifacts/a"]
    assert commit_of(repository).metadata["run"]["missing"] == ["artifacts/b"]


def test_files_that_cannot_lie_side_by_side_are_all_kept(tmp_path: Path, repository: Repository) -> None:
    said = [
        artifact("artifacts/a", "f1"),
        artifact("artifacts/a/b", "f2"),
        artifact("artifacts/A", "f3"),
        artifact(LONG, "f4"),
    ]

    sealed(repository, tmp_path, *said, f1=b"1", f2=b"2", f3=b"3", f4=b"4")

    moved = commit_of(repository).metadata["run"]["moved"]
    stored = {moved.get(path, path): data for path, data in files(repository).items()}
    assert stored == {"artifacts/a": b"1", "artifacts/a/b": b"2", "artifacts/A": b"3", LONG: b"4"}


# Again, and by others.


def test_sealing_the_same_again_changes_nothing(tmp_path: Path, repository: Repository) -> None:
    for attempt in range(3):
        done = seal(repository, read(tmp_path / str(attempt), SAID), f"person {attempt}")
        assert (done.commit.author, done.is_changed) == ("person 0", attempt == 0)

    assert versions(repository) == [RUN]
    assert repository.log.refresh().number == 1


def test_more_that_was_said_is_another_version_that_follows(tmp_path: Path, repository: Repository) -> None:
    first = seal(repository, read(tmp_path / "1", SAID), "Ann")
    more = {**SAID, "b": [start(1, experiment=None), logged(9, 2), left(3)]}

    second = seal(repository, read(tmp_path / "2", more), "Ann")
    again = seal(repository, read(tmp_path / "3", more), "Ann")

    assert versions(repository) == [RUN, f"{RUN}+2"]
    assert second.commit.parents == (first.commit_id,)
    assert (again.commit_id, again.is_changed) == (second.commit_id, False)


def test_a_copy_of_what_it_was_before_it_went_on_is_nothing_new(tmp_path: Path, repository: Repository) -> None:
    seal(repository, read(tmp_path / "1", SAID), "Ann")
    more = {"b": [start(10, resumes=RUN), logged(9, 11), end(12)]}
    seal(repository, read(tmp_path / "2", more), "Ann")

    for directory, said, version in (("3", SAID, RUN), ("4", more, f"{RUN}+2")):
        done = seal(repository, read(tmp_path / directory, said), "Bob")
        assert (done.commit.version, done.is_changed) == (version, False)
    assert versions(repository) == [RUN, f"{RUN}+2"]


def test_a_run_that_went_on_is_sealed_with_what_it_had(tmp_path: Path, repository: Repository) -> None:
    first = [start(), logged(0.5, 1), artifact("artifacts/a", "f1"), artifact("artifacts/b", "f2")]
    first += [{"labels": {"team": "a", "x": 1}, "time": NOW}, {"params": {"lr": 1}, "time": NOW}, end(2, "failed")]
    seal(repository, read(tmp_path / "1", {"a": first}, {"f1": b"1", "f2": b"2"}), "Ann")
    second = [
        start(10, resumes=RUN),
        logged(0.25, 11, 1),
        artifact("artifacts/b", "f3", 11),
        {"labels": {"x": 2}, "time": NOW + 11},
        end(12),
    ]

    done = seal(repository, read(tmp_path / "2", {"b": second}, {"f3": b"3"}), "Ann")

    version = done.commit.version
    assert version == f"{RUN}+2"
    stored = files(repository, version)
    assert (stored["artifacts/a"], stored["artifacts/b"]) == (b"1", b"3")
    assert [one.value for one in decode_series(stored[FILE])["loss"].points()] == [0.5, 0.25]
    assert labels(repository, version) == {"team": "a", "x": 2}
    metadata = done.commit.metadata
    assert (metadata["params"], metadata["run"]["status"]) == ({"lr": 1}, "finished")
    assert metadata["run"]["seconds"] == pytest.approx(0.004)


def test_a_label_that_was_set_after_the_run_was_sealed_goes_on_with_it(tmp_path: Path, repository: Repository) -> None:
    seal(repository, read(tmp_path / "1", SAID), "Ann")
    about = about_version(f"version/{CHURN}/{RUN}", commit_of(repository).content())
    annotate(repository, about, {"labels": {"team": "b"}}, "Ann", "", lambda view: {})

    seal(repository, read(tmp_path / "2", {"b": [start(10, resumes=RUN), end(11)]}), "Ann")

    assert labels(repository, f"{RUN}+2") == {"team": "b"}


def test_a_run_that_goes_on_with_what_is_not_here_waits_for_it(tmp_path: Path, repository: Repository) -> None:
    run = read(tmp_path, {"b": [start(10, resumes=RUN), logged(9, 11), end(12)]})

    with pytest.raises(NotFoundError) as caught:
        seal(repository, run, "Ann")
    assert caught.value.code == "version_missing"
    assert run.directory.is_dir()


def test_the_name_of_a_run_that_was_removed_is_not_given_away(tmp_path: Path, repository: Repository) -> None:
    seal(repository, read(tmp_path / "1", SAID), "Ann")
    remove(repository, {CHURN: [RUN]}, "Ann", "")

    done = seal(repository, read(tmp_path / "2", SAID), "Ann")

    assert done.commit.version == f"{RUN}+2"


@pytest.mark.parametrize("said", ["churn", "vision/churn"])
def test_a_run_of_an_experiment_that_was_renamed_is_one_of_it(
    tmp_path: Path, repository: Repository, said: str
) -> None:
    seal(repository, read(tmp_path / "1", SAID), "Ann")
    rename(repository, CHURN, Entry("exp", "vision/churn"), "Ann", "")
    more = {"b": [start(10, resumes=RUN, experiment=said), logged(9, 11), end(12)]}

    for directory in "23":
        assert seal(repository, read(tmp_path / directory, more), "Ann").commit.version == f"{RUN}+2"
    assert versions(repository) == [RUN, f"{RUN}+2"]


def test_runs_that_are_sealed_by_many_at_once_are_sealed_once(tmp_path: Path, repository: Repository) -> None:
    said = {**SAID, "b": [start(1, experiment=None), artifact("artifacts/a", "f1"), left(2)]}
    write(tmp_path, said, {"f1": b"weights" * 1000})
    done: list[Recorded] = []
    troubles: list[MlregError] = []
    barrier = threading.Barrier(4)

    def work() -> None:
        barrier.wait()
        try:
            done.append(seal(repository, read_live_run(tmp_path, RUN), "Ann"))
        except NotFoundError as error:
            troubles.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert versions(repository) == [RUN]
    assert "missing" not in commit_of(repository).metadata["run"]
    assert (len(done) + len(troubles), bool(done)) == (4, True)
    assert {error.code for error in troubles} <= {"run_missing", "file_missing"}


@pytest.mark.parametrize("moment", ["before the files are looked for", "before they are read"])
def test_who_finds_the_directory_taken_away_seals_no_part_of_it(
    tmp_path: Path, repository: Repository, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"a": [start(), logged(1, 1), artifact("artifacts/a", "f1"), end(2)]}
    slow = read(tmp_path, said, {"f1": b"weights"})
    if moment == "before they are read":
        from mlreg.operations import sealing

        real = sealing.run_version

        def late(*given: Any) -> Any:
            new = real(*given)
            monkeypatch.undo()
            seal(repository, read_live_run(tmp_path, RUN), "Ann")
            return new

        monkeypatch.setattr(sealing, "run_version", late)
    else:
        seal(repository, read_live_run(tmp_path, RUN), "Ann")

    with pytest.raises(NotFoundError):
        seal(repository, slow, "Bob")
    assert versions(repository) == [RUN]


def test_a_run_that_another_process_still_writes_is_sealed_and_stays(tmp_path: Path, repository: Repository) -> None:
    joined = [start(1, experiment=None, **HERE), logged(7, 2)]
    seal(repository, read(tmp_path, {**SAID, "b": joined}), "Ann")

    write(tmp_path, {"b": [*joined, logged(8, 4), left(5)]})
    seal(repository, read_live_run(tmp_path, RUN), "Ann")

    assert versions(repository) == [RUN, f"{RUN}+2"]
    assert len(decode_series(files(repository, f"{RUN}+2")[FILE])["loss"]) == 4
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_leaves_without_a_word_more_changes_nothing(tmp_path: Path, repository: Repository) -> None:
    joined = [start(1, experiment=None, **HERE), logged(7, 2)]
    seal(repository, read(tmp_path, {**SAID, "b": joined}), "Ann")

    write(tmp_path, {"b": [*joined, left(500)]})
    seal(repository, read_live_run(tmp_path, RUN), "Ann")

    assert versions(repository) == [RUN]
    assert list(tmp_path.iterdir()) == []


# What cannot be sealed.


def test_a_run_of_which_no_one_says_what_it_is_stays(tmp_path: Path, repository: Repository) -> None:
    run = read(tmp_path, {"a": [logged(1, 1), end(2)]})

    with pytest.raises(MlregError) as caught:
        seal(repository, run, "Ann")
    assert caught.value.code == "no_experiment"
    assert run.directory.is_dir()


def test_a_directory_that_may_only_be_read_is_sealed_and_stays(
    tmp_path: Path, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path, __: Path) -> Path:
        raise PermissionError(13, "Permission denied")

    run = read(tmp_path, SAID)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", refuse)
        for _ in range(2):
            assert seal(repository, run, "Ann").commit.version == RUN
    assert run.directory.is_dir()


def test_nothing_is_taken_away_before_it_is_a_version(tmp_path: Path) -> None:
    call, is_done = 1, False
    while not is_done:
        call += 1
        store, run = MemoryStore(), read(tmp_path / str(call), SAID)
        repository_in(store)
        try:
            seal(Repository(FaultyStore(store, fail_at(call, Fault.BEFORE)), None), run, "Ann")
        except MlregError:
            assert run.directory.is_dir()
            assert seal(repository_in(store), run, "Ann").commit.version == RUN
        else:
            is_done = True
        assert (versions(repository_in(store)), run.directory.exists()) == ([RUN], False)
    assert call > 5
