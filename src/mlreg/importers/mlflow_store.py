"""What mlflow keeps: records that both its directory and its database hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

ACTIVE = "active"


class Experiment(NamedTuple):
    """An experiment."""

    id: str
    """A number; where it stands in the order in which experiments were made."""
    name: str
    artifacts: str
    """Where artifacts lie, as a URI or a path."""
    tags: Mapping[str, str]
    is_deleted: bool = False


class Metric(NamedTuple):
    """One point."""

    name: str
    step: int
    time: int
    """Milliseconds since 1970."""
    value: float


class RunRecord(NamedTuple):
    """A run that is not deleted."""

    id: str
    name: str
    user: str
    status: str
    """`FINISHED`, `FAILED`, `KILLED`, `RUNNING` or `SCHEDULED`."""
    start: int
    end: int
    """Milliseconds since 1970; 0 if it has not ended."""
    artifacts: str
    params: Mapping[str, str]
    tags: Mapping[str, str]
    metrics: Sequence[Metric]
    """In the order in which they were logged."""


class VersionRecord(NamedTuple):
    """A version of a registered model."""

    version: int
    run: str
    source: str
    storage: str
    stage: str
    description: str
    tags: Mapping[str, str]


PROMPT = "mlflow.prompt.is_prompt"
"""The tag of what is kept among the models and is none, but a text."""


class ModelRecord(NamedTuple):
    """A registered model."""

    name: str
    description: str
    tags: Mapping[str, str]
    aliases: Mapping[str, int]
    versions: Sequence[VersionRecord]
    """In their order."""


class MlflowStore(Protocol):
    """Where mlflow keeps things."""

    def experiments(self) -> list[Experiment]:
        """Return the experiments, in the order in which they were made, also those that are deleted."""
        ...

    def starts(self) -> Mapping[str, int]:
        """Return when each run began that is not deleted, by its id."""
        ...

    def runs(self, experiment: str) -> Iterator[RunRecord]:
        """Yield the runs of an experiment, by its id."""
        ...

    def models(self) -> Iterator[ModelRecord]:
        """Yield the registered models, in the order in which they were made."""
        ...
