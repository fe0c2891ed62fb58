"""What no run may be: `metrics.auc < baseline - 0.01 or metrics.loss > baseline * 1.1`.

An expression as everywhere, in which `baseline`, perhaps with a number, may stand behind a metric: it is the value
of the same metric in the baseline. It is read as a test on `delta.auc`, the difference from there, or on
`ratio.auc`, which may be written, too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from mlreg.formats.expression import Expression, parse_expression
from mlreg.formats.matching import matches
from mlreg.operations.run_facts import FIELDS, as_number
from mlreg.registry.searching_runs import fields_of, keyed

WORDS = ("delta", "ratio")
_QUOTED = r"""'(?:[^']++|'')*+'|"(?:[^"]++|"")*+"|`(?:[^`]++|``)*+`"""
_PATH = rf"""(?:\.(?:[A-Za-z0-9_][A-Za-z0-9_-]*+|{_QUOTED}))++"""
_NUMBER = r"(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)(?:[eE][-+]?[0-9]++)?+"
_RELATION = re.compile(
    rf"metrics(?P<path>{_PATH})\s*+(?P<operator><=|>=|<|>)\s*+baseline\b(?:\s*+(?P<sign>[-+*])\s*+(?P<number>{_NUMBER}))?+"
    rf"|(?P<quoted>{_QUOTED})",
    re.ASCII | re.IGNORECASE,
)


def parse_gate(text: str) -> Expression:
    """Read what no run may be.

    Raises:
        UsageError: `bad_expression`.
    """
    return keyed(parse_expression(_RELATION.sub(_plain, text), (*FIELDS, *WORDS, "tags", "attributes")))


def _plain(found: re.Match[str]) -> str:
    """Return a relation to the baseline as a test of a difference or a ratio."""
    if found["quoted"]:
        return found[0]
    sign, number = found["sign"], found["number"]
    if sign == "*":
        return f"ratio{found['path']} {found['operator']} {number}"
    return f"delta{found['path']} {found['operator']} {'-' * (sign == '-')}{number or 0}"


def relative(facts: Mapping[str, Any], baseline: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts with what metrics are beside those of the baseline: `delta.auc`, `ratio.auc`."""
    found = dict(facts)
    for key, value in facts.items():
        if not key.startswith("metrics."):
            continue
        one, other = as_number(value), as_number(baseline.get(key))
        found[key] = value if one is None else one
        if one is None or other is None:
            continue
        name = key.removeprefix("metrics.")
        found[f"delta.{name}"] = one - other
        if other:
            found[f"ratio.{name}"] = one / other
    return found


def failing(gate: str, facts: Sequence[Mapping[str, Any]], baseline: int) -> list[int]:
    """Return the places of the runs that are what they may not be; the baseline is none of them.

    A run of which a metric cannot be told, because it is missing or NaN there or in the baseline, fails: what is
    not known is not good.

    Raises:
        UsageError: `bad_expression`.
    """
    expression = parse_gate(gate)
    keys = [field.parts[0] for field in fields_of(expression)]
    tested = [key for key in keys if key.partition(".")[0] in (*WORDS, "metrics")]
    found = []
    for place, own in enumerate(facts):
        if place != baseline or len(facts) == 1:
            known = relative(own, facts[baseline])
            if matches(expression, known) or any(_is_unknown(known.get(key)) for key in tested):
                found.append(place)
    return found


def _is_unknown(value: object) -> bool:
    return not isinstance(value, int | float) or math.isnan(value)
