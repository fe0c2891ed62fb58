"""What the log adds up to, kept in SQLite so that a question is not a walk through the log.

A view is a cache and nothing else: it may be deleted at any time, is rebuilt from the log, and is
never trusted beyond the slot it was built at. It lies on a local disk, outside the store.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from mlreg.errors import IntegrityError, UnavailableError
from mlreg.formats.pack import PackIndex, PackKind, Sort
from mlreg.formats.snapshot import PackState, RefState, Snapshot
from mlreg.formats.transaction import PackEntry, RefChange, Transaction
from mlreg.ids import CommitId, ObjectId, TransactionHash

SCHEMA = 1
WAIT_SECONDS = 30.0
"""How long a process waits for another one that is writing the same view."""

LIVE, DROPPED, REAPED = 0, 1, 2

_TABLES = """
CREATE TABLE state(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE refs(name TEXT PRIMARY KEY, target BLOB, removed BLOB, number INTEGER) WITHOUT ROWID;
CREATE TABLE transactions(number INTEGER PRIMARY KEY, id TEXT, time TEXT, author TEXT, message TEXT);
CREATE TABLE changes(name TEXT, number INTEGER, old BLOB, new BLOB, PRIMARY KEY(name, number)) WITHOUT ROWID;
CREATE TABLE packs(row INTEGER PRIMARY KEY, id TEXT UNIQUE, kind INTEGER, size INTEGER, index_size INTEGER,
    sum BLOB, objects INTEGER, number INTEGER, state INTEGER, content BLOB);
CREATE INDEX packs_unread ON packs(kind) WHERE content IS NULL AND state = 0;
CREATE TABLE objects(id BLOB, sort INTEGER, pack INTEGER, slot INTEGER, PRIMARY KEY(id, sort, pack)) WITHOUT ROWID;
CREATE TABLE commits(id BLOB PRIMARY KEY, body BLOB) WITHOUT ROWID;
"""
_PACK = "id, kind, size, index_size, sum, objects"


class Change(NamedTuple):
    """One move of one name, and the transaction it was part of."""

    number: int
    name: str
    old: CommitId | None
    new: CommitId | None
    time: str
    author: str
    message: str


class Place(NamedTuple):
    """Where a copy of an object lies."""

    pack: str
    slot: int
    """Number of the object in the pack's index."""


class View:
    """The state at one slot of the log, and the history up to it."""

    def __init__(self, path: Path | None) -> None:
        """Open the view in a file, or an empty one in memory if there is no path or it cannot be used."""
        self._path = path
        self._lock = threading.RLock()
        self._is_writing = False
        self._db = _open(path)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def reset(self) -> None:
        """Forget everything."""
        with self._writing():
            for table in ("state", "refs", "transactions", "changes", "packs", "objects", "commits"):
                self._db.execute(f"DELETE FROM {table}")

    # Position in the log.

    @property
    def number(self) -> int:
        """The slot the view stands at; 0 before the first."""
        return int(self._state("number", 0))

    @property
    def position(self) -> tuple[int, TransactionHash | None]:
        """The slot the view stands at and the hash of that slot, read in one step."""
        with self._guarded():
            row = self._db.execute(
                "SELECT (SELECT value FROM state WHERE key = 'number'), (SELECT value FROM state WHERE key = 'head')"
            ).fetchone()
        return (row[0], TransactionHash(row[1])) if row[0] else (0, None)

    @property
    def generation(self) -> int:
        """How many transactions so far took objects away."""
        return int(self._state("generation", 0))

    @property
    def history_from(self) -> int:
        """The first slot whose changes the view holds; larger than 1 if it began at a snapshot."""
        return int(self._state("history_from", 1))

    def _state(self, key: str, default: int) -> int:
        with self._guarded():
            row = self._db.execute("SELECT value FROM state WHERE key = ?", (key,)).fetchone()
        return row[0] if row else default

    # Folding the log.

    def apply(self, slots: Iterable[tuple[Transaction, TransactionHash]]) -> None:
        """Add the next slots of the log, in order; those it has already are passed over.

        Raises:
            IntegrityError: `bad_log`, a transaction that does not fit the state before it.
        """
        with self._writing():
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
        for pack in transaction.add:
            self._add_pack(transaction, pack)
        for pack_id in transaction.drop:
            self._move_pack(transaction, pack_id, {LIVE}, DROPPED)
        for pack_id in transaction.reap:
            self._move_pack(transaction, pack_id, {DROPPED, None}, REAPED)
        if transaction.is_lossy:
            self._db.execute("INSERT OR REPLACE INTO state VALUES('generation', ?)", (self.generation + 1,))

    def _fold_ref(self, transaction: Transaction, ref: RefChange) -> None:
        found = self.ref(ref.name)
        if (found.target if found else None) != ref.old:
            raise _misfit(transaction, f"it moves {ref.name!r} from where it was not")
        removed = ref.old if ref.new is None else None
        row = (ref.name, ref.new, removed, transaction.number)
        self._db.execute("INSERT OR REPLACE INTO refs VALUES(?, ?, ?, ?)", row)

    def _add_pack(self, transaction: Transaction, pack: PackEntry) -> None:
        state = self.pack_state(pack.id)
        if state is None:
            row = (*pack, transaction.number, LIVE)
            self._db.execute(f"INSERT INTO packs({_PACK}, number, state) VALUES(?, ?, ?, ?, ?, ?, ?, ?)", row)
        else:
            self._move_pack(transaction, pack.id, {DROPPED}, LIVE)

    def _move_pack(self, transaction: Transaction, pack_id: str, allowed: set[int | None], state: int) -> None:
        before = self.pack_state(pack_id)
        if before not in allowed:
            raise _misfit(transaction, f"pack {pack_id} is not where it moves it from")
        self._db.execute("INSERT OR IGNORE INTO packs(id) VALUES(?)", (pack_id,))
        self._db.execute("UPDATE packs SET state = ? WHERE id = ?", (state, pack_id))
        if state == REAPED:
            self._db.execute("DELETE FROM objects WHERE pack = (SELECT row FROM packs WHERE id = ?)", (pack_id,))
            self._db.execute("UPDATE packs SET content = NULL WHERE id = ?", (pack_id,))

    def _note_history(self, transaction: Transaction) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO transactions VALUES(?, ?, ?, ?, ?)",
            (transaction.number, transaction.id, transaction.time, transaction.author, transaction.message),
        )
        rows = [(ref.name, transaction.number, ref.old, ref.new) for ref in transaction.refs]
        self._db.executemany("INSERT OR REPLACE INTO changes VALUES(?, ?, ?, ?)", rows)

    def _set_position(self, number: int, head: TransactionHash) -> None:
        self._db.executemany("INSERT OR REPLACE INTO state VALUES(?, ?)", [("number", number), ("head", head)])

    def load(self, snapshot: Snapshot) -> None:
        """Begin at a snapshot; the changes before it are not known until `add_history`."""
        with self._writing():
            self.reset()
            self._db.executemany("INSERT INTO refs VALUES(?, ?, ?, ?)", snapshot.refs)
            rows = ((*s.pack, s.number, DROPPED if s.is_dropped else LIVE) for s in snapshot.packs)
            self._db.executemany(f"INSERT INTO packs({_PACK}, number, state) VALUES(?, ?, ?, ?, ?, ?, ?, ?)", rows)
            gone = ((pack, REAPED) for pack in snapshot.reaped)
            self._db.executemany("INSERT INTO packs(id, state) VALUES(?, ?)", gone)
            values = [("generation", snapshot.generation), ("history_from", snapshot.number + 1)]
            self._db.executemany("INSERT OR REPLACE INTO state VALUES(?, ?)", values)
            self._set_position(snapshot.number, snapshot.head)

    def add_history(self, transactions: Iterable[Transaction]) -> None:
        """Fill in the changes of the slots before the snapshot the view began at."""
        with self._writing():
            for transaction in transactions:
                self._note_history(transaction)
            self._db.execute("INSERT OR REPLACE INTO state VALUES('history_from', 1)")

    def snapshot(self) -> Snapshot:
        """Return the whole state."""
        with self._writing():
            number, head = self.position
            packs = self._db.execute(
                f"SELECT {_PACK}, number, state FROM packs WHERE state != ? ORDER BY row", (REAPED,)
            )
            reaped = self._db.execute("SELECT id FROM packs WHERE state = ? ORDER BY id", (REAPED,))
            return Snapshot(
                number=number,
                head=head or TransactionHash(bytes(32)),
                generation=self.generation,
                requires=(),
                refs=tuple(self.refs("")),
                packs=tuple(PackState(_pack(row[:6]), row[6], row[7] == DROPPED) for row in packs),
                reaped=tuple(row[0] for row in reaped),
            )

    def fits(self, transaction: Transaction) -> bool:
        """Tell whether a transaction is the next one; nothing is changed.

        Another process may move a shared view between two questions; this is one question.

        Raises:
            IntegrityError: `bad_log`, it is the next one, and no reader could fold it: it must not get a slot.
        """
        try:
            with self._writing():
                if self.number == transaction.number - 1:
                    self._fold(transaction)
                    raise _Fits  # which undoes it
        except _Fits:
            return True
        return False

    # Names.

    def ref(self, name: str) -> RefState | None:
        """Return what a name is, or None if the log never named it."""
        with self._guarded():
            row = self._db.execute("SELECT * FROM refs WHERE name = ?", (name,)).fetchone()
        return _ref(row) if row else None

    def refs(self, prefix: str) -> list[RefState]:
        """Return the names that begin with `prefix`, removed ones too, sorted."""
        with self._guarded():
            rows = self._db.execute(
                "SELECT * FROM refs WHERE name >= ? AND name < ? ORDER BY name", (prefix, prefix + "\U0010ffff")
            ).fetchall()
        return [_ref(row) for row in rows]

    def changes(self, prefix: str) -> list[Change]:
        """Return the moves of all names that begin with `prefix`, oldest first."""
        with self._guarded():
            rows = self._db.execute(
                "SELECT number, name, old, new, time, author, message FROM changes JOIN transactions USING(number)"
                " WHERE name >= ? AND name < ? ORDER BY number, name",
                (prefix, prefix + "\U0010ffff"),
            ).fetchall()
        return [Change(row[0], row[1], _commit(row[2]), _commit(row[3]), *row[4:]) for row in rows]

    def names_of(self, commit: CommitId) -> list[str]:
        """Return the names that point to a commit, sorted."""
        with self._guarded():
            rows = self._db.execute("SELECT name FROM refs WHERE target = ? ORDER BY name", (commit,)).fetchall()
        return [row[0] for row in rows]

    # Packs and objects.

    def pack_state(self, pack_id: str) -> int | None:
        """Return LIVE, DROPPED or REAPED; None for a pack that the log never named."""
        with self._guarded():
            row = self._db.execute("SELECT state FROM packs WHERE id = ?", (pack_id,)).fetchone()
        return row[0] if row else None

    def pack(self, pack_id: str) -> PackEntry:
        """Return what the log says of a pack."""
        with self._guarded():
            return _pack(self._db.execute(f"SELECT {_PACK} FROM packs WHERE id = ?", (pack_id,)).fetchone())

    def live_packs(self) -> list[PackEntry]:
        """Return all live packs, in the order in which they were added."""
        with self._guarded():
            rows = self._db.execute(f"SELECT {_PACK} FROM packs WHERE state = ? ORDER BY row", (LIVE,)).fetchall()
        return [_pack(row) for row in rows]

    def unread_packs(self, kind: PackKind) -> list[PackEntry]:
        """Return the live packs whose index is not in the view yet."""
        with self._guarded():
            rows = self._db.execute(
                f"SELECT {_PACK} FROM packs WHERE kind = ? AND content IS NULL AND state = 0", (kind,)
            ).fetchall()
        return [_pack(row) for row in rows]

    def add_index(self, pack_id: str, index: PackIndex) -> None:
        """Take up the index of a pack."""
        with self._writing():
            row = self._db.execute("SELECT row FROM packs WHERE id = ?", (pack_id,)).fetchone()[0]
            items = ((item.id, int(item.sort), row, slot) for slot, item in enumerate(index.items()))
            self._db.executemany("INSERT OR IGNORE INTO objects VALUES(?, ?, ?, ?)", items)
            self._db.execute("UPDATE packs SET content = ? WHERE row = ?", (index.data, row))

    def index(self, pack_id: str) -> PackIndex | None:
        """Return the index of a pack, if it was taken up."""
        with self._guarded():
            row = self._db.execute("SELECT content, sum FROM packs WHERE id = ?", (pack_id,)).fetchone()
        return PackIndex(row[0], row[1]) if row and row[0] is not None else None

    def places(self, sort: Sort, object_id: ObjectId) -> list[Place]:
        """Return where the copies of an object lie, the newest first."""
        with self._guarded():
            rows = self._db.execute(
                "SELECT packs.id, slot FROM objects JOIN packs ON packs.row = pack"
                " WHERE objects.id = ? AND sort = ? AND state = 0 ORDER BY pack DESC",
                (object_id, int(sort)),
            ).fetchall()
        return [Place(*row) for row in rows]

    def has(self, sort: Sort, object_id: ObjectId) -> bool:
        """Tell whether a live pack whose index was taken up holds an object. Any thread may ask."""
        with self._guarded():
            found = self._db.execute(
                "SELECT 1 FROM objects JOIN packs ON packs.row = pack WHERE objects.id = ? AND sort = ? AND state = 0",
                (object_id, int(sort)),
            ).fetchone()
        return found is not None

    # Commits, which are small and asked for often.

    def commit_bodies(self, ids: Sequence[CommitId]) -> dict[CommitId, bytes]:
        """Return the bytes of those commits that were kept; the caller checks them against their ids."""
        found: dict[CommitId, bytes] = {}
        with self._guarded():
            for start in range(0, len(ids), 500):
                some = ids[start : start + 500]
                marks = ",".join("?" * len(some))
                rows = self._db.execute(f"SELECT id, body FROM commits WHERE id IN ({marks})", some)
                found.update((CommitId(row[0]), row[1]) for row in rows)
        return found

    def keep_commits(self, bodies: dict[CommitId, bytes]) -> None:
        """Keep the bytes of commits for the next time."""
        with self._writing():
            self._db.executemany("INSERT OR REPLACE INTO commits VALUES(?, ?)", bodies.items())

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Make everything inside one step, for this and for other processes; may be nested."""
        with self._lock, self._guarded():
            if self._is_writing:
                yield
                return
            try:
                self._is_writing = True
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                self._db.execute("BEGIN IMMEDIATE")
                yield
                self._db.execute("COMMIT")
            finally:
                # Whatever ended it, an interrupt between two lines too: nothing half done stays open.
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                self._is_writing = False

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Throw a damaged view away: what it held is in the log."""
        try:
            yield
        except sqlite3.Error as error:
            if self._path is not None:
                _discard(self._path)
            raise UnavailableError(
                "view_damaged",
                "the cached view of a repository could not be used",
                why=str(error),
                fix="do it again: the view was thrown away and will be rebuilt from the log",
            ) from error


