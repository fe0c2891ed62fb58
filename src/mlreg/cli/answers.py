"""What the command line answers of itself: frozen values, as `registry.results` has them of registries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Failure(NamedTuple):
    """An error, on the last line of standard error."""

    code: str
    """Name of exactly this failure, in small letters and `_`; never renamed."""
    exit: int
    """The exit status: what kind of thing went wrong."""
    message: str
    """What went wrong, with the value that is wrong."""
    why: str
    """The cause, as far as it is known; may be empty."""
    fix: tuple[str, ...]
    """What to do next, most useful first."""
    retryable: bool
    """Whether the same call may succeed later with nothing changed."""


class SchemaInfo(NamedTuple):
    """A schema of what `--json` prints."""

    name: str
    """`mlreg.ls/1`."""
    commands: tuple[str, ...]
    """The commands that print it: `mlreg ls`."""


class SchemaDocument(NamedTuple):
    """A schema, in full."""

    name: str
    """`mlreg.ls/1`."""
    commands: tuple[str, ...]
    """The commands that print it: `mlreg ls`."""
    document: Mapping[str, Any]
    """JSON Schema, draft 2020-12."""


class Completion(NamedTuple):
    """A script that lets a shell complete command lines."""

    shell: str
    """`bash`."""
    script: str
    """To be sourced by that shell; it may change."""


class HelpText(NamedTuple):
    """What help says of a topic or a command."""

    subject: str
    """The topic, or the words of the command."""
    text: str
    """Lines for people; it may change."""
