"""Airflow DAG: retrain flight-delay, judge the candidate twice, promote it if both pass."""

from __future__ import annotations

from datetime import UTC, datetime

from model_lifecycle.dags.flights import params, policy, source, tasks, training
from model_lifecycle.operators import retrain_and_promote

shadow = params.chosen("shadow")

dag = retrain_and_promote(
    dag_id="flight_delay_retrain",
    tenant_id=tasks.TENANT,
    model_id=tasks.MODEL,
    train=training.train_flight_delay,
    train_kwargs={
        **params.chosen("training"),
        "algorithm": "{{ params.algorithm }}",
        "features": "{{ params.features }}",
    },
    validation_data=tasks.hold_out,
    validation_kwargs=params.chosen("validation"),
    # On the stack, where the flights are in S3, nobody plays the serving system before.
    record_traffic=tasks.answer_unrecorded_requests if source.in_s3() else None,
    traffic_kwargs=shadow,
    shadow_window=(shadow["start"], shadow["end"]),
    policy=policy.FLIGHT_DELAY_POLICY,
    description=training.DESCRIPTION,
    # A person triggers the example: with a schedule, Airflow would start a run of its own first.
    schedule=None,
    start_date=datetime(2013, 1, 1, tzinfo=UTC),
    params=params.RETRAIN,
)

if source.in_s3():
    with dag:
        source.wait_for_flights() >> dag.get_task("train")
