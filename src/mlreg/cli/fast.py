"""Answers without the command tree: what is called in loops, from prompts and at each tab must start at once."""

from __future__ import annotations

import sys

from mlreg import __version__
from mlreg.cli import completing


def can_answer(arguments: list[str]) -> bool:
    """Tell whether the arguments are `--version`, `rev-parse` and refs and nothing else, or a line that is typed."""
    name, *refs = arguments or [""]
    if arguments == ["--version"] or arguments[:2] == completing.CALL:
        return True
    return name == "rev-parse" and bool(refs) and not any(ref.startswith("-") for ref in refs)


def answer(arguments: list[str]) -> None:
    """Print the version of mlreg, what a word may become, or the canonical form of each ref."""
    if arguments == ["--version"]:
        sys.stdout.write(f"mlreg {__version__}\n")
    elif arguments[:2] == completing.CALL:
        sys.stdout.write(completing.answer(arguments[2:]))
    else:
        sys.stdout.write(_canonical(arguments[1:]))


def _canonical(refs: list[str]) -> str:
    from mlreg.config import Config
    from mlreg.registry.registry import Registry

    config = Config()
    registry = Registry(lambda: config.repository, "", config.cache, lambda: config.remotes)
    return "".join(f"{registry.rev_parse(ref)}\n" for ref in refs)
