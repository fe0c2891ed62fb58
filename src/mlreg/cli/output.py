"""The one place that prints. Results go to standard output, everything else to standard error.

On a terminal a list is a table, sizes and times are made readable; elsewhere it is tab-separated, whole
and exact. `--json` prints one document, `-q` only refs. No byte of stored text reaches a terminal as a
control character.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mlreg import __version__
from mlreg.cli.allocating import keep_memory
from mlreg.cli.answers import Failure
from mlreg.errors import MlregError, UsageError, explain
from mlreg.formats.amounts import size_of
from mlreg.registry.results import fields_of

if TYPE_CHECKING:
    from mlreg.formats.template import Template


class Mode(Enum):
    """How a result is printed."""

    TEXT = "text"
    JSON = "--json"
    QUIET = "--quiet"
    FORMAT = "--format"


class Style(Enum):
    """What a column holds, so that a terminal can show it readably."""

    TEXT = "text"
    SIZE = "size"
    COUNT = "count"
    LONG = "long"
    """Text of any length: a terminal shows its two ends."""
    NAME = "name"
    """What is copied from there: never broken, however narrow the terminal is."""
    TIME = "time"
    """A time: a terminal shows day, hour and minute, and never breaks it."""
    WORDS = "words"
    """Text in which names may stand: broken between its words."""
    LIST = "list"
    """Names with commas between: broken between them."""


class Column(NamedTuple):
    """A column of a list."""

    heading: str
    style: Style = Style.TEXT
    may_go: bool = False
    """Whether a terminal leaves it out if nothing stands in it."""


MINUTES = len("2026-11-23T12:00")
"""Characters of a time that a terminal shows."""
WHOLE = (Style.NAME, Style.TIME, Style.SIZE, Style.COUNT)
"""What a terminal does not break: if it is too wide though all else is narrow, lines are longer than the terminal."""
NARROW, NARROWEST = 12, 4
"""Columns of a terminal to which text is made narrow; the second if all fits then, and with the first it does not."""
LONGEST_WORD = 80
"""Characters of a word that is not broken where text is broken between words."""
GAP = 2
"""Columns of a terminal between those of a table."""
END = 16
"""Characters that a terminal shows of each end of a long text."""


class View(NamedTuple):
    """What a command shows of a result, apart from its JSON."""

    columns: Sequence[Column]
    rows: Iterable[Sequence[object]]
    """Asked for once, and only if they are shown."""
    refs: Sequence[str]
    """What `-q` prints, one a line."""
    summary: str = ""
    """A sentence instead of a table."""
    terminal_rows: Iterable[Sequence[object]] = ()
    """What a terminal shows instead of `rows`, if that is something else; asked for as they are."""
    lines: Sequence[str] = ()
    """A picture instead of a table, the same everywhere."""


class Printer(NamedTuple):
    """Prints results in the way that was asked for."""

    mode: Mode
    template: Template | None = None
    """Of `Mode.FORMAT`."""

    @classmethod
    def of(cls, command: str, *, as_json: bool, quiet: bool, template: str) -> Printer:
        """Return what prints as options ask for what a command answers.

        Raises:
            UsageError: `one_output`, two ways were asked for; `bad_template`.
        """
        asked = {Mode.JSON: as_json, Mode.QUIET: quiet, Mode.FORMAT: bool(template)}
        modes = [mode for mode, wanted in asked.items() if wanted] or [Mode.TEXT]
        if len(modes) > 1:
            words = " and ".join(mode.value for mode in modes)
            raise UsageError("one_output", f"{words} exclude each other", fix=f"leave {modes[0].value} out")
        return cls(modes[0], _template(template, command) if template else None)

    def show(self, name: str, result: object, view: View) -> None:
        """Print a result.

        Args:
            name: of the schema, `ls` for `mlreg.ls/1`.
            result: a frozen result, or a list of them.
            view: what people see.

        Raises:
            UsageError: `bad_template`.
        """
        if self.mode is Mode.JSON:
            document = {"schema": f"mlreg.{name}/1", **_document(result)}
            _write(json.dumps(document, ensure_ascii=True, allow_nan=False))
        elif self.mode is Mode.QUIET:
            for ref in view.refs:
                _write(safe(ref))
        elif self.template:
            _show_formatted(self.template, result)
        else:
            _show_text(view)

    @contextmanager
    def progress(self, label: str) -> Iterator[Callable[[int], None]]:
        """Yield what is told about bytes done; shows a bar on a terminal, and nothing anywhere else."""
        keep_memory()  # what takes long enough for a bar moves many bytes
        if not sys.stderr.isatty() or os.environ.get("CI") or self.mode is not Mode.TEXT:
            yield lambda size: None
            return
        with _bar(label) as report:
            yield report


def _template(text: str, command: str) -> Template:
    """Return a template that fits a command: whoever mistypes a key learns it before anything is done."""
    from mlreg.cli.contract import COMMANDS
    from mlreg.formats.template import Template

    found = Template(text)
    found.check(COMMANDS[command].keys)
    return found


def _show_formatted(template: Template, result: object) -> None:
    documents = [_fields(item) for item in result] if isinstance(result, list) else [_fields(result)]
    shown = safe if sys.stdout.isatty() else str
    for line in [template.of(document, shown) for document in documents]:
        _write(line)


def _show_text(view: View) -> None:
    if view.summary or view.lines:
        for line in view.lines or (view.summary,):
            _write(safe(line))
    elif sys.stdout.isatty() and view.columns:
        _table(view)
    else:
        for row in view.rows:
            _write("\t".join(safe(str(cell)) for cell in row))


def _document(result: object) -> dict[str, Any]:
    if isinstance(result, list):
        return {"items": [_fields(item) for item in result]}
    return _fields(result)


def _fields(result: object) -> dict[str, Any]:
    return {name: _plain(getattr(result, name)) for name in fields_of(type(result))}


def _plain(value: Any) -> Any:
    """Return a result as JSON has it: named tuples as objects."""
    if hasattr(value, "_asdict"):
        return {name: _plain(field) for name, field in value._asdict().items()}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def print_version() -> None:
    """Print the version of mlreg."""
    _write(f"mlreg {__version__}")


def write_bytes(parts: Iterator[bytes | bytearray | memoryview]) -> None:
    """Copy bytes to standard output as they are."""
    try:
        for part in parts:
            sys.stdout.buffer.write(part)
        sys.stdout.buffer.flush()
    except BrokenPipeError as error:
        raise ReaderGoneError from error


def write_text(text: str) -> None:
    """Print text that was stored: as it is, but on a terminal with escapes for what a terminal would obey."""
    if not sys.stdout.isatty():
        write_bytes(iter([text.encode()]))
        return
    for line in text.splitlines():
        _write(safe(line))


def write_lines(lines: Iterable[str]) -> None:
    """Print lines that were made of stored text, as `write_text` does; no more than one is in memory."""
    shown = safe if sys.stdout.isatty() else str
    for line in lines:
        _write(shown(line))


def save(text: str, path: Path) -> int:
    """Write text to a file that was named, and return its bytes.

    Raises:
        UsageError: `bad_place`, it is a directory, or lies in none. AccessError, NoSpaceError: as they say.
    """
    data = text.encode()
    try:
        path.write_bytes(data)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        if path.is_dir():
            raise UsageError("bad_place", f"{path} is a directory", fix="name a file in it") from error
        raise no_directory(path) from error
    except OSError as error:
        raise explain(error, str(path)) from error
    return len(data)


def no_directory(path: Path) -> UsageError:
    """Return the error for a file that lies in no directory."""
    fix = f"mkdir -p {shlex.quote(str(path.parent))}"
    return UsageError("bad_place", f"there is no directory {path.parent} to write {path.name} into", fix=fix)


def note(text: str) -> None:
    """Say something on standard error."""
    sys.stderr.write(safe(text) + "\n")


def ask(question: str) -> str:
    """Ask on standard error, and return the line that was typed; empty at the end of input."""
    sys.stderr.write(safe(question))
    sys.stderr.flush()
    return sys.stdin.readline()


def warn(text: str) -> None:
    """Warn on standard error; not at all if there is nothing to warn of."""
    if text:
        note(f"warning: {text}")


def show_error(error: MlregError, *, as_json: bool) -> None:
    """Print an error: what, why, fix; as one line of JSON under `--json`."""
    if as_json:
        failure = Failure(error.code, error.exit_status, error.message, error.why, error.fix, error.retryable)
        sys.stderr.write(json.dumps({"schema": "mlreg.error/1", **_fields(failure)}, ensure_ascii=True) + "\n")
        return
    lines = [f"error[{error.code}]: {error.message}"]
    lines.extend([f"  why: {error.why}"] if error.why else [])
    lines.extend(f"  fix: {fix}" for fix in error.fix)
    sys.stderr.write("".join(safe(line) + "\n" for line in lines))


def safe(text: str) -> str:
    r"""Return text without anything that a terminal would obey or that hides: such characters as escapes.

    >>> safe("a\x1b[2Jb\u202ec")
    'a\\x1b[2Jb\\u202ec'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character.isprintable() and unicodedata.category(character) not in ("Cf", "Cs", "Co"):
        return character
    return character.encode("unicode_escape").decode()


