"""Python in the documentation: every block compiles, imports and calls what exists, and runs."""

from __future__ import annotations

import ast
import inspect
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from support.markdown import Block, blocks

from model_lifecycle.registry import ModelRegistry

PYTHON = blocks("python")
QUICKSTART = [block for block in PYTHON if block.page == "docs/quickstart.md"]


def tree(block: Block) -> ast.Module:
    """The block's syntax tree; `await` at the top level is allowed."""
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    module = compile(block.text, str(block), "exec", flags=flags)
    assert isinstance(module, ast.Module)
    return module


def test_there_are_blocks() -> None:
    """The quickstart has one program; the README and the guides have further blocks."""
    assert len(QUICKSTART) == 1
    assert len(PYTHON) > 8


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_imports_exist(block: Block) -> None:
    """Each name that a block imports from this package is there."""
    for node in ast.walk(tree(block)):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("model_lifecycle"):
            module = import_module(str(node.module))
            missing = [item.name for item in node.names if not hasattr(module, item.name)]
            assert missing == [], f"{node.module} has no {missing}"


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_calls_of_the_registry_fit_its_signatures(block: Block) -> None:
    """`registry.method(...)` names a method, and its arguments are the method's."""
    for node in ast.walk(tree(block)):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="registry"), attr=name)):
                signature = inspect.signature(getattr(ModelRegistry, name))
                keywords = {str(item.arg): item.value for item in node.keywords}
                signature.bind(None, *node.args, **keywords)


def run(program: str, folder: Path) -> list[str]:
    """Lines that a program prints, run in a folder of its own without settings."""
    file = folder / "program.py"
    file.write_text(program)
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MODEL_LIFECYCLE_", "MLFLOW_"))
    }
    done = subprocess.run(
        [sys.executable, file], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_quickstarts_program_runs(tmp_path: Path) -> None:
    """The program of the quickstart registers a model, and validation promotes it to staging."""
    verdict, stage = run(QUICKSTART[0].text, tmp_path)

    assert verdict.startswith("PASS Brier score is ")
    assert stage == "staging"


def test_the_traffic_example_runs(tmp_path: Path) -> None:
    """The program of the guide on gates writes requests and labels into the layout beside it."""
    [block] = [block for block in PYTHON if block.page == "docs/guides/gates.md"]

    assert run(block.text, tmp_path) == [
        "acme/traffic/churn/date=2026-03-01/hour=14/part-00000.parquet",
        "acme/traffic/churn/labels/date=2026-03-01/part-00000.parquet",
    ]
