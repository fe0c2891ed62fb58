"""A report as one HTML file: it opens from a disk, loads nothing, and runs no script but its own.

The data lie in the page deflated and as base64, so that no text in them can be read as HTML, and the page puts texts
in place as texts.
"""

from __future__ import annotations

import json
import zlib
from base64 import b64encode
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from mlreg import __version__
from mlreg.registry.reporting import Report, ReportData
from mlreg.registry.results import VersionInfo
from mlreg.registry.run_results import RunInfo, all_facts
from mlreg.web.data_page import Section
from mlreg.web.document import document, escaped
from mlreg.web.markup import Markup, make
from mlreg.web.packing import packed
from mlreg.web.profile_page import sections

SCRIPTS = (
    *("vendor/uPlot.iife.min.js", "vendor/dagre.min.js"),
    *("page/basics.js", "page/filter.js", "page/glance.js", "page/runs.js", "page/points.js", "page/axes.js"),
    *("page/curves.js", "page/scatter.js", "page/parallel.js", "page/params.js", "page/lineage.js", "page/prose.js"),
    *("page/texts.js", "page/main.js"),
)
STYLES = ("vendor/uPlot.min.css", "page/page.css", "page/data.css")
_LONG = 300
"""Characters from which on a value of metadata is cut: the whole stands in the version."""
_SAFE = (1 << 53) - 1
"""The largest integer that JavaScript has as a number."""


def page(report: Report, now: datetime | None = None) -> str:
    """Return the page.

    Args:
        report: what it shows.
        now: when it is made.
    """
    title = escaped(report.title)
    data = make(
        "div", *(_profile(number, one) for number, one in enumerate(report.data)), id="data-sections", hidden=""
    )
    curves = {name: packed(some) for name, some in report.curves.items()}
    heads = {name: head for name, (head, _) in curves.items()}
    points = (_block(f"points-{number}", data) for number, (_, data) in enumerate(curves.values()))
    told = _data(report, heads, now or datetime.now(UTC))
    blocks = "\n".join([_block("data", json.dumps(told, allow_nan=False, separators=(",", ":")).encode()), *points])
    body = f"""<header><h1>{title}</h1><p></p></header>
<nav aria-label="parts of the report"></nav>
<main><noscript>This report needs JavaScript, which stands in this file.</noscript></main>
{data}
{blocks}"""
    return document(report.title, body, STYLES, SCRIPTS)


def _profile(number: int, one: ReportData) -> Markup:
    """Return what a dataset is like, as a section that the page puts into its place."""
    parts: list[object] = [make("p", one.problem, class_="soft")] if one.profile is None else []
    for part in sections(one.profile) if one.profile else ():
        parts += [make("h3", part.title), *part.children]
    return Section(f"data-{number}", f"Data of {one.ref}", parts).markup


def _block(name: str, data: bytes) -> str:
    packer = zlib.compressobj(wbits=-15)
    text = b64encode(packer.compress(data) + packer.flush()).decode()
    return f'<script type="text/plain" id="{name}">{text}</script>'


def _data(report: Report, curves: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    return {
        "title": report.title,
        "about": f"made {now:%Y-%m-%d %H:%M} UTC by mlreg {__version__}",
        "goal": report.goal,
        "directions": {f"metrics.{name}": better for name, better in report.directions.items()},
        "points": sum(curve.points for some in report.curves.values() for curve in some),
        "runs": [_run(run) for run in report.runs],
        "curves": curves,
        "lineage": {
            "nodes": [{**node._asdict(), "asked": node.id in report.asked} for node in report.lineage.nodes],
            "edges": [edge._asdict() for edge in report.lineage.edges],
            "untraced": report.untraced,
        },
        "cards": [_card(version) for version in report.cards],
        "notes": [note._asdict() for note in report.notes],
    }


def _run(run: RunInfo) -> dict[str, Any]:
    return {"ref": run.ref, "facts": {key: _exact(value) for key, value in all_facts(run).items()}}


def _exact(value: object) -> object:
    """Return a JSON value so that JavaScript reads it as it is: large integers as text, what has names as one text."""
    if type(value) is int and abs(value) > _SAFE:
        return {"int": str(value)}
    if isinstance(value, Mapping):
        return {"json": json.dumps(value, ensure_ascii=False)}
    return [_exact(item) for item in value] if isinstance(value, list | tuple) else value


def _card(version: VersionInfo) -> dict[str, Any]:
    said = dict(version.metadata)
    body = said.pop("card", "")
    rows: list[tuple[str, Any]] = [("id", version.id), ("registered", f"{version.author}, {version.time}")]
    rows.extend((word, value) for word in ("message", "deprecated") if (value := getattr(version, word)))
    rows.extend((f"in {one.role}", one.ref) for one in version.inputs)
    rows.append(("files", f"{version.files:,} ({version.size:,} B)"))
    rows.extend((word, ", ".join(values)) for word, values in (("tags", version.tags),) if values)
    rows.extend((f"label {name}", value) for name, value in sorted(version.labels.items()))
    rows.extend(_flat(said))
    if not isinstance(body, str):
        rows.append(("card", body))
        body = ""
    told = {"ref": version.ref, "tags": list(version.tags), "deprecated": bool(version.deprecated), "body": body}
    return {**told, "fields": [(name, _exact(_short(value))) for name, value in rows]}


def _flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in sorted(values.items()):
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _short(value: object) -> object:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"{text[:_LONG]}… ({len(text):,} characters)" if len(text) > _LONG else value
