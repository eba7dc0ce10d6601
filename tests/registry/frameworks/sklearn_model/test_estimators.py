"""scikit-learn's own estimators register, in one process, and answer the same in another."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from model_lifecycle.registry.domain.errors import UntrustedModel
from model_lifecycle.registry.frameworks import FrameworkAdapter
from model_lifecycle.registry.frameworks.sklearn_model.tree_validation import check_trees

ROWS = 90


def _features() -> pd.DataFrame:
    random = np.random.default_rng(1)
    return pd.DataFrame(np.abs(random.normal(size=(ROWS, 3))), columns=["a", "b", "c"])


def _search(**changes: Any) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV

    return GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, **{"cv": 3, **changes})


def _builders() -> dict[str, Callable[[], Any]]:
    from sklearn.cluster import FeatureAgglomeration
    from sklearn.ensemble import BaggingClassifier
    from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, Matern, RationalQuadratic, WhiteKernel
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import fbeta_score, make_scorer
    from sklearn.model_selection import (
        RepeatedStratifiedKFold,
        ShuffleSplit,
        TimeSeriesSplit,
        TunedThresholdClassifierCV,
    )
    from sklearn.multiclass import OutputCodeClassifier
    from sklearn.neighbors import (
        KNeighborsClassifier,
        KNeighborsRegressor,
        RadiusNeighborsClassifier,
    )
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import SplineTransformer
    from sklearn.svm import SVC

    return {
        "search by roc_auc": lambda: _search(scoring="roc_auc"),
        "search by two scores": lambda: _search(scoring=["f1", "neg_log_loss"], refit="f1"),
        "search by a scorer": lambda: _search(scoring=make_scorer(fbeta_score, beta=2)),
        "search in time": lambda: _search(cv=TimeSeriesSplit(3)),
        "search by shuffling": lambda: _search(cv=ShuffleSplit(2, random_state=0)),
        "search repeated": lambda: _search(cv=RepeatedStratifiedKFold(n_splits=2, n_repeats=2)),
        "Gaussian process": lambda: GaussianProcessClassifier(1.0 * RBF()),
        "Gaussian process regression": lambda: GaussianProcessRegressor(
            Matern(nu=1.5) + WhiteKernel() + RationalQuadratic()
        ),
        "neighbours": KNeighborsClassifier,
        "neighbours in a ball tree": lambda: KNeighborsRegressor(
            algorithm="ball_tree", metric="manhattan"
        ),
        "neighbours by p": lambda: KNeighborsClassifier(p=3),
        "neighbours within a radius": lambda: RadiusNeighborsClassifier(5.0),
        "neighbours in a bag": lambda: BaggingClassifier(KNeighborsClassifier(), n_estimators=3),
        "splines": lambda: make_pipeline(SplineTransformer(), LogisticRegression()),
        "agglomeration": lambda: make_pipeline(FeatureAgglomeration(), LogisticRegression()),
        "tuned threshold": lambda: TunedThresholdClassifierCV(LogisticRegression()),
        "output code": lambda: OutputCodeClassifier(LogisticRegression(), random_state=0),
        "support vectors": SVC,
    }


@pytest.fixture
def features() -> pd.DataFrame:
    return _features()


@pytest.mark.parametrize("kind", _builders())
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_built_in_estimators_answer_as_they_did(
    kind: str, features: pd.DataFrame, adapter: FrameworkAdapter, tmp_path: Path
) -> None:
    """Their parts are reviewed, also those that only their fitting needs."""
    from sklearn.base import is_regressor

    labels = (features["a"] > features["b"]).astype(int)
    model = _builders()[kind]().fit(features, labels)
    adapter.save(
        model,
        tmp_path / "model",
        input_example=features.head(),
        model_type="regression" if is_regressor(model) else "classification",
    )

    answers = adapter.load(tmp_path / "model").predict(features)
    np.testing.assert_array_equal(answers, model.predict(features))


_SAVE = """
import sys, pathlib, numpy as np, pandas as pd
from sklearn.experimental import enable_iterative_imputer, enable_halving_search_cv
from sklearn.impute import IterativeImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import HalvingGridSearchCV
from sklearn.pipeline import make_pipeline
from model_lifecycle.registry.frameworks import adapter_for
rows = pd.DataFrame(np.random.default_rng(0).normal(size=(90, 2)), columns=["a", "b"])
labels = (rows.a > 0).astype(int)
search = HalvingGridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, random_state=0)
model = make_pipeline(IterativeImputer(), search).fit(rows, labels)
adapter_for("sklearn").save(model, pathlib.Path(sys.argv[1]), input_example=rows.head())
"""
_LOAD = """
import sys, pathlib, pandas as pd
from model_lifecycle.registry.frameworks import adapter_for
predictor = adapter_for("sklearn").load(pathlib.Path(sys.argv[1]))
print(predictor.predict(pd.DataFrame({"a": [3.0, -3.0], "b": [None, 0.0]})).tolist())
"""


def test_what_one_process_saves_another_loads(tmp_path: Path) -> None:
    """skops knows estimators behind ``sklearn.experimental`` only where that was imported."""
    folder = str(tmp_path / "model")
    for program, output in ((_SAVE, ""), (_LOAD, "[1, 0]")):
        command = [sys.executable, "-W", "ignore", "-c", program, folder]
        done = subprocess.run(command, capture_output=True, text=True)

        assert (done.returncode, done.stdout.strip()) == (0, output), done.stderr


def test_the_tree_of_a_file_is_not_used(features: pd.DataFrame) -> None:
    """Compiled code follows its nodes unchecked; it is built again from the points."""
    from sklearn.neighbors import KDTree, KNeighborsClassifier

    model = KNeighborsClassifier(algorithm="kd_tree").fit(features, features["a"] > 1)
    expected = model.predict(features)
    state = list(model._tree.__getstate__())
    state[1] = np.full_like(np.asarray(state[1]), 10**9)  # the order of the points
    crafted = KDTree.__new__(KDTree)
    crafted.__setstate__(tuple(state))
    model._tree = crafted
    check_trees(model)

    assert model._tree is not crafted
    np.testing.assert_array_equal(model.predict(features), expected)


def test_a_tree_elsewhere_is_refused(features: pd.DataFrame) -> None:
    """Nobody would build it again."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KDTree

    model = LogisticRegression().fit(features, features["a"] > 1)
    model.tree = KDTree(features.to_numpy())
    with pytest.raises(UntrustedModel, match="unknown place"):
        check_trees(model)


