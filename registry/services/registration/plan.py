"""A registration request as plain JSON: enough for another process to finish it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from ...domain.canonical_json import canonical_json
from ...domain.errors import InvalidInput
from ...domain.model_outputs import model_outputs
from ...domain.models import ModelType, TrainedModel
from ...domain.plain_values import plain_value
from ...domain.reserved_tags import refuse_reserved
from ...domain.validation import finite_metrics, stored_metrics, text_map, validate_text
from .registration_request import VersionDescription

MAX_DOCUMENT = 1024 * 1024


@dataclass(frozen=True)
class RegistrationPlan:
    """The version to be. ``metrics`` and ``parameters`` may still be empty for a source, whose
    run then gives them; ``framework`` too, which its ``MLmodel`` then gives. ``omitted_metrics``
    are those of the run that are no finite number, as text; ``outputs`` names the outputs of a
    model with several."""

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
    omitted_metrics: dict[str, str] = field(default_factory=dict)
    #: The run that the registration began, and what the version is made of: recorded as soon as
    #: they are known, for an interrupted registration is finished from these alone.
    run_id: str | None = None
    origin: dict[str, str] | None = None
    outputs: dict[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        return asdict(self)

    def arguments(self) -> dict[str, Any]:
        """The arguments of the caller: the document without what the registry added to it."""
        document = self.document()
        for key in ("created_at", "omitted_metrics", "run_id", "origin"):
            del document[key]
        if not self.outputs:
            # So that a request from before there were outputs is still the same request.
            del document["outputs"]
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> RegistrationPlan:
        return cls(**document)

    def completed(
        self,
        *,
        framework: str,
        metrics: Mapping[str, float],
        parameters: Mapping[str, str],
        dataset: Mapping[str, Any],
    ) -> RegistrationPlan:
        """The plan with what it left open. Metrics of the run that are no finite number are left
        out, and named in ``omitted_metrics``."""
        finite, omitted = stored_metrics({} if self.metrics else metrics)
        return replace(
            self,
            framework=self.framework or framework,
            metrics=self.metrics or finite,
            omitted_metrics=omitted,
            parameters=self.parameters or dict(parameters),
            dataset=self.dataset or dict(dataset),
        )


def version_plan(
    stated: VersionDescription | TrainedModel,
    *,
    framework: str,
    created_by: str,
    created_at: str,
    source: str | None = None,
) -> RegistrationPlan:
    """A checked plan. Raises :class:`InvalidInput`, naming the field, before anything is done."""
    model_type, dataset = stated.model_type, stated.dataset
    if model_type not in tuple(ModelType):
        raise InvalidInput(
            f"model_type {model_type!r:.80} is not valid: use one of {', '.join(ModelType)}",
            field="model_type",
        )
    if dataset is not None and not isinstance(dataset, Mapping):
        raise InvalidInput("dataset must be an object of plain JSON", field="dataset")
    own = text_map(stated.tags or {}, field="tags")
    refuse_reserved(own)
    plan = RegistrationPlan(
        framework=framework,
        model_type=str(model_type),
        description=validate_text(stated.description, field="description"),
        metrics=finite_metrics(stated.metrics or {}),
        parameters=text_map(stated.parameters or {}, field="parameters"),
        tags=own,
        dataset=_dataset(dataset or {}),
        created_by=created_by,
        created_at=created_at,
        source=source,
        outputs=model_outputs(stated.outputs).document(),
    )
    size = len(canonical_json(plan.document(), field="dataset"))
    if size > MAX_DOCUMENT:
        raise InvalidInput(
            f"metrics, parameters, tags and dataset take {size} bytes together; "
            f"at most {MAX_DOCUMENT} are kept",
            field="metrics",
        )
    return plan


def _dataset(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """The data set as plain values. Raises :class:`InvalidInput` for a start or an end that is no
    date: the gates compare them with the window they judge, and would find nothing to compare."""
    document: dict[str, Any] = plain_value(dataset)
    for key in ("start", "end"):
        value = document.get(key)
        if value in (None, ""):
            continue
        try:
            datetime.fromisoformat(value)
        except (TypeError, ValueError):
            raise InvalidInput(
                f"dataset.{key} must be an ISO date or timestamp, such as 2024-03-01 or "
                f"2024-03-01T10:00:00+00:00, or a date of Python, not {value!r:.80}",
                field=f"dataset.{key}",
            ) from None
    return document
