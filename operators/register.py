"""Registering as a task: a logged model becomes a version, in development."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from model_lifecycle.registry.domain.stages import Stage

from .base import LifecycleOperator
from .links import ModelVersionLink
from .runtime.assets import announce, event_extra, stage_outlets
from .runtime.openlineage import record, version_dataset
from .runtime.task_identity import operation_id

if TYPE_CHECKING:
    from airflow.sdk import Context

    from model_lifecycle.registry.model_registry import ModelRegistry


class RegisterModelOperator(LifecycleOperator):
    """Registers ``source`` as a new version, with its bundle, and returns what it is.

    Returns ``version``, ``stage``, ``framework``, ``model_type``, ``metrics``, ``artifact_uri``,
    ``bundle_digest``, ``run_id`` and ``created``, which is false if an earlier try of this task
    had registered it. Updates the assets of development: see
    :mod:`model_lifecycle.operators.runtime.assets`.

    :param source: ``models:/m-…`` or ``runs:/<run>/<path>`` of the same tenant.
    :param framework: what the model was made with; none: what the source says.
    :param model_type: classification, regression or clustering.
    :param description: of the model, for people.
    :param metrics: of the version; none: those of the run that made the source.
    :param parameters: of the version; none: those of the run that made the source.
    :param tags: of the version.
    :param outputs: names of the outputs of a network or an ONNX model with several, such as
        ``{"score": "probabilities", "prediction": "label"}``.
    """

    template_fields: Sequence[str] = (
        *LifecycleOperator.template_fields,
        "source",
        "framework",
        "model_type",
        "description",
        "metrics",
        "parameters",
        "tags",
        "outputs",
    )
    operator_extra_links = (ModelVersionLink(),)

    def __init__(
        self,
        *,
        tenant_id: str,
        model_id: str,
        source: str,
        framework: str | None = None,
        model_type: str = "classification",
        description: str = "",
        metrics: Mapping[str, float] | None = None,
        parameters: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        outputs: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs["outlets"] = [
            *(kwargs.get("outlets") or ()),
            *stage_outlets(tenant_id, model_id, Stage.DEVELOPMENT),
        ]
        super().__init__(tenant_id=tenant_id, model_id=model_id, **kwargs)
        self.source = source
        self.framework = framework
        self.model_type = model_type
        self.description = description
        self.metrics = metrics
        self.parameters = parameters
        self.tags = tags
        self.outputs = outputs

    def execute(self, context: Context) -> dict[str, Any]:
        operation, actor = operation_id(context), self.actor(context)

        async def work(registry: ModelRegistry) -> tuple[dict[str, Any], dict[str, Any]]:
            metadata = await registry.register_model(
                self.tenant_id,
                self.model_id,
                self.source,
                self.framework,
                self.metrics or None,
                self.parameters or None,
                self.tags,
                model_type=self.model_type,
                description=self.description,
                outputs=self.outputs or None,
                created_by=actor,
                operation_id=operation,
            )
            receipt = metadata.receipt
            assert receipt is not None, "a write returns its receipt"
            entry = receipt.entry
            version = await registry.get_version(
                self.tenant_id, self.model_id, entry.moves[0].version
            )
            if version is None:
                raise AirflowFailException(
                    f"{self.model_id} version {entry.moves[0].version}, which this task "
                    "registered, was deleted since"
                )
            known = version.document()
            fields = ("version", "stage", "framework", "metrics", "artifact_uri", "bundle_digest")
            outcome = {
                "tenant_id": self.tenant_id,
                "model_id": self.model_id,
                **{name: known[name] for name in fields},
                "model_type": metadata.model_type,
                "run_id": version.run_id,
                "created": not receipt.replayed,
                "replayed": receipt.replayed,
            }
            return outcome, event_extra(entry, version, Stage.DEVELOPMENT)

        result, event = self.call_registry(work)
        self.log.info(
            "%s version %s %s: %s",
            self.model_id,
            result["version"],
            "registered" if result["created"] else "was registered by an earlier try",
            result["artifact_uri"],
        )
        ModelVersionLink.publish(context, self.hook, self.tenant_id, self.model_id, result)
        announce(context, event)
        record(
            self,
            inputs=[("mlflow", self.source)],
            outputs=[version_dataset(self.tenant_id, self.model_id, result["version"])],
        )
        return result
