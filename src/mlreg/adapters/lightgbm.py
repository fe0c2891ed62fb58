"""lightgbm: boosters in its own text, and its estimators in the manner of scikit-learn as skops files."""

from __future__ import annotations

from typing import Any

from mlreg.adapters.adapter import Adapter, Kept, Scratch, Stored, is_a
from mlreg.adapters.notes import note, read_note
from mlreg.adapters.signature import bounded, listed
from mlreg.adapters.sklearn import estimator_signature
from mlreg.adapters.skops_file import load_skops, skops_source
from mlreg.errors import IntegrityError
from mlreg.operations.scanning import Source

NAME = "model.txt"
BOOSTER = "Booster"
ESTIMATORS = ("LGBMClassifier", "LGBMRanker", "LGBMRegressor")
KNOWN = (
    *(f"lightgbm.sklearn.{name}" for name in ESTIMATORS),
    "lightgbm.basic.Booster",  # made of its own text
    "collections.OrderedDict",
    "collections.defaultdict",
)
"""Types in the skops file of an estimator; no others are made without trust."""


class LightgbmAdapter(Adapter):
    """A `Booster` or an estimator; comes back as one of the same class."""

    name = "lightgbm"
    package = "lightgbm"
    extra = "lightgbm"

    def recognises(self, model: object) -> bool:
        return is_a(model, "lightgbm", BOOSTER, "LGBMModel")

    def save(self, model: Any, scratch: Scratch) -> Kept:
        if not is_a(model, "lightgbm", BOOSTER):
            source, fields, signature = skops_source(self, model), {"class": "estimator"}, estimator_signature(model)
        else:
            # All trees, also those after the best one; which that is, the text does not say.
            text = model.model_to_string(num_iteration=-1).encode()
            source, fields = Source(NAME, lambda: (text,)), {"class": BOOSTER, "best_iteration": model.best_iteration}
            signature = bounded({"features": model.num_feature(), "feature_names": listed(model.feature_name())})
        return Kept([source, note(fields)], framework=self.framework(), signature=signature)

    def load(self, stored: Stored, *, trust: bool) -> Any:
        lightgbm = self.imported()
        fields = read_note(stored, (BOOSTER, "estimator"))
        if fields["class"] != BOOSTER:
            return load_skops(self, stored, KNOWN, trust=trust)
        text = stored.read(NAME).decode()
        if not text.startswith("tree\n"):
            raise IntegrityError(
                "bad_model",
                f"{stored.ref} has no text of lightgbm in {NAME}",
                fix="mlreg verify; ask who registered it",
            )
        model = lightgbm.Booster(model_str=text)
        model.best_iteration = int(fields.get("best_iteration", -1))
        return model
