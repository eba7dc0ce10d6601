"""Response models have the fields of the core's dataclasses, and answers validate against them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from model_lifecycle.api.schemas import responses
from model_lifecycle.api.schemas.dataclass_model import model_of
from model_lifecycle.registry.domain.evidence import Evidence
from model_lifecycle.registry.domain.models import (
    LedgerEntry,
    ModelMetadata,
    Readiness,
    VersionMetadata,
)
from model_lifecycle.registry.mlflow_adapter.records import ExperimentRecord, RunRecord


@pytest.mark.parametrize(
    ("model", "source", "added"),
    [
        (responses.Model, ModelMetadata, set()),
        (responses.Version, VersionMetadata, set()),
        (responses.Entry, LedgerEntry, set()),
        (responses.Readiness, Readiness, {"ready"}),
        (responses.EvidenceItem, Evidence, {"report_url"}),
        (responses.Experiment, ExperimentRecord, set()),
        (responses.Run, RunRecord, set()),
    ],
)
def test_an_answer_has_every_field_of_the_core(
    model: type[BaseModel], source: type[Any], added: set[str]
) -> None:
    """None is left out, none is optional, and only what HTTP adds is declared apart."""
    names = {item.name for item in fields(source)} - {"receipt"}

    assert set(model.model_fields) == names | added
    assert all(field.is_required() for field in model.model_fields.values())


@dataclass
class _Source:
    at: datetime
    ended: datetime | None
    count: int = 0


@model_of(_Source)
class _Answer(BaseModel):
    """An answer."""

    count: str
    link: str


def test_a_field_of_the_class_goes_before_that_of_the_dataclass() -> None:
    """It keeps its place; what the class adds comes last."""
    assert list(_Answer.model_fields) == ["at", "ended", "count", "link"]
    assert _Answer.__doc__ == "An answer."
    answer = {"at": "2026-03-01T12:00:00Z", "ended": None, "count": "1", "link": "/x"}
    assert _Answer.model_validate(answer).model_dump()["count"] == "1"


@pytest.mark.parametrize("field", ["at", "ended"])
def test_timestamps_of_answers_have_a_time_zone(field: str) -> None:
    """One without would mean another time on every machine."""
    answer = {"at": "2026-03-01T12:00:00Z", "ended": None, "count": "1", "link": "/x"}

    with pytest.raises(ValidationError, match="timezone"):
        _Answer.model_validate({**answer, field: "2026-03-01T12:00:00"})
