"""Adapters: live objects as files, and back. `adapter` is the promise; each other file keeps one kind of object.

To add one: write a file beside `torch.py` and add a line to `ADAPTERS`, and an extra to `pyproject.toml`. The
conformance tests in `tests/unit/adapters/test_conformance.py` run on every line.

`signature`, `notes`, `archive` and `skops_file` are what several of them write or read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlreg.adapters.adapter import Adapter, Kept, Scratch, Stored, word
from mlreg.adapters.arrays import ArraysAdapter
from mlreg.adapters.keras import KerasAdapter
from mlreg.adapters.lightgbm import LightgbmAdapter
from mlreg.adapters.onnx import OnnxAdapter
from mlreg.adapters.path import PathAdapter
from mlreg.adapters.pickled import PickleAdapter
from mlreg.adapters.plain_bytes import BytesAdapter
from mlreg.adapters.sklearn import SklearnAdapter
from mlreg.adapters.torch import TorchAdapter
from mlreg.adapters.transformers import TransformersAdapter
from mlreg.adapters.xgboost import XgboostAdapter
from mlreg.errors import IntegrityError, MlregError, UnsupportedError, UsageError

ADAPTERS: tuple[Adapter, ...] = (
    PathAdapter(),
    BytesAdapter(),
    ArraysAdapter(),
    TransformersAdapter(),
    KerasAdapter(),
    TorchAdapter(),
    XgboostAdapter(),
    LightgbmAdapter(),
    SklearnAdapter(),
    OnnxAdapter(),
    PickleAdapter(),
)
"""In the order in which they are asked whether they recognise an object: what is a module of torch or an estimator of
scikit-learn may be something more special, too."""

_BY_NAME = {adapter.name: adapter for adapter in ADAPTERS}
_KEY = "adapter"


def keeper_of(model: object, asked: str | Adapter = "") -> Adapter:
    """Return the adapter that keeps an object: the one that was asked for, or the first to recognise it.

    Raises:
        UsageError: `unknown_model_object`, `no_adapter`.
    """
    if asked:
        return _asked_for(asked)
    for adapter in ADAPTERS:
        if adapter.recognises(model):
            return adapter
    raise UsageError(
        "unknown_model_object",
        f"mlreg does not know how to keep {_described(model)}",
        why=f"it keeps paths, bytes, mappings from names to arrays, and models of {', '.join(_frameworks())}",
        fix=(
            "save the model with its own library, and register the path of the file",
            "register_model(..., adapter=...) with an adapter of your own",
        ),
    )


def _frameworks() -> list[str]:
    return [adapter.name for adapter in ADAPTERS if adapter.package]


def _described(model: object) -> str:
    """Name the type of an object; of a mapping that is not all arrays, also the first value that is none."""
    if isinstance(model, Mapping):
        arrays = _BY_NAME["arrays"]
        for name, value in model.items():
            if not arrays.recognises({name: value}):
                return f"{word(model)} in which {name!r} is {word(value)}"
    return word(model)


def loader_of(stored: Stored, asked: str | Adapter = "") -> Adapter:
    """Return the adapter that loads a version: the one that was asked for, or the one that kept it.

    Raises:
        UnsupportedError: `no_adapter`, it was kept by one that is not in the table.
        UsageError: `no_adapter`, there is none of the name that was asked for.
    """
    if asked:
        return _asked_for(asked)
    name = stored.metadata.get(_KEY)
    if stored.form == "directory" and name is not None:
        if not isinstance(name, str) or name not in _BY_NAME:
            raise UnsupportedError(
                "no_adapter",
                f"{stored.ref} was kept by the adapter {str(name)[:80]!r}, which mlreg does not have",
                fix=("get_model(..., adapter=...) with the adapter that registered it", "get_path(...) for its files"),
            )
        return _BY_NAME[name]
    return next(adapter for adapter in ADAPTERS if stored.form in adapter.forms)


def _asked_for(asked: str | Adapter) -> Adapter:
    if isinstance(asked, str) and asked in _BY_NAME:
        return _BY_NAME[asked]
    if isinstance(asked, Adapter) and (asked.name not in _BY_NAME or _BY_NAME[asked.name] is asked):
        return asked
    raise UsageError(
        "no_adapter",
        f"{asked!r:.80} is no adapter that can be used",
        why="it is neither a name of a table nor an `Adapter` with a name of its own",
        fix=f"one of: {', '.join(_BY_NAME)}",
    )


def save(adapter: Adapter, model: object, scratch: Scratch) -> Kept:
    """Return an object as files; whatever the framework raises is told as an error of mlreg.

    Raises:
        UsageError: `cannot_keep`.
        UnsupportedError: `missing_extra`.
    """
    try:
        return adapter.save(model, scratch)
    except (MlregError, MemoryError):
        raise
    except ImportError as error:
        raise adapter.missing(error) from error
    except Exception as error:
        raise UsageError(
            "cannot_keep",
            f"the adapter {adapter.name} cannot keep {word(model)}",
            why=_reason(error),
            fix="save the model with its own library, and register the path of the file",
        ) from error


def load(adapter: Adapter, stored: Stored, into: object | None, *, trust: bool) -> Any:
    """Return the object of a version, or `into` with its content; whatever is wrong is an error of mlreg.

    Raises:
        IntegrityError: `bad_model`.
        RefusedError: `untrusted`.
        UnsupportedError: `missing_extra`.
        UsageError: `no_into`, `tensors_differ`.
    """
    try:
        return adapter.load(stored, trust=trust) if into is None else adapter.fill(stored, into, trust=trust)
    except (MlregError, MemoryError):
        raise
    except ImportError as error:
        raise adapter.missing(error) from error
    except Exception as error:
        raise IntegrityError(
            "bad_model",
            f"the adapter {adapter.name} cannot make a model of the files of {stored.ref}",
            why=_reason(error),
            fix="get_path(...) for its files",
        ) from error


def _reason(error: Exception) -> str:
    first = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {first[:400]}"


def metadata_of(adapter: Adapter, kept: Kept, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata of a version: the caller's, and what the adapter knows where the caller says nothing.

    Raises:
        UsageError: `reserved_metadata`, the caller's metadata names another adapter.
    """
    name = None if adapter.forms else adapter.name
    if given.get(_KEY, name) != name:
        raise UsageError(
            "reserved_metadata",
            f"the metadata says that the adapter is {given[_KEY]!r:.80}, and it is {name or 'none'}",
            why=f"get_model looks there for how to load the model; here it is kept by {adapter.name!r}",
            fix=f"leave {_KEY!r} out of the metadata",
        )
    known = {_KEY: name, "framework": dict(kept.framework), "signature": dict(kept.signature)}
    return {key: value for key, value in known.items() if value} | dict(given)
