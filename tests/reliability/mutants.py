"""Rules of safety, each taken out of the source by itself: a test that is named here must notice.

    python -m tests.reliability.mutants            # all; or the names of some

A mutant that no test notices is a rule that the next change may lose.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
TESTS_FAILED = 1
"""What pytest ends with if it ran, and a test failed."""


class Mutant(NamedTuple):
    """A rule, how it is forgotten, and who notices."""

    name: str
    rule: str
    file: str
    """Below `src/mlreg`."""
    text: str
    """What stands there once."""
    instead: str
    tests: tuple[str, ...]
    """Below `tests`."""


DIRECTORY = "conformance/test_directory_store.py"
FLUSH = "unit/operations/test_checkout_flush.py"
FAULTY = "laws/test_log_on_faulty_store.py"
COPIES = "unit/registry/test_copies.py"
BACKUPS = "unit/operations/test_backing_up.py"
BUNDLES = "unit/registry/test_bundles.py"
HOSTILE_BYTES = "hostile/test_hostile_bytes.py"
SWEEPING = "unit/operations/test_sweeping.py"
HOLDING = "unit/operations/test_holding.py"
BESIDE_SWEEPS = "unit/operations/test_repack_beside_sweeps.py"
MERGING = "unit/operations/test_merging.py"
KEPT = "hostile/test_hostile_kept_files.py"
MUTANTS = (
    Mutant(
        "no-flush",
        "The bytes of a key are on the disk before it has its name",
        "stores/directory.py",
        "            _write_all(fd, data)\n            os.fsync(fd)\n",
        "            _write_all(fd, data)\n",
        (f"{DIRECTORY}::test_a_created_key_is_flushed_before_it_has_its_name_and_its_directory_after",),
    ),
    Mutant(
        "no-flush-of-uploads",
        "So are those of a pack",
        "stores/directory.py",
        "            yield _FileUpload(fd, key, self.url)\n            os.fsync(fd)\n",
        "            yield _FileUpload(fd, key, self.url)\n",
        (f"{DIRECTORY}::test_an_upload_is_flushed_before_it_has_its_name_and_its_directories_after",),
    ),
    Mutant(
        "no-flush-of-names",
        "A name is on the disk before the write is reported as done",
        "stores/directory.py",
        "            flush_directory(os.path.dirname(temporary))\n",
        "            pass\n",
        (f"{DIRECTORY}::test_a_created_key_is_flushed_before_it_has_its_name_and_its_directory_after",),
    ),
    Mutant(
        "replaces",
        "What is under a key is never replaced",
        "stores/directory.py",
        "os.link(temporary, self._path(key), follow_symlinks=False)",
        "os.replace(temporary, self._path(key))",
        ("conformance/test_stores.py::test_repeating_a_create_is_safe_but_other_bytes_are_refused",),
    ),
    Mutant(
        "trusts-links",
        "The key says who has it, not what the link returned",
        "stores/directory.py",
        "            if self.read(key) != data:\n                raise _taken(key, self.url)\n",
        "",
        (f"{DIRECTORY}::test_a_link_that_was_reported_as_made_over_other_bytes_is_a_conflict",),
    ),
    Mutant(
        "believes-unclear-replies",
        "A slot whose reply was lost counts only if it is found there",
        "repository/log.py",
        "                unclear = error\n",
        "                return True\n",
        (f"{FAULTY}::test_after_a_fault_at_any_call_the_slot_is_there_once_or_the_append_raised",),
    ),
    Mutant(
        "no-chain",
        "A slot names the hash of the one before",
        "repository/log.py",
        "if slot.number != number or slot.previous != previous:",
        "if slot.number != number:",
        ("unit/repository/test_log.py::test_a_chain_that_is_broken_is_an_error",),
    ),
    Mutant(
        "fills-holes",
        "Where a slot was lost nothing is written",
        "repository/log.py",
        "            refuse_hole(self._store, slot.number)\n",
        "",
        ("unit/repository/test_log.py::test_nothing_is_written_where_a_slot_was_lost",),
    ),
    Mutant(
        "adds-reaped-packs",
        "A pack that was reaped is never named again",
        "repository/log.py",
        "        self._refuse_reaped(draft)\n",
        "",
        (f"{FAULTY}::test_a_pack_that_was_reaped_before_it_was_named_is_uploaded_under_another_name",),
    ),
    Mutant(
        "trusts-caches",
        "A cache is used only if it belongs to this log",
        "repository/log.py",
        "if not position.number or self.hash_of(position.number) != position.head:",
        "if not position.number:",
        ("unit/repository/test_log.py::test_a_cache_of_another_log_under_the_same_name_is_thrown_away",),
    ),
    Mutant(
        "trusts-snapshots",
        "A snapshot is used only if it belongs to this log",
        "repository/log.py",
        "if snapshot_key(found.number) != key or self.hash_of(found.number) != found.head:",
        "if snapshot_key(found.number) != key:",
        ("unit/repository/test_log.py::test_a_snapshot_that_is_of_no_use_is_passed_over_and_reported",),
    ),
    Mutant(
        "no-old-value",
        "A name moves only from where its writer saw it",
        "repository/view.py",
        "if (found.target if found else None) != ref.old:",
        "if found is None and ref.old:",
        ("unit/repository/test_view.py::test_a_slot_that_does_not_fit_is_refused_and_changes_nothing",),
    ),
    Mutant(
        "add-relies-on-what-went",
        "What a collector took since it was looked for is stored again",
        "operations/register.py",
        "        if view.generation != self._generation:\n",
        "        if False:\n",
        (f"{FAULTY}::test_at_any_call_of_an_add_the_rest_of_the_repository_may_be_collected",),
    ),
    Mutant(
        "push-relies-on-what-went",
        "So is what a push relied on",
        "operations/transfer.py",
        "    if view.generation != generation:\n        raise _collected(target)\n",
        "    pass\n",
        (f"{FAULTY}::test_at_any_call_of_a_push_packs_may_be_taken_away_from_the_target",),
    ),
    Mutant(
        "sweeps-by-old-marks",
        "What came after the marking is looked through before anything goes",
        "operations/sweeping.py",
        "        if self._is_needed_since(view, set(ids)):\n            raise _Outdated\n",
        "",
        ("unit/operations/test_sweeping.py::test_a_version_that_comes_after_the_survey_keeps_what_it_relies_on",),
    ),
    Mutant(
        "sweeps-twice",
        "Two collectors at once do not take both copies",
        "operations/sweeping.py",
        "        if view.generation != self._generation or any(view.pack_state(pack_id) != LIVE for pack_id in ids):\n"
        "            raise _Outdated\n",
        "",
        ("unit/operations/test_sweeping.py::test_two_sweeps_at_once_do_not_take_both_copies_of_an_object",),
    ),
    Mutant(
        "repacks-what-left",
        "A pack is replaced only while it is live",
        "operations/rewriting.py",
        " or any(view.pack_state(pack_id) != LIVE for pack_id in ids)",
        "",
        ("unit/operations/test_repack.py::test_someone_who_replaces_the_same_packs_at_the_same_time_is_no_harm",),
    ),
    Mutant(
        "deletes-what-is-not-reaped",
        "A file goes only after a transaction said so",
        "operations/collect.py",
        "        if repository.log.view.pack_state(_pack_of(key)) == REAPED:\n",
        "        if True:\n",
        ("unit/operations/test_sweeping.py::test_a_pack_that_was_brought_back_in_between_is_not_deleted",),
    ),
    Mutant(
        "deletes-what-is-written-now",
        "A file that no transaction names stays for an hour: someone may be writing it",
        "operations/collect.py",
        "time.time() - max(grace, UNNAMED)",
        "time.time() - grace",
        (
            "unit/operations/test_sweeping.py::test_packs_that_were_never_named_and_half_written_files_go_when_they_are_old",
        ),
    ),
    Mutant(
        "no-looking-again",
        "What was collected meanwhile is not called damaged",
        "operations/looking_again.py",
        "            if before <= live_packs(repository):\n                raise\n",
        "            raise\n",
        ("laws/test_beside_a_collector.py::test_at_any_call_of_another_a_collector_may_delete_what_it_may",),
    ),
    Mutant(
        "no-ids",
        "What is read is compared with its id",
        "repository/objects.py",
        "if item.id != object_id or (item.sort in ID_OF and ID_OF[item.sort].of(data) != object_id):",
        "if item.id != object_id:",
        ("unit/repository/test_objects.py::test_a_flipped_bit_anywhere_in_a_pack_is_an_error_and_never_other_bytes",),
    ),
    Mutant(
        "no-sums",
        "What is copied is compared with the sum of its block",
        "repository/objects.py",
        "if len(stored) != block.stored_size or block_sum(stored) != block.sum:",
        "if len(stored) != block.stored_size:",
        ("journeys/test_failure_stories.py::test_a_push_of_what_is_damaged_brings_no_wrong_bytes",),
    ),
    Mutant(
        "no-whole-files",
        "Pieces must add up to their file before its last byte is written",
        "repository/objects.py",
        "        if hasher.digest() != content:\n",
        "        if False:\n",
        ("unit/operations/test_checkout.py::test_pieces_that_do_not_add_up_never_take_the_place_of_a_file",),
    ),
    Mutant(
        "names-before-bytes",
        "Files that are written out are on the disk before they have their names",
        "operations/placing.py",
        "        self._flush(list(self._written()), self._flush_file)\n",
        "",
        (f"{FLUSH}::test_many_files_are_flushed_together_before_they_get_their_names_and_their_names_behind_them",),
    ),
    Mutant(
        "trusts-fresh-times",
        "A file that changed just before it was read is read again",
        "operations/remembering.py",
        "if changed_in(one.stamp) < before]",
        "]",
        ("unit/operations/test_remembering.py::test_what_was_changed_just_before_is_read_again",),
    ),
    Mutant(
        "forgets-before-sealing",
        "The journals of a run go only when it is a version",
        "operations/sealing.py",
        "            if done := _sealed(",
        "            take_away(run)\n            if done := _sealed(",
        ("unit/operations/test_sealing.py::test_nothing_is_taken_away_before_it_is_a_version",),
    ),
    Mutant(
        "forgets-late-words",
        "What is said in the moment they go is kept",
        "operations/clearing.py",
        "    if aside and not _is_as_read(aside, run):\n",
        "    if aside and run is None:\n",
        ("unit/operations/test_clearing.py::test_what_is_said_in_the_moment_of_taking_away_is_kept",),
    ),
    Mutant(
        "lets-remotes-go-back",
        "A remote whose log is shorter than before is refused",
        "registry/pins.py",
        "    if number < pin.number:\n",
        "    if number < 0:\n",
        ("unit/registry/test_pushing.py::test_a_remote_that_another_process_has_brought_further_has_not_gone_back",),
    ),
    Mutant(
        "takes-tags-of-others",
        "A tag that another has moved is a conflict, also after a push that was cut",
        "registry/own_moves.py",
        "    if last is None or slot is None or not is_from(slot.id, here.identity.repository):\n",
        "    if last is None or slot is None:\n",
        ("unit/registry/test_pushing.py::test_what_another_puts_where_it_was_here_once_is_a_conflict",),
    ),
    Mutant(
        "believes-what-arrives",
        "What comes from another repository is computed before a name rests on it",
        "operations/arriving.py",
        "    if packs:\n",
        "    if False:\n",
        (f"{HOSTILE_BYTES}::test_other_bytes_under_an_id_get_no_name_and_do_not_stand_for_the_right_ones",),
    ),
    Mutant(
        "forgets-moves-before-agreeing",
        "A tag that moved back here after a push that was cut is no conflict",
        "registry/own_moves.py",
        " and move.number <= agreed.number)\n",
        ")\n",
        ("unit/registry/test_pushing.py::test_a_tag_that_moved_back_after_a_push_that_was_cut_is_sent",),
    ),
    Mutant(
        "writes-behind-a-copy",
        "A slot follows the one that is there, not the one that was there when the log was read",
        "repository/log.py",
        "        if number and self.hash_of(number) != head:\n            # What follows",
        "        if False:\n            # What follows",
        (f"{COPIES}::test_a_process_that_goes_on_writes_behind_the_copy_that_is_there_now",),
    ),
    Mutant(
        "backs-up-slots-first",
        "In a backup, too, packs are there before the slots that name them",
        "operations/mirroring.py",
        "        size = sum(map(self._copy, packs))\n        slots = self._copy_slots(first)\n",
        "        slots = self._copy_slots(first)\n        size = sum(map(self._copy, packs))\n",
        (f"{BACKUPS}::test_packs_are_there_before_the_slots_that_name_them",),
    ),
    Mutant(
        "backs-up-over-what-is-newer",
        "A backup gets only slots that follow those it has",
        "operations/mirroring.py",
        "    if mine == there.head and there.number <= here:\n        return\n",
        "    return\n",
        (f"{BACKUPS}::test_a_repository_that_was_restored_from_an_old_copy_is_not_backed_up_over_the_newer_one",),
    ),
    Mutant(
        "restores-unread",
        "What was restored is read before it is put into its place",
        "operations/restoring.py",
        "    if found.problems or point_of(alone(target)) != backup.record.point:\n",
        "    if point_of(alone(target)) != backup.record.point:\n",
        (f"{BACKUPS}::test_what_the_disk_made_of_a_restore_is_read_before_it_is_put_into_place",),
    ),
    Mutant(
        "lets-go-of-what-is-new",
        "Of backups, only packs are deleted that the log there has named and dropped",
        "operations/backing_up.py",
        "        if view.pack_state(pack_id) in (DROPPED, REAPED) and pack_id not in needed | packs:\n",
        "        if pack_id not in needed | packs:\n",
        (f"{BACKUPS}::test_what_only_backups_need_that_go_is_deleted_and_nothing_else",),
    ),
    Mutant(
        "applies-without-what-it-needs",
        "A bundle is applied only if what it leaves out is there",
        "operations/bundling.py",
        "    if any(not bundle.objects.has(*wanted) for wanted in found):\n        raise _unmet(said, target)\n",
        "    found = [wanted for wanted in found if bundle.objects.has(*wanted)]\n",
        (f"{BUNDLES}::test_files_of_an_earlier_bundle_are_left_out_and_it_is_needed",),
    ),
    Mutant(
        "moves-tags-back",
        "An older bundle moves no tag back",
        "registry/bundles.py",
        "        return pin is not None and number < pin.number\n",
        "        return False\n",
        (f"{BUNDLES}::test_an_older_bundle_moves_no_tag_back",),
    ),
    Mutant(
        "relies-on-what-is-left",
        "A recipe, or a tree, counts as there only with all that it leads to",
        "operations/holding.py",
        "        self._is_complete = not repository.log.view.generation\n",
        "        self._is_complete = True\n",
        (
            f"{HOLDING}::test_the_same_files_are_stored_again_though_their_tree_was_left",
            f"{HOLDING}::test_a_recipe_is_held_with_all_its_pieces_or_not_at_all",
        ),
    ),
    Mutant(
        "leaves-what-leads-nowhere",
        "A collector leaves no tree and no recipe of what it takes",
        "operations/sweeping.py",
        " or is_left_over or",
        " or",
        (f"{SWEEPING}::test_of_what_led_to_what_goes_nothing_stays_in_a_pack_that_is_mostly_of_use",),
    ),
    Mutant(
        "hides-bases",
        "What a piece differs from is named by the index of its pack",
        "operations/reading_all.py",
        "                self._refuse_hidden_base(pack, block, stored)\n",
        "",
        (f"{HOSTILE_BYTES}::test_a_difference_from_what_no_index_names_is_refused_and_found",),
    ),
    Mutant(
        "remembers-before-it-is-there",
        "What files hold is remembered when it has a name, not before",
        "operations/ingest.py",
        "    return Ingested(root, partial(remembered.keep, bytes(ids), root))\n",
        "    remembered.keep(bytes(ids), root, repository.log.view.generation)\n"
        "    return Ingested(root, lambda generation: None)\n",
        (f"{HOLDING}::test_what_was_not_registered_in_the_end_is_not_remembered_as_there",),
    ),
    Mutant(
        "repacks-onto-what-goes",
        "A piece becomes no difference from one that was collected meanwhile",
        "operations/repack.py",
        ", lambda view: view.generation != generation",
        "",
        (f"{BESIDE_SWEEPS}::test_what_was_chosen_as_a_base_and_collected_before_the_end_is_none",),
    ),
    Mutant(
        "collects-new-bases",
        "What became a base after the marking stays",
        "operations/sweeping.py",
        "                self._since.extend((Sort.PIECE, base) for base in self._objects.index(pack.id).bases)\n",
        "",
        (f"{BESIDE_SWEEPS}::test_what_became_a_base_since_the_survey_stays",),
    ),
    Mutant(
        "shows-archives",
        "No one else may read a backup or a bundle in a file",
        "stores/archive.py",
        "_WRITE, 0o600)",
        "_WRITE)",
        ("conformance/test_archive_store.py::test_no_one_else_may_read_a_file_at_any_time_whatever_the_umask",),
    ),
    Mutant(
        "shows-what-comes-back",
        "Nor a file that comes back beside a repository",
        "operations/beside.py",
        "_WRITE, 0o600)",
        "_WRITE)",
        (f"{BACKUPS}::test_no_one_else_may_read_a_file_that_comes_back_whatever_the_umask",),
    ),
    Mutant(
        "lets-go-first",
        "No backup goes before the next one is made",
        "operations/backing_up.py",
        "        made = create(maker, target, None, report)\n    except",
        "        let_go(target, keep)\n        made = create(maker, target, None, report)\n    except",
        (f"{BACKUPS}::test_a_backup_that_cannot_be_made_lets_none_of_the_earlier_ones_go",),
    ),
    Mutant(
        "lets-go-in-vain",
        "Where there is no room one goes only if the next one can be made",
        "operations/backing_up.py",
        "        prove(alone(maker.store), target)\n",
        "",
        (f"{BACKUPS}::test_where_there_is_no_room_none_goes_for_a_repository_that_is_damaged",),
    ),
    Mutant(
        "waits-for-clocks",
        "A clock that was ahead keeps no file that later merges replaced",
        "operations/collect.py",
        "        if slot and slot.time <= latest and not slot.is_lossy:\n",
        "        if slot and slot.time > latest:\n            return\n        if slot and not slot.is_lossy:\n",
        (f"{MERGING}::test_a_merge_by_a_clock_that_was_ahead_keeps_no_file_that_later_merges_replaced",),
    ),
    Mutant(
        "distrusts-older-snapshots",
        "A snapshot that was made from one of an older form is not bad",
        "formats/snapshot.py",
        "return 0 < one.dropped <= said.dropped <= self.number",
        "return said.dropped == self.number",
        ("golden/test_golden.py::test_it_is_verified_clean",),
    ),
    Mutant(
        "lets-git-fetch",
        "What is imported reaches no other place through git",
        "importers/git_history.py",
        '    "GIT_ALLOW_PROTOCOL": "",\n',
        "",
        (f"{KEPT}::test_git_is_left_no_way_to_reach_another_place",),
    ),
    Mutant(
        "lets-git-run",
        "And runs no program that its repository names",
        "importers/git_history.py",
        '"-c", "core.fsmonitor=false", ',
        "",
        (f"{KEPT}::test_no_program_runs_that_the_settings_of_a_repository_name",),
    ),
    Mutant(
        "follows-links-out",
        "A link that leads out of an imported tree is not followed",
        "importers/kept_tree.py",
        "return path.resolve().is_relative_to(self._root.resolve())",
        "return True",
        (f"{KEPT}::test_a_link_that_leads_out_of_a_tree_leaves_its_version_out",),
    ),
)


def changed(mutant: Mutant) -> str:
    """Return a file of the source without a rule."""
    text = (ROOT / "src" / "mlreg" / mutant.file).read_text(encoding="utf-8")
    if text.count(mutant.text) != 1:
        raise ValueError(f"{mutant.name}: what it takes out stands {text.count(mutant.text)} times in {mutant.file}")
    return text.replace(mutant.text, mutant.instead)


def applied(mutant: Mutant, place: Path) -> Path:
    """Return a copy of the source without a rule."""
    source = place / "src"
    shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    (source / "mlreg" / mutant.file).write_text(changed(mutant), encoding="utf-8")
    return source


def tested(source: Path, tests: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run tests against a copy of the source."""
    options = ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", "-o", f"pythonpath=. {source}"]
    command = [sys.executable, "-m", "pytest", *options, *(f"tests/{test}" for test in tests)]
    environment = {**os.environ, "PYTHONPATH": str(source)}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def is_noticed(mutant: Mutant) -> bool:
    """Tell whether the tests of a mutant fail with it."""
    with tempfile.TemporaryDirectory(prefix="mlreg-mutant-") as place:
        done = tested(applied(mutant, Path(place)), mutant.tests)
    if done.returncode not in (0, TESTS_FAILED):
        raise RuntimeError(f"{mutant.name}: its tests did not run: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.returncode == TESTS_FAILED


def table() -> list[str]:
    """Return the rules and who keeps them as Markdown."""
    rows = [f"| {mutant.rule} | `{mutant.name}` | `{mutant.tests[0]}` |" for mutant in MUTANTS]
    return ["| rule | mutant | noticed by, in `tests/` |", "|---|---|---|", *rows]


def main() -> None:
    """Try all mutants, or some; fail if one is not noticed, or if the tests fail without any."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="of mutants")
    chosen = parser.parse_args().names or [mutant.name for mutant in MUTANTS]
    some = [mutant for mutant in MUTANTS if mutant.name in chosen]
    sound = tested(ROOT / "src", sorted({test for mutant in some for test in mutant.tests}))
    if sound.returncode:
        sys.exit(f"without any mutant:\n{sound.stdout[-3000:]}")
    missed = []
    for mutant in some:
        noticed = is_noticed(mutant)
        missed += [] if noticed else [mutant.name]
        sys.stdout.write(f"{'noticed' if noticed else 'MISSED '}  {mutant.name}: {mutant.rule}\n")
        sys.stdout.flush()
    sys.exit(f"not noticed: {', '.join(missed)}" if missed else 0)


if __name__ == "__main__":
    main()
