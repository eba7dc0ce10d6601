"""Airflow DAG: a person brings an earlier version of flight-delay back into production."""

from __future__ import annotations

from model_lifecycle.dags.flights import tasks
from model_lifecycle.operators import rollback_dag

dag = rollback_dag(dag_id="flight_delay_rollback", tenant_id=tasks.TENANT, models=[tasks.MODEL])
