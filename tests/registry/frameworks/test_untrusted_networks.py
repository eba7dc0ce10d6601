"""Networks that would run code or reach for other files: refused before anything is built."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile

import numpy as np
import pytest
from support.canary import Canary
from support.networks import absent, fitted, frame, keras_model, torch_module

from model_lifecycle.registry.domain.errors import InvalidInput, UntrustedModel
from model_lifecycle.registry.frameworks import adapter_for
from model_lifecycle.registry.frameworks.suppress_output import quiet

needs_torch = pytest.mark.skipif(bool(absent("pytorch")), reason="PyTorch is not installed")
needs_keras = pytest.mark.skipif(bool(absent("tensorflow")), reason="TensorFlow is not installed")
needs_onnx = pytest.mark.skipif(bool(absent("onnx")), reason="ONNX is not installed")


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "canary"


def saved(framework: str, tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    adapter_for(framework).save(fitted(framework).model, folder, input_example=frame())
    return folder


def refused(framework: str, folder: Path, canary: Path, match: str) -> None:
    """Both looking and loading refuse it in those words, and nothing ran."""
    adapter = adapter_for(framework)
    for refuse in (adapter.check, adapter.load):
        with pytest.raises(UntrustedModel, match=match):
            refuse(folder)

    assert not canary.exists()


def rewritten(file: Path, change: Callable[[dict[str, bytes]], None]) -> None:
    """The zip archive with its members changed, by their names below its folder."""
    with ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    root = next(iter(members)).partition("/")[0] + "/" if file.suffix == ".pt2" else ""
    inner = {name.removeprefix(root): data for name, data in members.items()}
    change(inner)
    with ZipFile(file, "w", ZIP_STORED) as archive:
        for name, data in inner.items():
            archive.writestr(root + name, data)


def program(change: Callable[[Any], None]) -> Callable[[dict[str, bytes]], None]:
    """Changes the document of an exported program."""

    def apply(members: dict[str, bytes]) -> None:
        document = json.loads(members["models/model.json"])
        change(document)
        members["models/model.json"] = json.dumps(document).encode()

    return apply


def _call(target: str, *texts: str) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        node = document["graph_module"]["graph"]["nodes"][0]
        node["target"] = target
        node["inputs"] = [
            {"name": f"a{at}", "arg": {"as_string": text}, "kind": 1}
            for at, text in enumerate(texts)
        ]

    return change


def _number(text: str) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        node = document["graph_module"]["graph"]["nodes"][0]
        node["inputs"].append({"name": "value", "arg": {"as_float": text}, "kind": 1})

    return change


def _branch(target: str) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        node = document["graph_module"]["graph"]["nodes"][0]
        body = {"nodes": [{**node, "target": target}]}
        node["target"] = "torch.ops.higher_order.cond"
        node["inputs"] = [{"name": "", "arg": {"as_graph": {"name": "g", "graph": body}}}]

    return change


def _placeholder(code: str) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        text = json.dumps(document).replace('"input"', json.dumps(code))
        document.update(json.loads(text))

    return change


def _set(path: str, value: Any) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        *folders, last = path.split("/")
        for name in folders:
            document = document[int(name) if name.isdigit() else name]
        document[last] = value

    return change


_SHELL = "mkdir {canary}"
_ATTACKS: dict[str, tuple[Callable[[str], Callable[[Any], None]], str]] = {
    "an operator that is a function of os": (lambda c: _call("torch.os.mkdir", c), "calls"),
    "a shell by torch's own imports": (lambda c: _call("torch.os.system", f"mkdir {c}"), "calls"),
    "an operator that writes a file": (lambda c: _call("torch.ops.aten.save", c), "calls"),
    "an operator that maps a file": (
        lambda c: _call("torch.ops.aten.from_file.default", c),
        "calls",
    ),
    "a text for an operator that takes none": (
        lambda c: _call("torch.ops.aten.relu.default", c),
        "gives a text",
    ),
    "an extension's operator": (lambda c: _call("#evil:op"), "calls"),
    "a dunder of an operator": (lambda c: _call("torch.ops.aten.__class__"), "calls"),
    "a number that is code": (
        lambda c: _number(f"__import__('os').mkdir({c!r})"),
        "has the number",
    ),
    "a shell in the body of a branch": (lambda c: _branch("torch.os.mkdir"), "calls"),
    "guards": (lambda c: _set("guards_code", [f"__import__('os').mkdir({c!r})"]), "guards"),
    "a shape that sympy would run": (
        lambda c: _set(
            "graph_module/graph/tensor_values/linear",
            {"sizes": [{"as_expr": {"expr_str": f"__import__('os').mkdir({c!r})"}}]},
        ),
        "has the shape",
    ),
    "a name that is code": (
        lambda c: _placeholder(f"x=__import__('os').mkdir({c!r})"),
        "has the name",
    ),
    "a container that imports": (
        lambda c: _set(
            "graph_module/module_call_graph/0/signature/in_spec",
            json.dumps(
                [1, {"type": "builtins.dict", "context": '{"__enum__": true}', "children_spec": []}]
            ),
        ),
        "container",
    ),
    "a container of another class": (
        lambda c: _set(
            "graph_module/module_call_graph/0/signature/out_spec",
            json.dumps([1, {"type": "evil.Class", "context": "[]", "children_spec": []}]),
        ),
        "evil.Class",
    ),
    "an object of a class of its own": (
        lambda c: _set("graph_module/graph/custom_obj_values", {"a": {"class_fqn": "evil.Class"}}),
        "classes of its own",
    ),
}


@needs_torch
@pytest.mark.parametrize("attack", _ATTACKS)
def test_programs_that_would_run_code(attack: str, tmp_path: Path, canary: Path) -> None:
    """An exported program is a text that torch builds Python from; what is odd in it is named."""
    folder = saved("pytorch", tmp_path)
    make, match = _ATTACKS[attack]
    rewritten(folder / "data" / "model.pt2", program(make(str(canary))))
    refused("pytorch", folder, canary, match)


def _pickled_weights(canary: str) -> Callable[[dict[str, bytes]], None]:
    def change(members: dict[str, bytes]) -> None:
        name = "data/weights/model_weights_config.json"
        document = json.loads(members[name])
        entry = next(iter(document["config"].values()))
        entry["use_pickle"] = True
        members[name] = json.dumps(document).encode()
        members[f"data/weights/{entry['path_name']}"] = pickle.dumps(Canary(canary))

    return change


def _opaque_constant(canary: str) -> Callable[[dict[str, bytes]], None]:
    def change(members: dict[str, bytes]) -> None:
        entry = {"path_name": "opaque_obj_0", "use_pickle": False, "tensor_meta": None}
        config = {"config": {"thing": entry}}
        members["data/constants/model_constants_config.json"] = json.dumps(config).encode()
        members["data/constants/opaque_obj_0"] = pickle.dumps(Canary(canary))

    return change


def _legacy_weights(canary: str) -> Callable[[dict[str, bytes]], None]:
    return lambda members: members.update({"data/weights/model.pt": pickle.dumps(Canary(canary))})


@needs_torch
@pytest.mark.parametrize("attack", [_pickled_weights, _opaque_constant, _legacy_weights])
def test_pickles_in_an_exported_program(attack: Any, tmp_path: Path, canary: Path) -> None:
    """Weights and constants that torch would unpickle are refused."""
    folder = saved("pytorch", tmp_path)
    rewritten(folder / "data" / "model.pt2", attack(str(canary)))
    refused("pytorch", folder, canary, "pickle|no part of a plain program")


@needs_torch
def test_pickled_example_inputs_are_never_read(tmp_path: Path, canary: Path) -> None:
    """Torch unpickles the example inputs of a program; here they are left out when it is built."""
    folder = saved("pytorch", tmp_path)
    evil = pickle.dumps(Canary(str(canary)))
    rewritten(
        folder / "data" / "model.pt2",
        lambda members: members.update({"data/sample_inputs/model.pt": evil}),
    )
    predictor = adapter_for("pytorch").load(folder)

    assert len(predictor.predict(frame(3))) == 3
    assert not canary.exists()


@needs_torch
def test_two_files_of_one_name_in_an_exported_program(tmp_path: Path, canary: Path) -> None:
    """Two readers of zip files could read two different ones."""
    folder = saved("pytorch", tmp_path)
    file = folder / "data" / "model.pt2"
    with ZipFile(file, "a") as archive:
        name = next(item for item in archive.namelist() if item.endswith("model.json"))
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr(name, b"{}")
    refused("pytorch", folder, canary, "two files of one name")


@needs_torch
def test_a_pickled_module(tmp_path: Path, canary: Path) -> None:
    """MLflow's older form is refused by its name, before a byte of it is read."""
    folder = saved("pytorch", tmp_path)
    (folder / "data" / "model.pt2").unlink()
    (folder / "data" / "model.pth").write_bytes(pickle.dumps(Canary(str(canary))))
    refused("pytorch", folder, canary, "saved with pickle")


