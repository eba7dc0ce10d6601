"""PyTorch modules: saved with torch.export in MLflow's folder format, loaded without pickle."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_lifecycle.registry.domain.errors import InvalidDataset, InvalidInput, UntrustedModel
from model_lifecycle.registry.domain.model_outputs import ModelOutputs
from model_lifecycle.registry.domain.models import ModelType

from ..dependencies import require_installed
from ..input_arrays import input_array
from ..mlflow_folder import (
    atomic_write,
    limit_of_pickle,
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
    require_answers,
    require_example,
    require_numbers,
)
from . import pt2_archive
from .module import EXAMPLE_ROWS, evaluation_copy, input_type, runner

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_FLAVOR = "pytorch"
_PROGRAM, _PICKLE = "model.pt2", "model.pth"


class PytorchAdapter:
    """Adapter for PyTorch: a module that takes one matrix, ``(rows, columns)``, columns in the
    order of the input example; whole numbers where the module takes them, else floats of the
    precision of its weights. Outputs are one tensor, or a dict or tuple of tensors.

    A module that torch.export cannot trace needs pickle, which ``allow_pickle`` permits.
    """

    name = _FLAVOR

    def __init__(self, *, allow_pickle: bool = False) -> None:
        self.allow_pickle = allow_pickle

    def save(
        self,
        model: Any,
        folder: Path,
        *,
        input_example: pd.DataFrame | None,
        model_type: str = ModelType.CLASSIFICATION.value,
        outputs: ModelOutputs = UNDECLARED,
    ) -> SavedModel:
        """Write ``model``, in evaluation mode and on the CPU, into the absent or empty folder.

        The given module stays as it is. On an error the folder is empty again. Raises
        UntrustedModel for what needs pickle; InvalidInput for what is no module, cannot predict
        the example, or gives something else than probabilities where it classifies.
        """
        require_installed(_FLAVOR, "torch")
        example = require_example(input_example, _FLAVOR)
        columns = example_columns(example)
        require_numbers(columns)
        module = evaluation_copy(model)
        element = input_type(module, example, columns)
        run = runner(module)
        chosen = require_answers(
            NetworkPredictor(run, columns, model_type, label="", element=element, outputs=outputs),
            example.head(ROWS),
            outputs,
            model_type,
        )
        rows = _at_least_two(
            input_array(select_columns(example.head(EXAMPLE_ROWS), columns), element)
        )
        pins, _ = pinned_requirements(
            {"torch", "numpy", "pandas"}, always=("mlflow",), follow=False
        )
        with atomic_write(folder):
            self._write(module, folder, rows, pins)
            write_signature(folder, network_signature(columns, run(rows)))
            record_outputs(folder, chosen)
            predictor = self.load(folder, model_type=model_type)
            _require_any_rows(predictor, example)
            parity = exported(
                folder,
                converter="torch.onnx of torch {torch}, onnxscript {onnxscript}",
                needs=("onnx", "onnxruntime", "onnxscript"),
                write=lambda file: _to_onnx(folder, list(run(rows)), file),
                model=predictor.answers,
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
        """Describe the model in ``folder`` without loading it or torch. Raises UntrustedModel
        for what :meth:`load` would refuse, InvalidInput for what is no PyTorch model."""
        file = read_mlmodel(folder)
        kind, path = self._payload(file)
        if kind == "pt2":
            pt2_archive.require_reviewed(path)
        version = str(file.flavor(_FLAVOR).get("pytorch_version", "unknown"))
        return SavedModel(
            file.requirements(),
            file.columns,
            {"serialization": kind, "pytorch": version, **file.outputs().notes()},
            pickled=kind != "pt2",
            onnx=file.parity(),
        )

    def load(
        self, folder: Path, *, model_type: str = ModelType.CLASSIFICATION.value
    ) -> NetworkPredictor:
        """The model in ``folder``, of reviewed operators only. Raises UntrustedModel."""
        require_installed(_FLAVOR, "torch")
        file = read_mlmodel(folder)
        kind, path = self._payload(file)
        module, element = _program(path) if kind == "pt2" else _unpickled(path)
        return NetworkPredictor(
            runner(module),
            file.columns,
            model_type,
            label=f"{_FLAVOR} {kind}",
            element=element,
            outputs=file.outputs(),
        )

    def _payload(self, file: ModelFile) -> tuple[str, Path]:
        data = file.flavor(_FLAVOR).get("model_data")
        program = f"{data}/{_PROGRAM}"
        if file.holds(program):
            return "pt2", file.payload(program)
        path = file.payload(f"{data}/{_PICKLE}")
        if not self.allow_pickle:
            raise UntrustedModel(limit_of_pickle("torch.export"))
        return "pickle", path

    def _write(self, module: Any, folder: Path, rows: np.ndarray, pins: tuple[str, ...]) -> None:
        with quiet():
            import mlflow.pytorch
        from mlflow.models import ModelSignature
        from mlflow.types import Schema, TensorSpec

        shape = Schema([TensorSpec(rows.dtype, (-1, rows.shape[1]))])
        options = {
            "signature": ModelSignature(shape),
            "input_example": rows,
            "pip_requirements": list(pins),
        }
        try:
            with quiet():
                mlflow.pytorch.save_model(
                    module, str(folder), serialization_format="pt2", **options
                )
            return
        except Exception as error:
            # torch.export traces any module, so whatever that raises arrives here.
            shutil.rmtree(folder, ignore_errors=True)
            if not self.allow_pickle:
                reason = str(error).strip().partition("\n")[0]
                raise UntrustedModel(
                    f"the module cannot be exported, so saving it would need pickle: "
                    f"{reason:.300}. "
                    "Make it exportable (torch.export), or allow pickle with the setting "
                    "MODEL_LIFECYCLE_ALLOW_PICKLE=true"
                ) from error
        with quiet():
            mlflow.pytorch.save_model(module, str(folder), serialization_format="pickle", **options)


def _require_any_rows(predictor: NetworkPredictor, example: pd.DataFrame) -> None:
    """That tracing did not fix the number of rows to that of the example."""
    import pandas as pd

    for frame in (example.head(1), pd.concat([example.head(3)] * 3, ignore_index=True)):
        try:
            predictor.answers(frame)
        except InvalidDataset as error:
            raise InvalidInput(
                f"the exported program does not take any number of rows: {error}; keep the size of "
                "the first dimension out of the module's shapes",
                field="model",
            ) from error


def _at_least_two(rows: np.ndarray) -> np.ndarray:
    """torch.export takes a dimension of size 1 for a constant."""
    import numpy as np

    return rows if len(rows) > 1 else np.repeat(rows, 2, axis=0)


def _program(path: Path) -> tuple[Any, str]:
    """The module of an exported program, and the type of its input."""
    import io

    import torch

    try:
        with quiet():
            program = torch.export.load(io.BytesIO(pt2_archive.reviewed(path)))
            return program.module(), _program_input(program)
    except UntrustedModel:
        raise
    except Exception as error:
        # Reviewed parts that do not fit together raise whatever they like.
        raise UntrustedModel(f"the exported program cannot be loaded: {error!s:.300}") from error


def _program_input(program: Any) -> str:
    names = set(program.graph_signature.user_inputs)
    types = {
        str(node.meta["val"].dtype).removeprefix("torch.")
        for node in program.graph.nodes
        if node.op == "placeholder" and node.name in names
    }
    return types.pop() if len(types) == 1 else "float32"


def _unpickled(path: Path) -> tuple[Any, str]:
    import torch

    # Reached only when the setting allows it.
    module = torch.load(path, map_location="cpu", weights_only=False).eval()
    weights = (item.dtype for item in module.parameters() if item.dtype.is_floating_point)
    return module, str(next(weights, torch.float32)).removeprefix("torch.")


def _to_onnx(folder: Path, names: list[str], file: Path) -> None:
    import torch

    path = folder / "data" / _PROGRAM
    if not path.is_file():
        raise InvalidInput("the module cannot be traced", field="model")
    torch.onnx.export(torch.export.load(path), dynamo=True, verbose=False, output_names=names).save(
        str(file)
    )
