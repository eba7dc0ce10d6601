"""The registry of the stack: the settings with which every process finds its stores."""

from __future__ import annotations

import json
from collections.abc import Mapping

from .instance import BUCKET, Instance
from .mlflow import QUIET
from .seaweed import REGION

#: The Airflow connection that holds the keys to S3.
AWS_CONNECTION = "lifecycle_s3"


def settings(place: Instance) -> dict[str, str]:
    """``MODEL_LIFECYCLE_*`` for processes that are not Airflow's."""
    return {
        **QUIET,
        "MODEL_LIFECYCLE_HOME": str(place.folder / "registry"),
        "MODEL_LIFECYCLE_DATABASE_URL": place.database("ledger", "asyncpg"),
        "MODEL_LIFECYCLE_TRACKING_URI": place.url("mlflow"),
        "MODEL_LIFECYCLE_ARTIFACT_ROOT": f"s3://{BUCKET}",
        "MODEL_LIFECYCLE_S3_ENDPOINT_URL": place.url("s3"),
    }


def connections(place: Instance) -> Mapping[str, str]:
    """The two connections of Airflow, as it reads them from the environment."""
    registry = {
        "database_url": place.database("ledger", "asyncpg"),
        "tracking_uri": place.url("mlflow"),
        "artifact_root": f"s3://{BUCKET}",
        "aws_conn_id": AWS_CONNECTION,
    }
    aws = {
        "conn_type": "aws",
        "login": place.secrets.s3_access_key,
        "password": place.secrets.s3_secret_key,
        "extra": {"region_name": REGION, "endpoint_url": place.url("s3")},
    }
    return {
        "AIRFLOW_CONN_MODEL_REGISTRY_DEFAULT": json.dumps(
            {"conn_type": "model_registry", "extra": registry}
        ),
        f"AIRFLOW_CONN_{AWS_CONNECTION.upper()}": json.dumps(aws),
    }
