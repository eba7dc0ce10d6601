"""Outputs are chosen by name: what leaves a choice is refused with the list, in every framework."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from support.networks import absent, frame

from model_lifecycle.registry.domain.errors import InvalidInput
from model_lifecycle.registry.domain.model_outputs import (
    ModelOutputs,
    ScoreTransform,
    model_outputs,
)
from model_lifecycle.registry.frameworks import adapter_for
from model_lifecycle.registry.frameworks.outputs import (
    OutputSpec,
    choose_outputs,
    require_probabilities,
)

LABEL = OutputSpec("label", "int64", (None,))
TABLE = OutputSpec("probabilities", "float32", (None, 2))
LOGIT, CHANCE = OutputSpec("value", "float32", (None, 1)), OutputSpec("p", "float32", (None, 1))
CLUSTERS, DISTANCES = LABEL, OutputSpec("scores", "float32", (None, 3))


@pytest.mark.parametrize(
    ("specs", "declared", "model_type", "chosen"),
    [
        ([CHANCE], {}, "classification", {"score": "p"}),
        ([LABEL], {}, "classification", {"prediction": "label"}),
        (
            [TABLE, LABEL],
            {},
            "classification",
            {"score": "probabilities", "prediction": "label"},
        ),
        ([LOGIT, CHANCE], {"score": "p"}, "classification", {"score": "p"}),
        ([CHANCE], {}, "regression", {"prediction": "p"}),
        ([LOGIT, CHANCE], {"prediction": "value"}, "regression", {"prediction": "value"}),
        ([DISTANCES, CLUSTERS], {}, "clustering", {"prediction": "label"}),
    ],
)
def test_one_choice_is_made(
    specs: list[OutputSpec], declared: dict[str, str], model_type: str, chosen: dict[str, str]
) -> None:
    """By names, types and shapes, whatever the order; what is declared stays."""
    assert choose_outputs(specs, model_outputs(declared), model_type).document() == chosen
    assert choose_outputs(specs[::-1], model_outputs(declared), model_type).document() == chosen


@pytest.mark.parametrize(
    ("specs", "declared", "model_type", "match"),
    [
        ([LOGIT, CHANCE], {}, "classification", r"value \(float32 \[\?, 1\]\), p \(float32"),
        ([LABEL, LOGIT, CHANCE], {}, "classification", "could be its score"),
        ([LABEL, LOGIT, CHANCE], {"prediction": "label"}, "classification", "its score"),
        ([LABEL, OutputSpec("rank", "int64", (None,)), TABLE], {}, "classification", "prediction"),
        ([LOGIT, CHANCE], {}, "regression", "could be its prediction"),
        ([LABEL, TABLE], {}, "regression", "could be its prediction"),
        ([CHANCE], {"score": "q"}, "classification", "has no output 'q'"),
        ([CHANCE], {"score": "p"}, "regression", "has no score"),
        ([LABEL], {"score_transform": "sigmoid"}, "classification", "needs an output"),
        ([], {}, "classification", "no output"),
    ],
)
def test_a_choice_that_nobody_made_is_refused(
    specs: list[OutputSpec], declared: dict[str, str], model_type: str, match: str
) -> None:
    """With the outputs, their types and shapes."""
    with pytest.raises(InvalidInput, match=match):
        choose_outputs(specs, model_outputs(declared), model_type)


@pytest.mark.parametrize(
    "document",
    [{"probability": "p"}, ["p"], "p", {"score": 1}, {"score": "p", "score_transform": "exp"}],
    ids=repr,
)
def test_outputs_of_another_form_are_refused(document: Any) -> None:
    """Before anything is saved."""
    with pytest.raises(InvalidInput):
        model_outputs(document)


@pytest.mark.parametrize(
    "scores",
    [[-0.1, 0.5], [0.2, 1.1], [[0.2, 0.2], [0.5, 0.5]], [np.inf, 0.5], [np.nan, np.nan]],
    ids=repr,
)
def test_scores_that_are_no_probabilities_are_refused(scores: Any) -> None:
    """A row without an answer is not judged, unless all are."""
    with pytest.raises(InvalidInput):
        require_probabilities(np.array(scores))
    require_probabilities(np.array([0.2, np.nan]))


def _onnx_graph(*outputs: str) -> Any:
    """``z`` is a logit, ``p`` its sigmoid, ``two`` the logits of two classes."""
    from onnx import TensorProto, helper, numpy_helper

    weights = [
        numpy_helper.from_array(np.array([[2.0], [1.0], [0.0]], dtype="float32"), "w"),
        numpy_helper.from_array(
            np.array([[0.0, 2.0], [0.0, 1.0], [0.0, 0.0]], dtype="float32"), "v"
        ),
    ]
    nodes = {
        "z": helper.make_node("MatMul", ["x", "w"], ["z"]),
        "p": helper.make_node("Sigmoid", ["z"], ["p"]),
        "two": helper.make_node("MatMul", ["x", "v"], ["two"]),
    }
    used = [nodes[name] for name in ("z", "p", "two") if name in outputs or name == "z"]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        used,
        "g",
        [value("x", TensorProto.FLOAT, ["N", 3])],
        [value(name, TensorProto.FLOAT, ["N", 2 if name == "two" else 1]) for name in outputs],
        weights,
    )
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def _torch_module(*outputs: str) -> Any:
    import torch

    class Heads(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = torch.nn.Parameter(torch.tensor([[2.0], [1.0], [0.0]]))

        def forward(self, x: Any) -> Any:
            z = x @ self.w
            values = {
                "z": z,
                "p": torch.sigmoid(z),
                "two": torch.cat([torch.zeros_like(z), z], 1),
            }
            chosen = {name: values[name] for name in outputs}
            return chosen if len(outputs) > 1 else chosen[outputs[0]]

    return Heads()


def _keras_model(*outputs: str) -> Any:
    import keras

    inputs = keras.Input((3,))
    dense = keras.layers.Dense(1, use_bias=False)
    z = dense(inputs)
    values = {
        "z": z,
        "p": keras.ops.sigmoid(z),
        "two": keras.ops.concatenate([z * 0.0, z], axis=1),
    }
    chosen = {name: values[name] for name in outputs}
    model = keras.Model(inputs, chosen if len(outputs) > 1 else chosen[outputs[0]])
    dense.set_weights([np.array([[2.0], [1.0], [0.0]])])
    return model


MAKERS = {"onnx": _onnx_graph, "pytorch": _torch_module, "tensorflow": _keras_model}


@pytest.fixture(params=MAKERS)
def framework(request: pytest.FixtureRequest) -> str:
    if missing := absent(request.param):
        pytest.skip(f"{missing} is not installed")
    return str(request.param)


def _chance(rows: pd.DataFrame) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-2 * rows["recent"] - rows["older"])))


def _saved(framework: str, folder: Path, *outputs: str, **declared: str) -> Any:
    adapter = adapter_for(framework)
    adapter.save(
        MAKERS[framework](*outputs),
        folder,
        input_example=frame(),
        outputs=model_outputs(declared),
    )
    return adapter


def test_two_heads_are_refused_with_their_names(framework: str, tmp_path: Path) -> None:
    """A logit and its probability: nothing but the user knows which is the score."""
    with pytest.raises(InvalidInput, match=r"z \(float32 \[.*, 1\]\), p \(float32 \[.*, 1\]\)"):
        _saved(framework, tmp_path / "model", "z", "p")

    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("order", [("z", "p"), ("p", "z")])
def test_the_named_output_is_the_score(
    framework: str, order: tuple[str, str], tmp_path: Path
) -> None:
    """Wherever it stands; the folder keeps the name, and the card shows it."""
    adapter = _saved(framework, tmp_path / "model", *order, score="p")
    rows = frame(50, seed=5)

    scores = adapter.load(tmp_path / "model").scores(rows)
    np.testing.assert_allclose(scores, _chance(rows), atol=1e-6)
    assert adapter.check(tmp_path / "model").notes["output: score"] == "p"
    metadata = yaml.safe_load((tmp_path / "model" / "MLmodel").read_text())["metadata"]
    assert metadata["lifecycle.outputs"] == {"score": "p"}


def test_the_onnx_file_has_the_same_score(framework: str, tmp_path: Path) -> None:
    """Its outputs have the model's names, so that parity compares the same ones."""
    adapter = _saved(framework, tmp_path / "model", "z", "p", score="p")

    assert adapter.check(tmp_path / "model").onnx.exported


