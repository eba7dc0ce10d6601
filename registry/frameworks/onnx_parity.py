"""The largest differences between a model and its ONNX file, recorded in its ``MLmodel`` file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

#: Largest difference at which ``model.onnx`` is kept. ONNX computes in single precision: about
#: 1e-7 a step, so that 1e-5 leaves room for some hundred steps and none for another model.
TOLERANCE = 1e-5
#: Rows of the input example that are compared, and the key in MLmodel's metadata.
ROWS = 1000
KEY = "onnx_parity"


@dataclass(frozen=True)
class OnnxParity:
    """``difference`` is the largest over ``rows`` rows of the input example, in probability or
    relative to the prediction; None where there is no ``model.onnx``, and ``reason`` says why."""

    difference: float | None = None
    rows: int = 0
    converter: str = ""
    reason: str = ""

    @property
    def exported(self) -> bool:
        return self.difference is not None

    def document(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_document(cls, document: Any) -> OnnxParity | None:
        """Parse a :meth:`document`; None for anything else."""
        if not isinstance(document, Mapping) or set(document) != set(asdict(cls())):
            return None
        parity = cls(**document)
        texts = isinstance(parity.converter, str) and isinstance(parity.reason, str)
        is_count = isinstance(parity.rows, int) and not isinstance(parity.rows, bool)
        number = parity.difference is None or (
            isinstance(parity.difference, float) and 0 <= parity.difference <= TOLERANCE
        )
        return (
            parity
            if texts and is_count and number and bool(parity.reason) != parity.exported
            else None
        )

    def sentence(self) -> str:
        """For the model card."""
        if self.difference is None:
            return f"There is no checked model.onnx: {self.reason}."
        if not self.rows:
            return "The model is an ONNX file itself."
        return (
            f"model.onnx was made by {self.converter}. On {self.rows} rows of the input example "
            f"its largest difference from the model is {self.difference:.2g}; at most "
            f"{TOLERANCE:g} is allowed."
        )


def not_exported() -> OnnxParity:
    """For a model that was saved elsewhere."""
    return OnnxParity(reason="it was not exported when the model was saved")


def largest_difference(
    model: tuple[np.ndarray, np.ndarray | None], onnx: tuple[np.ndarray, np.ndarray | None]
) -> float:
    """Between two pairs of predictions and scores of the same rows; infinite where a label
    differs or one of the two has no scores. Predicted numbers count relative to their size,
    where that is above 1."""
    import numpy as np

    (expected, expected_scores), (got, scores) = model, onnx
    if expected.shape != got.shape or (expected_scores is None) != (scores is None):
        return math.inf
    if expected_scores is not None and scores is not None and expected_scores.shape != scores.shape:
        return math.inf
    differences = [0.0]
    if expected.dtype.kind == "f":
        size = np.maximum(1.0, np.abs(expected))
        differences.append(_largest(np.abs(expected - got.astype(float)) / size))
    elif not (expected.astype(object) == got.astype(object)).all():
        return math.inf
    if expected_scores is not None and scores is not None:
        differences.append(_largest(np.abs(expected_scores - scores)))
    return max(differences)


def _largest(differences: np.ndarray) -> float:
    import numpy as np

    largest = float(np.max(differences, initial=0.0))
    return math.inf if math.isnan(largest) else largest
