"""Where runs are kept while they live: a directory for each, below one of the repository or of the settings."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlreg.errors import AccessError, MlregError, NotFoundError, RefusedError
from mlreg.formats.names import quoted
from mlreg.formats.run import id_in, is_run_id
from mlreg.operations.journaling import Journal, open_journal
from mlreg.operations.live_runs import LiveRun, has_run, live_ids, read_live_run

if TYPE_CHECKING:
    from mlreg.operations.earlier_part import Earlier
    from mlreg.registry.registry import Registry

RUNS_DIRECTORY = "runs"
"""Where in a repository runs are kept while they live."""
MIN_BEGINNING = 8
"""Characters of a run's id from which on it is looked for."""


def now() -> int:
    """Return the time as journals have it: milliseconds since 1970."""
    return int(time.time() * 1000)


class Place:
    """A repository, and where its runs are kept while they live."""

    def __init__(self, registry: Registry | Callable[[], Registry], runs: Path | None = None) -> None:
        """Name both; nothing is read yet.

        Args:
            registry: a function is asked when it is needed.
            runs: by default in the repository.
        """
        self._registry = registry
        self._runs = runs

    @cached_property
    def registry(self) -> Registry:
        """The repository, and who uses it."""
        return self._registry() if callable(self._registry) else self._registry

    @property
    def is_local(self) -> bool:
        """Whether runs can live here."""
        return bool(self._runs) or "://" not in self.registry.path

    @property
    def directory(self) -> Path:
        """Where the runs are kept.

        Raises:
            RefusedError: `no_place_for_runs`, the repository is no directory.
        """
        if self._runs:
            return self._runs
        if not self.is_local:
            raise RefusedError(
                "no_place_for_runs",
                f"runs cannot live in {self.registry.path}",
                why="journals are written line by line, which takes a directory",
                fix="mlreg config set registry.experiment.storage_path DIRECTORY",
            )
        return Path(self.registry.path) / RUNS_DIRECTORY

    def live(self) -> list[LiveRun]:
        """Return the runs that are not sealed, the oldest first.

        One that is being sealed is passed over, and so is what another user lets no one read.
        """
        found = []
        for run in live_ids(self.directory) if self.is_local else ():
            try:
                found.append(read_live_run(self.directory, run))
            except (NotFoundError, AccessError):
                continue
        return found

    def id_of(self, text: str) -> str:
        """Return the id of a run that is not sealed.

        Args:
            text: the id or its beginning, alone or behind `run/` or `exp/NAME@`.

        Raises:
            NotFoundError: `run_missing`, `ref_ambiguous`.
            NoRepositoryError: there are no runs here, and no repository.
        """
        word = text.rpartition("@")[2].removeprefix("run/")
        if is_run_id(word) and self.is_local and has_run(self.directory, word):
            return word
        ids = live_ids(self.directory) if self.is_local else []
        found = [run for run in ids if run.startswith(word)] if len(word) >= MIN_BEGINNING else []
        if len(found) > 1:
            what = f"{len(found)} runs have an id that begins with {word}"
            raise NotFoundError("ref_ambiguous", what, fix=tuple(f"mlreg run show {run}" for run in found[:5]))
        if not found:
            if not self.directory.is_dir():
                # Whoever is in the wrong directory learns that, and not that a run is missing.
                _ = self.registry.repository
            raise NotFoundError(
                "run_missing", f"no run {quoted(text)} is open", why="it may be sealed", fix="mlreg run ls"
            )
        return found[0]

    def open_id(self, text: str) -> str:
        """Return the id of a run to say something of; errors as `id_of`, and of a sealed one how it goes on."""
        try:
            return self.id_of(text)
        except NotFoundError as error:
            raise self._sealed(text) or error from None

    def _sealed(self, text: str) -> NotFoundError | None:
        try:
            found = self.registry.rev_parse(f"run/{text.rpartition('@')[2].removeprefix('run/')}")
        except MlregError:
            return None
        why = "nothing is logged to what is sealed; it may go on, and is then sealed again"
        fix = f"mlreg run resume {id_in(found.version)}"
        return NotFoundError("run_missing", f"{found} is sealed", why=why, fix=fix)

    def find(self, text: str) -> LiveRun:
        """Return a run that is not sealed; arguments and errors as `id_of`."""
        return read_live_run(self.directory, self.id_of(text))

    def earlier(self, run: LiveRun) -> Earlier:
        """Return what was sealed of a run before it was resumed, as far as it is here."""
        from mlreg.operations.earlier_part import Earlier, what_is_here  # a call that logs needs none of it

        return what_is_here(self.registry.repository, run.state) if run.state.resumes else Earlier()

    def document(self, run: LiveRun) -> dict[str, Any]:
        """Return what is known of a run that is not sealed, and of what it goes on with."""
        from mlreg.operations.run_facts import live_document

        return live_document(run, self.earlier(run))

    def journal(self, text: str, *, lives: bool) -> Journal:
        """Return a journal of this writer for a run that is not sealed.

        Args:
            text: as for `id_of`.
            lives: whether this process is one that works on the run, and not a call that says one thing of it.

        Raises:
            NotFoundError: `run_missing`, `ref_ambiguous`.
        """
        run = self.open_id(text)
        return open_journal(self.directory / run, run, now(), {}, lives=lives)
