"""The view: the same state whatever way led to it, and thrown away when it is damaged."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.errors import IntegrityError, MlregError, UnavailableError
from mlreg.formats.pack import PackKind, Sort
from mlreg.formats.snapshot import RefState, Snapshot
from mlreg.formats.transaction import RefChange, Transaction
from mlreg.ids import CommitId, ContentId, TransactionHash
from mlreg.repository import database
from mlreg.repository.log import Draft
from mlreg.repository.repository import Repository
from mlreg.repository.view import DROPPED, LIVE, REAPED, Place, View
from mlreg.stores.directory import DirectoryStore
from mlreg.stores.memory import MemoryStore
from tests.unit.repository.samples import chain, commit, move, pack_entry, pack_id, put, repository_in


@pytest.fixture
def view() -> View:
    return View(None)


def everything(view: View) -> tuple[object, ...]:
    return view.snapshot(), view.refs(""), view.changes(""), view.live_packs(), view.generation


# Folding.


def test_an_empty_view_stands_before_the_first_slot(view: View) -> None:
    assert view.position == (0, None)
    assert (view.number, view.generation, view.history_from) == (0, 0, 1)
    assert (view.refs(""), view.live_packs(), view.changes("")) == ([], [], [])


def test_names_are_set_moved_removed_and_set_again(view: View) -> None:
    slots = list(
        chain(
            Draft("Ann", "one", (move("tag/a", None, "x"), move("tag/b", None, "x"))),
            Draft("Bob", "two", (move("tag/a", "x", "y"),)),
            Draft("Bob", "three", (move("tag/a", "y", None),)),
        )
    )
    view.apply(slots)

    assert view.position == (3, slots[-1][1])
    assert view.ref("tag/a") == RefState("tag/a", None, commit("y"), 3)
    assert view.ref("tag/b") == RefState("tag/b", commit("x"), None, 1)
    assert view.ref("tag/c") is None
    view.apply(chain(Draft("Ann", refs=(move("tag/a", None, "z"),)), number=3, head=slots[-1][1]))
    assert view.ref("tag/a") == RefState("tag/a", commit("z"), None, 4)


def test_slots_that_were_applied_are_passed_over(view: View) -> None:
    slots = list(chain(Draft("Ann", refs=(move("tag/a", None, "x"),)), Draft("Ann", refs=(move("tag/a", "x", "y"),))))
    view.apply(slots[:1])
    view.apply(slots)
    view.apply(slots)

    assert view.number == 2
    assert len(view.changes("")) == 2


def refused(view: View, *drafts: Draft) -> None:
    """Check that the last draft does not fit, and that it and those before it in one step change nothing."""
    number, head = view.position
    before = everything(view)
    with pytest.raises(IntegrityError) as caught:
        view.apply(chain(*drafts, number=number, head=head) if head else chain(*drafts))
    assert caught.value.code == "bad_log"
    assert everything(view) == before


FITS = Draft("Ann", refs=(move("tag/a", None, "x"),), add=(pack_entry(1),))

MISFITS = {
    "a name that is there is made": (Draft("Ann", refs=(move("tag/a", None, "y"),)),),
    "a name that is not there is moved": (Draft("Ann", refs=(move("tag/b", "x", "y"),)),),
    "a name is moved from where it was not": (Draft("Ann", refs=(move("tag/a", "y", "z"),)),),
    "a name is moved twice from one place": (Draft("Ann", refs=(move("tag/a", "x", "y"), move("tag/a", "x", "z"))),),
    "the second of two moves does not fit": (Draft("Ann", refs=(move("tag/b", None, "x"), move("tag/a", None, "x"))),),
    "the second of two slots does not fit": (
        Draft("Ann", refs=(move("tag/b", None, "x"),)),
        Draft("Ann", refs=(move("tag/b", None, "x"),)),
    ),
    "a live pack is added": (Draft("Ann", add=(pack_entry(1),)),),
    "a live pack is reaped": (Draft("Ann", reap=(pack_id(1),)),),
    "a pack that was never named is dropped": (Draft("Ann", drop=(pack_id(2),)),),
    "a pack is dropped twice": (Draft("Ann", drop=(pack_id(1), pack_id(1))),),
    "a reaped pack is added": (
        Draft("Ann", drop=(pack_id(1),), reap=(pack_id(1),)),
        Draft("Ann", add=(pack_entry(1),)),
    ),
    "a reaped pack is dropped": (Draft("Ann", reap=(pack_id(2),)), Draft("Ann", drop=(pack_id(2),))),
    "a pack is reaped twice": (Draft("Ann", reap=(pack_id(2), pack_id(2))),),
}


@pytest.mark.parametrize("name", MISFITS)
def test_a_slot_that_does_not_fit_is_refused_and_changes_nothing(name: str, view: View) -> None:
    view.apply(chain(FITS))

    refused(view, *MISFITS[name])


def test_a_slot_that_is_left_out_is_missed(view: View) -> None:
    slots = list(chain(Draft("Ann"), Draft("Ann"), Draft("Ann")))

    with pytest.raises(IntegrityError) as caught:
        view.apply([slots[0], slots[2]])
    assert caught.value.code == "bad_log"
    assert view.number == 0


def test_a_pack_lives_is_dropped_lives_again_and_is_reaped_for_good(view: View) -> None:
    states = []
    drafts = [
        Draft("Ann", add=(pack_entry(1), pack_entry(2))),
        Draft("Ann", drop=(pack_id(1),)),
        Draft("Ann", add=(pack_entry(1),)),
        Draft("Ann", drop=(pack_id(1),)),
        Draft("Ann", reap=(pack_id(1), pack_id(9))),
    ]
    for slot in chain(*drafts):
        view.apply([slot])
        states.append(view.pack_state(pack_id(1)))

    assert states == [LIVE, DROPPED, LIVE, DROPPED, REAPED]
    assert view.pack_state(pack_id(9)) == REAPED
    assert view.pack_state(pack_id(5)) is None
    assert view.live_packs() == [pack_entry(2)]


def test_the_generation_counts_lossy_slots_alone(view: View) -> None:
    drop = Draft("Ann", drop=(pack_id(1),))
    view.apply(
        chain(Draft("Ann", add=(pack_entry(1),)), drop, Draft("Ann", is_lossy=True), Draft("Ann", is_lossy=True))
    )

    assert view.generation == 2


@pytest.mark.parametrize("name", MISFITS)
def test_trying_a_slot_tells_what_applying_it_would_and_changes_nothing(name: str, view: View) -> None:
    view.apply(chain(FITS))
    number, head = view.position
    assert head is not None
    slots = list(chain(*MISFITS[name], number=number, head=head))
    view.apply(slots[:-1])
    before = everything(view)

    with pytest.raises(IntegrityError) as caught:
        view.fits(slots[-1][0])
    assert caught.value.code == "bad_log"
    assert everything(view) == before


def test_only_the_next_slot_fits(view: View) -> None:
    slots = [slot for slot, _ in chain(FITS, Draft("Ann", refs=(move("tag/a", "x", "y"),)), Draft("Ann"))]

    assert [view.fits(slot) for slot in slots] == [True, False, False]
    assert everything(view) == everything(View(None))
    view.apply(chain(FITS))
    assert [view.fits(slot) for slot in slots] == [False, True, False]


# Questions.


def test_names_are_found_by_their_beginning_in_order(view: View) -> None:
    names = ["tag/model/a/z", "tag/model/a/b", "tag/model/ab/x", "version/model/a/1.0.0", "tag/model/a/\U0001f600"]
    view.apply(chain(Draft("Ann", refs=tuple(move(name, None, "x") for name in names))))

    assert [ref.name for ref in view.refs("tag/model/a/")] == [
        "tag/model/a/b",
        "tag/model/a/z",
        "tag/model/a/\U0001f600",
    ]
    assert [ref.name for ref in view.refs("")] == sorted(names)
    assert view.names_of(commit("x")) == sorted(names)
    assert view.names_of(commit("y")) == []


def test_changes_tell_who_moved_what_when_and_why(view: View) -> None:
    view.apply(
        chain(
            Draft("Ann", "first", (move("tag/b", None, "x"), move("tag/a", None, "x"))),
            Draft("Bob", "second", (move("tag/a", "x", None),)),
        )
    )

    assert [(change.number, change.name, change.author, change.message) for change in view.changes("tag/")] == [
        (1, "tag/a", "Ann", "first"),
        (1, "tag/b", "Ann", "first"),
        (2, "tag/a", "Bob", "second"),
    ]
    assert view.changes("tag/a")[-1][2:5] == (commit("x"), None, "2026-11-23T00:00:02Z")
    assert view.changes("version/") == []


def test_commits_that_were_kept_are_found_however_many_are_asked_for(view: View) -> None:
    bodies = {CommitId.of(body): body for body in (str(number).encode() for number in range(1200))}
    view.keep_commits(bodies)

    assert view.commit_bodies([*bodies, commit("unknown")]) == bodies


def test_objects_are_found_once_an_index_was_taken_up_until_the_pack_is_dropped() -> None:
    repository = repository_in()
    view = repository.log.view
    pack, other = (put(repository, [(Sort.PIECE, b"same")])[0] for _ in range(2))
    content = ContentId.of(b"same")
    assert not view.places(Sort.PIECE, content)
    assert list(view.unread_packs(PackKind.DATA)) == [pack, other]
    for entry in (pack, other):
        view.add_index(entry.id, repository.objects.fetch_index(entry))

    assert list(view.unread_packs(PackKind.DATA)) == []
    assert view.places(Sort.PIECE, content) == [Place(other.id, 0), Place(pack.id, 0)]
    repository.log.append(lambda view: Draft("Ann", drop=(other.id,)))
    assert view.places(Sort.PIECE, content) == [Place(pack.id, 0)]
    repository.log.append(lambda view: Draft("Ann", add=(other,)))
    assert len(view.places(Sort.PIECE, content)) == 2
    repository.log.append(lambda view: Draft("Ann", drop=(pack.id, other.id), reap=(pack.id,)))
    assert not view.places(Sort.PIECE, content)
    assert view.index(pack.id) is None
    assert not view.places(Sort.TREE, content)


@pytest.mark.parametrize("is_damaged", [False, True])
def test_nothing_is_kept_of_the_objects_of_a_pack_that_was_reaped(is_damaged: bool) -> None:
    """Also if what the view keeps of its index is damaged: that is a cache, and must not stop who reads the log."""
    repository = repository_in()
    view = repository.log.view
    pack, other = (put(repository, [(Sort.PIECE, b"same"), (Sort.PIECE, b"%d" % number)])[0] for number in range(2))
    for entry in (pack, other):
        view.add_index(entry.id, repository.objects.fetch_index(entry))
    if is_damaged:
        view._db.step(lambda: view._db.run("UPDATE packs SET content = x'00' WHERE id = ?", (pack.id,)))

    repository.log.append(lambda view: Draft("Ann", drop=(pack.id,)))
    repository.log.append(lambda view: Draft("Ann", reap=(pack.id,)))

    assert {row[0] for row in view._db.rows("SELECT id FROM objects")} == {
        ContentId.of(b"same"),
        ContentId.of(b"1"),
    }
    assert len(view._db.rows("SELECT id FROM objects")) == 2


# The same state, whatever way led to it.


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[Transaction, TransactionHash]]:
    """Return slots that fit one after the other."""
    names: dict[str, str | None] = {}
    packs: dict[int, int] = {}
    drafts = []
    for at in range(draw(st.integers(1, 8))):
        refs = []
        for name in draw(st.lists(st.sampled_from(["tag/a", "tag/b", "version/c"]), max_size=2, unique=True)):
            new = draw(st.sampled_from([None, "x", "y"]))
            refs.append(move(name, names.get(name), new))
            names[name] = new
        before = dict(packs)
        chosen = draw(st.lists(st.integers(0, 5), max_size=3, unique=True))
        add = [number for number in chosen if before.get(number) in (None, DROPPED) and draw(st.booleans())]
        drop = [number for number in chosen if before.get(number) == LIVE]
        reap = [n for n in chosen if n not in add and n not in drop and before.get(n) in (None, DROPPED)]
        for state, numbers in ((LIVE, add), (DROPPED, drop), (REAPED, reap)):
            packs.update(dict.fromkeys(numbers, state))
        drafts.append(
            Draft(
                "Ann",
                f"change {at}",
                tuple(refs),
                tuple(map(pack_entry, add)),
                tuple(map(pack_id, drop)),
                tuple(map(pack_id, reap)),
                draw(st.booleans()),
            )
        )
    return list(chain(*drafts))


@given(slots=histories(), data=st.data())
def test_a_snapshot_and_the_slots_behind_it_lead_to_the_same_state_as_all_slots(
    slots: list[tuple[Transaction, TransactionHash]], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(1, len(slots)))
    first, whole, loaded = View(None), View(None), View(None)
    first.apply(slots[:cut])
    whole.apply(slots)
    loaded.restart(loaded.position, Snapshot.decode(first.snapshot().encode()))

    assert loaded.position == first.position
    assert (first.history_from, loaded.history_from) == (1, cut + 1)
    loaded.apply(slots[cut:])
    assert loaded.snapshot() == whole.snapshot()
    assert loaded.refs("") == whole.refs("")
    assert [loaded.pack_state(pack_id(n)) for n in range(6)] == [whole.pack_state(pack_id(n)) for n in range(6)]
    loaded.add_history([slot for slot, _ in slots[:cut]])
    loaded.complete_history()
    assert everything(loaded) == everything(whole)
    assert loaded.history_from == 1


@given(slots=histories(), data=st.data())
def test_the_steps_in_which_slots_are_applied_do_not_matter(
    slots: list[tuple[Transaction, TransactionHash]], data: st.DataObject
) -> None:
    stepwise, whole = View(None), View(None)
    whole.apply(slots)
    for end in data.draw(st.lists(st.integers(0, len(slots)), max_size=3)):
        stepwise.apply(slots[:end])
    stepwise.apply(slots)

    assert everything(stepwise) == everything(whole)


def test_loading_a_snapshot_forgets_what_was_there(view: View) -> None:
    view.apply(chain(Draft("Ann", refs=(move("tag/other", None, "x"),), add=(pack_entry(3),), is_lossy=True)))
    view.keep_commits({commit("x"): b"x"})
    other = View(None)
    other.apply(chain(FITS))
    view.restart(view.position, other.snapshot())

    assert view.snapshot() == other.snapshot()
    assert (view.ref("tag/other"), view.changes(""), view.commit_bodies([commit("x")])) == (None, [], {})


# On a disk.


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "view.sqlite"


def test_a_view_in_a_file_is_there_when_it_is_opened_again(path: Path) -> None:
    view = View(path)
    view.apply(chain(FITS))
    before = everything(view)
    view.close()

    assert everything(View(path)) == before


def test_what_one_process_applied_another_sees_and_passes_over(path: Path) -> None:
    one, other = View(path), View(path)
    slots = list(chain(FITS, Draft("Ann", refs=(move("tag/a", "x", "y"),))))
    one.apply(slots[:1])
    other.apply(slots)
    one.apply(slots)

    assert one.number == other.number == 2
    assert everything(one) == everything(other)


def test_nobody_else_may_read_the_cache(path: Path) -> None:
    View(path).apply(chain(FITS))

    assert path.parent.stat().st_mode & 0o077 == 0


def of_another_release(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("DROP TABLE refs")
        db.execute("PRAGMA user_version = 999")
    db.close()


def flipped_header(path: Path) -> None:
    path.write_bytes(b"\xff" + path.read_bytes()[1:])


SEEN_AT_ONCE: dict[str, Callable[[Path], object]] = {
    "garbage": lambda path: path.write_bytes(b"garbage" * 1000),
    "one byte": lambda path: path.write_bytes(b"x"),
    "nothing": lambda path: path.write_bytes(b""),
    "a flipped header": flipped_header,
    "a view of another release": of_another_release,
    "no file": lambda path: path.unlink(),
}
SEEN_WHEN_READ: dict[str, Callable[[Path], object]] = {
    "half of it": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "the first page": lambda path: path.write_bytes(path.read_bytes()[:4096]),
    "zeros behind the first page": lambda path: path.write_bytes(path.read_bytes()[:4096].ljust(20000, b"\0")),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
}
PIECE = ContentId.of(b"a piece")


class Cached:
    """A repository whose view lies in a file."""

    def __init__(self, cache: Path) -> None:
        self.store, self.cache = MemoryStore(), cache
        repository = repository_in(self.store, cache)
        put(repository, [(Sort.COMMIT, b"a commit"), (Sort.PIECE, b"a piece")])
        repository.log.append(lambda view: Draft("Ann", refs=(move("tag/model/net/golden", None, "x"),)))
        self.expected = everything(repository.log.view)
        repository.close()
        (self.path,) = cache.rglob("view.sqlite")

    def check(self) -> None:
        repository = Repository(self.store, self.cache)
        assert everything(repository.log.refresh()) == self.expected
        assert repository.objects.read(Sort.PIECE, PIECE) == b"a piece"
        repository.close()


@pytest.mark.parametrize("damage", SEEN_AT_ONCE)
def test_a_file_that_is_no_view_is_replaced_without_a_word(damage: str, tmp_path: Path) -> None:
    cached = Cached(tmp_path)
    SEEN_AT_ONCE[damage](cached.path)

    cached.check()
    assert View(cached.path).number == 2
    cached.check()


@pytest.mark.parametrize("damage", SEEN_WHEN_READ)
def test_a_damaged_view_gives_right_answers_or_is_thrown_away_for_the_next_try(damage: str, tmp_path: Path) -> None:
    cached = Cached(tmp_path)
    SEEN_WHEN_READ[damage](cached.path)

    try:
        cached.check()
    except UnavailableError as error:
        code = error.code
    else:
        code = "view_damaged"
    assert code == "view_damaged"
    cached.check()


def test_a_view_that_is_damaged_while_it_is_open_is_thrown_away(path: Path) -> None:
    view = View(path)
    view.apply(chain(FITS))
    view._db.run("DROP TABLE refs")

    with pytest.raises(UnavailableError) as caught:
        view.ref("tag/a")
    assert caught.value.code == "view_damaged"
    assert (view.number, view.incarnation) == (0, 1)
    view.apply(chain(FITS))
    assert View(path).number == 1


def occupied_by_directory(path: Path) -> None:
    path.mkdir(parents=True)


def occupied_by_file(path: Path) -> None:
    path.parent.write_bytes(b"")


@pytest.mark.parametrize("occupy", [occupied_by_directory, occupied_by_file])
def test_where_no_file_can_be_the_view_is_in_memory(occupy: Callable[[Path], None], path: Path) -> None:
    occupy(path)
    view = View(path)
    view.apply(chain(FITS))

    assert view.number == 1


def test_copies_of_a_repository_do_not_share_a_view(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    one = repository_in(DirectoryStore(tmp_path / "one"), tmp_path / "cache")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    one.log.append(lambda view: Draft("Ann", "only here"))
    two = Repository(DirectoryStore(tmp_path / "two"), tmp_path / "cache")

    assert (one.log.view.number, two.log.refresh().number) == (1, 0)
    assert len(list((tmp_path / "cache").iterdir())) == 2


QUESTIONS: list[Callable[[View], object]] = [
    lambda view: view.number,
    lambda view: view.ref("tag/a"),
    lambda view: view.refs(""),
    lambda view: view.apply(chain(FITS)),
    lambda view: view.snapshot(),
]


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_error_of_a_view_is_an_error_of_mlreg(question: Callable[[View], object], view: View) -> None:
    view.close()

    with pytest.raises(MlregError):
        question(view)


# Interrupts, and others who write the same view.


class Interrupting:
    """A connection under which an interrupt comes right behind one statement."""

    def __init__(self, inner: sqlite3.Connection, statement: str) -> None:
        self.inner = inner
        self.statement = statement

    def execute(self, statement: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        found = self.inner.execute(statement, values)
        if statement.startswith(self.statement):
            self.statement = "never again"
            raise KeyboardInterrupt
        return found

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)


@pytest.mark.parametrize("statement", ["BEGIN", "INSERT OR REPLACE INTO refs", "INSERT OR REPLACE INTO transactions"])
@pytest.mark.parametrize("act", [View.apply, lambda view, slots: view.fits(slots[0][0])])
def test_an_interrupt_leaves_nothing_of_a_step(
    statement: str, act: Callable[[View, list[tuple[Transaction, TransactionHash]]], object], path: Path
) -> None:
    view = View(path)
    view._db._opened = Interrupting(view._db._connection, statement)  # type: ignore[assignment] # as one
    if statement.endswith("transactions") and act is not View.apply:
        pytest.skip("this is not written to find out whether a slot fits")

    with pytest.raises(KeyboardInterrupt):
        act(view, chain(FITS))

    assert (view.position, view.refs("")) == ((0, None), [])
    View(path).apply(chain(FITS))
    assert (view.number, len(view.refs(""))) == (1, len(View(path).refs("")))


def test_what_a_second_interrupt_left_of_a_step_is_undone_before_the_next_question(path: Path) -> None:
    """The first came within the step, the second while it was undone."""
    view = View(path)
    view._db._connection.execute("BEGIN IMMEDIATE")
    view._db._is_stepping = True
    view._db.run("INSERT INTO refs(name, target) VALUES('tag/phantom', x'00')")

    assert view.position == (0, None)
    assert view.refs("") == []
    View(path).apply(chain(FITS))


def test_a_view_that_another_process_has_brought_up_meanwhile_is_not_emptied(path: Path) -> None:
    slow, fast = View(path), View(path)
    before = slow.position
    fast.apply(chain(FITS))
    snapshot = fast.snapshot()
    fast.apply(chain(Draft("Ann", refs=(move("tag/a", "x", "y"),)), number=1, head=snapshot.head))
    expected = everything(fast)

    slow.restart(before, snapshot)
    slow.restart(before, None)

    assert everything(slow) == everything(fast) == expected


def test_a_damaged_view_that_was_replaced_meanwhile_is_left_to_the_others(path: Path) -> None:
    damaged = View(path)
    shutil.rmtree(path.parent)
    View(path).apply(chain(FITS))
    damaged._db.run("DROP TABLE refs")

    with pytest.raises(UnavailableError):
        damaged.ref("tag/a")
    assert View(path).number == 1


# Files that cannot be written.


def fill(view: View) -> None:
    view._db._connection.execute("PRAGMA max_page_count = 1")


def hold(view: View) -> None:
    assert view._db._path
    other = sqlite3.connect(view._db._path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    HELD.append(other)


def forbid(view: View) -> None:
    view._db._connection.execute("PRAGMA query_only = 1")


HELD: list[sqlite3.Connection] = []


@pytest.mark.parametrize("trouble", [fill, hold, forbid])
def test_a_view_whose_file_cannot_be_written_goes_on_in_memory(
    trouble: Callable[[View], None], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "WAIT_SECONDS", 0.01)
    view = View(path)
    view.apply(chain(FITS))
    head = view.position.head
    assert head
    trouble(view)
    many = tuple(move(f"tag/{number:05}", None, "x") for number in range(1000))

    view.apply(chain(Draft("Ann", refs=many), number=1, head=head))

    assert (view.number, view.incarnation, len(view.changes("tag/0"))) == (2, 0, 1000)
    view.keep_commits({commit("x"): b"x"})
    while HELD:
        HELD.pop().close()
    # What the file holds is still true.
    assert View(path).position == (1, head)


def test_a_move_to_nowhere_from_nowhere_is_no_move(view: View) -> None:
    view.apply(chain(Draft("Ann", refs=(RefChange("tag/a", None, None),))))

    assert view.ref("tag/a") == RefState("tag/a", None, None, 1)
