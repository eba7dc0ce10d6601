"""An MLflow model folder while it is written: signature and ONNX parity are added to what MLflow
wrote, and what went wrong half way leaves nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_lifecycle.registry.domain.model_outputs import ModelOutputs

from .mlmodel import MLMODEL, OUTPUTS
from .onnx_parity import KEY, OnnxParity
from .protocol import Column

if TYPE_CHECKING:
    import numpy as np


@contextmanager
def atomic_write(folder: Path) -> Iterator[None]:
    """``folder`` is written in the block; on an error there, or an interruption, it is gone."""
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def write_parity(folder: Path, parity: OnnxParity) -> None:
    """Write what is known of ``model.onnx`` into the folder's ``MLmodel`` file."""
    _add_metadata(folder, KEY, parity.document())


def record_outputs(folder: Path, outputs: ModelOutputs) -> None:
    """Write which outputs are score and prediction into the folder's ``MLmodel`` file; nothing
    where none is named."""
    if outputs:
        _add_metadata(folder, OUTPUTS, outputs.document())


def _add_metadata(folder: Path, key: str, value: Any) -> None:
    """An entry of the ``MLmodel`` file's metadata; needs no MLflow, the API has none."""
    import yaml

    file = folder / MLMODEL
    document = yaml.safe_load(file.read_bytes())
    document["metadata"] = {**(document.get("metadata") or {}), key: value}
    file.write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False))


def output_spec(values: np.ndarray) -> Any:
    """MLflow's specification of an output, whose number of rows is free."""
    import numpy as np
    from mlflow.types import TensorSpec

    # MLflow takes text of no fixed width only.
    kind = np.dtype("O") if values.dtype.kind in "SU" else values.dtype
    return TensorSpec(kind, (-1, *values.shape[1:]))


def network_signature(columns: Sequence[Column], outputs: Mapping[str, np.ndarray]) -> Any:
    """MLflow's signature of a network: named columns in, a tensor out, or several with names."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema, TensorSpec

    inputs = Schema([ColSpec(column.type, column.name) for column in columns])
    specs = [output_spec(values) for values in outputs.values()]
    if len(specs) > 1:
        specs = [
            TensorSpec(spec.type, spec.shape, name)
            for name, spec in zip(outputs, specs, strict=True)
        ]
    return ModelSignature(inputs, Schema(specs))


def write_signature(folder: Path, signature: Any) -> None:
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
