"""Small models of every framework on one frame of numbers, and what they answer before saving."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd

COLUMNS = ("recent", "older", "rate")
#: The modules that a framework's tests need.
NEEDS = {
    "sklearn": ("sklearn",),
    "pytorch": ("torch", "onnx", "onnxruntime", "onnxscript"),
    "tensorflow": ("tensorflow", "keras", "onnx", "onnxruntime", "tf2onnx"),
    "onnx": ("onnx", "onnxruntime", "skl2onnx"),
}


@dataclass(frozen=True)
class Fitted:
    """``answers`` gives the scores of the object itself, not of what was saved."""

    framework: str
    model: Any
    answers: Callable[[pd.DataFrame], np.ndarray]


def absent(framework: str) -> str:
    """The first module that is not installed; empty when all are."""
    return next((name for name in NEEDS[framework] if find_spec(name) is None), "")


def frame(rows: int = 60, seed: int = 3) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame(random.normal(size=(rows, len(COLUMNS))), columns=list(COLUMNS))


def fitted(framework: str, *, strength: float = 1.0) -> Fitted:
    """A binary classifier: P(class 1) grows with ``recent`` and ``older``, by ``strength``."""
    return _MAKERS[framework](strength)


def torch_module(strength: float = 1.0, *layers: Any) -> Any:
    import torch

    linear = torch.nn.Linear(len(COLUMNS), 1)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([[2.0, 1.0, 0.0]]) * strength)
        linear.bias.zero_()
    return torch.nn.Sequential(linear, torch.nn.Dropout(0.5), *layers, torch.nn.Sigmoid())


def keras_model(strength: float = 1.0, *layers: Any) -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras

    dense = keras.layers.Dense(1)
    model = keras.Sequential(
        [keras.layers.Input((len(COLUMNS),)), dense, *layers, keras.layers.Activation("sigmoid")]
    )
    dense.set_weights([np.array([[2.0], [1.0], [0.0]]) * strength, np.zeros(1)])
    return model


def _sklearn(strength: float) -> Fitted:
    from sklearn.linear_model import LogisticRegression

    features = frame(400)
    chance = 1 / (1 + np.exp(-2 * features["recent"] - features["older"]))
    labels = (np.random.default_rng(4).random(400) < chance).astype(int)
    model = LogisticRegression(C=strength).fit(features, labels)
    return Fitted("sklearn", model, lambda rows: model.predict_proba(rows)[:, 1])


def _pytorch(strength: float) -> Fitted:
    import torch

    model = torch_module(strength)

    def answers(rows: pd.DataFrame) -> np.ndarray:
        with torch.no_grad():
            return np.asarray(model.eval()(torch.tensor(rows.to_numpy(dtype="float32")))[:, 0])

    return Fitted("pytorch", model, answers)


def _tensorflow(strength: float) -> Fitted:
    model = keras_model(strength)
    return Fitted(
        "tensorflow", model, lambda rows: np.asarray(model(rows.to_numpy(dtype="float32")))[:, 0]
    )


def _onnx(strength: float) -> Fitted:
    import onnxruntime
    from skl2onnx import to_onnx

    source = _sklearn(strength).model
    model = to_onnx(source, frame(2).to_numpy(dtype="float32"), options={"zipmap": False})
    session = onnxruntime.InferenceSession(model.SerializeToString())

    def answers(rows: pd.DataFrame) -> np.ndarray:
        return np.asarray(session.run(None, {"X": rows.to_numpy(dtype="float32")})[1][:, 1])

    return Fitted("onnx", model, answers)


_MAKERS = {"sklearn": _sklearn, "pytorch": _pytorch, "tensorflow": _tensorflow, "onnx": _onnx}
