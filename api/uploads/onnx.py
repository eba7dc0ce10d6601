"""An uploaded ONNX file as an MLflow model folder, which is what the core registers."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import BinaryIO

from model_lifecycle.registry.domain.errors import InvalidInput

FILE = "model.onnx"
_MLMODEL = f"flavors:\n  onnx:\n    data: {FILE}\n"
#: The first field of ONNX's ModelProto, ``ir_version``, in the wire format of protocol buffers.
_IR_VERSION = b"\x08"


def onnx_folder(stream: BinaryIO, folder: Path) -> Path:
    """Write the file into ``folder``; what it holds is for the framework's adapter to judge.

    Raises InvalidInput for what cannot be an ONNX model. Blocking.
    """
    stream.seek(0)
    if stream.read(1) != _IR_VERSION:
        raise InvalidInput("the uploaded file is not an ONNX model", field="onnx_model")
    stream.seek(0)
    with (folder / FILE).open("xb") as target:
        shutil.copyfileobj(stream, target, 1024 * 1024)
    (folder / "MLmodel").write_text(_MLMODEL)
    return folder
