"""docker-compose.yml: valid by the specification, complete, pinned, and without a secret in it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from model_lifecycle.operators.hooks.connection import read_connection
from model_lifecycle.stack import airflow
from model_lifecycle.stack.instance import Instance
from model_lifecycle.stack.services import BY_NAME

HOUSE = Path(__file__).resolve().parents[2]
TEXT = (HOUSE / "docker-compose.yml").read_text()
#: Tasks that end: they need no health check, others wait for their success.
INITS = {"s3-init", "ledger-init", "airflow-init"}
_VARIABLE = re.compile(r"(?<!\$)\$\{([A-Z_0-9]+)(?::?[-?][^}]*)?\}")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The file with its anchors resolved."""
    document: dict[str, Any] = yaml.safe_load(TEXT)
    return document


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, Any]:
    return dict(compose["services"])


def filled(text: str) -> str:
    """The text as compose gives it to a container: each variable is its own name here."""
    return _VARIABLE.sub(lambda match: match[1], text)


def test_it_is_valid_by_the_compose_specification() -> None:
    """Checked against the specification's JSON schema, as the package check-jsonschema ships it."""
    command = ["--builtin-schema", "vendor.compose-spec", "docker-compose.yml"]
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", *command],
        cwd=HOUSE,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_a_mistake_would_be_seen(tmp_path: Path) -> None:
    """The same check refuses a file with a misspelt key."""
    wrong = tmp_path / "docker-compose.yml"
    wrong.write_text(TEXT.replace("healthcheck:", "healtcheck:", 1))
    command = ["--builtin-schema", "vendor.compose-spec", str(wrong)]
    done = subprocess.run([sys.executable, "-m", "check_jsonschema", *command], capture_output=True)

    assert done.returncode == 1


def test_it_has_every_part_of_the_stack(services: dict[str, Any]) -> None:
    """The parts of `make up`, and workers and their queue in a profile of their own."""
    in_profile = {name for name, item in services.items() if item.get("profiles") == ["celery"]}

    assert set(services) == {*BY_NAME, *INITS, "airflow-worker", "redis"}
    assert in_profile == {"airflow-worker", "redis"}


def test_every_server_is_checked_and_comes_back(services: dict[str, Any]) -> None:
    """A server has a health check and is started again when it ends."""
    servers = {name: item for name, item in services.items() if name not in INITS}

    assert [name for name, item in servers.items() if "healthcheck" not in item] == []
    assert {item["restart"] for item in servers.values()} == {"unless-stopped"}


def test_start_order_leads_back_to_the_stores(services: dict[str, Any]) -> None:
    """A service that waits for health waits for one with a check; one that waits for an end, for
    one that ends; and all but the stores and the queue wait for somebody."""
    waits = {
        (name, other): how["condition"]
        for name, item in services.items()
        for other, how in item.get("depends_on", {}).items()
    }
    expected = {
        pair: "service_completed_successfully" if pair[1] in INITS else "service_healthy"
        for pair in waits
    }

    assert waits == expected
    assert {other for _, other in waits} <= set(services)
    assert set(services) - {name for name, _ in waits} == {"postgres", "s3", "redis"}


def test_images_are_pinned(services: dict[str, Any]) -> None:
    """Each image has a version, ours the version of this package, Airflow's that of constraints."""
    images = {item["image"] for item in services.values()}
    version = re.search(r"^apache-airflow==(.+)$", (HOUSE / "constraints.txt").read_text(), re.M)

    assert [image for image in images if not re.search(r":\d+\.\d+", image)] == []
    assert version
    assert f"FROM apache/airflow:{version[1]}-python3.11" in (HOUSE / "Dockerfile").read_text()
    assert "--constraint /opt/model-lifecycle/constraints.txt" in (HOUSE / "Dockerfile").read_text()


def test_nothing_is_installed_at_the_start() -> None:
    """Packages are in the image."""
    assert "_PIP_ADDITIONAL_REQUIREMENTS" not in TEXT


def test_every_variable_is_in_the_example_of_the_environment() -> None:
    """.env.example lists every variable that must be set, and none that is not used."""
    listed = re.findall(r"^([A-Z_0-9]+)=", (HOUSE / ".env.example").read_text(), re.M)

    assert sorted(set(_VARIABLE.findall(TEXT))) == sorted(listed)


def test_no_secret_has_a_value_in_the_repository() -> None:
    """Passwords and keys are variables in the one file, and empty in the other."""
    example = (HOUSE / ".env.example").read_text()
    values = dict(re.findall(r"^([A-Z_0-9]+)=(.*)$", example, re.M))
    secrets = [name for name in values if re.search(r"PASSWORD$|SECRET|KEY", name)]
    literal = re.findall(r"^ +\w*(?:PASSWORD|SECRET|_KEY)\w*: (?!\$\{|/).+$", TEXT, re.M)

    assert len(secrets) >= 6
    assert {values[name] for name in secrets} == {""}
    assert literal == []


def test_ports_are_open_to_this_machine_alone(services: dict[str, Any]) -> None:
    """Wider access needs a proxy with TLS in front."""
    ports = [port for item in services.values() for port in item.get("ports", ())]

    assert len(ports) == 3
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


@pytest.mark.parametrize("where", ["containers", "packages"])
def test_airflow_knows_every_setting(services: dict[str, Any], where: str, tmp_path: Path) -> None:
    """A misspelt AIRFLOW__SECTION__KEY would be ignored without a word, here and in `make up`."""
    from airflow.configuration import conf

    environment = (
        services["airflow-worker"]["environment"]
        if where == "containers"
        else airflow.settings(Instance.at(tmp_path))
    )
    settings = [
        name.removeprefix("AIRFLOW__").lower().split("__", 1)
        for name in environment
        # The Celery provider's own are not known where it is not installed.
        if name.startswith("AIRFLOW__") and not name.startswith("AIRFLOW__CELERY__")
    ]
    known = conf.configuration_description

    assert [
        (section, key)
        for section, key in settings
        if key not in known.get(section, {}).get("options", {})
    ] == []
    assert len(settings) > 10


def test_airflows_connections_are_read_as_they_are_meant(services: dict[str, Any]) -> None:
    """The JSON is whole once filled in, and leads to the stores of this file."""
    environment = services["airflow-scheduler"]["environment"]
    registry = json.loads(filled(environment["AIRFLOW_CONN_MODEL_REGISTRY_DEFAULT"]))
    aws = json.loads(filled(environment["AIRFLOW_CONN_LIFECYCLE_S3"]))
    bundles = json.loads(environment["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"])
    known = read_connection(registry["extra"])

    assert (registry["conn_type"], aws["conn_type"]) == ("model_registry", "aws")
    assert known.settings.artifact_root == "s3://lifecycle"
    assert known.settings.tracking_uri == "http://mlflow:5000"
    assert bundles[0]["kwargs"]["path"] == "/opt/model-lifecycle/dags"


def test_the_s3_server_gets_the_keys_that_clients_have(compose: dict[str, Any]) -> None:
    """One pair of keys, from the same two variables."""
    document = json.loads(filled(compose["configs"]["s3"]["content"]))
    (identity,) = document["identities"]

    assert identity["credentials"] == [{"accessKey": "S3_ACCESS_KEY", "secretKey": "S3_SECRET_KEY"}]
