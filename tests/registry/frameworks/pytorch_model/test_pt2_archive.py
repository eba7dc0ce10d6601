"""Exported programs that would run code: refused before anything is built."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from support.canary import Canary
from support.networks import absent, frame
from support.untrusted import refused, rewritten, saved

from model_lifecycle.registry.frameworks import adapter_for

pytestmark = pytest.mark.skipif(bool(absent("pytorch")), reason="PyTorch is not installed")


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


@pytest.mark.parametrize("attack", [_pickled_weights, _opaque_constant, _legacy_weights])
def test_pickles_in_an_exported_program(attack: Any, tmp_path: Path, canary: Path) -> None:
    """Weights and constants that torch would unpickle are refused."""
    folder = saved("pytorch", tmp_path)
    rewritten(folder / "data" / "model.pt2", attack(str(canary)))
    refused("pytorch", folder, canary, "pickle|no part of a plain program")


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


def test_two_files_of_one_name_in_an_exported_program(tmp_path: Path, canary: Path) -> None:
    """Two readers of zip files could read two different ones."""
    folder = saved("pytorch", tmp_path)
    file = folder / "data" / "model.pt2"
    with ZipFile(file, "a") as archive:
        name = next(item for item in archive.namelist() if item.endswith("model.json"))
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr(name, b"{}")
    refused("pytorch", folder, canary, "two files of one name")


def test_a_pickled_module(tmp_path: Path, canary: Path) -> None:
    """MLflow's older form is refused by its name, before a byte of it is read."""
    folder = saved("pytorch", tmp_path)
    (folder / "data" / "model.pt2").unlink()
    (folder / "data" / "model.pth").write_bytes(pickle.dumps(Canary(str(canary))))
    refused("pytorch", folder, canary, "saved with pickle")
