from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support.task_fixtures import MakeContext

from model_lifecycle.registry.domain.errors import InvalidName

if TYPE_CHECKING:
    from model_lifecycle.operators import PromoteModelOperator


_EXTRA = {
    "tenant_id": "acme",
    "model_id": "churn",
    "stage": "production",
    "version": 3,
    "from": 2,
    "to": 3,
    "actor": "airflow:d/r for kim",
}


def _promote(**names: Any) -> PromoteModelOperator:
    from model_lifecycle.operators import PromoteModelOperator

    return PromoteModelOperator(**{"task_id": "promote", "version": 3, **names})


def test_asset_uri_survives_airflow() -> None:
    """Airflow keeps the URI of the asset as it was written."""
    from model_lifecycle.operators import production_asset

    assert production_asset("acme", "churn").uri == "x-model-lifecycle://acme/churn/production"


def test_asset_of_an_impossible_name_is_refused() -> None:
    """A DAG that waits for a model with an impossible name would wait for ever."""
    from model_lifecycle.operators import production_asset

    with pytest.raises(InvalidName):
        production_asset("acme", "no/such")


def test_promotion_declares_its_assets() -> None:
    """Airflow's graph shows which DAG changes which stage of which model."""
    from airflow.sdk import Asset

    from model_lifecycle.operators import any_model_asset, each_model_asset, stage_asset

    mine = Asset("mine")
    for stage in ("staging", "production"):
        task = _promote(tenant_id="acme", model_id="churn", target_stage=stage, outlets=[mine])

        assert task.outlets == [
            mine,
            stage_asset("acme", "churn", stage),
            any_model_asset(stage),
            each_model_asset(stage),
        ]


def test_every_asset_is_another() -> None:
    """No model or tenant can be named so that its asset is that of another stage, or of any."""
    from model_lifecycle.operators import any_model_asset, each_model_asset, stage_asset
    from model_lifecycle.registry.domain.stages import LIVE_STAGES

    pairs = [("acme", "churn"), ("any-model", "production"), ("each-model", "production")]
    assets = [
        *(stage_asset(*pair, stage) for pair in pairs for stage in LIVE_STAGES),
        *(make(stage) for make in (any_model_asset, each_model_asset) for stage in LIVE_STAGES),
    ]

    assert len({asset.uri for asset in assets}) == len({asset.name for asset in assets}) == 20
    assert all(asset.uri == f"x-model-lifecycle://{asset.name}" for asset in assets)


def test_events_tell_one_story(context: MakeContext) -> None:
    """The model's event, that of any model and that of each model hold the same; the last has the
    model as its partition."""
    from model_lifecycle.operators import any_model_asset, each_model_asset, production_asset
    from model_lifecycle.operators.runtime.assets import announce

    ctx = context(_promote(tenant_id="acme", model_id="churn"))
    announce(ctx, _EXTRA)
    events = ctx["outlet_events"]
    each = events[each_model_asset()]

    assert events[production_asset("acme", "churn")].extra == _EXTRA
    assert events[any_model_asset()].extra == each.extra == _EXTRA
    assert list(each.partition_keys) == ["acme/churn"]
    assert list(events[any_model_asset()].partition_keys) == []


def test_event_of_a_model_named_at_run_time_goes_through_the_alias(context: MakeContext) -> None:
    """Where only the run knows the model, the event reaches the model's asset all the same."""
    from model_lifecycle.operators import any_model_asset
    from model_lifecycle.operators.runtime.assets import announce, changes_alias

    ctx = context(_promote(tenant_id="acme", model_id="{{ params.model }}"))
    announce(ctx, _EXTRA)
    (event,) = ctx["outlet_events"][changes_alias("production")].asset_alias_events

    assert event.dest_asset_key.uri == "x-model-lifecycle://acme/churn/production"
    assert event.extra == ctx["outlet_events"][any_model_asset()].extra == _EXTRA
