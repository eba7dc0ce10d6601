"""An Airflow of the tests' own, the DAGs of this project, and an embedded registry."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.airflow_home import prepare

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

    from model_lifecycle.registry.model_registry import ModelRegistry

prepare()
# Small models on shared cores: threads of OpenMP would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")


#: Warnings of others about others: the first import of skops asks every loaded module for the names
#: of scipy's functions, and Airflow's modules of old names answer; MLflow compares an index with a
#: range, asks SQLAlchemy for an old way to load, and warns about a type hint of its own.
_OTHERS = (
    "ignore:The .airflow[.]",
    "ignore:Operation with range",
    "ignore:.*Any type hint is inferred",
    "ignore:The ``noload`` loader",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            for warning in _OTHERS:
                item.add_marker(pytest.mark.filterwarnings(warning))


@pytest.fixture(scope="session")
def dags_folder() -> Path:
    import model_lifecycle.dags

    return Path(model_lifecycle.dags.__file__).parent


@pytest.fixture(scope="session")
def dag_bag(dags_folder: Path) -> DagBag:
    """The folder as Airflow's DAG processor reads it."""
    import warnings

    from airflow.dag_processing.dagbag import DagBag

    with warnings.catch_warnings():
        # Airflow's reader of .airflowignore uses a name that its own dependency has deprecated.
        warnings.filterwarnings(
            "ignore", message="GitWildMatchPattern", category=DeprecationWarning
        )
        return DagBag(dag_folder=str(dags_folder), bundle_name="tests", bundle_path=dags_folder)


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[ModelRegistry]:
    """An embedded registry in an empty folder."""
    from model_lifecycle.registry.factory import open_registry
    from model_lifecycle.registry.settings import Settings

    async with open_registry(Settings({}, home=tmp_path / "home")) as opened:
        yield opened
