"""Options that many commands share, and what they open."""

from __future__ import annotations

import os
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from mlreg.cli.output import Mode
from mlreg.config import Config
from mlreg.errors import UsageError
from mlreg.formats.ref import split_place
from mlreg.registry.registry import Registry

Repo = Annotated[Path | None, typer.Option("-C", "--repo", metavar="DIR", help="Work as if started in DIR.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print refs only, one a line.")]
Message = Annotated[str, typer.Option("-m", "--message", metavar="TEXT", help="Why; kept in the log.")]
Version = Annotated[str, typer.Option("--version", metavar="V", help="Name of the version, e.g. 1.0.0.")]
Bump = Annotated[
    str,
    typer.Option("--bump", metavar="PART", help="Make the next version: major, minor or patch; date for data."),
]
Older = Annotated[bool, typer.Option("--older", help="Allow a version that is older than the newest of its line.")]
Meta = Annotated[
    list[str] | None, typer.Option("--meta", metavar="K=V", help="Metadata; K may be a.b, V is JSON or text.")
]
MetaFile = Annotated[list[Path] | None, typer.Option("--meta-file", metavar="FILE", help="Metadata in YAML or JSON.")]
Inputs = Annotated[list[str] | None, typer.Option("--in", metavar="ROLE=REF", help="What it was made from.")]
Tags = Annotated[list[str] | None, typer.Option("--tag", metavar="NAME", help="Tag it in the same step.")]
ForceTags = Annotated[bool, typer.Option("--force-tags", help="Where both sides moved a tag, the sender's wins.")]
ExitCode = Annotated[bool, typer.Option("--exit-code", help="Exit with 3 if the answer is no.")]

At = Annotated[str, typer.Option("--at", metavar="TIME", help="As it was then: a day, or 2026-11-23T12:00Z.")]
Limit = Annotated[int, typer.Option("-n", "--limit", min=0, metavar="N", help="At most so many; 0 for all.")]

REF = "[KIND/]NAME[@VERSION|@TAG]"


ANSWER_IS_NO = 3
"""The exit status of a question whose answer is no; nothing went wrong."""


def answer(yes: bool) -> None:
    """End with the exit status of an answer: `ANSWER_IS_NO`, or go on if it is yes."""
    if not yes:
        raise typer.Exit(ANSWER_IS_NO)


class Output(Enum):
    """What a lineage is printed as."""

    TREE = "tree"
    DOT = "dot"
    MERMAID = "mermaid"
    JSON = "json"


def mode_of(*, as_json: bool, quiet: bool) -> Mode:
    """Return how to print; `one_output` if two ways were asked for."""
    if as_json and quiet:
        raise UsageError("one_output", "--json and --quiet exclude each other", fix="leave one of them out")
    return Mode.JSON if as_json else Mode.QUIET if quiet else Mode.TEXT


def mode_of_form(form: Output | None, *, as_json: bool, quiet: bool) -> Mode:
    """Return how to print what also has forms of its own; `one_output` if two ways were asked for."""
    if form and (quiet or (as_json and form is not Output.JSON)):
        other = "--quiet" if quiet else "--json"
        raise UsageError(
            "one_output", f"--output {form.value} and {other} exclude each other", fix=f"leave {other} out"
        )
    return mode_of(as_json=as_json or form is Output.JSON, quiet=quiet)


def open_config(repo: Path | None) -> Config:
    """Return the settings that hold in a directory."""
    if repo is not None and not repo.is_dir():
        raise UsageError("no_directory", f"{repo} is not a directory", fix="check what stands behind -C")
    if repo is not None:
        os.chdir(repo)
    return Config()


def open_registry(repo: Path | None) -> Registry:
    """Return the registry of a directory; an error at first use if there is none."""
    config = open_config(repo)
    return registry_of(config)


def open_place(repo: Path | None, text: str, moment: str = "") -> tuple[Registry, str]:
    """Return the registry that a text speaks of, here or elsewhere, and what of it."""
    place, rest = split_place(text)
    registry = open_registry(repo)
    found = registry.elsewhere(place) if place else registry
    return found.at(moment) if moment else found, rest


def registry_of(config: Config) -> Registry:
    """Return the registry that settings speak of; they are read when they are needed."""
    return Registry(
        lambda: config.repository,
        lambda: config.author,
        config.cache,
        lambda: config.remotes,
        lambda: config.formats,
    )
