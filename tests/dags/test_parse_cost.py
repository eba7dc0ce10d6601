from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("boto3", "fastapi", "matplotlib", "mlflow", "numpy", "pandas", "pyarrow", "scipy")

_PARSE = """
import json, runpy, sys, time
start = time.process_time()
from airflow.sdk import DAG
with DAG(dag_id="empty"):
    pass
empty = time.process_time() - start
for file in json.loads(sys.argv[1]):
    runpy.run_path(file)
print(json.dumps([empty, time.process_time() - start, sorted(sys.modules)]))
"""


@pytest.fixture(scope="module")
def parses(dags_folder: Path) -> list[tuple[float, float, list[str]]]:
    """Two processes that each parse an empty DAG and then every file of the folder: processor
    seconds of the first, of all, and the modules that are loaded then."""
    files = json.dumps(sorted(str(path) for path in dags_folder.glob("[!_]*.py")))
    command = [sys.executable, "-c", _PARSE, files]
    runs = [subprocess.run(command, check=True, capture_output=True, text=True) for _ in range(2)]
    return [json.loads(run.stdout.splitlines()[-1]) for run in runs]


def test_parsing_the_dags_imports_nothing_heavy(
    parses: list[tuple[float, float, list[str]]],
) -> None:
    """No DAG file pulls in a library that only a running task needs."""
    _, _, modules = parses[0]

    assert sorted(set(HEAVY) & set(modules)) == []


def test_parsing_the_dags_costs_little_more_than_an_empty_dag(
    parses: list[tuple[float, float, list[str]]],
) -> None:
    """All DAG files together cost at most 1.2 times one that only imports ``airflow.sdk``: the
    better of two rounds counts, since what other processes do can only add."""
    ratio = min(total / empty for empty, total, _ in parses)

    assert ratio <= 1.2
