"""Values of the registry: plain JSON, one way to write each timestamp."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from model_lifecycle.registry.domain import artifact_paths
from model_lifecycle.registry.domain.errors import StaleProduction
from model_lifecycle.registry.domain.identifiers import model_id, tenant_id
from model_lifecycle.registry.domain.models import ModelMetadata, StageMove, timestamp
from model_lifecycle.registry.domain.preconditions import ANY, check_expected
from model_lifecycle.registry.domain.stages import Stage

AT = datetime(2026, 3, 1, 12, 0, 0, 7, tzinfo=UTC)
MODEL = ModelMetadata(
    model_id="churn",
    tenant_id="acme",
    name="churn",
    description="who leaves",
    model_type="classification",
    framework="sklearn",
    current_version=2,
    versions=(1, 2),
    stage=Stage.PRODUCTION,
    metrics={"auc": 0.9},
    parameters={"C": "1.0"},
    tags={"team": "a"},
    created_at=AT,
    updated_at=AT,
    created_by="kim",
    artifact_uri="file:///artifacts/acme/models/churn/2",
    production_version=2,
    epoch=5,
)


def test_a_model_survives_its_document() -> None:
    """A model comes back equal from its document, which is plain JSON."""
    document = json.loads(json.dumps(MODEL.document(), allow_nan=False))

    assert ModelMetadata.from_document(document) == MODEL


def test_a_move_survives_its_document() -> None:
    """Also the first one, which comes from nowhere."""
    moves = [StageMove(1, None, Stage.DEVELOPMENT), StageMove(2, Stage.STAGING, Stage.PRODUCTION)]

    assert [StageMove.from_document(move.document()) for move in moves] == moves


def test_an_instant_is_written_in_one_way() -> None:
    """Whatever its zone, and with its microseconds even if they are none."""
    elsewhere = AT.astimezone(timezone(timedelta(hours=5, minutes=30)))

    assert timestamp(elsewhere) == timestamp(AT) == "2026-03-01T12:00:00.000007+00:00"
    assert timestamp(AT.replace(microsecond=0)) == "2026-03-01T12:00:00.000000+00:00"


def test_nothing_expected_is_not_anything_expected() -> None:
    """None expects an empty place; ANY takes what is there."""
    check_expected(ANY, None)
    check_expected(ANY, 3)
    check_expected(None, None)
    check_expected(3, 3)
    with pytest.raises(StaleProduction, match="expected production to be no version") as caught:
        check_expected(None, 3)

    assert (caught.value.expected, caught.value.actual) == (None, 3)


def test_files_lie_where_the_design_says() -> None:
    """The paths that others read by."""
    tenant, model = tenant_id("acme"), model_id("churn")

    assert artifact_paths.bundle(tenant, model, 2) == "acme/models/churn/2"
    assert artifact_paths.runs(tenant) == "acme/runs"
    assert artifact_paths.training_logs(tenant, "r1") == "acme/runs/r1/logs"
    assert artifact_paths.metrics_history(tenant, "r1") == "acme/runs/r1/metrics"
    assert (
        artifact_paths.gate_report(tenant, model, 2, "shadow", "e1")
        == "acme/reports/churn/2/shadow-e1"
    )
    assert (
        artifact_paths.traffic_partition(tenant, model, AT)
        == "acme/traffic/churn/date=2026-03-01/hour=12"
    )
    assert (
        artifact_paths.labels_partition(tenant, model, AT)
        == "acme/traffic/churn/labels/date=2026-03-01"
    )
