"""scikit-learn: what is kept of estimators, and what is refused."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from mlreg.adapters.archive import EPOCH, write_archive
from mlreg.errors import RefusedError, UsageError
from mlreg.registry import ModelRegistry
from tests.unit.adapters.elsewhere import run_elsewhere
from tests.unit.adapters.samples import CLASSES, INPUTS

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
pytest.importorskip("skops", reason="skops is not installed")

pytestmark = pytest.mark.filterwarnings("ignore")

GET_TRUSTED = """
import json
from tests.unit.adapters.samples import INPUTS
from mlreg.registry import ModelRegistry

model = ModelRegistry(sys.argv[1], "").get_model("forest", trust=True)
print(json.dumps([type(model).__name__, model.predict(INPUTS).tolist()]))
"""


def fitted(name: str) -> Any:
    """Return an estimator of scikit-learn by its name, fitted."""
    from sklearn.utils import all_estimators

    return dict(all_estimators())[name]().fit(INPUTS, CLASSES)


@pytest.mark.parametrize("name", ["LinearRegression", "SVC", "GaussianNB", "LogisticRegression", "Ridge"])
def test_an_estimator_comes_back_without_trust(name: str, models: ModelRegistry) -> None:
    model = fitted(name)
    models.register_model(model, "forest", "1.0.0")

    found = models.get_model("forest")
    assert type(found) is type(model)
    assert found.predict(INPUTS).tolist() == model.predict(INPUTS).tolist()


def test_types_that_are_not_known_to_be_safe_are_named_and_need_trust(models: ModelRegistry) -> None:
    model = fitted("RandomForestClassifier")
    models.register_model(model, "forest", "1.0.0")

    with pytest.raises(RefusedError) as caught:
        models.get_model("forest")
    assert caught.value.code == "untrusted"
    assert "sklearn.tree._tree.Tree" in caught.value.why
    assert "trust=True" in caught.value.fix[0]
    answer = run_elsewhere(GET_TRUSTED, models.registry.path)
    assert answer == ["RandomForestClassifier", model.predict(INPUTS).tolist()]


def test_a_type_that_runs_a_command_is_not_made(models: ModelRegistry, tmp_path: Path) -> None:
    from sklearn.preprocessing import FunctionTransformer

    models.register_model(FunctionTransformer(print), "forest", "1.0.0")
    place = models.get_path("forest", directory=tmp_path / "evil")
    text = json.loads(zipfile.ZipFile(place / "model.skops").read("schema.json"))
    schema = json.dumps(text).replace('"builtins.print"', '"os.system"').replace('"print"', '"system"')
    (place / "model.skops").write_bytes(write_archive({"schema.json": schema.encode()}))
    models.registry.add("model/evil", [place], version="1.0.0", metadata={"adapter": "sklearn"})

    with pytest.raises(RefusedError) as caught:
        models.get_model("evil")
    assert caught.value.code == "untrusted"
    assert "system" in caught.value.why


def test_a_function_without_a_name_is_refused(models: ModelRegistry) -> None:
    from sklearn.preprocessing import FunctionTransformer

    with pytest.raises(UsageError) as caught:
        models.register_model(FunctionTransformer(lambda values: values), "forest", "1.0.0")
    assert caught.value.code == "cannot_keep"
    assert "<lambda>" in caught.value.message


def test_arrays_of_objects_and_texts_come_back(models: ModelRegistry) -> None:
    import numpy as np
    from sklearn.preprocessing import OneHotEncoder

    model = OneHotEncoder().fit(np.array([["a", 1], ["b", 2.5], [None, 3]], dtype=object))
    version = models.register_model(model, "forest", "1.0.0")

    found = models.get_model("forest")
    assert [one.tolist() for one in found.categories_] == [one.tolist() for one in model.categories_]
    assert version.metadata["signature"]["features"] == 2


def test_an_object_that_skops_cannot_keep_is_told_as_ours(models: ModelRegistry) -> None:
    from sklearn.preprocessing import FunctionTransformer

    with pytest.raises(UsageError) as caught:
        models.register_model(FunctionTransformer(kw_args={"x": (one for one in "abc")}), "forest", "1.0.0")
    assert caught.value.code == "cannot_keep"
    assert caught.value.fix


def test_a_file_has_no_times_and_no_addresses(models: ModelRegistry) -> None:
    import re

    models.register_model(fitted("SVC"), "forest", "1.0.0")
    archive = zipfile.ZipFile(io.BytesIO((models.get_path("forest") / "model.skops").read_bytes()))

    assert {entry.date_time for entry in archive.infolist()} == {EPOCH}
    assert all(re.fullmatch(r"schema\.json|\d{1,4}\.np[yz]", name) for name in archive.namelist())
    assert not re.search(rb'"__id__": \d{7}', archive.read("schema.json"))


def test_equal_models_that_were_made_apart_are_one_version(models: ModelRegistry) -> None:
    first = models.register_model(
        fitted("MLPRegressor").set_params(random_state=1).fit(INPUTS, CLASSES), "net", "1.0.0"
    )
    second = models.register_model(
        fitted("MLPRegressor").set_params(random_state=1).fit(INPUTS, CLASSES), "net", "1.0.0"
    )

    assert first.id == second.id


def test_objects_that_are_one_stay_one(models: ModelRegistry) -> None:
    import numpy as np
    from sklearn.base import BaseEstimator
    from sklearn.preprocessing import FunctionTransformer

    shared = np.arange(3.0)
    model: BaseEstimator = FunctionTransformer(kw_args={"a": shared, "b": shared})
    models.register_model(model, "forest", "1.0.0")

    found = models.get_model("forest").kw_args
    assert found["a"] is found["b"]


def test_the_signature_tells_features_and_classes(models: ModelRegistry) -> None:
    signature = models.register_model(fitted("GaussianNB"), "forest", "1.0.0").metadata["signature"]

    assert signature == {"features": 4, "classes": [0, 1, 2]}


def test_an_estimator_that_is_not_fitted_is_kept(models: ModelRegistry) -> None:
    from sklearn.linear_model import Ridge

    version = models.register_model(Ridge(alpha=0.5), "forest", "1.0.0")

    assert models.get_model("forest").alpha == 0.5
    assert "signature" not in version.metadata


def test_without_skops_nothing_is_registered(models: ModelRegistry) -> None:
    script = """
import json
from mlreg.errors import MlregError
from mlreg.registry import ModelRegistry
from sklearn.linear_model import Ridge

models = ModelRegistry(sys.argv[1], "Ann <ann@example.org>")
try:
    models.register_model(Ridge(), "forest", "1.0.0")
except MlregError as error:
    print(json.dumps([error.code, *error.fix, *models.list_models()]))
"""

    found = run_elsewhere(script, models.registry.path, without=["skops"])
    assert found == ["missing_extra", "pip install 'mlreg[sklearn]'"]
