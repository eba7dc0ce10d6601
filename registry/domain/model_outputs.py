"""Which outputs of a model are its score and its prediction: named, never chosen by position."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .errors import InvalidInput
from .validation import validate_text


class ScoreTransform(StrEnum):
    """How the numbers of the score output, logits, become probabilities."""

    SIGMOID = "sigmoid"
    SOFTMAX = "softmax"


@dataclass(frozen=True)
class ModelOutputs:
    """Names of outputs; None where nothing is declared. ``score`` holds the probabilities of a
    classifier, ``prediction`` the labels, numbers or clusters."""

    score: str | None = None
    prediction: str | None = None
    score_transform: ScoreTransform | None = None

    def __bool__(self) -> bool:
        return self != ModelOutputs()

    def document(self) -> dict[str, str]:
        """Plain JSON, without what is not declared."""
        entries = {
            "score": self.score,
            "prediction": self.prediction,
            "score_transform": self.score_transform and self.score_transform.value,
        }
        return {name: value for name, value in entries.items() if value is not None}

    def notes(self) -> dict[str, str]:
        """For the model card."""
        return {f"output: {name}": value for name, value in self.document().items()}


def model_outputs(document: Any) -> ModelOutputs:
    """The outputs that a caller, or an ``MLmodel`` file, declares; None declares nothing.

    Raises :class:`InvalidInput` for other keys and for values that are no text.
    """
    if document is None:
        return ModelOutputs()
    allowed = ("score", "prediction", "score_transform")
    if not isinstance(document, Mapping) or not set(document) <= set(allowed):
        raise InvalidInput(
            f"outputs must map some of {', '.join(allowed)} to names, such as "
            f'{{"score": "probabilities", "prediction": "label"}}, not {document!r:.120}',
            field="outputs",
        )
    names = {key: validate_text(document[key], field=f"outputs.{key}") for key in document}
    transform = names.pop("score_transform", None)
    if transform is not None and transform not in tuple(ScoreTransform):
        raise InvalidInput(
            f"outputs.score_transform must be one of {', '.join(ScoreTransform)}, "
            f"not {transform!r:.80}",
            field="outputs.score_transform",
        )
    return ModelOutputs(**names, score_transform=ScoreTransform(transform) if transform else None)
