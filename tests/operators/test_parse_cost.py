from __future__ import annotations

import subprocess
import sys

import pytest

_EMPTY = """
from airflow.sdk import DAG
with DAG(dag_id="empty"):
    pass
"""

_FACTORIES = """
from model_lifecycle.gates.policy.promotion import Comparison, ShadowPolicy, ValidationPolicy
from model_lifecycle.gates.policy.promotion import promotion_policy
from model_lifecycle.operators import retrain_and_promote, rollback_dag

def train():
    import sklearn

demand = (Comparison("brier", margin=0.005),)
dag = retrain_and_promote(
    dag_id="churn", tenant_id="acme", model_id="churn", train=train, validation_data="data.parquet",
    shadow_window=("2013-07-01", "2013-08-01"), schedule="@monthly",
    policy=promotion_policy(
        validation=ValidationPolicy(comparisons=demand), shadow=ShadowPolicy(comparisons=demand)
    ),
)
back = rollback_dag(dag_id="rollback", tenant_id="acme")
"""


def _cpu_seconds(code: str) -> float:
    """Processor time that a process takes to run ``code``, start of Python excluded."""
    script = f"import time\n{code}\nprint(time.process_time())"
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    return float(done.stdout.splitlines()[-1])


@pytest.mark.timeout(240)
def test_parsing_a_lifecycle_costs_little_more_than_an_empty_dag() -> None:
    """A DAG file around the factories costs at most 1.2 times an empty one.

    Each is run in turn, in a process of its own, and the least of the rounds counts: what other
    processes do on the machine can only add.
    """
    rounds = [(_cpu_seconds(_EMPTY), _cpu_seconds(_FACTORIES)) for _ in range(3)]
    empty, ours = (min(times) for times in zip(*rounds, strict=True))

    assert ours / empty <= 1.2, f"empty {empty:.2f} s, factories {ours:.2f} s"
