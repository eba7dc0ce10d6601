"""Keras archives that would run code or read other files: refused before anything is built."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.networks import absent, frame, keras_model
from support.untrusted import refused, rewritten, saved

from model_lifecycle.registry.domain.errors import UntrustedModel
from model_lifecycle.registry.frameworks import adapter_for
from model_lifecycle.registry.frameworks.suppress_output import quiet

pytestmark = pytest.mark.skipif(bool(absent("tensorflow")), reason="TensorFlow is not installed")


def test_a_lambda_layer(tmp_path: Path, canary: Path) -> None:
    """Refused when it is saved; and when somebody else saved it, on checking and on loading."""
    import keras

    model = keras_model(1.0, keras.layers.Lambda(lambda values: values * 2))
    with pytest.raises(UntrustedModel, match=r"keras\.layers\.Lambda"):
        adapter_for("tensorflow").save(model, tmp_path / "mine", input_example=frame())

    assert not (tmp_path / "mine").exists()

    folder = saved("tensorflow", tmp_path)
    with quiet():
        model.save(folder / "data" / "model.keras")
    refused("tensorflow", folder, canary, r"keras\.layers\.Lambda")


def _layer(**values: Any) -> Callable[[dict[str, bytes]], None]:
    """Adds a layer to a Keras model's configuration."""

    def change(members: dict[str, bytes]) -> None:
        config = json.loads(members["config.json"])
        layer = {"config": {"name": "evil"}, "registered_name": None, **values}
        config["config"]["layers"].append(layer)
        members["config.json"] = json.dumps(config).encode()

    return change


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"module": "os", "class_name": "mkdir"}, r"os\.mkdir"),
        ({"module": "keras.layers", "class_name": "TFSMLayer"}, "TFSMLayer"),
        ({"module": "keras.layers", "class_name": "StringLookup"}, "StringLookup"),
        ({"module": "keras.utils", "class_name": "get_file"}, "get_file"),
        ({"module": "builtins", "class_name": "__lambda__"}, "__lambda__"),
        (
            {"module": "keras.layers", "class_name": "Dense", "registered_name": "evil>Dense"},
            "Dense",
        ),
        ({"module": "builtins", "class_name": "function", "config": "os.mkdir"}, r"os\.mkdir"),
    ],
)
def test_layers_that_nobody_reviewed(
    values: dict[str, Any], match: str, tmp_path: Path, canary: Path
) -> None:
    """Layers that hold code, read files, or are not Keras's own are refused by name."""
    folder = saved("tensorflow", tmp_path)
    rewritten(folder / "data" / "model.keras", _layer(**values))
    refused("tensorflow", folder, canary, match)


def test_weights_in_another_file(tmp_path: Path, canary: Path) -> None:
    """HDF5 can link to any file; loading refuses it before Keras opens the weights."""
    import h5py

    folder = saved("tensorflow", tmp_path)
    h5py.File(tmp_path / "secret.h5", "w").create_dataset("secret", data=np.zeros(3))

    def link(members: dict[str, bytes]) -> None:
        stream = io.BytesIO(members["model.weights.h5"])
        with h5py.File(stream, "r+") as weights:
            weights["secret"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "secret")
        members["model.weights.h5"] = stream.getvalue()

    rewritten(folder / "data" / "model.keras", link)
    with pytest.raises(UntrustedModel, match="links its weights"):
        adapter_for("tensorflow").load(folder)

    assert not canary.exists()


def test_a_file_more_in_a_keras_archive(tmp_path: Path, canary: Path) -> None:
    """Nothing but configuration, metadata and weights."""
    folder = saved("tensorflow", tmp_path)
    rewritten(folder / "data" / "model.keras", lambda members: members.update({"assets/x": b""}))
    refused("tensorflow", folder, canary, "assets/x")
