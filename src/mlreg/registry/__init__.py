"""The registry: one method per thing a user can do, over repositories.

    >>> from mlreg.registry import ModelRegistry

`registry` is what the command line calls, `model`, `experiment` and `data` what training code calls; `results` and
`run_results` are what they return. A kind of entry is one line in `kinds`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlreg.registry.data import DataRegistry
    from mlreg.registry.experiment import ExperimentRegistry
    from mlreg.registry.model import ModelRegistry
    from mlreg.registry.registry import Registry

__all__ = ["DataRegistry", "ExperimentRegistry", "ModelRegistry", "Registry"]

_MODULES = {
    "DataRegistry": "data",
    "ExperimentRegistry": "experiment",
    "ModelRegistry": "model",
    "Registry": "registry",
}


def __getattr__(name: str) -> object:
    """Import the public classes when they are first used: a command needs one of them at most."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"mlreg.registry.{_MODULES[name]}"), name)
