"""Taint: said once of the source, it holds for all that was made from it, wherever and whenever that was."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from mlreg.errors import IntegrityError, MlregError, TaintedError
from mlreg.formats.commit import Commit
from mlreg.formats.pack import Sort
from mlreg.ids import CommitId
from mlreg.operations.check import check
from mlreg.operations.lineage import present_commits
from mlreg.operations.tainting import Taints
from mlreg.registry import annotating, tainting, tracing
from mlreg.registry.experiment import ExperimentRegistry
from mlreg.registry.exporting import export
from mlreg.registry.model import ModelRegistry
from mlreg.registry.places import init
from mlreg.registry.registry import Registry, silent
from mlreg.registry.searching import search
from mlreg.registry.standing import status
from mlreg.registry.sync import Sync
from mlreg.repository.database import Database
from mlreg.repository.objects import pack_key
from mlreg.repository.repository import Repository

RAW, CLEAN, NET = "data/raw@2026.01.01", "data/clean@2026.01.02", "model/net@1.0.0"


def made(place: Path, remote: Path | None = None, author: str = "Ann") -> Registry:
    path, _ = init(place, shared=True)
    return Registry(path, author, place.parent / f"cache-{place.name}", {"origin": str(remote)} if remote else None)


def notes_left(registry: Registry) -> tuple[int, int]:
    """Return how many statements are to be pushed, and to be pulled."""
    (remote,) = status(registry).remotes
    return remote.unpushed_notes, remote.unpulled_notes


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"bytes")
    return path


@pytest.fixture
def registry(tmp_path: Path, file: Path) -> Registry:
    """A registry with data/raw, from it data/clean, from that model/net; and model/other from nothing."""
    registry = made(tmp_path / "here", tmp_path / "there")
    made(tmp_path / "there")
    registry.add("data/raw", [file], version="2026.01.01")
    registry.add("data/clean", [file], version="2026.01.02", inputs=[("raw", RAW)])
    registry.add("model/net", [file], version="1.0.0", inputs=[("data", CLEAN)])
    registry.add("model/other", [file], version="1.0.0")
    return registry


def refused(call: Callable[[], object]) -> MlregError:
    with pytest.raises(MlregError) as caught:
        call()
    return caught.value


def why(registry: Registry, ref: str) -> list[tuple[str, str]]:
    return [(taint.ref, taint.reason) for taint in registry.show(ref).taints]


def test_a_taint_on_data_refuses_a_tag_on_a_model_two_steps_down_until_it_is_taken_back(registry: Registry) -> None:
    assert tainting.taint(registry, RAW, "wrong labels").changed

    error = refused(lambda: registry.tag(NET, "production"))
    assert (type(error), error.code, error.exit_status) == (TaintedError, "tainted", 15)
    assert "wrong labels" in error.message
    assert RAW in error.why
    assert any(RAW in fix for fix in error.fix)
    # On the command line and in Python it is said in words of theirs.
    assert any("--despite-taint 'WHY'" in fix and 'despite_taint="WHY"' in fix for fix in error.fix)
    assert registry.tags("model/net") == []

    assert tainting.untaint(registry, RAW, "labelled again").changed
    assert registry.tag(NET, "production").changed


def test_what_is_tainted_is_refused_in_each_way_out_and_what_is_not_is_not(
    registry: Registry, tmp_path: Path, file: Path
) -> None:
    tainting.taint(registry, CLEAN, "wrong")
    out = tmp_path / "out"
    ways: dict[str, Callable[[str], object]] = {
        "get": lambda ref: registry.get(ref, out),
        "cat": lambda ref: list(registry.cat(f"{ref}:file")),
        "export": lambda ref: export(registry, ref, "card", silent),
        "tag": lambda ref: registry.tag(ref, "production"),
        "copy": lambda ref: registry.copy(ref, "model/copy", version="1.0.0"),
        "add": lambda ref: registry.add("model/made", [file], bump="minor", inputs=[("base", ref)], tags=["best"]),
    }

    for call in ways.values():
        assert refused(lambda call=call: call(NET)).code == "tainted"  # type: ignore[misc] # bound at once
        assert refused(lambda call=call: call(CLEAN)).code == "tainted"  # type: ignore[misc] # bound at once
    assert not out.exists()
    for call in ways.values():
        call("data/raw")
        call("model/other")


def test_what_is_made_later_is_tainted_and_may_be_registered_without_a_tag(registry: Registry, file: Path) -> None:
    tainting.taint(registry, RAW, "wrong")

    added = registry.add("model/late", [file], version="1.0.0", inputs=[("base", NET)])

    assert [taint.ref for taint in added.version.taints] == [RAW]
    again = refused(lambda: registry.add("model/late", [file], version="1.0.0", inputs=[("base", NET)], tags=["beta"]))
    assert again.code == "tainted"


def test_a_run_that_used_it_is_tainted_and_is_found_from_the_data(registry: Registry) -> None:
    experiments = ExperimentRegistry(registry.path, "Ann")
    tainting.taint(registry, RAW, "wrong")
    with experiments.start_experiment("churn", inputs=[("train", CLEAN)], despite_taint="a test") as run:
        run.log_metrics({"auc": 0.5})

    down = {node.ref: node.tainted for node in tracing.lineage(registry, RAW, direction="down")}
    assert {ref.partition("@")[0] for ref in down} == {"data/raw", "data/clean", "model/net", "exp/churn"}
    assert all(down.values())
    assert [taint.ref for taint in registry.versions("exp/churn")[0].taints] == [RAW]


def test_two_taints_on_one_chain_are_both_shown_and_each_is_taken_back_alone(registry: Registry) -> None:
    tainting.taint(registry, RAW, "wrong labels")
    tainting.taint(registry, CLEAN, "wrong rows")

    assert sorted(why(registry, NET)) == [(CLEAN, "wrong rows"), (RAW, "wrong labels")]
    tainting.untaint(registry, RAW)
    assert why(registry, NET) == [(CLEAN, "wrong rows")]
    assert refused(lambda: registry.tag(NET, "beta")).code == "tainted"
    tainting.untaint(registry, CLEAN)
    assert why(registry, NET) == []


def test_a_taint_says_who_when_and_why_and_the_same_again_writes_nothing(registry: Registry) -> None:
    number = registry.repository.log.refresh().number
    tainting.taint(registry, RAW, "wrong")

    assert not tainting.taint(registry, RAW, "wrong").changed
    assert not tainting.untaint(registry, NET).changed
    assert registry.repository.log.refresh().number == number + 1
    (taint,) = registry.show(NET).taints
    assert (taint.ref, taint.reason, taint.author) == (RAW, "wrong", "Ann")
    assert [said.message for said in annotating.statements(registry, RAW)] == ["wrong"]


def test_a_version_and_a_reason_are_needed(registry: Registry) -> None:
    assert refused(lambda: tainting.taint(registry, RAW, " ")).code == "no_reason"
    assert refused(lambda: tainting.taint(registry, "data/raw", "wrong")).code == "no_version_named"
    assert refused(lambda: tainting.untaint(registry, "data/raw")).code == "no_version_named"
    assert refused(lambda: tainting.taint(registry, "origin::" + RAW, "wrong")).code == "remote_change"
    assert refused(lambda: tainting.taint(registry, "data/raw@2020.01.01", "wrong")).code == "ref_not_found"
    assert why(registry, NET) == []


def test_it_is_seen_in_lists_lineage_and_searches(registry: Registry) -> None:
    registry.tag(NET, "production")
    tainting.taint(registry, RAW, "wrong")

    assert {info.ref: info.tainted for info in registry.entries()} == {
        "data/clean": ("2026.01.02",),
        "data/raw": ("2026.01.01",),
        "model/net": ("1.0.0",),
        "model/other": (),
    }
    assert [bool(info.taints) for info in registry.versions("model/net")] == [True]
    assert [node.tainted for node in tracing.lineage(registry, NET)] == [True, True, True]
    assert {node.tainted for node in tracing.log_graph(registry, "model/other").nodes} == {False}
    assert [info.ref for info in search(registry, where="tainted = false")] == ["model/other@1.0.0"]
    assert {info.ref for info in search(registry, where="tainted = true") if info.taints} == {RAW, CLEAN, NET}


def test_what_has_its_tags_already_may_be_added_again(registry: Registry, file: Path) -> None:
    def again(tag: str) -> bool:
        return registry.add("model/net", [file], version="1.0.0", inputs=[("data", CLEAN)], tags=[tag]).changed

    assert again("production")
    tainting.taint(registry, RAW, "wrong")

    assert not again("production")
    assert not registry.tag(NET, "production").changed
    assert refused(lambda: again("beta")).code == "tainted"


def test_a_batch_tags_nothing_tainted_in_two_steps(registry: Registry, file: Path) -> None:
    tainting.taint(registry, RAW, "wrong")

    with registry.batch():
        for tags in ((), ("beta",)):
            call = partial(registry.add, "model/new", [file], version="1.0.0", inputs=[("base", NET)], tags=tags)
            if not tags:
                assert call().changed
            else:
                assert refused(call).code == "tainted"
    assert [info.tags for info in registry.versions("model/new")] == [()]


# All the same.


def test_a_reason_lets_a_tag_through_and_stands_in_the_log(registry: Registry, file: Path) -> None:
    tainting.taint(registry, RAW, "wrong")

    registry.tag(NET, "production", "for the demo", despite_taint="only shown to us")
    inputs = [("base", NET)]
    registry.add("model/tuned", [file], version="1.0.0", inputs=inputs, tags=["beta"], despite_taint="a test")

    assert registry.log("model/net@production")[0].message == "for the demo (despite taint: only shown to us)"
    assert registry.log("model/tuned@beta")[0].message == "add model/tuned@1.0.0 (despite taint: a test)"


def test_a_reason_that_was_not_needed_is_no_part_of_the_log(registry: Registry) -> None:
    registry.tag(NET, "production", "the best", despite_taint="perhaps")

    assert registry.log("model/net@production")[0].message == "the best"


def test_a_reason_lets_files_out_and_is_stated_of_the_version(registry: Registry, tmp_path: Path) -> None:
    tainting.taint(registry, RAW, "wrong")

    assert refused(lambda: registry.get(NET, tmp_path / "out", despite_taint="  ")).code == "tainted"
    assert registry.get(NET, tmp_path / "out", despite_taint="to see what it does").written == 1
    registry.get("model/other", tmp_path / "other", despite_taint="perhaps")

    assert list(registry.cat(f"{NET}:file", despite_taint="one file")) == [b"bytes"]
    assert export(registry, NET, "card", silent, despite_taint="to tell others").document

    told, shown, said = annotating.statements(registry, NET)
    assert [one.message.partition("taint: ")[2] for one in (told, shown)] == ["to tell others)", "one file)"]
    assert (said.author, said.message) == ("Ann", f"get {NET} (despite taint: to see what it does)")
    assert annotating.statements(registry, "model/other@1.0.0") == []


def test_what_is_got_from_a_remote_all_the_same_is_stated_here(registry: Registry, tmp_path: Path) -> None:
    tainting.taint(registry, RAW, "wrong")
    Sync(registry).push()
    number = Registry(tmp_path / "there", "Bo").repository.log.refresh().number
    far = Registry(tmp_path / "here", "Ann", remotes={"origin": str(tmp_path / "there")})

    ways: list[Callable[[str], object]] = [
        lambda why: far.get(f"origin::{NET}", tmp_path / "out", despite_taint=why),
        lambda why: far.cat(f"origin::{NET}:file", despite_taint=why),
        lambda why: export(far, f"origin::{NET}", "card", silent, why),
    ]
    for call in ways:
        assert refused(lambda call=call: call("")).code == "tainted"  # type: ignore[misc] # bound at once
        call("must")

    assert len(annotating.statements(far, NET)) == len(ways)
    assert Registry(tmp_path / "there", "Bo").repository.log.refresh().number == number


def test_a_copy_of_what_is_tainted_itself_is_tainted_too(registry: Registry) -> None:
    tainting.taint(registry, CLEAN, "wrong")

    registry.copy(CLEAN, "data/copy", version="2026.01.03", despite_taint="a name of ours")

    assert why(registry, "data/copy") == [("data/copy@2026.01.03", "wrong")]


def test_models_in_python_have_the_same(tmp_path: Path, registry: Registry) -> None:
    models = ModelRegistry(registry.path, "Ann")
    models.register_model({"w": np.ones(2, np.float32)}, "arrays", "1.0.0", inputs=[("data", CLEAN)])
    tainting.taint(registry, RAW, "wrong")

    for call in (
        lambda: models.get_model("arrays", directory=tmp_path / "a"),
        lambda: models.get_path("arrays", directory=tmp_path / "a"),
        lambda: models.tag("arrays", "1.0.0", "production"),
        lambda: models.register_model(b"x", "more", "1.0.0", inputs=[("data", CLEAN)], tags=["production"]),
    ):
        assert refused(call).code == "tainted"
    assert list(models.get_model("arrays", despite_taint="for a look")) == ["w"]
    models.tag("arrays", "1.0.0", "production", despite_taint="for the demo")
    models.taint("arrays", "latest", "and wrong itself")
    assert len(models.get_info("arrays").taints) == 2
    models.untaint("arrays", "latest")
    assert len(models.get_info("arrays").taints) == 1


# Elsewhere, under other names, removed, damaged.


def test_a_taint_comes_with_pull_and_goes_with_pull(registry: Registry, tmp_path: Path) -> None:
    Sync(registry).push()
    other = made(tmp_path / "other", tmp_path / "there", "Bo")
    Sync(other).pull()
    tainting.taint(registry, RAW, "wrong")
    assert Sync(registry).push().notes == 1
    assert other.tag(NET, "early").changed

    assert Sync(other).pull().notes == 1
    assert refused(lambda: other.tag(NET, "production")).code == "tainted"
    tainting.untaint(registry, RAW)
    Sync(registry).push()
    Sync(other).pull()
    assert other.tag(NET, "production").changed
    assert notes_left(other) == (0, 0)


def test_a_taint_comes_with_the_model_alone(registry: Registry, tmp_path: Path) -> None:
    """The name of the data is not in the other repository, and what was said of it is needed there all the same."""
    tainting.taint(registry, RAW, "wrong")
    annotating.label(registry, RAW, {"team": "vision"})
    annotating.label(registry, "model/other@1.0.0", {"team": "vision"})
    Sync(registry).push()
    other = made(tmp_path / "other", tmp_path / "there", "Bo")

    Sync(other).pull([NET])

    assert [info.ref for info in other.entries()] == ["model/net"]
    assert why(other, NET) == [(RAW, "wrong")]
    assert check(other.repository, 1.0, silent).problems == []
    assert refused(lambda: other.tag(NET, "production")).code == "tainted"
    tainting.untaint(registry, RAW)
    Sync(registry).push()
    Sync(other).pull([NET])
    assert why(other, NET) == []


def test_a_taint_comes_to_where_its_source_was_removed(registry: Registry, tmp_path: Path) -> None:
    Sync(registry).push()
    other = made(tmp_path / "other", tmp_path / "there", "Bo")
    Sync(other).pull()
    other.remove([RAW])
    tainting.taint(registry, RAW, "wrong")
    Sync(registry).push()

    Sync(other).pull()

    assert why(other, NET) == [(RAW, "wrong")]
    assert notes_left(other) == (0, 0)


def test_a_version_that_was_removed_taints_and_may_be_tainted_still(registry: Registry) -> None:
    registry.remove([RAW])

    tainting.taint(registry, RAW, "wrong")
    assert why(registry, NET) == [(RAW, "wrong")]
    registry.restore([RAW])
    assert why(registry, RAW) == [(RAW, "wrong")]
    registry.remove([RAW])
    tainting.untaint(registry, RAW)
    assert why(registry, NET) == []


def test_a_taint_is_shown_under_the_new_name_of_its_source(registry: Registry) -> None:
    tainting.taint(registry, RAW, "wrong")
    annotating.rename(registry, "data/raw", "data/first")

    assert why(registry, NET) == [("data/first@2026.01.01", "wrong")]
    assert any("untaint data/first@2026.01.01" in fix for fix in refused(lambda: registry.tag(NET, "beta")).fix)
    tainting.untaint(registry, "data/first@2026.01.01")
    assert why(registry, NET) == []


def damage(registry: Registry, ref: str) -> None:
    """Damage the pack that has the commit of a version."""
    (place,) = registry.repository.log.view.places(Sort.COMMIT, registry.rev_parse(ref).commit_id)
    path = Path(registry.path) / pack_key(place.pack)
    data = bytearray(path.read_bytes())
    data[: len(data) // 3] = bytes(len(data) // 3)
    path.chmod(0o644)
    path.write_bytes(data)


def test_where_a_commit_is_damaged_nothing_passes_for_untainted_and_all_is_shown(
    registry: Registry, tmp_path: Path
) -> None:
    tainting.taint(registry, RAW, "wrong")
    damage(registry, CLEAN)
    anew = Registry(registry.path, "Ann")

    assert type(refused(lambda: anew.tag(NET, "production"))) is IntegrityError
    assert type(refused(lambda: anew.get(NET, tmp_path / "out"))) is IntegrityError
    assert anew.show(NET).taints == ()
    assert {info.ref for info in anew.versions("model/net")} == {NET}
    assert anew.get(NET, tmp_path / "out", despite_taint="what it was made from cannot be read").written == 1
    assert anew.get("model/other", tmp_path / "out").ref == "model/other@1.0.0"


def test_a_source_whose_commit_is_damaged_taints_by_its_name(registry: Registry) -> None:
    tainting.taint(registry, CLEAN, "wrong")
    damage(registry, CLEAN)
    anew = Registry(registry.path, "Ann")

    assert why(anew, NET) == [(CLEAN, "wrong")]


def test_damage_is_no_trouble_where_nothing_is_tainted(registry: Registry) -> None:
    damage(registry, CLEAN)

    assert Registry(registry.path, "Ann").tag(NET, "production").changed


def test_a_question_reads_what_a_version_was_made_from_and_nothing_else(registry: Registry) -> None:
    read: list[CommitId] = []

    def counted(repository: Repository, ids: Iterable[CommitId]) -> dict[CommitId, Commit]:
        found = present_commits(repository, ids)
        read.extend(found)
        return found

    net = registry.rev_parse(NET).commit_id
    assert Taints(registry.repository, counted).of_each([net]) == {net: ()}
    assert read == []
    tainting.taint(registry, "model/other@1.0.0", "wrong")
    assert Taints(registry.repository, counted).of_each([net]) == {net: ()}
    assert read == [registry.rev_parse(ref).commit_id for ref in (NET, CLEAN, RAW)]


def test_the_index_of_taints_is_used(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    rows = Database.rows

    def noted(self: Database, query: str, values: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
        asked.append(query)
        return rows(self, query, values)

    monkeypatch.setattr(Database, "rows", noted)
    registry.repository.log.view.tainted()
    plan = rows(registry.repository.log.view._db, f"EXPLAIN QUERY PLAN {asked[0]}", ())
    assert "annotations_tainted" in str(plan)
