"""Keras models of every form register if they are graphs of Keras's own parts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.networks import absent, frame

from model_lifecycle.registry.domain.errors import InvalidInput, UntrustedModel
from model_lifecycle.registry.frameworks import adapter_for
from model_lifecycle.registry.frameworks.tensorflow_model.keras_archive import _unreviewed

needs_keras = pytest.mark.skipif(bool(absent("tensorflow")), reason="TensorFlow is not installed")


def _functional() -> Any:
    import keras

    inputs = keras.Input((3,))
    hidden = keras.layers.Dense(8, "relu")(inputs)
    return keras.Model(inputs, keras.layers.Dense(1, "sigmoid")(hidden))


def _residual() -> Any:
    import keras

    inputs = keras.Input((3,))
    hidden = keras.layers.Dense(3, "relu")(inputs)
    mixed = keras.ops.concatenate([hidden + inputs, (hidden * 2.0)[:, :2]], axis=1)
    return keras.Model(inputs, keras.layers.Dense(1, "sigmoid")(mixed))


def _nested() -> Any:
    """As models are built on one of keras.applications."""
    import keras

    inputs = keras.Input((3,))
    return keras.Model(inputs, keras.layers.Dense(1, "sigmoid")(_base()(inputs)))


def _base() -> Any:
    import keras

    inputs = keras.Input((3,))
    image = keras.layers.Reshape((3, 1, 1))(inputs)
    layers = keras.layers.Conv2D(4, 1, use_bias=False)(image)
    layers = keras.layers.BatchNormalization()(layers)
    layers = keras.layers.ReLU(6.0)(layers)
    return keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(layers))


def _subclassed() -> Any:
    import keras

    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.hidden = keras.layers.Dense(3, "relu")
            self.dropout = keras.layers.Dropout(0.5)
            self.head = keras.layers.Dense(1, "sigmoid")

        def call(self, x: Any, training: bool = False) -> Any:
            return self.head(self.dropout(self.hidden(x), training=training) + x)

    return Own()


def _unbuilt() -> Any:
    import keras

    return keras.Sequential([keras.layers.Dense(4, "relu"), keras.layers.Dense(1, "sigmoid")])


MODELS: dict[str, Callable[[], Any]] = {
    "functional": _functional,
    "residual": _residual,
    "nested": _nested,
    "subclassed": _subclassed,
    "unbuilt sequential": _unbuilt,
}


@needs_keras
@pytest.mark.parametrize("name", MODELS)
def test_models_of_every_form_answer_as_they_did(name: str, tmp_path: Path) -> None:
    """A subclassed one too: its layers and operations are saved, not its code."""
    model, rows = MODELS[name](), frame(20)
    adapter = adapter_for("tensorflow")
    adapter.save(model, tmp_path / "model", input_example=rows)
    expected = np.asarray(model(rows.to_numpy("float32")))[:, 0]

    scores = adapter.load(tmp_path / "model").scores(rows)
    assert scores is not None
    np.testing.assert_allclose(scores, expected, atol=1e-6)


@needs_keras
def test_a_call_of_other_code_is_refused_with_the_way_out(tmp_path: Path) -> None:
    """Raw TensorFlow leaves no graph of layers; the framework's own error does not escape."""
    import keras
    import tensorflow as tf

    class Raw(keras.Model):
        def call(self, x: Any) -> Any:
            return tf.sigmoid(tf.reduce_sum(x, axis=1, keepdims=True))

    with pytest.raises(InvalidInput, match="Make it a functional model"):
        adapter_for("tensorflow").save(Raw(), tmp_path / "model", input_example=frame())

    assert not (tmp_path / "model").exists()


@needs_keras
def test_two_inputs_are_refused_by_name(tmp_path: Path) -> None:
    """The columns fill one."""
    import keras

    left, right = keras.Input((1,), name="left"), keras.Input((2,), name="right")
    both = keras.layers.Concatenate()([left, right])
    model = keras.Model([left, right], keras.layers.Dense(1, "sigmoid")(both))
    with pytest.raises(InvalidInput, match=r"2 inputs \(left, right\)"):
        adapter_for("tensorflow").save(model, tmp_path / "model", input_example=frame())


@needs_keras
def test_a_layer_of_ones_own_is_refused_by_name(tmp_path: Path) -> None:
    """Its code is not in the file."""
    import keras

    class Own(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return x

    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(1, "sigmoid")(Own()(inputs)))
    with pytest.raises(UntrustedModel, match="Own; nothing was executed"):
        adapter_for("tensorflow").save(model, tmp_path / "model", input_example=frame())


@pytest.mark.parametrize(
    ("module", "kind"),
    [
        ("keras.src.ops.core", "WhileLoop"),
        ("keras.src.ops.core", "Map"),
        ("keras.src.ops.numpy", "keras_export"),
        ("keras.src.ops.numpy", "np"),
        ("keras.src.utils.file_utils", "get_file"),
        ("keras.src.models.model", "Model"),
        ("keras.src.layers.core.lambda_layer", "Lambda"),
        ("keras.layers", "Lambda"),
        ("keras.layers", "TFSMLayer"),
        (["keras.layers"], "Dense"),
    ],
)
def test_parts_of_keras_that_take_code_or_files_stay_refused(module: Any, kind: str) -> None:
    """Of its internal modules operations and the graph itself pass, nothing else."""
    entry = {"module": module, "class_name": kind, "registered_name": kind, "config": {}}

    assert _unreviewed(entry) is not None
    assert (
        _unreviewed(
            {
                **entry,
                "module": "keras.src.ops.numpy",
                "class_name": "Add",
                "registered_name": "Add",
            }
        )
        is None
    )
