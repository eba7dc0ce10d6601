"""An MLflow model folder while it is written: signature and ONNX parity are added to what MLflow
wrote, and what went wrong half way leaves nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .parity import KEY, OnnxParity
from .protocol import Column

if TYPE_CHECKING:
    import numpy as np


@contextmanager
def written_whole(folder: Path) -> Iterator[None]:
    """``folder`` is written in the block; on an error there, or an interruption, it is gone."""
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def keep_parity(folder: Path, parity: OnnxParity) -> None:
    """Write what is known of ``model.onnx`` into the folder's ``MLmodel`` file."""
    from mlflow.models import Model

    file = folder / "MLmodel"
    description = Model.load(str(file))
    description.metadata = {**(description.metadata or {}), KEY: parity.document()}
    description.save(str(file))


def network_signature(columns: Sequence[Column], *, module_output: np.ndarray) -> Any:
    """MLflow's signature of a network: named columns in, a tensor out."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema, TensorSpec

    shape = (-1, *module_output.shape[1:])
    inputs = Schema([ColSpec(column.type, column.name) for column in columns])
    return ModelSignature(inputs, Schema([TensorSpec(module_output.dtype, shape)]))


def sign(folder: Path, signature: Any) -> None:
    """Put another signature into the folder's ``MLmodel`` file."""
    from mlflow.models import set_signature

    set_signature(str(folder), signature)


def limit_of_pickle(instead: str, kind: str = "pickle") -> str:
    """Why a pickled payload is refused, and what to do."""
    return (
        f"the model was saved with {kind:.40}, and loading it would run code that the file "
        f"chooses; save it with {instead}, or allow it with the setting "
        "MODEL_LIFECYCLE_ALLOW_PICKLE=true"
    )