class ReaderGoneError(BaseException):
    """Who was reading standard output has gone. No Exception: typer would make an end of its own of it."""


def _encodable(text: str) -> str:
    """Return text with escapes in place of what standard output cannot encode."""
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _write(line: str) -> None:
    try:
        sys.stdout.write(_encodable(line) + "\n")
    except BrokenPipeError as error:
        raise ReaderGoneError from error


def _table(view: View) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = [
        [_encodable(safe(readable(column.style, cell))) for column, cell in zip(view.columns, row, strict=True)]
        for row in view.terminal_rows or view.rows
    ]
    shown = [at for at, column in enumerate(view.columns) if not column.may_go or any(row[at] for row in rows)]
    cells = [[_encodable(safe(view.columns[at].heading)), *(row[at] for row in rows)] for at in shown]
    styles = [view.columns[at].style for at in shown]
    console = Console(no_color=bool(os.environ.get("NO_COLOR")))
    room = console.width - GAP * (len(shown) - 1)
    widths = _fitting(styles, cells, room)
    console.width = max(console.width, sum(widths) + GAP * (len(shown) - 1))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for style, (heading, *_), width in zip(styles, cells, widths, strict=True):
        is_right = style in (Style.SIZE, Style.COUNT)
        # A heading may be what someone called a run.
        table.add_column(Text(heading), justify="right" if is_right else "left", overflow="fold", width=width)
    for row in rows:
        # Text, not markup: a name in brackets is a name.
        table.add_row(*(Text(row[at]) for at in shown))
    console.print(table)


