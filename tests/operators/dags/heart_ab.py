"""An Airflow DAG file of A/B tests: wait for the verdict on live traffic, and promote.

The sensor follows the traffic; the operator after it judges the same window once more, as those do
who fix the window beforehand.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import DAG
from support.task_fixtures import ModelNames

from model_lifecycle.operators import ABTestOperator, GateVerdictSensor, PromoteModelOperator

START, END = "2013-07-01", "2013-07-09"

for tenant in ("better", "worse"):
    model: ModelNames = {"tenant_id": f"ab-{tenant}", "model_id": "heart"}
    with DAG(
        f"ab_{tenant}",
        schedule=None,
        start_date=datetime(2013, 7, 1, tzinfo=UTC),
        params={"version": 0},
    ):
        arguments: dict[str, Any] = {"version": "{{ params.version }}", "start": START, **model}
        follow = GateVerdictSensor(task_id="follow", gate="ab_test", deferrable=False, **arguments)
        judge = ABTestOperator(task_id="judge", end=END, **arguments)
        promote = PromoteModelOperator(
            task_id="promote",
            version="{{ params.version }}",
            target_stage="production",
            **model,
        )
        follow >> judge >> promote
