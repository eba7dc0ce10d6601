"""scikit-learn models: saved with skops in MLflow's folder format, loaded without pickle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_lifecycle.registry.domain.errors import InvalidInput, UntrustedModel
from model_lifecycle.registry.domain.model_outputs import ModelOutputs
from model_lifecycle.registry.domain.models import ModelType

from ..mlflow_folder import atomic_write, limit_of_pickle, output_spec, write_parity
from ..mlmodel import ModelFile, read_mlmodel
from ..onnx_model.export import exported
from ..onnx_parity import ROWS
from ..outputs import require_probabilities
from ..protocol import UNDECLARED, Column, SavedModel
from ..requirements import pinned_requirements
from ..signature import example_columns
from ..suppress_output import quiet
from . import skops_archive
from .onnx_export import to_onnx
from .predictor import SklearnPredictor
from .tree_validation import check_trees
from .trusted_types import trusted_types

if TYPE_CHECKING:
    import pandas as pd

_FLAVOR = "sklearn"
_EXAMPLE_ROWS = 5
#: Libraries with scikit-learn's interface whose models are compiled code's own data.
_WITHOUT_ADAPTER = ("xgboost", "lightgbm", "catboost")


class SklearnAdapter:
    """Adapter for scikit-learn.

    ``extra_types`` are trusted in addition to the reviewed list. ``allow_pickle`` lets models
    that skops cannot hold be saved with cloudpickle, and models that were saved with pickle be
    loaded, which runs whatever code they hold.
    """

    name = _FLAVOR

    def __init__(self, extra_types: Iterable[str] = (), *, allow_pickle: bool = False) -> None:
        self.extra_types = tuple(extra_types)
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
        """Write ``model`` into ``folder``, which must be absent or empty.

        The signature comes from ``input_example``, of which a few rows are kept; without one the
        model has no signature. On an error the folder is empty again. Raises UntrustedModel for
        types that nobody reviewed, InvalidInput for what is no fitted estimator and for an
        example that the model cannot predict.
        """
        if outputs:
            raise InvalidInput(
                "outputs cannot be named for a scikit-learn model: its predict and predict_proba "
                "are known",
                field="outputs",
            )
        _require_fitted(model)
        kind, modules = self._form(model)
        columns = example_columns(input_example) if input_example is not None else None
        example = None if input_example is None else input_example.head(_EXAMPLE_ROWS)
        signature = _signature(model, columns, example)
        if model_type == ModelType.CLASSIFICATION and input_example is not None:
            _require_scores(SklearnPredictor(model, columns), input_example.head(ROWS))
        pins, unknown = pinned_requirements({_FLAVOR, *modules}, always=("mlflow",))
        with atomic_write(folder):
            self._write(model, folder, kind, pins, signature, example)
            predictor = SklearnPredictor(model, columns)
            parity = exported(
                folder,
                converter="skl2onnx {skl2onnx}",
                needs=("onnx", "onnxruntime", "skl2onnx"),
                write=lambda file: to_onnx(model, columns or (), file),
                model=lambda rows: (
                    predictor.predict(rows),
                    # A mixture has probabilities too, which no gate of a clustering asks for.
                    predictor.scores(rows) if model_type == ModelType.CLASSIFICATION else None,
                ),
                example=input_example,
                columns=columns,
                model_type=model_type,
            )
            write_parity(folder, parity)
        file = read_mlmodel(folder)
        return _saved(file, kind, unknown)

    def check(
        self, folder: Path, *, model_type: str = ModelType.CLASSIFICATION.value
    ) -> SavedModel:
        """Describe the model in ``folder`` without loading it. Raises UntrustedModel for what
        :meth:`load` would refuse by name, InvalidInput for what is no scikit-learn model."""
        file = read_mlmodel(folder)
        kind, path = self._payload(file)
        if kind == "skops":
            skops_archive.require_trusted(path, self.extra_types)
        return _saved(file, kind, ())

    def load(
        self, folder: Path, *, model_type: str = ModelType.CLASSIFICATION.value
    ) -> SklearnPredictor:
        """The model in ``folder``. Only names of reviewed types are built; the list that the
        model brings along in its own MLmodel file is not believed. Raises UntrustedModel."""
        file = read_mlmodel(folder)
        kind, path = self._payload(file)
        model = skops_archive.load(path, self.extra_types) if kind == "skops" else _unpickle(path)
        check_trees(model)
        return SklearnPredictor(model, file.columns)

    def _payload(self, file: ModelFile) -> tuple[str, Path]:
        flavor = file.flavor(_FLAVOR)
        kind = _kind(flavor)
        path = file.payload(flavor.get("pickled_model"))
        if kind != "skops" and not self.allow_pickle:
            raise UntrustedModel(limit_of_pickle("skops", kind))
        return kind, path

    def _form(self, model: Any) -> tuple[str, set[str]]:
        """The form in which the model is saved, and the modules that it then names."""
        try:
            data = skops_archive.dump(model)
            skops_archive.require_trusted(data, self.extra_types)
        except UntrustedModel as error:
            if not self.allow_pickle:
                raise _with_way_out(model, error) from error
            return "cloudpickle", {"cloudpickle", type(model).__module__}
        return "skops", {"skops", *skops_archive.modules(data)}

    def _write(
        self,
        model: Any,
        folder: Path,
        kind: str,
        pins: tuple[str, ...],
        signature: Any,
        example: pd.DataFrame | None,
    ) -> None:
        with quiet():
            import mlflow.sklearn

        trusted = {"skops_trusted_types": trusted_types(self.extra_types)}
        try:
            mlflow.sklearn.save_model(
                model,
                str(folder),
                serialization_format=kind,
                pip_requirements=list(pins),
                signature=signature,
                input_example=example,
                **(trusted if kind == mlflow.sklearn.SERIALIZATION_FORMAT_SKOPS else {}),
            )
        except mlflow.exceptions.MlflowException as error:
            raise InvalidInput(
                f"the model cannot be saved: {error.message}", field="model"
            ) from error


def _with_way_out(model: Any, error: UntrustedModel) -> UntrustedModel:
    """The refusal, with what to register instead where there is such a thing."""
    from sklearn.model_selection._search import BaseSearchCV

    modules = {kind.__module__ for kind in type(model).mro()} | set(error.types)
    packages = {name.partition(".")[0] for name in modules}
    advice = None
    if library := next((name for name in _WITHOUT_ADAPTER if name in packages), None):
        advice = (
            f"models of {library} cannot be registered as they are; convert the model to ONNX "
            f"(onnxmltools.convert_{library}) and register that with framework='onnx'"
        )
    elif isinstance(model, BaseSearchCV):
        advice = (
            "prediction needs the best model alone: register search.best_estimator_ instead of "
            "the search"
        )
    elif any(name.startswith("__main__.") or "<lambda>" in name for name in error.types):
        advice = (
            "move functions and classes of your own into a module that is installed wherever the "
            "model is loaded"
        )
    return error if advice is None else UntrustedModel(f"{advice} ({error})", types=error.types)


def _require_fitted(model: Any) -> None:
    from sklearn.base import BaseEstimator
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    if not isinstance(model, BaseEstimator) or not hasattr(model, "predict"):
        raise InvalidInput(
            f"model must be a scikit-learn estimator that predicts, not {type(model).__name__}",
            field="model",
        )
    try:
        check_is_fitted(model)
    except NotFittedError as error:
        raise InvalidInput(f"model must be fitted: {error}", field="model") from error


def _require_scores(predictor: SklearnPredictor, rows: pd.DataFrame) -> None:
    """Raise :class:`InvalidInput` for a classifier whose scores are no probabilities, and for a
    model of numbers that is registered as a classifier."""
    import numpy as np

    scores = predictor.scores(rows)
    if scores is None:
        answers = predictor.predict(rows)
        if answers.dtype.kind != "f" or bool((answers == answers.round()).all()):
            return
        if not bool(((answers >= 0) & (answers <= 1) | np.isnan(answers)).all()):
            raise InvalidInput(
                f"the model predicts numbers, from {np.nanmin(answers):.4g} to "
                f"{np.nanmax(answers):.4g}, and no classes; register it with "
                "model_type='regression'",
                field="model_type",
            )
        return
    require_probabilities(scores)


def _signature(model: Any, columns: tuple[Column, ...] | None, example: pd.DataFrame | None) -> Any:
    """MLflow's signature, built from the types rather than inferred: the inference warns about
    every whole-number column."""
    if columns is None:
        return False  # tells MLflow not to infer one
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    answers = SklearnPredictor(model, columns).predict(example)
    inputs = Schema([ColSpec(column.type, column.name) for column in columns])
    return ModelSignature(inputs, Schema([output_spec(answers)]))


def _saved(file: ModelFile, kind: str, unknown: Iterable[str]) -> SavedModel:
    notes = _notes(file.flavor(_FLAVOR), unknown)
    return SavedModel(
        file.requirements(), file.columns, notes, pickled=kind != "skops", onnx=file.parity()
    )


def _unpickle(path: Path) -> Any:
    import cloudpickle

    with path.open("rb") as stream:
        # Reached only when the setting allows it; cloudpickle reads both forms.
        return cloudpickle.load(stream)


def _notes(flavor: Mapping[str, Any], unknown: Iterable[str]) -> dict[str, str]:
    """Remarks for the model card, from what the model's own MLmodel file says."""
    notes = {
        "serialization": _kind(flavor),
        "scikit-learn": str(flavor.get("sklearn_version", "unknown")),
    }
    if packages := ", ".join(unknown):
        notes["packages that no distribution provides"] = packages
    return notes


def _kind(flavor: Mapping[str, Any]) -> str:
    """The form of the payload. MLflow's first versions did not say it, and knew pickle only."""
    return str(flavor.get("serialization_format", "pickle"))
