"""Retention policies as people write them in settings: which entries they are about, and what they keep.

    policies:
      - match: ["model/*", "!model/scratch/*"]
        keep-last: 5
        keep-within: 90d
        keep-tag: [production, "v*"]
        keep-best: {metric: accuracy, count: 3}

The words are those of restic, and a version stays if any rule keeps it. A word that is not known is an error that
names the nearest one, so that a misspelt rule never removes anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from mlreg.errors import UsageError
from mlreg.formats.direction import better_of
from mlreg.formats.names import KINDS, quoted

MATCH, REMOVE_ALL, EXCEPT = "match", "allow-remove-all", "!"
MOST = 1_000_000
"""The largest count, and the largest number of days."""
DAYS = {"h": 1 / 24, "d": 1, "w": 7, "y": 365}
_LAYOUT = "policies: [{match: 'model/*', keep-last: 5, keep-within: 90d}]"


class Age(NamedTuple):
    """How long something stays."""

    text: str
    """`90d`, as it was written."""
    days: float


class Best(NamedTuple):
    """How many of the best stay, and by what."""

    most: int
    metric: str
    direction: str
    """`min` or `max`."""


class Rule(NamedTuple):
    """What one word of a policy keeps."""

    word: str
    """One of `WORDS`."""
    value: Any
    """A number, an `Age`, a `Best`, patterns of tags, or True."""

    def __str__(self) -> str:
        """Return `keep-last 5`, as plans print it."""
        match self.value:
            case Best(count, metric, direction):
                return f"{self.word} {count} by {metric} ({direction})"
            case Age(text, _):
                return f"{self.word} {text}"
            case tuple():
                return f"{self.word} {', '.join(self.value)}"
            case True:
                return self.word
        return f"{self.word} {self.value}"


class Policy(NamedTuple):
    """Which versions of some entries stay."""

    origin: str
    """The setting: `policies[0]`, `registry.model.cleanup_policy`."""
    match: tuple[str, ...]
    """Patterns of `kind/name`; those behind `!` take away what the others fit."""
    rules: tuple[Rule, ...]
    may_remove_all: bool = False
    """Whether an entry may be left without a version."""

    def fits(self, entry: str) -> bool:
        """Tell whether it is about an entry, by what that is called: `model/net`."""
        wanted = [one for one in self.match if not one.startswith(EXCEPT)]
        others = [one.removeprefix(EXCEPT) for one in self.match if one.startswith(EXCEPT)]
        return _fits_any(entry, wanted) and not _fits_any(entry, others)

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing of what stays, and not that nothing may."""
        return not self.rules and not self.may_remove_all

    def document(self) -> dict[str, Any]:
        """Return what it says, for a hash."""
        return {"match": [*self.match], "rules": [*map(str, self.rules)], REMOVE_ALL: self.may_remove_all}


class Retention(NamedTuple):
    """All that settings say of which versions stay."""

    policies: tuple[Policy, ...] = ()
    deployment_tags: tuple[str, ...] = ()
    """Patterns of the tags that say where something is deployed."""

    def fitting(self, entry: str) -> list[Policy]:
        """Return the policies that are about an entry."""
        return [policy for policy in self.policies if policy.fits(entry)]

    def asks(self, word: str) -> bool:
        """Tell whether any policy has a rule of a word."""
        return any(rule.word == word for policy in self.policies for rule in policy.rules)

    def document(self) -> dict[str, Any]:
        """Return what it says, for a hash."""
        return {
            "deployment_tags": [*self.deployment_tags],
            "policies": [policy.document() for policy in self.policies],
        }


def _fits_any(text: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns)


class _Bad(Exception):
    """What is wrong with a value."""


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST:
        raise _Bad("is a whole number from 1 on")
    return value


def _age(value: object) -> Age:
    found = re.fullmatch(r"([0-9]{1,7})([hdwy])", value) if isinstance(value, str) else None
    if not found or not 0 < (days := int(found[1]) * DAYS[found[2]]) <= MOST:
        raise _Bad("is a time like 36h, 90d, 12w or 1y")
    return Age(found[0], days)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise _Bad("is a text")
    return value


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(_text, value)) if isinstance(value, list) and value else (_text(value),)


def _deployed(value: object) -> int | bool:
    if value is True:
        return True
    try:
        return _count(value)
    except _Bad:
        raise _Bad("is true, or how many of each tag") from None


def _kept(value: object) -> str:
    if value != "kept":
        raise _Bad("is kept: what kept versions were made from")
    return "kept"


