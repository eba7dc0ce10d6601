"""Answers, described for readers and for tests of the contract. Routes write them directly.

The fields are those of the core's dataclasses; a class declares here only what an answer has more,
or as another type.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from pydantic import AwareDatetime, BaseModel, Field

from model_lifecycle.registry import ExperimentRecord, RunRecord
from model_lifecycle.registry.domain import models
from model_lifecycle.registry.domain.evidence import Evidence
from model_lifecycle.registry.domain.models import LedgerEntry, ModelMetadata, VersionMetadata
from model_lifecycle.registry.domain.stages import Gate, Stage

from .dataclass_model import model_of
from .fields import example

T = TypeVar("T")


class Page(BaseModel, Generic[T]):
    """``next`` is the token to continue with; null on the last page."""

    items: list[T]
    next: str | None


@model_of(ModelMetadata, without=("receipt",))
class Model(BaseModel):
    """A model; stage, metrics and so on are those of its current version: the one in production,
    else the newest in staging, else the newest. ``epoch`` grows with every change."""

    model_config = example(
        model_id="churn",
        tenant_id="acme",
        name="churn",
        description="Customers who leave within 30 days",
        model_type="classification",
        framework="sklearn",
        current_version="2",
        versions=["1", "2", "3"],
        stage="production",
        metrics={"auc": 0.91},
        parameters={"C": "1.0"},
        tags={"team": "growth"},
        created_at="2026-03-01T12:00:00+00:00",
        updated_at="2026-03-08T12:00:00+00:00",
        created_by="key:nightly (0123456789abcdef)",
        artifact_uri="s3://models/acme/models/churn/2",
        production_version=2,
        epoch=7,
    )

    current_version: str
    versions: list[str]


class ChangedModel(Model):
    """The model as the write left it. With ``replayed``, an earlier request with the same
    idempotency key did the work: the model is as that one left it, and ``current`` is the model
    now, null where all of its versions were deleted since. Without, ``current`` is null."""

    replayed: bool
    current: Model | None


@model_of(VersionMetadata)
class Version(BaseModel):
    """One version and where its files are."""


class Missing(BaseModel):
    """One thing that stands between a version and a stage."""

    code: str
    gate: Gate | None
    message: str


@model_of(models.Readiness)
class Readiness(BaseModel):
    """Whether a version may go to a stage now."""

    ready: bool
    missing: list[Missing]
    warnings: list[str]


@model_of(Evidence)
class EvidenceItem(BaseModel):
    """A gate's recorded verdict."""

    tenant_id: str
    model_id: str
    version: int
    recorded_at: AwareDatetime
    recorded_by: str
    report_url: str | None = Field(
        description="Where this API serves the report; null for evidence without one."
    )


class Move(BaseModel):
    """One version's step within an entry."""

    version: int
    source: Stage | None = Field(alias="from")
    target: Stage = Field(alias="to")


@model_of(LedgerEntry)
class Entry(BaseModel):
    """One committed change: who, when, what, why, on what evidence."""

    moves: list[Move]


class Erasure(BaseModel):
    """The ledger entry of an erasure; ``replayed`` if an earlier request did the work."""

    entry: Entry
    replayed: bool


class Production(BaseModel):
    """The production version at a timestamp; null if there was none."""

    model_id: str
    at: AwareDatetime
    version: int | None


class Policy(BaseModel):
    """The promotion policy and the fingerprint that evidence has to name."""

    policy: dict[str, Any]
    fingerprint: str


@model_of(ExperimentRecord)
class Experiment(BaseModel):
    """The MLflow experiment with the runs of one model."""


@model_of(RunRecord)
class Run(BaseModel):
    """One training run; a metric that is no finite number is null."""

    metrics: dict[str, float | None]


class ComparedRun(BaseModel):
    """One run beside others; a metric that it has not is null."""

    run_id: str
    experiment_id: str
    name: str
    status: str
    started_at: AwareDatetime | None
    metrics: dict[str, float | None]
    parameters: dict[str, str]


class Comparison(BaseModel):
    """The runs in the order of the query."""

    items: list[ComparedRun]


class Alive(BaseModel):
    """The process answers."""

    status: str


class Part(BaseModel):
    """One store behind the API."""

    ready: bool
    problem: str | None


@model_of(models.OutboxStatus)
class Outbox(BaseModel):
    """The changes of all tenants that MLflow may not show yet."""


class Ready(BaseModel):
    """Each store by name. ``outbox`` is null while the ledger does not answer."""

    ready: bool
    parts: dict[str, Part]
    warnings: list[str]
    outbox: Outbox | None


class FieldProblem(BaseModel):
    field: str
    detail: str


class Problem(BaseModel):
    """RFC 9457. ``code`` is stable; further members are the error's own fields."""

    model_config = {
        "extra": "allow",
        **example(
            type="urn:model-lifecycle:problem:model_not_found",
            title="Not Found",
            status=404,
            detail="model 'churn' not found",
            code="model_not_found",
            request_id="3f0c9a52",
        ),
    }

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    field: str | None = None
    errors: list[FieldProblem] | None = None
