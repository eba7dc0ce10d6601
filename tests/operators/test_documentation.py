from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.markdown import blocks

import model_lifecycle

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag


_PAGE = (Path(model_lifecycle.__file__).parent / "docs" / "guides" / "airflow.md").read_text()
_PYTHON = re.findall(r"```python\n(.*?)```", _PAGE, re.DOTALL)
_YAML = re.findall(r"```yaml\n(.*?)```", _PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def dags(tmp_path_factory: pytest.TempPathFactory) -> DagBag:
    """Every block as a DAG file, in a folder as the page tells, read by Airflow."""
    from airflow.dag_processing.dagbag import DagBag

    folder = tmp_path_factory.mktemp("page")
    for number, block in enumerate(_PYTHON):
        (folder / f"block_{number}.py").write_text(f'"""airflow dag"""\n{block}')
    (folder / "lifecycles").mkdir()
    (folder / "lifecycles" / "churn.yaml").write_text(_YAML[0])
    return DagBag(dag_folder=str(folder), bundle_name="page", bundle_path=folder)


def test_every_example_of_the_page_is_a_dag_file(dags: DagBag, airflow_database: None) -> None:
    """Each block loads, and has the DAGs that it shows."""
    assert (dags.import_errors, dags.captured_warnings) == ({}, {})
    assert len(dags.dagbag_stats) == len(_PYTHON) == 8
    assert all(stat.dag_num > 0 for stat in dags.dagbag_stats)
    assert "acme.churn" in dags.dags


def test_the_readmes_example_is_a_dag_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, airflow_database: None
) -> None:
    """It loads beside a package `churn`; its DAG has the steps that the README describes."""
    from airflow.dag_processing.dagbag import DagBag

    (tmp_path / "churn").mkdir()
    (tmp_path / "churn" / "training.py").write_text("def train():\n    ...\n")
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "churn_retrain.py").write_text(
        blocks("python", pages=["README.md"])[0].text
    )
    monkeypatch.syspath_prepend(str(tmp_path))

    dags = DagBag(dag_folder=str(tmp_path / "dags"), bundle_name="readme", bundle_path=tmp_path)

    assert (dags.import_errors, dags.captured_warnings) == ({}, {})
    assert set(dags.dags["churn_retrain"].task_dict) == {
        *("train", "register", "set_policy", "validate", "promote_to_staging", "shadow_test"),
        "promote_to_production",
    }


def test_examples_survive_serialisation(dags: DagBag, airflow_database: None) -> None:
    """The scheduler's copy of each DAG has its tasks."""
    from airflow.serialization.serialized_objects import DagSerialization

    for dag in dags.dags.values():
        copy = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))

        assert set(copy.task_dict) == set(dag.task_dict)


def test_the_page_names_everything_public() -> None:
    """Nothing that users may import is missing from the page."""
    from model_lifecycle.operators import __all__ as public

    names = {"GateReportLink", "ModelVersionLink", "ModelRegistryHook"}
    triggers = {name for name in public if name.endswith("Trigger")}

    assert {name for name in public if name not in _PAGE} - names - triggers == set()


def test_the_page_names_every_key_of_a_lifecycle_file() -> None:
    """The page documents exactly the keys of a YAML file."""
    from model_lifecycle.operators.dag_factory.schema import LIFECYCLE

    assert {name for name in LIFECYCLE["properties"] if name not in _PAGE} == set()


def test_blocks_run_by_themselves(tmp_path: Path) -> None:
    """A block needs nothing from the blocks before it."""
    (tmp_path / "lifecycles").mkdir()
    for number, block in enumerate(_PYTHON):
        file = tmp_path / f"alone_{number}.py"
        file.write_text(block)

        assert runpy.run_path(str(file))
