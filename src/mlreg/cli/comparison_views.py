"""How compared runs look: a table for people, JUnit for what runs tests, Markdown for what people read there."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Sequence

from mlreg.cli.output import Column, Style, View, safe
from mlreg.cli.report_files import Forms, attribute, cell, markdown_table
from mlreg.cli.run_views import short, text
from mlreg.formats.amounts import count_of
from mlreg.registry.comparisons import Blame, ComparedMetric, Comparison, Fall, Group, GroupMetric, Suspect

BEST = "*"
"""What stands behind the best value."""


def table(result: Comparison) -> View:
    """What differs, a fact a line and a column for each run; or a line for each group."""
    refs = [result.best] if result.best else []
    if result.groups:
        columns, rows = _groups(result)
        return View(columns, _labelled(result, rows), refs, terminal_rows=rows)
    columns = [Column(""), *(Column(run.name or short(run.ref)) for run in result.runs)]
    return View(
        columns, [["run", *(run.ref for run in result.runs)], *_rows(result)], refs, terminal_rows=_rows(result)
    )


def _rows(result: Comparison) -> list[list[str]]:
    params = [[_word(fact.name), *map(text, fact.values)] for fact in result.params]
    metrics = [[f"metric {metric.name}", *_values(metric)] for metric in result.metrics]
    rest = [[_word(fact.name), *map(text, fact.values)] for fact in result.surroundings]
    return [*params, *metrics, *rest]


def _word(name: str) -> str:
    section, _, rest = name.partition(".")
    return {"params": "param ", "inputs": "in ", "packages": "package ", "facts": ""}[section] + rest


def _values(metric: ComparedMetric) -> Iterator[str]:
    for place, (value, delta) in enumerate(zip(metric.values, metric.deltas, strict=True)):
        mark = BEST if place in metric.best else ""
        yield f"{text(value)}{f' ({delta:+.4g})' if delta else ''}{mark}"


def _groups(result: Comparison) -> tuple[list[Column], list[list[str]]]:
    names = [metric.name for metric in result.metrics]
    columns = [*(Column(key.upper()) for key in result.group_by), Column("RUNS"), *map(Column, names)]
    best = {metric.name: _best_mean(result.groups, metric) for metric in result.metrics}
    rows = []
    for group in result.groups:
        found = {
            metric.name: _spread(metric, len(group.runs)) + BEST * (metric.mean == best[metric.name])
            for metric in group.metrics
        }
        rows.append([*map(text, group.values), str(len(group.runs)), *(found.get(name, "") for name in names)])
    return columns, rows


def _labelled(result: Comparison, rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return lines that say themselves what is in them, since nothing stands above them."""
    labels = [*(f"{key}=" for key in result.group_by), "runs=", *(f"{metric.name}=" for metric in result.metrics)]
    return [[f"{label}{cell}" for label, cell in zip(labels, row, strict=True)] for row in rows]


def _best_mean(groups: Sequence[Group], metric: ComparedMetric) -> float | None:
    means = [one.mean for group in groups for one in group.metrics if one.name == metric.name]
    return (min if metric.better == "min" else max)(means) if metric.better and len(means) > 1 else None


def _spread(metric: GroupMetric, runs: int) -> str:
    """Return the mean, the deviation, where the mean lies with 95 %, and of how many runs, if not of all."""
    of = f" of {metric.runs}" if metric.runs < runs else ""
    if metric.runs == 1:
        return f"{metric.mean:.4g}{of}"
    return f"{metric.mean:.4g} ±{metric.std:.2g} [{metric.low:.4g}, {metric.high:.4g}]{of}"


# Blame.


