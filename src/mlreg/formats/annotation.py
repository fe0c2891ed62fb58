"""An annotation: something stated about an entry or a version after it was made.

Format page: `docs/format/annotation.md`. Corrected metadata, labels, a deprecation, a new name: each is
one record in the `notes` of a transaction, which never changes and travels with what it is about. What
holds now is what all of them add up to, in whatever repository and order they were made.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from mlreg.errors import IntegrityError, UsageError
from mlreg.formats import canonical
from mlreg.formats.names import Entry, check_version_text, parse_ref_name
from mlreg.ids import is_lower_hex

FEATURE = "annotations"
"""What a transaction with annotations requires of its readers."""
SORT = "annotation"
ID_DIGITS = 32
CONTENT_DIGITS = 64
MAX_BYTES = 1024 * 1024
"""Bytes of one annotation, as canonical JSON."""

TAINTED = "tainted"
"""The fact that says what is wrong with a version, and with all that was made from it."""
HELD = "held"
"""The fact that says why an entry or a version is held: it is not removed until it is released."""

ABOUT_ENTRY = "entry/"
"""What the name of an entry begins with, as annotations are filed."""
_TEXTS = ("about", "author", "id", "message", "sort", "time")
_FIELDS = {*_TEXTS, "after", "patch"}


class Annotation(NamedTuple):
    """One statement about one thing."""

    id: str
    """32 random hexadecimal digits."""
    about: str
    """`entry/model/net`, or a version and its content, `version/model/net/1.0.0@…`."""
    patch: Mapping[str, Any]
    """What changes in the facts about it: a merge patch, in which null takes a key away (RFC 7396)."""
    after: tuple[str, ...]
    """Ids of the statements about the same thing that its author knew of and nothing had followed; sorted."""
    author: str
    time: str
    """UTC, `2026-11-23T06:28:00Z`; for people, and to choose between statements that do not know each other."""
    message: str

    def note(self) -> dict[str, Any]:
        """Return the record that stands in a transaction.

        Raises:
            UsageError: `annotation_too_large`, `bad_json`.
        """
        note = {**self._asdict(), "after": list(self.after), "patch": dict(self.patch), "sort": SORT}
        if len(canonical.encode(note)) > MAX_BYTES:
            raise UsageError(
                "annotation_too_large",
                f"a correction or note has more than {MAX_BYTES} bytes",
                fix="register long texts as files",
            )
        return note


def about_entry(entry: Entry) -> str:
    """Return what an annotation about an entry is filed under."""
    return f"{ABOUT_ENTRY}{entry}"


def about_version(name: str, content: str) -> str:
    """Return what an annotation about a version is filed under.

    Args:
        name: of the version in the log, `version/model/net/1.0.0`.
        content: `Commit.content` of the version: another one that gets the name elsewhere is not meant.
    """
    return f"{name}@{content}"


def version_in(about: str) -> str:
    """Return the name in the log of the version that an annotation is about."""
    return about.rpartition("@")[0]


def by_version(annotations: Mapping[str, list[Annotation]]) -> dict[str, dict[str, list[Annotation]]]:
    """Return annotations about versions, filed as `about_version` says, by name and then by content."""
    found: dict[str, dict[str, list[Annotation]]] = {}
    for about, some in annotations.items():
        if not about.startswith(ABOUT_ENTRY):
            name, _, content = about.rpartition("@")
            found.setdefault(name, {})[content] = some
    return found


def entry_of(about: str) -> Entry:
    """Return the entry that an annotation is about, by what it is filed under."""
    return Entry.parse(about.removeprefix(ABOUT_ENTRY))


def parse_annotation(note: Mapping[str, Any]) -> Annotation | None:
    """Read a note; None if it is of a sort that this release does not know.

    Raises:
        IntegrityError: `bad_annotation`.
    """
    if note.get("sort") != SORT:
        return None
    if set(note) != _FIELDS or not all(isinstance(note[field], str) for field in _TEXTS):
        raise _bad("a field is missing, not known or of the wrong kind")
    after, patch = note["after"], note["patch"]
    if not isinstance(after, list) or not isinstance(patch, dict) or not all(isinstance(one, str) for one in after):
        raise _bad("a field is of the wrong kind")
    if not all(is_lower_hex(one, ID_DIGITS) for one in (note["id"], *after)) or after != sorted(set(after)):
        raise _bad("an id is not an id")
    _check_about(note["about"])
    fields = {field: note[field] for field in _TEXTS if field != "sort"}
    return Annotation(**fields, after=tuple(after), patch=patch)


def known_annotation(note: Mapping[str, Any]) -> Annotation | None:
    """Read a note; None if it is none that can be read: no release writes such a one, and it is passed over."""
    try:
        return parse_annotation(note)
    except IntegrityError:
        return None


def fault_in(note: Mapping[str, Any]) -> str:
    """Return why an annotation cannot be read; empty if it can, or if a later release may have written it."""
    try:
        parse_annotation(note)
    except IntegrityError as error:
        return (error.why or error.message) if set(note) <= _FIELDS else ""
    return ""


def _check_about(about: str) -> None:
    if not about.startswith(ABOUT_ENTRY):
        text, _, content = about.rpartition("@")
        name = parse_ref_name(text)
        if not is_lower_hex(content, CONTENT_DIGITS):
            raise _bad("it does not say which content it is about")
        if name.sort != "version" or name.remote is not None:
            raise _bad("it is about neither an entry nor a version")
        check_version_text(name.leaf)
        return
    try:
        is_canonical = about_entry(Entry.parse(about.removeprefix(ABOUT_ENTRY))) == about
    except UsageError as error:
        raise _bad(error.message) from error
    if not is_canonical:
        raise _bad("it is about something that is no entry")


def _bad(reason: str) -> IntegrityError:
    return IntegrityError("bad_annotation", "a note of the log cannot be read", why=reason, fix="mlreg verify")


def is_of_taint(annotations: Iterable[Annotation]) -> bool:
    """Tell whether one of some statements taints, or untaints."""
    return any(TAINTED in one.patch for one in annotations)


Path = tuple[str, ...]
"""The keys that lead to a fact."""


class _Claim(NamedTuple):
    """What a statement says of one fact."""

    number: int
    """Of the statement, in order."""
    value: Any


class Dispute(NamedTuple):
    """A fact about which two statements differ that did not know of each other."""

    path: Path
    held: Annotation
    """The one that holds."""
    other: Annotation


def in_order(annotations: Iterable[Annotation]) -> list[Annotation]:
    """Return statements so that each follows those it knew of, and the order is the same in every repository.

    Of statements that do not know each other the earlier comes first, and with equal times that with the
    smaller id. One that follows something that is not there counts as following nothing.
    """
    import heapq

    known = {one.id: one for one in annotations}
    waits = {one.id: {earlier for earlier in one.after if earlier in known} for one in known.values()}
    followers: dict[str, list[str]] = {}
    for follower, earlier in waits.items():
        for one in earlier:
            followers.setdefault(one, []).append(follower)
    ready = [(known[one].time, one) for one, left in waits.items() if not left]
    heapq.heapify(ready)
    ordered = []
    while ready:
        _, done = heapq.heappop(ready)
        ordered.append(known[done])
        for follower in followers.get(done, ()):
            waits[follower].discard(done)
            if not waits[follower]:
                heapq.heappush(ready, (known[follower].time, follower))
    # What a forger tied into a circle follows nothing.
    met = {one.id for one in ordered}
    return ordered + sorted((one for one in known.values() if one.id not in met), key=lambda one: one.id)


def heads(annotations: Iterable[Annotation]) -> tuple[str, ...]:
    """Return the ids of those that nothing follows yet, sorted: what the next one is after."""
    all_of_them = list(annotations)
    followed = {earlier for one in all_of_them for earlier in one.after}
    return tuple(sorted(one.id for one in all_of_them if one.id not in followed))


def merge_patch(target: Any, patch: Any) -> Any:  # noqa: ANN401 - JSON values
    """Return `target` with a merge patch applied; neither is changed.

    Source: RFC 7396, section 2.
    """
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def facts_of(annotations: Sequence[Annotation], start: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return what statements, `in_order`, add up to, beginning from what was so before the first."""
    facts: dict[str, Any] = dict(start or {})
    for one in annotations:
        facts = merge_patch(facts, one.patch)
    return facts


