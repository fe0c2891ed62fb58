"""Comparing: diff, compare, blame."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from mlreg.cli import comparison_views
from mlreg.cli.options import REF, ExitCode, Where, answer, open_experiments, open_registry, register
from mlreg.cli.output import Column, Mode, Printer, Style, View, note, warn
from mlreg.cli.report_files import Reports, read_reports, write_reports
from mlreg.registry import comparing_runs, differences
from mlreg.registry.comparing import PARTS
from mlreg.registry.comparing import compare as compare_versions
from mlreg.registry.comparing_runs import Question
from mlreg.registry.comparisons import Comparison

ID = re.compile(r"\b[0-9a-f]{64}\b")
SHORT = 12
"""Digits of an id that a terminal shows: enough to tell it from others."""
SIGNS = {"added": "+", "removed": "-", "changed": "~", "renamed": ">"}


def diff(
    out: Printer,
    a: Annotated[str, typer.Argument(metavar="A", help=f"{REF}, also of another repository: REMOTE::REF.")],
    b: Annotated[str, typer.Argument(metavar="B", help="What A is compared with.")],
    files: Annotated[bool, typer.Option("--files", help="Only files; may stand beside the next two.")] = False,
    meta: Annotated[bool, typer.Option("--meta", help="Only metadata.")] = False,
    inputs: Annotated[bool, typer.Option("--inputs", help="Only what they were made from.")] = False,
    tensors: Annotated[
        bool, typer.Option("--tensors", help="Compare the bytes of tensors, too, in files of any name.")
    ] = False,
    exit_code: ExitCode = False,
) -> None:
    """Show what differs between two versions: files, metadata, and what they were made from.

    + is only in B, - only in A, ~ differs, > was renamed, = is equal. Of a tensor whose bytes differ it says how many
    of its numbers changed, and by how much at most and on average. With --exit-code, the exit code is 3 if
    anything differs. Who registered the versions, when and why, is no difference.

    Examples:

      mlreg diff model/detector@1.0.0 model/detector@1.1.0

      mlreg diff --meta model/detector@production~1 model/detector@production

      mlreg diff --exit-code origin::model/detector@1.0.0 model/detector@1.0.0
    """
    result = compare_versions(open_registry(), a, b, chosen(files, meta, inputs, tensors), tensors=tensors)
    out.show("diff", result, difference(result))
    answer(result.same or not exit_code)


def compare(
    out: Printer,
    refs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[REF...]", help="Runs, exp/NAME, versions with metrics; the first is the baseline."),
    ] = None,
    exp: Annotated[str, typer.Option("--exp", metavar="EXPERIMENT", help="Its runs, the newest first.")] = "",
    top: Annotated[int, typer.Option("--top", min=0, metavar="N", help="Its best runs, by its goal.")] = 0,
    where: Where = "",
    metrics: Annotated[
        list[str] | None,
        typer.Option("--metrics", metavar="PATTERN", help="Only metrics like 'auc,val/*'; repeatable."),
    ] = None,
    params: Annotated[
        list[str] | None, typer.Option("--params", metavar="PATTERN", help="Only params like 'lr,optim.*'; repeatable.")
    ] = None,
    baseline: Annotated[str, typer.Option("--baseline", metavar="REF", help="What others are compared with.")] = "",
    group_by: Annotated[
        list[str] | None, typer.Option("--group-by", metavar="FIELD", help="Runs with equal values: params.lr.")
    ] = None,
    fail_if: Annotated[str, typer.Option("--fail-if", metavar="EXPR", help="What no run may be; exit code 3.")] = "",
    strict: Annotated[bool, typer.Option("--strict", help="Refuse metrics of different evaluation data.")] = False,
    report: Reports = None,
) -> None:
    """Compare runs: params that differ, metrics beside a baseline, code, environment and data.

    exp/NAME alone stands for all its runs, the newest first; exp/NAME@latest for the newest.
    * is the best value, where the goal or the name of a metric says what is better. With --group-by: of each metric
    the mean over the runs of a group, ± its deviation, and [low, high], between which the mean lies with 95 %.

    Examples:

      mlreg compare exp/churn@best exp/churn@latest --fail-if 'metrics.auc < baseline - 0.01'

      mlreg compare --exp churn --group-by params.lr --metrics 'val*'
    """
    asked = Question(
        refs or (), exp, top, where, metrics or (), params or (), baseline, group_by or (), fail_if, strict
    )
    checked = read_reports(report, comparison_views.FORMS)
    result = comparing_runs.compare(open_experiments().place, asked)
    write_reports(result, checked, comparison_views.FORMS)
    out.show("compare", result, comparison_views.table(result))
    if out.mode is Mode.TEXT:
        _remark(result)
    answer(result.passed)


def blame(
    out: Printer,
    ref: Annotated[str, typer.Argument(metavar="REF", help="A run, or a version with metrics.")],
    metric: Annotated[
        str, typer.Option("-m", "--metric", metavar="NAME", help="What got worse; by default what the goal names.")
    ] = "",
    direction: Annotated[
        str, typer.Option("--direction", metavar="min|max", help="Which values are better, if nothing says so.")
    ] = "",
    limit: Annotated[
        int, typer.Option("-n", "--limit", min=0, metavar="N", help="At most so many falls; 0 for all.")
    ] = 3,
) -> None:
    """Say what changed where a metric got worse: data, code, params, packages, base model.

    Looked at are the finished runs of the experiment, or the versions of the entry, up to this one. The largest fall
    comes first, and of what changed there what changed in no step that did no harm. A version has its own metrics,
    or those of the run that made it.

    Examples:

      mlreg blame exp/churn@latest

      mlreg blame model/churn@production -m latency --direction min -n 1
    """
    result = open_experiments().blame(ref, metric.removeprefix("metrics."), direction=direction, limit=limit)
    out.show("blame", result, comparison_views.blamed(result))
    if out.mode is Mode.TEXT:
        note(comparison_views.basis(result))


def _remark(result: Comparison) -> None:
    for warning in result.warnings:
        warn(warning)
    for ref, reason in zip(result.failed, result.reasons, strict=True):
        note(f"failed: {ref}: {reason}")


def chosen(files: bool, meta: bool, inputs: bool, tensors: bool) -> Sequence[str]:
    """Return the parts that are asked for, all if none is; who asks for tensors beside others asks for files."""
    wanted = files or (tensors and (meta or inputs)), meta, inputs
    return [part for part, is_wanted in zip(PARTS, wanted, strict=True) if is_wanted] or PARTS


def difference(result: differences.Difference) -> View:
    """Two versions, a difference a row; `-q` prints what differs, without its values."""
    columns = (
        Column(""),
        Column("WHAT"),
        Column("NAME"),
        Column("BEFORE", Style.LONG),
        Column("AFTER", Style.LONG),
        Column("MOVED"),
    )
    files, others = list(_files(result)), [*_metadata(result), *_inputs(result)]
    # A tensor is part of a file, which has a name.
    names = list(dict.fromkeys(row[2] for row in (*files, *others)))
    summary = f"no difference between {result.before} and {result.after}" if result.same else ""
    rows = [*files, *_tensors(result), *others]
    width = len(columns) if any(row[-1] for row in rows) else len(columns) - 1
    on_terminal = [[ID.sub(_begun, cell) for cell in row[:width]] for row in rows]
    return View(columns[:width], [row[:width] for row in rows], names, summary, on_terminal)


def _begun(found: re.Match[str]) -> str:
    return found[0][:SHORT]


Row = tuple[str, str, str, str, str, str]


def _files(result: differences.Difference) -> Iterator[Row]:
    for one in result.files or ():
        cells = (one.before.path, one.path) if one.before and one.change == "renamed" else _ids(one)
        yield SIGNS[one.change], "file", one.path, *cells, ""


def _ids(one: differences.FileChange) -> tuple[str, str]:
    before, after = (file.id + " executable" * file.executable if file else "" for file in (one.before, one.after))
    return before, after


def _tensors(result: differences.Difference) -> Iterator[Row]:
    for table in result.tensors or ():
        for one in table.changes:
            cells = _tensor(one.before), _tensor(one.after), _moved(one.moved)
            yield SIGNS[one.change], "tensor", f"{table.path}#{one.name}", *cells
        alike = f"{table.same_shape} of equal dtype and shape"
        equal = "" if table.same_bytes is None else f"{table.same_bytes} of equal bytes"
        yield "=", "tensor", table.path, alike, equal, ""


def _tensor(tensor: differences.TensorInfo | None) -> str:
    return f"{tensor.dtype}{list(tensor.shape)} {tensor.id}".rstrip() if tensor else ""


def _moved(moved: differences.Movement | None) -> str:
    if not moved:
        return ""
    far = "" if moved.max is None else f", max {moved.max:.3g}, mean {moved.mean:.3g}"
    wild = f", {moved.not_finite} not finite" if moved.not_finite else ""
    return f"{moved.share:.1%}{far}{wild}"


def _metadata(result: differences.Difference) -> Iterator[Row]:
    for one in result.metadata or ():
        before = "" if one.change == "added" else _text(one.before)
        after = "" if one.change == "removed" else _text(one.after)
        yield SIGNS[one.change], "meta", ".".join(one.path), before, after, ""


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _inputs(result: differences.Difference) -> Iterator[Row]:
    for one in result.inputs or ():
        before, after = (item.ref if item else "" for item in (one.before, one.after))
        yield SIGNS[one.change], "input", one.role, before, after, ""


def add_commands(app: typer.Typer) -> None:
    """Put the commands of this file into the tree."""
    register(app)(diff)
    register(app)(compare)
    register(app)(blame)
