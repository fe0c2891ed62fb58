"""Notes on entries and versions, runs among them: text that people leave for each other, and that travels."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping

from mlreg.errors import NotFoundError, UsageError
from mlreg.formats.annotation import ABOUT_ENTRY, Annotation, entry_of, version_in
from mlreg.formats.names import Entry, parse_ref_name
from mlreg.formats.ref import parse_ref
from mlreg.registry.annotating import Subject
from mlreg.registry.describe import Shown
from mlreg.registry.registry import Registry
from mlreg.registry.results import NoteInfo

FACT = "notes"
"""From the id of a note to its text and who wrote it when."""
MAX_CHARS = 100_000
_ID_BYTES = 8


def add(registry: Registry, text: str, note: str) -> NoteInfo:
    """Leave a note on an entry or a version.

    Args:
        registry: where.
        text: a ref.
        note: Markdown, or plain text.

    Raises:
        UsageError: `bad_note`, it is empty, longer than 100,000 characters, or no text.
        NotFoundError: `ref_not_found`; a run that is open has no notes yet.
    """
    if not note.strip() or len(note) > MAX_CHARS or any("\ud800" <= character <= "\udfff" for character in note):
        why = f"a note is text of 1 to {MAX_CHARS} characters"
        raise UsageError("bad_note", "this is no note", why=why, fix="register a long text as a file")
    subject = Subject.to_change(registry, text)
    note_id = os.urandom(_ID_BYTES).hex()
    subject.state({FACT: {note_id: {"text": note}}}, f"note on {subject.ref}")
    return next(one for one in _notes(subject.ref, subject.annotations()) if one.id == note_id)


def remove(registry: Registry, text: str, note_id: str) -> NoteInfo:
    """Take a note away; that it was there stays in the log.

    Args:
        registry: where.
        text: ref of what it is on.
        note_id: its id, or the beginning of it.

    Raises:
        NotFoundError: `note_missing`, there is none with this id, or more than one.
    """
    subject = Subject.to_change(registry, text)
    found = [one for one in _notes(subject.ref, subject.annotations()) if one.id.startswith(note_id)]
    if len(found) != 1:
        what = f"{len(found)} notes on {subject.ref} have an id like {note_id!r:.80}"
        raise NotFoundError("note_missing", what, fix=f"mlreg note ls {text}")
    subject.state({FACT: {found[0].id: None}}, f"remove note on {subject.ref}")
    return found[0]


def notes(registry: Registry, text: str = "") -> list[NoteInfo]:
    """Return the notes on an entry with all its versions, on one version, or all that there are; the oldest first.

    Raises:
        NotFoundError: `ref_not_found`.
    """
    subject = Subject(registry, parse_ref(text)) if text else None
    if subject and subject.is_version:
        return list(_notes(subject.ref, subject.annotations()))
    view = subject.view if subject else registry.repository.log.refresh()
    shown = Shown(view)
    found = [
        one
        for about, some in view.all_annotations().items()
        for entry, leaf in [_named(about)]
        if subject is None or entry == subject.entry
        for one in _notes(shown.ref(entry, leaf), some)
    ]
    # Those of one second stay in the order in which they follow each other.
    return sorted(found, key=lambda one: one.time)


def _named(about: str) -> tuple[Entry, str]:
    """Return the entry that a statement is about, and the version of it, if it is about one."""
    if about.startswith(ABOUT_ENTRY):
        return entry_of(about), ""
    name = parse_ref_name(version_in(about))
    return name.entry, name.leaf


def _notes(ref: str, stated: Iterable[Annotation]) -> Iterator[NoteInfo]:
    """Yield the notes that statements about one thing add up to, in their order."""
    found: dict[str, NoteInfo] = {}
    for one in stated:
        patch = one.patch.get(FACT)
        # A statement may be someone else's work.
        for note_id, note in patch.items() if isinstance(patch, Mapping) else ():
            if isinstance(note, Mapping):
                found[note_id] = NoteInfo(note_id, ref, str(note.get("text", "")), one.author, one.time)
            else:
                found.pop(note_id, None)
    yield from found.values()
