"""The request of a registration, as it was passed: the registration checks it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...domain.authorization import Principal
from ...domain.models import ModelType


@dataclass(frozen=True, kw_only=True)
class VersionDescription:
    """The description of a version that a caller states, beside its files."""

    model_type: str = ModelType.CLASSIFICATION.value
    description: str = ""
    metrics: Mapping[str, Any] | None = None
    parameters: Mapping[str, Any] | None = None
    tags: Mapping[str, Any] | None = None
    dataset: Mapping[str, Any] | None = None
    outputs: Mapping[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class RegistrationRequest(VersionDescription):
    """Arguments of ``ModelRegistry.register_model``, unchecked. ``model`` is a fitted object, the
    address of a source, or the Path of an MLflow model folder. The command whose fingerprint
    identifies the request is made from it once it is checked."""

    tenant_id: str
    model_id: str
    model: Any
    framework: str | None
    created_by: Principal | str
    operation_id: str | None
    input_example: Any = None
    training_log: str | None = None
    run_id: str | None = None
