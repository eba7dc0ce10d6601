"""The page that describes a running stack."""

from __future__ import annotations

from .instance import BUCKET, TENANT, Instance
from .ports import HOST


def page(instance: Instance) -> str:
    """Addresses and log-ins, as plain text."""
    known = instance.secrets
    logins = "\n".join(
        f"                 {name:<10} {known.airflow_users[name]}   (role {role})"
        for name, role in instance.airflow_roles.items()
    )
    return f"""
Airflow        {instance.url("airflow")}
{logins}
Registry API   {instance.url("api")}/docs   (reference)
                 Authorization: Bearer {known.api_key}
  in Airflow   {instance.url("airflow")}/model-lifecycle/docs   (after the log-in to Airflow)
MLflow         {instance.url("mlflow")}
S3             {instance.url("s3")}   bucket {BUCKET} (for programs, no page)
                 {known.s3_access_key}   {known.s3_secret_key}
PostgreSQL     {HOST}:{instance.ports["postgres"]}   databases airflow, mlflow, ledger
                 postgres   {known.postgres}

Tenant {TENANT}. Data, logs and secrets: {instance.folder}

Next: log in to Airflow as admin and trigger flight_delay_retrain as offered: it trains a first
version, judges it twice and promotes it. Then open its task validate, button "Gate report".
"""
