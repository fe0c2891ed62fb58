"""What tests of runs ask of a registry of experiments."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mlreg.errors import MlregError, NoSpaceError
from mlreg.registry.experiment import ExperimentRegistry
from mlreg.registry.run import Run
from mlreg.registry.run_results import RunInfo


def end_and_not_seal(registry: ExperimentRegistry, run: Run, status: str = "finished") -> None:
    """End a run of which the disk was full when it was to be sealed."""

    def refuse(run: str, more: object = None) -> RunInfo:
        raise NoSpaceError("no_space", f"there is no room for {run}: {more}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "seal", refuse)
        assert code_of(lambda: run.finish(status)) == "no_space"


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(MlregError) as caught:
        action()
    return caught.value.code


def points(registry: ExperimentRegistry, run: Run, name: str = "loss") -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in registry.get_metrics(run.id)[name].points()]


def files(registry: ExperimentRegistry, info: RunInfo) -> dict[str, bytes]:
    found = registry.registry.files(info.ref)
    return {file.path: b"".join(registry.registry.cat(f"{info.ref}:{file.path}")) for file in found}


def artifacts(registry: ExperimentRegistry, info: RunInfo) -> dict[str, bytes]:
    below = "artifacts/"
    found = files(registry, info).items()
    return {path.removeprefix(below): data for path, data in found if path.startswith(below)}
