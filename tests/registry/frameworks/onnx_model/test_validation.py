"""Weights of ONNX models that lie in other files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.networks import absent, frame
from support.untrusted import refused, saved

from model_lifecycle.registry.frameworks import adapter_for

pytestmark = pytest.mark.skipif(bool(absent("onnx")), reason="ONNX is not installed")


@pytest.mark.parametrize("place", ["../secret", "/etc/passwd", "a/../../secret", "link", "", "\0"])
def test_onnx_weights_outside_of_the_folder(place: str, tmp_path: Path, canary: Path) -> None:
    """External data elsewhere is refused, also by a link, and none of it is read."""
    import onnx

    folder = saved("onnx", tmp_path)
    (tmp_path / "secret").write_bytes(b"\0" * 4096)
    (folder / "link").symlink_to(tmp_path / "secret")
    model = onnx.load(folder / "model.onnx")
    tensor = model.graph.initializer.add(name="evil", data_type=1, dims=[4])
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=place)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    refused("onnx", folder, canary, "outside of its folder")


def test_onnx_weights_inside_of_the_folder(tmp_path: Path) -> None:
    """A large model keeps its weights beside it, and is taken."""
    import onnx

    folder = saved("onnx", tmp_path)
    model = onnx.load(folder / "model.onnx")
    tensor = onnx.numpy_helper.from_array(np.zeros(4096, dtype="float32"), "extra")
    model.graph.initializer.append(tensor)
    onnx.save_model(
        model,
        folder / "model.onnx",
        save_as_external_data=True,
        location="weights",
        size_threshold=0,
    )

    assert (folder / "weights").is_file()
    assert len(adapter_for("onnx").load(folder).predict(frame(3))) == 3
