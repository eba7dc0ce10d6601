"""Training as a task: the user's function, and its outcome logged in MLflow."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from model_lifecycle.registry.domain.errors import OperationConflict
from model_lifecycle.registry.domain.models import TrainedModel

from .base import LifecycleOperator
from .runtime.errors import airflow_errors
from .runtime.task_identity import operation_id

if TYPE_CHECKING:
    from airflow.sdk import Context

    from model_lifecycle.registry.model_registry import ModelRegistry


class TrainModelOperator(LifecycleOperator):
    """Calls ``train`` and logs what it returns: run, metrics, parameters and the model itself.

    The model crosses to the next task through MLflow, not through XCom. Returns ``run_id``,
    ``model_uri`` (``models:/m-…``), ``framework``, ``model_type`` and ``metrics``: always of the
    model that this try trained. A retry whose training gives the same result finds the model that
    the earlier try logged; another result is logged beside it. A cleared task logs a new model.

    :param train: function of the keyword arguments ``op_kwargs`` that returns a
        :class:`~model_lifecycle.registry.domain.models.TrainedModel`.
    :param op_kwargs: its arguments; templates in them are rendered.
    """

    template_fields: Sequence[str] = (*LifecycleOperator.template_fields, "op_kwargs")
    template_fields_renderers = {"op_kwargs": "json"}  # noqa: RUF012 - Airflow's own declaration

    def __init__(
        self,
        *,
        train: Callable[..., TrainedModel],
        op_kwargs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.train = train
        self.op_kwargs = op_kwargs

    def execute(self, context: Context) -> dict[str, Any]:
        started = time.monotonic()
        with airflow_errors():
            trained = self.train(**(self.op_kwargs or {}))
        if not isinstance(trained, TrainedModel):
            raise AirflowFailException(
                f"{getattr(self.train, '__qualname__', self.train)} returned "
                f"{type(trained).__name__}; a training function returns a TrainedModel"
            )
        self.log.info(
            "Trained a %s model in %.1f s: %s",
            trained.framework,
            time.monotonic() - started,
            ", ".join(f"{name} {value:.4g}" for name, value in trained.metrics.items()),
        )
        operation, actor = operation_id(context), self.actor(context)
        # Training is not repeatable to the bit. Nobody has read the result of a try that failed,
        # so the result of this one is as good, and needs an operation of its own.
        own_operation = operation_id(context, f"try-{context['ti'].try_number}")

        async def work(registry: ModelRegistry) -> dict[str, Any]:
            names = (self.tenant_id, self.model_id, trained)
            try:
                logged = await registry.log_model(*names, created_by=actor, operation_id=operation)
            except OperationConflict:
                self.log.warning("An earlier try logged another result; this one replaces it")
                logged = await registry.log_model(
                    *names, created_by=actor, operation_id=own_operation
                )
            return logged.document()

        document = self.call_registry(work)
        self.log.info("Logged as %s, run %s", document["model_uri"], document["run_id"])
        return document
