"""A loaded scikit-learn model behind the protocol of predictors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from model_lifecycle.registry.rules.errors import InvalidDataset

from .protocol import Column
from .signature import select_columns

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

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """One prediction a row. Raises :class:`InvalidDataset` for frames that do not match the
        signature and for values that the model cannot take."""
        import numpy as np

        answers = np.asarray(self._ask("predict", frame))
        if answers.ndim == 2 and answers.shape[1] == 1:
            answers = answers[:, 0]
        if answers.shape != (len(frame),):
            raise InvalidDataset(
                f"the model gives predictions of shape {answers.shape} for {len(frame)} rows"
            )
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

    def _ask(self, method: str, frame: pd.DataFrame) -> Any:
        selected = select_columns(frame, self._columns or self._fitted_with())
        try:
            return getattr(self.model, method)(selected)
        except (ValueError, TypeError) as error:
            raise InvalidDataset(f"the model cannot predict these rows: {error}") from error

    def _fitted_with(self) -> tuple[Column, ...]:
        names = getattr(self.model, "feature_names_in_", ())
        return tuple(Column(str(name), "any") for name in names)
