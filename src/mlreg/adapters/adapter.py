"""The promise of an adapter: a live object becomes files, and comes back from them.

An adapter imports its framework only in `save`, `load` and `fill`. What it loads may be hostile: nothing that is
stored is executed or unpickled unless the caller said `trust=True`.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, ClassVar, NamedTuple

from mlreg.errors import IntegrityError, RefusedError, UnsupportedError, UsageError
from mlreg.operations.scanning import Source

NOTHING: Mapping[str, Any] = MappingProxyType({})


Scratch = Callable[[], Path]
"""Returns an empty directory for the files of a model; made when it is first asked for, the same each time."""


class Kept(NamedTuple):
    """A live object as files."""

    sources: Sequence[Source]
    """In memory, or files below the directory that `save` asked for."""
    form: str = "directory"
    """One of `mlreg.formats.commit.FORMS`."""
    framework: Mapping[str, Any] = NOTHING
    """`{"name": "torch", "version": "2.13.0"}`; empty if there is none."""
    signature: Mapping[str, Any] = NOTHING
    """JSON: what goes in and out, as far as the framework tells; empty if it does not."""


@dataclass(frozen=True, slots=True)
class Stored:
    """The files of a version, read when they are asked for and compared with what was registered."""

    ref: str
    """`model/suture_detector@1.0.0`."""
    form: str
    metadata: Mapping[str, Any]
    paths: Sequence[str]
    """Of all files, sorted."""
    bytes_of: Callable[[str], bytes]
    """Return the bytes of the file at a path, which is one of `paths`."""
    checkout: Callable[[], Path]
    """Return a directory that holds all files."""

    def read(self, path: str) -> bytes:
        """Return the bytes of a file.

        Raises:
            IntegrityError: `bad_model`, there is no such file.
        """
        self._check(path)
        return self.bytes_of(path)

    def place_of(self, path: str) -> Path:
        """Return where a file is, on a disk and with all others beside it.

        Raises:
            IntegrityError: `bad_model`, there is no such file.
        """
        self._check(path)
        return self.checkout() / path

    def one_path(self) -> str:
        """Return the path of the only file, which any version has whose form is not a directory.

        Raises:
            IntegrityError: `bad_model`, there is no file or there are several.
        """
        if len(self.paths) != 1:
            raise IntegrityError(
                "bad_model",
                f"{self.ref} has {len(self.paths)} files, and one is what {self.form!r} should have",
                fix=f"mlreg get {self.ref}",
            )
        return self.paths[0]

    def _check(self, path: str) -> None:
        if path not in self.paths:
            raise IntegrityError("bad_model", f"{self.ref} has no file {path}", fix="get_path(...) for its files")


class Adapter(ABC):
    """How objects of one framework are kept. The same object is kept as the same bytes, whenever it is."""

    name: ClassVar[str]
    """Under `adapter` in the metadata of a version; small letters."""
    package: ClassVar[str] = ""
    """What is imported; empty if nothing needs to be installed."""
    extra: ClassVar[str] = ""
    """Of mlreg, which installs all that the adapter imports; empty if nothing needs to be installed."""
    forms: ClassVar[tuple[str, ...]] = ()
    """Forms of a version that this adapter loads without being named in its metadata."""

    @abstractmethod
    def recognises(self, model: object) -> bool:
        """Tell whether this adapter keeps such an object; imports nothing."""

    @abstractmethod
    def save(self, model: Any, scratch: Scratch) -> Kept:
        """Return an object as files.

        Args:
            model: an object; what is not as `recognises` wants it may be refused, or fail.
            scratch: returns an empty directory, which is there until the files have been registered.

        Raises:
            UsageError: `cannot_keep`, a part of it cannot be kept without pickle.
        """

    @abstractmethod
    def load(self, stored: Stored, *, trust: bool) -> Any:
        """Return the object that was registered.

        Raises:
            RefusedError: `untrusted`, this needs `trust`.
            IntegrityError: `bad_model`, the files are not what `save` writes.
        """

    def fill(self, stored: Stored, into: Any, *, trust: bool) -> Any:
        """Load into an object that the caller built, and return it.

        Raises:
            UsageError: `no_into`, this kind of object is only made anew; `tensors_differ`.
        """
        raise UsageError(
            "no_into",
            f"{stored.ref} cannot be loaded into an object that is there",
            why=f"the adapter {self.name} makes a new one",
            fix="leave `into` out",
        )

    def framework(self) -> dict[str, Any]:
        """Return name and version of what is installed, without the word for a build: `2.13.0`, not `2.13.0+cpu`."""
        return {"name": self.package, "version": str(self.imported().__version__).partition("+")[0]}

    def imported(self, module: str = "") -> ModuleType:
        """Return a module that comes with the extra, by default the package of the framework.

        Raises:
            UnsupportedError: `missing_extra`.
        """
        try:
            return importlib.import_module(module or self.package)
        except ImportError as error:
            raise self.missing(error) from error

    def missing(self, error: ImportError) -> UnsupportedError:
        """Return the error for a package that an extra would have brought."""
        return UnsupportedError(
            "missing_extra",
            f"the adapter {self.name} needs what cannot be imported: {(str(error).splitlines() or [''])[0][:200]}",
            why="the framework of a model is needed to keep and to load it",
            fix=f"pip install 'mlreg[{self.extra}]'" if self.extra else (),
        )


def is_a(value: object, package: str, *names: str) -> bool:
    """Tell whether a class of such a name, of a package, is among those of a value; imports nothing."""
    return any(cls.__name__ in names and cls.__module__.partition(".")[0] == package for cls in type(value).__mro__)


def word(value: object) -> str:
    """Return what a person calls the type of a value: `a dict`, `a torch.Tensor`."""
    module, name = type(value).__module__, type(value).__qualname__
    return f"a {name}" if module == "builtins" else f"a {module}.{name}"


def untrusted(ref: str, why: str) -> RefusedError:
    """Return the refusal to load what could run code of whoever registered it."""
    return RefusedError(
        "untrusted",
        f"loading {ref} could run code that is stored in it",
        why=why,
        fix="if you trust who registered it: get_model(..., trust=True)",
    )