@pytest.mark.parametrize("output", ["z", "two"])
def test_logits_are_refused(framework: str, output: str, tmp_path: Path) -> None:
    """The gates would fail each row; the error says what to do."""
    with pytest.raises(InvalidInput, match="a sigmoid or a softmax"):
        _saved(framework, tmp_path / "model", output)


@pytest.mark.parametrize(
    ("output", "transform"), [("z", ScoreTransform.SIGMOID), ("two", ScoreTransform.SOFTMAX)]
)
def test_declared_logits_become_probabilities(
    framework: str, output: str, transform: ScoreTransform, tmp_path: Path
) -> None:
    """By the transform that was named at registration."""
    adapter = _saved(framework, tmp_path / "model", output, score_transform=transform.value)
    rows = frame(50, seed=5)
    predictor = adapter.load(tmp_path / "model")

    np.testing.assert_allclose(predictor.scores(rows), _chance(rows), atol=1e-6)
    np.testing.assert_array_equal(predictor.predict(rows), (_chance(rows) >= 0.5).astype(int))


@pytest.mark.skipif(bool(absent("onnx")), reason="ONNX is not installed")
def test_columns_of_a_zipmap_are_not_guessed(tmp_path: Path) -> None:
    """skl2onnx can give one output a class: the first would be P(class 0)."""
    from skl2onnx import to_onnx
    from sklearn.linear_model import LogisticRegression

    rows = frame(300)
    labels = (rows["recent"] > 0).astype(int)
    model = LogisticRegression().fit(rows.to_numpy(), labels)
    exported = to_onnx(model, rows.to_numpy("float32")[:2], options={"zipmap": "columns"})
    adapter = adapter_for("onnx")
    with pytest.raises(InvalidInput, match=r"output_label .* i0 .* i1"):
        adapter.save(exported, tmp_path / "model", input_example=rows)
    outputs = ModelOutputs(score="i1", prediction="output_label")
    adapter.save(exported, tmp_path / "model", input_example=rows, outputs=outputs)
    scores = adapter.load(tmp_path / "model").scores(rows)

    assert scores is not None
    np.testing.assert_allclose(scores, model.predict_proba(rows.to_numpy())[:, 1], atol=1e-5)


