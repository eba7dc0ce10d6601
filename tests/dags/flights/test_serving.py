from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from model_lifecycle.dags.flights.data import load_flights, load_labelled
from model_lifecycle.dags.flights.features import FEATURES, LABEL
from model_lifecycle.dags.flights.serving import publish_holdout, serve
from model_lifecycle.dags.flights.training import train_flight_delay
from model_lifecycle.gates.data.traffic import partitions, read_labels, read_partition

if TYPE_CHECKING:
    from model_lifecycle.registry.model_registry import ModelRegistry


MODEL = ("demo", "flight-delay")
DAY = ("2013-02-01", "2013-02-02")
START, END = (datetime.fromisoformat(day).replace(tzinfo=UTC) for day in DAY)


async def _read(registry: ModelRegistry) -> pd.DataFrame:
    store = registry.artifacts
    parts = [
        (await read_partition(store, part)).frame
        for part in await partitions(store, *MODEL, START, END)
    ]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture
async def in_production(registry: ModelRegistry) -> Any:
    """A first version, put into production by force: serving is what is looked at here."""
    trained = train_flight_delay(
        start="2013-01-01",
        end="2013-01-08",
        algorithm="logistic regression",
        features="schedule",
    )
    await registry.register_model(
        *MODEL,
        trained.model,
        trained.framework,
        trained.metrics,
        trained.parameters,
        input_example=trained.input_example,
        created_by="test",
    )
    for stage in ("staging", "production"):
        await registry.transition_stage(
            *MODEL, 1, stage, actor="test", reason="for the test", force=True
        )
    return trained.model


async def test_what_is_logged_is_what_is_read(registry: ModelRegistry) -> None:
    """Each request comes back once, with the features that the serving system saw."""
    served = await serve(registry, *MODEL, *DAY)
    flights = load_flights(*DAY)
    columns = ["request_id", "requested_at", *FEATURES]
    read = (await _read(registry)).sort_values(["requested_at", "request_id"], ignore_index=True)

    pd.testing.assert_frame_equal(
        read[columns], flights[columns], check_dtype=False, check_exact=True
    )
    assert (served.requests, served.version) == (len(flights), 0)


async def test_labels_come_back_for_flights_that_arrived(registry: ModelRegistry) -> None:
    """Each flight that arrived has its label; a cancelled one has none."""
    await serve(registry, *MODEL, *DAY)
    labelled = load_labelled(*DAY)
    labels = await read_labels(registry.artifacts, *MODEL, START)
    assert labels is not None
    read = labels.frame

    assert dict(zip(read["request_id"], read["label"], strict=True)) == dict(
        zip(labelled["request_id"], labelled[LABEL], strict=True)
    )


async def test_before_the_first_model_a_rule_answers(registry: ModelRegistry) -> None:
    """Without a production version, requests are logged under version 0, which is no model."""
    await serve(registry, *MODEL, *DAY)
    read = await _read(registry)

    assert set(zip(read["version"], read["prediction"], strict=True)) == {(0, 0)}


@pytest.mark.usefixtures("in_production")
async def test_the_production_version_answers(registry: ModelRegistry, in_production: Any) -> None:
    """The log holds the production version's own scores, as the champion."""
    await serve(registry, *MODEL, *DAY)
    read = await _read(registry)
    scores = in_production.predict_proba(read[list(in_production.feature_names_in_)])[:, 1]

    assert (set(zip(read["version"], read["role"], strict=True)), read["score"].tolist()) == (
        {(1, "champion")},
        scores.tolist(),
    )


async def test_serving_a_window_again_replaces_its_log(registry: ModelRegistry) -> None:
    """Two runs over one window leave one row a request."""
    for _ in range(2):
        await serve(registry, *MODEL, *DAY)
    read = await _read(registry)

    assert read["request_id"].is_unique


async def test_progress_is_told_after_each_day(registry: ModelRegistry) -> None:
    """A caller hears which day of how many is done."""
    heard = []
    await serve(
        registry, *MODEL, "2013-02-01", "2013-02-03", lambda *progress: heard.append(progress)
    )

    assert heard == [(1, 2, "2013-02-01"), (2, 2, "2013-02-02")]


async def test_the_held_out_file_holds_features_label_and_time(registry: ModelRegistry) -> None:
    """The validation gate gets each labelled flight of the window, and nothing from after it."""
    uri = await publish_holdout(registry, *MODEL, *DAY)
    frame = pd.read_parquet(uri.removeprefix("file://"))

    assert (list(frame.columns), len(frame)) == (
        ["request_id", "requested_at", *FEATURES, LABEL],
        len(load_labelled(*DAY)),
    )
