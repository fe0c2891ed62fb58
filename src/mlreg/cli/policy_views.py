"""How retention policies, plans and reasons look."""

from __future__ import annotations

from collections.abc import Sequence

from mlreg.cli import output, views
from mlreg.cli.output import Column, Mode, Printer, Style, View
from mlreg.formats.amounts import count_of, size_of
from mlreg.registry.retention_results import Applied, Explained, Plan, PolicyInfo

KEEP, REMOVE = "keep", "remove"


def policies(items: Sequence[PolicyInfo]) -> View:
    """The policies of the settings."""
    columns = (
        Column("POLICY"),
        Column("FOR"),
        Column("KEEPS"),
        Column("ENTRIES", Style.COUNT),
        Column("VERSIONS", Style.COUNT),
    )
    rows = [(i.origin, ", ".join(i.match), "; ".join(_said(i)), i.entries, i.versions) for i in items]
    return View(columns, rows, [item.origin for item in items])


def _said(item: PolicyInfo) -> list[str]:
    return [*item.rules, *(["allow-remove-all"] if item.allow_remove_all else [])]


def plan(result: Plan) -> View:
    """Every version, and the rule that decided; of `-q`, those that go."""
    columns = (Column("DO"), Column("VERSION"), Column("RULE"), Column("SIZE", Style.SIZE), Column("ADDED"))
    rows = [(KEEP if v.keep else REMOVE, v.ref, v.rule, v.size, v.time) for v in result.versions]
    return View(columns, rows, result.removes)


def warn(out: Printer, result: Plan | Applied) -> None:
    """Warn people of what is perhaps misspelt in the policies."""
    for doubt in result.warnings if out.mode is Mode.TEXT else ():
        output.warn(doubt)


def tell(out: Printer, result: Plan) -> None:
    """Say to people what a plan comes to, and how it is applied."""
    warn(out, result)
    if out.mode is not Mode.TEXT:
        return
    goes = f"{len(result.removes)} of {count_of(len(result.versions), 'version')} would go"
    how = f"mlreg policy apply {result.id}" if result.stored else "it cannot be stored here, and so not be applied"
    output.note(f"{goes}, {size_of(result.size)} come free{f': {how}' if result.removes else ''}")


def applied(result: Applied) -> View:
    """After `policy apply`."""
    mark = views.mark_of(result.dry_run)
    verb = "removed" if result.changed else "unchanged"
    return View((), (), result.refs, f"{mark}{verb} {', '.join(result.refs) or 'all'}")


def explained(result: Explained) -> View:
    """Why a version stays, goes or went: what decided, and what each rule says."""
    facts = [("ref", result.ref), (result.state, result.rule)]
    facts += [("also", reason) for reason in result.reasons[1:]]
    facts += [(f"{one.origin} {one.rule}", "keeps it" if one.keeps else "does not") for one in result.rules]
    return View((Column("FACT"), Column("VALUE")), facts, [result.ref])
