"""Comparing: diff, compare, blame."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from mlreg.cli import comparison_views, row_views
from mlreg.cli.options import REF, ExitCode, Where, answer, open_experiments, open_registry, register
from mlreg.cli.output import Column, Mode, Printer, Style, View, note, readable, warn
from mlreg.cli.report_files import Reports, read_reports, write_reports
from mlreg.cli.row_views import SIGNS, WHOLE, Row
from mlreg.registry import comparing_runs, differences
from mlreg.registry.comparing import PARTS
from mlreg.registry.comparing import compare as compare_versions
from mlreg.registry.comparing_runs import Question
from mlreg.registry.comparing_tables import RowQuestion, not_all_compared
from mlreg.registry.comparisons import Comparison

ID = re.compile(r"\b[0-9a-f]{64}\b")
SHORT = 12
"""Digits of an id that a terminal shows: enough to tell it from others."""


def diff(
    out: Printer,
    a: Annotated[str, typer.Argument(metavar="A", help=f"{REF}, also elsewhere: REMOTE::REF; or a path: ./out.")],
    b: Annotated[str, typer.Argument(metavar="B", help="What A is compared with.")],
    files: Annotated[bool, typer.Option("--files", help="Only files; may stand beside the next two.")] = False,
    meta: Annotated[bool, typer.Option("--meta", help="Only metadata.")] = False,
    inputs: Annotated[bool, typer.Option("--inputs", help="Only what they were made from.")] = False,
    tensors: Annotated[
        bool, typer.Option("--tensors", help="Compare the bytes of tensors, too, in files of any name.")
    ] = False,
    rows: Annotated[bool, typer.Option("--rows", help="Compare the columns and rows of tables, too.")] = False,
    key: Annotated[
        str, typer.Option("--key", metavar="COLUMNS", help="Rows with equal cells there are one that changed: id,day.")
    ] = "",
    samples: Annotated[
        int, typer.Option("--samples", min=0, max=10_000, metavar="N", help="Show N rows of each table and change.")
    ] = 0,
    exit_code: ExitCode = False,
) -> None:
    """Show what differs between two versions: files, metadata, and what they were made from; or between two files.

    A path that begins with . or / means files on the disk, as `mlreg add` would take them: only files are compared.

    + is only in B, - only in A, ~ differs, > was renamed or moved, = is equal, ! could not be compared. Of a tensor
    whose bytes differ it says how many of its numbers changed, and by how much at most and on average. With --rows,
    --key or --samples, tables (CSV, TSV, JSON lines, Parquet) whose bytes differ are compared by columns and rows.
    With --exit-code, the exit code is 3 if anything differs. Who registered the versions, when and why, is no
    difference.

    Examples:

      mlreg diff model/detector@1.0.0 model/detector@1.1.0

      mlreg diff --meta model/detector@production~1 model/detector@production

      mlreg diff model/detector@production ./out

      mlreg diff --exit-code origin::model/detector@1.0.0 model/detector@1.0.0

      mlreg diff data/users@golden data/users@latest --key id --samples 3

      mlreg diff --rows data/users@golden:train.csv data/users@latest:train.csv
    """
    asked = row_question(rows, key, samples)
    parts = chosen(files, meta, inputs, tensors or asked is not None)
    result = compare_versions(open_registry(), a, b, parts, tensors=tensors, rows=asked)
    out.show("diff", result, difference(result))
    require_all(result)
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


def row_question(rows: bool, key: str, samples: int) -> RowQuestion | None:
    """Return what is asked of rows, columns of a key as CSV has them; None if nothing is."""
    columns = next(csv.reader([key]), [])
    return RowQuestion(columns, samples) if rows or columns or samples else None


def require_all(result: differences.Difference) -> None:
    """End with `not_all_compared` if some tables could not be compared."""
    if error := not_all_compared(result.tables or ()):
        raise error


def chosen(files: bool, meta: bool, inputs: bool, within: bool) -> Sequence[str]:
    """Return the parts that are asked for, all if none is; who asks for what is within files asks for files."""
    wanted = files or (within and (meta or inputs)), meta, inputs
    return [part for part, is_wanted in zip(PARTS, wanted, strict=True) if is_wanted] or PARTS


def difference(result: differences.Difference) -> View:
    """Two versions, a difference a row; `-q` prints what differs, without its values."""
    columns = (
        Column(""),
        Column("WHAT"),
        Column("NAME"),
        Column("BEFORE"),
        Column("AFTER"),
        Column("MOVED"),
    )
    files, others = list(_files(result)), [*_metadata(result), *_inputs(result)]
    # A tensor is part of a file, which has a name.
    names = list(dict.fromkeys(row[2] for row in (*files, *others)))
    summary = f"no difference between {result.before} and {result.after}" if result.same else ""
    rows = [*files, *_tensors(result), *row_views.table_rows(result.tables or ()), *others]
    width = len(columns) if any(row[-1] for row in rows) else len(columns) - 1
    on_terminal = [_on_terminal(row)[:width] for row in rows]
    return View(columns[:width], [row[:width] for row in rows], names, summary, on_terminal)


def _on_terminal(row: Row) -> Row:
    """Return a row with short ids, and the ends of long values; what was asked to be shown is whole."""
    sign, what, name, *values, moved = (ID.sub(_begun, cell) for cell in row)
    before, after = values if what in WHOLE else (readable(Style.LONG, one) for one in values)
    return sign, what, name, before, after, moved


def _begun(found: re.Match[str]) -> str:
    return found[0][:SHORT]


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
