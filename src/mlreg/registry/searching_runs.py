"""Find runs by what is known of them; sealed ones by their index, others by their journals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mlreg.errors import NotFoundError, UsageError
from mlreg.formats.annotation import facts_of
from mlreg.formats.expression import And, Expression, Field, Not, Or, SortKey, parse_expression, parse_sort
from mlreg.formats.journal import NOT_FINITE
from mlreg.formats.matching import selected, sorted_by
from mlreg.formats.names import EXPERIMENT, Entry, quoted
from mlreg.formats.run import OUR_WORDS, Series
from mlreg.formats.series import FILE, decode_series
from mlreg.operations.best_run import Goal, best_run, goal_of, set_goal
from mlreg.operations.history import files_of, read_commit
from mlreg.operations.live_runs import LiveRun
from mlreg.operations.naming import called, meant
from mlreg.operations.run_facts import FIELDS, facts_of_run, live_document, sealed_document
from mlreg.operations.run_index import RunIndex
from mlreg.registry.describe import statements_of
from mlreg.registry.resolve import entries_of
from mlreg.registry.run_place import Place
from mlreg.registry.run_results import ExperimentInfo, GoalInfo, RunInfo, info_of
from mlreg.repository.view import View

_WORDS = (*FIELDS, *OUR_WORDS)
_NUMBERS = ("metrics.", "min.", "max.")


def search(place: Place, experiment: str = "", where: str = "", sort: str = "", limit: int = 0) -> list[RunInfo]:
    """Return the runs that fit: those that are not sealed first, then the newest, unless `sort` says otherwise.

    Arguments and errors as `ExperimentRegistry.list_runs`.
    """
    wanted = keyed(parse_expression(where, _WORDS)) if where else None
    keys = tuple(SortKey(_key(key.field), key.is_descending) for key in parse_sort(sort, _WORDS)) if sort else ()
    # Before the log: a run that is sealed meanwhile is found in both, and not in neither.
    running = place.live()
    view = place.registry.repository.log.refresh()
    named = _experiments(running, view, experiment)
    index = RunIndex(place.registry.repository)
    live = _live_documents(running, named)
    by = [key.field.parts[0] for key in keys]
    columns = _columns(index, live, {*by, *(field.parts[0] for field in fields_of(wanted))})
    found = _numbers(index, named, live)
    fitting = selected(wanted, found, columns) if wanted else found
    ordered = sorted_by(fitting, keys, lambda run: {key: _sortable(key, columns[key].get(run)) for key in by})
    shown = ordered[: limit or None]
    sealed = index.documents([number for number in shown if number > 0])
    documents = (sealed.get(number) if number > 0 else live[-1 - number] for number in shown)
    return [info_of(_called(document, named)) for document in documents if document]


def best_first(place: Place, experiment: str, where: str = "", top: int = 0) -> list[RunInfo]:
    """Return the runs of an experiment that fit, or only so many of them, the best ones by its goal.

    Raises:
        NotFoundError: `no_goal`, and there is no best one; and as `search`.
    """
    if not top:
        return search(place, experiment, where)
    entry = Entry(EXPERIMENT, experiment)
    goal = goal_of(place.registry.repository.log.refresh(), entry)
    if goal is None:
        fix = f"mlreg exp set-goal {experiment or 'EXPERIMENT'} METRIC max"
        raise NotFoundError("no_goal", f"{entry} has no goal, and so no best runs", fix=fix)
    metric = "`" + goal.metric.replace("`", "``") + "`"
    return search(place, experiment, where, f"{'-' * (goal.direction == 'max')}metrics.{metric}", top)


def _experiments(live: Sequence[LiveRun], view: View, name: str) -> dict[str, str]:
    """Return the experiments that are meant, as the log names them, and what they are called."""
    known = {entry.name: shown.name for entry, shown in entries_of(view, f"{EXPERIMENT}/*").items()}
    known |= {run.state.experiment: run.state.experiment for run in live if run.state.experiment not in known}
    if not name:
        return known
    entry = meant(view, Entry.parse(f"{EXPERIMENT}/{name.removeprefix(f'{EXPERIMENT}/')}"))
    if entry.name in known:
        return {entry.name: known[entry.name]}
    from difflib import get_close_matches

    near = get_close_matches(name, known.values(), n=3)
    fix = (*(f"mlreg run ls {one}" for one in near), "mlreg exp ls")
    raise NotFoundError("ref_not_found", f"there is no experiment {name}", fix=fix)


def _live_documents(live: Sequence[LiveRun], named: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the runs that are not sealed, the newest first."""
    return [live_document(run) for run in reversed(live) if run.state.experiment in named]


