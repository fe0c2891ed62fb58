"""What each command promises to programs: the schemas of what it prints, and how it may end.

`mlreg schema` and `mlreg help exit-codes` show it, and a test walks all commands and holds them to it: a new
command needs a row here. Results keep their fields; fields are only ever added. Codes keep their meaning.
"""

from __future__ import annotations

from typing import NamedTuple

from mlreg.cli.answers import Completion, Failure, HelpText, SchemaDocument, SchemaInfo
from mlreg.config import Setting
from mlreg.errors import (
    ANSWER_IS_NO,
    AccessError,
    ConflictError,
    IntegrityError,
    MlregError,
    NoRepositoryError,
    NoSpaceError,
    NotFoundError,
    NotStartedError,
    NotYetError,
    PartialError,
    RefusedError,
    TaintedError,
    UnavailableError,
    UnsupportedError,
    UsageError,
)
from mlreg.registry import (
    auditing,
    backups,
    bundles,
    checking_data,
    collecting,
    comparisons,
    differences,
    drifting,
    exporting,
    health,
    importing,
    importing_stores,
    mending,
    migrating,
    overlapping,
    plotting,
    profiling,
    proving,
    reasons,
    removed,
    reporting,
    results,
    retention_results,
    run_results,
    weighing,
)


class Schema(NamedTuple):
    """What one document of `--json` holds."""

    types: tuple[type, ...]
    """Of frozen results; the way in which a command is called decides between them."""
    is_list: bool = False
    """Whether it holds a list of results, as `items`."""

    @property
    def keys(self) -> list[str]:
        """What a template may name first: the fields of the results."""
        return list(dict.fromkeys(key for one in self.types for key in results.fields_of(one)))


def _one(result: type) -> Schema:
    return Schema((result,))


def _many(*types: type) -> Schema:
    return Schema(types, is_list=True)


SCHEMAS: dict[str, Schema] = {
    "add": _one(results.Added),
    "audit-forget": _one(proving.Forgotten),
    "audit-head": _one(proving.Head),
    "audit-log": _many(auditing.AuditEvent),
    "audit-verify": _one(proving.ProvenLog),
    "backup": _one(backups.BackedUp),
    "backup-ls": _many(backups.BackupInfo),
    "backup-restore": _one(backups.Restored),
    "blame": _one(comparisons.Blame),
    "bundle": _one(bundles.BundleInfo),
    "bundle-apply": _one(results.Synced),
    "cat": _one(results.Content),
    "completion": _one(Completion),
    "compare": _one(comparisons.Comparison),
    "config": _one(Setting),
    "config-list": _many(Setting),
    "copy": _one(results.Added),
    "clone": _one(results.Synced),
    "diff": _one(differences.Difference),
    "doctor": _one(health.Health),
    "data-check": _one(checking_data.DataCheck),
    "data-drift": _one(drifting.DataDrift),
    "data-overlap": _one(overlapping.DataOverlap),
    "data-profile": _one(profiling.Profile),
    "du": _one(weighing.DiskUse),
    "error": _one(Failure),
    "export": _one(exporting.Exported),
    "exp-goal": _one(run_results.GoalInfo),
    "exp-ls": _many(run_results.ExperimentInfo),
    "fetch": _one(results.Synced),
    "gc": _one(collecting.Collection),
    "gc-undo": _one(collecting.Undone),
    "get": _one(results.Got),
    "health": _one(health.Health),
    "help": _one(HelpText),
    "import": _one(importing.Imported),
    "import-store": _one(importing_stores.ImportedStore),
    "init": _one(results.Initialised),
    "lineage": _many(results.LineageNode),
    "log": _many(results.Event),
    "log-graph": _one(results.Graph),
    "ls": _many(results.EntryInfo, results.VersionInfo, results.FileInfo),
    "ls-removed": _many(removed.RemovedInfo),
    "meta": _one(results.Annotated),
    "meta-log": _many(results.StatementInfo),
    "migrate": _one(migrating.Migrated),
    "mv": _one(results.Renamed),
    "plot": _many(plotting.Curve),
    "plot-table": _one(plotting.Table),
    "note": _one(results.NoteInfo),
    "note-ls": _many(results.NoteInfo),
    "policy": _many(retention_results.PolicyInfo),
    "policy-apply": _one(retention_results.Applied),
    "policy-explain": _one(retention_results.Explained),
    "policy-plan": _one(retention_results.Plan),
    "pull": _one(results.Synced),
    "push": _one(results.Synced),
    "remote": _one(results.RemoteInfo),
    "remote-ls": _many(results.RemoteInfo),
    "repair": _one(mending.Repair),
    "repack": _one(results.Repacked),
    "report": _one(reporting.Reported),
    "restore": _one(results.Changed),
    "rev-parse": _many(results.Resolved),
    "rm": _one(results.Changed),
    "run": _one(run_results.RunInfo),
    "run-exec": _one(run_results.Executed),
    "run-log": _one(run_results.Logged),
    "run-ls": _many(run_results.RunInfo),
    "schema": _one(SchemaDocument),
    "schema-list": _many(SchemaInfo),
    "show": _one(results.VersionInfo),
    "show-tensors": _many(results.TensorInfo),
    "status": _one(results.Status),
    "tag": _one(results.Tagged),
    "tag-ls": _many(results.TagInfo),
    "usage": _many(results.UsageInfo),
    "verify": _one(results.Verified),
    "wait": _one(results.Resolved),
    "why": _one(reasons.Kept),
}
"""What is printed under `mlreg.NAME/1`, by NAME."""