class _Fits(Exception):
    """A transaction could be folded."""


def _open(path: Path | None) -> sqlite3.Connection:
    if path is not None:
        for _ in range(2):
            try:
                return _connect(str(path))
            except (OSError, sqlite3.Error):
                _discard(path)
    return _connect(":memory:")


def _connect(path: str) -> sqlite3.Connection:
    if path != ":memory:":
        Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    db = sqlite3.connect(path, timeout=WAIT_SECONDS, isolation_level=None, check_same_thread=False)
    # Survives a crash of the process and of the machine, or is found damaged; WAL gives that for few flushes.
    db.execute("PRAGMA synchronous = NORMAL")
    schema = db.execute("PRAGMA user_version").fetchone()[0]
    if schema == 0:
        db.execute("PRAGMA journal_mode = WAL")
        _create_tables(db)
    elif schema != SCHEMA:
        raise sqlite3.DatabaseError("a view of another release")
    return db


def _create_tables(db: sqlite3.Connection) -> None:
    db.execute("BEGIN IMMEDIATE")
    # Another process may have been faster.
    if db.execute("PRAGMA user_version").fetchone()[0] == 0:
        for statement in _TABLES.split(";"):
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {SCHEMA}")
    db.execute("COMMIT")


def _discard(path: Path) -> None:
    for name in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
        try:
            name.unlink(missing_ok=True)
        except OSError:
            return


def _ref(row: tuple[str, bytes | None, bytes | None, int]) -> RefState:
    return RefState(row[0], _commit(row[1]), _commit(row[2]), row[3])


def _commit(digest: bytes | None) -> CommitId | None:
    return None if digest is None else CommitId(digest)


def _pack(row: Sequence[object]) -> PackEntry:
    pack_id, kind, size, index, digest, objects = row
    return PackEntry(pack_id, PackKind(kind), size, index, digest, objects)  # type: ignore[arg-type] # SQLite's own


def _misfit(transaction: Transaction, reason: str) -> IntegrityError:
    return IntegrityError(
        "bad_log", f"slot {transaction.number} of the log does not fit the one before", why=reason, fix="mlreg verify"
    )
