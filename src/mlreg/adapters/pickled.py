"""pickle: any object, for those who ask for it by name; loading runs whatever is stored."""

from __future__ import annotations

import pickle
from typing import Any

from mlreg.adapters.adapter import Adapter, Kept, Scratch, Stored, untrusted
from mlreg.operations.scanning import Source

NAME = "model.pickle"
PROTOCOL = 5
"""Not that of the newest Python: the same object has the same bytes in all of them."""


class PickleAdapter(Adapter):
    """Keeps what it is asked to keep, and recognises nothing."""

    name = "pickle"

    def recognises(self, model: object) -> bool:
        return False

    def save(self, model: Any, scratch: Scratch) -> Kept:
        data = pickle.dumps(model, PROTOCOL)
        return Kept([Source(NAME, lambda: (data,))])

    def load(self, stored: Stored, *, trust: bool) -> Any:
        if not trust:
            raise untrusted(stored.ref, "it is a pickle, which is a program")
        return pickle.loads(stored.read(NAME))  # noqa: S301 - the caller said that it is to be trusted
