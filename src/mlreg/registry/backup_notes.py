"""Which backups of a repository were made last: a note beside it, for who asks how old the last one is.

It is a help and no more: what is in a backup only that itself can say.
"""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from mlreg.repository.log import now
from mlreg.stores.small_file import replace_file

FILE = "backups.jsonl"
"""Beside the log: a record a line, the newest last."""
KEPT = 50
"""Records that stay."""


class NotedBackup(NamedTuple):
    """A backup that was made, or found to have all there is."""

    time: float
    """Seconds since 1970."""
    to: str


def note(repository: Path, to: str) -> None:
    """Note that a repository was backed up now; no backup fails for it.

    Args:
        repository: its directory.
        to: where the backup is.
    """
    path, record = repository / FILE, json.dumps({"time": now(), "to": to})
    with suppress(OSError, ValueError):
        before = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        replace_file(path, "".join(f"{line}\n" for line in [*before[1 - KEPT :], record]).encode())


def last(repository: Path) -> NotedBackup | None:
    """Return the last backup that is known of; None if none is, or the note cannot be read."""
    try:
        *_, line = (repository / FILE).read_text(encoding="utf-8").splitlines()
        record = json.loads(line)
        time = datetime.fromisoformat(record["time"]).astimezone(UTC).timestamp()
        return NotedBackup(time, str(record.get("to", "")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None
