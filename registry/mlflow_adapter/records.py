"""MLflow's objects as frozen, plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class ExperimentRecord:
    """One experiment of a tenant; ``model_id`` is the part of its name that names the model."""

    experiment_id: str
    name: str
    model_id: str
    artifact_location: str
    created_at: datetime | None


@dataclass(frozen=True)
class RunRecord:
    """One run; ``metrics`` holds the last value of each metric."""

    run_id: str
    experiment_id: str
    name: str
    status: str
    started_at: datetime | None
    ended_at: datetime | None
    metrics: Mapping[str, float]
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    artifact_uri: str


@dataclass(frozen=True)
class MetricPoint:
    """One logged value of a metric."""

    step: int
    value: float
    at: datetime


@dataclass(frozen=True)
class LoggedModelRecord:
    """One LoggedModel; ``artifact_uri`` is the folder that holds its ``MLmodel``."""

    model_id: str
    name: str
    experiment_id: str
    run_id: str | None
    artifact_uri: str
    status: str
    tags: Mapping[str, str]
    parameters: Mapping[str, str]


@dataclass(frozen=True)
class ModelVersionRecord:
    """One model version as MLflow knows it. It has no stage: the ledger has. ``aliases`` are those
    that point to it; a search does not show them, so a record of a search may have none."""

    name: str
    version: int
    source: str
    run_id: str | None
    logged_model_id: str | None
    tags: Mapping[str, str]
    created_at: datetime | None
    status: str
    aliases: frozenset[str] = frozenset()


@dataclass(frozen=True)
class RegisteredModelRecord:
    """One registered model; ``aliases`` maps each alias to its version."""

    name: str
    aliases: Mapping[str, int]
    tags: Mapping[str, str]
