"""The MLflow server: runs and versions on PostgreSQL, artifacts in S3."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from .health_check import ask
from .instance import BUCKET, Instance
from .ports import HOST
from .seaweed import REGION
from .service import StackService

#: Sends no usage data, and starts no second kind of worker.
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


def server_command(port: int, artifacts_destination: str, workers: int = 1) -> list[str]:
    """``mlflow server``. Its database comes from ``MLFLOW_BACKEND_STORE_URI``, since others can
    see the arguments of a process."""
    return [
        *(sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port)),
        *("--artifacts-destination", artifacts_destination, "--workers", str(workers)),
    ]


def s3_environment(instance: Instance) -> dict[str, str]:
    """Environment with which boto3 reaches the stack's S3."""
    return {
        "AWS_ACCESS_KEY_ID": instance.secrets.s3_access_key,
        "AWS_SECRET_ACCESS_KEY": instance.secrets.s3_secret_key,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL_S3": instance.url("s3"),
    }


def _command(instance: Instance) -> list[str]:
    return server_command(instance.ports["mlflow"], f"s3://{BUCKET}/mlflow")


def _settings(instance: Instance) -> Mapping[str, str]:
    return {
        **QUIET,
        **s3_environment(instance),
        "MLFLOW_S3_ENDPOINT_URL": instance.url("s3"),
        # psycopg2: with SQLAlchemy's default, psycopg 3, calls of MLflow fail.
        "MLFLOW_BACKEND_STORE_URI": instance.database("mlflow"),
    }


def _problem(instance: Instance) -> str | None:
    status, answer = ask(instance.ports["mlflow"], "/health")
    return None if status == 200 else f"/health: {status or ''} {answer}".strip()


MLFLOW = StackService(
    name="mlflow", command=_command, problem=_problem, settings=_settings, ports=("mlflow",)
)
