"""scikit-learn models survive saving and loading: same answers, no pickle, no second process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from model_lifecycle.registry.domain.errors import InvalidInput, UnknownFramework
from model_lifecycle.registry.frameworks import FrameworkAdapter, adapter_for

Fitted = Callable[[str], Any]
Saved = Callable[[str], Path]


def test_answers_stay(
    kind: str, fitted: Fitted, saved: Saved, adapter: FrameworkAdapter, frame: pd.DataFrame
) -> None:
    """A loaded model answers as the fitted one did, to the bit, also from turned columns."""
    model = fitted(kind)
    features = frame
    if kind == "histogram-from-dtype":
        features = frame.astype({"carrier": "category", "origin": "category"})
    turned = features.assign(extra="ignored")[["extra", *reversed(features.columns)]]
    predictor = adapter.load(saved(kind))
    has_scores = hasattr(model, "predict_proba")
    expected = model.predict_proba(features)[:, 1] if has_scores else None

    np.testing.assert_array_equal(predictor.predict(turned), model.predict(features))
    np.testing.assert_array_equal(predictor.scores(turned), expected)


def test_what_a_folder_holds(saved: Saved) -> None:
    """A saved model is an MLflow folder with a skops payload, and no pickle; with ``model.onnx``
    where there is a converter."""
    names = {file.name for file in saved("logistic").iterdir()}
    converted = {"model.onnx"} if find_spec("skl2onnx") else set()

    assert names == {
        *("MLmodel", "model.skops", "requirements.txt", "conda.yaml", "python_env.yaml"),
        *("input_example.json", "serving_input_example.json"),
        *converted,
    }


def test_what_saving_tells(
    tmp_path: Path, adapter: FrameworkAdapter, fitted: Fitted, frame: pd.DataFrame
) -> None:
    """Saving tells columns and requirements, and checking the folder tells the same."""
    saved = adapter.save(fitted("logistic"), tmp_path / "model", input_example=frame.head())
    columns = [(column.name, column.type) for column in saved.columns or ()]

    assert columns == [
        ("distance", "double"),
        ("hour", "long"),
        ("carrier", "string"),
        ("origin", "string"),
    ]
    assert adapter.check(tmp_path / "model") == saved


def test_mlflow_reads_it(saved: Saved, frame: pd.DataFrame, fitted: Fitted) -> None:
    """MLflow loads the folder, and enforces its signature, as one of its own."""
    import mlflow.pyfunc

    model = mlflow.pyfunc.load_model(str(saved("logistic")))
    rows = frame.astype({"hour": "int64"})

    np.testing.assert_array_equal(model.predict(rows), fitted("logistic").predict(frame))


def test_few_rows_of_an_example_are_kept(
    tmp_path: Path, adapter: FrameworkAdapter, fitted: Fitted, frame: pd.DataFrame
) -> None:
    """A large example gives the signature, and five of its rows go into the folder."""
    import json

    adapter.save(fitted("logistic"), tmp_path / "model", input_example=frame)
    example = json.loads((tmp_path / "model" / "input_example.json").read_text())

    assert len(example["data"]) == 5


def test_without_an_example(
    tmp_path: Path, adapter: FrameworkAdapter, fitted: Fitted, frame: pd.DataFrame
) -> None:
    """Without an example there is no signature; the names of fitting choose the columns."""
    saved = adapter.save(fitted("logistic"), tmp_path / "model", input_example=None)
    predictor = adapter.load(tmp_path / "model")
    turned = frame[list(reversed(frame.columns))]

    assert (saved.columns, predictor.columns) == (None, None)
    np.testing.assert_array_equal(predictor.predict(turned), fitted("logistic").predict(frame))


def test_without_an_example_or_names(
    tmp_path: Path, adapter: FrameworkAdapter, frame: pd.DataFrame
) -> None:
    """A model fitted on a bare array takes a frame as it is."""
    from sklearn.tree import DecisionTreeClassifier

    model = DecisionTreeClassifier().fit(frame[["hour"]].to_numpy(), frame["carrier"])
    adapter.save(model, tmp_path / "model", input_example=None)
    answers = adapter.load(tmp_path / "model").predict(frame[["hour"]].set_axis([0], axis=1))

    np.testing.assert_array_equal(answers, model.predict(frame[["hour"]].to_numpy()))


def test_scores_of_three_classes(
    tmp_path: Path, adapter: FrameworkAdapter, frame: pd.DataFrame
) -> None:
    """More than two classes have one score each, in the order of the model's classes."""
    from sklearn.tree import DecisionTreeClassifier

    model = DecisionTreeClassifier().fit(frame[["hour"]], frame["carrier"])
    adapter.save(model, tmp_path / "model", input_example=frame[["hour"]].head())
    scores = adapter.load(tmp_path / "model").scores(frame)

    np.testing.assert_array_equal(scores, model.predict_proba(frame[["hour"]]))