class Contract(NamedTuple):
    """What a command promises."""

    schemas: tuple[str, ...]
    """Names of what it prints; the way in which it is called decides between them."""
    errors: tuple[type[MlregError], ...] = ()
    """What it may end with, beside `EVERYWHERE`."""
    no: str = ""
    """What exit code 3 says: nothing went wrong, and the answer is no. Empty if it asks no question."""

    @property
    def keys(self) -> list[str]:
        """What a template may name first."""
        return list(dict.fromkeys(key for name in self.schemas for key in SCHEMAS[name].keys))

    @property
    def exit_codes(self) -> set[int]:
        """How it may end, beside 0 and the codes of `EVERYWHERE`."""
        return {error.exit_status for error in self.errors} | ({ANSWER_IS_NO} if self.no else set())


EVERYWHERE = (MlregError, UsageError, AccessError, UnavailableError, UnsupportedError, NoSpaceError)
"""What every command may end with: a fault, a wrong word, and what disks and other releases do to it."""

OPENS = (IntegrityError, NoRepositoryError)
READS = (NotFoundError, *OPENS)
WRITES = (*READS, RefusedError)
MOVES = (*WRITES, ConflictError)
GUARDED = (*MOVES, TaintedError)
LOGS = (NotFoundError, NoRepositoryError)
"""What may become of a word on a run that lives: it goes into a journal, and no stored byte is read."""

