"""A log that went back, forked, was cut, has a slot twice or lacks one is noticed; one that is whole never is."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from mlreg.errors import MlregError
from mlreg.formats.spoken import phrase_of
from mlreg.formats.transaction import Transaction
from mlreg.ids import TransactionHash
from mlreg.registry import proving
from mlreg.registry.places import init
from mlreg.registry.registry import Registry
from mlreg.registry.sync import Sync
from mlreg.repository.heads import Client


class Project:
    """A repository with three transactions, and a user of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.place = root / "here"

    def open(self, user: str = "ann") -> Registry:
        """Return the registry as a process of a user opens it."""
        state = self.root / "state" / user
        remotes = {"origin": str(self.root / "there")}
        return Registry(self.place, user, self.root / "cache" / user, remotes, client=lambda: Client(state))

    def tag(self, name: str, user: str = "ann") -> None:
        self.open(user).tag("model/net@1.0.0", name)

    def slot(self, number: int, place: str = "here") -> Path:
        return self.root / place / "log" / f"{number:016}"

    def copy(self) -> Callable[[], None]:
        """Keep the repository as it is, and return what brings it back over what is there then."""
        shutil.copytree(self.place, self.root / "old")

        def bring_back() -> None:
            shutil.rmtree(self.place)
            shutil.copytree(self.root / "old", self.place)

        return bring_back

    def write(self, number: int, data: bytes, place: str = "here") -> None:
        self.slot(number, place).unlink(missing_ok=True)
        self.slot(number, place).write_bytes(data)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make, once, what each test gets a copy of."""
    root = tmp_path_factory.mktemp("template")
    for name in ("here", "there"):
        init(root / name, shared=True)
    (root / "weights").write_bytes(b"weights")
    registry = Registry(root / "here", "ann")
    registry.add("model/net", [root / "weights"], version="1.0.0")
    for tag in ("one", "two"):
        registry.tag("model/net@1.0.0", tag)
    return root


@pytest.fixture
def project(template: Path, tmp_path: Path) -> Project:
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    project = Project(tmp_path)
    project.open().open()
    return project


def code_of(call: Callable[[], object]) -> str:
    """Return how a call fails; empty if it does not."""
    try:
        call()
    except MlregError as error:
        return error.code if (error.exit_status, bool(error.why), bool(error.fix)) == (6, True, True) else str(error)
    return ""


def files(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_log_that_is_whole_says_so_again_and_again(project: Project) -> None:
    first = proving.verify(project.open())
    project.tag("three", user="bo")

    assert (first.transactions, [one.by for one in first.compared]) == (3, ["this machine"])
    assert proving.verify(project.open()).transactions == 4
    assert [one.number for one in proving.verify(project.open()).compared] == [4]
    assert proving.verify(project.open("new")).compared == ()


def tag_it(registry: Registry) -> None:
    registry.tag("model/net@1.0.0", "no")


def cut(project: Project) -> None:
    project.slot(3).unlink()


def cut_and_go_on(project: Project) -> None:
    project.slot(3).unlink()
    project.tag("other", user="bo")


def take_out(project: Project) -> None:
    project.slot(2).unlink()


def double(project: Project) -> None:
    project.write(4, project.slot(3).read_bytes())


def swap(project: Project) -> None:
    second, third = project.slot(2).read_bytes(), project.slot(3).read_bytes()
    project.write(2, third)
    project.write(3, second)


def change_a_word(project: Project) -> None:
    project.write(2, project.slot(2).read_bytes().replace(b'"ann"', b'"bob"'))


def change_the_past_and_all_after_it(project: Project) -> None:
    """Write another history that follows from slot to slot: only who saw the old one can tell."""
    previous = None
    for number in (2, 3):
        slot = Transaction.decode(project.slot(number).read_bytes())
        data = slot._replace(author="mallory", previous=previous or slot.previous).encode()
        project.write(number, data)
        previous = TransactionHash.of(data)


def add_a_signature(project: Project) -> None:
    project.write(3, project.slot(3).read_bytes() + b"signed by mallory\n")


def half_write(project: Project) -> None:
    project.write(3, project.slot(3).read_bytes()[:100])


DAMAGE: dict[Callable[[Project], None], str] = {
    cut: "log_went_back",
    cut_and_go_on: "log_forked",
    take_out: "bad_log",
    double: "bad_log",
    swap: "bad_log",
    change_a_word: "bad_log",
    change_the_past_and_all_after_it: "log_forked",
    add_a_signature: "log_forked",
    half_write: "bad_transaction",
}


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
def test_whatever_was_done_to_a_log_is_noticed_and_nothing_is_written(
    damage: Callable[[Project], None], project: Project
) -> None:
    damage(project)
    before = files(project.root)

    assert code_of(lambda: proving.verify(project.open())) == DAMAGE[damage]
    assert files(project.root) == before


def test_an_old_copy_over_a_newer_repository_is_noticed_by_every_command_until_it_is_accepted(
    project: Project,
) -> None:
    bring_back = project.copy()
    project.tag("three")
    bring_back()
    before = files(project.place)

    for use in (Registry.entries, Registry.open, tag_it, proving.head):
        assert code_of(partial(use, project.open())) == "log_went_back"
    assert [one.code for one in project.open().verify().problems] == ["log_went_back"]
    assert files(project.place) == before
    assert proving.forget(project.open()).changed
    project.tag("three")
    assert not code_of(lambda: proving.verify(project.open()))


def test_an_old_copy_that_was_written_to_is_noticed(project: Project) -> None:
    bring_back = project.copy()
    project.tag("three")
    bring_back()
    project.tag("other", user="bo")

    assert code_of(lambda: project.open().entries()) == "log_forked"


def test_what_was_seen_outlives_the_cache_and_does_not_lie_in_the_repository(project: Project) -> None:
    shutil.rmtree(project.root / "cache")
    cut(project)

    assert code_of(lambda: project.open().entries()) == "log_went_back"


def test_a_note_that_cannot_be_read_counts_as_none(project: Project) -> None:
    (note,) = (project.root / "state" / "ann").rglob("*.json")
    note.write_bytes(b"")

    assert not code_of(lambda: proving.verify(project.open()))


def test_a_repository_made_anew_in_the_same_place_is_another_one(project: Project) -> None:
    shutil.rmtree(project.place)
    init(project.place, shared=True)

    assert project.open().entries() == []


def test_a_remote_is_compared_with_what_was_seen_at_the_last_meeting(project: Project) -> None:
    Sync(project.open()).push()
    project.open().tag("model/net@1.0.0", "three")
    Sync(project.open()).push()

    assert [(one.by, one.number) for one in proving.verify(project.open(), "origin").compared] == [("origin", 2)]
    project.slot(2, "there").unlink()
    assert code_of(lambda: proving.verify(project.open(), "origin")) == "log_went_back"
    assert code_of(lambda: Sync(project.open()).push()) == "remote_went_back"
    proving.forget(project.open(), "origin")
    assert not code_of(lambda: proving.verify(project.open(), "origin"))


def test_a_remote_that_is_another_repository_is_refused(project: Project) -> None:
    Sync(project.open()).push()
    shutil.rmtree(project.root / "there")
    init(project.root / "there", shared=True)

    assert code_of(lambda: proving.verify(project.open(), "origin")) == "remote_replaced"


def test_two_copies_of_a_repository_that_were_both_written_to_are_told_apart(project: Project) -> None:
    project.copy()
    other = str(project.root / "old")
    assert not code_of(lambda: proving.verify(project.open(), other))

    project.tag("here")
    assert not code_of(lambda: proving.verify(project.open(), other))
    Registry(other, "bo").tag("model/net@1.0.0", "there")
    with pytest.raises(MlregError, match="parted after transaction 3"):
        proving.verify(project.open(), other)


def test_a_head_that_was_written_down_is_compared_as_digits_and_as_words(project: Project) -> None:
    kept = proving.head(project.open("someone"))
    project.tag("three")
    words, digits, short = f"3:{kept.phrase}", kept.head, kept.head[:18]

    assert len(proving.verify(project.open("new"), expected=[words, digits, short]).compared) == 3
    change_the_past_and_all_after_it(project)
    project.slot(4).unlink()
    for text in (words, digits, short):
        assert code_of(partial(proving.verify, project.open("other"), expected=[text])) == "log_forked"
    assert code_of(lambda: proving.verify(project.open("other"), expected=["9:" + "0" * 64])) == "log_went_back"


@pytest.mark.parametrize("text", ["", "3", "3:", "3:abc", "x:" + "0" * 64, "3:lusab-babad", "3:" + "0" * 65])
def test_what_is_no_head_is_refused(text: str, project: Project) -> None:
    with pytest.raises(MlregError) as caught:
        proving.verify(project.open(), expected=[text])

    assert caught.value.code == "bad_head"


def test_words_stand_for_bits() -> None:
    """The examples of proquints: 127.0.0.1 and 63.84.220.193."""
    assert phrase_of(TransactionHash(bytes([127, 0, 0, 1, 63, 84, 220, 193] * 4))).split("-")[:4] == [
        "lusab",
        "babad",
        "gutih",
        "tugad",
    ]


def test_a_log_without_transactions_has_a_head(tmp_path: Path) -> None:
    registry = Registry(init(tmp_path / "new", shared=True)[0], "Ann")

    found = proving.head(registry)
    assert (found.number, found.time) == (0, "")
    assert proving.verify(registry, expected=[found.head]).transactions == 0


def test_what_lies_among_the_slots_and_is_none_is_named(project: Project) -> None:
    project.slot(3).with_name("0000000000000003 (copy)").write_bytes(b"")

    assert proving.verify(project.open()).strays == ("log/0000000000000003 (copy)",)
