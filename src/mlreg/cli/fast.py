"""`rev-parse` without the command tree: it is called in loops and from prompts, and must start at once."""

from __future__ import annotations

import sys

from mlreg.config import Config
from mlreg.registry.registry import Registry


def can_answer(arguments: list[str]) -> bool:
    """Tell whether the arguments are `rev-parse` and refs, and nothing else."""
    name, *refs = arguments or [""]
    return name == "rev-parse" and bool(refs) and not any(ref.startswith("-") for ref in refs)


def answer(arguments: list[str]) -> None:
    """Print the canonical form of each ref."""
    config = Config()
    registry = Registry(lambda: config.repository, "", config.cache, lambda: config.remotes)
    found = [str(registry.rev_parse(ref)) for ref in arguments[1:]]
    sys.stdout.write("".join(f"{ref}\n" for ref in found))
