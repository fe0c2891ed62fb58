"""Runs and taint: what a run uses is looked at before it begins, and shown wherever the run is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlreg.ids import CommitId
from mlreg.operations.tainting import OVERRIDES, Taint, Taints, age, refuse_tainted
from mlreg.registry.given import Inputs, input_pairs
from mlreg.registry.results import TaintInfo
from mlreg.registry.run_results import RunInfo
from mlreg.repository.repository import Repository

if TYPE_CHECKING:
    from mlreg.registry.registry import Registry
    from mlreg.registry.run import Run


def say_inputs(registry: Registry, run: Run, inputs: Inputs, despite_taint: str) -> None:
    """Say what a run that begins uses, (role, ref); of what is tainted only with a reason, which is a fact of the run.

    What a run that goes on turns out to use is said by `Run.add_input`, tainted or not: refused, it would be hidden.

    Raises:
        TaintedError: `tainted`.
        NotFoundError: `ref_not_found`. UsageError: `bad_role`, `remote_input`.
    """
    used = [registry.input_of(*one) for one in input_pairs(inputs)]
    if any(refuse_tainted(registry.repository, [one.commit], one.ref, despite_taint) for one in used):
        run.say_facts({OVERRIDES: despite_taint.strip()})
    for one in used:
        run.use(one)


def with_taints(repository: Repository, runs: Sequence[RunInfo]) -> list[RunInfo]:
    """Return runs with what taints them: what was said of themselves, and what they use.

    Args:
        repository: refreshed; where they are.
        runs: sealed or not.
    """
    taints = Taints(repository)
    own = {taint.ref: taint for taint in taints.sources}
    if not own:
        return list(runs)
    used = taints.of_each({CommitId.parse(one.id) for run in runs for one in run.inputs})

    def of_one(run: RunInfo) -> tuple[TaintInfo, ...]:
        found = {taint for one in run.inputs for taint in used[CommitId.parse(one.id)]}
        said: set[Taint] = {own[run.ref]} if run.ref in own else set()
        return tuple(TaintInfo(*taint) for taint in sorted(found | said, key=age))

    return [run._replace(taints=of_one(run)) for run in runs]
