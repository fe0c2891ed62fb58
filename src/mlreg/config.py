"""Settings: from the environment, the repository, the project and the user, in this order.

The command line's own options come before all of them. Files are YAML:

    .mlreg/config.yaml                    of this repository; `mlreg config set` writes it
    .mlreg.yaml                           of the project, in this directory or the nearest parent; may be shared
    $XDG_CONFIG_HOME/mlreg/config.yaml    of the user; by default in ~/.config

A key that is not known is an error, so that a misspelt one is never without effect.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mlreg.errors import ConflictError, NoRepositoryError, NotFoundError, RefusedError, UsageError
from mlreg.formats.names import Entry
from mlreg.registry import bounds
from mlreg.registry.kinds import KINDS
from mlreg.registry.places import DIRECTORY, find_repository, full_url, init, repository_of

if TYPE_CHECKING:
    from mlreg.operations.usage_files import Tracking
    from mlreg.registry.results import Synced
    from mlreg.repository.heads import Client
    from mlreg.retention.policy import Policy, Retention

PROJECT_FILE = ".mlreg.yaml"
LOCAL_FILE = "config.yaml"
REMOTES = "remotes."
SCHEMA = "metadata_schema"
RULES = "registry.data.rules"
DEPLOYMENT_TAGS = "registry.deployment_tags"
POLICIES = "policies"
RUN = "MLREG_RUN"
"""The variable that tells a process which run it is part of."""
RUN_REPOSITORY = "MLREG_RUN_REPOSITORY"
"""The variable that tells it where the repository of that run is; it counts where there is no other."""


def _clean_up(kind: str) -> dict[str, str]:
    """Return the settings of the simplest retention policy of a kind."""
    return {
        f"registry.{kind}.cleanup_policy.max_versions": "how many of the newest versions of each entry stay",
        f"registry.{kind}.cleanup_policy.retention_days": "for how many days versions stay, beside those",
    }


KEYS: dict[str, str] = {
    "author": "who changes are by, `Ann Lee <ann@example.org>`; by default what git says",
    "cache_dir": "where views and restored models are kept, on a local disk; by default ~/.cache/mlreg",
    "state_dir": "where is kept how far logs went that were seen; by default ~/.local/state/mlreg",
    "repository": "where the repository is, from where this is written; by default the nearest .mlreg",
    "registry.model.storage_path": "where files of models lie in the project: for `get` and `add` without a path",
    "registry.model.version_format": "how models' versions are called: major.minor.patch (SemVer), YYYY.MM.DD, N, ...",
    "registry.model.metadata_schema": "the JSON Schema of models' metadata, or one for each pattern of names",
    **_clean_up("model"),
    "registry.experiment.storage_path": "where runs are kept while they live; by default in the repository",
    "registry.experiment.tracking_interval": "seconds between system metrics of a run; 60 by default",
    "registry.experiment.artifact_storage": "where the files that were logged stand in a run; `artifacts/` by default",
    "registry.experiment.code_diff": "whether `run exec` keeps how the code differs from its commit; true by default",
    **_clean_up("experiment"),
    "registry.data.storage_path": "where files of datasets lie in the project: for `get` and `add` without a path",
    "registry.data.version_format": "how datasets' versions are called; by default YYYY.MM.DD",
    "registry.data.metadata_schema": "the JSON Schema of datasets' metadata, or one for each pattern of names",
    **_clean_up("data"),
    DEPLOYMENT_TAGS: "tags that say what is deployed, as patterns: `[production, 'prod-*']`",
    POLICIES: "retention policies: which versions stay when others are removed (docs/retention.md)",
    "repack.auto": "whether small packs are merged now and then when something was added; true by default",
    "usage.tracking": "whether it is kept which versions are read: on or off; on by default",
    "usage.share_names": "whether who read, and on which host, may leave this machine; false by default",
    "audit.keep_origin": "whether the log keeps which user of which host wrote a transaction; true by default",
    **{f"{bounds.PREFIX}{name}": f"from where on {what} is yellow, and red" for name, what in bounds.MEANINGS.items()},
    RULES: "the rules that datasets must keep when they are registered, or some for each pattern of names",
    "registry.data.access_control": "whether datasets have a policy of access; not used by this release",
}
"""What may be set, besides `remotes.NAME`; behind `metadata_schema` and `rules` may stand a pattern of names.

