"""Models from training code: register an object, get the same kind of object back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mlreg import adapters
from mlreg.adapters.adapter import Adapter, Stored
from mlreg.errors import NoRepositoryError
from mlreg.formats.names import with_kind
from mlreg.formats.ref import ref_of_version
from mlreg.operations.checkout import checkout
from mlreg.operations.history import files_of, read_commit
from mlreg.registry.given import Inputs
from mlreg.registry.places import init
from mlreg.registry.reading import content_of
from mlreg.registry.refusing import refuse_other_types
from mlreg.registry.registry import Clients, Registry, Schemas, Tracks, silent
from mlreg.registry.results import Annotated, Changed, EntryInfo, LineageNode, Tagged, VersionInfo


class ModelRegistry:
    """The models of one repository.

    >>> from mlreg.config import Config
    >>> registry = ModelRegistry(**Config().get_registry_config())  # doctest: +SKIP
    """

    def __init__(
        self,
        path: str | Path,
        author: str | Callable[[], str],
        cache: str | Path | None = None,
        remotes: Mapping[str, str] | Callable[[], Mapping[str, str]] | None = None,
        formats: Mapping[str, str] | Callable[[], Mapping[str, str]] | None = None,
        schemas: Schemas | None = None,
        *,
        tracking: Tracks | None = None,
        client: Clients | None = None,
    ) -> None:
        """Name the repository, as `Registry` does. If there is none, registering the first model makes it."""
        self.registry = Registry(path, author, cache, remotes, formats, schemas, tracking=tracking, client=client)

    def register_model(
        self,
        model: object,
        name: str,
        version: str = "",
        metadata: Mapping[str, Any] | None = None,
        *,
        adapter: str | Adapter = "",
        bump: str = "",
        inputs: Inputs = (),
        message: str = "",
        tags: Sequence[str] = (),
        may_be_older: bool = False,
        despite_taint: str = "",
    ) -> VersionInfo:
        """Register a model: all of it is durable when this returns.

        Args:
            model: a path, bytes, a mapping from names to numpy arrays, or an object of a framework: the table
                is in `docs/models.md`.
            name: `suture_detector`, without the kind.
            version: SemVer, `1.0.0`, unless the settings say otherwise, or `auto` for the next one; registering the
                same model under the same version again is no error.
            metadata: JSON values, such as description, metrics and hyperparameters. What the adapter knows is
                added: `adapter`, and `framework` and `signature` unless they are given.
            adapter: what keeps it, if not the first to recognise it: a name, or an adapter of the caller's own,
                which `get_model` then needs, too.
            bump: instead of a version, `major`, `minor` or `patch`.
            inputs: (role, ref) of what the model was made from: `("data", "data/frames@2026.11.23")`.
            message: why.
            tags: tags that point to the version from the same moment on.
            may_be_older: whether the version may be older than another one of its line.
            despite_taint: why it may have tags though something that it was made from is tainted; it is kept.

        Raises:
            ConflictError: `version_exists` with other content.
            TaintedError: `tainted`, and it is to have tags.
            RefusedError: `version_goes_back`.
            UnsupportedError: `missing_extra`.
            UsageError: `bad_name`, `bad_version`, `unknown_model_object`, `cannot_keep`, `bad_json`,
                `reserved_metadata`, `no_adapter`.
        """
        refuse_other_types(version, metadata)
        keeper = adapters.keeper_of(model, adapter)
        with ExitStack() as leave:
            scratch = cache(lambda: Path(leave.enter_context(TemporaryDirectory(prefix="mlreg-"))))
            kept = adapters.save(keeper, model, scratch)
            described = adapters.metadata_of(keeper, kept, metadata or {})
            self._make_repository()
            added = self.registry.register(
                with_kind("model", name),
                kept.sources,
                kept.form,
                version=version,
                bump=bump,
                metadata=described,
                inputs=inputs,
                message=message,
                tags=tags,
                may_be_older=may_be_older,
                despite_taint=despite_taint,
            )
        return added.version

    def batch(self, message: str = "") -> AbstractContextManager[list[VersionInfo]]:
        """Register all models of a block in one transaction: all of them or, if the block raises, none.

        Each `register_model` in the block returns the version as it will be, unless someone else registers one of
        the same entry meanwhile; other methods do not find it before the block ends. Thousands of small models are
        registered several times faster than one by one.

        Args:
            message: why; kept in the log.

        Returns:
            A context for `with`, whose value is a list that has the versions after the block.

        Raises:
            ConflictError: `collected_meanwhile`, and what `register_model` raises.
            UsageError: `nested_batch`.
        """
        self._make_repository()
        return self.registry.batch(message)

    def _make_repository(self) -> None:
        try:
            _ = self.registry.repository
        except NoRepositoryError:
            if "://" in self.registry.path:
                raise
            init(Path(self.registry.path), shared=True)

    def get_model(
        self,
        name: str,
        version: str = "latest",
        directory: str | Path | None = None,
        *,
        adapter: str | Adapter = "",
        into: object | None = None,
        trust: bool = False,
        despite_taint: str = "",
    ) -> Any:
        """Return a model as the kind of object that was registered.

        Args:
            name: `suture_detector`.
            version: a version, a tag or `latest`.
            directory: where the files go, for a model that is kept as files; by default a directory of the
                cache, where they are checked, and mended, whenever they are asked for.
            adapter: what loads it, if not what kept it: a name, or an adapter of the caller's own.
            into: a `torch.nn.Module` that is filled and returned, instead of a dict of tensors.
            trust: also do what could run code of whoever registered the model: unpickle, make types that
                are not known to be safe.
            despite_taint: why it is wanted though it is tainted; it is kept.

        Returns:
            A `Path` for a file or a directory, `bytes`, a dict of numpy arrays, or the live object of a
            framework: the table is in `docs/models.md`.

        Raises:
            NotFoundError: `ref_not_found`.
            IntegrityError: the stored bytes are not those that were registered; `bad_model`, no model can be
                made of them.
            RefusedError: `untrusted`, this needs `trust`.
            TaintedError: `tainted`.
            UnsupportedError: `missing_extra`, `no_adapter`.
            UsageError: `no_into`, `tensors_differ`.
        """
        stored = self._stored(name, version, directory, despite_taint)
        return adapters.load(adapters.loader_of(stored, adapter), stored, into, trust=trust)

    def get_path(
        self, name: str, version: str = "latest", directory: str | Path | None = None, *, despite_taint: str = ""
    ) -> Path:
        """Return where the files of a model are, whatever was registered; nothing is loaded.

        Args:
            name: `suture_detector`.
            version: a version, a tag or `latest`.
            directory: where the files go; by default a directory of the cache.
            despite_taint: as for `get_model`.

        Returns:
            A file, for a model that was registered as a file, bytes or arrays; else a directory.

        Raises:
            NotFoundError: `ref_not_found`.
            IntegrityError: the stored bytes are not those that were registered.
            TaintedError: `tainted`.
        """
        stored = self._stored(name, version, directory, despite_taint)
        place = stored.checkout()
        return place if stored.form == "directory" else place / stored.one_path()

    def _stored(self, name: str, version: str, directory: str | Path | None, despite_taint: str) -> Stored:
        target = self.registry.rev_parse(ref_of_version("model", name, version))
        repository = self.registry.repository
        self.registry.allow(repository, target, despite_taint)
        self.registry.used(repository, target, "api")
        commit = read_commit(repository, target.commit_id)
        files = list(files_of(repository, commit))
        place = Path(directory) if directory else self._cached(str(commit.tree))

        def read(path: str) -> bytes:
            return b"".join(content_of(self.registry, f"{target}:{path}").parts)

        def checked_out() -> Path:
            checkout(repository, files, place, silent)
            return place

        paths = [file.path for file in files]
        return Stored(str(target), commit.form, commit.metadata, paths, read, checked_out)

    def _cached(self, tree: str) -> Path:
        below = self.registry.cache or Path(self.registry.path) / "cache"
        return below / "models" / tree

    def get_info(self, name: str, version: str = "latest") -> VersionInfo:
        """Return what is known of a version: id, metadata, inputs, tags, author, time."""
        return self.registry.show(ref_of_version("model", name, version))

    def list_models(self, pattern: str = "*") -> list[EntryInfo]:
        """Return the models whose name matches a shell pattern, sorted by name."""
        return self.registry.entries(with_kind("model", pattern))

    def list_versions(self, name: str) -> list[VersionInfo]:
        """Return the versions of a model, the newest first.

        Raises:
            NotFoundError: `ref_not_found`.
        """
        return self.registry.versions(with_kind("model", name))

    def tag(self, name: str, version: str, tag: str, message: str = "", *, despite_taint: str = "") -> Tagged:
        """Point a tag of a model at one of its versions, wherever it pointed before.

        Args:
            name: `suture_detector`.
            version: a version, another tag or `latest`.
            tag: `production`.
            message: why.
            despite_taint: why the version gets it though it is tainted; kept in the log.

        Raises:
            NotFoundError: `ref_not_found`.
            TaintedError: `tainted`.
            UsageError: `bad_tag`.
        """
        return self.registry.tag(ref_of_version("model", name, version), tag, message, despite_taint=despite_taint)

    def taint(self, name: str, version: str, reason: str) -> Annotated:
        """Say that something is wrong with a version: it is tainted, and everything that was made from it.

        Args:
            name: `suture_detector`.
            version: a version, a tag or `latest`.
            reason: what is wrong.

        Raises:
            NotFoundError: `ref_not_found`.
            UsageError: `no_reason`.
        """
        from mlreg.registry.tainting import taint

        return taint(self.registry, ref_of_version("model", name, version), reason)

    def untaint(self, name: str, version: str, message: str = "") -> Annotated:
        """Take the taint of a version back; those of what it was made from stay.

        Raises:
            NotFoundError: `ref_not_found`.
        """
        from mlreg.registry.tainting import untaint

        return untaint(self.registry, ref_of_version("model", name, version), message)

    def lineage(self, name: str, version: str = "latest") -> list[LineageNode]:
        """Return a version and everything it was made from, depth first.

        Raises:
            NotFoundError: `ref_not_found`.
        """
        return self.registry.lineage(ref_of_version("model", name, version))

    def search(self, where: str = "", *words: str, sort: str = "", limit: int = 0) -> list[VersionInfo]:
        """Return the versions of models that fit, by name and the newest first unless `sort` says otherwise.

        Args:
            where: `meta.metrics.map > .9 and labels.team = 'vision'`; all if empty.
            words: all of them stand somewhere in name, message, metadata, labels or tags, in any case.
            sort: `-meta.metrics.map,name`.
            limit: the most that are returned; 0 for all.

        Raises:
            UsageError: `bad_expression`, `bad_sort`.
        """
        from mlreg.registry.searching import search

        return search(self.registry, "model/*", where, sort, words, limit)

    def delete(self, name: str, version: str, message: str = "") -> Changed:
        """Take a version's name away; its bytes stay, and `mlreg restore` brings it back.

        Args:
            name: `suture_detector`.
            version: a version, neither a tag nor `latest`.
            message: why.

        Raises:
            NotFoundError: `ref_not_found`.
            RefusedError: `version_tagged`, a tag points to it.
        """
        return self.registry.remove([ref_of_version("model", name, version)], message)
