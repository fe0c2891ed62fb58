"""Datasets from training code: register them, get them back whole, in part, or as tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlreg.errors import NoRepositoryError, UsageError
from mlreg.formats.names import with_kind
from mlreg.formats.ref import ref_of_version
from mlreg.formats.versions import AUTO
from mlreg.operations.checkout import checkout
from mlreg.operations.opened_file import OpenedFile
from mlreg.registry import frames
from mlreg.registry.given import Inputs, listed
from mlreg.registry.places import init
from mlreg.registry.registry import Clients, Registry, Schemas, Tracks, silent
from mlreg.registry.results import Annotated, Changed, EntryInfo, FileInfo, LineageNode, Tagged, VersionInfo
from mlreg.registry.version_files import VersionFiles

if TYPE_CHECKING:
    from mlreg.registry.checking_data import DataCheck
    from mlreg.registry.differences import Difference
    from mlreg.registry.drifting import DataDrift
    from mlreg.registry.profiling import Profile

FORMS = ("path", "pandas", "arrow", "duckdb")
"""As what a dataset may be got."""


class DataRegistry:
    """The datasets of one repository.

    >>> from mlreg.config import Config
    >>> datasets = DataRegistry(**Config().get_data_registry_config())  # doctest: +SKIP
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
        rules: Schemas | None = None,
    ) -> None:
        """Name the repository, as `Registry` does. If there is none, registering the first dataset makes it."""
        self.registry = Registry(
            path, author, cache, remotes, formats, schemas, tracking=tracking, rules=rules, client=client
        )

    # In.

    def register_dataset(
        self,
        data: object,
        name: str,
        version: str = "",
        metadata: Mapping[str, Any] | None = None,
        *,
        bump: str = "",
        inputs: Inputs = (),
        message: str = "",
        tags: Sequence[str] = (),
        may_be_older: bool = False,
    ) -> VersionInfo:
        """Register a dataset: all of it is durable when this returns.

        Args:
            data: a path, a list of paths, bytes, a table of pandas, Arrow or Polars, or a mapping from paths in the
                version to any of these. A table becomes Parquet, and its name in a mapping ends in `.parquet`.
            name: `frames`; here and everywhere `data/frames` will do, too.
            version: by default the day, and `.1` and so on behind it for more of a day. Registering the same
                content again is no error, and makes no new version.
            metadata: JSON values, such as description, license, schema and splits.
            bump: instead of a version, a part of it.
            inputs: (role, ref) of what the dataset was made from, or a mapping of these.
            message: why.
            tags: tags that point to the version from the same moment on.
            may_be_older: whether the version may be older than another one of its line.

        Raises:
            ConflictError: `version_exists` with other content.
            UnsupportedError: `missing_extra`.
            UsageError: `bad_name`, `bad_version`, `bad_data`, `bad_json`.
        """
        handed = frames.sources_of(data)
        self._make_repository()
        added = self.registry.register(
            with_kind("data", name),
            handed.sources,
            handed.form,
            version=version or ("" if bump else AUTO),
            bump=bump,
            metadata=metadata,
            inputs=inputs,
            message=message,
            tags=tags,
            may_be_older=may_be_older,
        )
        return added.version

    def _make_repository(self) -> None:
        try:
            _ = self.registry.repository
        except NoRepositoryError:
            if "://" in self.registry.path:
                raise
            init(Path(self.registry.path), shared=True)

    # Out.

    def get_dataset(
        self,
        name: str,
        version: str = "latest",
        directory: str | Path | None = None,
        *,
        into: str = "path",
        path: str = "",
        despite_taint: str = "",
    ) -> Any:
        """Return a dataset, or a part of it.

        Args:
            name: `frames`.
            version: a version, a tag or `latest`.
            directory: where files go; by default a directory of the cache, where they are checked, and mended,
                whenever they are asked for.
            into: `path`; or `pandas`, `arrow` or `duckdb` for all tables in it, one below the other: CSV, TSV, JSONL
                and Parquet, which must all be of one kind.
            path: of a file or a directory in the dataset; only that.
            despite_taint: why it is wanted though it is tainted; it is kept.

        Returns:
            A `Path`, to a file if one is meant, else to a directory; a `DataFrame`, a `Table`, or a relation.

        Raises:
            NotFoundError: `ref_not_found`, `path_not_found`, `no_table`.
            IntegrityError: the stored bytes are not those that were registered.
            TaintedError: `tainted`.
            UnsupportedError: `missing_extra`.
            UsageError: `unlike_tables`, `no_form`.
        """
        files = self._files(name, version, despite_taint)
        if into == "path":
            return self._place(files, path, directory)
        if into not in FORMS:
            raise UsageError("no_form", f"a dataset does not come as {into!r:.80}", fix=f"one of: {', '.join(FORMS)}")
        tables = frames.tables_in(str(files.target), [file.path for file in files.below(path)])
        if into == "duckdb":
            return frames.duckdb_of([self._place(files, table, directory) for table in tables])
        return {"pandas": frames.pandas_of, "arrow": frames.arrow_of}[into](tables, files.open)

    def open(self, name: str, version: str, path: str, *, despite_taint: str = "") -> OpenedFile:
        """Open one file of a dataset for reading, at any place: only what is asked for is read.

        Args:
            name: `frames`.
            version: a version, a tag or `latest`.
            path: in the dataset.
            despite_taint: why it is wanted though it is tainted; it is kept.

        Returns:
            A file object; it stays that file, whatever happens to tags.

        Raises:
            NotFoundError: `ref_not_found`, `path_not_found`.
            TaintedError: `tainted`.
            UsageError: `no_path`, it is a directory.
        """
        return self._files(name, version, despite_taint).open(path)

    def list_files(self, name: str, version: str = "latest", path: str = "") -> list[FileInfo]:
        """Return the files of a dataset, or those at or below a path, sorted by path.

        Raises:
            NotFoundError: `ref_not_found`, `path_not_found`.
        """
        return self.registry.files(ref_of_version("data", name, version) + f":{path}" * bool(path))

    def _files(self, name: str, version: str, despite_taint: str) -> VersionFiles:
        """Return the files of a version that may be read, and keep that it is."""
        found = VersionFiles(self.registry, ref_of_version("data", name, version))
        self.registry.allow(found.repository, found.target, despite_taint)
        self.registry.used(found.repository, found.target, "api")
        return found

    def _place(self, files: VersionFiles, path: str, directory: str | Path | None) -> Path:
        wanted = list(files.below(path))
        if path and not wanted:
            files.find(path)  # says what is not found
        place = Path(directory) if directory else files.place
        checkout(files.repository, wanted, place, silent)
        return place / (path or (wanted[0].path if files.is_single else ""))

    # Looking.

    def get_info(self, name: str, version: str = "latest") -> VersionInfo:
        """Return what is known of a version: id, metadata, inputs, tags, author, time."""
        return self.registry.show(ref_of_version("data", name, version))

    def list_datasets(self, pattern: str = "*") -> list[EntryInfo]:
        """Return the datasets whose name matches a shell pattern, sorted by name."""
        return self.registry.entries(with_kind("data", pattern))

    def list_versions(self, name: str) -> list[VersionInfo]:
        """Return the versions of a dataset, the newest first.

        Raises:
            NotFoundError: `ref_not_found`.
        """
        return self.registry.versions(with_kind("data", name))

    def diff(
        self,
        name: str,
        version: str,
        other: str = "latest",
        *,
        rows: bool = False,
        key: Sequence[str] = (),
        samples: int = 0,
    ) -> Difference:
        """Return what differs between two versions of a dataset: files, also those that were renamed, and metadata.

        Args:
            name: `frames`.
            version: a version or a tag; before.
            other: after.
            rows: whether to compare the columns and rows of the tables that differ, too; so do the next two.
            key: columns that say which rows belong together.
            samples: how many rows to show that were added, removed and changed, of each.

        Raises:
            NotFoundError: `ref_not_found`.
            UnsupportedError: `missing_extra`, if there is only Parquet, and no DuckDB.
            UsageError: `no_such_column`; `bad_table`, if there is no other table.
        """
        from mlreg.registry.comparing import compare
        from mlreg.registry.comparing_tables import RowQuestion

        asked = RowQuestion(listed(key), samples) if rows or key or samples else None
        before, after = (ref_of_version("data", name, one) for one in (version, other))
        return compare(self.registry, before, after, rows=asked)

    def profile(self, name: str, version: str = "latest", path: str = "") -> Profile:
        """Say what a dataset, or what is at a path in it, is like: rows, columns, values, files.

        Raises:
            NotFoundError: `ref_not_found`, `path_not_found`.
            UnsupportedError: `missing_extra`, for Parquet without DuckDB.
            UsageError: `bad_table`.
        """
        from mlreg.registry.profiling import profile

        return profile(self.registry, ref_of_version("data", name, version) + f":{path}" * bool(path))

    def drift(self, name: str, before: str, after: str = "latest", threshold: float = 0.0) -> DataDrift:
        """Say how the data of a version differ from those of another one: schema, values, distributions.

        Raises:
            NotFoundError: `ref_not_found`.
            UnsupportedError: `missing_extra`, for Parquet without DuckDB.
            UsageError: `bad_table`, `bad_threshold`.
        """
        from mlreg.registry.drifting import data_drift

        return data_drift(
            self.registry, ref_of_version("data", name, before), ref_of_version("data", name, after), threshold
        )

    def check(
        self, name: str, version: str = "latest", rules: Mapping[str, object] | str | Path | None = None
    ) -> DataCheck:
        """Ask whether a dataset keeps rules, by default those of the settings.

        Args:
            name: `frames`.
            version: a version, a tag or `latest`.
            rules: `{"rules": [...]}`, or the path of a file that holds it.

        Raises:
            NotFoundError: `ref_not_found`; `file_missing`, of the rules.
            UnsupportedError: `missing_extra`, for Parquet without DuckDB.
            UsageError: `bad_rule`, `bad_table`, `no_rules`.
        """
        from mlreg.registry.checking_data import data_check
        from mlreg.registry.documents import rules_given

        return data_check(self.registry, ref_of_version("data", name, version), rules_given(rules))

    def lineage(self, name: str, version: str = "latest") -> list[LineageNode]:
        """Return a version and everything it was made from, depth first.

        Raises:
            NotFoundError: `ref_not_found`.
        """
        return self.registry.lineage(ref_of_version("data", name, version))

    def used_by(self, name: str, version: str = "latest") -> list[LineageNode]:
        """Return a version and everything that was made from it, depth first: the models and runs that used it.

        Raises:
            NotFoundError: `ref_not_found`.
        """
        from mlreg.registry.tracing import lineage

        return lineage(self.registry, ref_of_version("data", name, version), direction="down")

    # Changes.

    def tag(self, name: str, version: str, tag: str, message: str = "", *, despite_taint: str = "") -> Tagged:
        """Point a tag of a dataset at one of its versions, wherever it pointed before.

        Args:
            name: `frames`.
            version: a version, another tag or `latest`.
            tag: `golden`.
            message: why.
            despite_taint: why it may have the tag though it is tainted; it is kept.

        Raises:
            NotFoundError: `ref_not_found`.
            TaintedError: `tainted`.
            UsageError: `bad_tag`.
        """
        return self.registry.tag(ref_of_version("data", name, version), tag, message, despite_taint=despite_taint)

    def taint(self, name: str, version: str, reason: str) -> Annotated:
        """Say that something is wrong with a version: it is tainted, and everything that was made from it.

        Raises:
            NotFoundError: `ref_not_found`.
            UsageError: `no_reason`.
        """
        from mlreg.registry.tainting import taint

        return taint(self.registry, ref_of_version("data", name, version), reason)

    def untaint(self, name: str, version: str, message: str = "") -> Annotated:
        """Take the taint of a version back; those of what it was made from stay.

        Raises:
            NotFoundError: `ref_not_found`.
        """
        from mlreg.registry.tainting import untaint

        return untaint(self.registry, ref_of_version("data", name, version), message)

    def delete(self, name: str, version: str, message: str = "") -> Changed:
        """Take a version's name away; its bytes stay, and `mlreg restore` brings it back.

        Raises:
            NotFoundError: `ref_not_found`.
            RefusedError: `version_tagged`, a tag points to it.
        """
        return self.registry.remove([ref_of_version("data", name, version)], message)
