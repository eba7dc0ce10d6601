"""The flights in the stack's S3, where the DAGs of the example wait for them."""

from __future__ import annotations

from model_lifecycle.dags.flights.source import FLIGHTS, WEATHER, package_folder

from .instance import BUCKET, TENANT, Instance
from .registry_settings import AWS_CONNECTION
from .seaweed import s3_client

_PREFIX = f"{TENANT}/lake/flights"


def settings() -> dict[str, str]:
    """Settings that tell the DAGs where the flights are."""
    return {"FLIGHTS_DATA": f"s3://{BUCKET}/{_PREFIX}", "FLIGHTS_AWS_CONN_ID": AWS_CONNECTION}


def publish(instance: Instance) -> None:
    """Put the files there, as the airline would."""
    s3 = s3_client(instance)
    for name in (FLIGHTS, WEATHER):
        s3.upload_file(str(package_folder() / name), BUCKET, f"{_PREFIX}/{name}")
    s3.close()
