"""What the word at the cursor may become: `mlreg __complete -- WORDS...`, which the scripts of shells ask.

Answered without the command tree: commands and options stand in `words.json`, which a test holds against the tree.
A line of the answer has three fields with tabs between: what it is, a word, and what the word means. It is a `word`;
a `part`, which may go on; or `files` or `directories`, which have no word: the shell shall add those that are there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mlreg.errors import MlregError

if TYPE_CHECKING:
    from mlreg.config import Config
    from mlreg.registry.completing import Candidate
    from mlreg.registry.registry import Registry

TABLE = Path(__file__).with_name("words.json")
CALL = ["__complete", "--"]
"""What stands before the words of a command line that is being typed; the last of them may be empty."""

_MEANT = {"tag": "set"}
"""Sub-commands that are meant where none is named."""
_IN = ("-C", "--repo")

Node = Mapping[str, Any]
"""A command in the table: what it says of itself, its options, arguments and sub-commands."""


class Line(NamedTuple):
    """A line of the answer."""

    sort: str
    text: str = ""
    meaning: str = ""


class Typed:
    """A command line up to the word at the cursor."""

    def __init__(self, table: Node, words: Iterable[str]) -> None:
        """Read the words that are complete."""
        self.table = table
        self.node = table
        """The command so far."""
        self.path = ""
        """Its words: `tag set`."""
        self.arguments: list[str] = []
        self.option = ""
        """The option whose value comes next, or empty."""
        self.only_arguments = False
        """Whether `--` stands before."""
        self.directory = ""
        """What stands behind `-C`; may be empty."""
        for word in words:
            self._read(word)

    def value_of(self, option: str) -> str:
        """Return what stands behind an option, as its help calls it; empty if nothing does."""
        return str(self.options.get(option, ("", ""))[0])

    @property
    def options(self) -> dict[str, tuple[str, str]]:
        """From each option of the command to what stands behind it and what it means."""
        return {**self.node["options"], **(self.table["common"] if self.path else {})}

    def _read(self, word: str) -> None:
        if self.option:
            self._read_value(self.option, word)
        elif self.only_arguments or not word.startswith("-"):
            self._read_word(word)
        elif word == "--":
            self.only_arguments = True
        else:
            option, equals, value = word.partition("=")
            if equals:
                self._read_value(option, value)
            elif self.value_of(option):
                self.option = option

    def _read_value(self, option: str, value: str) -> None:
        self.option = ""
        if option in _IN:
            self.directory = value

    def _read_word(self, word: str) -> None:
        below = self.node.get("commands", {})
        if word in below:
            self._enter(word)
        else:
            self.enter_meant()
            self.arguments.append(word)

    def enter_meant(self) -> None:
        """Go to the sub-command that is meant where none is named, if there is one."""
        if self.path in _MEANT:
            self._enter(_MEANT[self.path])

    def _enter(self, word: str) -> None:
        self.node = self.node["commands"][word]
        self.path = f"{self.path} {word}".strip()


def answer(words: Sequence[str]) -> str:
    """Return the lines for the words behind `mlreg`; none if there is nothing to say, or nothing that can be read."""
    *before, word = words or [""]
    try:
        typed = Typed(json.loads(TABLE.read_text(encoding="utf-8")), before)
        found = [line for line in _lines(typed, word) if line.text.startswith(word) or not line.text]
    except (MlregError, OSError, ValueError):
        return ""  # who types wants no message in between
    return "".join(f"{line.sort}\t{line.text}\t{line.meaning}\n" for line in found)


def _lines(typed: Typed, word: str) -> Iterable[Line]:
    if typed.option:
        return _values(typed, typed.value_of(typed.option), word)
    if word.startswith("-") and not typed.only_arguments:
        option, equals, value = word.partition("=")
        return _behind(f"{option}=", _values(typed, typed.value_of(option), value)) if equals else _options(typed)
    return _words(typed, word)


def _options(typed: Typed) -> Iterator[Line]:
    for option, (_, meaning) in typed.options.items():
        yield Line("word", option, meaning)


def _words(typed: Typed, word: str) -> Iterator[Line]:
    """Yield sub-commands, and what the next argument may be."""
    below = {} if typed.arguments else typed.node.get("commands", {})
    for name, node in below.items():
        yield Line("word", name, node["help"])
    typed.enter_meant()
    arguments = typed.node.get("arguments", [])
    if at := arguments[len(typed.arguments) :][:1] or [name for name in arguments[-1:] if "..." in name]:
        yield from _values(typed, at[0], word)


def _values(typed: Typed, name: str, word: str) -> Iterable[Line]:
    """Return what may stand where the help says `name`: `[REF...]`, `KIND/NAME`, `tree|dot`."""
    plain = name.strip("[]").removesuffix("...")
    if plain.islower():
        return [Line("word", choice) for choice in plain.split("|")]
    give = _OF_COMMANDS.get((typed.path, plain)) or _OF_ALL.get(plain)
    return give(typed, word) if give else ()


def _behind(start: str, lines: Iterable[Line]) -> Iterator[Line]:
    """Yield lines whose words stand behind something in the same word; the shell would not find files there."""
    return (line._replace(text=start + line.text) for line in lines if line.text)


# What is there. Each takes the command line and the word at the cursor.


def _config(typed: Typed) -> Config:
    from mlreg.config import Config

    return Config(typed.directory)


def _registry(typed: Typed) -> Registry:
    from mlreg.registry.registry import Registry

    config = _config(typed)
    return Registry(lambda: config.repository, "", config.cache)


def _shown(candidates: Iterable[Candidate]) -> Iterator[Line]:
    return (Line("part" if one.goes_on else "word", one.text) for one in candidates)


def _refs(typed: Typed, word: str) -> Iterable[Line]:
    from mlreg.registry import completing

    return _shown(completing.refs(_registry(typed), word))


def _removed(typed: Typed, word: str) -> Iterable[Line]:
    from mlreg.registry import completing

    return _shown(completing.removed(_registry(typed), word))


def _entries(typed: Typed, word: str) -> Iterable[Line]:
    from mlreg.registry import completing

    return _shown(completing.entries(_registry(typed), word))


def _tags(typed: Typed) -> list[Line]:
    """Return the tags of the entry that the first argument speaks of."""
    from mlreg.registry import completing

    return [Line("word", tag) for ref in typed.arguments[:1] for tag in completing.tags_beside(_registry(typed), ref)]


def _inputs(typed: Typed, word: str) -> Iterable[Line]:
    role, mark, ref = word.partition("=")
    return _behind(role + mark, _refs(typed, ref)) if mark else ()


def _conditions(typed: Typed, word: str) -> Iterable[Line]:
    _, mark, _ = word.partition("=")
    return _behind("tag=", _tags(typed)) if mark else (Line("word", "exists"), Line("part", "tag="))


def _remotes(typed: Typed) -> list[Line]:
    return [Line("word", name) for name in _config(typed).remotes]


def _keys(typed: Typed) -> list[Line]:
    from mlreg.config import KEYS, REMOTES

    remotes = [Line("word", f"{REMOTES}{line.text}", "URL of a remote") for line in _remotes(typed)]
    return [*(Line("word", key, meaning) for key, meaning in KEYS.items()), *remotes]


def _topics(typed: Typed) -> list[Line]:
    """Return topics and commands, or what is below the commands that are named already."""
    below = Typed(typed.table, typed.arguments).node.get("commands", {})
    topics = [] if typed.arguments else [Line("word", topic) for topic in typed.table["topics"]]
    return [*topics, *(Line("word", name, node["help"]) for name, node in below.items())]


_FILES, _DIRECTORIES = Line("files"), Line("directories")
_BUMPS = [Line("word", part) for part in ("major", "minor", "patch", "date", "auto")]

_Give = Callable[[Typed, str], Iterable[Line]]

_OF_ALL: Mapping[str, _Give] = {
    "REF": _refs,
    "A": _refs,
    "B": _refs,
    "REF:PATH": _refs,
    "KIND/NAME": _entries,
    "NAME": lambda typed, word: _tags(typed),
    "ROLE=REF": _inputs,
    "REMOTE": lambda typed, word: _remotes(typed),
    "REMOTE|URL": lambda typed, word: [*_remotes(typed), _DIRECTORIES],
    "TOPIC|COMMAND": lambda typed, word: _topics(typed),
    "PART": lambda typed, word: _BUMPS,
    "URL": lambda typed, word: [_DIRECTORIES],
    "DIR": lambda typed, word: [_DIRECTORIES],
    "FILE": lambda typed, word: [_FILES],
    "PATH": lambda typed, word: [_FILES],
}
"""By how help calls a value."""

_OF_COMMANDS: Mapping[tuple[str, str], _Give] = {
    ("restore", "REF"): _removed,
    ("wait", "WHAT"): _conditions,
    ("config get", "KEY"): lambda typed, word: _keys(typed),
    ("config set", "KEY"): lambda typed, word: _keys(typed),
    ("config unset", "KEY"): lambda typed, word: _keys(typed),
    ("remote add", "NAME"): lambda typed, word: (),
    ("remote rm", "NAME"): lambda typed, word: _remotes(typed),
    ("remote forget", "NAME"): lambda typed, word: _remotes(typed),
    ("schema", "NAME"): lambda typed, word: [Line("word", name) for name in typed.table["schemas"]],
}
"""Where a command means something of its own by it."""
