"""The registry: what a person can do with one repository.

Each method looks at the newest state, does one thing, and returns a frozen result. Refs are text, as a
user writes them; every error is a `MlregError` with what, why and fix.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlreg.errors import MlregError, NotFoundError, RefusedError, UsageError
from mlreg.formats.annotation import TAINTED, facts_of
from mlreg.formats.commit import Input
from mlreg.formats.names import Entry, check_role, is_id_prefix, is_version_text, known_ref_name
from mlreg.formats.ref import Ref, parse_ref
from mlreg.formats.tree import File, Mode
from mlreg.formats.versions import AUTO, VersionFormat, order, version_format
from mlreg.ids import CommitId
from mlreg.operations import history
from mlreg.operations.tainting import Taints, keep_override, refuse_tainted
from mlreg.registry import results, tracing
from mlreg.registry.describe import Shown, entry_info, event, statements_of, version_info, version_names
from mlreg.registry.given import Inputs, input_pairs, listed
from mlreg.registry.kinds import KINDS
from mlreg.registry.moves import is_of, logged_name
from mlreg.registry.places import DIRECTORY, full_url
from mlreg.registry.refusing import refuse_other_types, refuse_path, refuse_remote
from mlreg.registry.resolve import Target, entries_of, moment_of, resolve, resolve_entry
from mlreg.repository.heads import Client
from mlreg.repository.repository import Repository
from mlreg.repository.view import View
from mlreg.stores import open_store
from mlreg.stores.directory import DirectoryStore

if TYPE_CHECKING:
    from mlreg.operations.register import Batch, NewVersion
    from mlreg.operations.scanning import Source
    from mlreg.operations.usage_files import ReadLog, Tracking
    from mlreg.registry.composing import Parts

COPIED = ("labels", "deprecated", TAINTED)
"""Facts about a version that a copy of it has, too."""
Report = Callable[[int], None]
"""Told about progress, in bytes."""


Schemas = Callable[[Entry], Mapping[str, object]]
"""Returns the documents that hold for an entry, schemas for metadata or rules for data, by what they are called."""


Tracks = Callable[[], "Tracking | None"]
"""Returns how reads are kept; None if they are not."""


Clients = Callable[[], Client]
"""Returns what is kept of who uses a repository."""


def silent(size: int) -> None:
    """Report nothing."""


class Registry:
    """One repository, and the person who uses it."""

    def __init__(
        self,
        path: str | Path | Callable[[], Path],
        author: str | Callable[[], str],
        cache: str | Path | None = None,
        remotes: Mapping[str, str] | Callable[[], Mapping[str, str]] | None = None,
        formats: Mapping[str, str] | Callable[[], Mapping[str, str]] | None = None,
        schemas: Schemas | None = None,
        *,
        tracking: Tracks | None = None,
        rules: Schemas | None = None,
        client: Clients | None = None,
    ) -> None:
        """Name the repository; nothing is read before it is asked for.

        Args:
            path: the repository: a directory that holds `mlreg.json`, or a URL; a function is asked when
                it is needed.
            author: who the changes are by; a function is asked when there is a change.
            cache: a directory on a local disk for what can be rebuilt; None keeps it in memory.
            remotes: from name to URL; a function is asked when a remote is needed.
            formats: how versions are called, by kind; a function is asked when a version is named.
            schemas: JSON Schemas that metadata must keep; asked when metadata is written.
            tracking: how it is kept which versions are read; asked when one is. Nothing is kept without it.
            rules: for data, which what is registered must keep; asked before that.
            client: what is kept of who uses it, asked when the repository is opened. Nothing is without it.
        """
        self._path = path
        self._author = author
        self.cache = None if cache is None else Path(cache)
        self._remotes = remotes or {}
        self._formats = formats or {}
        self._schemas = schemas
        self._tracking = tracking
        self._rules = rules
        self._client = client or (lambda: Client(merges=True))
        self._elsewhere: dict[str, Repository] = {}
        self._batch: Batch | None = None
        self._moment = ""
        """When all that is read was so; empty for now."""

    @cached_property
    def path(self) -> str:
        """Where the repository is."""
        return str(self._path() if callable(self._path) else self._path)

    @property
    def author(self) -> str:
        """Who the changes are by."""
        return self._author if isinstance(self._author, str) else self._author()

    @cached_property
    def remotes(self) -> Mapping[str, str]:
        """From the name of each remote to its URL."""
        return self._remotes() if callable(self._remotes) else self._remotes

    def format_of(self, entry: Entry) -> VersionFormat:
        """Return how the versions of an entry are called.

        Raises:
            UsageError: `bad_version_format`.
        """
        formats = self._formats() if callable(self._formats) else self._formats
        return version_format(formats.get(entry.kind) or KINDS[entry.kind].version_format)

    @cached_property
    def repository(self) -> Repository:
        """The repository, opened when it is first needed."""
        return Repository(open_store(self.path), self.cache, self._client())

    def at(self, moment: str) -> Registry:
        """Return the registry as it was: names, tags, corrections, all.

        Args:
            moment: a day, which means its end, or a time; UTC unless it says otherwise.

        Raises:
            UsageError: `bad_ref`, no such time.
        """
        from mlreg.repository.past import repository_at

        past = Registry(
            self.path, self.author, self.cache, self.remotes, self._formats, self._schemas, rules=self._rules
        )
        past._moment = moment_of(moment)
        past.repository = repository_at(self.repository, past._moment)
        return past

    def rehearsal(self) -> Registry:
        """Return the registry in which nothing is written: what is changed there is only tried.

        Raises:
            RefusedError: `past_change`, of a registry as it was.
        """
        from mlreg.repository.rehearsal import rehearsal_of

        if self._moment:
            raise RefusedError("past_change", "what was cannot be changed", fix="leave the time out")
        tried = Registry(
            self.path, self.author, self.cache, self.remotes, self._formats, self._schemas, rules=self._rules
        )
        tried.repository = rehearsal_of(self.repository)
        return tried

    def elsewhere(self, place: str) -> Registry:
        """Return the registry at a remote, a URL or a path, read as it is there, without a clone.

        Raises:
            NotFoundError: `no_remote`.
            UsageError: `bad_url`, `unknown_scheme`.
        """
        url = full_url(self._url_of(place))
        return Registry(
            url,
            self._author,
            self.cache,
            self._remotes,
            self._formats,
            self._schemas,
            rules=self._rules,
            client=self.visitor,
        )

    def visitor(self) -> Client:
        """Return who writes to other repositories: how far their logs went is kept with the remotes."""
        # They belong to others, too.
        return self._client()._replace(state=None, merges=False)

    def open(self) -> None:
        """Make sure that there is a repository that this mlreg can read.

        Raises:
            NoRepositoryError: `no_repository`.
            UnsupportedError: `newer_format`, `unknown_feature`.
        """
        self.repository.log.refresh()

    def _at(self, ref: Ref) -> Repository:
        """Return the repository a ref speaks of, at its newest state."""
        if ref.remote is None:
            repository = self.repository
        else:
            url = full_url(self._url_of(ref.remote))
            repository = self._elsewhere.get(url) or self._open(url)
            self._elsewhere[url] = repository
        repository.log.refresh()
        return repository

    def _open(self, url: str) -> Repository:
        repository = Repository(open_store(url), self.cache)
        if not self._moment:
            return repository
        from mlreg.repository.past import repository_at

        return repository_at(repository, self._moment)

    def _url_of(self, remote: str) -> str:
        """Return the URL of a remote by its name; what has a `/` in it is a URL itself."""
        if remote not in self.remotes and "/" not in remote:
            raise NotFoundError(
                "no_remote",
                f"there is no remote {remote}",
                fix=(f"mlreg remote add {remote} URL", "mlreg remote ls"),
            )
        return self.remotes.get(remote, remote)

    def find(self, text: str) -> tuple[Repository, Ref, Target]:
        """Return the repository that a ref speaks of, the ref taken apart, and the version it names."""
        ref = parse_ref(text)
        repository = self._at(ref)
        return repository, ref, resolve(repository, ref)

    # Versions in.

    def add(
        self,
        entry: str,
        paths: Sequence[str | Path],
        *,
        version: str = "",
        bump: str = "",
        metadata: Mapping[str, Any] | None = None,
        inputs: Inputs = (),
        message: str = "",
        tags: Sequence[str] = (),
        may_be_older: bool = False,
        reread: bool = False,
        parts: Parts | None = None,
        despite_taint: str = "",
        report: Report = silent,
    ) -> results.Added:
        """Register files as a version of an entry.

        Args:
            entry: `model/NAME` or `data/NAME`.
            paths: a directory stands for what is in it; a file, or each of several paths, for itself.
            version: the name of the version, in the format of the kind.
            bump: instead of a name, which part of the newest one grows.
            metadata: JSON values; numbers of numpy are taken as numbers. Of a version that goes onto another one, what
                is changed of that one's: nested values one by one, and null takes one away.
            inputs: (role, ref) of what the version was made from.
            message: why.
            tags: tags that point to it from the same moment on.
            may_be_older: whether it may be older than another version of its line.
            reread: whether to read files, too, that by size and times are as they were when they were last added.
            parts: patterns of the files that are meant, and what else the version is put together of.
            despite_taint: why it may have tags though something that it was made from is tainted; it is kept.
            report: told about progress.

        Raises:
            TaintedError: `tainted`, and it is to have tags.
        """
        from mlreg.registry.composing import Parts, changed_metadata, compose, doubts_of

        refuse_other_types(version, metadata)
        chosen = parts or Parts()
        found = compose(self, paths, chosen)
        base = self.show(chosen.onto) if chosen.onto else None
        origins, past = self._origins(entry, chosen)
        form = "file" if len(paths) == 1 and not any(chosen) and Path(paths[0]).is_file() else "directory"
        added = self.register(
            entry,
            [source._replace(stamp=b"") for source in found] if reread else found,
            form,
            version=version,
            bump=bump,
            metadata=changed_metadata(base.metadata, metadata or {}) if base else metadata,
            inputs=[*input_pairs(inputs), *origins],
            message=message,
            tags=tags,
            may_be_older=may_be_older,
            despite_taint=despite_taint,
            past=past,
            report=report,
        )
        return added._replace(hints=(*added.hints, *(doubts_of(base, added.version) if base else ())))

    def _origins(self, entry: str, parts: Parts) -> tuple[list[tuple[str, str]], tuple[CommitId, ...]]:
        """Return what a version is put together of: its inputs, and versions of its own entry, which are its past."""
        own = Entry.parse(entry)
        found = [(role, ref, self.find(ref)[2]) for role, ref in parts.origins]
        inputs = [(role, ref) for role, ref, target in found if target.called != own]
        return inputs, tuple(target.commit_id for _, _, target in found if target.called == own)

    def _inherited(self, past: Iterable[CommitId]) -> dict[str, object]:
        """Return the taint of a version that has files of tainted ones of its own entry, which are no inputs of it."""
        taints = [taint for some in Taints(self.repository).of_each(past).values() for taint in some]
        return {TAINTED: f"it has files of {taints[0].ref}, tainted: {taints[0].reason}"} if taints else {}

    def register(
        self,
        entry: str,
        sources: Sequence[Source],
        form: str,
        *,
        version: str = "",
        bump: str = "",
        metadata: Mapping[str, Any] | None = None,
        inputs: Inputs = (),
        message: str = "",
        tags: Sequence[str] = (),
        may_be_older: bool = False,
        despite_taint: str = "",
        past: tuple[CommitId, ...] = (),
        report: Report = silent,
    ) -> results.Added:
        """Register sources, which may be files or bytes in memory, as `add` does.

        Args:
            entry: `model/NAME` or `data/NAME`.
            sources: in any order.
            form: what they are to the caller, one of `mlreg.formats.commit.FORMS`.
            version: as for `add`, and so are the others.
            bump: instead of a version.
            metadata: JSON values.
            inputs: (role, ref).
            message: why.
            tags: set in the same step.
            may_be_older: as for `add`.
            despite_taint: as for `add`.
            past: versions of its own entry whose files it has; if one is tainted, so is it, unless it says why not.
            report: told about progress.
        """
        from mlreg.formats.plain import plain
        from mlreg.operations.register import NewVersion

        refuse_other_types(version, metadata)
        named, described = Entry.parse(entry), plain(dict(metadata or {}))
        hints = [*self.check_metadata(named, described), *self._check_data(named, sources)]
        new = NewVersion(
            entry=named,
            versions=self.format_of(named),
            sources=sources,
            form=form,
            author=self.author,
            version=version,
            bump=bump,
            metadata=described,
            inputs=tuple(self.input_of(role, ref) for role, ref in input_pairs(inputs)),
            message=message,
            tags=listed(tags),
            may_be_older=may_be_older,
            despite_taint=despite_taint,
            past=past,
            facts={} if despite_taint.strip() else self._inherited(past),
        )
        added = self._record(new, report)
        return added._replace(hints=(*hints, *self._same_files(named, added), *self._not_latest(named, added, bump)))

    def _not_latest(self, entry: Entry, added: results.Added, bump: str) -> Iterator[str]:
        """Yield that a version got a name by the day, and is older than one that is named by a later day."""
        latest = history.latest_of(self.repository.log.view, entry)
        if bump and added.changed and latest and order(history.leaf_of(latest)) > order(added.version.version):
            yield f"latest is still {history.leaf_of(latest)}, which is newer by its name than what was added"

    def rules_of(self, entry: Entry) -> Mapping[str, object]:
        """Return the rules that data of an entry must keep, by where each document lies."""
        from mlreg.operations.naming import called, meant

        if self._rules is None:
            return {}
        view = self.repository.log.refresh()
        return self._rules(called(view, meant(view, entry)))

    def _check_data(self, entry: Entry, sources: Sequence[Source]) -> list[str]:
        """Return what is warned of before data are registered; `rules_failed` if a rule of severity error is broken."""
        if not (rules := self.rules_of(entry)):
            return []
        from mlreg.registry.checking_data import check_new

        return check_new(self, entry, sources, rules, lambda one: self.repository.objects.read_whole(*one))

    def check_metadata(self, entry: Entry, metadata: Mapping[str, Any]) -> list[str]:
        """Return hints on metadata that is to be written.

        Raises:
            UsageError: `bad_json`, `bad_field`; `schema_violation`, `bad_schema`.
            UnsupportedError: `missing_extra`, there is a schema, and nothing that checks it.
        """
        from mlreg.formats.canonical import check as check_json
        from mlreg.formats.fields import check_fields, check_schema
        from mlreg.operations.naming import called, meant

        check_json(metadata)
        hints = check_fields(metadata)
        if self._schemas:
            view = self.repository.log.refresh()
            for name, schema in self._schemas(called(view, meant(view, entry))).items():
                check_schema(metadata, schema, name)
        return hints

    def copy(
        self,
        text: str,
        entry: str = "",
        *,
        version: str = "",
        bump: str = "",
        message: str = "",
        tags: Sequence[str] = (),
        despite_taint: str = "",
        report: Report = silent,
    ) -> results.Added:
        """Register a version again under another name, with files, inputs, labels, and metadata as corrected.

        A taint of its own is one of the copy, too.

        Args:
            text: a ref of this repository.
            entry: `model/NAME` or `data/NAME`; the same one if left out.
            version: as for `add`, and so are the others.
            bump: instead of a version.
            message: that of the version if left out.
            tags: set in the same step.
            despite_taint: why it is copied though it is tainted; it is kept.
            report: told about progress.

        Raises:
            TaintedError: `tainted`.
        """
        from mlreg.operations.register import NewVersion
        from mlreg.operations.scanning import Source, Stored

        repository, ref, target = self.find(text)
        refuse_remote(ref)
        refuse_tainted(repository, [target.commit_id], str(target), despite_taint)
        commit = history.read_commit(repository, target.commit_id)
        named = Entry.parse(entry) if entry else target.entry
        files = self.files_of(repository, target, ref.path)
        said = statements_of(repository.log.view, target.entry, target.version).about(commit)
        facts = facts_of(said, {"metadata": commit.metadata})
        hints = self.check_metadata(named, facts["metadata"])
        new = NewVersion(
            entry=named,
            versions=self.format_of(named),
            sources=[Source(file.path, Stored(file.id, file.size), file.mode) for file in files],
            form=commit.form,
            author=self.author,
            version=version,
            bump=bump,
            metadata=facts.pop("metadata"),
            inputs=commit.inputs,
            message=message or commit.message,
            tags=listed(tags),
            despite_taint=despite_taint,
            facts={name: facts[name] for name in COPIED if facts.get(name)},
        )
        return self._record(new, report)._replace(hints=tuple(hints))

    def _record(self, new: NewVersion, report: Report) -> results.Added:
        from dataclasses import replace  # and with it a tenth of what `rev-parse` takes

        from mlreg.operations.register import add

        if new.version == AUTO:
            new = replace(new, version="", bump=new.bump or AUTO)
        if bool(new.version) == bool(new.bump):
            why = "both --version and --bump were given" if new.version else "neither --version nor --bump was given"
            fix = ("leave one of them out",) if new.version else tuple(f"--bump {part}" for part in new.versions.parts)
            raise UsageError("version_or_bump", f"say which version of {new.entry} this is", why=why, fix=fix)
        done = self._batch.put(new, report) if self._batch else add(self.repository, new, report)
        info = version_info(self.repository, done.commit_id, done.commit)
        return results.Added(info._replace(tags=tuple(sorted({*info.tags, *new.tags}))), done.is_changed)

    def _same_files(self, entry: Entry, added: results.Added) -> list[str]:
        """Return what is said of a version that has the files of one before the last: someone may have gone back."""
        from mlreg.operations.naming import meant

        if self._batch or not added.changed:
            return []
        entry = meant(self.repository.log.view, entry)
        twin = history.twin_of(self.repository, entry, added.version.version, added.version.tree)
        return [f"its files are those of {added.version.kind}/{added.version.name}@{twin}"] if twin else []

    @contextmanager
    def batch(self, message: str = "") -> Iterator[list[results.VersionInfo]]:
        """Register all versions that are added within the block in one transaction, or none if it raises.

        What `add` returns in the block is how a version will be, unless someone else registers one of the entry
        meanwhile; a ref does not find it before the block ends.

        Args:
            message: why; kept in the log.

        Yields:
            A list that has the versions, as they are, after the block.

        Raises:
            ConflictError: `collected_meanwhile`, and what `add` raises.
            UsageError: `nested_batch`.
        """
        from mlreg.operations.register import Batch

        if self._batch:
            raise UsageError("nested_batch", "a batch is open already", fix="end it before the next one")
        registered: list[results.VersionInfo] = []
        with Batch(self.repository) as batch:
            self._batch = batch
            try:
                yield registered
                done = batch.commit(message)
            finally:
                self._batch = None
        registered.extend(version_info(self.repository, one.commit_id, one.commit) for one in done)

    def input_of(self, role: str, text: str) -> Input:
        """Return what a ref of this repository names, as an input of a version.

        Raises:
            UsageError: `bad_role`; `remote_input`, it has to be pulled first.
            NotFoundError: `ref_not_found`.
        """
        check_role(role)
        ref = parse_ref(text)
        if ref.remote is not None:
            raise UsageError("remote_input", f"{text} is not here yet", fix=f"mlreg pull {ref.remote} {ref.name}")
        self.repository.log.refresh()
        target = resolve(self.repository, ref)
        return Input(role, target.commit_id, str(target))

    # Versions out.

    def get(
        self,
        text: str,
        directory: str | Path,
        *,
        delete: bool = False,
        replace: bool = False,
        despite_taint: str = "",
        report: Report = silent,
    ) -> results.Got:
        """Write the files of a version below a directory; what is right already is not touched.

        Args:
            text: a ref; with a path, only that file or directory.
            directory: made if it is not there.
            delete: also remove files that are not part of the version.
            replace: replace, and remove, files, too, whose bytes are in no version: they were changed or made there.
            despite_taint: why it is wanted though it is tainted; it is kept.
            report: told about progress.

        Raises:
            TaintedError: `tainted`.
            RefusedError: `own_changes`, without `replace`; nothing is written.
        """
        from mlreg.registry.getting import Getting

        getting = Getting(self, text, Path(directory), despite_taint=despite_taint)
        return getting.get(report, delete=delete, replace=replace)

    def allow(self, repository: Repository, target: Target, despite_taint: str) -> None:
        """Refuse to give out a version that is tainted, or keep, here, why it is wanted all the same.

        Raises:
            TaintedError: `tainted`.
        """
        if refuse_tainted(repository, [target.commit_id], str(target), despite_taint):
            commit = history.read_commit(repository, target.commit_id)
            keep_override(self.repository, commit, str(target), despite_taint, self.author)

    @cached_property
    def tracking(self) -> Tracking | None:
        """How it is kept which versions are read; None if it is not."""
        return self._tracking() if self._tracking else None

    @cached_property
    def reads(self) -> ReadLog | None:
        """Where it is kept which versions are read; None if it is not, or cannot be."""
        from mlreg.formats.usage import Reader
        from mlreg.operations.usage_files import ReadLog

        repository, tracking = self.repository, self.tracking
        if tracking is None or not isinstance(repository.store, DirectoryStore):
            return None
        # A repository that is shared may lie elsewhere: there names are told only if that is wished.
        is_private = repository.store.root.name == DIRECTORY
        reader = tracking.reader if is_private or tracking.shares_names else Reader()
        return ReadLog(repository.store, repository.notes.parent if repository.notes else None, reader)

    def used(self, repository: Repository, target: Target, way: str) -> None:
        """Keep, here, that a version was read; a read never fails for it.

        Args:
            repository: that it was read from.
            target: the version.
            way: one of `mlreg.formats.usage.WAYS`.
        """
        with suppress(MlregError, OSError):
            if self._tracking and not self._moment and self.reads:
                is_here = repository is self.repository
                self.reads.note([f"{target.entry}@{target.version}"], way if is_here else "remote")

    def cat(self, text: str, *, despite_taint: str = "") -> Iterator[bytes]:
        """Yield the bytes of one file of a version, or of one tensor in it, verified piece by piece.

        Args:
            text: a ref with a path, perhaps with `#` and the name of a tensor behind it.
            despite_taint: why it is wanted though it is tainted; it is kept.

        Raises:
            NotFoundError: `path_not_found`, `tensor_not_found`.
            UsageError: `no_path`.
            TaintedError: `tainted`.
        """
        from mlreg.registry.reading import read

        return map(bytes, read(self, text, despite_taint=despite_taint).parts)

    def tensors(self, text: str) -> list[results.TensorInfo]:
        """Return the tensors in the files of a version, by path and place; with a path, of that file or directory.

        Raises:
            NotFoundError: `path_not_found`.
        """
        from mlreg.registry.reading import tensors

        return tensors(self, text)

    def files_of(self, repository: Repository, target: Target, path: str | None) -> list[File]:
        """Return the files of a version, or those at or below a path in it.

        Raises:
            NotFoundError: `path_not_found`.
        """
        commit = history.read_commit(repository, target.commit_id)
        files = list(history.files_of(repository, commit, path or ""))
        if path and not files:
            raise NotFoundError("path_not_found", f"{target} has no file {path}", fix=f"mlreg ls {target}")
        return files

    # Looking.

    def entries(self, pattern: str = "*") -> list[results.EntryInfo]:
        """Return the entries whose `kind/name` matches a shell pattern, sorted."""
        view = self.repository.log.refresh()
        taints = Taints(self.repository)
        return [entry_info(self.repository, entry, taints) for entry in entries_of(view, pattern)]

    def versions(self, text: str) -> list[results.VersionInfo]:
        """Return the versions of an entry, the newest first."""
        ref = parse_ref(text)
        repository = self._at(ref)
        view = repository.log.view
        entry = resolve_entry(view, ref)
        live = [ref.target for ref in history.newest_first(view, entry) if ref.target]
        commits = history.read_commits(repository, live)
        stated, taints = statements_of(view, entry), Taints(repository).of_each(live)
        return [version_info(repository, one, commits[one], stated, taints[one]) for one in live]

    def files(self, text: str) -> list[results.FileInfo]:
        """Return the files of a version, sorted by path."""
        repository, ref, target = self.find(text)
        return [
            results.FileInfo(f"{target}:{f.path}", f.path, f.size, f.mode is Mode.EXECUTABLE, str(f.id))
            for f in self.files_of(repository, target, ref.path)
        ]

    def show(self, text: str) -> results.VersionInfo:
        """Return everything that is known of a version."""
        repository, _, target = self.find(text)
        return version_info(repository, target.commit_id, history.read_commit(repository, target.commit_id))

    def rev_parse(self, text: str) -> Target:
        """Return the version that a ref names."""
        return self.find(text)[2]

    def lineage(self, text: str) -> list[results.LineageNode]:
        """Return a version and everything it was made from, depth first."""
        return tracing.lineage(self, text)

    def log(self, text: str = "") -> list[results.Event]:
        """Return what happened, the newest first: to everything, to one entry, or to one tag or version."""
        ref = parse_ref(text) if text else None
        repository = self._at(ref) if ref else self.repository
        view = repository.log.with_history()
        shown = Shown(view)
        moves = [move for move in view.changes("tag/") + view.changes("version/") if known_ref_name(move.name)]
        if ref:
            logged = logged_name(repository, ref)
            moves = [move for move in moves if is_of(move, logged)]
        names = version_names(repository, {commit for move in moves for commit in (move.old, move.new) if commit})
        met: set[str] = set()
        events = []
        for move in sorted(moves, key=lambda move: (move.number, move.name)):
            events.append(event(move, names, shown, is_first=move.name not in met))
            met.add(move.name)
        return events[::-1]

    def tags(self, text: str = "") -> list[results.TagInfo]:
        """Return the tags of all entries, or of one, sorted."""
        ref = parse_ref(text) if text else None
        repository = self._at(ref) if ref else self.repository
        view = repository.log.refresh()
        entries = [resolve_entry(view, ref)] if ref else list(entries_of(view))
        found = [
            (entry, name, tag.target)
            for entry in entries
            for name, tag in history.tags_of(view, entry).items()
            if tag.target
        ]
        names = version_names(repository, {commit for _, _, commit in found})
        shown = Shown(view)
        return [results.TagInfo(shown.ref(entry, name), names[commit]) for entry, name, commit in found]

    # Changes.

    def tag(
        self, text: str, name: str, message: str = "", expect: str = "", *, despite_taint: str = ""
    ) -> results.Tagged:
        """Point a tag of an entry at one of its versions.

        Args:
            text: a ref of the version.
            name: of the tag.
            message: why.
            expect: a ref of the version that the tag points to now, its version alone, or `none`; from elsewhere
                it does not move.
            despite_taint: why the version gets it though it is tainted; kept in the log.

        Raises:
            ConflictError: `tag_moved`, the tag is not where it was expected.
            TaintedError: `tainted`.
        """
        from mlreg.operations import record

        _, ref, target = self.find(text)
        refuse_remote(ref)
        refuse_path(ref)
        previous = self._tagged(target.entry, name)
        expected = None if not expect else {None} if expect == "none" else {self._expected(target, expect)}
        done = record.tag(
            self.repository,
            target.entry,
            name,
            target.commit_id,
            self.author,
            message,
            expected=expected,
            despite_taint=despite_taint,
        )
        return results.Tagged(f"{target.called}@{name}", previous, str(target), done is not None)

    def _expected(self, target: Target, text: str) -> CommitId:
        is_alone = "/" not in text and (is_version_text(text) or is_id_prefix(text))
        return self.find(f"{target.entry}@{text}" if is_alone else text)[2].commit_id

    def untag(self, text: str, message: str = "") -> results.Tagged:
        """Take a tag, `model/NAME@TAG`, away."""
        from mlreg.operations import record

        ref = parse_ref(text)
        refuse_remote(ref)
        refuse_path(ref)
        view = self.repository.log.refresh()
        entry = resolve_entry(view, ref)
        if not ref.selector or ref.steps:
            raise UsageError("no_tag", f"say which tag of {entry}", fix=f"mlreg tag ls {entry}")
        previous = self._tagged(entry, ref.selector)
        done = record.untag(self.repository, entry, ref.selector, self.author, message)
        return results.Tagged(Shown(view).ref(entry, ref.selector), previous, "", done is not None)

    def _tagged(self, entry: Entry, name: str) -> str:
        found = history.tags_of(self.repository.log.view, entry).get(name)
        return version_names(self.repository, {found.target})[found.target] if found and found.target else ""

    def remove(self, refs: Sequence[str], message: str = "") -> results.Changed:
        """Remove versions; `restore` brings them back until their bytes are collected."""
        from mlreg.operations import record

        return self._change_versions(refs, record.remove, message)

    def restore(self, refs: Sequence[str], message: str = "") -> results.Changed:
        """Bring removed versions back."""
        from mlreg.operations import record

        return self._change_versions(refs, record.restore, message)

    def _change_versions(self, refs: Sequence[str], change: Callable[..., object], message: str) -> results.Changed:
        view = self.repository.log.refresh()
        named: dict[Entry, list[str]] = {}
        for text in refs:
            entry, version = self._named_version(view, parse_ref(text))
            named.setdefault(entry, []).append(version)
        done = change(self.repository, named, self.author, message)
        shown = Shown(view)
        refs = tuple(shown.ref(entry, version) for entry, versions in named.items() for version in versions)
        return results.Changed(refs, done is not None)

    def _named_version(self, view: View, ref: Ref) -> tuple[Entry, str]:
        """Return the version a ref names outright: removing what `latest` happens to be is not asked for lightly."""
        refuse_remote(ref)
        refuse_path(ref)
        entry = resolve_entry(view, ref) if ref.name else resolve(self.repository, ref).entry
        selector = ref.selector or ""
        if not ref.steps and history.version_of(view, entry, selector):
            return entry, selector
        found = resolve(self.repository, ref)
        if ref.steps or not is_id_prefix(selector):
            why = "what a tag, latest or a step leads to may be another one by now"
            raise RefusedError(
                "no_version", f"say which version of {entry}", why=why, fix=(f"is it {found}?", f"mlreg ls {entry}")
            )
        return entry, found.version

    # The repository as a whole.

    def verify(self, place: str = "", share: float = 1.0, report: Report = silent) -> results.Verified:
        """Check this repository, or another one, and say what is damaged.

        Args:
            place: the name of a remote, or a URL; this repository if empty.
            share: of the stored blocks that are read, 0.0 to 1.0.
            report: told about progress.
        """
        from mlreg.registry.verifying import verify

        return verify((self.elsewhere(place) if place else self).repository, share, report, place=place)
