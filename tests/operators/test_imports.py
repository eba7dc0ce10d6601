from __future__ import annotations

import json
import subprocess
import sys

import pytest

import model_lifecycle.operators as operators

_HEAVY = {"mlflow", "pandas", "numpy", "scipy", "sklearn", "boto3", "fastapi", "sqlalchemy"}
#: What Airflow itself imports before it reads a DAG file.
_AIRFLOW = "from airflow.sdk import DAG"


def _loaded(code: str) -> set[str]:
    """Top-level packages that ``code`` brings in beyond what ``airflow.sdk`` has already."""
    script = (
        f"{_AIRFLOW}\nimport sys, json\nbefore = set(sys.modules)\n{code}\n"
        "print(json.dumps(sorted({n.split('.')[0] for n in set(sys.modules) - before})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_operators_is_light() -> None:
    """The package, by itself and with every public name used, brings in nothing heavy."""
    names = ", ".join(operators.__all__)

    assert _loaded(f"from model_lifecycle.operators import {names}") & _HEAVY == set()


def test_importing_the_plugin_is_light() -> None:
    """The plugin is imported in every process of Airflow and brings in nothing heavy."""
    code = "import model_lifecycle.plugin.airflow_plugin, model_lifecycle.plugin.provider"

    assert _loaded(code) & _HEAVY == set()


def test_import_time_shows_no_heavy_module() -> None:
    """``python -X importtime -c "import model_lifecycle.operators"`` names nothing heavy."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import model_lifecycle.operators"],
        check=True,
        capture_output=True,
        text=True,
    )
    imported = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines()}

    assert imported & _HEAVY == set()


@pytest.mark.parametrize("name", operators.__all__)
def test_public_names_exist(name: str) -> None:
    """Each name of the package leads to what it names."""
    assert getattr(operators, name).__name__ == name


def test_unknown_name_is_an_attribute_error() -> None:
    """A misspelt name is refused as in any module."""
    with pytest.raises(AttributeError, match="PromotModelOperator"):
        _ = operators.PromotModelOperator
