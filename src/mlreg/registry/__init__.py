"""The registry: one method per thing a user can do, over repositories.

    >>> from mlreg.registry import ModelRegistry

`registry` is what the command line calls, `model` what training code calls; `results` is what both
return. A kind of entry is one line in `kinds`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlreg.registry.model import ModelRegistry
    from mlreg.registry.registry import Registry

__all__ = ["ModelRegistry", "Registry"]


def __getattr__(name: str) -> object:
    """Import the public classes when they are first used: a command needs one of them at most."""
    if name == "ModelRegistry":
        from mlreg.registry.model import ModelRegistry

        return ModelRegistry
    if name == "Registry":
        from mlreg.registry.registry import Registry

        return Registry
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
