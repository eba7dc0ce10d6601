"""A sensor that waits until a model has a version in a stage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from model_lifecycle.registry.domain.stages import Stage

from ..runtime.template_values import optional_version
from .base import ModelSensor

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ..triggers.model import ModelStageTrigger


class ModelStageSensor(ModelSensor):
    """Waits until a version of the model is in ``stage``; returns ``version`` and ``stage``.

    :param stage: the stage to wait for.
    :param version: the version to wait for; none or empty: any.
    """

    template_fields: Sequence[str] = (*ModelSensor.template_fields, "stage", "version")

    def __init__(
        self,
        *,
        stage: str = Stage.PRODUCTION.value,
        version: int | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.stage = stage
        self.version = version

    def trigger(self, context: Context, **names: Any) -> ModelStageTrigger:
        from ..triggers.model import ModelStageTrigger

        return ModelStageTrigger(version=optional_version(self.version), stage=self.stage, **names)

    def subject(self) -> str:
        version = f"version {self.version}" if self.version else "version"
        return f"{version} of {self.model_id} in {self.stage}"
