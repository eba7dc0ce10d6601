"""The registry of the stack: the settings with which every process finds its stores."""

from __future__ import annotations

import json
from collections.abc import Mapping

from .instance import BUCKET, Instance
from .mlflow import QUIET
from .seaweed import REGION

#: The Airflow connection that holds the keys to S3.
AWS_CONNECTION = "lifecycle_s3"


def settings(instance: Instance) -> dict[str, str]:
    """``MODEL_LIFECYCLE_*`` for processes that are not Airflow's."""
    return {
        **QUIET,
        "MODEL_LIFECYCLE_HOME": str(instance.folder / "registry"),
        "MODEL_LIFECYCLE_DATABASE_URL": instance.database("ledger", "asyncpg"),
        "MODEL_LIFECYCLE_TRACKING_URI": instance.url("mlflow"),
        "MODEL_LIFECYCLE_ARTIFACT_ROOT": f"s3://{BUCKET}",
        "MODEL_LIFECYCLE_S3_ENDPOINT_URL": instance.url("s3"),
    }


def connections(instance: Instance) -> Mapping[str, str]:
    """The two connections of Airflow, as it reads them from the environment."""
    registry = {
        "database_url": instance.database("ledger", "asyncpg"),
        "tracking_uri": instance.url("mlflow"),
        "artifact_root": f"s3://{BUCKET}",
        "aws_conn_id": AWS_CONNECTION,
    }
    aws = {
        "conn_type": "aws",
        "login": instance.secrets.s3_access_key,
        "password": instance.secrets.s3_secret_key,
        "extra": {"region_name": REGION, "endpoint_url": instance.url("s3")},
    }
    return {
        "AIRFLOW_CONN_MODEL_REGISTRY_DEFAULT": json.dumps(
            {"conn_type": "model_registry", "extra": registry}
        ),
        f"AIRFLOW_CONN_{AWS_CONNECTION.upper()}": json.dumps(aws),
    }
