"""ONNX models: saved in MLflow's folder format, checked for what they name, run by onnxruntime."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_lifecycle.registry.domain.artifact_paths import ONNX_MODEL
from model_lifecycle.registry.domain.errors import InvalidDataset, InvalidInput
from model_lifecycle.registry.domain.model_outputs import ModelOutputs
from model_lifecycle.registry.domain.models import ModelType

from ..dependencies import require_installed
from ..mlflow_folder import atomic_write, output_spec, record_outputs, write_parity
from ..mlmodel import ModelFile, read_mlmodel
from ..onnx_parity import ROWS, OnnxParity
from ..outputs import choose_outputs, require_probabilities
from ..protocol import UNDECLARED, Column, SavedModel
from ..requirements import pin, pinned_requirements
from ..signature import example_columns
from ..suppress_output import quiet
from .predictor import OnnxPredictor
from .validation import output_specs, require_sound

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
        outputs: ModelOutputs = UNDECLARED,
    ) -> SavedModel:
        """Write ``model`` into the absent or empty folder.

        On an error the folder is empty again. Raises UntrustedModel for weights outside of the
        model; InvalidInput for what is no sound model, an example it cannot predict, outputs that
        leave a choice which ``outputs`` does not make, and scores that are no probabilities.
        """
        require_installed(_FLAVOR, "onnx", "onnxruntime")
        import onnx

        if not isinstance(model, onnx.ModelProto):
            raise InvalidInput(
                f"model must be an onnx.ModelProto, not {type(model).__name__}", field="model"
            )
        columns = example_columns(input_example) if input_example is not None else None
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(folder):
            file = folder / ONNX_MODEL
            onnx.save_model(model, file)
            require_sound(file)
            predictor = OnnxPredictor(file, columns, model_type, outputs)
            signature = _signature(predictor, columns, input_example)
            shutil.rmtree(folder)
            self._write(model, folder, signature, input_example)
            write_parity(folder, _ITSELF)
            several = len(predictor.output_specs) > 1
            record_outputs(folder, predictor.outputs if several else outputs)
        return self.check(folder, model_type=model_type)

    def check(
        self, folder: Path, *, model_type: str = ModelType.CLASSIFICATION.value
    ) -> SavedModel:
        """Describe the model in ``folder`` without computing anything. Raises UntrustedModel for
        weights elsewhere; InvalidInput for what is no sound ONNX model, and for outputs of which
        none is named and more than one could be meant."""
        file = read_mlmodel(folder)
        path = _payload(file)
        require_sound(path)
        chosen = choose_outputs(output_specs(path), file.outputs(), model_type)
        version = str(file.flavor(_FLAVOR).get("onnx_version", "unknown"))
        requirements = file.requirements() or (pin("onnx"), *_runtime())
        return SavedModel(
            requirements,
            file.columns,
            {"serialization": "onnx", "onnx": version, **chosen.notes()},
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
        return OnnxPredictor(path, file.columns, model_type, file.outputs())

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
    predictor: OnnxPredictor, columns: tuple[Column, ...] | None, example: pd.DataFrame | None
) -> Any:
    """MLflow's signature; answering the example shows that the model and its columns fit."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    if columns is None or example is None:
        return False  # tells MLflow not to infer one
    try:
        predictions, scores = predictor.answers(example.head(ROWS))
    except InvalidDataset as error:
        raise InvalidInput(
            f"the model does not predict its input_example: {error}", field="input_example"
        ) from error
    require_probabilities(scores)
    inputs = Schema([ColSpec(column.type, column.name) for column in columns])
    return ModelSignature(inputs, Schema([output_spec(predictions)]))
