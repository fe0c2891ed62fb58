"""What became of the rules for data, as one HTML file: what is broken first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

from mlreg.quality.checking import RuleResult
from mlreg.quality.drift import ORDER
from mlreg.registry.checking_data import DataCheck
from mlreg.web.data_page import Section, data_page, glance, number, percent, table, verdict
from mlreg.web.markup import Markup, make


def page(check: DataCheck, now: datetime | None = None) -> str:
    """Return the page.

    Args:
        check: what it shows.
        now: when it is made.
    """
    broken = [_broken(one) for one in sorted(check.rules, key=_badness) if one.verdict != "ok"]
    found = [Section("broken", "Broken rules", [make("div", *broken, class_="columns")])] if broken else []
    headings = ("", "rule", "kind", "columns", "severity", "#files", "#looked at", "#failing", "why")
    found.append(Section("rules", "All rules", [table(headings, map(_row, check.rules), "wide")]))
    about = [verdict(check.verdict), f" rules for version {check.id[:16]}" if check.id else " rules for files"]
    return data_page(check.ref, about, _glance(check), found, now or datetime.now(UTC))


def _badness(one: RuleResult) -> tuple[int, float]:
    return ORDER.index(one.verdict), -one.failing


def _glance(check: DataCheck) -> Markup:
    verdicts = Counter(one.verdict for one in check.rules)
    counts = ", ".join(f"{verdicts[word]:,} {word}" for word in ORDER)
    failing = sum(one.failing for one in check.rules)
    return glance(
        [
            ("rules", f"{len(check.rules):,}", [counts]),
            ("looked at", f"{sum(one.checked for one in check.rules):,}", [f"{failing:,} failing"]),
        ]
    )


def _broken(one: RuleResult) -> Markup:
    heading = make("h3", one.name, make("span", one.rule, class_="group"), verdict(one.verdict))
    why = f"{one.why} ({percent(one.failing, one.checked)})" if one.checked else one.why
    rows = list(_samples(one))
    samples = table(("file", "#line", "value"), rows) if rows else None
    return make("article", heading, make("p", why, class_="why"), samples, class_="column")


def _samples(one: RuleResult) -> Iterator[tuple[str, str, str]]:
    for sample in one.samples:
        yield sample.file, f"{sample.line:,}" if sample.line else "", number(sample.value)


def _row(one: RuleResult) -> tuple[object, ...]:
    counts = (f"{count:,}" for count in (one.files, one.checked, one.failing))
    return verdict(one.verdict), one.name, one.rule, ", ".join(one.columns), one.severity, *counts, one.why
