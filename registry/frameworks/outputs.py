"""What the numbers that a network gives mean: predictions, and scores where it classifies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_lifecycle.registry.rules.errors import InvalidDataset, InvalidInput
from model_lifecycle.registry.rules.metadata import ModelType

if TYPE_CHECKING:
    import numpy as np

#: How far a row of probabilities may be from 1 in sum: single precision over many classes.
_SUM = 1e-3


def meaning(output: np.ndarray, rows: int, model_type: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Predictions, shape ``(rows,)``, and scores.

    Whole numbers and texts are predictions. Of a classifier, one number a row is the probability
    of class 1, and several are those of classes 0, 1, …; the prediction is the likeliest class.
    Other models give one number a row. Raises :class:`InvalidDataset` for other shapes.
    """
    import numpy as np

    if output.ndim == 2 and output.shape[1] == 1:
        output = output[:, 0]
    if output.shape[:1] != (rows,) or output.ndim not in (1, 2):
        raise InvalidDataset(f"the model gives answers of shape {output.shape} for {rows} rows")
    if output.dtype.kind != "f" and output.ndim == 1:
        return output, None
    values = output.astype(np.float64)
    if model_type == ModelType.CLASSIFICATION:
        return _classes(values)
    if values.ndim == 1:
        return values, None
    raise InvalidDataset(
        f"the model gives {values.shape[1]} numbers a row, but a {model_type} model gives one"
    )


def require_probabilities(output: np.ndarray, model_type: str) -> None:
    """Raise :class:`InvalidInput` unless a classifier's output is probabilities: the gates judge
    scores from 0 to 1, and logits would fail there, on every row."""
    import numpy as np

    if model_type != ModelType.CLASSIFICATION or output.dtype.kind != "f":
        return
    inside = bool(np.all((output >= 0) & (output <= 1)))
    several = output.ndim == 2 and output.shape[1] > 1
    if inside and (not several or bool(np.all(np.abs(output.sum(axis=1) - 1) <= _SUM))):
        return
    raise InvalidInput(
        "a classifier must give probabilities: one from 0 to 1 a row, or one a class, which sum "
        "to 1; end the network with a sigmoid or a softmax",
        field="model",
    )


def scores_of(probabilities: np.ndarray) -> np.ndarray:
    """The scores of a table of probabilities, one column a class."""
    two = probabilities.ndim == 2 and probabilities.shape[1] == 2
    return probabilities[:, 1] if two else probabilities


def _classes(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    import numpy as np

    if values.ndim == 1:
        return (values >= 0.5).astype(np.int64), values
    return values.argmax(axis=1), scores_of(values)
