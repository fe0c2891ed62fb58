"""An index of sealed runs: which there are, and a column for each of their facts.

It is a cache as the view is: rebuilt from the log and the commits when it is missing or of another log, brought up
to date whenever it is asked, and never trusted beyond the slot that it was built at.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import closing
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from mlreg.errors import UnavailableError
from mlreg.formats.annotation import about_version, facts_of
from mlreg.formats.names import EXPERIMENT, Entry, RefName, known_ref_name, version_ref
from mlreg.formats.run import id_in, is_run_version
from mlreg.operations.history import read_commits, sealed_versions, version_of
from mlreg.operations.run_facts import facts_of_run, sealed_document
from mlreg.operations.run_metadata import metadata_of
from mlreg.repository.database import Database, Layout
from mlreg.repository.repository import Repository

FILE = "runs.sqlite"
AT_ONCE = 1000
"""Runs that are indexed in one step."""

_LAYOUT = Layout(
    2,
    """
    CREATE TABLE state(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
    CREATE TABLE runs(number INTEGER PRIMARY KEY, experiment TEXT, id TEXT, document TEXT);
    CREATE UNIQUE INDEX runs_id ON runs(experiment, id);
    CREATE TABLE keys(number INTEGER PRIMARY KEY, name TEXT UNIQUE);
    CREATE TABLE facts(key INTEGER, run INTEGER, sort INTEGER, value, PRIMARY KEY(key, run)) WITHOUT ROWID;
    """,
)
_BOOLEAN, _PLAIN, _JSON = 0, 1, 2

_Position = tuple[int, str]
"""A slot of the log, and what it is called."""
RunName = tuple[str, str]
"""Experiment, as the log names it, and id of a run."""
_Answer = TypeVar("_Answer")


def asked(repository: Repository, question: Callable[[RunIndex], _Answer]) -> _Answer:
    """Return what the index answers to a question, all of it about one state; one that is damaged is made anew.

    Args:
        repository: refreshed.
        question: only reads; it may be asked twice.
    """
    try:
        return _asked(repository, question)
    except UnavailableError as error:
        if error.code != "view_damaged":
            raise
    return _asked(repository, question)


def _asked(repository: Repository, question: Callable[[RunIndex], _Answer]) -> _Answer:
    with closing(RunIndex(repository)) as index:
        return index.look(question)


class RunIndex:
    """The sealed runs of a repository, as of its newest state."""

    def __init__(self, repository: Repository) -> None:
        """Open the index and bring it up to date.

        Args:
            repository: refreshed.
        """
        self._repository = repository
        self._db = Database(repository.notes.parent / FILE if repository.notes else None, _LAYOUT)
        self._keys: dict[str, int] = {}
        self._refresh()

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    # Questions.

    def look(self, question: Callable[[RunIndex], _Answer]) -> _Answer:
        """Return the answer to a question about the state of this moment, whatever others index meanwhile."""
        return self._db.look(lambda: question(self))

    def column(self, key: str) -> dict[int, Any]:
        """Return one fact of all runs that have it, by the number of the run: `metrics.auc`."""
        rows = self._db.rows(
            "SELECT run, sort, value FROM facts WHERE key = (SELECT number FROM keys WHERE name = ?)", (key,)
        )
        return {run: value if sort == _PLAIN else _value(sort, value) for run, sort, value in rows}

    def keys(self, prefix: str) -> list[str]:
        """Return the facts that any run ever had and that begin so, sorted."""
        query = "SELECT name FROM keys WHERE name >= ? AND name < ? ORDER BY name"
        return [row[0] for row in self._db.rows(query, (prefix, prefix + "\U0010ffff"))]

    def numbers(self, experiments: Collection[str]) -> list[int]:
        """Return the numbers of the runs of some experiments, the newest first."""
        query = "SELECT number FROM runs WHERE experiment IN (SELECT value FROM json_each(?)) ORDER BY id DESC"
        return [row[0] for row in self._db.rows(query, (json.dumps(list(experiments)),))]

    def documents(self, numbers: Sequence[int]) -> list[dict[str, Any]]:
        """Return what is known of runs, in the order of their numbers as they are given."""
        found: dict[int, str] = {}
        for start in range(0, len(numbers), AT_ONCE):
            some = tuple(numbers[start : start + AT_ONCE])
            query = f"SELECT number, document FROM runs WHERE number IN ({','.join('?' * len(some))})"
            found.update(self._db.rows(query, some))
        # All at once takes less time than one after the other.
        read = dict(zip(found, json.loads(f"[{','.join(found.values())}]"), strict=True))
        return [read[number] for number in numbers]

    def named(self, beginning: str) -> list[RunName]:
        """Return the runs whose ids begin so, of all experiments."""
        query = "SELECT experiment, id FROM runs WHERE id >= ? AND id < ? ORDER BY id"
        return [(row[0], row[1]) for row in self._db.rows(query, (beginning, beginning + "g"))]

    # Keeping up.

    def _refresh(self) -> None:
        while not self._is_up_to_date():
            continue

    def _is_up_to_date(self) -> bool:
        """Index what is new; False if another process did so at the same time, and it is to be done again."""
        view = self._repository.log.view
        number = view.position.number
        newest, known = (number, view.slot_id(number)), self._position()
        if known == newest:
            return True
        # What a slot is called tells whether this is the log that the index was built from.
        since = known[0] if view.slot_id(known[0]) == known[1] else 0
        changed = iter(sorted(self._changed(since) | (set() if since else self._indexed())))
        while some := list(islice(changed, AT_ONCE)):
            self._db.step(partial(self._write, some, self._documents(some)))
        return self._db.step(lambda: self._settle(known, newest))

    def _settle(self, known: _Position, newest: _Position) -> bool:
        """Note up to where the log is indexed now."""
        is_alone = self._position() == known
        # Of what two wrote at a time, the older may have come last: both begin again where both began.
        reached = newest if is_alone else min(known, self._position())
        rows = zip(("number", "slot"), reached, strict=True)
        self._db.run_for_each("INSERT OR REPLACE INTO state VALUES(?, ?)", rows)
        return is_alone

    def _position(self) -> _Position:
        found = dict(self._db.rows("SELECT key, value FROM state"))
        return int(found.get("number") or 0), str(found.get("slot") or "")

    def _indexed(self) -> set[RunName]:
        return {(row[0], row[1]) for row in self._db.rows("SELECT experiment, id FROM runs")}

    def _changed(self, since: int) -> set[RunName]:
        """Return the runs that were sealed, removed or spoken of since a slot."""
        names = map(known_ref_name, self._repository.log.view.names_since(since, f"version/{EXPERIMENT}/"))
        return {(name.entry.name, id_in(name.leaf)) for name in names if name and _is_run(name)}

    def _documents(self, runs: Sequence[RunName]) -> dict[RunName, Mapping[str, Any]]:
        """Return what is known of runs now; those that are not there any more are left out."""
        view = self._repository.log.view
        newest = {run: ref for run in runs if (ref := self._newest(run))}
        targets = {
            run: found.target for run, ref in newest.items() if (found := version_of(view, *ref)) and found.target
        }
        commits = read_commits(self._repository, targets.values())
        documents: dict[RunName, Mapping[str, Any]] = {}
        for run, target in targets.items():
            commit = commits[target]
            about = about_version(version_ref(*newest[run]), commit.content())
            stated = facts_of(view.annotations(about), {"metadata": metadata_of(self._repository, commit)})
            documents[run] = sealed_document(commit, stated)
        return documents

    def _newest(self, run: RunName) -> tuple[Entry, str] | None:
        """Return entry and version that a run was sealed as last and that was not removed."""
        entry, view = Entry(EXPERIMENT, run[0]), self._repository.log.view
        for version in reversed(sealed_versions(view, entry, run[1])):
            found = version_of(view, entry, version)
            if found and found.target:
                return entry, version
        return None

    def _write(self, runs: Iterable[RunName], documents: Mapping[RunName, Mapping[str, Any]]) -> None:
        # A step that was undone has taken the keys back that it had made.
        self._keys.clear()
        for run in runs:
            self._forget(run)
        for (experiment, run_id), document in documents.items():
            text = json.dumps(document, ensure_ascii=False)
            self._db.run("INSERT INTO runs(experiment, id, document) VALUES(?, ?, ?)", (experiment, run_id, text))
            number = self._number(experiment, run_id)
            rows = [(self._key(key), number, *_stored(value)) for key, value in facts_of_run(document).items()]
            self._db.run_for_each("INSERT OR REPLACE INTO facts VALUES(?, ?, ?, ?)", rows)

    def _forget(self, run: RunName) -> None:
        if number := self._number(*run):
            self._db.run("DELETE FROM facts WHERE key IN (SELECT number FROM keys) AND run = ?", (number,))
            self._db.run("DELETE FROM runs WHERE number = ?", (number,))

    def _number(self, experiment: str, run_id: str) -> int:
        row = self._db.row("SELECT number FROM runs WHERE experiment = ? AND id = ?", (experiment, run_id))
        return row[0] if row else 0

    def _key(self, name: str) -> int:
        if name not in self._keys:
            self._db.run("INSERT OR IGNORE INTO keys(name) VALUES(?)", (name,))
            row = self._db.row("SELECT number FROM keys WHERE name = ?", (name,))
            self._keys[name] = row[0] if row else 0
        return self._keys[name]


def _is_run(name: RefName) -> bool:
    return name.remote is None and is_run_version(name.leaf)


def _stored(value: object) -> tuple[int, object]:
    if isinstance(value, bool):
        return _BOOLEAN, int(value)
    if value is None or isinstance(value, str | float) or (isinstance(value, int) and abs(value) < 1 << 63):
        return _PLAIN, value
    return _JSON, json.dumps(value)


def _value(sort: int, value: Any) -> Any:  # noqa: ANN401 - JSON values
    return bool(value) if sort == _BOOLEAN else json.loads(value)
