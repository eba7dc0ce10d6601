"""Credentials of S3 from an Airflow connection: the real provider, a real S3 server."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from support.servers.seaweed import Seaweed, seaweed

from model_lifecycle.registry.artifacts import ArtifactStore, open_artifacts
from model_lifecycle.registry.domain.errors import BackendUnavailable, InvalidInput

if TYPE_CHECKING:
    from model_lifecycle.registry.settings import Settings

pytestmark = pytest.mark.filterwarnings("ignore", "error:::model_lifecycle")


@pytest.fixture(scope="module")
def s3() -> Iterator[Seaweed]:
    with seaweed() as server:
        server.create_bucket("lake")
        yield server


@pytest.fixture
def connect(
    no_registry: None, s3: Seaweed, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Settings]:
    """The hook's settings, with the registry on ``s3`` and keys in the AWS connection alone."""
    for name in s3.environment():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AIRFLOW_CONN_LAKE", s3.airflow_connection())

    def settings(**extra: str) -> Settings:
        from model_lifecycle.operators import ModelRegistryHook

        registry = {"conn_type": "model_registry", "extra": {"artifact_root": "s3://lake", **extra}}
        monkeypatch.setenv("AIRFLOW_CONN_MODEL_REGISTRY_DEFAULT", json.dumps(registry))
        return ModelRegistryHook().settings()

    return settings


async def test_keys_come_from_the_connection(connect: Callable[..., Settings]) -> None:
    """With nothing in the environment, files are written and read with the connection's keys and
    at its endpoint."""
    store: ArtifactStore = open_artifacts(connect(aws_conn_id="lake"))
    await store.put_bytes("acme/a", b"1")

    assert await store.get_bytes("acme/a") == b"1"
    await store.close()


async def test_without_the_connection_there_are_none(
    connect: Callable[..., Settings], s3: Seaweed
) -> None:
    """The same registry without aws_conn_id finds no credentials."""
    store = open_artifacts(connect(s3_endpoint_url=s3.url))
    with pytest.raises(BackendUnavailable, match="credentials"):
        await store.get_bytes("acme/a")


async def test_a_connection_that_is_not_there(connect: Callable[..., Settings]) -> None:
    """A misspelt name is an error; whatever keys the worker has are not taken instead."""
    store = open_artifacts(connect(aws_conn_id="lak"))
    with pytest.raises(InvalidInput, match="no AWS connection 'lak'") as caught:
        await store.get_bytes("acme/a")

    assert caught.value.field == "aws_conn_id"


async def test_own_endpoint_goes_first(connect: Callable[..., Settings]) -> None:
    """The registry's endpoint counts before that of the AWS connection."""
    store = open_artifacts(connect(aws_conn_id="lake", s3_endpoint_url="http://127.0.0.1:1"))
    with pytest.raises(BackendUnavailable, match="cannot be reached"):
        await store.get_bytes("acme/a")


def test_settings_show_the_name_of_the_connection_alone(
    connect: Callable[..., Settings], s3: Seaweed
) -> None:
    """The printed settings hold no key."""
    settings = connect(aws_conn_id="lake")

    assert "'lake'" in settings.redacted()["s3_client"]
    assert s3.secret_key not in repr(settings)


def test_reading_the_connection_imports_nothing_heavy() -> None:
    """A task that needs no file does not pay for boto3 or the provider."""
    program = (
        "import sys; from model_lifecycle.operators.hooks.connection import read_connection\n"
        "read_connection({'artifact_root': 's3://lake', 'aws_conn_id': 'lake'})\n"
        "print(sorted({'boto3', 'airflow.providers.amazon.aws.hooks'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert done.stdout.strip() == "[]"
