"""Airflow DAG: every hour, compare MLflow with the ledger for all tenants, and heal it."""

from __future__ import annotations

from model_lifecycle.operators import reconcile_dag

dag = reconcile_dag(dag_id="registry_reconcile")
