"""Airflow DAG: play the serving system of flight-delay: answer requests, and log them."""

from __future__ import annotations

from airflow.sdk import DAG

from model_lifecycle.dags.flights import params, tasks
from model_lifecycle.operators import PrepareDataOperator

with DAG(
    dag_id="flight_delay_serving",
    schedule=None,
    max_active_runs=1,
    tags=["model-lifecycle", tasks.TENANT, tasks.MODEL],
    params=params.SERVING,
    doc_md=__doc__,
) as dag:
    PrepareDataOperator(
        task_id="serve", prepare=tasks.answer_requests, op_kwargs=params.chosen("serving")
    )