@needs_torch
def test_a_module_that_cannot_be_exported(tmp_path: Path) -> None:
    """It would need pickle: refused with the reason; with the setting it is saved and loaded, and
    the folder says so."""
    import torch

    class Choosing(torch.nn.Module):
        def forward(self, rows: Any) -> Any:
            # A branch on the values of the input cannot be traced.
            return torch.sigmoid(rows[:, :1]) if rows.sum() > 0 else torch.sigmoid(rows[:, 1:2])

    globals()["Choosing"] = Choosing
    Choosing.__qualname__ = "Choosing"
    model = Choosing()
    with pytest.raises(UntrustedModel, match="would need pickle"):
        adapter_for("pytorch").save(model, tmp_path / "model", input_example=frame())

    assert not (tmp_path / "model").exists()

    allowing = adapter_for("pytorch", allow_pickle=True)
    saved = allowing.save(model, tmp_path / "model", input_example=frame())

    assert saved.pickled
    assert saved.notes["serialization"] == "pickle"
    assert "could not be exported" in saved.onnx.reason
    assert len(allowing.load(tmp_path / "model").predict(frame(3))) == 3
    with pytest.raises(UntrustedModel, match="saved with pickle"):
        adapter_for("pytorch").load(tmp_path / "model")


@needs_torch
def test_logits_are_no_probabilities(tmp_path: Path) -> None:
    """A classifier without a sigmoid is told at once, not by the gates."""
    import torch

    with pytest.raises(InvalidInput, match="probabilities"):
        adapter_for("pytorch").save(
            torch.nn.Linear(3, 2), tmp_path / "model", input_example=frame()
        )

    assert not (tmp_path / "model").exists()


