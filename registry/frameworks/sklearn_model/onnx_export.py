"""scikit-learn models as ONNX, by skl2onnx."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..protocol import Column


def to_onnx(model: Any, columns: Sequence[Column], file: Path) -> None:
    """Write ``model`` as ONNX: numbers go in as one matrix where that will do, else each column
    is an input of its own. Raises what skl2onnx raises for models that it cannot convert."""
    from skl2onnx.common.data_types import FloatTensorType
    from sklearn.base import BaseEstimator

    if isinstance(getattr(model, "best_estimator_", None), BaseEstimator):
        model = model.best_estimator_  # what a search predicts with
    single = [(column.name, _type(column)) for column in columns]
    if all(isinstance(kind, FloatTensorType) for _, kind in single) and not _chooses(model):
        single = [("features", FloatTensorType([None, len(columns)]))]
    file.write_bytes(_converted(model, single).SerializeToString())


def _converted(model: Any, types: Any) -> Any:
    from skl2onnx import get_latest_tested_opset_version, to_onnx

    # Some converters, such as that of IsolationForest, know the trees of this version only.
    opsets = {"": get_latest_tested_opset_version(), "ai.onnx.ml": 3}
    if not hasattr(model, "predict_proba"):
        return to_onnx(model, initial_types=types, target_opset=opsets)
    try:
        options = {id(model): {"zipmap": False}}
        return to_onnx(model, initial_types=types, options=options, target_opset=opsets)
    except NameError:
        # A mixture has probabilities too, and never gives them as a map: it has no such option.
        return to_onnx(model, initial_types=types, target_opset=opsets)


def _type(column: Column) -> Any:
    from skl2onnx.common import data_types

    if column.type == "string":
        return data_types.StringTensorType([None, 1])
    if column.type in ("boolean", "integer", "long", "float", "double"):
        return data_types.FloatTensorType([None, 1])
    raise TypeError(f"column {column.name!r} is {column.type}, for which ONNX has no type")


def _chooses(model: Any) -> bool:
    """Whether a part of the model picks columns by their names."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

    if isinstance(model, Pipeline):
        return any(_chooses(step) for _, step in model.steps)
    return isinstance(model, ColumnTransformer)