def test_parts_that_compiled_code_would_misread_are_refused(features: pd.DataFrame) -> None:
    """A spline with too few knots, and a sparse matrix whose indices point outside of it."""
    from scipy.sparse import csr_matrix
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import SplineTransformer

    splines = SplineTransformer().fit(features)
    splines.bsplines_[0].t = splines.bsplines_[0].t[:3]
    linear = LogisticRegression().fit(features, features["a"] > 1)
    linear.coef_ = csr_matrix(linear.coef_)
    linear.coef_.indices[0] = 10**6
    for model in (splines, linear):
        with pytest.raises(UntrustedModel):
            check_trees(model)


def test_a_search_that_cannot_be_saved_names_the_way_out(
    features: pd.DataFrame, adapter: FrameworkAdapter, tmp_path: Path
) -> None:
    """A scorer of one's own is code; prediction does not need it."""
    model = _search(scoring=_own_score).fit(features, (features["a"] > 1).astype(int))
    with pytest.raises(UntrustedModel, match=r"register search\.best_estimator_"):
        adapter.save(model, tmp_path / "model", input_example=features.head())
    adapter.save(model.best_estimator_, tmp_path / "model", input_example=features.head())


def _own_score(model: Any, rows: Any, labels: Any) -> float:
    return float((model.predict(rows) == labels).mean())


def test_a_library_without_an_adapter_names_the_way_out(
    features: pd.DataFrame, adapter: FrameworkAdapter, tmp_path: Path
) -> None:
    """Boosted trees of other libraries can be registered as ONNX."""
    from sklearn.linear_model import LogisticRegression

    kind = type("XGBClassifier", (LogisticRegression,), {"__module__": "xgboost.sklearn"})
    model = kind().fit(features, features["a"] > 1)
    with pytest.raises(UntrustedModel, match=r"onnxmltools.*framework='onnx'"):
        adapter.save(model, tmp_path / "model", input_example=features.head())


@pytest.mark.parametrize("kind", ["mixture", "isolation forest", "mixture of scaled columns"])
def test_clusterings_get_an_onnx_file(
    kind: str, features: pd.DataFrame, adapter: FrameworkAdapter, tmp_path: Path
) -> None:
    """Options of the export that are for classifiers alone do not stop it."""
    pytest.importorskip("skl2onnx")
    from sklearn.ensemble import IsolationForest
    from sklearn.mixture import GaussianMixture
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = {
        "mixture": GaussianMixture(2, random_state=0),
        "isolation forest": IsolationForest(n_estimators=5, random_state=0),
        "mixture of scaled columns": make_pipeline(
            StandardScaler(), GaussianMixture(2, random_state=0)
        ),
    }[kind].fit(features)
    saved = adapter.save(model, tmp_path / "model", input_example=features, model_type="clustering")

    assert saved.onnx.exported, saved.onnx.reason


def test_a_search_gets_the_onnx_file_of_its_best_model(
    features: pd.DataFrame, adapter: FrameworkAdapter, tmp_path: Path
) -> None:
    """That is what it predicts with."""
    pytest.importorskip("skl2onnx")
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import RandomizedSearchCV

    search = RandomizedSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, n_iter=2, cv=2)
    model = search.fit(features, (features["a"] > features["b"]).astype(int))

    assert adapter.save(model, tmp_path / "model", input_example=features).onnx.exported
