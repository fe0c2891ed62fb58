"""scikit-learn: estimators and pipelines, as skops files."""

from __future__ import annotations

from typing import Any

from mlreg.adapters.adapter import Adapter, Kept, Scratch, Stored, is_a
from mlreg.adapters.signature import bounded, listed
from mlreg.adapters.skops_file import load_skops, skops_source


class SklearnAdapter(Adapter):
    """An estimator or pipeline; comes back as one of the same class."""

    name = "sklearn"
    package = "sklearn"
    extra = "sklearn"

    def recognises(self, model: object) -> bool:
        return is_a(model, "sklearn", "BaseEstimator")

    def save(self, model: Any, scratch: Scratch) -> Kept:
        return Kept([skops_source(self, model)], framework=self.framework(), signature=estimator_signature(model))

    def load(self, stored: Stored, *, trust: bool) -> Any:
        return load_skops(self, stored, (), trust=trust)


def estimator_signature(model: Any) -> dict[str, Any]:
    """Return what a fitted estimator knows of its features and classes; nothing of one that is not fitted."""
    features = getattr(model, "n_features_in_", None)
    return bounded(
        {
            "features": None if features is None else int(features),
            "feature_names": listed(getattr(model, "feature_names_in_", None)),
            "classes": listed(_flat(getattr(model, "classes_", None))),
        }
    )


def _flat(classes: Any) -> Any:
    """Return the classes of an estimator with one output; those of several outputs are a list of arrays."""
    return classes if getattr(classes, "ndim", None) == 1 else None
