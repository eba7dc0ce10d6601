"""Payloads that would run code are refused before anything of them runs. Each has a canary."""

from __future__ import annotations

import io
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pandas as pd
import pytest
import yaml
from support.canary import Canary

from model_lifecycle.registry.domain.errors import InvalidInput, UntrustedModel
from model_lifecycle.registry.frameworks import FrameworkAdapter, adapter_for
from model_lifecycle.registry.frameworks.sklearn_model.trusted_types import EARLIER, REVIEWED

Saved = Callable[[str], Path]


def shout(values: Any) -> Any:
    """A function that a FunctionTransformer may hold."""
    Path(os.environ["CANARY"]).mkdir()
    return values


def rewrite(folder: Path, **entries: Any) -> None:
    """Change entries of the sklearn flavor in an MLmodel file."""
    document = yaml.safe_load((folder / "MLmodel").read_text())
    document["flavors"]["sklearn"].update(entries)
    (folder / "MLmodel").write_text(yaml.safe_dump(document))


@pytest.mark.parametrize("kind", ["pickle", "cloudpickle", None, "joblib"])
def test_pickle(saved: Saved, adapter: FrameworkAdapter, canary: Path, kind: str | None) -> None:
    """A pickled payload is refused by its form, before a byte of it is read."""
    folder = saved("logistic")
    (folder / "model.pkl").write_bytes(pickle.dumps(Canary(str(canary))))
    rewrite(folder, pickled_model="model.pkl", serialization_format=kind)
    for refuse in (adapter.check, adapter.load):
        with pytest.raises(UntrustedModel):
            refuse(folder)

    assert not canary.exists()


def test_pickle_in_a_skops_file(saved: Saved, adapter: FrameworkAdapter, canary: Path) -> None:
    """A pickle that calls itself skops is no skops file."""
    folder = saved("logistic")
    (folder / "model.skops").write_bytes(pickle.dumps(Canary(str(canary))))
    for refuse in (adapter.check, adapter.load):
        with pytest.raises(UntrustedModel):
            refuse(folder)

    assert not canary.exists()


def test_pickle_where_it_is_allowed(saved: Saved, frame: pd.DataFrame, tmp_path: Path) -> None:
    """With the setting that allows pickle, a pickled model loads and predicts."""
    folder = saved("logistic")
    sound: Any = adapter_for("sklearn").load(folder)
    model = sound.model
    (folder / "model.pkl").write_bytes(pickle.dumps(model))
    rewrite(folder, pickled_model="model.pkl", serialization_format="pickle")
    predictor = adapter_for("sklearn", allow_pickle=True).load(folder)

    np.testing.assert_array_equal(predictor.predict(frame), model.predict(frame))


