"""Airflow DAG: train a small PyTorch network on handwritten digits, judge it, promote it."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import Param

from model_lifecycle.dags.digits import policy, serving, training
from model_lifecycle.operators import retrain_and_promote

dag = retrain_and_promote(
    dag_id="digits_retrain",
    tenant_id=serving.TENANT,
    model_id=serving.MODEL,
    train=training.train_digits,
    train_kwargs={
        "epochs": "{{ params.epochs }}",
        "channels": "{{ params.channels }}",
        "seed": "{{ params.seed }}",
    },
    validation_data=serving.hold_out,
    record_traffic=serving.sort_letters,
    traffic_kwargs={"start": "{{ params.start }}"},
    shadow_window=("{{ params.start }}", "{{ params.end }}"),
    policy=policy.DIGITS_POLICY,
    description=training.DESCRIPTION,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    params={
        "epochs": Param(20, type="integer", minimum=1, maximum=200, title="Epochs"),
        "channels": Param(8, type="integer", minimum=1, maximum=64, title="Channels"),
        "seed": Param(1, type="integer", title="Seed"),
        "start": Param("2026-01-05", type="string", format="date", title="First day of letters"),
        "end": Param("2026-01-08", type="string", format="date", title="The day after the last"),
    },
)