def test_saving_starts_no_python(tmp_path: Path) -> None:
    """Saving starts no second Python: MLflow's inference of requirements takes 10 to 20 s."""
    program = f"""
import sys
started = []
sys.addaudithook(lambda name, args: started.append(args[1]) if name == "subprocess.Popen" else None)
import pandas as pd
from sklearn.linear_model import LogisticRegression
from model_lifecycle.registry.frameworks import adapter_for
frame = pd.DataFrame({{"a": [0.0, 1.0], "b": [1.0, 2.0]}})
model = LogisticRegression().fit(frame, [0, 1])
adapter_for("sklearn").save(model, __import__("pathlib").Path({str(tmp_path / "m")!r}),
                            input_example=frame)
print([command for command in started if "python" in str(command)])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_loading_imports_no_mlflow(saved: Saved) -> None:
    """Loading needs skops and scikit-learn alone: importing MLflow takes seconds."""
    program = f"""
import sys, pathlib
from model_lifecycle.registry.frameworks import adapter_for
before = sorted({{"mlflow", "sklearn", "pandas", "numpy", "skops"}} & set(sys.modules))
adapter_for("sklearn").load(pathlib.Path({str(saved("logistic"))!r}))
print(before, sorted(name for name in sys.modules if name.partition(".")[0] == "mlflow"))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert (done.returncode, done.stdout.strip()) == (0, "[] []"), done.stderr


@pytest.mark.parametrize("framework", ["prophet", "SKLEARN", "", None])
def test_other_frameworks(framework: Any) -> None:
    """Frameworks that nobody knows are refused by name, with those that can be used."""
    with pytest.raises(UnknownFramework) as caught:
        adapter_for(framework)

    assert caught.value.supported == ("sklearn", "pytorch", "tensorflow", "onnx")


def test_models_that_cannot_be_saved(tmp_path: Path, adapter: FrameworkAdapter) -> None:
    """An object that is no fitted estimator with predict is refused, and leaves no folder."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit([[1.0], [2.0]])
    for model in (LogisticRegression(), LogisticRegression, scaler, "model", None, {"a": 1}):
        with pytest.raises(InvalidInput) as caught:
            adapter.save(model, tmp_path / "model", input_example=None)

        assert caught.value.field == "model"
    assert not (tmp_path / "model").exists()


def test_unsound_examples(
    tmp_path: Path, adapter: FrameworkAdapter, fitted: Fitted, frame: pd.DataFrame
) -> None:
    """An example that is no frame of features that the model takes is refused."""
    model = fitted("logistic")
    examples = [
        frame.head(0),
        frame.to_numpy(),
        frame.rename(columns={"hour": 3}),
        frame.rename(columns={"hour": "distance"}),
        frame.assign(hour=[object()] * len(frame)),
        frame.drop(columns="hour"),
    ]
    for example in examples:
        with pytest.raises(InvalidInput):
            adapter.save(model, tmp_path / "model", input_example=example)

    assert not (tmp_path / "model").exists()


def test_classes_that_numpy_keeps_as_fixed_width_text(
    tmp_path: Path, adapter: FrameworkAdapter, frame: pd.DataFrame, late: pd.Series[Any]
) -> None:
    """``np.where(y, "yes", "no")`` gives such classes; they register and answer as text."""
    from sklearn.linear_model import LogisticRegression

    features = frame[["hour"]]
    model = LogisticRegression().fit(features, np.where(late == 1, "yes", "no"))
    adapter.save(model, tmp_path / "model", input_example=features.head())
    answers = adapter.load(tmp_path / "model").predict(features)

    assert answers.dtype == object
    assert answers.tolist() == model.predict(features).tolist()
