"""Airflow's four processes, on PostgreSQL, with the LocalExecutor and the flight DAGs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from . import demo_data, registry_settings
from .health_check import ask
from .instance import TENANT, Instance, write_private
from .mlflow import QUIET
from .service import StackService

_FLIGHTS = Path(__file__).resolve().parent.parent / "dags"
_BUNDLE = "airflow.dag_processing.bundles.local.LocalDagBundle"


def settings(instance: Instance) -> dict[str, str]:
    """The environment of every process of Airflow's."""
    access = {"admin": ["admin"], "operator": ["viewer", "promoter"], "viewer": ["viewer"]}
    users = {name: {"tenant": TENANT, "roles": roles} for name, roles in access.items()}
    ours = {
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__FERNET_KEY": instance.secrets.airflow_fernet,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{instance.url('airflow')}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(
            f"{name}:{role}" for name, role in instance.airflow_roles.items()
        ),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(_passwords(instance)),
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": instance.database("airflow"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": instance.database("airflow", "asyncpg"),
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(_bundles(instance)),
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
        "AIRFLOW__API__PORT": str(instance.ports["airflow"]),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__BASE_URL": instance.url("airflow"),
        "AIRFLOW__API__SECRET_KEY": instance.secrets.airflow_jwt,
        "AIRFLOW__API_AUTH__JWT_SECRET": instance.secrets.airflow_jwt,
        # Where the API server asks for logs of running tasks besides the folder that all share.
        "AIRFLOW__CORE__HOSTNAME_CALLABLE": "model_lifecycle.stack.ports.host",
        "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
    }
    return {
        "AIRFLOW_HOME": str(instance.airflow_home),
        **ours,
        **QUIET,
        **registry_settings.connections(instance),
        **demo_data.settings(),
        "MODEL_LIFECYCLE_API_AIRFLOW_ACCESS": json.dumps({"users": users}),
        # Many small predictions: threads of OpenMP would only wait for each other.
        "OMP_NUM_THREADS": "1",
        **instance.airflow_environment,
    }


def prepare(instance: Instance) -> None:
    """Write what Airflow reads from files: the passwords of its users."""
    instance.airflow_home.mkdir(exist_ok=True)
    write_private(_passwords(instance), json.dumps(dict(instance.secrets.airflow_users)))


def migrate_command() -> list[str]:
    """Make or upgrade Airflow's own tables."""
    return _airflow("db", "migrate")


def _passwords(instance: Instance) -> Path:
    return instance.airflow_home / "passwords.json"


def _bundles(instance: Instance) -> list[dict[str, object]]:
    folders = {"model-lifecycle": _FLIGHTS} | {
        f"extra-{number}": folder for number, folder in enumerate(instance.dag_folders, start=1)
    }
    return [
        {"name": name, "classpath": _BUNDLE, "kwargs": {"path": str(folder)}}
        for name, folder in folders.items()
    ]


def _airflow(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "airflow", *arguments]


def _problem(key: str, instance: Instance) -> str | None:
    """The API server tells of the heartbeats of all the others."""
    status, answer = ask(instance.ports["airflow"], "/api/v2/monitor/health")
    if status != 200 or not isinstance(answer, dict):
        return f"/api/v2/monitor/health: {status or ''} {answer}".strip()
    reported = (answer.get(key) or {}).get("status")
    return None if reported == "healthy" else f"{key} is {reported or 'not there yet'}"


def _part(
    name: str, key: str, *ports: str, command: Callable[[Instance], list[str]]
) -> StackService:
    return StackService(
        name=f"airflow-{name}",
        command=command,
        problem=partial(_problem, key),
        settings=_of_part,
        ports=ports,
    )


def _of_part(instance: Instance) -> Mapping[str, str]:
    return settings(instance)


API_SERVER = _part(
    "api-server", "metadatabase", "airflow", command=lambda _: _airflow("api-server")
)
# Without their log servers: those listen on all interfaces and have no setting for that, and the
# API server reads the logs in the folder that all parts share.
SCHEDULER = _part(
    "scheduler", "scheduler", command=lambda _: _airflow("scheduler", "--skip-serve-logs")
)
DAG_PROCESSOR = _part("dag-processor", "dag_processor", command=lambda _: _airflow("dag-processor"))
TRIGGERER = _part(
    "triggerer", "triggerer", command=lambda _: _airflow("triggerer", "--skip-serve-logs")
)
