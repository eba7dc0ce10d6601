"""The fields that a version copies from the source it was registered from."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.registry_fixture import RegistryFixture, trained

from model_lifecycle.registry.domain import artifact_paths
from model_lifecycle.registry.domain.errors import InvalidInput
from model_lifecycle.registry.domain.identifiers import ModelId, TenantId
from model_lifecycle.registry.domain.models import TrainedModel


async def test_a_registered_source_tells_what_it_was_trained_on(
    local: RegistryFixture, model_id: str
) -> None:
    """The gates read the end of the training data from the version's tags."""
    dataset = {"name": "flights", "start": "2013-01-01", "end": "2013-02-01"}
    model = trained()
    logged = await local.registry.log_model(
        local.tenant,
        model_id,
        TrainedModel(
            model.model,
            "sklearn",
            metrics={},
            parameters={},
            input_example=model.input_example,
            dataset=dataset,
        ),
        created_by="kim",
    )

    registered = await local.registry.register_model(
        local.tenant, model_id, logged.model_uri, None, None, None, created_by="kim"
    )

    assert registered.tags["dataset.end"] == "2013-02-01"


async def test_metrics_of_a_run_that_are_no_numbers_are_left_out(
    apart: RegistryFixture, by_hand: Any, model_id: str
) -> None:
    """A fold with one class logs NaN: the model registers without that metric, and its card and
    the ledger's entry name it."""
    logged = await apart.registry.log_model(apart.tenant, model_id, trained(), created_by="kim")
    by_hand.log_metric(logged.run_id, "val_auc", float("nan"))

    model = await apart.registry.register_model(
        apart.tenant, model_id, logged.model_uri, None, None, None, created_by="kim"
    )
    entry = (await apart.history(model_id))[-1]
    folder = artifact_paths.bundle(TenantId(apart.tenant), ModelId(model_id), 1)
    card = await apart.registry.artifacts.get_bytes(f"{folder}/{artifact_paths.MODEL_CARD}")

    assert model.metrics == {"accuracy": 0.95, "auc": 0.9}
    assert entry.detail["omitted_metrics"] == {"val_auc": "NaN"}
    assert "no finite number: val\\_auc (NaN)" in card.decode()


async def test_the_history_of_a_run_with_nan_is_plain_json(
    apart: RegistryFixture, by_hand: Any, model_id: str
) -> None:
    """JSON has no NaN: the point is there, without a value."""
    first = await apart.registry.log_model(apart.tenant, model_id, trained(), created_by="kim")
    by_hand.log_metric(first.run_id, "val_auc", float("nan"))
    model = trained()
    await apart.registry.register_model(
        apart.tenant,
        model_id,
        model.model,
        "sklearn",
        {},
        {},
        input_example=model.input_example,
        run_id=first.run_id,
        created_by="kim",
    )
    folder = artifact_paths.metrics_history(TenantId(apart.tenant), first.run_id)
    history = await apart.registry.artifacts.get_bytes(f"{folder}/history.json")

    assert b"NaN" not in history
    assert json.loads(history)["val_auc"][0]["value"] is None


async def test_dates_of_python_tell_when_the_training_data_ends(
    local: RegistryFixture, model_id: str
) -> None:
    """Whether as part of the data set or as a parameter, the gates can read it."""
    model = await local.registry.register_model(
        local.tenant,
        model_id,
        trained().model,
        "sklearn",
        {},
        {"dataset_end": date(2024, 3, 1)},
        dataset={"end": pd.Timestamp("2024-03-01 10:00"), "rows": np.int64(40)},
        created_by="kim",
    )

    assert model.parameters["dataset_end"] == "2024-03-01"
    assert model.tags["dataset.end"] == "2024-03-01T10:00:00"


async def test_an_end_of_the_training_data_that_is_no_date_is_refused(
    local: RegistryFixture, model_id: str
) -> None:
    """The gates would find nothing to compare with, and check nothing."""
    with pytest.raises(InvalidInput, match=r"dataset\.end must be an ISO date .* not '31.01.2024'"):
        await local.registry.register_model(
            local.tenant,
            model_id,
            trained().model,
            "sklearn",
            {},
            {},
            dataset={"end": "31.01.2024"},
            created_by="kim",
        )
