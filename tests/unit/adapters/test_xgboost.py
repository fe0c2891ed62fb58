"""xgboost: which classes come back, with what, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mlreg.errors import IntegrityError, UsageError
from mlreg.registry import ModelRegistry
from tests.unit.adapters.elsewhere import run_elsewhere
from tests.unit.adapters.samples import CLASSES, INPUTS

xgboost = pytest.importorskip("xgboost", reason="xgboost is not installed")

pytestmark = pytest.mark.filterwarnings("ignore")

GET = """
import json
from tests.unit.adapters.samples import INPUTS
from mlreg.registry import ModelRegistry

model = ModelRegistry(sys.argv[1], "").get_model("trees")
print(json.dumps([type(model).__name__, model.predict(INPUTS).tolist(), model.get_params()["max_depth"]]))
"""


@pytest.mark.parametrize("name", ["XGBClassifier", "XGBRegressor", "XGBRFClassifier", "XGBRFRegressor"])
def test_an_estimator_comes_back_in_another_process_with_its_parameters(name: str, models: ModelRegistry) -> None:
    model = getattr(xgboost, name)(n_estimators=3, max_depth=np.int64(2)).fit(INPUTS, CLASSES)
    models.register_model(model, "trees", "1.0.0")

    assert run_elsewhere(GET, models.registry.path) == [name, model.predict(INPUTS).tolist(), 2]


def test_an_estimator_without_scikit_learn_is_told_as_a_missing_extra(models: ModelRegistry) -> None:
    models.register_model(xgboost.XGBRegressor(n_estimators=1).fit(INPUTS, CLASSES), "trees", "1.0.0")
    script = """
import json
from mlreg.errors import MlregError
from mlreg.registry import ModelRegistry

try:
    ModelRegistry(sys.argv[1], "").get_model("trees")
except MlregError as error:
    print(json.dumps([error.code, *error.fix]))
"""

    found = run_elsewhere(script, models.registry.path, without=["sklearn"])
    assert found == ["missing_extra", "pip install 'mlreg[xgboost]'"]


def test_a_ranker_comes_back(models: ModelRegistry) -> None:
    model = xgboost.XGBRanker(n_estimators=3).fit(INPUTS, CLASSES, group=[15, 15])
    models.register_model(model, "ranker", "1.0.0")

    assert models.get_model("ranker").predict(INPUTS).tolist() == model.predict(INPUTS).tolist()


def test_a_booster_comes_back_with_names_and_attributes(models: ModelRegistry) -> None:
    data = xgboost.DMatrix(INPUTS, CLASSES, feature_names=["a", "b", "c", "d"])
    model = xgboost.train({"max_depth": 2}, data, 3)
    model.set_attr(note="mine")
    version = models.register_model(model, "booster", "1.0.0")

    found = models.get_model("booster")
    assert type(found) is xgboost.Booster
    assert found.predict(data).tolist() == model.predict(data).tolist()
    assert found.attr("note") == "mine"
    assert version.metadata["signature"] == {"features": 4, "feature_names": ["a", "b", "c", "d"]}


def test_the_signature_of_a_classifier_tells_its_classes(models: ModelRegistry) -> None:
    model = xgboost.XGBClassifier(n_estimators=1).fit(INPUTS, CLASSES)

    signature = models.register_model(model, "trees", "1.0.0").metadata["signature"]
    assert signature == {"features": 4, "classes": [0, 1, 2]}


def squared_error(labels: Any, predicted: Any) -> Any:
    """Return gradient and hessian."""
    return predicted - labels, labels * 0 + 1


Mine = type("Mine", (xgboost.XGBRegressor,), {})
"""A class that could not be found again."""


@pytest.mark.parametrize("make", [lambda: xgboost.XGBRegressor(objective=squared_error, n_estimators=1), Mine])
def test_what_would_not_come_back_as_it_is_is_refused(make: Any, models: ModelRegistry) -> None:
    model = make().fit(INPUTS, CLASSES)

    with pytest.raises(UsageError) as caught:
        models.register_model(model, "trees", "1.0.0")
    assert caught.value.code == "cannot_keep"
    assert any("get_booster()" in fix for fix in caught.value.fix)
    models.register_model(model.get_booster(), "trees", "1.0.0")


def test_an_estimator_that_is_not_fitted_is_refused(models: ModelRegistry) -> None:
    with pytest.raises(UsageError) as caught:
        models.register_model(xgboost.XGBRegressor(), "trees", "1.0.0")
    assert caught.value.code == "cannot_keep"


@pytest.mark.parametrize("name", ["XGBModel", "os", "__class__", "DaskXGBClassifier"])
def test_a_note_names_no_other_class(name: str, models: ModelRegistry, tmp_path: Any) -> None:
    models.register_model(xgboost.XGBRegressor(n_estimators=1).fit(INPUTS, CLASSES), "trees", "1.0.0")
    place = models.get_path("trees", directory=tmp_path / "evil")
    (place / "class.json").write_text(f'{{"class": "{name}"}}')
    models.registry.add("model/evil", [place], version="1.0.0", metadata={"adapter": "xgboost"})

    with pytest.raises(IntegrityError) as caught:
        models.get_model("evil", trust=True)
    assert caught.value.code == "bad_model"
    assert "XGBRanker" in caught.value.why
