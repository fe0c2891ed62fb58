"""lightgbm: boosters and estimators come back as what they were."""

from __future__ import annotations

from typing import Any

import pytest

from mlreg.errors import RefusedError
from mlreg.registry import ModelRegistry
from tests.unit.adapters.elsewhere import run_elsewhere
from tests.unit.adapters.samples import CLASSES, INPUTS

lightgbm = pytest.importorskip("lightgbm", reason="lightgbm is not installed")
pytest.importorskip("skops", reason="skops is not installed")

pytestmark = pytest.mark.filterwarnings("ignore")

FEW = {"n_estimators": 3, "min_child_samples": 2, "n_jobs": 1, "verbose": -1}
GET = """
import json
from tests.unit.adapters.samples import INPUTS
from mlreg.registry import ModelRegistry

model = ModelRegistry(sys.argv[1], "").get_model("trees")
print(json.dumps([type(model).__name__, model.predict(INPUTS).tolist()]))
"""


def booster() -> Any:
    """Return a booster that found its second tree to be the best."""
    import numpy as np

    few = {"verbose": -1, "min_data_in_leaf": 2, "min_data_in_bin": 1}
    data = lightgbm.Dataset(np.array(INPUTS), np.array(INPUTS)[:, 0], feature_name=["a", "b", "c", "d"], params=few)
    model = lightgbm.train(few, data, 5)
    model.best_iteration = 2
    return model


@pytest.mark.parametrize("name", ["LGBMClassifier", "LGBMRegressor"])
def test_an_estimator_comes_back_in_another_process(name: str, models: ModelRegistry) -> None:
    model = getattr(lightgbm, name)(**FEW).fit(INPUTS, CLASSES)
    models.register_model(model, "trees", "1.0.0")

    assert run_elsewhere(GET, models.registry.path) == [name, model.predict(INPUTS).tolist()]


def test_a_ranker_comes_back(models: ModelRegistry) -> None:
    model = lightgbm.LGBMRanker(**FEW).fit(INPUTS, CLASSES, group=[15, 15])
    models.register_model(model, "trees", "1.0.0")

    assert models.get_model("trees").predict(INPUTS).tolist() == model.predict(INPUTS).tolist()


def test_a_booster_comes_back_in_another_process_with_its_best_iteration(models: ModelRegistry) -> None:
    model = booster()
    version = models.register_model(model, "trees", "1.0.0")

    assert run_elsewhere(GET, models.registry.path) == ["Booster", model.predict(INPUTS).tolist()]
    found = models.get_model("trees")
    assert (found.best_iteration, found.num_trees()) == (2, 5)
    assert version.metadata["signature"] == {"features": 4, "feature_names": ["a", "b", "c", "d"]}
    assert (models.get_path("trees") / "model.txt").read_text().startswith("tree\n")


def test_an_estimator_with_a_type_of_another_package_needs_trust(models: ModelRegistry) -> None:
    model = lightgbm.LGBMRegressor(**FEW).fit(INPUTS, CLASSES)
    model.extra = __import__("fractions").Fraction(1, 2)
    models.register_model(model, "trees", "1.0.0")

    with pytest.raises(RefusedError) as caught:
        models.get_model("trees")
    assert caught.value.code == "untrusted"
    assert "fractions.Fraction" in caught.value.why
    assert "lightgbm" not in caught.value.why
