"""What no run may be: `metrics.auc < baseline - 0.01 or metrics.loss > baseline * 1.1`.

An expression as everywhere, in which `baseline`, perhaps with a number, may stand behind a metric: it is the value
of the same metric in the baseline. `delta.auc`, the difference from there, and `ratio.auc` may be written, too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from mlreg.errors import UsageError
from mlreg.formats.expression import Expression, parse_expression
from mlreg.formats.matching import matches
from mlreg.formats.names import quoted
from mlreg.operations.run_facts import FIELDS, as_number
from mlreg.registry.searching_runs import NUMBERS, fields_of, keyed

EXAMPLE = "metrics.auc < baseline - 0.01"
WORDS = ("delta", "ratio")
"""What metrics are beside those of the baseline: their difference from it, and their share of it."""
_ABOVE = "above"
"""How far a metric lies above what the gate names: `above.0` is of the first relation to the baseline in it."""
_QUOTED = r"""'(?:[^']++|'')*+'|"(?:[^"]++|"")*+"|`(?:[^`]++|``)*+`"""
_PATH = rf"""(?:\.(?:[A-Za-z0-9_][A-Za-z0-9_-]*+|{_QUOTED}))++"""
_NUMBER = r"(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)(?:[eE][-+]?[0-9]++)?+"
_RELATION = re.compile(
    rf"(?<![\w.-])(?P<field>metrics{_PATH})\s*+(?P<operator><=|>=|<>|<|>|==?|!=)\s*+baseline\b"
    rf"(?:\s*+(?P<sign>[-+*])\s*+(?P<number>{_NUMBER}))?+"
    rf"|(?P<quoted>{_QUOTED})",
    re.ASCII | re.IGNORECASE,
)
_MEANING: dict[str, Callable[[float, float], float]] = {
    "+": lambda value, number: value + number,
    "-": lambda value, number: value - number,
    "*": lambda value, number: value * number,
}


class _Relation(NamedTuple):
    """A metric beside the baseline."""

    metric: str
    """Its key, `metrics.auc`."""
    sign: str
    number: float

    def above(self, facts: Mapping[str, Any], baseline: Mapping[str, Any]) -> float | None:
        """Return how far the metric lies above what the relation names; None if that is not known."""
        one, other = as_number(facts.get(self.metric)), as_number(baseline.get(self.metric))
        if one is None or other is None:
            return None
        return one - _MEANING[self.sign](other, self.number)


class Gate(NamedTuple):
    """What no run may be."""

    expression: Expression
    """On facts, and on `above.0` and so on."""
    relations: Mapping[str, _Relation]
    """By those keys."""

    def relative(self, facts: Mapping[str, Any], baseline: Mapping[str, Any]) -> dict[str, Any]:
        """Return facts with what they are beside those of the baseline; metrics that are not finite as numbers."""
        found = {key: _plain(value) if key.startswith(NUMBERS) else value for key, value in facts.items()}
        found |= {key: relation.above(facts, baseline) for key, relation in self.relations.items()}
        for name in (key.removeprefix("metrics.") for key in facts if key.startswith("metrics.")):
            one, other = found[f"metrics.{name}"], as_number(baseline.get(f"metrics.{name}"))
            if isinstance(one, float) and other is not None:
                found[f"delta.{name}"] = one - other
                found[f"ratio.{name}"] = one / other if other else None
        return found

    def unknown(self, known: Mapping[str, Any]) -> list[str]:
        """Return the metrics that are tested, and of which nothing is known, in what `relative` returned."""
        keys = dict.fromkeys(field.parts[0] for field in fields_of(self.expression))
        tested = [key for key in keys if key.startswith((*NUMBERS, *(f"{word}." for word in (*WORDS, _ABOVE))))]
        return [self._told(key) for key in tested if _is_unknown(known.get(key))]

    def _told(self, key: str) -> str:
        if key in self.relations:
            return self.relations[key].metric
        word, _, name = key.partition(".")
        return f"metrics.{name}" if word in WORDS else key


def parse_gate(text: str) -> Gate:
    """Read what no run may be.

    Raises:
        UsageError: `bad_expression`.
    """
    fields = (*FIELDS, *WORDS, "tags", "attributes")
    relations: dict[str, _Relation] = {}

    def plain(found: re.Match[str]) -> str:
        if found["quoted"]:
            return found[0]
        (field,) = fields_of(keyed(parse_expression(f"{found['field']} is null", fields)))
        key = f"{_ABOVE}.{len(relations)}"
        relations[key] = _Relation(field.parts[0], found["sign"] or "+", float(found["number"] or 0))
        return f"{key} {found['operator']} 0"

    rest = _RELATION.sub(plain, text)
    if not relations:
        return Gate(keyed(parse_expression(rest, fields)), relations)
    try:
        return Gate(keyed(parse_expression(rest, (*fields, _ABOVE))), relations)
    except UsageError as error:
        why = f"behind baseline may stand +, - or * and a number; as it was read, {error.why}"
        raise UsageError(error.code, f"{quoted(text)} is no gate", why=why, fix=f"--fail-if '{EXAMPLE}'") from error


def _plain(value: object) -> object:
    number = as_number(value)
    return value if number is None else number


def _is_unknown(value: object) -> bool:
    return not isinstance(value, int | float) or math.isnan(value)


def failing(text: str, facts: Sequence[Mapping[str, Any]], baseline: int) -> dict[int, str]:
    """Return the places of the runs that are what they may not be, each with the reason; the baseline is none of them.

    A run of which something that is tested cannot be told, because it is missing or NaN there or in the baseline,
    fails: what is not known is not good. A baseline that is alone is tested itself.

    Raises:
        UsageError: `bad_expression`.
    """
    gate = parse_gate(text)
    found = {}
    for place, own in enumerate(facts):
        if place != baseline or len(facts) == 1:
            known = gate.relative(own, facts[baseline])
            if unknown := gate.unknown(known):
                found[place] = f"{', '.join(unknown)}: missing or NaN, here or in the baseline"
            elif matches(gate.expression, known):
                found[place] = text
    return found
