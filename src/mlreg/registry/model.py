"""Models from training code: register an object, get the same kind of object back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlreg.errors import NoRepositoryError
from mlreg.operations.checkout import checkout
from mlreg.operations.history import files_of, read_commit
from mlreg.registry.payloads import payload_of
from mlreg.registry.registry import Registry, init, silent
from mlreg.registry.results import VersionInfo
from mlreg.tensors import safetensors


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
    ) -> None:
        """Name the repository, as `Registry` does. If there is none, registering the first model makes it."""
        self.registry = Registry(path, author, cache, remotes)

    def register_model(
        self,
        model: object,
        name: str,
        version: str = "",
        metadata: Mapping[str, Any] | None = None,
        *,
        bump: str = "",
        inputs: Iterable[tuple[str, str]] = (),
        message: str = "",
        tags: Sequence[str] = (),
    ) -> VersionInfo:
        """Register a model: all of it is durable when this returns.

        Args:
            model: a path, bytes, or a mapping from names to numpy arrays.
            name: `suture_detector`, without the kind.
            version: SemVer, `1.0.0`; registering the same model under the same version again is no error.
            metadata: JSON values, such as description, metrics and hyperparameters.
            bump: instead of a version, `major`, `minor` or `patch`.
            inputs: (role, ref) of what the model was made from: `("data", "data/frames@2026.11.23")`.
            message: why.
            tags: tags that point to the version from the same moment on.

        Raises:
            ConflictError: `version_exists` with other content.
            UsageError: `bad_name`, `bad_version`, `unknown_model_object`, `bad_json`.
        """
        payload = payload_of(model)
        self._make_repository()
        added = self.registry.register(
            f"model/{name}",
            payload.sources,
            payload.form,
            version=version,
            bump=bump,
            metadata=metadata,
            inputs=inputs,
            message=message,
            tags=tags,
        )
        return added.version

    def _make_repository(self) -> None:
        try:
            _ = self.registry.repository
        except NoRepositoryError:
            if "://" in self.registry.path:
                raise
            init(Path(self.registry.path), shared=True)

    def get_model(self, name: str, version: str = "latest", directory: str | Path | None = None) -> Any:
        """Return a model as the kind of object that was registered.

        Args:
            name: `suture_detector`.
            version: a version, a tag or `latest`.
            directory: where the files go, for a model that was registered as a path; by default a
                directory of the cache, where they are checked, and mended, whenever they are asked for.

        Returns:
            A `Path` for a file or a directory, `bytes`, or a dict of numpy arrays.

        Raises:
            NotFoundError: `ref_not_found`.
            IntegrityError: the stored bytes are not those that were registered.
        """
        text = f"model/{name}@{version}"
        target = self.registry.rev_parse(text)
        repository = self.registry.repository
        commit = read_commit(repository, target.commit_id)
        files = list(files_of(repository, commit))
        if commit.form in ("file", "directory"):
            place = Path(directory) if directory else self._cached(str(commit.tree))
            checkout(repository, files, place, silent)
            return place / files[0].path if commit.form == "file" else place
        data = b"".join(self.registry.cat(f"{target}:{files[0].path}"))
        return safetensors.decode_arrays(data) if commit.form == "arrays" else data

    def _cached(self, tree: str) -> Path:
        below = self.registry.cache or Path(self.registry.path) / "cache"
        return below / "models" / tree

    def get_info(self, name: str, version: str = "latest") -> VersionInfo:
        """Return what is known of a version: id, metadata, inputs, tags, author, time."""
        return self.registry.show(f"model/{name}@{version}")
