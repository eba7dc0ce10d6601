"""Inspection of a PyTorch module before it is saved: the accepted shapes, its input and outputs."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from model_lifecycle.registry.domain.errors import InvalidDataset, InvalidInput

from ..protocol import Column
from ..tensor_predictor import NetworkPredictor, Run

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

#: Rows of the input example with which a module is tried.
EXAMPLE_ROWS = 5


def evaluation_copy(model: Any) -> Any:
    """A copy of the module in evaluation mode on the CPU. Raises InvalidInput for anything else
    than a module of one input that can be exported."""
    import torch

    if not isinstance(model, torch.nn.Module):
        raise InvalidInput(
            f"model must be a torch.nn.Module, not {type(model).__name__}", field="model"
        )
    wrapped = {"DataParallel": "module", "DistributedDataParallel": "module"}
    wrapped |= {"FullyShardedDataParallel": "module", "OptimizedModule": "_orig_mod"}
    if (attribute := wrapped.get(type(model).__name__)) is not None:
        raise InvalidInput(
            f"model is wrapped in {type(model).__name__}; register the module inside, "
            f"model.{attribute}",
            field="model",
        )
    if isinstance(model, torch.jit.ScriptModule):
        raise InvalidInput(
            "model is a ScriptModule, which torch.export does not take; register the module that "
            "it was scripted from",
            field="model",
        )
    _require_one_input(model)
    try:
        return copy.deepcopy(model).cpu().eval()
    except Exception as error:
        # Modules are anybody's code.
        raise InvalidInput(
            f"the module cannot be copied to the CPU: {_reason(error)}", field="model"
        ) from error


def _require_one_input(model: Any) -> None:
    try:
        parameters = inspect.signature(model.forward).parameters.values()
    except (TypeError, ValueError):
        return
    needed = [
        item.name
        for item in parameters
        if item.default is item.empty and item.kind not in (item.VAR_POSITIONAL, item.VAR_KEYWORD)
    ]
    if len(needed) > 1:
        raise InvalidInput(
            f"the module takes {len(needed)} inputs ({', '.join(needed)}), but its columns fill "
            "one matrix; wrap it in a module whose forward takes the matrix and splits it, such "
            "as x[:, :8] and x[:, 8:]",
            field="model",
        )


def input_type(module: Any, example: pd.DataFrame, columns: tuple[Column, ...]) -> str:
    """numpy's name of the type of the module's input matrix: int64 if all columns are integers and
    the module accepts them, else the floats of its weights' precision."""
    import torch

    weights = (item.dtype for item in module.parameters() if item.dtype.is_floating_point)
    floats = next(weights, torch.float32)
    if floats not in (torch.float16, torch.float32, torch.float64):
        raise InvalidInput(
            f"the module's weights are {floats}, in which no column can be given; convert it "
            "before with model.float()",
            field="model",
        )
    own = str(floats).removeprefix("torch.")
    if all(column.type in ("integer", "long") for column in columns):
        rows = example.head(EXAMPLE_ROWS)
        predictor = NetworkPredictor(runner(module), columns, "", label="", element="int64")
        try:
            predictor.outputs(rows)
            return "int64"
        except InvalidDataset:
            pass
    return own


def runner(module: Any) -> Run:
    """The function that calls the module with a matrix and returns its outputs by name."""
    import torch

    def run(rows: np.ndarray) -> dict[str, np.ndarray]:
        with torch.no_grad():
            outputs = _named(module(torch.from_numpy(rows)))
        return {name: _numbers(value) for name, value in outputs.items()}

    return run


def _named(output: Any) -> dict[str, Any]:
    """The tensors of an output by name: keys of a dict, or ``output_0``, ``output_1`` …"""
    import torch

    if isinstance(output, torch.Tensor):
        return {"output": output}
    if isinstance(output, Mapping):
        outputs = {str(name): value for name, value in output.items()}
    elif isinstance(output, tuple | list):
        outputs = {f"output_{at}": value for at, value in enumerate(output)}
    else:
        outputs = {"": output}
    for name, value in outputs.items():
        if not isinstance(value, torch.Tensor):
            raise InvalidInput(
                f"the module gives a {type(value).__name__}"
                f"{f' as its output {name!r}' if name else ''}; it must give one tensor, or a "
                "dict or tuple of tensors",
                field="model",
            )
    return outputs


def _numbers(value: Any) -> np.ndarray:
    import torch

    value = value.float() if value.dtype == torch.bfloat16 else value
    numbers: np.ndarray = value.cpu().numpy()
    return numbers


def _reason(error: Exception) -> str:
    """The error's message on one line of at most 300 characters."""
    return f"{' '.join(str(error).split()):.300}"