def blamed(result: Blame) -> View:
    """Each fall: between which runs, by how much, and what changed, a line each; `-q` prints what is worse."""
    refs = [fall.after for fall in result.falls]
    if not result.falls:
        alone = f"nothing before {result.ref} has {result.metric}, so nothing can be compared"
        fine = f"{result.metric} never got worse up to {result.ref}"
        return View((), (), refs, alone if result.looked_at == 1 else fine)
    columns = (Column(""), Column("BEFORE", Style.LONG), Column("AFTER", Style.LONG), Column("SPEAKS AGAINST IT"))
    rows = [row for fall in result.falls for row in _fall(fall, result.metric, str)]
    shown = [row for fall in result.falls for row in _fall(fall, result.metric, short)]
    return View(columns, rows, refs, terminal_rows=shown)


def _fall(fall: Fall, metric: str, spelled: Callable[[str], str]) -> Iterator[tuple[str, str, str, str]]:
    yield "run" if fall.after.startswith("exp/") else "version", spelled(fall.before), spelled(fall.after), ""
    by = "" if fall.delta is None else f" ({fall.delta:+.4g})"
    yield f"metric {metric}", text(fall.value_before), text(fall.value_after) + by, ""
    for one in fall.suspects:
        yield _word(one.name), text(one.before), text(one.after), _alibi(one)
    if not fall.suspects:
        yield "nothing that is known changed", "", "", ""


def _alibi(suspect: Suspect) -> str:
    elsewhere = count_of(suspect.changed_elsewhere, "other step") + " without harm"
    as_good = count_of(suspect.as_good, "good run") + " with this value"
    return ", ".join(words for words in (elsewhere, as_good) if not words.startswith("0 "))


def basis(result: Blame) -> str:
    """Say what was looked at, and what was taken for worse."""
    worse = f"{'smaller' if result.better == 'max' else 'larger'} values of {result.metric} are worse"
    by = {"option": "", "goal": ", as the goal says", "name": ", as its name says"}[result.better_by]
    without = f"; {result.passed_over} without it were passed over" if result.passed_over else ""
    return f"{worse}{by}; looked at {result.looked_at} that have it{without}"


# Reports.


def markdown(result: Comparison) -> Iterator[str]:
    """Yield the lines of a page in Markdown."""
    yield "# Comparison"
    yield ""
    for warning in result.warnings:
        yield f"> **Warning:** {cell(warning)}"
        yield ""
    heading: Sequence[str] = ["", *(short(run.ref) for run in result.runs)]
    rows: Sequence[Sequence[str]] = _rows(result)
    yield from markdown_table(heading, rows)
    if result.groups:
        columns, rows = _groups(result)
        yield ""
        yield from markdown_table([column.heading for column in columns], rows)
    if result.gate:
        yield ""
        yield f"**{'Passed' if result.passed else 'Failed'}:** <code>{cell(result.gate)}</code>"
        for ref, reason in zip(result.failed, result.reasons, strict=True):
            yield f"- {cell(ref)}: <code>{cell(reason)}</code>"


def junit(result: Comparison) -> Iterator[str]:
    """Yield the lines of a report as JUnit writes it: a case for each run that was tested."""
    tested = [run for run in result.runs if run.ref != result.baseline or len(result.runs) == 1]
    counts = f'tests="{len(tested)}" failures="{len(result.failed)}"'
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield f'<testsuites {counts}><testsuite name="mlreg compare" {counts}>'
    places = {run.ref: place for place, run in enumerate(result.runs)}
    reasons = dict(zip(result.failed, result.reasons, strict=True))
    for run in tested:
        rows = (safe(f"{row[0]}: {row[places[run.ref] + 1]}") for row in _rows(result))
        told = html.escape("\n".join(rows))
        yield f"<testcase classname={attribute(run.ref.partition('@')[0])} name={attribute(run.ref)}>"
        if (reason := reasons.get(run.ref)) is not None:
            yield f"<failure message={attribute(reason)}>{told}</failure>"
        yield f"<system-out>{told}</system-out></testcase>"
    yield "</testsuite></testsuites>"


FORMS: Forms[Comparison] = {"junit": junit, "markdown": markdown}
"""Forms of reports, by the words that ask for them."""
