"""What `mlreg help` says: topics, a file each in `topics/`, and the help of commands.

The tables in topics are made here, of what the program itself reads: a line like `[keys]` stands for one.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import typer

from mlreg import errors
from mlreg.cli.answers import HelpText
from mlreg.cli.app import tree
from mlreg.cli.contract import COMMANDS, EVERYWHERE
from mlreg.cli.main import BROKEN_PIPE, INTERRUPTED, TERMINATED
from mlreg.config import KEYS, variable_of
from mlreg.errors import NotFoundError

TOPICS = ("refs", "output", "exit-codes", "errors", "config", "environment", "make")
FOLDER = Path(__file__).with_name("topics")
ENDINGS = {
    0: "done, or nothing to do",
    errors.ANSWER_IS_NO: "done, and the answer is no: see below",
    INTERRUPTED: "interrupted: what was reported as done is done",
    BROKEN_PIPE: "who read the output went away",
    TERMINATED: "asked to end: what was reported as done is done",
}
"""Exit codes that no error has."""


def explain(words: Sequence[str]) -> HelpText:
    """Return a topic, or the help of a command; of all commands if there are no words.

    Raises:
        NotFoundError: `no_topic`.
    """
    subject = " ".join(words)
    return HelpText(subject or "mlreg", text_of(subject) if subject in TOPICS else _help_of(words))


def text_of(topic: str) -> str:
    """Return a topic with its tables."""
    text = (FOLDER / f"{topic}.md").read_text(encoding="utf-8")
    if topic == "errors":
        return "\n".join(_explanations(text))
    return re.sub(r"^\[([a-z]+)\]$", lambda found: "\n".join(_TABLES[found[1]]()), text, flags=re.MULTILINE)


def _help_of(words: Sequence[str]) -> str:
    command = typer.main.get_command(tree(words[0] if words else ""))
    context = command.make_context("mlreg", [], resilient_parsing=True)
    for word in words:
        below = getattr(command, "commands", {})
        if word not in below:
            raise _unknown(words)
        command = below[word]
        context = command.make_context(word, [], parent=context, resilient_parsing=True)
    return command.get_help(context)


def _unknown(words: Sequence[str]) -> NotFoundError:
    subject = " ".join(words)
    near = difflib.get_close_matches(subject, (*TOPICS, *COMMANDS), n=1)
    fix = (*(f"mlreg help {one}" for one in near), "mlreg help")
    return NotFoundError("no_topic", f"{subject!r:.80} is no topic and no command", fix=fix)


# Tables.


def _codes() -> Iterator[str]:
    found = re.findall(r"(\w+Error) +exit (\d+) +(.+)", errors.__doc__ or "")
    faults = {int(status): f"{advice} ({name})" for name, status, advice in found}
    return (f"    {status:<4} {meaning}" for status, meaning in sorted((ENDINGS | faults).items()))


def _answers() -> Iterator[str]:
    for words, contract in COMMANDS.items():
        if contract.no:
            yield f"    {'mlreg ' + words:<26} {contract.no}"


def _commands() -> Iterator[str]:
    for words, contract in COMMANDS.items():
        codes = sorted(contract.exit_codes - {error.exit_status for error in EVERYWHERE})
        yield f"    {'mlreg ' + words:<26} {' '.join(map(str, codes))}".rstrip()


def _keys() -> Iterator[str]:
    for key, meaning in KEYS.items():
        yield f"    {key}"
        yield f"        {meaning}"


def _variables() -> Iterator[str]:
    return (f"    {variable_of(key)}" for key in KEYS)


def _explanations(page: str) -> Iterator[str]:
    """Yield the codes of `docs/errors.md`, each with its exit code, its meaning, and what to do."""
    yield "ERRORS: what stands in brackets behind `error`, with the exit code, the meaning, and what to do"
    for code, status, meaning, advice in re.findall(r"^\| `([a-z_]+)` \| (\d+) \| (.+?) \| (.+?) \|$", page, re.M):
        yield from ("", f"{code} ({status})", f"    {meaning}", f"    {_unlinked(advice)}")


def _unlinked(text: str) -> str:
    return re.sub(r" ?\(\[[^]]+\]\([^)]+\)\)", "", text)


_TABLES: Mapping[str, Callable[[], Iterator[str]]] = {
    "answers": _answers,
    "codes": _codes,
    "commands": _commands,
    "keys": _keys,
    "variables": _variables,
}