def test_a_model_of_numbers_is_no_classifier(tmp_path: Path) -> None:
    """scikit-learn's regressors predict numbers, which no gate for classifiers can judge."""
    from sklearn.linear_model import Ridge

    rows = frame(50)
    model = Ridge().fit(rows, rows["recent"] * 10)
    adapter = adapter_for("sklearn")
    with pytest.raises(InvalidInput, match="model_type='regression'"):
        adapter.save(model, tmp_path / "model", input_example=rows)
    adapter.save(model, tmp_path / "model", input_example=rows, model_type="regression")


@pytest.mark.skipif(bool(absent("onnx")), reason="ONNX is not installed")
@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")
async def test_outputs_of_a_source_are_named_at_registration(tmp_path: Path) -> None:
    """A model that was logged with MLflow alone: refused with the list, then registered with the
    names, which its bundle keeps."""
    import mlflow

    from model_lifecycle.registry import Settings, open_registry

    async with open_registry(Settings({}, home=tmp_path)) as registry:
        first = _onnx_graph("p")
        await registry.register_model(
            "acme", "m", first, "onnx", {}, {}, input_example=frame(), created_by="kim"
        )
        mlflow.set_tracking_uri(registry.settings.tracking_uri)
        mlflow.set_experiment("tenants/acme/models/m")
        with mlflow.start_run():
            logged = mlflow.onnx.log_model(
                _onnx_graph("z", "p"), name="model", save_as_external_data=False
            )
        source = f"models:/{logged.model_id}"
        with pytest.raises(InvalidInput, match=r"z \(float32 \[N, 1\]\), p"):
            await registry.create_version("acme", "m", source, created_by="kim")
        await registry.create_version("acme", "m", source, outputs={"score": "p"}, created_by="kim")
        predictor = await registry.load_model("acme", "m", 2)
        rows = frame(10)

        scores = predictor.scores(rows[["recent", "older", "rate"]])
        assert scores is not None
        np.testing.assert_allclose(scores, _chance(rows), atol=1e-6)