def disputes(annotations: Sequence[Annotation]) -> list[Dispute]:
    """Return the facts on which statements differ that do not know each other, until one follows both.

    Who sets a fact, or takes it away, differs also from who sets something in it.
    """
    known = _known_to(annotations)
    claims: dict[Path, list[_Claim]] = {}
    for number, one in enumerate(annotations):
        for path, value in leaves(one.patch):
            later = [claim for claim in claims.get(path, ()) if not known[number] >> claim.number & 1]
            claims[path] = [*later, _Claim(number, value)]
    found: list[Dispute] = []
    for path in sorted(claims):
        for held, other in _rivals(path, claims, known):
            found.append(Dispute(path, annotations[held.number], annotations[other.number]))
    return found


def _known_to(annotations: Sequence[Annotation]) -> list[int]:
    """Return what each statement knew of: bit N stands for number N. Bits, for there may be ten thousands."""
    numbers = {one.id: number for number, one in enumerate(annotations)}
    known: list[int] = []
    for number, one in enumerate(annotations):
        seen = 0
        for earlier in (numbers[early] for early in one.after if numbers.get(early, number) < number):
            seen |= known[earlier] | 1 << earlier
        known.append(seen)
    return known


def _rivals(path: Path, claims: Mapping[Path, list[_Claim]], known: Sequence[int]) -> list[tuple[_Claim, _Claim]]:
    """Return the claim of a path that holds beside each that it contradicts and does not know."""
    # An empty mapping takes nothing away.
    above = [claim for end in range(1, len(path)) for claim in claims.get(path[:end], ()) if claim.value != {}]
    settled = 0
    for claim in above:
        settled |= known[claim.number]
    own = [claim for claim in claims[path] if not settled >> claim.number & 1]
    if not own:
        return []
    held = max(own + above, key=lambda claim: claim.number)
    # What is claimed of all that a path is part of is in dispute there already.
    others = [*own, *above] if held in own else own
    seen = known[held.number] | 1 << held.number
    return [(held, one) for one in others if not seen >> one.number & 1 and not is_same(one.value, held.value)]


def is_same(one: Any, other: Any) -> bool:  # noqa: ANN401 - JSON values
    """Tell whether two JSON values are the same: in Python, true and 1.0 are equal to 1."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def touches(patch: Mapping[str, Any], path: Path) -> bool:
    """Tell whether a patch sets or takes away a fact, or something that it is part of."""
    return any(path[: len(one)] == one for one, _ in leaves(patch))


def leaves(values: Mapping[str, Any], above: Path = ()) -> Iterable[tuple[Path, Any]]:
    """Yield the values of nested mappings, each behind the keys that lead to it; an empty mapping is a value."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, (*above, key))
        else:
            yield (*above, key), value