def _numbers(index: RunIndex, named: Mapping[str, str], live: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return the numbers of all runs: those of runs that are not sealed, which are negative, then of the others."""
    # A sealed run that goes on is shown as it goes on.
    shadowed = {document["id"] for document in live}
    ids = index.column("id") if shadowed else {}
    sealed = [number for number in index.numbers(list(named)) if not shadowed or ids.get(number) not in shadowed]
    return [*(-1 - at for at in range(len(live))), *sealed]


def _columns(index: RunIndex, live: Sequence[Mapping[str, Any]], keys: set[str]) -> dict[str, dict[int, Any]]:
    """Return the facts that are asked for, each by the number of the run that has it."""
    facts = [(-1 - at, facts_of_run(document)) for at, document in enumerate(live)]
    found = {}
    for key in keys:
        column = index.column(key) | {number: one[key] for number, one in facts if key in one}
        found[key] = {run: _finite(value) for run, value in column.items()} if key.startswith(_NUMBERS) else column
    return found


def _finite(value: Any) -> Any:  # noqa: ANN401 - JSON values
    """Return a value of a metric so that infinities compare as numbers; NaN, which compares with nothing, stays."""
    is_infinite = isinstance(value, str) and value in ("Infinity", "-Infinity")
    return NOT_FINITE[value] if is_infinite else value


def _sortable(key: str, value: Any) -> Any:  # noqa: ANN401 - JSON values
    """Return a fact so that what is no number comes last, wherever large ones are."""
    return None if value == "NaN" and key.startswith(_NUMBERS) else value


def key_of(text: str) -> str:
    """Return the key of facts that a field means as it is typed: `tags.team` is `labels.team`.

    Raises:
        UsageError: `bad_sort`, it is no field.
    """
    (key,) = parse_sort(text, _WORDS)
    return _key(key.field).parts[0]


def _key(field: Field) -> Field:
    first, *rest = field.parts
    ours = OUR_WORDS.get(first, first)
    return Field((".".join([ours, *rest] if ours else rest or [first]),))


def keyed(expression: Expression) -> Expression:
    """Return an expression on facts: each of its fields is one key."""
    match expression:
        case And(operands) | Or(operands):
            return replace(expression, operands=tuple(map(keyed, operands)))
        case Not(operand):
            return replace(expression, operand=keyed(operand))
        case _:
            return replace(expression, field=_key(expression.field))


def fields_of(expression: Expression | None) -> list[Field]:
    """Return the fields that an expression speaks of."""
    match expression:
        case None:
            return []
        case And(operands) | Or(operands):
            return [field for one in operands for field in fields_of(one)]
        case Not(operand):
            return fields_of(operand)
        case _:
            return [expression.field]


def _called(document: Mapping[str, Any], named: Mapping[str, str]) -> Mapping[str, Any]:
    """Return a document in which the experiment is called as it is now."""
    shown = named.get(document["experiment"], document["experiment"])
    if shown == document["experiment"]:
        return document
    version = document["ref"].rpartition("@")[2]
    return {**document, "experiment": shown, "ref": f"{EXPERIMENT}/{shown}@{version}"}


# One run.


def find(place: Place, text: str) -> RunInfo:
    """Return a run, sealed or not; raises as `ExperimentRegistry.get_run`."""
    try:
        return info_of(live_document(place.find(text)))
    except NotFoundError as error:
        if error.code != "run_missing":
            raise
    return sealed(place, text)


def sealed(place: Place, text: str) -> RunInfo:
    """Return a sealed run by a ref, its id or the beginning of it.

    Raises:
        NotFoundError: `ref_not_found`, `ref_ambiguous`, `not_a_run`.
    """
    repository, _, target = place.registry.find(ref_of(text))
    if target.entry.kind != EXPERIMENT:
        raise NotFoundError("not_a_run", f"{target} is no run", fix="mlreg run ls")
    view, commit = repository.log.view, read_commit(repository, target.commit_id)
    stated = facts_of(statements_of(view, target.entry, target.version).about(commit), {"metadata": commit.metadata})
    return info_of(_called(sealed_document(commit, stated), {target.entry.name: target.called.name}))


def ref_of(text: str) -> str:
    """Return the ref that a user means by the id of a run, or the beginning of it."""
    is_bare = not any(mark in text for mark in "/@:")
    return f"run/{text}" if is_bare else text


def metrics(place: Place, text: str) -> dict[str, Series]:
    """Return the points of all metrics of a run; raises as `ExperimentRegistry.get_metrics`."""
    try:
        return place.find(text).state.metrics
    except NotFoundError as error:
        if error.code != "run_missing":
            raise
    repository, _, target = place.registry.find(ref_of(text))
    files = {file.path: file for file in files_of(repository, read_commit(repository, target.commit_id))}
    file = files.get(FILE)
    return decode_series(b"".join(repository.objects.read_whole(file.id, file.size))) if file else {}


# Experiments.


def experiments(place: Place) -> list[ExperimentInfo]:
    """Return the experiments, sorted by name."""
    running = place.live()
    view = place.registry.repository.log.refresh()
    index = RunIndex(place.registry.repository)
    started = index.column("started")
    found = []
    for name, shown in sorted(_experiments(running, view, "").items(), key=lambda item: item[1]):
        numbers = index.numbers([name])
        live = [run for run in running if run.state.experiment == name]
        times = [*(started.get(number, "") for number in numbers[:1]), *(live_document(run)["started"] for run in live)]
        goal = goal_of(view, Entry(EXPERIMENT, name))
        told = f"{goal.direction} {goal.metric}" if goal else ""
        best = _best(place, Entry(EXPERIMENT, name), shown) if goal else ""
        found.append(
            ExperimentInfo(f"{EXPERIMENT}/{shown}", len(numbers), len(live), told, best, max(times, default=""))
        )
    return found


def _best(place: Place, entry: Entry, shown: str) -> str:
    try:
        return f"{EXPERIMENT}/{shown}@{best_run(place.registry.repository, entry)}"
    except NotFoundError:
        return ""


def declare_goal(place: Place, experiment: str, metric: str, direction: str) -> GoalInfo:
    """Declare which of two runs of an experiment is better: `exp/NAME@best` is the best by it.

    Arguments and errors as `ExperimentRegistry.set_goal`.
    """
    if direction not in ("min", "max"):
        raise UsageError("bad_direction", f"a goal is min or max, not {quoted(direction)}", fix=("use min", "use max"))
    view = place.registry.repository.log.refresh()
    entry = meant(view, Entry.parse(f"{EXPERIMENT}/{experiment.removeprefix(f'{EXPERIMENT}/')}"))
    goal = Goal(metric, "max" if direction == "max" else "min")
    done = set_goal(place.registry.repository, entry, goal, place.registry.author)
    return GoalInfo(str(called(view, entry)), metric, direction, done is not None)
