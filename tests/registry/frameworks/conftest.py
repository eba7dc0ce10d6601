"""Real data and fitted scikit-learn models, small, made once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from model_lifecycle.registry.frameworks import FrameworkAdapter, adapter_for

ROWS = 300

_HERE = Path(__file__).parent
#: What MLflow does with pandas 3 when it writes an example, and how it declares its own functions.
_OF_MLFLOW = (
    "ignore:Operation with range is deprecated",
    "ignore:.*Any type hint is inferred as AnyType",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(_HERE):
            for known in _OF_MLFLOW:
                item.add_marker(pytest.mark.filterwarnings(known))


def _frame() -> pd.DataFrame:
    random = np.random.default_rng(7)
    frame = pd.DataFrame(
        {
            "distance": random.normal(1000, 300, ROWS),
            "hour": random.integers(0, 24, ROWS),
            "carrier": random.choice(["AA", "DL", "UA"], ROWS),
            "origin": random.choice(["EWR", "JFK"], ROWS),
        }
    )
    frame.loc[::17, "distance"] = np.nan
    return frame


@pytest.fixture(scope="session")
def frame() -> pd.DataFrame:
    """Features with a missing value here and there, in columns of several types."""
    return _frame()


@pytest.fixture(scope="session")
def late(frame: pd.DataFrame) -> pd.Series[Any]:
    """Labels 0 and 1 that depend on the hour."""
    chance = np.random.default_rng(8).random(ROWS)
    return (chance < 1 / (1 + np.exp(6 - frame["hour"] / 2))).astype(int)


def _prepared(model: Any, *, ordinal: bool = False) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

    encoder = (
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
        if ordinal
        else OneHotEncoder(handle_unknown="ignore")
    )
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    columns = [("categories", encoder, ["carrier", "origin"]), ("n", numbers, ["distance", "hour"])]
    return make_pipeline(ColumnTransformer(columns), model)


def _builders() -> Mapping[str, Callable[[], Any]]:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.ensemble import (
        AdaBoostClassifier,
        ExtraTreesClassifier,
        GradientBoostingClassifier,
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
        IsolationForest,
        RandomForestClassifier,
        RandomForestRegressor,
        VotingClassifier,
    )
    from sklearn.feature_selection import SelectKBest
    from sklearn.linear_model import LogisticRegression, TweedieRegressor
    from sklearn.model_selection import GridSearchCV
    from sklearn.naive_bayes import GaussianNB
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.tree import DecisionTreeClassifier

    boosting = partial(HistGradientBoostingClassifier, max_iter=5)
    return {
        "logistic": lambda: _prepared(LogisticRegression()),
        "forest": lambda: _prepared(RandomForestClassifier(5, random_state=1)),
        "forest-regression": lambda: _prepared(RandomForestRegressor(5, random_state=1)),
        "extra-trees": lambda: _prepared(ExtraTreesClassifier(5, random_state=1)),
        "tree": lambda: _prepared(DecisionTreeClassifier(max_depth=3)),
        "boosting": lambda: _prepared(GradientBoostingClassifier(n_estimators=5)),
        "histogram": lambda: _prepared(boosting(categorical_features=[0, 1]), ordinal=True),
        "histogram-plain": lambda: _prepared(boosting(), ordinal=True),
        "histogram-from-dtype": lambda: boosting(categorical_features="from_dtype"),
        "histogram-poisson": lambda: _prepared(
            HistGradientBoostingRegressor(loss="poisson", max_iter=5), ordinal=True
        ),
        "adaboost": lambda: _prepared(AdaBoostClassifier(n_estimators=3)),
        "isolation": lambda: _prepared(IsolationForest(n_estimators=5, random_state=1)),
        "voting": lambda: _prepared(
            VotingClassifier([("a", LogisticRegression()), ("b", GaussianNB())], voting="soft"),
            ordinal=True,
        ),
        "calibrated": lambda: _prepared(CalibratedClassifierCV(LogisticRegression(), cv=2)),
        "grid": lambda: _prepared(GridSearchCV(LogisticRegression(), {"C": [0.1, 1]}, cv=2)),
        "selection": lambda: _prepared(make_pipeline(SelectKBest(k=2), LogisticRegression())),
        "tweedie": lambda: _prepared(TweedieRegressor(power=1.5)),
        "network": lambda: _prepared(MLPClassifier((3,), solver="lbfgs", tol=1, random_state=1)),
    }


KINDS = tuple(_builders())


@pytest.fixture(scope="session")
def fitted(frame: pd.DataFrame, late: pd.Series[Any]) -> Callable[[str], Any]:
    """A model of a kind, fitted once; each caller gets a copy."""

    @cache
    def fit(kind: str) -> Any:
        return _builders()[kind]().fit(features_of(kind, frame), late)

    return fit


def features_of(kind: str, frame: pd.DataFrame) -> pd.DataFrame:
    """The frame as the model of a kind takes it."""
    if kind == "histogram-from-dtype":
        return frame.astype({"carrier": "category", "origin": "category"})
    return frame


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of model in turn."""
    return str(request.param)


@pytest.fixture
def adapter() -> FrameworkAdapter:
    return adapter_for("sklearn")


@pytest.fixture
def saved(
    tmp_path: Path, adapter: FrameworkAdapter, frame: pd.DataFrame, fitted: Callable[[str], Any]
) -> Callable[[str], Path]:
    """Saves a model of a kind, with a signature, and gives its folder."""

    def save(kind: str) -> Path:
        folder = tmp_path / kind
        adapter.save(fitted(kind), folder, input_example=features_of(kind, frame).head())
        return folder

    return save


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A folder that a payload would make if it ran."""
    return tmp_path / "canary"
