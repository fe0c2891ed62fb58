"""Two repositories and a shared registry do what a few dictionaries say they should, in any order."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mlreg.errors import MlregError
from mlreg.formats.pack import PackKind, Sort
from mlreg.formats.transaction import PackEntry
from mlreg.ids import ObjectId
from mlreg.operations.merging import BOUNDS
from mlreg.registry import collecting
from mlreg.registry.places import init
from mlreg.registry.registry import Registry
from mlreg.registry.repacking import repack
from mlreg.registry.sync import Sync

ENTRIES = ("model/one",)
VERSIONS = {"model/one": ("1.0.0", "1.1.0", "2.0.0")}
TAGS = ("production",)

Key = tuple[str, str]
"""Entry and version, or entry and tag."""

people = st.sampled_from(("ann", "bob"))
entries = st.sampled_from(ENTRIES)
places = st.integers(0, 2)
tags = st.sampled_from(TAGS)


@dataclass
class Model:
    """What a repository should hold."""

    versions: dict[Key, str] = field(default_factory=dict)
    """From version to content; it stays here when the version is removed."""
    removed: set[Key] = field(default_factory=set)
    tags: dict[Key, str | None] = field(default_factory=dict)
    """From tag to version; None if it was taken away."""
    agreed: dict[Key, str] = field(default_factory=dict)
    """Where each tag was when this repository and the registry last had the same."""
    collected: set[Key] = field(default_factory=set)
    """Of the removed ones those whose bytes may be gone."""

    def live(self) -> dict[Key, str]:
        return {key: content for key, content in self.versions.items() if key not in self.removed}


def held_in(registry: Registry, pack: PackEntry) -> set[tuple[Sort, ObjectId]]:
    """Return the objects of a pack."""
    return {(item.sort, item.id) for item in registry.repository.objects.index(pack.id).items()}


class Conflict(Exception):
    """The model says that there is a conflict."""


def send(  # noqa: C901, PLR0912 - the whole rule in one place, to be read at once
    sender: Model, receiver: Model, agreed: dict[Key, str], *, is_push: bool, force: bool
) -> dict[Key, str]:
    """Return the tags that move, and unite the versions; `Conflict` leaves everything as it was."""
    new = {}
    for key, content in sender.live().items():
        if key not in receiver.versions:
            new[key] = content
        elif key in receiver.removed:
            if not is_push and receiver.versions[key] != content:
                new[key] = content
        elif receiver.versions[key] != content:
            raise Conflict
    there = {**receiver.live(), **new}
    moves = {}
    for (entry, tag), version in sender.tags.items():
        if version is None or (entry, version) not in there:
            continue
        present, base = receiver.tags.get((entry, tag)), agreed.get((entry, tag))
        if version == present:
            continue
        if (entry, tag) not in receiver.tags or force or present == base:
            moves[entry, tag] = version
        elif version != base:
            raise Conflict
    receiver.versions.update(new)
    receiver.removed -= set(new)
    receiver.tags.update(moves)
    return moves


class TwoPeopleAndARegistry(RuleBasedStateMachine):
    """`models` is what the repositories should hold; `registries` is what they hold."""

    @initialize()
    def begin(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="mlreg-machine-"))
        self.count = 0
        init(self.root / "shared", shared=True)
        self.models = {name: Model() for name in ("ann", "bob", "shared")}
        self.registries = {"shared": Registry(self.root / "shared", "nobody")}
        for name in ("ann", "bob"):
            place, _ = init(self.root / name, shared=False)
            self.registries[name] = Registry(place, name, None, {"origin": str(self.root / "shared")})
        # What matters is what happens after both have something in common.
        for number in range(2):
            self.add("ann", ENTRIES[0], number, 0)
        self.tag("ann", ENTRIES[0], 0, TAGS[0])
        self.meet("ann", "push", force=False)
        self.meet("bob", "pull", force=False)

    def teardown(self) -> None:
        if hasattr(self, "root"):
            shutil.rmtree(self.root)

    def code_of(self, action: object) -> str:
        """Return the code of the error that an action ends in, or nothing."""
        try:
            action()  # type: ignore[operator] # a function of no arguments
        except MlregError as error:
            return error.code
        return ""

    @rule(person=people, entry=entries, place=places, content=st.integers(0, 1))
    def adds(self, person: str, entry: str, place: int, content: int) -> None:
        self.add(person, entry, place, content)

    def add(self, person: str, entry: str, place: int, content: int) -> None:
        model, key = self.models[person], (entry, VERSIONS[entry][place])
        # Nobody registers what the other one does: equal content under one name would be one version.
        body = f"{person} {content}"
        file = self.root / "file"
        file.write_text(body)

        code = self.code_of(lambda: self.registries[person].add(entry, [file], version=key[1]))

        if key in model.removed:
            assert code == "version_removed"
        elif model.versions.get(key, body) != body:
            assert code == "version_exists"
        else:
            assert code == ""
            model.versions[key] = body

    @rule(person=people, entry=entries, place=places, tag=tags)
    def moves_a_tag(self, person: str, entry: str, place: int, tag: str) -> None:
        self.tag(person, entry, place, tag)

    def tag(self, person: str, entry: str, place: int, tag: str) -> None:
        model, version = self.models[person], VERSIONS[entry][place]

        code = self.code_of(lambda: self.registries[person].tag(f"{entry}@{version}", tag))

        if (entry, version) in model.live():
            assert code == ""
            model.tags[entry, tag] = version
        else:
            assert code in ("ref_not_found", "version_removed")

    @rule(person=people, entry=entries, tag=tags)
    def untag(self, person: str, entry: str, tag: str) -> None:
        model = self.models[person]

        code = self.code_of(lambda: self.registries[person].untag(f"{entry}@{tag}"))

        if (entry, tag) in model.tags:
            assert code == ""
            model.tags[entry, tag] = None
        else:
            assert code in ("ref_not_found", "tag_missing")

    @rule(person=people, entry=entries, place=places)
    def remove(self, person: str, entry: str, place: int) -> None:
        model, key = self.models[person], (entry, VERSIONS[entry][place])

        code = self.code_of(lambda: self.registries[person].remove([f"{entry}@{key[1]}"]))

        if key not in model.versions:
            assert code in ("ref_not_found", "version_missing")
        elif key not in model.removed and any(e == entry and v == key[1] for (e, _), v in model.tags.items()):
            assert code == "version_tagged"
        else:
            assert code == ""
            model.removed.add(key)

    @rule(person=people, entry=entries, place=places)
    def restore(self, person: str, entry: str, place: int) -> None:
        model, key = self.models[person], (entry, VERSIONS[entry][place])

        code = self.code_of(lambda: self.registries[person].restore([f"{entry}@{key[1]}"]))

        if key not in model.versions:
            assert code in ("ref_not_found", "version_missing")
        elif code == "version_collected":
            assert key in model.removed & model.collected
        else:
            assert code == ""
            model.removed.discard(key)

    @rule(name=st.sampled_from(("ann", "bob", "shared")), grace=st.sampled_from((0, 3600)))
    def collect(self, name: str, grace: float) -> None:
        model = self.models[name]

        done = collecting.collect(self.registries[name], grace=grace, report=lambda size: None)

        staying = set(model.live().values())
        model.collected |= {key for key in model.removed if model.versions[key] not in staying}
        assert {version.ref for version in done.versions} <= {f"{e}@{v}" for e, v in model.removed}

    @rule(name=st.sampled_from(("ann", "bob", "shared")), grace=st.sampled_from((0, 3600)))
    def merge(self, name: str, grace: float) -> None:
        registry = self.registries[name]
        held = {place for pack in registry.repository.log.refresh().live_packs() for place in held_in(registry, pack)}

        done = repack(registry, delta=False, grace=grace, report=lambda size: None)

        packs = registry.repository.log.refresh().live_packs()
        assert {place for pack in packs for place in held_in(registry, pack)} == held
        assert len(packs) <= len(PackKind) * (len(BOUNDS) - 1)
        assert done.merged >= 2 * done.merged_into

    def meet(self, person: str, verb: str, force: bool) -> None:
        """Push, pull or fetch, in the model and for real."""
        mine, shared, is_push = self.models[person], self.models["shared"], verb == "push"
        sender, receiver = (mine, shared) if is_push else (shared, mine)
        sync = Sync(self.registries[person], "origin")
        actions = {
            "push": lambda: sync.push(force_tags=force),
            "pull": lambda: sync.pull(force_tags=force),
            "fetch": sync.fetch,
        }
        before = dict(receiver.tags)

        code = self.code_of(actions[verb])

        try:
            # Fetch leaves the tags alone, so it meets no conflict of theirs either.
            plain = Model(sender.versions, sender.removed, {} if verb == "fetch" else sender.tags)
            send(plain, receiver, mine.agreed, is_push=is_push, force=force)
        except Conflict:
            assert code in ("version_conflict", "tag_conflict")
            assert receiver.tags == before
            return
        assert code == ""
        if verb != "fetch":
            same = {key: v for key, v in mine.tags.items() if v is not None and shared.tags.get(key) == v}
            mine.agreed.update(same)

    @rule(person=people, verb=st.sampled_from(("push", "pull", "fetch")), force=st.booleans())
    def sync(self, person: str, verb: str, force: bool) -> None:
        self.meet(person, verb, force)

    @invariant()
    def all_hold_what_they_should(self) -> None:
        for name, model in getattr(self, "models", {}).items():
            registry = self.registries[name]
            found = {}
            for entry in registry.entries():
                for info in registry.versions(entry.ref):
                    found[entry.ref, info.version] = b"".join(registry.cat(f"{info.ref}:file")).decode()
            assert found == model.live(), name
            # The tags of an entry are listed as long as it has a version.
            tags = {(tag.ref.partition("@")[0], tag.ref.partition("@")[2]): tag.target for tag in registry.tags()}
            assert tags == {(e, t): f"{e}@{v}" for (e, t), v in model.tags.items() if v is not None}, name

    @rule(name=st.sampled_from(("ann", "bob", "shared")))
    def verify(self, name: str) -> None:
        assert self.registries[name].verify().problems == ()


TwoPeopleAndARegistry.TestCase.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
TestTwoPeopleAndARegistry = TwoPeopleAndARegistry.TestCase
