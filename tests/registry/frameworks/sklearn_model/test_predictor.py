"""Classes, clusters and shapes of a loaded scikit-learn model."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.ensemble import IsolationForest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from model_lifecycle.registry.domain.errors import InvalidInput
from model_lifecycle.registry.frameworks.sklearn_model.predictor import SklearnPredictor

_COUNT = {KMeans: "n_clusters", MiniBatchKMeans: "n_clusters"}


@pytest.fixture
def rows() -> pd.DataFrame:
    return pd.DataFrame(np.random.default_rng(0).normal(size=(200, 3)), columns=list("abc"))


def test_classes_of_a_classifier(rows: pd.DataFrame) -> None:
    """The classes come in the order of the probabilities, also through a pipeline."""
    labels = np.where(rows["a"] > 0, "yes", "no")
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, labels)

    assert SklearnPredictor(model, None).classes == ("no", "yes")


@pytest.mark.parametrize("kind", [KMeans, MiniBatchKMeans, GaussianMixture])
def test_clusters_of_a_clustering(
    rows: pd.DataFrame, kind: type[KMeans | MiniBatchKMeans | GaussianMixture]
) -> None:
    """A clustering names every cluster that it has, whether or not rows fall into it."""
    model = make_pipeline(
        StandardScaler(), kind(**{_COUNT.get(kind, "n_components"): 4}, random_state=0)
    ).fit(rows)

    assert SklearnPredictor(model, None).classes == (0, 1, 2, 3)


def test_regression_has_no_classes(rows: pd.DataFrame) -> None:
    assert SklearnPredictor(Ridge().fit(rows, rows["a"]), None).classes is None


@pytest.mark.parametrize("kind", [KMeans, MiniBatchKMeans])
def test_inertia_as_scikit_learn_has_it(
    rows: pd.DataFrame, kind: type[KMeans | MiniBatchKMeans]
) -> None:
    """The rows' inertia sums to what the model itself gives."""
    model = kind(3, random_state=0).fit(rows)

    inertia = SklearnPredictor(model, None).cluster_fit(rows, "inertia")

    assert inertia is not None
    assert inertia.sum() == pytest.approx(-model.score(rows), rel=1e-9)


def test_log_likelihood_as_scikit_learn_has_it(rows: pd.DataFrame) -> None:
    """The rows' log-likelihood has the mean that the model itself gives."""
    model = make_pipeline(StandardScaler(), GaussianMixture(2, random_state=0)).fit(rows)

    fit = SklearnPredictor(model, None).cluster_fit(rows, "log_likelihood")

    assert fit is not None
    assert fit.mean() == pytest.approx(model.score(rows), rel=1e-9)


@pytest.mark.parametrize(
    ("model", "measure"),
    [
        (KMeans(2, random_state=0), "log_likelihood"),
        (GaussianMixture(2), "inertia"),
        (IsolationForest(random_state=0), "log_likelihood"),
    ],
)
def test_measure_that_a_model_lacks(
    rows: pd.DataFrame,
    model: KMeans | GaussianMixture | IsolationForest,
    measure: Literal["inertia", "log_likelihood"],
) -> None:
    """A score that is no log-likelihood, and centres that do not exist, are not made up."""
    assert SklearnPredictor(model.fit(rows), None).cluster_fit(rows, measure) is None


def test_several_targets(rows: pd.DataFrame) -> None:
    """A model with several targets is named as the cause, not the rows."""
    model = Ridge().fit(rows, rows[["a", "b"]])

    with pytest.raises(InvalidInput, match="one model for each target") as caught:
        SklearnPredictor(model, None).predict(rows)

    assert caught.value.field == "model"


def test_fitted_on_a_series() -> None:
    """A text model that takes a frame as one document says what to fit instead."""
    texts = pd.DataFrame({"text": ["good", "bad", "good", "bad", "late"]})
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(
        texts["text"], [1, 0, 1, 0, 0]
    )

    with pytest.raises(InvalidInput, match="ColumnTransformer"):
        SklearnPredictor(model, None).predict(texts)
