"""xgboost: boosters, and its estimators in the manner of scikit-learn, in its own UBJSON.

The file holds what was learned. What an estimator was told besides, its parameters, is in the note.
"""

from __future__ import annotations

from typing import Any

from mlreg.adapters.adapter import Adapter, Kept, Scratch, Stored, is_a, word
from mlreg.adapters.notes import note, read_note
from mlreg.adapters.signature import bounded, listed
from mlreg.errors import IntegrityError, UsageError
from mlreg.formats.plain import plain
from mlreg.operations.scanning import Source

NAME = "model.ubj"
ESTIMATORS = ("XGBClassifier", "XGBRFClassifier", "XGBRFRegressor", "XGBRanker", "XGBRegressor")
BOOSTER = "Booster"


class XgboostAdapter(Adapter):
    """A `Booster` or a fitted estimator; comes back as one of the same class."""

    name = "xgboost"
    package = "xgboost"
    extra = "xgboost"

    def recognises(self, model: object) -> bool:
        return is_a(model, "xgboost", "XGBModel", BOOSTER)

    def save(self, model: Any, scratch: Scratch) -> Kept:
        name = type(model).__name__
        if name not in (*ESTIMATORS, BOOSTER) or type(model) is not getattr(self.imported(), name):
            raise UsageError(
                "cannot_keep",
                f"{word(model)} would not come back as what it is",
                why=f"these classes would: {', '.join((*ESTIMATORS, BOOSTER))}",
                fix="register its booster: model.get_booster()",
            )
        fields = {"class": name} if name == BOOSTER else {"class": name, "parameters": _parameters(model)}
        place = scratch()
        model.save_model(place / NAME)
        sources = [Source(NAME, place / NAME), note(fields)]
        return Kept(sources, framework=self.framework(), signature=_signature(model))

    def load(self, stored: Stored, *, trust: bool) -> Any:
        xgboost = self.imported()
        fields = read_note(stored, (*ESTIMATORS, BOOSTER))
        data = bytearray(stored.read(NAME))
        # What is told here, xgboost would abort the process for.
        if not data.startswith(b"{L"):
            raise IntegrityError(
                "bad_model", f"{stored.ref} has no UBJSON in {NAME}", fix="get_path(...) for its files"
            )
        if fields["class"] == BOOSTER:
            return xgboost.Booster(model_file=data)
        model = getattr(xgboost, fields["class"])(**fields.get("parameters", {}))
        told = model.get_params()
        model.load_model(data)
        # Loading takes some of what was learned for what was told.
        return model.set_params(**told)


def _signature(model: Any) -> dict[str, Any]:
    booster = model if is_a(model, "xgboost", BOOSTER) else model.get_booster()
    return bounded(
        {
            "features": booster.num_features(),
            "feature_names": listed(booster.feature_names),
            "classes": listed(getattr(model, "classes_", None)),
        }
    )


def _parameters(model: Any) -> dict[str, Any]:
    """Return the parameters of an estimator that are not as they are by default."""
    usual = type(model)().get_params()
    told = {name: plain(value) for name, value in model.get_params().items() if str(value) != str(usual.get(name))}
    for name, value in told.items():
        if not _is_plain(value):
            raise UsageError(
                "cannot_keep",
                f"the parameter {name!r} of the model is {word(value)}",
                why="functions and other objects cannot be kept without pickle",
                fix=(f"model.set_params({name}=None), if only training needs it", "register model.get_booster()"),
            )
    return told


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(item) for key, item in value.items())
    return value is None or isinstance(value, bool | int | float | str)