COMMANDS: dict[str, Contract] = {
    "init": Contract(("init",), (IntegrityError,)),
    "status": Contract(("status",), OPENS, no="something is not pushed or not pulled, with --exit-code"),
    "verify": Contract(("verify",), READS),
    "repair": Contract(("repair",), WRITES),
    "migrate": Contract(("migrate",), OPENS),
    "repack": Contract(("repack",), WRITES),
    "gc": Contract(("gc", "gc-undo"), READS, no="something is not needed, with --exit-code"),
    "du": Contract(("du",), READS),
    "why": Contract(("why",), READS),
    "config get": Contract(("config",), (NotFoundError,)),
    "config set": Contract(("config",), (NotFoundError, NoRepositoryError)),
    "config unset": Contract(("config",), (NotFoundError, NoRepositoryError)),
    "config list": Contract(("config-list",)),
    "config check": Contract(("config-list",)),
    "add": Contract(("add",), GUARDED),
    "copy": Contract(("copy",), GUARDED),
    "get": Contract(("get",), (*WRITES, TaintedError)),
    "cat": Contract(("cat",), (*READS, TaintedError)),
    "rm": Contract(("rm",), WRITES),
    "restore": Contract(("restore",), WRITES),
    "ls": Contract(("ls", "ls-removed"), READS),
    "show": Contract(("show", "show-tensors"), READS),
    "log": Contract(("log", "log-graph"), READS),
    "lineage": Contract(("lineage",), READS),
    "usage": Contract(("usage",), READS),
    "audit log": Contract(("audit-log",), READS),
    "audit verify": Contract(("audit-verify",), READS),
    "audit head": Contract(("audit-head",), READS),
    "audit forget": Contract(("audit-forget",), READS),
    "health": Contract(("health",), OPENS, no="something is red, or yellow with --fail-on yellow"),
    "doctor": Contract(("doctor",), no="something is red, or yellow with --fail-on yellow"),
    "rev-parse": Contract(("rev-parse",), READS),
    "wait": Contract(("wait",), (*READS, NotYetError)),
    "diff": Contract(("diff",), (*READS, PartialError), no="something differs, with --exit-code"),
    "data profile": Contract(("data-profile",), READS),
    "data drift": Contract(
        ("data-drift",), READS, no="a table, a column, a type or the values are too far from before"
    ),
    "data check": Contract(("data-check",), READS, no="a rule is broken, of severity error"),
    "data overlap": Contract(("data-overlap",), READS, no="something is on both sides, with --exit-code"),
    "run start": Contract(("run",), (*READS, TaintedError)),
    "run log": Contract(("run-log",), LOGS),
    "run param": Contract(("run-log",), (*LOGS, ConflictError)),
    "run label": Contract(("run-log",), LOGS),
    "run artifact": Contract(("run-log",), LOGS),
    "run finish": Contract(("run",), WRITES),
    "run resume": Contract(("run",), WRITES),
    "run adopt": Contract(("run-ls",), (*WRITES, PartialError)),
    "run exec": Contract(("run-exec",), (NotFoundError, RefusedError, NotStartedError)),
    "run ls": Contract(("run-ls",), READS),
    "run show": Contract(("run",), READS),
    "compare": Contract(("compare",), WRITES, no="a run is what it must not be, with --fail-if"),
    "blame": Contract(("blame",), READS),
    "plot": Contract(("plot", "plot-table"), READS),
    "import mlflow": Contract(("import",), WRITES),
    "import tensorboard": Contract(("import",), WRITES),
    "import wandb": Contract(("import",), WRITES),
    "import trackio": Contract(("import",), WRITES),
    "import csv": Contract(("import",), WRITES),
    "import-store dvc": Contract(("import-store",), (*READS, PartialError)),
    "import-store tree": Contract(("import-store",), (*READS, PartialError)),
    "export": Contract(("export",), (*READS, TaintedError)),
    "report": Contract(("report",), READS),
    "exp ls": Contract(("exp-ls",), READS),
    "exp set-goal": Contract(("exp-goal",), (*OPENS, RefusedError)),
    "tag set": Contract(("tag",), GUARDED),
    "tag rm": Contract(("tag",), WRITES),
    "tag ls": Contract(("tag-ls",), READS),
    "tag log": Contract(("log",), READS),
    "meta set": Contract(("meta",), WRITES),
    "meta unset": Contract(("meta",), WRITES),
    "meta log": Contract(("meta-log",), READS),
    "note add": Contract(("note",), WRITES),
    "note ls": Contract(("note-ls",), READS),
    "note rm": Contract(("note",), WRITES),
    "mv": Contract(("mv",), MOVES),
    "label": Contract(("meta",), WRITES),
    "deprecate": Contract(("meta",), WRITES),
    "undeprecate": Contract(("meta",), WRITES),
    "taint": Contract(("meta",), WRITES),
    "untaint": Contract(("meta",), WRITES),
    "hold": Contract(("meta",), WRITES),
    "release": Contract(("meta",), WRITES),
    "policy show": Contract(("policy",), OPENS),
    "policy plan": Contract(("policy-plan",), WRITES, no="something would be removed, with --exit-code"),
    "policy apply": Contract(("policy-apply",), MOVES),
    "policy explain": Contract(("policy-explain",), READS),
    "freeze": Contract(("meta",), WRITES),
    "unfreeze": Contract(("meta",), WRITES),
    "backup create": Contract(("backup",), WRITES),
    "backup ls": Contract(("backup-ls",), (NotFoundError, IntegrityError)),
    "backup verify": Contract(("verify",), (NotFoundError, IntegrityError)),
    "backup restore": Contract(("backup-restore",), (NotFoundError, IntegrityError, RefusedError)),
    "bundle create": Contract(("bundle",), WRITES),
    "bundle ls": Contract(("bundle",), (NotFoundError, IntegrityError)),
    "bundle verify": Contract(("verify",), (NotFoundError, IntegrityError)),
    "bundle apply": Contract(("bundle-apply",), MOVES),
    "remote add": Contract(("remote",), (ConflictError, NoRepositoryError)),
    "remote ls": Contract(("remote-ls",)),
    "remote rm": Contract(("remote",), READS),
    "remote forget": Contract(("remote",), READS),
    "push": Contract(("push",), MOVES, no="something would be pushed, with -n --exit-code"),
    "pull": Contract(("pull",), MOVES),
    "fetch": Contract(("fetch",), MOVES),
    "clone": Contract(("clone",), (*OPENS, RefusedError, ConflictError)),
    "help": Contract(("help",), (NotFoundError,)),
    "schema": Contract(("schema", "schema-list"), (NotFoundError,)),
    "completion": Contract(("completion",)),
}
"""By the words that call a command."""
