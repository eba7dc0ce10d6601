"""TensorFlow models: saved as ``.keras`` in MLflow's folder format, loaded in Keras's safe mode."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_lifecycle.registry.rules.errors import InvalidDataset, InvalidInput, UntrustedModel
from model_lifecycle.registry.rules.metadata import ModelType

from . import keras_archive
from .folder import keep_parity, network_signature, sign, written_whole
from .installed import require_installed
from .mlmodel import ModelFile, read_mlmodel
from .network import NetworkPredictor, matrix, require_example, require_numbers
from .onnx_export import exported
from .outputs import require_probabilities
from .parity import ROWS
from .protocol import Column, SavedModel
from .quiet import quiet
from .requirements import pinned_requirements
from .signature import example_columns

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_FLAVOR = "tensorflow"
_MODEL = "model.keras"
_EXAMPLE_ROWS = 5


class TensorflowAdapter:
    """Adapter for TensorFlow: a Keras model with one input, filled from the columns in the order
    of the input example. ``extra_types`` are classes trusted beside Keras's own, as
    ``module.Class``; whoever loads the model has registered them with Keras."""

    name = _FLAVOR

    def __init__(self, extra_types: Iterable[str] = ()) -> None:
        self.extra_types = tuple(extra_types)

    def save(
        self,
        model: Any,
        folder: Path,
        *,
        input_example: pd.DataFrame | None,
        model_type: str = ModelType.CLASSIFICATION.value,
    ) -> SavedModel:
        """Write ``model`` into the absent or empty folder.

        On an error the folder is empty again. Raises UntrustedModel for Lambda layers and other
        classes that nobody reviewed; InvalidInput for what is no Keras model, cannot predict the
        example, or gives something else than probabilities where it classifies.
        """
        keras = _keras()
        if not isinstance(model, keras.Model):
            raise InvalidInput(
                f"model must be a keras.Model, not {type(model).__name__}", field="model"
            )
        example = require_example(input_example, _FLAVOR)
        columns = example_columns(example)
        require_numbers(columns)
        _require_answers(model, example, columns, model_type)
        with written_whole(folder):
            self._write(model, folder, example, columns)
            self.check(folder)
            parity = exported(
                folder,
                converter="tf2onnx {tf2onnx}",
                needs=("onnx", "onnxruntime", "tf2onnx"),
                write=lambda file: _to_onnx(model, file),
                model=self.load(folder, model_type=model_type).answers,
                example=example,
                columns=columns,
                model_type=model_type,
            )
            keep_parity(folder, parity)
        return self.check(folder)

    def check(self, folder: Path) -> SavedModel:
        """What is saved in ``folder``, without loading it and without TensorFlow. Raises
        UntrustedModel for what :meth:`load` would refuse by name, InvalidInput for what is no
        Keras model."""
        file = read_mlmodel(folder)
        keras_archive.require_reviewed(_payload(file), self.extra_types)
        return SavedModel(
            file.requirements(), file.columns, {"serialization": "keras"}, onnx=file.parity()
        )

    def load(
        self, folder: Path, *, model_type: str = ModelType.CLASSIFICATION.value
    ) -> NetworkPredictor:
        """The model in ``folder``, built of reviewed layers only, not compiled. Raises
        UntrustedModel."""
        file = read_mlmodel(folder)
        path = _payload(file)
        keras_archive.require_reviewed(path, self.extra_types)
        keras = _keras()
        keras_archive.require_own_weights(path)
        try:
            with quiet():
                model = keras.saving.load_model(path, compile=False, safe_mode=True)
        except Exception as error:
            # Reviewed parts that do not fit together raise whatever they like.
            raise UntrustedModel(f"the Keras model cannot be loaded: {error!s:.300}") from error
        return NetworkPredictor(_runner(model), file.columns, model_type, shown=model.name)

    def _write(
        self, model: Any, folder: Path, example: pd.DataFrame, columns: tuple[Column, ...]
    ) -> None:
        with quiet():
            import mlflow.tensorflow
        from mlflow.models import ModelSignature
        from mlflow.types import Schema, TensorSpec

        pins, _ = pinned_requirements(
            {"tensorflow", "keras", "numpy", "pandas"}, always=("mlflow",), follow=False
        )
        rows = matrix(example.head(_EXAMPLE_ROWS), columns)
        shape = Schema([TensorSpec(rows.dtype, (-1, rows.shape[1]))])
        with quiet():
            mlflow.tensorflow.save_model(
                model,
                str(folder),
                pip_requirements=list(pins),
                signature=ModelSignature(shape),
                input_example=example.head(_EXAMPLE_ROWS),
            )
        sign(folder, network_signature(columns, module_output=_runner(model)(rows)))


def _keras() -> Any:
    """Keras on TensorFlow. TensorFlow writes a page about itself when it starts; that is asked
    to stay away, unless somebody has said otherwise."""
    require_installed(_FLAVOR, "tensorflow", "keras")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quiet():
        import keras
    if keras.backend.backend() != _FLAVOR:
        raise InvalidInput(
            f"Keras runs on {keras.backend.backend()} here; set KERAS_BACKEND=tensorflow",
            field="framework",
        )
    return keras


def _payload(file: ModelFile) -> Path:
    flavor = file.flavor(_FLAVOR)
    if flavor.get("model_type") != "keras" or not file.holds(f"{flavor.get('data')}/{_MODEL}"):
        raise UntrustedModel(
            "the model is no .keras file, and other forms hold code or graphs that nobody can "
            "review; save it as a Keras model"
        )
    return file.payload(f"{flavor.get('data')}/{_MODEL}")


def _input_shape(model: Any) -> list[int]:
    if len(model.inputs) != 1:
        raise InvalidInput(
            f"the Keras model has {len(model.inputs)} inputs, but its columns fill one",
            field="model",
        )
    return [size or -1 for size in model.inputs[0].shape[1:]]


def _runner(model: Any) -> Callable[[np.ndarray], np.ndarray]:
    shape = _input_shape(model)

    def run(rows: np.ndarray) -> np.ndarray:
        import numpy as np

        if min(shape) > 0 and math.prod(shape) != rows.shape[1]:
            raise InvalidDataset(
                f"the model takes {math.prod(shape)} numbers a row, not {rows.shape[1]}"
            )
        return np.asarray(model(rows.reshape(-1, *shape), training=False))

    return run


def _require_answers(
    model: Any, example: pd.DataFrame, columns: tuple[Column, ...], model_type: str
) -> None:
    predictor = NetworkPredictor(_runner(model), columns, model_type, shown=model.name)
    try:
        output = predictor.output(example.head(ROWS))
        predictor.answers(example.head(ROWS))
    except InvalidDataset as error:
        raise InvalidInput(
            f"the model does not predict its input_example: {error}", field="input_example"
        ) from error
    require_probabilities(output, model_type)


def _to_onnx(model: Any, file: Path) -> None:
    import tensorflow as tf
    import tf2onnx

    shape = [None, *(size if size > 0 else None for size in _input_shape(model))]
    inputs = (tf.TensorSpec(shape, tf.float32, name="features"),)

    @tf.function(input_signature=inputs)  # type: ignore[untyped-decorator]
    def call(features: Any) -> Any:
        return model(features, training=False)

    tf2onnx.convert.from_function(call, input_signature=inputs, output_path=str(file))
