"""Checks of an uploaded MLflow folder before it reaches the core."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model_lifecycle.registry.domain.errors import InvalidInput, UntrustedModel
from model_lifecycle.registry.domain.models import Framework
from model_lifecycle.registry.frameworks.mlmodel import MLMODEL, read_mlmodel

_PYFUNC = "python_function"
_ALLOWED = frozenset(Framework) | {_PYFUNC}
_PICKLES = frozenset(
    {".pkl", ".pickle", ".joblib", ".dill", ".cloudpickle", ".pt", ".pth", ".ckpt"}
)
_LARGEST_MLMODEL = 1024 * 1024


def model_folder(unpacked: Path) -> Path:
    """The model's folder: the archive's root, or the one folder in it.

    Raises InvalidInput for what is no MLflow model, UntrustedModel for flavors and payloads that
    would run code of the file's choosing. Nothing is executed. Blocking.
    """
    folder = unpacked
    inner = list(unpacked.iterdir())
    if not (unpacked / MLMODEL).is_file() and len(inner) == 1 and inner[0].is_dir():
        folder = inner[0]
    file = folder / MLMODEL
    if not file.is_file():
        raise InvalidInput(
            f"the uploaded archive is not an MLflow model folder: it has no {MLMODEL} file",
            field="mlflow_model",
        )
    if file.stat().st_size > _LARGEST_MLMODEL:
        raise InvalidInput(f"the {MLMODEL} file is too large", field="mlflow_model")
    _check_flavors(read_mlmodel(folder).flavors)
    for path in folder.rglob("*"):
        if path.is_file() and _is_pickle(path):
            raise UntrustedModel(
                f"{path.relative_to(folder).as_posix()!r:.120} is pickled, and loading it would "
                "run code that the file chooses; save the model without pickle"
            )
    return folder


def _check_flavors(flavors: Mapping[str, Any]) -> None:
    for name, flavor in flavors.items():
        if name not in _ALLOWED or not isinstance(flavor, Mapping):
            raise UntrustedModel(
                f"the flavor {name!r:.80} is not allowed; allowed are {', '.join(sorted(_ALLOWED))}"
            )


def _is_pickle(path: Path) -> bool:
    """By name, or by how pickle's protocols 2 to 5 begin."""
    if path.suffix.lower() in _PICKLES:
        return True
    with path.open("rb") as stream:
        head = stream.read(2)
    return len(head) == 2 and head[0] == 0x80 and 2 <= head[1] <= 5
