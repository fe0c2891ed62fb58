"""A collector with no grace may come in at any call of another: nobody calls damaged what was only collected."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from mlreg.errors import NotFoundError
from mlreg.operations import collect as deleting
from mlreg.operations import sweeping
from mlreg.operations.check import check
from mlreg.operations.repack import repack
from mlreg.operations.transfer import Move, Sending, transfer
from mlreg.registry.registry import Registry, silent
from mlreg.repository.repository import Repository, create_repository
from mlreg.repository.view import View
from mlreg.stores.faulty import Fault, FaultyStore
from mlreg.stores.memory import MemoryStore
from mlreg.stores.store import Store
from mlreg.tensors.safetensors import encode_arrays

PLAIN = np.random.default_rng(0).standard_normal(40_000).astype(np.float32)


def of(store: Store) -> Registry:
    """Return the registry in a store."""
    registry = Registry("", "Ann")
    registry.repository = Repository(store)
    return registry


@pytest.fixture
def contents(tmp_path: Path) -> dict[str, bytes]:
    """Return a repository of which much is to be collected, and something is to be written anew."""
    return dict(made(tmp_path))


@cache
def made(place: Path) -> dict[str, bytes]:
    store = MemoryStore()
    create_repository(store)
    registry, folder = of(store), place / "net"
    folder.mkdir()
    for step in range(4):
        moved = PLAIN + np.random.default_rng(step).standard_normal(len(PLAIN)).astype(np.float32) * 1e-6
        (folder / "weights.safetensors").write_bytes(b"".join(encode_arrays({"layer": moved})))
        (folder / "note").write_bytes(np.random.default_rng(step).bytes(100_000))
        registry.add("model/net", [folder], version=f"1.{step}.0")
    registry.remove(["model/net@1.0.0"])
    return store.contents


def collect(store: Store) -> None:
    repository = Repository(store)
    sweeping.sweep(repository, "Eve", lambda lost: "collect", silent)
    deleting.collect(repository, "Eve", 0)


def repack_and_delete(store: Store) -> None:
    repository = Repository(store)
    repack(repository, "Eve", silent)
    deleting.collect(repository, "Eve", 0)


def verify(store: Store) -> None:
    assert check(Repository(store), 1.0, silent).problems == []


def push(store: Store) -> None:
    """Send all that is there elsewhere."""
    target = MemoryStore()
    create_repository(target)
    source, there = Repository(store), Repository(target)

    def plan(view: View) -> Sending:
        refs = [ref for ref in source.log.view.refs("version/") if ref.target and not view.ref(ref.name)]
        return Sending([Move(ref.name, ref.target, None) for ref in refs if ref.target])

    source.log.refresh()
    transfer(source, there, plan, "Ann", "push", silent)
    assert check(Repository(target), 1.0, silent).problems == []


def read(store: Store) -> None:
    registry = of(store)
    for step in range(1, 4):
        assert len(b"".join(registry.cat(f"model/net@1.{step}.0:note"))) == 100_000


@pytest.mark.parametrize("intrude", [collect, repack_and_delete], ids=["collected", "repacked"])
@pytest.mark.parametrize("work", [verify, push, collect, repack_and_delete, read], ids=lambda work: work.__name__)
def test_at_any_call_of_another_a_collector_may_delete_what_it_may(
    work: Callable[[Store], None], intrude: Callable[[Store], None], contents: dict[str, bytes], scale: int
) -> None:
    counting = FaultyStore(MemoryStore(dict(contents)))
    work(counting)
    stride = max(1, len(counting.calls) // (8 * scale))

    for number in range(1, len(counting.calls) + 1, stride):
        inner = MemoryStore(dict(contents))

        def plan(count: int, verb: str, key: str, number: int = number, inner: Store = inner) -> Fault | None:  # noqa: ARG001 - a Plan
            if count == number:
                intrude(inner)
            return None

        work(FaultyStore(inner, plan))
        verify(inner)
        read(inner)


def test_a_version_that_is_removed_and_collected_while_it_is_sent_is_left_away(contents: dict[str, bytes]) -> None:
    counting = FaultyStore(MemoryStore(dict(contents)))
    push(counting)

    for number in range(1, len(counting.calls) + 1, 5):
        inner = MemoryStore(dict(contents))

        def plan(count: int, verb: str, key: str, number: int = number, inner: Store = inner) -> Fault | None:  # noqa: ARG001 - a Plan
            if count == number:
                of(inner).remove(["model/net@1.3.0"])
                collect(inner)
            return None

        push(FaultyStore(inner, plan))
        with pytest.raises(NotFoundError):
            of(inner).show("model/net@1.3.0")