The variable of a key is `MLREG_` and the key in capitals, `_` for `.`.
"""

_ON, _OFF = ("on", "true"), ("off", "false")
MOST = 1_000_000
"""The largest number that a setting may have."""
_COUNTS = ("max_versions", "retention_days", "tracking_interval")
_SWITCHES = ("access_control", "auto", "code_diff", "keep_origin", "share_names")
_PLACES = ("storage_path", SCHEMA, "rules")
_SECTIONS = {"exp": "experiment"}
"""What the settings of a kind stand under, if that is another word."""
_DOCUMENTS = (DEPLOYMENT_TAGS, POLICIES)
"""Keys whose value may be more than a word: it is kept as JSON."""


class Setting(NamedTuple):
    """A value, and where it was set."""

    key: str
    value: str
    origin: str
    """`environment`, a file, or `default`."""


class Config:
    """The settings that hold in a directory."""

    def __init__(self, directory: str | Path | None = None, environment: Mapping[str, str] | None = None) -> None:
        """Read nothing yet.

        Args:
            directory: where to look from; by default the current one.
            environment: by default that of the process.
        """
        self.environment = os.environ if environment is None else environment
        self.directory = _expanded(directory) if directory else Path.cwd()
        self._settings: dict[str, Setting] | None = None

    @property
    def repository(self) -> Path:
        """Where the repository is.

        Raises:
            NoRepositoryError: `no_repository`.
        """
        if place := self.environment.get("MLREG_REPOSITORY"):
            return repository_of(self.directory.absolute() / place)
        for path in self._shared_files():
            if path.is_file() and (place := read_settings(path).get("repository")):
                return repository_of(path.parent.absolute() / place)
        try:
            return find_repository(self.directory.absolute())
        except NoRepositoryError:
            if place := self.environment.get(RUN_REPOSITORY):
                return repository_of(Path(place))
            raise

    @property
    def cache(self) -> Path:
        """Where views are kept. Every host has its own: a view may lie on a home directory that many share."""
        chosen = self.environment.get("MLREG_CACHE_DIR") or self._from_files("cache_dir")
        base = self.environment.get("XDG_CACHE_HOME") or self._home(".cache")
        return _expanded(chosen) if chosen else Path(base, "mlreg", os.uname().nodename)

    def _from_files(self, key: str) -> str:
        # Reading YAML is slow, and every command asks: it is read only where a file is.
        if not any(path.is_file() for path in self.files()):
            if value := self.environment.get(variable_of(key), ""):
                _check_setting(key, value, variable_of(key))
            return value
        setting = self.settings().get(key)
        return setting.value if setting and setting.origin != "default" else ""

    def _home(self, name: str) -> str:
        return str(Path(self.environment.get("HOME") or Path.home(), name))

    @property
    def state(self) -> Path:
        """Where is kept what must outlive the cache: how far logs went. Every host has its own, as of the cache."""
        chosen = self.environment.get("MLREG_STATE_DIR") or self._from_files("state_dir")
        base = self.environment.get("XDG_STATE_HOME") or self._home(".local/state")
        return _expanded(chosen) if chosen else Path(base, "mlreg", os.uname().nodename)

    def client(self) -> Client:
        """Return what is kept of who works here: in slots, unless that is switched off, and on this machine."""
        from mlreg.formats.origin import NOWHERE, Origin
        from mlreg.repository.heads import Client

        is_told = self._from_files("audit.keep_origin") != "false"
        origin = Origin(self.environment.get("USER", ""), os.uname().nodename) if is_told else NOWHERE
        return Client(self.state, origin, merges=self._from_files("repack.auto") != "false")

    @property
    def author(self) -> str:
        """Who changes are by: as set, or as git knows the user, or user and host."""
        if found := self.settings().get("author"):
            return found.value
        return _git_author() or f"{self.environment.get('USER', 'unknown')}@{os.uname().nodename}"

    @property
    def remotes(self) -> dict[str, str]:
        """From name to URL, sorted by name."""
        found = self.settings()
        return {key.removeprefix(REMOTES): found[key].value for key in sorted(found) if key.startswith(REMOTES)}

    @property
    def formats(self) -> dict[str, str]:
        """From kind to how its versions are called, where that is set."""
        keys = {kind: f"registry.{kind}.version_format" for kind in KINDS}
        set_ = {kind: self._from_files(key) for kind, key in keys.items() if key in KEYS}
        return {kind: value for kind, value in set_.items() if value}

    def schemas(self, entry: Entry) -> dict[str, object]:
        """Return the schemas that the metadata of an entry must keep, by where each lies.

        Raises:
            UsageError: `bad_config`, one cannot be read; `bad_yaml`.
        """
        return self._documents(f"registry.{entry.kind}.{SCHEMA}", entry)

    def rules(self, entry: Entry) -> dict[str, object]:
        """Return the rules that a dataset must keep when it is registered, by where each document lies.

        Raises:
            UsageError: `bad_config`, one cannot be read; `bad_yaml`.
        """
        return self._documents(RULES, entry) if entry.kind == "data" else {}

    def _documents(self, key: str, entry: Entry) -> dict[str, object]:
        # As for `_from_files`: most projects have none, and need no YAML to know it.
        if not self.environment.get(variable_of(key)) and not any(path.is_file() for path in self.files()):
            return {}
        fitting = {
            setting.value: None
            for found, setting in sorted(self.settings().items())
            if found == key or (found.startswith(f"{key}.") and fnmatchcase(entry.name, found.removeprefix(f"{key}.")))
        }
        return {place: read_document(Path(place)) for place in fitting}

    @property
    def retention(self) -> Retention:
        """What the settings say of which versions stay.

        Raises:
            UsageError: `bad_policy`, `bad_config`.
        """
        from mlreg.retention.policy import Retention, cleanup_policy

        found = (
            cleanup_policy(key, kind, self._count(f"{key}.max_versions"), self._count(f"{key}.retention_days"))
            for kind, key in ((kind, f"registry.{_SECTIONS.get(kind, kind)}.cleanup_policy") for kind in KINDS)
        )
        listed = _policies(self._from_files(POLICIES) or "[]")
        tags = _deployment_tags(self._from_files(DEPLOYMENT_TAGS) or "production")
        return Retention((*filter(None, found), *listed), tags)

    @property
    def health_bounds(self) -> dict[str, bounds.Bounds]:
        """From where on the checks of `mlreg health` are yellow, and red."""
        return {
            name: bounds.parse_bounds(name, self._from_files(f"{bounds.PREFIX}{name}") or default)
            for name, default in bounds.DEFAULTS.items()
        }

    def _count(self, key: str) -> int:
        return int(self._from_files(key) or 0)

    def directory_of(self, entry: Entry) -> Path | None:
        """Return where the files of an entry lie in the project; None if the settings do not say."""
        place = self._from_files(f"registry.{entry.kind}.storage_path")
        return Path(place, entry.name) if place else None

    def get_registry_config(self) -> dict[str, Any]:
        """Return the arguments of `ModelRegistry` and `Registry`."""
        try:
            path = self.repository
        except NoRepositoryError:
            path = self.directory.absolute() / DIRECTORY
        lazy = {
            "author": lambda: self.author,
            "formats": lambda: self.formats,
            "schemas": self.schemas,
            "tracking": lambda: self.tracking,
            "client": self.client,
        }
        return {"path": path, "cache": self.cache, "remotes": self.remotes, **lazy}

    def get_data_registry_config(self) -> dict[str, Any]:
        """Return the arguments of `DataRegistry`."""
        return {**self.get_registry_config(), "rules": self.rules}

    @property
    def tracking(self) -> Tracking | None:
        """How it is kept which versions are read; None if it is not."""
        from mlreg.formats.origin import readable
        from mlreg.formats.usage import Reader
        from mlreg.operations.usage_files import Tracking

        if self._from_files("usage.tracking") in _OFF:
            return None
        name = self.environment.get("MLREG_AUTHOR") or self.environment.get("USER") or ""
        shares = self._from_files("usage.share_names") == "true"
        return Tracking(Reader(readable(name), readable(os.uname().nodename)), shares)

    @property
    def runs(self) -> Path | None:
        """Where runs are kept while they live; None for in the repository."""
        place = self._from_files("registry.experiment.storage_path")
        return Path(place) if place else None

    @property
    def keeps_diff(self) -> bool:
        """Whether it is kept how the code differs from its commit when a command is run."""
        return self._from_files("registry.experiment.code_diff") != "false"

    def get_experiment_registry_config(self) -> dict[str, Any]:
        """Return the arguments of `ExperimentRegistry`."""
        return {
            **self.get_registry_config(),
            "runs": self.runs,
            "artifacts": self._from_files("registry.experiment.artifact_storage") or "artifacts",
            "interval": int(self._from_files("registry.experiment.tracking_interval") or 60),
            "run": self.environment.get(RUN, ""),
        }

    # Files.

    def files(self) -> list[Path]:
        """Return the files that may hold settings, the first to win first."""
        local = self._local_file()
        return self._shared_files() if local is None else [local, *self._shared_files()]

    def _shared_files(self) -> list[Path]:
        """Return the files that hold for more than one repository."""
        start = self.directory.absolute()
        projects = (parent / PROJECT_FILE for parent in (start, *start.parents))
        base = self.environment.get("XDG_CONFIG_HOME") or self._home(".config")
        return [*[path for path in projects if path.is_file()][:1], Path(base, "mlreg", LOCAL_FILE)]

    def _local_file(self) -> Path | None:
        try:
            return self.repository / LOCAL_FILE
        except NoRepositoryError:
            return None

    def settings(self) -> dict[str, Setting]:
        """Return every value that is set, by key."""
        if self._settings is None:
            found: dict[str, Setting] = {}
            for key in KEYS:
                if value := self.environment.get(variable_of(key)):
                    _check_setting(key, value, variable_of(key))
                    found[key] = Setting(key, value, "environment")
            for path in self.files():
                for key, value in read_settings(path).items():
                    found.setdefault(key, Setting(key, _from(path, key, value), str(path)))
            self._settings = found
        return self._settings

    def get(self, key: str) -> Setting:
        """Return one setting.

        Raises:
            UsageError: `unknown_key`.
            NotFoundError: `not_set`.
        """
        check_key(key)
        for setting in self.listed():
            if setting.key == key:
                return setting
        raise NotFoundError("not_set", f"{key} is not set", fix=f"mlreg config set {key} VALUE")

    def listed(self) -> list[Setting]:
        """Return every setting that has a value, by default too, sorted by key."""
        defaults = {"author": Setting("author", self.author, "default")}
        defaults["cache_dir"] = Setting("cache_dir", str(self.cache), "default")
        if local := self._local_file():
            defaults["repository"] = Setting("repository", str(local.parent), "default")
        found = defaults | self.settings()
        return [found[key] for key in sorted(found)]

    def check(self) -> list[Setting]:
        """Return every setting that has a value, if all of them are well, and so is what they name.

        Raises:
            UsageError: what `settings` raises; `bad_config`, `bad_yaml`, of a document that is named; `bad_policy`, of
                one that says nothing of what stays.
        """
        from mlreg.registry.retaining import refuse_empty

        for key, setting in self.settings().items():
            if _word(key) in (SCHEMA, "rules"):
                read_document(Path(setting.value))
        try:
            if (retention := self.retention).policies:
                refuse_empty(retention)
        except RefusedError as error:
            raise UsageError("bad_policy", error.message, why=error.why, fix=error.fix) from error
        return self.listed()

    def set_remote(self, name: str, url: str) -> str:
        """Name another repository and return its URL in full.

        Raises:
            ConflictError: `remote_exists`, with another URL.
            UsageError: `bad_remote`, `bad_url`, `unknown_scheme`.
        """
        full = full_url(url)
        present = self.remotes.get(name)
        if present is not None and present != full:
            raise ConflictError(
                "remote_exists",
                f"the remote {name} is {present}",
                fix=(f"mlreg remote rm {name}", "choose another name"),
            )
        self.set(f"{REMOTES}{name}", full)
        return full

    def remove_remote(self, name: str) -> str:
        """Forget a remote and what was seen of it, and return the URL it had.

        Raises:
            NotFoundError: `no_remote`.
        """
        url = self.remotes.get(name)
        if url is None:
            raise NotFoundError("no_remote", f"there is no remote {name}", fix="mlreg remote ls")
        from mlreg.registry.registry import Registry
        from mlreg.registry.sync import forget

        forget(Registry(**self.get_registry_config()), name)
        self.set(f"{REMOTES}{name}", "")
        return url

    def clone(self, url: str, directory: Path | None, report: Callable[[int], None]) -> Synced:
        """Make a repository in a directory with everything that another one has.

        Raises:
            RefusedError: `not_empty`, the directory has another repository.
            NoRepositoryError: `no_repository` at the URL.
        """
        from mlreg.registry.registry import Registry
        from mlreg.registry.sync import Sync

        full = full_url(url)
        place = directory or Path(full.rstrip("/").removesuffix(f"/{DIRECTORY}").rpartition("/")[2] or "registry")
        target = self.directory / place
        Registry(full, "").open()
        _, is_new = init(target, shared=False)
        there = Config(target, {**self.environment, "MLREG_REPOSITORY": ""})
        if not is_new and there.remotes.get("origin") != full:
            raise RefusedError("not_empty", f"{target} has a repository of its own", fix="name another DIR")
        there.set_remote("origin", full)
        return Sync(Registry(**there.get_registry_config()), "origin").pull(report=report)

    def set(self, key: str, value: str) -> Setting:
        """Set a value in the file of this repository; an empty one takes it away.

        Raises:
            UsageError: `unknown_key`; `bad_config` for `repository`, which would be without effect.
            NotFoundError: `not_set`, there was nothing to take away.
        """
        check_key(key)
        if key == "repository" and value:
            why = "where a repository is cannot stand in the repository"
            raise UsageError("bad_config", "repository cannot be set here", why=why, fix=f"write it in {PROJECT_FILE}")
        if value and key.startswith(REMOTES):
            value = full_url(value)
        elif value:
            _check_setting(key, value, "mlreg config set")
        path = self.repository / LOCAL_FILE
        found = read_settings(path)
        if not value and key not in found:
            raise NotFoundError("not_set", f"{key} is not set in {path}", fix="mlreg config list --origin")
        if value:
            found[key] = value
        else:
            del found[key]
        _write_settings(path, found)
        self._settings = None
        return Setting(key, value, str(path))


def check_key(key: str) -> None:
    """Refuse a key that nothing reads.

    Raises:
        UsageError: `unknown_key`, naming the nearest one; `bad_remote`.
    """
    from mlreg.formats.names import check_remote

    if key.startswith(REMOTES):
        check_remote(key.removeprefix(REMOTES))
    elif key not in KEYS and not _pattern_of(key):
        import difflib

        near = difflib.get_close_matches(key, [*KEYS, "remotes.origin"], n=1, cutoff=0.3)
        fix = f"did you mean {near[0]}?" if near else f"the keys are {', '.join(KEYS)} and remotes.NAME"
        raise UsageError("unknown_key", f"there is no setting {key!r}", fix=fix)


def read_settings(path: Path) -> dict[str, str]:
    """Return the values in a file, by dotted key; none if there is no file.

    Raises:
        UsageError: `bad_config`, `bad_yaml`, `unknown_key`.
    """
    from mlreg.formats.yaml_document import parse_yaml

    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise UsageError(
            "bad_config",
            f"{path} cannot be read",
            why=str(error),
            fix="let it be a text in UTF-8 that you may read, or take it away",
        ) from error
    document = parse_yaml(text, str(path))
    found = dict(_flattened(document, "", path)) if document is not None else {}
    for key, value in found.items():
        _check_setting(key, value, str(path))
    return found


def variable_of(key: str) -> str:
    """Return the variable that sets a key: `MLREG_CACHE_DIR` for `cache_dir`."""
    return f"MLREG_{key.upper().replace('.', '_')}"


def _check_setting(key: str, value: str, origin: str) -> None:
    """Refuse a key that nothing reads, and a value that means nothing for it; the error names where it stands.

    Raises:
        UsageError: `unknown_key`, `bad_remote`, `bad_config`, `bad_version_format`, `bad_policy`, `bad_yaml`.
    """
    try:
        check_key(key)
        _check_value(key, value)
    except UsageError as error:
        raise UsageError(error.code, f"{origin}: {error.message}", why=error.why, fix=error.fix) from error


def _check_value(key: str, value: str) -> None:
    word = _word(key)
    if word == "version_format":
        from mlreg.formats.versions import version_format

        version_format(value)
    if word in _COUNTS and not (value.isascii() and value.isdigit() and 1 <= int(value[:12]) <= MOST):
        raise UsageError(
            "bad_config", f"{key} is a whole number from 1 on, not {value!r:.80}", fix=f"mlreg config set {key} 1"
        )
    if key == "usage.tracking" and value not in (*_ON, *_OFF):
        raise UsageError("bad_config", f"{key} is on or off, not {value!r:.80}", fix=f"mlreg config set {key} on")
    if word in _SWITCHES and value not in ("true", "false"):
        raise UsageError("bad_config", f"{key} is true or false, not {value!r:.80}", fix=f"mlreg config set {key} true")
    if key.startswith(bounds.PREFIX):
        bounds.parse_bounds(word, value)
    if key == POLICIES:
        _policies(value)
    if key == DEPLOYMENT_TAGS:
        _deployment_tags(value)


def _policies(text: str) -> tuple[Policy, ...]:
    from mlreg.formats.yaml_document import parse_yaml
    from mlreg.retention.policy import parse_policies

    return parse_policies(parse_yaml(text, POLICIES))


def _deployment_tags(text: str) -> tuple[str, ...]:
    from mlreg.formats.yaml_document import parse_yaml
    from mlreg.retention.policy import parse_tags

    return parse_tags(parse_yaml(text, DEPLOYMENT_TAGS))


def _word(key: str) -> str:
    """Return what a key sets; a pattern behind it may have dots of its own."""
    return (_pattern_of(key) or key).rpartition(".")[2]


def _pattern_of(key: str) -> str:
    """Return the key behind which a pattern of names stands; empty if there is none."""
    patterned = (*(f"registry.{kind}.{SCHEMA}" for kind in KINDS), RULES)
    return next((one for one in patterned if key.startswith(f"{one}.")), "")


def read_document(path: Path) -> object:
    """Return what a file in YAML or JSON holds.

    Raises:
        UsageError: `bad_config`, it cannot be read; `bad_yaml`.
    """
    from mlreg.formats.yaml_document import parse_yaml

    try:
        return parse_yaml(path.read_text(encoding="utf-8"), str(path))
    except (OSError, ValueError) as error:
        raise UsageError(
            "bad_config", f"{path} cannot be read", why=str(error), fix="mlreg config list --origin"
        ) from error


def _from(path: Path, key: str, value: str) -> str:
    """Return a value of a file; the URL of a remote is read from where the file is, a place from the project."""
    if _word(key) in _PLACES:
        parent = path.parent.absolute()
        return str((parent.parent if parent.name == DIRECTORY else parent) / value)
    is_path = key.startswith(REMOTES) and ":" not in value.partition("/")[0]
    return str(path.parent.absolute() / value) if is_path else value


def _flattened(document: object, prefix: str, path: Path) -> list[tuple[str, str]]:
    if prefix[:-1] in _DOCUMENTS and document is not None:
        return [(prefix[:-1], json.dumps(document, ensure_ascii=False))]
    if isinstance(document, dict):
        return [pair for key, value in document.items() for pair in _flattened(value, f"{prefix}{key}.", path)]
    if isinstance(document, list) or not prefix or document is None:
        raise UsageError(
            "bad_config",
            f"{path}: a value is needed at {prefix.rstrip('.') or 'the top'}",
            fix="write KEY: VALUE; lines as in .mlreg.example.yaml",
        )
    return [(prefix[:-1], str(document).lower() if isinstance(document, bool) else str(document))]


def _split(key: str) -> list[str]:
    """Return the words of a key; the name of a remote or a pattern, which may have dots of its own, is one."""
    if key.startswith(REMOTES):
        return key.split(".", 1)
    start = _pattern_of(key)
    return [*start.split("."), key.removeprefix(f"{start}.")] if start else key.split(".")


def _above(key: str) -> str:
    return ".".join(_split(key)[:-1])


def _expanded(path: str | Path) -> Path:
    """Return a path with the home directory in place of `~`."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise UsageError(
            "bad_config",
            f"{path} names a home directory that is not there",
            why=str(error),
            fix="write the path in full",
        ) from error


