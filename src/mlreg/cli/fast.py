"""Answers without the command tree: what is called in loops, from prompts and at each tab must start at once."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NamedTuple

from mlreg import __version__
from mlreg.cli import completing

if TYPE_CHECKING:
    from mlreg.config import Config
    from mlreg.registry.registry import Registry

LOG = ["run", "log"]


class Logged(NamedTuple):
    """What `run log` is asked to log."""

    pairs: list[str]
    step: int | None
    run: str


def can_answer(arguments: list[str]) -> bool:
    """Tell whether the arguments are `--version`, `rev-parse` and refs, `run log` and values, or a line being typed."""
    name, *refs = arguments or [""]
    if arguments == ["--version"] or arguments[:2] == completing.CALL:
        return True
    if arguments[:2] == LOG:
        return read_log(arguments) is not None
    return name == "rev-parse" and bool(refs) and not any(ref.startswith("-") for ref in refs)


def answer(arguments: list[str]) -> None:
    """Print the version of mlreg, what a word may become, or the canonical form of each ref; or log metrics."""
    if arguments == ["--version"]:
        sys.stdout.write(f"mlreg {__version__}\n")
    elif arguments[:2] == completing.CALL:
        sys.stdout.write(completing.answer(arguments[2:]))
    elif found := read_log(arguments):
        _log(found)
    else:
        sys.stdout.write(_canonical(arguments[1:]))


def _canonical(refs: list[str]) -> str:
    from mlreg.config import Config

    registry = _registry(Config())
    return "".join(f"{registry.rev_parse(ref)}\n" for ref in refs)


def read_log(arguments: list[str]) -> Logged | None:
    """Return what `run log` is asked to log; None if it is asked for more than that, or for help.

    >>> read_log(["run", "log", "loss=0.5", "--step", "3", "--run", "0199ab3f"])
    Logged(pairs=['loss=0.5'], step=3, run='0199ab3f')
    """
    from mlreg.config import RUN

    pairs, options = [], {"--step": "", "--run": os.environ.get(RUN, "")}
    words = iter(arguments[2:])
    for word in words:
        name, equals, value = word.partition("=")
        if name in options:
            # An empty value, or none, is for the command tree to refuse.
            if not (given := value if equals else next(words, "")):
                return None
            options[name] = given
        elif word.startswith("-"):
            return None
        else:
            pairs.append(word)
    step = options["--step"]
    if not pairs or not options["--run"] or (step and not step.removeprefix("-").isdecimal()):
        return None
    return Logged(pairs, int(step) if step else None, options["--run"])


def _log(asked: Logged) -> None:
    from mlreg.config import Config
    from mlreg.registry.run_place import RUNS_DIRECTORY, Place
    from mlreg.registry.saying import read_values, say_metrics

    config = Config()
    place = Place(lambda: _registry(config), config.runs or config.repository / RUNS_DIRECTORY)
    say_metrics(place, asked.run, [(read_values(asked.pairs), asked.step)])


def _registry(config: Config) -> Registry:
    from mlreg.registry.registry import Registry

    return Registry(lambda: config.repository, "", config.cache, lambda: config.remotes, client=config.client)
