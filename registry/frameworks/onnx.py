"""ONNX models: saved in MLflow's folder format, checked for what they name, run by onnxruntime."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_lifecycle.registry.rules.errors import InvalidDataset, InvalidInput
from model_lifecycle.registry.rules.metadata import ModelType
from model_lifecycle.registry.rules.paths import ONNX_MODEL

from .folder import keep_parity, written_whole
from .installed import require_installed
from .mlmodel import ModelFile, read_mlmodel
from .onnx_file import require_sound
from .onnx_session import OnnxPredictor
from .parity import OnnxParity
from .protocol import Column, SavedModel
from .quiet import quiet
from .requirements import pin, pinned_requirements
from .signature import example_columns

if TYPE_CHECKING:
    import pandas as pd

_FLAVOR = "onnx"
_EXAMPLE_ROWS = 5
_ITSELF = OnnxParity(difference=0.0)


class OnnxAdapter:
    """Adapter for ONNX: an ``onnx.ModelProto``, with its weights inside."""

    name = _FLAVOR

    def save(
        self,
        model: Any,
        folder: Path,
        *,
        input_example: pd.DataFrame | None,
        model_type: str = ModelType.CLASSIFICATION.value,
    ) -> SavedModel:
        """Write ``model`` into the absent or empty folder.

        On an error the folder is empty again. Raises UntrustedModel for weights outside of the
        model, InvalidInput for what is no sound model and for an example it cannot predict.
        """
        require_installed(_FLAVOR, "onnx", "onnxruntime")
        import onnx

        if not isinstance(model, onnx.ModelProto):
            raise InvalidInput(
                f"model must be an onnx.ModelProto, not {type(model).__name__}", field="model"
            )
        columns = example_columns(input_example) if input_example is not None else None
        folder.mkdir(parents=True, exist_ok=True)
        with written_whole(folder):
            file = folder / ONNX_MODEL
            onnx.save_model(model, file)
            require_sound(file)
            signature = _signature(file, columns, input_example, model_type)
            shutil.rmtree(folder)
            self._write(model, folder, signature, input_example)
            keep_parity(folder, _ITSELF)
        return self.check(folder)

    def check(self, folder: Path) -> SavedModel:
        """What is saved in ``folder``, without computing anything. Raises UntrustedModel for
        weights elsewhere, InvalidInput for what is no sound ONNX model."""
        file = read_mlmodel(folder)
        path = _payload(file)
        require_sound(path)
        version = str(file.flavor(_FLAVOR).get("onnx_version", "unknown"))
        requirements = file.requirements() or (pin("onnx"), *_runtime())
        return SavedModel(
            requirements,
            file.columns,
            {"serialization": "onnx", "onnx": version},
            onnx=_ITSELF if path == folder / ONNX_MODEL else file.parity(),
        )

    def load(
        self, folder: Path, *, model_type: str = ModelType.CLASSIFICATION.value
    ) -> OnnxPredictor:
        """The model in ``folder``, on the CPU; what its MLmodel file says of providers and
        options is not followed. Raises UntrustedModel, InvalidInput."""
        require_installed(_FLAVOR, "onnx", "onnxruntime")
        file = read_mlmodel(folder)
        path = _payload(file)
        require_sound(path)
        return OnnxPredictor(path, file.columns, model_type)

    def _write(self, model: Any, folder: Path, signature: Any, example: Any) -> None:
        with quiet():
            import mlflow.onnx

        pins, _ = pinned_requirements(
            {"onnx", "onnxruntime", "numpy", "pandas"}, always=("mlflow",), follow=False
        )
        with quiet():
            mlflow.onnx.save_model(
                model,
                str(folder),
                pip_requirements=list(pins),
                signature=signature,
                input_example=None if example is None else example.head(_EXAMPLE_ROWS),
                save_as_external_data=False,
            )


def _payload(file: ModelFile) -> Path:
    return file.payload(file.flavor(_FLAVOR).get("data"))


def _runtime() -> tuple[str, ...]:
    from importlib.util import find_spec

    return (pin("onnxruntime"),) if find_spec("onnxruntime") else ()


def _signature(
    file: Path,
    columns: tuple[Column, ...] | None,
    example: pd.DataFrame | None,
    model_type: str,
) -> Any:
    """MLflow's signature; answering the example shows that the model and its columns fit."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema, TensorSpec

    predictor = OnnxPredictor(file, columns, model_type)
    if columns is None or example is None:
        return False  # tells MLflow not to infer one
    try:
        predictions = predictor.predict(example.head(_EXAMPLE_ROWS))
    except InvalidDataset as error:
        raise InvalidInput(
            f"the model does not predict its input_example: {error}", field="input_example"
        ) from error
    inputs = Schema([ColSpec(column.type, column.name) for column in columns])
    return ModelSignature(inputs, Schema([TensorSpec(predictions.dtype, (-1,))]))
