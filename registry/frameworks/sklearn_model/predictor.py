"""A loaded scikit-learn model behind the protocol of predictors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from model_lifecycle.registry.domain.errors import InvalidDataset, InvalidInput

from ..protocol import ClusterFit, Column
from ..signature import select_columns

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


class SklearnPredictor:
    """``model`` with the columns of its signature; without one, the names it was fitted with are
    selected, and a model fitted without names gets the frame as it is."""

    def __init__(self, model: Any, columns: Sequence[Column] | None) -> None:
        self.model = model
        self._columns = tuple(columns) if columns is not None else None

    def __repr__(self) -> str:
        return f"SklearnPredictor({type(self.model).__name__})"

    @property
    def columns(self) -> Sequence[Column] | None:
        return self._columns

    @property
    def classes(self) -> Sequence[Any] | None:
        named = getattr(self.model, "classes_", None)
        if named is not None and hasattr(named, "tolist"):
            return tuple(named.tolist())
        final = self._final()
        count = getattr(final, "n_components", None) if _is_mixture(final) else None
        if hasattr(final, "cluster_centers_"):
            count = len(final.cluster_centers_)
        return None if count is None else tuple(range(int(count)))

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """One prediction a row. Raises :class:`InvalidDataset` for frames that do not match the
        signature and for values that the model cannot take, and :class:`InvalidInput` for a model
        that does not give one prediction a row."""
        import numpy as np

        answers = np.asarray(self._ask("predict", frame))
        if answers.dtype.kind in "SU":
            # Text of a fixed width: of what width depends on the classes, and on nothing else.
            answers = answers.astype(str).astype(object)
        if answers.ndim == 2 and answers.shape[1] == 1:
            answers = answers[:, 0]
        if answers.shape != (len(frame),):
            raise InvalidInput(_misshapen(answers.shape, len(frame)), field="model")
        return answers

    def scores(self, frame: pd.DataFrame) -> np.ndarray | None:
        """P(second class) for two classes, P(each class) for more; None without probabilities.

        Classes are in the order of the model's ``classes_``, so that the positive one of 0 and 1,
        or of False and True, is the second.
        """
        import numpy as np

        if not hasattr(self.model, "predict_proba"):
            return None
        answers: np.ndarray = np.asarray(self._ask("predict_proba", frame))
        return answers[:, 1] if answers.ndim == 2 and answers.shape[1] == 2 else answers

    def cluster_fit(self, frame: pd.DataFrame, measure: ClusterFit) -> np.ndarray | None:
        """``inertia`` of a model with centres, as KMeans; ``log_likelihood`` of a mixture."""
        import numpy as np

        final = self._final()
        if measure == "inertia" and hasattr(final, "cluster_centers_") and _transforms(self.model):
            distances = np.asarray(self._ask("transform", frame), dtype=float)
            return np.asarray(distances.min(axis=1) ** 2)
        if measure == "log_likelihood" and _is_mixture(final):
            return np.asarray(self._ask("score_samples", frame), dtype=float)
        return None

    def _final(self) -> Any:
        """The last step of a pipeline, or the model itself."""
        steps = getattr(self.model, "steps", None)
        return steps[-1][1] if isinstance(steps, list) and steps else self.model

    def _ask(self, method: str, frame: pd.DataFrame) -> Any:
        selected = select_columns(frame, self._columns or self._fitted_with())
        try:
            return getattr(self.model, method)(selected)
        except Exception as error:
            # Estimators are anybody's code, and raise whatever they like.
            raise InvalidDataset(f"the model cannot predict these rows: {error}") from error

    def _fitted_with(self) -> tuple[Column, ...]:
        names = getattr(self.model, "feature_names_in_", ())
        return tuple(Column(str(name), "any") for name in names)


def _transforms(model: Any) -> bool:
    return hasattr(model, "transform")


def _is_mixture(model: Any) -> bool:
    from sklearn.mixture import BayesianGaussianMixture, GaussianMixture

    return isinstance(model, GaussianMixture | BayesianGaussianMixture)


def _misshapen(shape: tuple[int, ...], rows: int) -> str:
    """Why predictions have this shape instead of one a row, and what to do."""
    if len(shape) == 2 and shape[0] == rows:
        return (
            f"the model gives {shape[1]} predictions a row (shape {shape} for {rows} rows), but "
            "one is needed: it has several targets; register one model for each target"
        )
    return (
        f"the model gives predictions of shape {shape} for a frame of {rows} rows, but one a row "
        "is needed: it takes the frame as one item, as a text vectorizer that was fitted on a "
        'Series does; let it pick its column, such as ColumnTransformer([("text", '
        'TfidfVectorizer(), "text")]), and fit it on the frame'
    )