@needs_torch
def test_the_given_module_stays_as_it_is(tmp_path: Path) -> None:
    """Saving evaluates a copy: the module goes on training."""
    model = torch_module()
    adapter_for("pytorch").save(model, tmp_path / "model", input_example=frame())

    assert model.training


@needs_keras
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


@needs_keras
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
    """What holds code, reads files, or is not Keras's own is refused by its name."""
    folder = saved("tensorflow", tmp_path)
    rewritten(folder / "data" / "model.keras", _layer(**values))
    refused("tensorflow", folder, canary, match)


@needs_keras
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


@needs_keras
def test_a_file_more_in_a_keras_archive(tmp_path: Path, canary: Path) -> None:
    """Nothing but configuration, metadata and weights."""
    folder = saved("tensorflow", tmp_path)
    rewritten(folder / "data" / "model.keras", lambda members: members.update({"assets/x": b""}))
    refused("tensorflow", folder, canary, "assets/x")


@needs_onnx
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


@needs_onnx
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


@needs_onnx
def test_an_onnx_export_that_answers_otherwise_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version is saved without it, and the reason has both numbers."""
    from model_lifecycle.registry.frameworks.onnx_model import export

    monkeypatch.setattr(export, "TOLERANCE", 1e-12)
    saved = adapter_for("sklearn").save(
        fitted("sklearn").model, tmp_path / "model", input_example=frame()
    )

    assert not (tmp_path / "model" / "model.onnx").exists()
    assert not saved.onnx.exported
    assert "differs from the model by" in saved.onnx.reason


@needs_onnx
def test_what_no_converter_can_is_saved_without(tmp_path: Path) -> None:
    """HistGradientBoosting has no ONNX form today; the folder says so."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    rows = frame(200)
    model = HistGradientBoostingClassifier(max_iter=3).fit(rows, rows["recent"] > 0)
    saved = adapter_for("sklearn").save(model, tmp_path / "model", input_example=rows)

    assert not (tmp_path / "model" / "model.onnx").exists()
    assert "could not be exported" in saved.onnx.sentence()
