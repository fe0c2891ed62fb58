"""Find runs by what is known of them; sealed ones by their index, others by their journals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from mlreg.errors import NotFoundError, UsageError
from mlreg.formats.annotation import facts_of
from mlreg.formats.commit import Commit
from mlreg.formats.expression import And, Compare, Expression, Field, Not, Or, SortKey, parse_expression, parse_sort
from mlreg.formats.journal import NOT_FINITE
from mlreg.formats.matching import selected, sorted_by
from mlreg.formats.names import EXPERIMENT, Entry, is_id_prefix, quoted, with_kind
from mlreg.formats.ref import RUN, parse_ref
from mlreg.formats.run import OUR_WORDS, Series, is_run_version
from mlreg.formats.run_summary import moment
from mlreg.operations.best_run import Goal, best_in, goal_of, set_goal
from mlreg.operations.history import read_commit
from mlreg.operations.live_runs import LiveRun
from mlreg.operations.naming import called, meant
from mlreg.operations.run_facts import FIELDS, facts_of_run, sealed_document
from mlreg.operations.run_index import RunIndex, asked
from mlreg.operations.run_metadata import metadata_of, metrics_of
from mlreg.registry.describe import statements_of
from mlreg.registry.resolve import entries_of
from mlreg.registry.run_place import Place
from mlreg.registry.run_results import ExperimentInfo, GoalInfo, RunInfo, info_of
from mlreg.registry.tainted_runs import with_taints
from mlreg.repository.repository import Repository
from mlreg.repository.view import View

_WORDS = (*FIELDS, *OUR_WORDS)
NUMBERS = ("metrics.", "min.", "max.")
"""What the names of facts begin with that are numbers, perhaps not finite ones."""


def search(place: Place, experiment: str = "", where: str = "", sort: str = "", limit: int = 0) -> list[RunInfo]:
    """Return the runs that fit: those that are not sealed first, then the newest, unless `sort` says otherwise.

    Arguments and errors as `ExperimentRegistry.list_runs`.
    """
    keys = _sort_keys(place, sort) if sort else ()
    return _fitting(place, experiment, _wanted(where), keys, limit)


def best_first(place: Place, experiment: str, where: str = "", top: int = 0) -> list[RunInfo]:
    """Return the runs of an experiment that fit, or only so many of them, the best ones by its goal.

    Of the best ones, each has finished and has a value of the metric, as `exp/NAME@best` has.

    Raises:
        NotFoundError: `no_goal`, and there is no best one; and as `search`.
    """
    if not top:
        return search(place, experiment, where)
    view = place.registry.repository.log.refresh()
    goal = goal_of(view, experiment_named(experiment)) if experiment else None
    if goal is None:
        what = f"{experiment_named(experiment)} has no goal" if experiment else "experiments have no goal together"
        fix = f"mlreg exp set-goal {experiment or 'EXPERIMENT'} METRIC max"
        raise NotFoundError("no_goal", f"{what}, and so no best runs", fix=fix)
    metric = Field((f"metrics.{goal.metric}",))
    asked_for = [one for one in (_wanted(where),) if one]
    is_known = (Compare(_key(Field(("status",))), "=", "finished"), Compare(metric, ">=", -math.inf))
    return _fitting(place, experiment, And((*asked_for, *is_known)), (SortKey(metric, goal.direction == "max"),), top)


def _wanted(where: str) -> Expression | None:
    return keyed(parse_expression(where, _WORDS)) if where else None


def _fitting(
    place: Place, experiment: str, wanted: Expression | None, keys: Sequence[SortKey], limit: int
) -> list[RunInfo]:
    scene = _look(place)
    named = _chosen(scene, experiment)
    live = [place.document(run) for name, run in reversed(scene.live) if name in named]
    by = [key.field.parts[0] for key in keys]

    def question(index: RunIndex) -> list[dict[str, Any]]:
        columns = _columns(index, live, {*by, *(field.parts[0] for field in fields_of(wanted))})
        found = _numbers(index, named, live)
        fitting = selected(wanted, found, columns) if wanted else found
        for key in by if fitting else ():
            if not any(run in columns[key] for run in found):
                raise _no_fact(key, {*index.keys(""), *(name for one in live for name in facts_of_run(one))})
        ordered = sorted_by(fitting, keys, lambda run: {key: _sortable(key, columns[key].get(run)) for key in by})
        shown = ordered[: limit or None]
        sealed = iter(index.documents([number for number in shown if number > 0]))
        return [next(sealed) if number > 0 else live[-1 - number] for number in shown]

    documents = asked(place.registry.repository, question)
    found = [info_of(_called(document, scene.called)) for document in documents]
    return with_taints(place.registry.repository, found)


def _sort_keys(place: Place, sort: str) -> tuple[SortKey, ...]:
    try:
        return tuple(SortKey(_key(key.field), key.is_descending) for key in parse_sort(sort, _WORDS))
    except UsageError as error:
        place.registry.repository.log.refresh()
        known = asked(place.registry.repository, lambda index: index.keys(""))
        near = (one for word in sort.split(",") for one in near_to(word.strip(" -"), known)[:1])
        fix = (*(f"use {one}" for one in near), *error.fix)
        raise UsageError(error.code, error.message, why=error.why, fix=fix) from error


def _no_fact(key: str, known: Iterable[str]) -> NotFoundError:
    fix = tuple(f"use {near}" for near in near_to(key, known)) or "mlreg run ls"
    return NotFoundError("no_such_fact", f"no run has {quoted(key)}, to sort by", fix=fix)


def near_to(name: str, known: Iterable[str]) -> list[str]:
    """Return what may be meant by a name that is not known, the likeliest first."""
    from difflib import get_close_matches

    # The ends of metrics are facts, too, and rarely meant.
    names = [one for one in sorted(known) if not one.startswith(("min.", "max."))]
    word, _, rest = name.partition(".")
    # Who leaves the first word out means the rest of it; where it is right, the rest is to be alike.
    behind = [one for one in names if one.partition(".")[2] == name or one == rest]
    below = {one.partition(".")[2]: one for one in names if one.partition(".")[0] == word} if rest else {}
    alike = below or {**{one.partition(".")[2]: one for one in names if not rest}, **{one: one for one in names}}
    near = get_close_matches(rest if below else name, alike, n=3)
    return list(dict.fromkeys([*behind, *(alike[one] for one in near)]))[:3]


class _Scene(NamedTuple):
    """What there is at a moment."""

    view: View
    live: list[tuple[str, LiveRun]]
    """The runs that are not sealed, each behind its experiment, as the log names it; the oldest first."""
    called: dict[str, str]
    """What experiments are called, by their names in the log, and by those that runs were started under."""
    known: dict[str, str]
    """The experiments, as the log names them, and what they are called."""


def _look(place: Place) -> _Scene:
    # Before the log: a run that is sealed meanwhile is found in both, and not in neither.
    running = place.live()
    view = place.registry.repository.log.refresh()
    known = {entry.name: shown.name for entry, shown in entries_of(view, f"{EXPERIMENT}/*").items()}
    called = dict(known)
    live = []
    for run in running:
        name = run.state.experiment
        owner = meant(view, Entry(EXPERIMENT, name)).name if name else ""
        live.append((owner, run))
        called[name] = known.setdefault(owner, owner)
    return _Scene(view, live, called, known)


def experiment_named(experiment: str) -> Entry:
    """Return the experiment that a user names, with `exp/` or without; raises `bad_name`."""
    return Entry.parse(with_kind(EXPERIMENT, experiment))


def _chosen(scene: _Scene, name: str) -> dict[str, str]:
    """Return the experiments that are meant, all of them without a name, as `_Scene.known` has them."""
    if not name:
        return scene.known
    entry = meant(scene.view, experiment_named(name))
    if entry.name in scene.known:
        return {entry.name: scene.known[entry.name]}
    from difflib import get_close_matches

    near = get_close_matches(name, scene.known.values(), n=3)
    fix = (*(f"mlreg run ls {one}" for one in near), "mlreg exp ls")
    raise NotFoundError("ref_not_found", f"there is no experiment {name}", fix=fix)


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
        found[key] = {run: _finite(value) for run, value in column.items()} if key.startswith(NUMBERS) else column
    return found


def _finite(value: Any) -> Any:  # noqa: ANN401 - JSON values
    """Return a value of a metric so that infinities compare as numbers; NaN, which compares with nothing, stays."""
    is_infinite = isinstance(value, str) and value in ("Infinity", "-Infinity")
    return NOT_FINITE[value] if is_infinite else value


def _sortable(key: str, value: Any) -> Any:  # noqa: ANN401 - JSON values
    """Return a fact so that what is no number comes last, wherever large ones are."""
    return None if value == "NaN" and key.startswith(NUMBERS) else value


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
        live = place.find(text)
    except NotFoundError as error:
        if error.code != "run_missing":
            raise
        return sealed(place, text)
    return open_run(place, live)


def open_run(place: Place, live: LiveRun) -> RunInfo:
    """Return what is known of a run that is not sealed."""
    info = info_of(place.document(live))
    if not info.inputs:
        return info
    place.registry.repository.log.refresh()
    return with_taints(place.registry.repository, [info])[0]


def sealed(place: Place, text: str) -> RunInfo:
    """Return a sealed run by a ref, its id or the beginning of it.

    Raises:
        NotFoundError: `ref_not_found`, `ref_ambiguous`, `not_a_run`.
    """
    repository, ref, target = place.registry.find(ref_of(place, text))
    if target.entry.kind != EXPERIMENT:
        raise NotFoundError("not_a_run", f"{target} is no run", fix="mlreg run ls")
    found = sealed_run(repository, read_commit(repository, target.commit_id))
    return found._replace(ref=f"{ref.remote}::{found.ref}") if ref.remote else found


def sealed_run(repository: Repository, commit: Commit) -> RunInfo:
    """Return the sealed run that a commit is."""
    view, entry = repository.log.view, Entry.parse(commit.entry)
    said = statements_of(view, entry, commit.version).about(commit)
    document = sealed_document(commit, facts_of(said, {"metadata": metadata_of(repository, commit)}))
    info = info_of(_called(document, {entry.name: called(view, entry).name}))
    return with_taints(repository, [info])[0]


def ref_of(place: Place, text: str) -> str:
    """Return the ref that a user means by the id of a run, or the beginning of it.

    Raises:
        UsageError: `bad_ref`, a word alone that is no id.
    """
    if any(mark in text for mark in "/@:"):
        return text
    if is_id_prefix(text.replace("-", "")) or is_run_version(text):
        return f"{RUN}/{text}"
    scene = _look(place)
    named = [str(entry) for entry in entries_of(scene.view).values() if entry.name == text]
    is_experiment = text in scene.known.values()
    fix = (*(f"write {one}" for one in named), *([f"all its runs: --exp {text}"] if is_experiment else []))
    why = "a word alone is the id of a run, or at least 8 digits of its beginning"
    raise UsageError("bad_ref", f"{quoted(text)} is no id of a run", why=why, fix=fix or "mlreg run ls")


def experiment_in(text: str) -> str:
    """Return the name of an experiment that is meant as a whole, `exp/churn`; empty if something else is."""
    ref = parse_ref(text)
    is_whole = ref.kind == EXPERIMENT and (ref.remote, ref.selector, ref.path) == (None, None, None)
    return ref.name if is_whole else ""


def metrics(place: Place, text: str) -> dict[str, Series]:
    """Return the points of all metrics of a run; raises as `ExperimentRegistry.get_metrics`."""
    try:
        run = place.find(text)
        return place.earlier(run).all_metrics(run.state)
    except NotFoundError as error:
        if error.code != "run_missing":
            raise
    return sealed_metrics(place, text)


def sealed_metrics(place: Place, text: str) -> dict[str, Series]:
    """Return the points of all metrics of a sealed run; raises as `sealed`."""
    repository, _, target = place.registry.find(ref_of(place, text))
    return metrics_of(repository, read_commit(repository, target.commit_id))


# Experiments.


def experiments(place: Place) -> list[ExperimentInfo]:
    """Return the experiments, sorted by name."""
    scene = _look(place)
    by_name = sorted(scene.known.items(), key=lambda item: item[1])
    return asked(place.registry.repository, lambda index: [_stands(scene, index, *names) for names in by_name])


def _stands(scene: _Scene, index: RunIndex, name: str, shown: str) -> ExperimentInfo:
    entry, numbers = Entry(EXPERIMENT, name), index.numbers([name])
    live = [moment(run.state.first) for owner, run in scene.live if owner == name]
    newest = index.documents(numbers[:1])
    goal = goal_of(scene.view, entry)
    best = best_in(index, entry, goal) if goal else None
    return ExperimentInfo(
        ref=f"{EXPERIMENT}/{shown}",
        runs=len(numbers),
        live=len(live),
        goal=f"{goal.direction} {goal.metric}" if goal else "",
        best=f"{EXPERIMENT}/{shown}@{best}" if best else "",
        time=max((*(document["started"] for document in newest), *live), default=""),
    )


def declare_goal(place: Place, experiment: str, metric: str, direction: str) -> GoalInfo:
    """Declare which of two runs of an experiment is better: `exp/NAME@best` is the best by it.

    Arguments and errors as `ExperimentRegistry.set_goal`.
    """
    if direction not in ("min", "max"):
        raise UsageError("bad_direction", f"a goal is min or max, not {quoted(direction)}", fix=("use min", "use max"))
    view = place.registry.repository.log.refresh()
    entry = meant(view, experiment_named(experiment))
    goal = Goal(metric, "max" if direction == "max" else "min")
    done = set_goal(place.registry.repository, entry, goal, place.registry.author)
    return GoalInfo(str(called(view, entry)), metric, direction, done is not None)
