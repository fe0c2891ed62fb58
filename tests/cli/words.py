"""Write `src/mlreg/cli/words.json`: the commands and options that completion knows without the command tree.

Run it again, as `python -m tests.cli.words`, when a command or an option has changed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import typer

from mlreg.cli import completing
from mlreg.cli.app import tree
from mlreg.cli.contract import SCHEMAS
from mlreg.cli.topic import TOPICS

Node = dict[str, Any]


def written() -> str:
    """Return the table as it should stand in its file."""
    found = node(typer.main.get_command(tree()))
    common = shared(found)
    table = {"topics": [*TOPICS], "schemas": sorted(SCHEMAS), "common": common, **without(found, common)}
    text = json.dumps({**table, "options": found["options"]}, indent=1)
    # A line for each option, so that two people may add one.
    return re.sub(r'\[\s+("(?:[^"\\]|\\.)*"),\s+("(?:[^"\\]|\\.)*")\s+\]', r"[\1, \2]", text) + "\n"


def node(command: Any) -> Node:
    """Return what completion knows of a command and of those below it."""
    found: Node = {"help": command.get_short_help_str(100), "options": dict(options(command))}
    if arguments := [one.metavar for one in command.params if one.param_type_name == "argument"]:
        found["arguments"] = arguments
    if below := getattr(command, "commands", None):
        found["commands"] = {name: node(one) for name, one in below.items()}
    return found


def options(command: Any) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield each spelling of each option, with what stands behind it and what it means."""
    context = typer.Context(command, info_name="mlreg")
    named = [one for one in command.get_params(context) if one.param_type_name == "option"]
    for one in sorted(named, key=lambda one: str(one.name)):
        value = "" if one.is_flag else str(one.metavar or "|".join(getattr(one.type, "choices", ["VALUE"])))
        for word in sorted(one.opts):
            yield word, (value, re.split(r"\. (?=[A-Z])", one.help)[0].rstrip("."))


def leaves(found: Node) -> Iterator[Node]:
    """Yield the commands that have no others below."""
    for one in found["commands"].values():
        yield from leaves(one) if "commands" in one else [one]


def shared(found: Node) -> Node:
    """Return the options that all commands have."""
    first, *others = [one["options"] for one in leaves(found)]
    return {word: value for word, value in first.items() if all(other.get(word) == value for other in others)}


def without(found: Node, common: Node) -> Node:
    """Return a tree without the options that all commands have."""
    left = {word: value for word, value in found["options"].items() if word not in common}
    below = {name: without(one, common) for name, one in found.get("commands", {}).items()}
    return {**found, "options": left, **({"commands": below} if below else {})}


if __name__ == "__main__":
    completing.TABLE.write_text(written(), encoding="utf-8")
