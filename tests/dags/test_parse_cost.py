from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("boto3", "fastapi", "matplotlib", "mlflow", "numpy", "pandas", "pyarrow", "scipy")

_EMPTY = """
from airflow.sdk import DAG
with DAG(dag_id="empty"):
    pass
"""


def _run(code: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


def _cpu_seconds(code: str) -> float:
    return float(_run(f"import time\n{code}\nprint(time.process_time())")[-1])


@pytest.fixture(scope="module")
def parse_all(dags_folder) -> str:
    """Code that does what the DAG processor does with each file of the folder."""
    files = sorted(str(path) for path in dags_folder.glob("flight_*.py"))
    return f"import runpy\nfor file in {files!r}: runpy.run_path(file)"


def test_parsing_the_dags_imports_nothing_heavy(parse_all):
    """No DAG file pulls in a library that only a running task needs."""
    found = _run(f"{parse_all}\nimport sys\nprint(sorted(set({HEAVY!r}) & set(sys.modules)))")

    assert found[-1] == "[]"


@pytest.mark.timeout(240)
def test_parsing_the_dags_costs_little_more_than_an_empty_dag(parse_all):
    """All DAG files together cost at most 1.2 times one that only imports ``airflow.sdk``.

    Each is run in turn, in a process of its own, and the least of the rounds counts: what other
    processes do on the machine can only add.
    """
    rounds = [(_cpu_seconds(_EMPTY), _cpu_seconds(parse_all)) for _ in range(4)]
    empty, ours = (min(times) for times in zip(*rounds, strict=True))

    assert ours / empty <= 1.2, f"empty {empty:.2f} s, ours {ours:.2f} s"