def _write_settings(path: Path, settings: Mapping[str, str]) -> None:
    import yaml

    from mlreg.stores.small_file import replace_file

    nested: dict[str, Any] = {}
    for key, value in sorted(settings.items()):
        *above, last = _split(key)
        below = nested
        for word in above:
            below = below.setdefault(word, {})
            if not isinstance(below, dict):
                why, fix = f"{_above(key)} is set, for all names", f"mlreg config unset {_above(key)}"
                raise UsageError("bad_config", f"{key} cannot be set, too", why=why, fix=fix)
        below[last] = _written(key, last, value)
    replace_file(path, yaml.safe_dump(nested, allow_unicode=True, sort_keys=True).encode())


def _written(key: str, word: str, value: str) -> object:
    """Return a value as it stands in a file."""
    from mlreg.formats.yaml_document import parse_yaml

    if key in _DOCUMENTS:
        return parse_yaml(value, key)
    return int(value) if word in _COUNTS else value == "true" if word in _SWITCHES else value


def _git_author() -> str:
    """Return `Name <email>` from git's settings; empty if git or they are not there."""
    import subprocess

    values = []
    for key in ("user.name", "user.email"):
        try:
            done = subprocess.run(  # noqa: S603 - git, as the user has it, with words of our own
                ["git", "config", key],  # noqa: S607 - the git that is on the path
                capture_output=True,
                text=True,
                timeout=5,
                check=False,
            )
        except (OSError, subprocess.SubprocessError):
            return ""
        values.append(done.stdout.strip())
    name, email = values
    return f"{name} <{email}>" if name and email else name or email
