"""A network behind the protocol of predictors: columns become one matrix, in their order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from model_lifecycle.registry.rules.errors import InvalidDataset, InvalidInput

from .outputs import meaning
from .protocol import ClusterFit, Column
from .signature import select_columns

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

#: Rows a call: activations of more would take gigabytes.
_BATCH = 4096
_NUMBERS = frozenset({"boolean", "integer", "long", "float", "double"})


class NetworkPredictor:
    """``run`` takes a matrix of single precision, ``(rows, columns)``, and gives the output."""

    def __init__(
        self,
        run: Callable[[np.ndarray], np.ndarray],
        columns: Sequence[Column] | None,
        model_type: str,
        *,
        shown: str,
    ) -> None:
        self._run = run
        self._columns = tuple(columns) if columns is not None else None
        self._model_type = model_type
        self._shown = shown

    def __repr__(self) -> str:
        return f"NetworkPredictor({self._shown})"

    @property
    def columns(self) -> Sequence[Column] | None:
        return self._columns

    @property
    def classes(self) -> Sequence[Any] | None:
        return None

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """One prediction a row. Raises :class:`InvalidDataset` for frames that do not match the
        signature and for values that the network cannot take."""
        return self.answers(frame)[0]

    def scores(self, frame: pd.DataFrame) -> np.ndarray | None:
        """P(class 1) for two classes, P(each class) for more; None where it does not classify."""
        return self.answers(frame)[1]

    def cluster_fit(self, frame: pd.DataFrame, measure: ClusterFit) -> np.ndarray | None:
        return None

    def answers(self, frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray | None]:
        """Predictions and scores at once."""
        return meaning(self.output(frame), len(frame), self._model_type)

    def output(self, frame: pd.DataFrame) -> np.ndarray:
        """What the network gives, as it is."""
        import numpy as np

        rows = matrix(frame, self._columns or ())
        try:
            parts = [self._run(rows[at : at + _BATCH]) for at in range(0, len(rows), _BATCH)]
            return np.concatenate(parts)
        except (ValueError, TypeError, RuntimeError, LookupError) as error:
            # What frameworks raise for rows of a width or kind that the network does not take.
            raise InvalidDataset(f"the model cannot predict these rows: {error}") from error


def matrix(frame: pd.DataFrame, columns: Sequence[Column]) -> np.ndarray:
    """The columns as one matrix of single precision. Raises :class:`InvalidDataset`."""
    import numpy as np

    selected = select_columns(frame, columns)
    try:
        # Writable, since torch warns of tensors on memory that it may not write to.
        return np.require(selected.to_numpy(dtype=np.float32), requirements=["C", "W"])
    except (ValueError, TypeError) as error:
        raise InvalidDataset(f"the model takes numbers only: {error}") from error


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
