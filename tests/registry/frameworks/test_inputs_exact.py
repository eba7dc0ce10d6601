"""Columns reach a model in the type of its input, and no whole number changes on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.networks import absent

from model_lifecycle.registry.domain.errors import InvalidDataset
from model_lifecycle.registry.frameworks import adapter_for
from model_lifecycle.registry.frameworks.input_arrays import input_array

LARGE = 2**24


@pytest.mark.parametrize(
    ("values", "element"),
    [
        ([LARGE, LARGE + 1], "int64"),
        ([LARGE, LARGE + 1], "float64"),
        ([LARGE, LARGE + 2], "float32"),
        ([1.0, 2.0], "int64"),
        ([0.1, 1e300], "float64"),
        ([123456.789], "float32"),
        ([True, False], "float32"),
        (pd.array([1, None], dtype="Int64"), "float32"),
    ],
    ids=repr,
)
def test_values_that_fit_stay(values: Any, element: str) -> None:
    """Fractions are rounded to the type's precision, as everywhere."""
    frame = pd.DataFrame({"id": values})

    array = input_array(frame, element)
    assert array.dtype == element
    np.testing.assert_allclose(array[:, 0], frame["id"].astype(float), rtol=1e-7)


@pytest.mark.parametrize(
    ("values", "element", "match"),
    [
        ([1, LARGE + 1], "float32", "'id' holds 16777217"),
        ([2**53 + 1], "float64", "'id' holds 9007199254740993"),
        ([1, 2049], "float16", "'id' holds 2049"),
        ([2**63 - 1], "float32", "'id' holds 9223372036854775807"),
        ([300], "uint8", "'id' holds 300"),
        ([-1], "uint8", "'id' holds -1"),
        ([1.5], "int64", r"'id' holds 1\.5"),
        ([1.0, None], "int64", "'id' has missing values"),
        (["x"], "float32", "numbers only"),
    ],
    ids=repr,
)
def test_values_that_do_not_fit_are_named(values: Any, element: str, match: str) -> None:
    """With their column, instead of becoming another value."""
    with pytest.raises(InvalidDataset, match=match):
        input_array(pd.DataFrame({"id": values}), element)


@pytest.mark.skipif(bool(absent("pytorch")), reason="PyTorch is not installed")
def test_a_module_of_whole_numbers_gets_whole_numbers(tmp_path: Path) -> None:
    """Ids beyond 2^24 keep their last digit, also in the model that was loaded."""
    import torch

    class Odd(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return (x[:, :1].long() % 2).float()

    ids = pd.DataFrame({"user_id": np.arange(LARGE, LARGE + 6)})
    adapter = adapter_for("pytorch")
    adapter.save(Odd(), tmp_path / "model", input_example=ids)

    answers = adapter.load(tmp_path / "model").predict(ids)
    np.testing.assert_array_equal(answers, ids["user_id"] % 2)


@pytest.mark.skipif(bool(absent("pytorch")), reason="PyTorch is not installed")
@pytest.mark.parametrize("precision", ["float16", "float64"])
def test_a_module_gets_the_precision_of_its_weights(precision: str, tmp_path: Path) -> None:
    """Half and double precision are trained in as well."""
    import torch

    layers = torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.Sigmoid())
    module = layers.to(getattr(torch, precision))
    rows = pd.DataFrame({"a": [0.1, 0.2, 0.3], "b": [1.0, 2.0, 3.0]})
    adapter = adapter_for("pytorch")
    adapter.save(module, tmp_path / "model", input_example=rows)
    with torch.no_grad():
        expected = module(torch.tensor(rows.to_numpy(precision)))[:, 0].numpy()

    scores = adapter.load(tmp_path / "model").scores(rows)
    assert scores is not None
    np.testing.assert_allclose(scores, expected, atol=1e-3 if precision == "float16" else 1e-12)


@pytest.mark.skipif(bool(absent("tensorflow")), reason="TensorFlow is not installed")
def test_a_keras_model_gets_the_type_of_its_input(tmp_path: Path) -> None:
    """An input of int64 holds ids that float32 would change."""
    import keras

    inputs = keras.Input((1,), dtype="int64")
    outputs = keras.ops.cast(inputs % 2, "float32")
    ids = pd.DataFrame({"user_id": np.arange(LARGE, LARGE + 6)})
    adapter = adapter_for("tensorflow")
    adapter.save(keras.Model(inputs, outputs), tmp_path / "model", input_example=ids)

    scores = adapter.load(tmp_path / "model").scores(ids)
    np.testing.assert_array_equal(scores, ids["user_id"] % 2)