def test_types_that_nobody_reviewed(
    saved: Saved, adapter: FrameworkAdapter, canary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A skops payload that names an unknown function is refused with the name, nothing imported;
    the list of trusted types in the model's own MLmodel file is not believed."""
    folder = saved("logistic")
    evil = "evil_module_of_nobody.build"
    with ZipFile(folder / "model.skops") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(members["schema.json"])
    module, _, name = evil.rpartition(".")
    schema["content"]["content"]["evil"] = {
        "__class__": name,
        "__module__": module,
        "__loader__": "FunctionNode",
    }
    members["schema.json"] = json.dumps(schema).encode()
    with ZipFile(folder / "model.skops", "w") as archive:
        for member, data in members.items():
            archive.writestr(member, data)
    code = f"import os\nos.mkdir({str(canary)!r})\nbuild = 1\n"
    (folder / f"{module}.py").write_text(code)
    monkeypatch.syspath_prepend(folder)
    rewrite(folder, skops_trusted_types=[evil])
    for refuse in (adapter.check, adapter.load):
        with pytest.raises(UntrustedModel, match=evil) as caught:
            refuse(folder)

        assert caught.value.types == (evil,)
    assert not canary.exists()


def test_saving_unknown_types(
    tmp_path: Path,
    adapter: FrameworkAdapter,
    frame: pd.DataFrame,
    canary: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A model with a function of one's own is refused on saving, with the function's name; with
    the setting that trusts the name it is saved and loaded."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    numbers = frame[["hour"]].astype(float)
    labels = (frame["hour"] > 12).astype(int)
    model = make_pipeline(FunctionTransformer(np.abs), LogisticRegression()).fit(numbers, labels)
    model.set_params(functiontransformer__func=shout)
    name = f"{shout.__module__}.shout"
    monkeypatch.setenv("CANARY", str(canary))
    with pytest.raises(UntrustedModel) as caught:
        adapter.save(model, tmp_path / "model", input_example=None)

    assert caught.value.types == (name,)
    assert not (tmp_path / "model").exists()
    assert not canary.exists()

    trusting = adapter_for("sklearn", (name,))
    trusting.save(model, tmp_path / "model", input_example=None)
    assert trusting.check(tmp_path / "model").columns is None


def test_saving_a_lambda(tmp_path: Path, adapter: FrameworkAdapter, frame: pd.DataFrame) -> None:
    """A lambda has no name to load it by, and is refused."""
    from sklearn.preprocessing import FunctionTransformer

    model = _with_predict(FunctionTransformer(lambda values: values).fit(frame))
    with pytest.raises(UntrustedModel):
        adapter.save(model, tmp_path / "model", input_example=None)

    assert not (tmp_path / "model").exists()


def _with_predict(step: Any) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    return make_pipeline(step, LogisticRegression().fit([[0.0], [1.0]], [0, 1]))


@pytest.mark.parametrize("name", ["../outside.skops", "/etc/passwd", "data/../../x", "", None, 3])
def test_payloads_outside_of_the_folder(saved: Saved, adapter: FrameworkAdapter, name: Any) -> None:
    """An MLmodel file cannot name a payload elsewhere."""
    folder = saved("logistic")
    (folder.parent / "outside.skops").write_bytes((folder / "model.skops").read_bytes())
    rewrite(folder, pickled_model=name)
    with pytest.raises(UntrustedModel):
        adapter.load(folder)


def test_a_payload_that_is_a_link(saved: Saved, adapter: FrameworkAdapter) -> None:
    """A payload that is a link out of the folder is not followed."""
    folder = saved("logistic")
    (folder / "model.skops").rename(folder.parent / "outside.skops")
    (folder / "model.skops").symlink_to(folder.parent / "outside.skops")
    with pytest.raises(UntrustedModel):
        adapter.load(folder)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "flavors: []",
        "flavors: {pytorch: {}}",
        "flavors: {sklearn: 1}",
        "flavors: !!python/object/apply:os.mkdir [CANARY]",
        "flavors: {sklearn: {}}\nsignature: {inputs: 'no json'}",
        "flavors: {sklearn: {}}\nsignature: 3",
        "{" * 50,
    ],
)
def test_unsound_mlmodel_files(
    tmp_path: Path, adapter: FrameworkAdapter, canary: Path, text: str
) -> None:
    """An MLmodel file that cannot be read safely is refused."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "MLmodel").write_text(text.replace("CANARY", str(canary)))
    for refuse in (adapter.check, adapter.load):
        with pytest.raises(InvalidInput):
            refuse(tmp_path / "model")

    assert not canary.exists()


@pytest.mark.parametrize(
    ("entries", "match"),
    [
        ("python_function: {loader_module: os}", "loader module 'os'"),
        ("python_function: {loader_module: mlflow.pyfunc.loaders.code_model}", "loader module"),
        ("python_function: {loader_module: mlflow.sklearn, code: code}", "brings code along"),
    ],
)
def test_mlmodel_files_that_name_code(
    saved: Saved, adapter: FrameworkAdapter, entries: str, match: str
) -> None:
    """A loader of another module, or code in the folder, is refused by name."""
    folder = saved("logistic")
    document = yaml.safe_load((folder / "MLmodel").read_text())
    document["flavors"].update(yaml.safe_load(entries))
    (folder / "MLmodel").write_text(yaml.safe_dump(document))
    for refuse in (adapter.check, adapter.load):
        with pytest.raises(UntrustedModel, match=match):
            refuse(folder)


@pytest.mark.parametrize("cut", [0, 1, 100, 5000])
def test_cut_off_payloads(saved: Saved, adapter: FrameworkAdapter, cut: int) -> None:
    """A payload that is cut off is refused, wherever it ends."""
    folder = saved("logistic")
    data = (folder / "model.skops").read_bytes()
    (folder / "model.skops").write_bytes(data[:cut])
    with pytest.raises(UntrustedModel):
        adapter.load(folder)


@pytest.mark.parametrize(
    "schema", [b"", b"{}", b"[]", b"null", b'{"__loader__": "Nobody"}', b"\xff", b"[" * 9000]
)
def test_unsound_schemas(saved: Saved, adapter: FrameworkAdapter, schema: bytes) -> None:
    """A skops file whose description makes no sense is refused."""
    folder = saved("logistic")
    buffer = io.BytesIO()
    with ZipFile(buffer, "w") as archive:
        archive.writestr("schema.json", schema)
    (folder / "model.skops").write_bytes(buffer.getvalue())
    for refuse in (adapter.check, adapter.load):
        with pytest.raises(UntrustedModel):
            refuse(folder)


def test_reviewed_types_exist() -> None:
    """Every reviewed name names something of the newest libraries, or of earlier ones that it is
    kept for, and has its reason."""
    from importlib import import_module

    import sklearn
    from packaging.version import Version

    if Version(sklearn.__version__) < Version("1.9"):
        pytest.skip("some names are of scikit-learn 1.9")
    missing = [
        name
        for name in REVIEWED.keys() - EARLIER.keys()
        if not hasattr(import_module(name.rpartition(".")[0]), name.rpartition(".")[2])
    ]

    assert missing == []
    assert all(REVIEWED.values())
