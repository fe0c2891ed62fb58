"""pickle: by name only, and loaded with trust only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlreg.errors import RefusedError, UsageError
from mlreg.registry import ModelRegistry


class Touch:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_a_pickle_is_made_only_if_it_is_asked_for(models: ModelRegistry, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        models.register_model(Touch(tmp_path / "pwned"), "net", "1.0.0")
    assert caught.value.code == "unknown_model_object"


def test_a_pickle_is_loaded_only_with_trust(models: ModelRegistry, tmp_path: Path) -> None:
    models.register_model(Touch(tmp_path / "pwned"), "net", "1.0.0", adapter="pickle")

    with pytest.raises(RefusedError) as caught:
        models.get_model("net")
    assert caught.value.code == "untrusted"
    assert "trust=True" in caught.value.fix[0]
    assert not (tmp_path / "pwned").exists()
    models.get_model("net", trust=True)
    assert (tmp_path / "pwned").exists()


def test_an_object_without_a_pickle_is_told_as_ours(models: ModelRegistry) -> None:
    with pytest.raises(UsageError) as caught:
        models.register_model(lambda: None, "net", "1.0.0", adapter="pickle")
    assert caught.value.code == "cannot_keep"
