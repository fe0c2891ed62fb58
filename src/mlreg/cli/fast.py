"""Answers without the command tree: what is called in loops and from prompts must start at once."""

from __future__ import annotations

import sys

from mlreg import __version__
from mlreg.config import Config
from mlreg.registry.registry import Registry


def can_answer(arguments: list[str]) -> bool:
    """Tell whether the arguments are `--version`, or `rev-parse` and refs, and nothing else."""
    name, *refs = arguments or [""]
    if arguments == ["--version"]:
        return True
    return name == "rev-parse" and bool(refs) and not any(ref.startswith("-") for ref in refs)


def answer(arguments: list[str]) -> None:
    """Print the version of mlreg, or the canonical form of each ref."""
    if arguments == ["--version"]:
        sys.stdout.write(f"mlreg {__version__}\n")
        return
    config = Config()
    registry = Registry(lambda: config.repository, "", config.cache, lambda: config.remotes)
    found = [str(registry.rev_parse(ref)) for ref in arguments[1:]]
    sys.stdout.write("".join(f"{ref}\n" for ref in found))
