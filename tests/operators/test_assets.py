from __future__ import annotations

import pytest

from model_lifecycle.registry.rules.errors import InvalidName

_RESULT = {"previous_production": 2, "version": 3, "actor": "airflow:d/r for kim"}
_EXTRA = {"from": 2, "to": 3, "actor": "airflow:d/r for kim"}


def _promote(**names):
    from model_lifecycle.operators import PromoteModelOperator

    return PromoteModelOperator(**{"task_id": "promote", "version": 3, **names})


def test_asset_uri_survives_airflow():
    """Airflow keeps the URI of the asset as it was written."""
    from model_lifecycle.operators import production_asset

    assert production_asset("acme", "churn").uri == "x-model-lifecycle://acme/churn/production"


def test_asset_of_an_impossible_name_is_refused():
    """A DAG that waits for a model with an impossible name would wait for ever."""
    from model_lifecycle.operators import production_asset

    with pytest.raises(InvalidName):
        production_asset("acme", "no/such")


def test_promotion_to_production_declares_the_asset():
    """Airflow's graph shows which DAG changes which model's production."""
    from airflow.sdk import Asset

    from model_lifecycle.operators import production_asset

    mine = Asset("mine")
    task = _promote(tenant_id="acme", model_id="churn", outlets=[mine])

    assert task.outlets == [mine, production_asset("acme", "churn")]


def test_promotion_to_staging_declares_nothing():
    """Nothing that happens in staging tells anybody that production changed."""
    assert _promote(tenant_id="acme", model_id="churn", target_stage="staging").outlets == []


def test_event_says_from_to_and_who(context):
    """The event of a promotion holds both versions and the actor."""
    from model_lifecycle.operators import production_asset
    from model_lifecycle.operators.assets import announce_production

    ctx = context(_promote(tenant_id="acme", model_id="churn"))
    announce_production(ctx, "acme", "churn", _RESULT)

    assert ctx["outlet_events"][production_asset("acme", "churn")].extra == _EXTRA


def test_event_of_a_model_named_at_run_time_goes_through_the_alias(context):
    """Where only the run knows the model, the event reaches the model's asset all the same."""
    from model_lifecycle.operators.assets import PRODUCTION_CHANGES, announce_production

    ctx = context(_promote(tenant_id="acme", model_id="{{ params.model }}"))
    announce_production(ctx, "acme", "churn", _RESULT)
    (event,) = ctx["outlet_events"][PRODUCTION_CHANGES].asset_alias_events

    assert event.dest_asset_key.uri == "x-model-lifecycle://acme/churn/production"
    assert event.extra == _EXTRA
