"""What the log adds up to, kept in SQLite so that a question is not a walk through the log.

A view is a cache and nothing else: it may be deleted at any time, is rebuilt from the log, and is
never trusted beyond the slot it was built at. It lies on a local disk, outside the store.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mlreg.errors import IntegrityError, NotFoundError
from mlreg.formats.annotation import TAINTED, Annotation, in_order, known_annotation
from mlreg.formats.origin import Origin, origin_of
from mlreg.formats.pack import ID_OF, PackIndex, PackKind, Sort
from mlreg.formats.snapshot import NoteState, PackState, RefState, Snapshot
from mlreg.formats.transaction import PackEntry, RefChange, Transaction
from mlreg.formats.versions import order
from mlreg.ids import DIGEST_SIZE, CommitId, ContentId, ObjectId, TransactionHash
from mlreg.repository.database import Database, Layout

LIVE, DROPPED, REAPED = 0, 1, 2

_HAS_TAINT = f"""instr(note, '"{TAINTED}": ') > 0"""

_LAYOUT = Layout(
    7,
    f"""
    CREATE TABLE state(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
    CREATE TABLE refs(name TEXT PRIMARY KEY, target BLOB, removed BLOB, number INTEGER, family TEXT, rank BLOB)
        WITHOUT ROWID;
    CREATE INDEX refs_rank ON refs(family, rank) WHERE rank IS NOT NULL;
    CREATE INDEX refs_target ON refs(target) WHERE target IS NOT NULL;
    CREATE TABLE transactions(number INTEGER PRIMARY KEY, id TEXT, time TEXT, author TEXT, message TEXT, user TEXT,
        host TEXT, added INTEGER, dropped INTEGER, reaped INTEGER, lossy INTEGER);
    CREATE TABLE changes(name TEXT, number INTEGER, old BLOB, new BLOB, PRIMARY KEY(name, number)) WITHOUT ROWID;
    CREATE INDEX changes_number ON changes(number);
    CREATE TABLE packs(row INTEGER PRIMARY KEY, id TEXT UNIQUE, kind INTEGER, size INTEGER, index_size INTEGER,
        sum BLOB, objects INTEGER, number INTEGER, state INTEGER, content BLOB,
        dropped INTEGER);
    CREATE INDEX packs_unread ON packs(kind, number) WHERE content IS NULL AND state = 0;
    CREATE INDEX packs_state ON packs(state, kind, size);
    CREATE INDEX packs_dropped ON packs(dropped) WHERE state = 1;
    CREATE TABLE objects(id BLOB, sort INTEGER, pack INTEGER, slot INTEGER, PRIMARY KEY(id, sort, pack)) WITHOUT ROWID;
    CREATE TABLE commits(id BLOB PRIMARY KEY, body BLOB) WITHOUT ROWID;
    CREATE TABLE annotations(id TEXT PRIMARY KEY, about TEXT, number INTEGER, note TEXT) WITHOUT ROWID;
    CREATE INDEX annotations_about ON annotations(about);
    CREATE INDEX annotations_number ON annotations(number);
    CREATE INDEX annotations_tainted ON annotations(about) WHERE {_HAS_TAINT};
    """,
)
_TABLES = ("state", "refs", "transactions", "changes", "packs", "objects", "commits", "annotations")
_REF = "name, target, removed, number"
_PACK = "id, kind, size, index_size, sum, objects"
_VERSIONS = "version/"
PAGE = 64
"""Versions that are read at a time when only the newest are wanted; at first one, which is mostly enough."""


class Change(NamedTuple):
    """One move of one name, and the transaction it was part of."""

    number: int
    name: str
    old: CommitId | None
    new: CommitId | None
    time: str
    author: str
    message: str


class Slot(NamedTuple):
    """What one transaction did, as far as a view keeps it."""

    number: int
    time: str
    author: str
    message: str
    origin: Origin
    added: int
    """Packs."""
    dropped: int
    """Packs."""
    reaped: int
    """Packs."""
    is_lossy: bool
    changes: Sequence[Change] = ()
    """The names that it moved, sorted."""
    first: Collection[str] = ()
    """Those of these names that nothing had set before."""
    stated: Sequence[Annotation] = ()
    """Statements that came with it, and had not come before; by id."""


class Position(NamedTuple):
    """Where a view stands in the log."""

    number: int
    """The newest slot in it; 0 before the first."""
    head: TransactionHash | None
    """The hash of that slot."""


class Place(NamedTuple):
    """Where a copy of an object lies."""

    pack: str
    slot: int
    """Number of the object in the pack's index."""


class View:
    """The state at one slot of the log, and the history up to it."""

    def __init__(self, path: Path | None) -> None:
        """Open the view in a file, or an empty one in memory if there is no path or it cannot be used."""
        self._db = Database(path, _LAYOUT)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    # Position in the log.

    @property
    def incarnation(self) -> int:
        """How often everything was lost since the view was opened."""
        return self._db.incarnation

    @property
    def number(self) -> int:
        """The slot the view stands at; 0 before the first."""
        return self._state("number", 0)

    @property
    def position(self) -> Position:
        """The slot the view stands at and the hash of that slot, read in one step."""
        self._db.settle()
        return self._position()

    def _position(self) -> Position:
        row = self._db.row(
            "SELECT (SELECT value FROM state WHERE key = 'number'), (SELECT value FROM state WHERE key = 'head')"
        )
        return Position(row[0], TransactionHash(row[1])) if row and row[0] else Position(0, None)

    @property
    def generation(self) -> int:
        """How many transactions so far took objects away."""
        return self._state("generation", 0)

    @property
    def history_from(self) -> int:
        """The first slot whose changes the view holds; larger than 1 if it began at a snapshot."""
        return self._state("history_from", 1)

    @property
    def swept(self) -> int:
        """The slot at which all was last found to be needed; 0 if that is not known."""
        return self._state("swept", 0)

    def note_swept(self, number: int) -> None:
        """Note that at a slot nothing was there that is not needed."""
        self._db.step(lambda: self._db.run("INSERT OR REPLACE INTO state VALUES('swept', ?)", (number,)))

    def has_removed_since(self, number: int) -> bool:
        """Tell whether a name was removed after a slot."""
        return self._db.row("SELECT 1 FROM refs WHERE number > ? AND target IS NULL LIMIT 1", (number,)) is not None

    @property
    def requires(self) -> tuple[str, ...]:
        """The features that the slots so far need, sorted."""
        row = self._db.row("SELECT value FROM state WHERE key = 'requires'")
        return tuple(json.loads(row[0])) if row else ()

    def _set_requires(self, features: Iterable[str]) -> None:
        text = json.dumps(sorted(features))
        self._db.run("INSERT OR REPLACE INTO state VALUES('requires', ?)", (text,))

    def _state(self, key: str, default: int) -> int:
        row = self._db.row("SELECT value FROM state WHERE key = ?", (key,))
        return row[0] if row else default

    # Folding the log.

    def apply(self, slots: Sequence[tuple[Transaction, TransactionHash]]) -> None:
        """Add the next slots of the log, in order; those it has already are passed over.

        Raises:
            IntegrityError: `bad_log`, a transaction that does not fit the state before it.
        """
        self._db.step(lambda: self._apply(slots))

    def _apply(self, slots: Sequence[tuple[Transaction, TransactionHash]]) -> None:
        number = self.number
        for transaction, head in slots:
            if transaction.number <= number:
                continue
            if transaction.number != number + 1:
                raise _misfit(transaction, f"slot {number + 1} was expected")
            self._fold(transaction)
            self._note_history(transaction)
            number = transaction.number
            self._set_position(number, head)

    def _fold(self, transaction: Transaction) -> None:
        for ref in transaction.refs:
            self._fold_ref(transaction, ref)
        # One that is there already came by two ways; what no release writes is passed over.
        known = [NoteState(note, transaction.number) for note in transaction.notes if known_annotation(note)]
        self._db.run_for_each("INSERT OR IGNORE INTO annotations VALUES(?, ?, ?, ?)", map(_note_row, known))
        for pack in transaction.add:
            self._add_pack(transaction, pack)
        for pack_id in transaction.drop:
            self._move_pack(transaction, pack_id, {LIVE}, DROPPED)
        for pack_id in transaction.reap:
            self._move_pack(transaction, pack_id, {DROPPED, None}, REAPED)
        if transaction.is_lossy:
            self._db.run("INSERT OR REPLACE INTO state VALUES('generation', ?)", (self.generation + 1,))
        if needed := set(transaction.requires) - set(self.requires):
            self._set_requires({*self.requires, *needed})

    def _fold_ref(self, transaction: Transaction, ref: RefChange) -> None:
        found = self.ref(ref.name)
        if (found.target if found else None) != ref.old:
            raise _misfit(transaction, f"it moves {ref.name!r} from where it was not")
        removed = ref.old if ref.new is None else None
        self._db.run(_PUT_REF, _ref_row(RefState(ref.name, ref.new, removed, transaction.number)))

    def _add_pack(self, transaction: Transaction, pack: PackEntry) -> None:
        state = self.pack_state(pack.id)
        if state is None:
            row = (*pack, transaction.number, LIVE)
            self._db.run(f"INSERT INTO packs({_PACK}, number, state) VALUES(?, ?, ?, ?, ?, ?, ?, ?)", row)
        else:
            self._move_pack(transaction, pack.id, {DROPPED}, LIVE)

    def _move_pack(self, transaction: Transaction, pack_id: str, allowed: set[int | None], state: int) -> None:
        before = self.pack_state(pack_id)
        if before not in allowed:
            raise _misfit(transaction, f"pack {pack_id} is not where it moves it from")
        self._db.run("INSERT OR IGNORE INTO packs(id) VALUES(?)", (pack_id,))
        self._db.run("UPDATE packs SET state = ?, dropped = ? WHERE id = ?", (state, transaction.number, pack_id))
        if state == REAPED:
            self._forget_objects(pack_id)

    def _forget_objects(self, pack_id: str) -> None:
        """Take away what a pack held, one by one: a look through all objects takes long where there are many."""
        row, content, digest = self._db.rows("SELECT row, content, sum FROM packs WHERE id = ?", (pack_id,))[0]
        if content is None:
            return
        try:
            items = [(item.id, int(item.sort), row) for item in PackIndex(content, digest).items()]
        except IntegrityError:  # of a cache, which must not stop who reads the log
            self._db.run("DELETE FROM objects WHERE pack = ?", (row,))
        else:
            self._db.run_for_each("DELETE FROM objects WHERE id = ? AND sort = ? AND pack = ?", items)
        self._db.run("UPDATE packs SET content = NULL WHERE row = ?", (row,))

    def _note_history(self, transaction: Transaction) -> None:
        self._db.run(f"INSERT OR REPLACE INTO transactions VALUES({'?, ' * 10}?)", _transaction_row(transaction))
        rows = [(ref.name, transaction.number, ref.old, ref.new) for ref in transaction.refs]
        self._db.run_for_each("INSERT OR REPLACE INTO changes VALUES(?, ?, ?, ?)", rows)

    def _set_position(self, number: int, head: TransactionHash) -> None:
        self._db.run_for_each("INSERT OR REPLACE INTO state VALUES(?, ?)", [("number", number), ("head", head)])

    def restart(self, wrong: Position, snapshot: Snapshot | None) -> None:
        """Begin at a snapshot, or before the first slot, unless another process has moved the view meanwhile.

        The changes before a snapshot are not known until `add_history`.

        Args:
            wrong: where the view stood when it was found to be empty, or of another log.
            snapshot: of the right log.
        """

        def restart() -> None:
            if self._position() == wrong:
                for table in _TABLES:
                    self._db.run(f"DELETE FROM {table}")
                if snapshot:
                    self._load(snapshot)

        self._db.step(restart)

    def _load(self, snapshot: Snapshot) -> None:
        self._db.run_for_each(_PUT_REF, map(_ref_row, snapshot.refs))
        self._db.run_for_each("INSERT INTO annotations VALUES(?, ?, ?, ?)", map(_note_row, snapshot.annotations))
        rows = ((*s.pack, s.number, DROPPED if s.dropped else LIVE, s.dropped) for s in snapshot.packs)
        self._db.run_for_each(
            f"INSERT INTO packs({_PACK}, number, state, dropped) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)", rows
        )
        gone = ((pack, REAPED) for pack in snapshot.reaped)
        self._db.run_for_each("INSERT INTO packs(id, state) VALUES(?, ?)", gone)
        values = [("generation", snapshot.generation), ("history_from", snapshot.number + 1)]
        self._db.run_for_each("INSERT OR REPLACE INTO state VALUES(?, ?)", values)
        self._set_requires(snapshot.requires)
        self._set_position(snapshot.number, snapshot.head)

    def add_history(self, transactions: Sequence[Transaction]) -> None:
        """Fill in changes of slots before the snapshot the view began at, in any order."""

        def add() -> None:
            for transaction in transactions:
                self._note_history(transaction)

        self._db.step(add)

    def complete_history(self) -> None:
        """Note that the changes of every slot are known."""
        self._db.step(lambda: self._db.run("INSERT OR REPLACE INTO state VALUES('history_from', 1)"))

    def snapshot(self) -> Snapshot:
        """Return the whole state."""
        return self._db.step(self._snapshot)

    def _snapshot(self) -> Snapshot:
        number, head = self._position()
        packs = self._db.rows(
            f"SELECT {_PACK}, number, CASE state WHEN {DROPPED} THEN dropped ELSE 0 END"
            " FROM packs WHERE state != ? ORDER BY row",
            (REAPED,),
        )
        reaped = self._db.rows("SELECT id FROM packs WHERE state = ? ORDER BY id", (REAPED,))
        return Snapshot(
            number=number,
            head=head or TransactionHash(bytes(32)),
            generation=self.generation,
            requires=self.requires,
            refs=tuple(self.refs("")),
            packs=tuple(PackState(_pack(row[:6]), row[6], row[7]) for row in packs),
            reaped=tuple(row[0] for row in reaped),
            annotations=tuple(NoteState(json.loads(row[1]), row[2]) for row in self._notes("id IS NOT NULL", ())),
        )

    def fits(self, transaction: Transaction) -> bool:
        """Tell whether a transaction is the next one; nothing is changed.

        Another process may move a shared view between two questions; this is one question.

        Raises:
            IntegrityError: `bad_log`, it is the next one, and no reader could fold it: it must not get a slot.
        """

        def fold() -> None:
            if self.number == transaction.number - 1:
                self._fold(transaction)
                raise _Fits  # which undoes it

        try:
            self._db.step(fold)
        except _Fits:
            return True
        return False

    def last_number(self, moment: str) -> int:
        """Return the last slot that was written by a time, or 0; the history must be complete.

        Clocks differ: it is the slot up to which, and behind which, the fewest slots say otherwise.
        """
        steps = "sum(CASE WHEN time <= ? THEN 1 ELSE -1 END) OVER (ORDER BY number)"
        query = f"SELECT number FROM (SELECT number, {steps} AS sum FROM transactions) WHERE sum > 0"
        row = self._db.row(f"{query} ORDER BY sum DESC, number LIMIT 1", (moment,))
        return row[0] if row else 0

    # Names.

    def ref(self, name: str) -> RefState | None:
        """Return what a name is, or None if the log never named it."""
        row = self._db.row(f"SELECT {_REF} FROM refs WHERE name = ?", (name,))
        return _ref(row) if row else None

    def refs(self, prefix: str) -> list[RefState]:
        """Return the names that begin with `prefix`, removed ones too, sorted."""
        query = f"SELECT {_REF} FROM refs WHERE name >= ? AND name < ? ORDER BY name"
        return [_ref(row) for row in self._db.rows(query, (prefix, prefix + "\U0010ffff"))]

    def names_since(self, number: int, prefix: str) -> list[str]:
        """Return the names below a prefix that moved, or were spoken of, after a slot; each once."""
        moved = "SELECT name FROM refs WHERE number > ? AND name >= ? AND name < ?"
        spoken = (
            "SELECT substr(about, 1, length(about) - 65) FROM annotations WHERE number > ? AND about >= ? AND about < ?"
        )
        between = (number, prefix, prefix + "\U0010ffff")
        return [row[0] for row in self._db.rows(f"{moved} UNION {spoken}", (*between, *between))]

    def slot_id(self, number: int) -> str:
        """Return the random id of a slot, which no other log has there; empty if it is not known."""
        row = self._db.row("SELECT id FROM transactions WHERE number = ?", (number,))
        return row[0] if row else ""

    def families(self) -> list[str]:
        """Return the prefixes that live versions stand below, `version/model/net/`, sorted."""
        query = "SELECT DISTINCT family FROM refs WHERE rank IS NOT NULL AND target IS NOT NULL ORDER BY family"
        return [row[0] for row in self._db.rows(query)]

    def newest_first(self, family: str, before: str = "") -> Iterator[RefState]:
        """Yield the versions right below a prefix, removed ones too, the newest first; few are read at a time.

        Args:
            family: `version/model/net/`.
            before: a version, which need not be there; all that are not older are passed over.
        """
        query = f"SELECT {_REF}, rank FROM refs WHERE family = ? AND rank < ? ORDER BY rank DESC LIMIT ?"
        rank, some = order(before) if before else b"\xff", 1
        while rows := self._db.rows(query, (family, rank, some)):
            yield from (_ref(row[:4]) for row in rows)
            rank, some = rows[-1][4], PAGE

    def next_newer(self, family: str, version: str) -> RefState | None:
        """Return the oldest of the versions right below a prefix that are newer and not removed."""
        row = self._db.row(
            f"SELECT {_REF} FROM refs WHERE family = ? AND rank > ? AND target IS NOT NULL ORDER BY rank LIMIT 1",
            (family, order(version)),
        )
        return _ref(row) if row else None

    def changes(self, prefix: str) -> list[Change]:
        """Return the moves of all names that begin with `prefix`, oldest first."""
        rows = self._db.rows(
            "SELECT number, name, old, new, time, author, message FROM changes JOIN transactions USING(number)"
            " WHERE name >= ? AND name < ? ORDER BY number, name",
            (prefix, prefix + "\U0010ffff"),
        )
        return [Change(row[0], row[1], _commit(row[2]), _commit(row[3]), *row[4:]) for row in rows]

    def names_of(self, commit: CommitId) -> list[str]:
        """Return the names that point to a commit, sorted."""
        return [row[0] for row in self._db.rows("SELECT name FROM refs WHERE target = ? ORDER BY name", (commit,))]

    def slots(self, since: str = "", until: str | None = None) -> Iterator[Slot]:
        """Yield what transactions did, the newest first; few are read at a time. The history must be complete.

        Args:
            since: the first time that counts, `2026-11-23T06:28:00Z`.
            until: the last one; None for all, whatever a writer took for a time.
        """
        query = (
            "SELECT number, time, author, message, user, host, added, dropped, reaped, lossy FROM transactions"
            " WHERE number < ? AND time >= ? AND (? IS NULL OR time <= ?) ORDER BY number DESC LIMIT ?"
        )
        before = self.number + 1
        while rows := self._db.rows(query, (before, since, until, until, PAGE)):
            moved, stated = self._moved(rows[-1][0], before), self._stated(rows[-1][0], before)
            for row in rows:
                number, time, author, message, user, host, added, dropped, reaped, lossy = row
                moves = moved.get(number, [])
                said = (time, author, message)
                changes = [Change(number, name, _commit(old), _commit(new), *said) for _, name, old, new, _ in moves]
                first = {name for _, name, _, _, is_first in moves if is_first}
                notes = [one for _, note in stated.get(number, []) if (one := known_annotation(json.loads(note)))]
                packs = (added, dropped, reaped, bool(lossy))
                yield Slot(number, *said, Origin(user, host), *packs, changes, first, notes)
            before = rows[-1][0]

    def _moved(self, first: int, behind: int) -> dict[int, list[tuple[Any, ...]]]:
        earlier = "SELECT 1 FROM changes AS earlier WHERE earlier.name = one.name AND earlier.number < one.number"
        query = f"SELECT number, name, old, new, NOT EXISTS({earlier}) FROM changes AS one"
        return _by_number(
            self._db.rows(f"{query} WHERE number >= ? AND number < ? ORDER BY number, name", (first, behind))
        )

    def _stated(self, first: int, behind: int) -> dict[int, list[tuple[Any, ...]]]:
        query = "SELECT number, note FROM annotations WHERE number >= ? AND number < ? ORDER BY number, id"
        return _by_number(self._db.rows(query, (first, behind)))

    # Annotations.

    def annotations(self, about: str) -> list[Annotation]:
        """Return what was stated about one thing, in the order of `mlreg.formats.annotation.in_order`."""
        return self._annotations("about = ?", (about,)).get(about, [])

    def all_annotations(self, prefix: str = "") -> dict[str, list[Annotation]]:
        """Return what was stated about the things whose names begin with `prefix`, by name; each in its order."""
        return self._annotations("about >= ? AND about < ?", (prefix, prefix + "\U0010ffff"))

    def annotations_with(self, prefix: str, fact: str, value: str) -> dict[str, list[Annotation]]:
        """Return what was stated about the things that a statement gave this value of a fact, by name."""
        query = "SELECT DISTINCT about FROM annotations WHERE about >= ? AND about < ? AND instr(note, ?)"
        mark = f"{json.dumps(fact)}: {json.dumps(value)}"
        rows = self._db.rows(query, (prefix, prefix + "\U0010ffff", mark))
        return {row[0]: self.annotations(row[0]) for row in rows}

    def tainted(self) -> dict[str, list[Annotation]]:
        """Return what was stated about the things that were ever tainted, by name; an index knows which."""
        rows = self._db.rows(f"SELECT DISTINCT about FROM annotations WHERE {_HAS_TAINT}", ())
        return {row[0]: self.annotations(row[0]) for row in rows}

    def _annotations(self, condition: str, values: Sequence[str]) -> dict[str, list[Annotation]]:
        found: dict[str, list[Annotation]] = {}
        for about, note, _ in self._notes(condition, values):
            if one := known_annotation(json.loads(note)):
                found.setdefault(about, []).append(one)
        return {about: in_order(some) for about, some in found.items()}

    def _notes(self, condition: str, values: Sequence[str]) -> list[tuple[Any, ...]]:
        return self._db.rows(f"SELECT about, note, number FROM annotations WHERE {condition} ORDER BY id", values)

    def has_annotation(self, annotation_id: str) -> bool:
        """Tell whether a statement is here."""
        return self._db.row("SELECT 1 FROM annotations WHERE id = ?", (annotation_id,)) is not None

    # Packs and objects.

    def pack_state(self, pack_id: str) -> int | None:
        """Return LIVE, DROPPED or REAPED; None for a pack that the log never named."""
        row = self._db.row("SELECT state FROM packs WHERE id = ?", (pack_id,))
        return row[0] if row else None

    def pack(self, pack_id: str) -> PackEntry:
        """Return what the log says of a pack.

        Raises:
            NotFoundError: `pack_unknown`, nothing.
        """
        row = self._db.row(f"SELECT {_PACK} FROM packs WHERE id = ? AND kind IS NOT NULL", (pack_id,))
        if row is None:
            raise NotFoundError("pack_unknown", f"the log does not name pack {pack_id}", fix="do it again")
        return _pack(row)

    def live_packs(self) -> list[PackEntry]:
        """Return all live packs, in the order in which they were added."""
        return [_pack(row) for row in self._db.rows(f"SELECT {_PACK} FROM packs WHERE state = ? ORDER BY row", (LIVE,))]

    def count_live(self, kind: PackKind, low: int, high: int) -> int:
        """Return the number of live packs of a kind with `low` bytes or more, and fewer than `high`."""
        query = "SELECT count(*) FROM packs WHERE state = ? AND kind = ? AND size >= ? AND size < ?"
        return int(self._db.rows(query, (LIVE, kind, low, high))[0][0])

    def live_packs_below(self, size: int, kind: PackKind) -> list[PackEntry]:
        """Return the live packs of a kind that have fewer bytes, in the order in which they were added."""
        query = f"SELECT {_PACK} FROM packs WHERE state = ? AND kind = ? AND size < ? ORDER BY row"
        return [_pack(row) for row in self._db.rows(query, (LIVE, kind, size))]

    def size_of(self, state: int) -> int:
        """Return the bytes of all packs that are LIVE, or DROPPED."""
        return int(self._db.rows("SELECT ifnull(sum(size), 0) FROM packs WHERE state = ?", (state,))[0][0])

    def dropped_packs(self) -> list[tuple[PackEntry, int]]:
        """Return the packs that are not read any more, and whose files are still there, each with a slot.

        The slot dropped the pack; or a later one, if the view began at a snapshot that does not say it.
        """
        query = f"SELECT {_PACK}, dropped FROM packs WHERE state = ? AND kind IS NOT NULL ORDER BY row"
        return [(_pack(row[:6]), row[6]) for row in self._db.rows(query, (DROPPED,))]

    def dropped_after(self, number: int) -> int:
        """Return the first slot after another one that dropped packs whose files are still there; 0 if there is none.

        What slots are, `dropped_packs` says.
        """
        row = self._db.row("SELECT min(dropped) FROM packs WHERE state = 1 AND dropped > ?", (number,))
        return row[0] or 0 if row else 0

    def dropped_at(self, number: int) -> list[PackEntry]:
        """Return the packs that a slot dropped and whose files are still there."""
        query = f"SELECT {_PACK} FROM packs WHERE state = 1 AND dropped = ? AND kind IS NOT NULL ORDER BY row"
        return [_pack(row) for row in self._db.rows(query, (number,))]

    def unread_packs(self, kind: PackKind, near: int = 0) -> Iterator[PackEntry]:
        """Yield the live packs whose index is not in the view yet, those first that a slot near to `near` added."""
        query = f"SELECT {_PACK} FROM packs WHERE kind = ? AND content IS NULL AND state = 0"
        # What is looked for is mostly in a pack of the very slot, which is found without a look at all others.
        if near:
            yield from map(_pack, self._db.rows(f"{query} AND number = ?", (kind, near)))
        others = f"{query} AND number != ? ORDER BY abs(number - ?)"
        yield from map(_pack, self._db.rows(others, (kind, near, near)))

    def slot_of(self, commit: CommitId) -> int:
        """Return a slot that pointed a name to a commit, the first that is known; 0 if there is none."""
        row = self._db.row("SELECT min(number) FROM refs WHERE target = ?", (commit,))
        return row[0] or 0 if row else 0

    def add_index(self, pack_id: str, index: PackIndex) -> None:
        """Take up the index of a pack; without effect if the view no longer knows the pack."""

        def add() -> None:
            found = self._db.row("SELECT row FROM packs WHERE id = ?", (pack_id,))
            if found:
                items = ((key, int(sort), found[0], slot) for slot, (sort, key) in enumerate(index.keys()))
                self._db.run_for_each("INSERT OR IGNORE INTO objects VALUES(?, ?, ?, ?)", items)
                self._db.run("UPDATE packs SET content = ? WHERE row = ?", (index.data, found[0]))

        self._db.step(add)

    def index(self, pack_id: str) -> PackIndex | None:
        """Return the index of a pack, if it was taken up."""
        row = self._db.row("SELECT content, sum FROM packs WHERE id = ?", (pack_id,))
        return PackIndex(row[0], row[1]) if row and row[0] is not None else None

    def places(self, sort: Sort, object_id: ObjectId) -> list[Place]:
        """Return where the copies of an object lie, the newest first. Any thread may ask."""
        return self.places_of(sort, [object_id]).get(object_id, [])

    def places_of(self, sort: Sort, ids: Sequence[ObjectId]) -> dict[bytes, list[Place]]:
        """Return the same for many objects of a sort, by their ids; those that are nowhere are not among them."""
        found: dict[bytes, list[Place]] = {}
        for start in range(0, len(ids), 500):
            some = ids[start : start + 500]
            rows = self._db.rows(
                "SELECT objects.id, packs.id, slot FROM objects JOIN packs ON packs.row = pack"
                f" WHERE objects.id IN ({','.join('?' * len(some))}) AND sort = ? AND state = 0 ORDER BY pack DESC",
                (*some, int(sort)),
            )
            for object_id, pack, slot in rows:
                found.setdefault(object_id, []).append(Place(pack, slot))
        return found

    def objects_with(self, prefix: bytes) -> list[tuple[Sort, ObjectId]]:
        """Return the objects in live packs whose ids begin with some bytes; at most `PAGE`, by id."""
        rows = self._db.rows(
            "SELECT DISTINCT objects.sort, objects.id FROM objects JOIN packs ON packs.row = pack"
            " WHERE objects.id >= ? AND objects.id <= ? AND state = 0 ORDER BY objects.id LIMIT ?",
            (prefix, prefix.ljust(DIGEST_SIZE, b"\xff"), PAGE),
        )
        return [(Sort(row[0]), ID_OF.get(Sort(row[0]), ContentId)(row[1])) for row in rows]

    # Commits, which are small and asked for often.

    def commit_bodies(self, ids: Sequence[CommitId]) -> dict[CommitId, bytes]:
        """Return the bytes of those commits that were kept; the caller checks them against their ids."""
        found: dict[CommitId, bytes] = {}
        for start in range(0, len(ids), 500):
            some = ids[start : start + 500]
            marks = ",".join("?" * len(some))
            rows = self._db.rows(f"SELECT id, body FROM commits WHERE id IN ({marks})", some)
            found.update((CommitId(row[0]), row[1]) for row in rows)
        return found

    def keep_commits(self, bodies: dict[CommitId, bytes]) -> None:
        """Keep the bytes of commits for the next time."""
        rows = list(bodies.items())
        self._db.step(lambda: self._db.run_for_each("INSERT OR REPLACE INTO commits VALUES(?, ?)", rows))


class _Fits(Exception):
    """A transaction could be folded."""


_PUT_REF = "INSERT OR REPLACE INTO refs VALUES(?, ?, ?, ?, ?, ?)"


def _ref_row(ref: RefState) -> tuple[object, ...]:
    """Return a row of `refs`; a version has a place in the order of those beside it."""
    family, slash, leaf = ref.name.rpartition("/")
    rank = order(leaf) if ref.name.startswith(_VERSIONS) else None
    return (*ref, family + slash, rank)


def _transaction_row(transaction: Transaction) -> tuple[object, ...]:
    said = (transaction.number, transaction.id, transaction.time, transaction.author, transaction.message)
    packs = (len(transaction.add), len(transaction.drop), len(transaction.reap), transaction.is_lossy)
    return (*said, *origin_of(transaction.notes), *packs)


def _by_number(rows: Iterable[tuple[Any, ...]]) -> dict[int, list[tuple[Any, ...]]]:
    found: dict[int, list[tuple[Any, ...]]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(row)
    return found


def _note_row(state: NoteState) -> tuple[object, ...]:
    return state.note["id"], state.note["about"], state.number, json.dumps(state.note)


def _ref(row: Sequence[Any]) -> RefState:
    return RefState(row[0], _commit(row[1]), _commit(row[2]), row[3])


def _commit(digest: bytes | None) -> CommitId | None:
    return None if digest is None else CommitId(digest)


def _pack(row: Sequence[object]) -> PackEntry:
    pack_id, kind, size, index, digest, objects = row
    return PackEntry(pack_id, PackKind(kind), size, index, digest, objects)  # type: ignore[arg-type] # SQLite's own


def _misfit(transaction: Transaction, reason: str) -> IntegrityError:
    return IntegrityError(
        "bad_log",
        f"slot {transaction.number} of the log does not fit the one before",
        why=reason,
        fix=("mlreg verify", "bring back what was there before: a backup, or a clone of a remote"),
    )
