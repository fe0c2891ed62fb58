"""Whether a dataset keeps the rules that were written for it: a version, files, or what is about to be registered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, Protocol

from mlreg.codecs.codec import Buffer
from mlreg.errors import ConflictError, NotFoundError, RefusedError, UsageError, explain
from mlreg.formats.names import Entry
from mlreg.operations.scanning import Source, Stored
from mlreg.quality import checking
from mlreg.quality.checking import FAILED, OK, WARNED, RuleResult, Shelved
from mlreg.quality.inferring import microseconds
from mlreg.quality.rules import Rule, read_rules
from mlreg.quality.tables import TableFile, form_by_name, table_file
from mlreg.registry.getting import Finds
from mlreg.registry.profiling import find_data, is_path, stored_table

SHOWN = 3
"""Rules that a refusal names."""


class DataCheck(NamedTuple):
    """What became of the rules for a dataset."""

    ref: str
    """A version, perhaps with a path in it; or a path on the disk."""
    id: str
    """Of the version; empty of files that are not registered."""
    passed: bool
    """Whether no rule of severity `error` is broken."""
    verdict: str
    """`ok`, `warn` or `fail`: that of the worst rule."""
    failed: int
    """Rules of severity `error` that are broken."""
    warned: int
    """Rules of severity `warn` that are broken."""
    rules: tuple[RuleResult, ...]
    """In the order of the file."""


class Tables(NamedTuple):
    """The tables of a dataset, none of them read yet."""

    ref: str
    id: str
    shelved: Sequence[Shelved]


class Ruled(Finds, Protocol):
    """What a `Registry` is asked here."""

    def rules_of(self, entry: Entry) -> Mapping[str, object]:
        """Return the rules that data of an entry must keep, by where each document lies."""


def data_check(registry: Ruled, text: str, documents: Mapping[str, object], now: datetime | None = None) -> DataCheck:
    """Say whether a dataset keeps rules.

    Args:
        registry: where refs begin.
        text: a ref or a path, as `profiling.profile` takes it.
        documents: rules, by where each document lies; by default those of the settings for the entry.
        now: for what must be fresh; by default this moment.

    Raises:
        UsageError: `bad_rule`, `bad_table`; `no_rules`, there are none.
        UnsupportedError: `missing_extra`, for Parquet without DuckDB.
        NotFoundError: `file_missing`, and what else a ref may raise.
    """
    documents = documents or ({} if is_path(text) else registry.rules_of(find_data(registry, text)[2].entry))
    if not documents:
        fix = ("--rules FILE", "mlreg config set registry.data.rules FILE")
        raise UsageError("no_rules", f"there are no rules for {text}", why="registry.data.rules is not set", fix=fix)
    found = tables_of(registry, text)
    return _checked(registry, found, documents, now)


def _checked(registry: Finds, found: Tables, documents: Mapping[str, object], now: datetime | None = None) -> DataCheck:
    rules = [rule for place, document in documents.items() for rule in read_rules(document, place)]
    moment = microseconds(now or datetime.now(UTC))
    results = checking.check(found.shelved, rules, partial(_others, registry), moment)
    failed, warned = (sum(one.verdict == word for one in results) for word in (FAILED, WARNED))
    verdict = FAILED if failed else WARNED if warned else OK
    return DataCheck(found.ref, found.id, not failed, verdict, failed, warned, results)


def _others(registry: Finds, rule: Rule) -> Sequence[Shelved]:
    return tables_of(registry, rule.options["ref"]).shelved


Read = Callable[[Stored], Iterable[Buffer]]
"""Returns the bytes of a file that the repository has already."""


def check_new(
    registry: Finds, entry: Entry, sources: Sequence[Source], documents: Mapping[str, object], read: Read
) -> list[str]:
    """Return what must be warned of before sources are registered.

    Raises:
        RefusedError: `rules_failed`.
        ConflictError: `file_changed`, while it was looked at.
        UsageError: `bad_rule`, `bad_table`.
    """
    shelved = [Shelved(one.path, partial(_opened, one, read)) for one in sources if form_by_name(one.path)]
    found = _checked(registry, Tables(str(entry), "", shelved), documents)
    broken = [one for one in found.rules if one.verdict == FAILED]
    if broken:
        why = "; ".join(map(told, broken[:SHOWN]))
        more = f"; and {len(broken) - SHOWN} more" if len(broken) > SHOWN else ""
        fix = ("mlreg data check PATH --rules FILE says where", "correct the data, or the rules")
        count = f"{len(broken)} rule{'s' if len(broken) > 1 else ''}"
        raise RefusedError("rules_failed", f"{entry} breaks {count}; nothing was registered", why=why + more, fix=fix)
    return [f"{entry}: {told(one)}" for one in found.rules if one.verdict == WARNED]


def told(result: RuleResult) -> str:
    """Return a broken rule in a sentence, with its first sample."""
    first = next(iter(result.samples), None)
    place = f", first {first.value!r} in {first.file}" + (f", line {first.line}" if first.line else "") if first else ""
    return f"{result.name}: {result.why}{place}"


# Where the tables are.


def tables_of(registry: Finds, text: str) -> Tables:
    """Return the tables of a version, or of files on the disk.

    Raises:
        NotFoundError: `file_missing`, and what else a ref may raise.
    """
    return _tables_at(Path(text)) if is_path(text) else _tables_in(registry, text)


def _tables_in(registry: Finds, text: str) -> Tables:
    repository, ref, target = find_data(registry, text)
    shelved = [
        Shelved(file.path, partial(stored_table, repository, file, form, f"{target}:{file.path}"))
        for file in registry.files_of(repository, target, ref.path)
        if (form := form_by_name(file.path))
    ]
    return Tables(f"{target}:{ref.path}" if ref.path else str(target), str(target.commit_id), shelved)


def _tables_at(path: Path) -> Tables:
    named = files_at(path)
    return Tables(str(path), "", [Shelved(name, partial(_on_disk, one)) for name, one in named if form_by_name(name)])


def files_at(path: Path) -> list[tuple[str, Path]]:
    """Return the files at or below a path, each with its name there.

    Raises:
        NotFoundError: `file_missing`.
    """
    if not path.exists():
        raise NotFoundError("file_missing", f"{path} does not exist", fix="check the path")
    files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
    return [(one.relative_to(path).as_posix() if path.is_dir() else one.name, one) for one in files]


@contextmanager
def _on_disk(path: Path, name: str = "") -> Iterator[TableFile]:
    found = table_file(path, name)
    if found is None:
        # Its name was one of a table when it was found.
        raise NotFoundError("file_missing", f"{path} is no table any more", fix="check the path")
    yield found


@contextmanager
def _opened(source: Source, read: Read) -> Iterator[TableFile]:
    """Yield a source as a table, which must not change meanwhile."""
    content = partial(read, source.content) if isinstance(source.content, Stored) else source.content
    if not callable(content):
        path = Path(content)
        before = _stamp(path)
        with _on_disk(path, source.path) as table:
            yield table
        if before != _stamp(path):
            raise ConflictError("file_changed", f"{path} was written to while it was checked", fix="add it again")
        return
    with TemporaryDirectory(prefix="mlreg-") as directory:
        path = Path(directory) / "table"
        _write(path, content)
        with _on_disk(path, source.path) as table:
            yield table


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        status = path.stat()
    except OSError as error:
        raise explain(error, str(path)) from error
    return status.st_ino, status.st_size, status.st_mtime_ns


def _write(path: Path, content: Callable[[], Iterable[Buffer]]) -> None:
    with path.open("wb") as file:
        for part in content():
            file.write(part)
