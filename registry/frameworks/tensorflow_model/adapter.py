"""TensorFlow models: saved as ``.keras`` in MLflow's folder format, loaded in Keras's safe mode."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_lifecycle.registry.domain.errors import InvalidDataset, InvalidInput, UntrustedModel
from model_lifecycle.registry.domain.model_outputs import ModelOutputs
from model_lifecycle.registry.domain.models import ModelType

from ..dependencies import require_installed
from ..input_arrays import input_array
from ..mlflow_folder import (
    atomic_write,
    network_signature,
    record_outputs,
    write_parity,
    write_signature,
)
from ..mlmodel import ModelFile, read_mlmodel
from ..onnx_model.export import exported
from ..onnx_parity import ROWS
from ..protocol import UNDECLARED, SavedModel
from ..requirements import pinned_requirements
from ..signature import example_columns, select_columns
from ..suppress_output import quiet
from ..tensor_predictor import (
    NetworkPredictor,
    Run,
    require_answers,
    require_example,
    require_numbers,
)
from . import keras_archive
from .keras_graph import as_graph

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_FLAVOR = "tensorflow"
_MODEL = "model.keras"
_EXAMPLE_ROWS = 5


class TensorflowAdapter:
    """Adapter for TensorFlow: a Keras model with one input, filled from the columns in the order
    of the input example. ``extra_types`` are classes trusted beside Keras's own, as
    ``module.Class``; the process that loads the model has to register them with Keras."""

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
        outputs: ModelOutputs = UNDECLARED,
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
        model = as_graph(model, columns)
        element = _input_element(model)
        run = _runner(model)
        chosen = require_answers(
            NetworkPredictor(
                run, columns, model_type, label=model.name, element=element, outputs=outputs
            ),
            example.head(ROWS),
            outputs,
            model_type,
        )
        rows = input_array(select_columns(example.head(_EXAMPLE_ROWS), columns), element)
        names = list(run(rows))
        with atomic_write(folder):
            self._write(model, folder, example, rows)
            write_signature(folder, network_signature(columns, run(rows)))
            record_outputs(folder, chosen)
            self.check(folder, model_type=model_type)
            parity = exported(
                folder,
                converter="tf2onnx {tf2onnx}",
                needs=("onnx", "onnxruntime", "tf2onnx"),
                write=lambda file: _to_onnx(model, names, file),
                model=self.load(folder, model_type=model_type).answers,
                example=example,
                columns=columns,
                model_type=model_type,
                outputs=chosen,
            )
            write_parity(folder, parity)
        return self.check(folder, model_type=model_type)

    def check(
        self, folder: Path, *, model_type: str = ModelType.CLASSIFICATION.value
    ) -> SavedModel:
        """Describe the model in ``folder`` without loading it and without TensorFlow. Raises
        UntrustedModel for what :meth:`load` would refuse by name, InvalidInput for what is no
        Keras model."""
        file = read_mlmodel(folder)
        keras_archive.require_reviewed(_payload(file), self.extra_types)
        return SavedModel(
            file.requirements(),
            file.columns,
            {"serialization": "keras", **file.outputs().notes()},
            onnx=file.parity(),
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
        return NetworkPredictor(
            _runner(model),
            file.columns,
            model_type,
            label=model.name,
            element=_input_element(model),
            outputs=file.outputs(),
        )

    def _write(self, model: Any, folder: Path, example: pd.DataFrame, rows: np.ndarray) -> None:
        with quiet():
            import mlflow.tensorflow
        from mlflow.models import ModelSignature
        from mlflow.types import Schema, TensorSpec

        pins, _ = pinned_requirements(
            {"tensorflow", "keras", "numpy", "pandas"}, always=("mlflow",), follow=False
        )
        shape = Schema([TensorSpec(rows.dtype, (-1, rows.shape[1]))])
        try:
            with quiet():
                mlflow.tensorflow.save_model(
                    model,
                    str(folder),
                    pip_requirements=list(pins),
                    signature=ModelSignature(shape),
                    input_example=example.head(_EXAMPLE_ROWS),
                )
        except Exception as error:
            # Saving asks every layer for its configuration, and layers are anybody's code.
            raise InvalidInput(
                f"the Keras model cannot be saved: {_reason(error)}", field="model"
            ) from error


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
    return [size or -1 for size in model.inputs[0].shape[1:]]


def _input_element(model: Any) -> str:
    """numpy's name for the type of the model's input."""
    element = str(getattr(model.inputs[0].dtype, "name", model.inputs[0].dtype))
    if element in ("string", "bfloat16"):
        raise InvalidInput(
            f"the Keras model's input is {element}, which no column can fill; give it an input of "
            "numbers",
            field="model",
        )
    return element


def _runner(model: Any) -> Run:
    shape = _input_shape(model)

    def run(rows: np.ndarray) -> dict[str, np.ndarray]:
        import numpy as np

        fixed = min(shape, default=1) > 0
        if fixed and math.prod(shape) != rows.shape[1]:
            raise InvalidDataset(
                f"the model takes {math.prod(shape)} numbers a row, not {rows.shape[1]}"
            )
        values = rows.reshape(-1, *shape) if fixed or shape.count(-1) == 1 else rows
        outputs = _named(model, model(values, training=False))
        return {name: np.asarray(value) for name, value in outputs.items()}

    return run


def _named(model: Any, output: Any) -> dict[str, Any]:
    """The outputs by name: keys of a dict, or the names of the layers that give them."""
    if isinstance(output, Mapping):
        return {str(name): value for name, value in output.items()}
    if not isinstance(output, list | tuple):
        return {"output": output}
    own = [str(name) for name in getattr(model, "output_names", ())]
    distinct = len(set(own)) == len(output)
    names = own if distinct else [f"output_{at}" for at in range(len(output))]
    return dict(zip(names, output, strict=True))


def _to_onnx(model: Any, names: list[str], file: Path) -> None:
    import onnx
    import tensorflow as tf
    import tf2onnx

    shape = [None, *(size if size > 0 else None for size in _input_shape(model))]
    inputs = (tf.TensorSpec(shape, _input_element(model), name="features"),)

    @tf.function(input_signature=inputs)  # type: ignore[untyped-decorator]  # no types
    def call(features: Any) -> Any:
        return list(_named(model, model(features, training=False)).values())

    converted, _ = tf2onnx.convert.from_function(call, input_signature=inputs)
    _rename_outputs(converted.graph, names)
    onnx.save_model(converted, str(file))


def _rename_outputs(graph: Any, names: list[str]) -> None:
    """The outputs by the model's own names; the converter numbers them, in their order."""
    import onnx

    for output, name in zip(list(graph.output), names, strict=True):
        if output.name != name:
            graph.node.append(onnx.helper.make_node("Identity", [output.name], [f"{name}"]))
            output.name = name


def _reason(error: Exception) -> str:
    return f"{' '.join(str(error).split()):.300}"
