"""Exports a model to ONNX, and keeps the file only if it answers as the model does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from model_lifecycle.registry.domain.artifact_paths import ONNX_MODEL
from model_lifecycle.registry.domain.errors import RegistryError
from model_lifecycle.registry.domain.model_outputs import ModelOutputs

from ..dependencies import install_line
from ..onnx_parity import ROWS, TOLERANCE, OnnxParity, largest_difference
from ..protocol import UNDECLARED, Column
from ..suppress_output import quiet

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

Answers = Callable[["pd.DataFrame"], tuple["np.ndarray", "np.ndarray | None"]]


def exported(
    folder: Path,
    *,
    converter: str,
    needs: Sequence[str],
    write: Callable[[Path], None],
    model: Answers,
    example: pd.DataFrame | None,
    columns: Sequence[Column] | None,
    model_type: str,
    outputs: ModelOutputs = UNDECLARED,
) -> OnnxParity:
    """Have ``write`` make ``model.onnx`` in ``folder``, and compare it with ``model``.

    Where it cannot be made, or differs by more than the tolerance, there is no such file
    afterwards, and the answer says why: a model is registered without rather than not at all.
    ``outputs`` are those of the model, which the file has by the same names where there are
    several. ``converter`` names distributions in braces, which become their versions.
    """
    if example is None or columns is None:
        return OnnxParity(reason="there was no input example to check it on")
    missing = [name for name in needs if find_spec(name) is None]
    if missing:
        return OnnxParity(reason=f"{missing[0]} was not installed ({install_line('onnx')})")
    file = folder / ONNX_MODEL
    rows = example.head(ROWS)
    try:
        with quiet():
            write(file)
        difference = _compared(file, model, rows, columns, model_type, outputs)
    except Exception as error:
        # Converters raise whatever they meet: each model is new to them.
        _remove(folder)
        return OnnxParity(reason=f"it could not be exported ({_brief(error)})")
    if difference > TOLERANCE:
        _remove(folder)
        return OnnxParity(
            reason=f"it differs from the model by {difference:.2g} on the input example, and "
            f"{TOLERANCE:g} is allowed"
        )
    return OnnxParity(difference, len(rows), _named(converter))


def _compared(
    file: Path,
    model: Answers,
    rows: pd.DataFrame,
    columns: Sequence[Column],
    model_type: str,
    outputs: ModelOutputs,
) -> float:
    from .predictor import OnnxPredictor
    from .validation import require_sound

    require_sound(file)
    predictor = OnnxPredictor(file, columns, model_type, outputs)
    return largest_difference(model(rows), predictor.answers(rows))


def _named(converter: str) -> str:
    names = {name for name in ("torch", "onnxscript", "tf2onnx", "skl2onnx") if name in converter}
    return converter.format(**{name: metadata.version(name) for name in names})


def _remove(folder: Path) -> None:
    """The file, and the weights that a large one keeps beside it."""
    for file in folder.glob(f"{ONNX_MODEL}*"):
        file.unlink()


def _brief(error: Exception) -> str:
    text = " ".join(str(error).split())
    name = "" if isinstance(error, RegistryError) else f"{type(error).__name__}: "
    return f"{name}{text[:200]}{'…' if len(text) > 200 else ''}"
