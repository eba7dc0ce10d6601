"""The protocols of a framework adapter and of a loaded model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from model_lifecycle.registry.domain.model_outputs import ModelOutputs
from model_lifecycle.registry.domain.models import ModelType

from .onnx_parity import OnnxParity, not_exported

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


#: ``inertia`` is the squared distance to the nearest centre; ``log_likelihood`` the logarithm of
#: the density of a mixture.
ClusterFit = Literal["inertia", "log_likelihood"]


#: No output of the model is named: names, types and shapes have to leave one choice.
UNDECLARED = ModelOutputs()


@dataclass(frozen=True)
class Column:
    """One feature column of a model's signature; ``type`` is MLflow's name (``double``, ``long``,
    ``string``, ``boolean``, ``datetime`` …)."""

    name: str
    type: str
    required: bool = True


@dataclass(frozen=True)
class SavedModel:
    """The saved model. ``requirements`` are pinned ``name==version`` lines, sorted.

    ``notes`` are remarks for the model card. ``pickled`` tells that loading runs code which the
    files choose. ``onnx`` is what is known of ``model.onnx``, and why there is none.
    """

    requirements: tuple[str, ...]
    columns: tuple[Column, ...] | None
    notes: Mapping[str, str]
    pickled: bool = False
    onnx: OnnxParity = field(default_factory=not_exported)


class Predictor(Protocol):
    """A loaded model. Frames hold the signature's columns, in any order; rows stay in order."""

    @property
    def columns(self) -> Sequence[Column] | None:
        """Feature columns, or None where the model was saved without a signature."""

    @property
    def classes(self) -> Sequence[Any] | None:
        """A classifier's classes in the order of its probabilities, or a clustering's clusters;
        None where the model does not name them: they are numbered from 0 then."""

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """One prediction a row, shape ``(rows,)``."""

    def scores(self, frame: pd.DataFrame) -> np.ndarray | None:
        """Probability of the positive class, shape ``(rows,)``, for a binary classifier;
        ``(rows, classes)`` for more classes; None where the model has no scores."""

    def cluster_fit(self, frame: pd.DataFrame, measure: ClusterFit) -> np.ndarray | None:
        """How well each row fits a clustering, shape ``(rows,)``; None where the model has no such
        measure."""


class FrameworkAdapter(Protocol):
    """Saves and loads models of one framework, in MLflow's folder format, without pickle.

    ``model_type`` (classification, regression, clustering) tells what a network's numbers mean.
    Every method imports the framework when it needs it, and raises FrameworkUnavailable, with
    the line that installs it, where it is not there.
    """

    name: str

    def save(
        self,
        model: Any,
        folder: Path,
        *,
        input_example: pd.DataFrame | None,
        model_type: str = ModelType.CLASSIFICATION.value,
        outputs: ModelOutputs = UNDECLARED,
    ) -> SavedModel:
        """Write ``model`` as an MLflow model folder (``MLmodel``, payload, ``requirements.txt``,
        environment files, input example), with ``model.onnx`` where it can be exported and
        answers as the model does. ``outputs`` names the outputs of a model with several; the
        folder keeps them. Raises UntrustedModel, InvalidInput."""

    def check(
        self, folder: Path, *, model_type: str = ModelType.CLASSIFICATION.value
    ) -> SavedModel:
        """Describe the MLflow model folder without executing anything in it.
        Raises UntrustedModel for payloads that need pickle or types nobody reviewed, and
        InvalidInput for a folder that is not a model of this framework."""

    def load(self, folder: Path, *, model_type: str = ModelType.CLASSIFICATION.value) -> Predictor:
        """The model in ``folder``, whose digest the caller has verified. Raises UntrustedModel."""
