"""The page that describes a running stack."""

from __future__ import annotations

from .instance import BUCKET, TENANT, Instance
from .ports import HOST


def page(place: Instance) -> str:
    """Addresses and log-ins, as plain text."""
    known = place.secrets
    logins = "\n".join(
        f"                 {name:<10} {known.airflow_users[name]}   (role {role})"
        for name, role in place.airflow_roles.items()
    )
    return f"""
Airflow        {place.url("airflow")}
{logins}
Registry API   {place.url("api")}/docs   (reference)
                 Authorization: Bearer {known.api_key}
  in Airflow   {place.url("airflow")}/model-lifecycle/docs   (after the log-in to Airflow)
MLflow         {place.url("mlflow")}
S3             {place.url("s3")}   bucket {BUCKET} (for programs, no page)
                 {known.s3_access_key}   {known.s3_secret_key}
PostgreSQL     {HOST}:{place.ports["postgres"]}   databases airflow, mlflow, ledger
                 postgres   {known.postgres}

Tenant {TENANT}. Data, logs and secrets: {place.folder}

Next: log in to Airflow as admin and trigger flight_delay_retrain as offered: it trains a first
version, judges it twice and promotes it. Then open its task validate, button "Gate report".
"""
