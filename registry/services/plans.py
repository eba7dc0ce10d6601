"""What a registration was asked for, as plain JSON: enough for somebody else to finish it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..rules.canonical import canonical_json
from ..rules.errors import InvalidInput
from ..rules.inputs import finite_metrics, text, text_map
from ..rules.metadata import ONNX_PARITY, ModelType

MAX_DOCUMENT = 1024 * 1024


@dataclass(frozen=True)
class VersionPlan:
    """The version to be. ``metrics`` and ``parameters`` may still be empty for a source, whose
    run then gives them; ``framework`` too, which its ``MLmodel`` then gives."""

    framework: str
    model_type: str
    description: str
    metrics: dict[str, float]
    parameters: dict[str, str]
    tags: dict[str, str]
    dataset: dict[str, Any]
    created_by: str
    created_at: str
    source: str | None = None

    def document(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> VersionPlan:
        return cls(**document)

    def completed(
        self,
        *,
        framework: str,
        metrics: Mapping[str, float],
        parameters: Mapping[str, str],
        dataset: Mapping[str, Any],
    ) -> VersionPlan:
        """The plan with what it left open."""
        return replace(
            self,
            framework=self.framework or framework,
            metrics=self.metrics or finite_metrics(metrics),
            parameters=self.parameters or dict(parameters),
            dataset=self.dataset or dict(dataset),
        )


def version_plan(
    *,
    framework: str,
    model_type: str,
    description: str,
    metrics: Mapping[str, Any] | None,
    parameters: Mapping[str, Any] | None,
    tags: Mapping[str, Any] | None,
    dataset: Mapping[str, Any] | None,
    created_by: str,
    created_at: str,
    source: str | None = None,
) -> VersionPlan:
    """A checked plan. Raises :class:`InvalidInput`, naming the field, before anything is done."""
    if model_type not in tuple(ModelType):
        raise InvalidInput(
            f"model_type {model_type!r:.80} is not valid: use one of {', '.join(ModelType)}",
            field="model_type",
        )
    if dataset is not None and not isinstance(dataset, Mapping):
        raise InvalidInput("dataset must be an object of plain JSON", field="dataset")
    if ONNX_PARITY in (tags or {}):
        raise InvalidInput(f"the tag {ONNX_PARITY!r} is set by the registry alone", field="tags")
    plan = VersionPlan(
        framework=framework,
        model_type=str(model_type),
        description=text(description, field="description"),
        metrics=finite_metrics(metrics or {}),
        parameters=text_map(parameters or {}, field="parameters"),
        tags=text_map(tags or {}, field="tags"),
        dataset=dict(dataset or {}),
        created_by=created_by,
        created_at=created_at,
        source=source,
    )
    size = len(canonical_json(plan.document(), field="dataset"))
    if size > MAX_DOCUMENT:
        raise InvalidInput(
            f"metrics, parameters, tags and dataset take {size} bytes together; "
            f"at most {MAX_DOCUMENT} are kept",
            field="metrics",
        )
    return plan
