"""PyTorch modules: saved with torch.export in MLflow's folder format, loaded without pickle."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_lifecycle.registry.rules.errors import InvalidDataset, InvalidInput, UntrustedModel
from model_lifecycle.registry.rules.metadata import ModelType

from . import pt2
from .folder import keep_parity, limit_of_pickle, network_signature, sign, written_whole
from .installed import require_installed
from .mlmodel import ModelFile, read_mlmodel
from .network import NetworkPredictor, matrix, require_example, require_numbers
from .onnx_export import exported
from .outputs import require_probabilities
from .parity import ROWS
from .protocol import SavedModel
from .quiet import quiet
from .requirements import pinned_requirements
from .signature import example_columns

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_FLAVOR = "pytorch"
_PROGRAM, _PICKLE = "model.pt2", "model.pth"
_EXAMPLE_ROWS = 5


class PytorchAdapter:
    """Adapter for PyTorch: a module that takes one matrix, ``(rows, columns)`` in single
    precision, columns in the order of the input example.

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
        rows = _at_least_two(matrix(example.head(ROWS), columns))
        module = _evaluated(model)
        _require_answers(
            NetworkPredictor(_runner(module), None, model_type, shown=""), rows, model_type
        )
        pins, _ = pinned_requirements(
            {"torch", "numpy", "pandas"}, always=("mlflow",), follow=False
        )
        with written_whole(folder):
            self._write(module, folder, rows[:_EXAMPLE_ROWS], pins)
            sign(folder, network_signature(columns, module_output=_runner(module)(rows[:2])))
            predictor = self.load(folder, model_type=model_type)
            _require_any_rows(predictor, example)
            parity = exported(
                folder,
                converter="torch.onnx of torch {torch}, onnxscript {onnxscript}",
                needs=("onnx", "onnxruntime", "onnxscript"),
                write=lambda file: _to_onnx(folder, file),
                model=predictor.answers,
                example=example,
                columns=columns,
                model_type=model_type,
            )
            keep_parity(folder, parity)
        return self.check(folder)

    def check(self, folder: Path) -> SavedModel:
        """What is saved in ``folder``, without loading it and without torch. Raises UntrustedModel
        for what :meth:`load` would refuse, InvalidInput for what is no PyTorch model."""
        file = read_mlmodel(folder)
        kind, path = self._payload(file)
        if kind == "pt2":
            pt2.require_reviewed(path)
        version = str(file.flavor(_FLAVOR).get("pytorch_version", "unknown"))
        return SavedModel(
            file.requirements(),
            file.columns,
            {"serialization": kind, "pytorch": version},
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
        module = _program(path) if kind == "pt2" else _unpickled(path)
        return NetworkPredictor(
            _runner(module), file.columns, model_type, shown=f"{_FLAVOR} {kind}"
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


def _evaluated(model: Any) -> Any:
    """A copy of the module as it predicts."""
    import torch

    if not isinstance(model, torch.nn.Module):
        raise InvalidInput(
            f"model must be a torch.nn.Module, not {type(model).__name__}", field="model"
        )
    return copy.deepcopy(model).cpu().eval()


def _runner(module: Any) -> Callable[[np.ndarray], np.ndarray]:
    import torch

    def run(rows: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            output = module(torch.from_numpy(rows))
        if not isinstance(output, torch.Tensor):
            raise InvalidDataset(f"the module gives a {type(output).__name__}, not one tensor")
        found: np.ndarray = output.cpu().numpy()
        return found

    return run


def _require_answers(predictor: NetworkPredictor, rows: np.ndarray, model_type: str) -> None:
    import pandas as pd

    frame = pd.DataFrame(rows)
    try:
        output = predictor.output(frame)
        predictor.answers(frame)
    except InvalidDataset as error:
        raise InvalidInput(
            f"the module does not predict its input_example: {error}", field="input_example"
        ) from error
    require_probabilities(output, model_type)


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


def _program(path: Path) -> Any:
    import io

    import torch

    try:
        with quiet():
            return torch.export.load(io.BytesIO(pt2.reviewed(path))).module()
    except UntrustedModel:
        raise
    except Exception as error:
        # Reviewed parts that do not fit together raise whatever they like.
        raise UntrustedModel(f"the exported program cannot be loaded: {error!s:.300}") from error


def _unpickled(path: Path) -> Any:
    import torch

    # Reached only when the setting allows it.
    return torch.load(path, map_location="cpu", weights_only=False).eval()


def _to_onnx(folder: Path, file: Path) -> None:
    import torch

    path = folder / "data" / _PROGRAM
    if not path.is_file():
        raise InvalidInput("the module cannot be traced", field="model")
    torch.onnx.export(torch.export.load(path), dynamo=True, verbose=False).save(str(file))
