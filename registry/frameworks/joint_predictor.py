"""A predictor whose predictions and scores come from one computation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .protocol import ClusterFit, Column

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


class JointPredictor(ABC):
    """Base of the predictors of networks and ONNX models: one call gives all outputs."""

    _columns: tuple[Column, ...] | None

    @property
    def columns(self) -> Sequence[Column] | None:
        return self._columns

    @property
    def classes(self) -> Sequence[Any] | None:
        return None

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """One prediction a row. Raises :class:`InvalidDataset` for frames that do not match the
        signature and for values that the model does not accept."""
        return self.answers(frame)[0]

    def scores(self, frame: pd.DataFrame) -> np.ndarray | None:
        """P(second class) for two classes, P(each class) for more; None where there are none."""
        return self.answers(frame)[1]

    def cluster_fit(self, frame: pd.DataFrame, measure: ClusterFit) -> np.ndarray | None:
        return None

    @abstractmethod
    def answers(self, frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray | None]:
        """Predictions and scores at once."""