def _fitting(styles: Sequence[Style], cells: Sequence[Sequence[str]], room: int) -> list[int]:
    """Return the widths of columns with these cells; together more than there is room only if names need it."""
    from rich.cells import cell_len

    least, tight = ([_least(*one, narrow) for one in zip(styles, cells, strict=True)] for narrow in (NARROW, NARROWEST))
    most = [max(map(cell_len, some)) for some in cells]
    return _widths(tight if sum(tight) <= room < sum(least) else least, most, room)


def _least(style: Style, cells: Sequence[str], narrow: int) -> int:
    """Return how wide a column must be for what may not be broken in it, if text has so many columns at most."""
    from rich.cells import cell_len

    heading, most = cell_len(cells[0]), max(map(cell_len, cells))
    if style in WHOLE:
        return most
    if style in (Style.WORDS, Style.LIST):
        return max(heading, min(LONGEST_WORD, max(cell_len(word) for cell in cells for word in cell.split() or [""])))
    return min(narrow, most)


def _widths(least: Sequence[int], most: Sequence[int], width: int) -> list[int]:
    """Return the widths of columns, from the least to the most that each can use; the narrow get what they need first.

    >>> _widths([4, 5, 5], [4, 9, 90], 40), _widths([30, 30], [30, 80], 40)
    ([4, 9, 27], [30, 30])
    """
    found, room = list(least), max(0, width - sum(least))
    wanting = sorted(range(len(least)), key=lambda at: most[at] - least[at])
    for done, at in enumerate(wanting):
        more = min(most[at] - least[at], room // (len(wanting) - done))
        found[at], room = found[at] + more, room - more
    return found


def readable(style: Style, cell: object) -> str:
    """Return a cell as a person reads it."""
    if style is Style.LONG and len(str(cell)) > 2 * END + 1:
        return f"{str(cell)[:END]}…{str(cell)[-END:]}"
    if style is Style.LIST:
        return str(cell).replace(",", ", ")
    if style is Style.TIME:
        return str(cell)[:MINUTES].replace("T", " ")
    return size_of(cell) if style is Style.SIZE and isinstance(cell, int) else str(cell)


@contextmanager
def _bar(label: str) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import DownloadColumn, Progress, SpinnerColumn, TextColumn, TransferSpeedColumn

    # The label goes in as a description: a column's own text is a template with markup.
    words = TextColumn("{task.description}", markup=False)
    columns = (SpinnerColumn(), words, DownloadColumn(), TransferSpeedColumn())
    console = Console(stderr=True, no_color=bool(os.environ.get("NO_COLOR")))
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(safe(label), total=None)
        yield lambda size: bar.advance(task, size)