def _best(value: object) -> Best:
    if isinstance(value, str) and (found := re.fullmatch(r"([0-9]+) by (\S+)", value)):
        value = {"count": int(found[1]), "metric": found[2]}
    if not isinstance(value, Mapping) or not {"metric"} <= value.keys() <= {"metric", "count", "direction"}:
        raise _Bad("is like {metric: accuracy, count: 3}, with direction: max or min, or like 3 by accuracy")
    # Where there are params and labels, too, a metric is called metrics.NAME.
    metric, count = _text(_text(value["metric"]).removeprefix("metrics.")), _count(value.get("count", 1))
    return Best(count, metric, _direction(metric, value.get("direction")))


def _direction(metric: str, given: object) -> str:
    direction = given or better_of(metric)
    if direction not in ("min", "max"):
        raise _Bad(f"says which {metric} is better, direction: max or min")
    return str(direction)


WORDS: dict[str, Callable[[object], Any]] = {
    "keep-last": _count,
    "keep-within": _age,
    "keep-daily": _count,
    "keep-weekly": _count,
    "keep-monthly": _count,
    "keep-tag": _texts,
    "keep-best": _best,
    "keep-used-within": _age,
    "keep-deployed": _deployed,
    "keep-ancestors-of": _kept,
}
"""What a policy may keep by, and what reads the value."""
BY_TIME = ("keep-within", "keep-used-within")
"""Words that ask a clock."""


def parse_policies(document: object) -> tuple[Policy, ...]:
    """Read a list of policies, as YAML or JSON has it.

    Raises:
        UsageError: `bad_policy`, with the nearest word that there is.
    """
    if not isinstance(document, list):
        raise UsageError("bad_policy", f"policies are a list, and not {document!r:.80}", fix=_LAYOUT)
    return tuple(_policy(one, f"policies[{number}]") for number, one in enumerate(document))


def _policy(document: object, origin: str) -> Policy:
    if not isinstance(document, Mapping):
        raise UsageError("bad_policy", f"{origin} is no policy, but {document!r:.80}", fix=_LAYOUT)
    for word in document:
        if word not in (MATCH, REMOVE_ALL, *WORDS):
            raise _unknown(word, origin)
    if MATCH not in document:
        raise UsageError("bad_policy", f"{origin} does not say by {MATCH} which entries it is about", fix=_LAYOUT)
    readers = {MATCH: _match, REMOVE_ALL: _truth, **WORDS}
    # In the order of the table, so that the same words are the same policy.
    values = {word: _read(readers[word], document[word], f"{origin}.{word}") for word in readers if word in document}
    rules = tuple(Rule(word, values[word]) for word in WORDS if word in values)
    return Policy(origin, values[MATCH], rules, values.get(REMOVE_ALL, False))


def _read(reader: Callable[[object], Any], value: object, place: str) -> Any:  # noqa: ANN401 - as `Rule.value`
    try:
        return reader(value)
    except _Bad as wrong:
        raise UsageError("bad_policy", f"{place} {wrong}, and not {value!r:.80}", fix=_LAYOUT) from None


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise _Bad("is true or false")
    return value


def _match(value: object) -> tuple[str, ...]:
    found = _texts(value)
    for pattern in found:
        kind, slash, _ = pattern.removeprefix(EXCEPT).partition("/")
        # A pattern that no entry can fit is a policy that is without effect.
        if not any(fnmatchcase(one, kind) for one in KINDS) or (not slash and "*" not in pattern):
            raise _Bad("is a pattern of KIND/NAME like model/*, or a list of them")
    if all(pattern.startswith(EXCEPT) for pattern in found):
        raise _Bad(f"has a pattern without {EXCEPT}, too")
    return found


def _unknown(word: str, origin: str) -> UsageError:
    from difflib import get_close_matches

    known = (MATCH, REMOVE_ALL, *WORDS)
    near = get_close_matches(word.lower().replace("_", "-"), known, n=1, cutoff=0.5)
    fix = f"did you mean {near[0]}?" if near else f"the words are {', '.join(known)}"
    return UsageError("bad_policy", f"{origin} has the word {quoted(word)}, which is not known", fix=fix)


def parse_tags(document: object) -> tuple[str, ...]:
    """Read patterns of tags: one, or a list.

    Raises:
        UsageError: `bad_config`.
    """
    try:
        return _texts(document)
    except _Bad:
        what = f"a tag, or a list of tags, is needed, and not {document!r:.80}"
        raise UsageError("bad_config", what, fix="write it like [production, 'prod-*']") from None


def cleanup_policy(origin: str, kind: str, most: int, days: int) -> Policy | None:
    """Return the policy that `max_versions` and `retention_days` of a kind are, 0 if not set; None without both."""
    rules = [Rule("keep-last", most)] if most else []
    rules += [Rule("keep-within", Age(f"{days}d", days))] if days else []
    return Policy(origin, (f"{kind}/*",), tuple(rules)) if rules else None
