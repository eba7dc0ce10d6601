"""Flights in S3: waited for by the Amazon provider's sensor, and read from there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support.servers.seaweed import Seaweed, seaweed

from model_lifecycle.dags.flights import source
from model_lifecycle.dags.flights.data import load_flights

pytestmark = pytest.mark.filterwarnings("ignore", "error:::model_lifecycle")
WINDOW = ("2013-01-01", "2013-01-02")


@pytest.fixture(scope="module")
def s3() -> Iterator[Seaweed]:
    with seaweed() as server:
        server.create_bucket("lake")
        yield server


@pytest.fixture
def in_s3(s3: Seaweed, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The environment says that the flights are in S3; nothing is there yet."""
    client = s3.client()
    for name in (source.FLIGHTS, source.WEATHER):
        client.delete_object(Bucket="lake", Key=f"flights/{name}")
    monkeypatch.setenv("AIRFLOW_CONN_LAKE", s3.airflow_connection())
    monkeypatch.setenv("FLIGHTS_DATA", "s3://lake/flights/")
    monkeypatch.setenv("FLIGHTS_AWS_CONN_ID", "lake")
    return client


def publish(client: Any) -> None:
    for name in (source.FLIGHTS, source.WEATHER):
        client.upload_file(str(source.package_folder() / name), "lake", f"flights/{name}")


def test_training_waits_for_the_flights(in_s3: Any, dags_folder: Path) -> None:
    """With flights in S3 the DAG begins with a deferrable sensor; with the package's own, it does
    not."""
    from airflow.dag_processing.dagbag import DagBag

    file = dags_folder / "flight_delay_retrain.py"
    bag = DagBag(dag_folder=str(file), bundle_name="lake", bundle_path=dags_folder)
    (dag,) = bag.dags.values()
    sensor: Any = dag.get_task("wait_for_flights")

    assert bag.import_errors == {}
    assert [task.task_id for task in dag.roots] == ["wait_for_flights"]
    assert (sensor.deferrable, sensor.downstream_task_ids) == (True, {"train"})
    assert sensor.bucket_key == [
        "s3://lake/flights/flights.csv.zip",
        "s3://lake/flights/weather.csv",
    ]


async def test_the_sensor_waits_in_the_triggerer_until_both_are_there(in_s3: Any) -> None:
    """Deferred while something is missing; the trigger fires once it is there, without blocking."""
    from airflow.sdk.exceptions import TaskDeferred

    sensor: Any = source.wait_for_flights()
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute({})
    trigger = deferred.value.trigger
    publish(in_s3)
    event = await anext(trigger.run())

    assert event.payload["status"] == "success"
    assert sensor.execute({}) is None


def test_flights_from_s3_are_those_of_the_package(
    in_s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same rows, whichever way they came."""
    publish(in_s3)
    fetched = load_flights(*WINDOW)
    monkeypatch.delenv("FLIGHTS_DATA")

    pd.testing.assert_frame_equal(fetched, load_flights(*WINDOW))
