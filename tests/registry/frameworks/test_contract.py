"""Guarantees of every adapter, checked on each framework that is installed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.networks import COLUMNS, NEEDS, Fitted, absent, fitted, frame

from model_lifecycle.registry.domain.errors import (
    FrameworkUnavailable,
    InvalidDataset,
    InvalidInput,
    UntrustedModel,
)
from model_lifecycle.registry.frameworks import FrameworkAdapter, adapter_for, framework_of

FRAMEWORKS = tuple(NEEDS)


@pytest.fixture(params=FRAMEWORKS)
def model(request: pytest.FixtureRequest) -> Fitted:
    """A model of each framework in turn."""
    if missing := absent(request.param):
        pytest.skip(f"{missing} is not installed")
    return fitted(request.param)


@pytest.fixture
def own(model: Fitted) -> FrameworkAdapter:
    return adapter_for(model.framework)


@pytest.fixture
def folder(model: Fitted, own: FrameworkAdapter, tmp_path: Path) -> Path:
    """The model, saved."""
    own.save(model.model, tmp_path / "model", input_example=frame())
    return tmp_path / "model"


def test_answers_stay_to_a_millionth(model: Fitted, own: FrameworkAdapter, folder: Path) -> None:
    """A loaded model answers as the object did, also one row, thousands of them, and columns in
    another order with others between."""
    predictor = own.load(folder)
    for rows in (1, 7, 5000):
        features = frame(rows, seed=rows)
        turned = features.assign(extra="x")[["extra", *reversed(COLUMNS)]]
        expected = model.answers(features)

        scores = predictor.scores(turned)
        assert scores is not None
        np.testing.assert_allclose(scores, expected, atol=1e-6, rtol=0)
        np.testing.assert_array_equal(predictor.predict(turned), (expected >= 0.5).astype(int))


def test_saving_tells_what_checking_tells(
    model: Fitted, own: FrameworkAdapter, tmp_path: Path
) -> None:
    """Columns, pinned requirements and parity are read back from the folder alone."""
    saved = own.save(model.model, tmp_path / "model", input_example=frame())

    assert own.check(tmp_path / "model") == saved
    assert [(item.name, item.type) for item in saved.columns or ()] == [
        (name, "double") for name in COLUMNS
    ]
    assert framework_of(tmp_path / "model") == model.framework
    assert not saved.pickled


def test_requirements_are_pinned_and_name_the_framework(
    model: Fitted, own: FrameworkAdapter, folder: Path
) -> None:
    """Every line is a pin without a local label; no other framework is named."""
    names = {
        "sklearn": "scikit-learn",
        "pytorch": "torch",
        "tensorflow": "tensorflow-cpu",
        "onnx": "onnxruntime",
    }
    lines = own.check(folder).requirements
    named = {line.partition("==")[0] for line in lines}

    assert all(re.fullmatch(r"[a-z0-9-]+==[^+]+", line) for line in lines)
    assert named & set(names.values()) == {names[model.framework]}


def test_no_file_is_a_pickle(folder: Path) -> None:
    """By how pickles begin; what torch wraps in its archive is looked at where it is reviewed."""
    for file in folder.rglob("*"):
        assert file.is_dir() or file.suffix not in (".pkl", ".pth", ".pt")
        assert file.is_dir() or file.read_bytes()[:2] not in (b"\x80\x04", b"\x80\x05")


def test_the_bundle_has_an_onnx_model_that_answers_alike(
    model: Fitted, own: FrameworkAdapter, folder: Path, tmp_path: Path
) -> None:
    """model.onnx lies in the folder; computed by itself it gives the model's scores."""
    pytest.importorskip("onnxruntime")
    if missing := absent("onnx"):
        pytest.skip(f"{missing} is not installed")
    parity = own.check(folder).onnx
    from model_lifecycle.registry.frameworks.onnx_model.predictor import OnnxPredictor

    alone = OnnxPredictor(folder / "model.onnx", own.check(folder).columns, "classification")
    rows = frame(200, seed=9)

    assert parity.exported
    assert parity.difference is not None
    assert parity.difference <= 1e-6
    scores = alone.scores(rows)
    assert scores is not None
    np.testing.assert_allclose(scores, model.answers(rows), atol=1e-6, rtol=0)


def test_rows_that_do_not_fit_are_named(own: FrameworkAdapter, folder: Path) -> None:
    """The error names a missing column and one of text, as for every framework."""
    predictor = own.load(folder)
    with pytest.raises(InvalidDataset, match="older"):
        predictor.predict(frame().drop(columns="older"))
    with pytest.raises(InvalidDataset, match="older"):
        predictor.predict(frame().assign(older="x"))
    with pytest.raises(InvalidDataset):
        predictor.predict(frame().head(0))


def test_what_is_no_model_of_the_framework_leaves_nothing(
    own: FrameworkAdapter, tmp_path: Path
) -> None:
    """Another object is refused, and its folder is not there afterwards."""
    for other in (len, "model", None, 3):
        with pytest.raises(InvalidInput):
            own.save(other, tmp_path / "model", input_example=frame())

        assert not (tmp_path / "model").exists()


def test_an_example_that_does_not_fit_leaves_nothing(
    model: Fitted, own: FrameworkAdapter, tmp_path: Path
) -> None:
    """An example with a column less is refused before anything is written."""
    with pytest.raises((InvalidInput, InvalidDataset)):
        own.save(model.model, tmp_path / "model", input_example=frame()[["recent", "rate"]])

    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text"])
def test_damaged_files_are_told_as_such(own: FrameworkAdapter, folder: Path, damage: str) -> None:
    """A payload that was cut, changed, emptied or replaced is an error of the registry, whatever
    the framework would have made of it; or it still answers, where the change met no meaning."""
    payload = max(
        (
            file
            for file in folder.rglob("*")
            if file.suffix in (".skops", ".pt2", ".keras", ".onnx")
        ),
        key=lambda file: (file.suffix != ".onnx", file.stat().st_size),
    )
    data = payload.read_bytes()
    middle = len(data) // 2
    payload.write_bytes(
        {
            "cut": data[:middle],
            "flipped": data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :],
            "empty": b"",
            "text": b"no model at all" * 20,
        }[damage]
    )
    try:
        own.check(folder)
        predictor = own.load(folder)
    except (InvalidInput, UntrustedModel):
        return

    assert damage == "flipped"
    assert len(predictor.predict(frame(3))) == 3


@pytest.mark.parametrize("framework", [name for name in FRAMEWORKS if absent(name)])
def test_a_framework_that_is_absent_is_told_with_its_install_line(
    framework: str, tmp_path: Path
) -> None:
    """The error is a line to copy; nothing is written."""
    if framework == "onnx" and not absent("onnx").startswith("onnx"):
        pytest.skip("only its converter is absent")
    with pytest.raises(FrameworkUnavailable) as caught:
        adapter_for(framework).save(object(), tmp_path / "model", input_example=frame())

    assert caught.value.install == f'pip install "airflow-provider-model-lifecycle[{framework}]"'
    assert not (tmp_path / "model").exists()


def test_what_numbers_mean_depends_on_the_type_of_model(
    model: Fitted, own: FrameworkAdapter, folder: Path
) -> None:
    """As a regression the same network predicts its number, and has no scores."""
    if model.framework in ("sklearn", "onnx"):
        pytest.skip("it knows by itself what it predicts")
    predictor: Any = own.load(folder, model_type="regression")
    rows: pd.DataFrame = frame(5)

    assert predictor.scores(rows) is None
    np.testing.assert_allclose(predictor.predict(rows), model.answers(rows), atol=1e-6)
