"""The sweep of the outbox as a task, and a DAG of it, for registries without an API process."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, BaseOperator

from model_lifecycle.registry.domain.authorization import Action, require

from .hooks.model_registry import ModelRegistryHook
from .runtime.errors import airflow_errors
from .runtime.retry_policy import RETRY_POLICY

if TYPE_CHECKING:
    from airflow.sdk import Context

    from model_lifecycle.registry.domain.models import OutboxStatus
    from model_lifecycle.registry.model_registry import ModelRegistry


class SweepOutboxOperator(BaseOperator):
    """Shows in MLflow what killed, cancelled or cut off writers of all tenants left in the outbox.

    The API's process does the same every second; one that runs at the same time is no problem.
    Returns ``finished``, the number of changes that were finished, ``pending``, the number that
    stay for a later sweep, and ``oldest_seconds``, the age of the oldest of these.

    :param model_registry_conn_id: connection of type ``model_registry``.
    """

    template_fields: Sequence[str] = ("model_registry_conn_id",)
    ui_color = "#dbe9e4"

    def __init__(
        self,
        *,
        model_registry_conn_id: str = ModelRegistryHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.retry_policy = self.retry_policy or RETRY_POLICY
        self.model_registry_conn_id = model_registry_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        async def work(registry: ModelRegistry) -> tuple[int, OutboxStatus]:
            return await registry.sweep_outbox(), await registry.outbox_status()

        with airflow_errors():
            hook = ModelRegistryHook(self.model_registry_conn_id)
            require(hook.principal(context), Action.RECONCILE)
            finished, status = hook.call_registry(work)
        self.log.info("%d changes finished, %d pending", finished, status.pending)
        return {"finished": finished, **status.document()}


def sweep_outbox_dag(
    *,
    dag_id: str,
    schedule: Any = timedelta(minutes=1),
    model_registry_conn_id: str = ModelRegistryHook.default_conn_name,
    **dag_kwargs: Any,
) -> DAG:
    """A DAG that sweeps the outbox of all tenants, one run at a time."""
    settings = {"catchup": False, "max_active_runs": 1, "doc_md": _DOC, **dag_kwargs}
    settings["tags"] = ["model-lifecycle", "outbox", *settings.get("tags", ())]
    with DAG(dag_id=dag_id, schedule=schedule, **settings) as dag:
        SweepOutboxOperator(task_id="sweep_outbox", model_registry_conn_id=model_registry_conn_id)
    return dag


_DOC = """
Shows in MLflow the changes whose writer was killed, cancelled or cut off from MLflow. A registry
with an API process does not need it: that sweeps every second.
"""
