"""A network behind the protocol of predictors: columns become one matrix, in their order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from model_lifecycle.registry.domain.errors import InvalidDataset, InvalidInput, RegistryError
from model_lifecycle.registry.domain.model_outputs import ModelOutputs

from .input_arrays import input_array
from .joint_predictor import JointPredictor
from .outputs import answers_of, choose_outputs, require_probabilities, specs_of
from .protocol import Column
from .signature import select_columns

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

#: Rows a call: activations of more would take gigabytes.
_BATCH = 4096
_UNDECLARED = ModelOutputs()
_NUMBERS = frozenset({"boolean", "integer", "long", "float", "double"})


#: Gives the outputs of a network, by name, for a matrix of its input's type.
Run = Callable[["np.ndarray"], Mapping[str, "np.ndarray"]]


class NetworkPredictor(JointPredictor):
    """``run`` takes a matrix of the type ``element``, ``(rows, columns)``; ``outputs`` tells which
    of the outputs it gives are score and prediction."""

    def __init__(
        self,
        run: Run,
        columns: Sequence[Column] | None,
        model_type: str,
        *,
        label: str,
        element: str = "float32",
        outputs: ModelOutputs = _UNDECLARED,
    ) -> None:
        self._run = run
        self._columns = tuple(columns) if columns is not None else None
        self._model_type = model_type
        self._label = label
        self._element = element
        self._outputs = outputs

    def __repr__(self) -> str:
        return f"NetworkPredictor({self._label})"

    def answers(self, frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray | None]:
        """Predictions and scores at once. Raises :class:`InvalidInput` where the outputs leave
        more than one choice and none is named."""
        values = self.outputs(frame)
        chosen = choose_outputs(specs_of(values), self._outputs, self._model_type)
        return answers_of(values, chosen, len(frame), self._model_type)

    def outputs(self, frame: pd.DataFrame) -> dict[str, np.ndarray]:
        """The network's raw outputs by name."""
        import numpy as np

        rows = input_array(select_columns(frame, self._columns or ()), self._element)
        try:
            parts = [self._run(rows[at : at + _BATCH]) for at in range(0, len(rows), _BATCH)]
            return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        except RegistryError:
            raise
        except Exception as error:
            # What frameworks raise for rows of a width or kind that the network does not take.
            reason = " ".join(str(error).split())
            raise InvalidDataset(f"the model cannot predict these rows: {reason:.500}") from error


def require_answers(
    predictor: NetworkPredictor, example: pd.DataFrame, declared: ModelOutputs, model_type: str
) -> ModelOutputs:
    """Which outputs the network answers its example with. Raises :class:`InvalidInput` for an
    example that it cannot predict, outputs that leave a choice, and scores that are no
    probabilities."""
    try:
        specs = specs_of(predictor.outputs(example))
        chosen = choose_outputs(specs, declared, model_type)
        scores = predictor.answers(example)[1]
    except InvalidDataset as error:
        raise InvalidInput(
            f"the model does not predict its input_example, which it is given as one matrix of "
            f"{example.shape[1]} columns: {error}; a network for images or sequences reshapes "
            "that matrix itself",
            field="input_example",
        ) from error
    require_probabilities(scores)
    # Of a single output there is nothing to choose, and nothing to note.
    return chosen if len(specs) > 1 else declared


def require_numbers(columns: Sequence[Column]) -> None:
    """Raise :class:`InvalidInput` for a column that no network can take."""
    for column in columns:
        if column.type not in _NUMBERS:
            raise InvalidInput(
                f"column {column.name!r} of input_example is {column.type}, but a network takes "
                "numbers and booleans only; encode it before",
                field="input_example",
            )


def require_example(input_example: pd.DataFrame | None, framework: str) -> pd.DataFrame:
    if input_example is None:
        raise InvalidInput(
            f"a {framework} model needs an input_example, a frame with a few rows of its features: "
            "the network does not know the names of its columns",
            field="input_example",
        )
    return input_example
