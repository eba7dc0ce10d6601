"""An ONNX model behind the protocol of predictors, computed by onnxruntime."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_lifecycle.registry.domain.errors import InvalidDataset, UntrustedModel
from model_lifecycle.registry.domain.model_outputs import ModelOutputs

from ..input_arrays import input_array
from ..joint_predictor import JointPredictor
from ..outputs import OutputSpec, answers_of, choose_outputs
from ..protocol import Column
from ..signature import select_columns

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_BATCH = 4096
_UNDECLARED = ModelOutputs()
#: How onnxruntime names element types, and what numpy calls them.
_ELEMENTS = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(int8)": "int8",
    "tensor(int16)": "int16",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(uint8)": "uint8",
    "tensor(uint16)": "uint16",
    "tensor(uint32)": "uint32",
    "tensor(uint64)": "uint64",
    "tensor(bool)": "bool",
    "tensor(string)": "object",
}


class OnnxPredictor(JointPredictor):
    """The model in ``file``, which was found sound.

    Columns go in by name where the model has an input a column, else as one matrix in their
    order. ``outputs`` tells which of its outputs are score and prediction; where names, types and
    shapes leave more than one choice, answering raises :class:`InvalidInput`.
    """

    def __init__(
        self,
        file: Path,
        columns: Sequence[Column] | None,
        model_type: str,
        outputs: ModelOutputs = _UNDECLARED,
    ) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(
                str(file), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            # The runtime's own kinds of errors share no base but this.
            reason = " ".join(str(error).split())
            raise UntrustedModel(f"the ONNX model cannot be loaded: {reason:.300}") from error
        self._inputs = self._session.get_inputs()
        self._columns = tuple(columns) if columns is not None else self._own_columns()
        self._model_type = model_type
        self._outputs = choose_outputs(self.output_specs, outputs, model_type)

    def __repr__(self) -> str:
        return f"OnnxPredictor({', '.join(item.name for item in self._inputs)})"

    @property
    def output_specs(self) -> list[OutputSpec]:
        """Its outputs, as the file describes them."""
        return [
            OutputSpec(item.name, _element(item.type), tuple(item.shape or ()))
            for item in self._session.get_outputs()
        ]

    @property
    def outputs(self) -> ModelOutputs:
        """Which of them are score and prediction."""
        return self._outputs

    def answers(self, frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray | None]:
        """Predictions and scores at once."""
        import numpy as np

        selected = select_columns(frame, self._columns or ())
        parts = [
            self._answers(selected.iloc[at : at + _BATCH]) for at in range(0, len(frame), _BATCH)
        ]
        predictions = np.concatenate([part[0] for part in parts])
        scores = [part[1] for part in parts if part[1] is not None]
        return predictions, np.concatenate(scores) if scores else None

    def _answers(self, frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray | None]:

        feed = self._feed(frame)
        names = [item.name for item in self._session.get_outputs()]
        try:
            outputs = self._session.run(names, feed)
        except Exception as error:
            reason = " ".join(str(error).split())
            raise InvalidDataset(f"the model cannot predict these rows: {reason:.300}") from error
        values = {name: _table(value) for name, value in zip(names, outputs, strict=True)}
        return answers_of(values, self._outputs, len(frame), self._model_type)

    def _feed(self, frame: pd.DataFrame) -> dict[str, Any]:
        if len(self._inputs) == 1:
            item = self._inputs[0]
            shape = [size if isinstance(size, int) else -1 for size in item.shape[1:]]
            values = _array(frame, item.type)
            if len(shape) > 1 and all(size > 0 for size in shape):
                if math.prod(shape) != values.shape[1]:
                    raise InvalidDataset(
                        f"the model takes {math.prod(shape)} numbers a row, not {values.shape[1]}"
                    )
                values = values.reshape(-1, *shape)
            return {item.name: values}
        if len(self._inputs) != frame.shape[1]:
            raise InvalidDataset(
                f"the model takes {len(self._inputs)} columns, but is given {frame.shape[1]}"
            )
        # Converters change names that ONNX does not take, and keep the order.
        return {
            item.name: _array(frame.iloc[:, [at]], item.type)
            for at, item in enumerate(self._inputs)
        }

    def _own_columns(self) -> tuple[Column, ...] | None:
        """The signature of a model with one input a column; others do not name their columns."""
        kinds = {"float16": "float", "float32": "float", "float64": "double", "int64": "long"}
        kinds |= dict.fromkeys(("int8", "int16", "int32", "uint8", "uint16"), "integer")
        kinds |= {"uint32": "long", "bool": "boolean", "object": "string"}
        if len(self._inputs) < 2 or any(item.shape[1:] != [1] for item in self._inputs):
            return None
        return tuple(
            Column(item.name, kinds.get(_ELEMENTS.get(item.type, ""), "any"))
            for item in self._inputs
        )


def _array(frame: pd.DataFrame, kind: str) -> np.ndarray:
    element = _ELEMENTS.get(kind)
    if element is None:
        raise InvalidDataset(f"the model takes a {kind}, which no column can fill")
    if element == "object":
        texts: np.ndarray = frame.astype(str).to_numpy(dtype=object)
        return texts
    return input_array(frame, element)


def _element(kind: str) -> str:
    """The element type of an output: converters also give one mapping of classes a row."""
    if kind == "tensor(string)":
        return "string"
    return _ELEMENTS.get(kind, "map" if "map(" in kind else kind)


def _table(value: Any) -> np.ndarray:
    """Probabilities as a table; some converters give one mapping of classes a row."""
    import numpy as np

    if isinstance(value, list) and value and isinstance(value[0], dict):
        return np.array([[row[key] for key in sorted(row)] for row in value], dtype=np.float64)
    return np.asarray(value)
