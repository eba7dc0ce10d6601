"""Predictions and scores from the outputs of a network or an ONNX model.

Outputs are known by name. Where more than one could be the score or the prediction, the caller has
to name it: an output that was chosen by its position would answer silently with the wrong numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from model_lifecycle.registry.domain.errors import InvalidDataset, InvalidInput
from model_lifecycle.registry.domain.model_outputs import ModelOutputs, ScoreTransform
from model_lifecycle.registry.domain.models import ModelType

if TYPE_CHECKING:
    import numpy as np

#: How far a row of probabilities may be from 1 in sum: single precision over many classes.
_SUM = 1e-3


@dataclass(frozen=True)
class OutputSpec:
    """One output: its name, the type of its elements (``float32``, ``int64``, ``string`` …) and
    its shape, in which a free dimension is None or a name."""

    name: str
    type: str
    shape: tuple[Any, ...]

    @property
    def numeric(self) -> bool:
        """Whether its elements may be probabilities: whole numbers and texts are labels."""
        return "float" in self.type or self.type in ("double", "map")

    def __str__(self) -> str:
        sizes = ", ".join("?" if size is None else str(size) for size in self.shape)
        return f"{self.name} ({self.type} [{sizes}])"


def specs_of(values: Mapping[str, np.ndarray]) -> list[OutputSpec]:
    """The outputs of which these are values, with the number of rows left free."""
    return [
        OutputSpec(name, str(value.dtype), (None, *value.shape[1:]))
        for name, value in values.items()
    ]


def choose_outputs(
    specs: Sequence[OutputSpec], declared: ModelOutputs, model_type: str
) -> ModelOutputs:
    """``declared``, completed where names, types and shapes leave one choice.

    Raises :class:`InvalidInput`, with the list of outputs, for a name that the model does not have
    and where more than one output could be meant.
    """
    if not specs:
        raise InvalidInput("the model has no output", field="model")
    for name in (declared.score, declared.prediction):
        if name is not None and name not in {spec.name for spec in specs}:
            raise InvalidInput(
                f"the model has no output {name!r}: its outputs are {_listed(specs)}",
                field="outputs",
            )
    if model_type == ModelType.CLASSIFICATION:
        return _classifier(specs, declared)
    if declared.score is not None or declared.score_transform is not None:
        raise InvalidInput(
            f"a {model_type} model has no score: name its prediction alone, or register it as "
            "classification",
            field="outputs",
        )
    if declared.prediction is not None:
        return declared
    labels = [spec for spec in specs if not spec.numeric]
    if len(specs) == 1:
        return replace(declared, prediction=specs[0].name)
    if model_type == ModelType.CLUSTERING and len(labels) == 1:
        return replace(declared, prediction=labels[0].name)
    raise _ambiguous(specs, "prediction", '{"prediction": "<name>"}')


def answers_of(
    values: Mapping[str, np.ndarray], chosen: ModelOutputs, rows: int, model_type: str
) -> tuple[np.ndarray, np.ndarray | None]:
    """Predictions, shape ``(rows,)``, and scores, from the values of the outputs by name.

    Of a classifier's score output, one number a row is the probability of class 1, and several are
    those of classes 0, 1, …; without a prediction output the prediction is the likeliest class.
    Other models give one number a row. Raises :class:`InvalidDataset` for other shapes.
    """
    import numpy as np

    prediction = None
    if chosen.prediction is not None:
        prediction = _one_a_row(values[chosen.prediction], rows)
    if model_type != ModelType.CLASSIFICATION:
        assert prediction is not None  # choose_outputs named one
        return prediction, None
    if chosen.score is None:
        assert prediction is not None
        return prediction, None
    table = _table(values[chosen.score], rows).astype(np.float64)
    table = _transformed(table, chosen.score_transform)
    if prediction is None:
        likeliest = (table >= 0.5).astype(np.int64) if table.ndim == 1 else table.argmax(axis=1)
        prediction = likeliest
    return prediction, scores_of(table)


def require_probabilities(scores: np.ndarray | None) -> None:
    """Raise :class:`InvalidInput` unless the scores of a classifier are probabilities: the gates
    judge scores from 0 to 1, and logits would fail there, on every row.

    Rows for which the model gives NaN are not judged: an example may have missing values.
    """
    import numpy as np

    if scores is None:
        return
    known = scores[~np.isnan(scores.reshape(len(scores), -1)).any(axis=1)]
    if not len(known):
        raise InvalidInput(
            "the model gives NaN for every row of the input_example; give it rows that it can "
            "answer",
            field="input_example",
        )
    inside = bool(np.all((known >= 0) & (known <= 1)))
    several = known.ndim == 2 and known.shape[1] > 1
    if inside and (not several or bool(np.all(np.abs(known.sum(axis=1) - 1) <= _SUM))):
        return
    raise InvalidInput(
        "a classifier must give probabilities: one from 0 to 1 a row, or one a class, which sum "
        f"to 1; this one gives numbers from {known.min():.4g} to {known.max():.4g}. End it with a "
        "sigmoid or a softmax; or, if they are logits, register it with "
        'outputs={"score_transform": "sigmoid"} (or "softmax"); or, if it does not classify, with '
        "another model_type",
        field="model",
    )


def scores_of(probabilities: np.ndarray) -> np.ndarray:
    """The scores of a table of probabilities, one column a class."""
    two = probabilities.ndim == 2 and probabilities.shape[1] == 2
    return probabilities[:, 1] if two else probabilities


def _classifier(specs: Sequence[OutputSpec], declared: ModelOutputs) -> ModelOutputs:
    named = {declared.score, declared.prediction}
    numbers = [spec.name for spec in specs if spec.numeric and spec.name not in named]
    labels = [spec.name for spec in specs if not spec.numeric and spec.name not in named]
    score, prediction = declared.score, declared.prediction
    if score is None and len(numbers) > 1:
        raise _ambiguous(specs, "score", '{"score": "<name>", "prediction": "<name>"}')
    if prediction is None and len(labels) > 1:
        raise _ambiguous(specs, "prediction", '{"prediction": "<name>"}')
    if score is None and numbers:
        score = numbers[0]
    if prediction is None and labels:
        prediction = labels[0]
    if declared.score_transform is not None and score is None:
        raise InvalidInput(
            "outputs.score_transform needs an output with numbers; the model's outputs are "
            f"{_listed(specs)}",
            field="outputs",
        )
    return replace(declared, score=score, prediction=prediction)


def _ambiguous(specs: Sequence[OutputSpec], what: str, form: str) -> InvalidInput:
    return InvalidInput(
        f"the model has {len(specs)} outputs, and more than one could be its {what}: "
        f"{_listed(specs)}. Name it at registration with outputs={form}",
        field="outputs",
    )


def _listed(specs: Sequence[OutputSpec]) -> str:
    return ", ".join(map(str, specs))


def _table(output: np.ndarray, rows: int) -> np.ndarray:
    if output.ndim == 2 and output.shape[1] == 1:
        output = output[:, 0]
    if output.shape[:1] != (rows,) or output.ndim not in (1, 2):
        raise InvalidDataset(f"the model gives answers of shape {output.shape} for {rows} rows")
    return output


def _one_a_row(output: np.ndarray, rows: int) -> np.ndarray:
    import numpy as np

    output = _table(output, rows)
    if output.ndim == 2:
        raise InvalidDataset(
            f"the model gives {output.shape[1]} numbers a row, where one is needed"
        )
    return output.astype(np.float64) if output.dtype.kind == "f" else output


def _transformed(table: np.ndarray, transform: ScoreTransform | None) -> np.ndarray:
    import numpy as np

    if transform is ScoreTransform.SIGMOID:
        return np.asarray(0.5 * (1 + np.tanh(0.5 * table)))  # does not overflow
    if transform is ScoreTransform.SOFTMAX:
        if table.ndim == 1:
            raise InvalidDataset(
                "a softmax needs one number a class, but the model gives one number a row: use "
                "score_transform sigmoid"
            )
        powers = np.exp(table - table.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))
    return table
