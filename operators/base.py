"""Base of the lifecycle operators: names of the model, the hook, one way to call the core."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.sdk import BaseOperator

from .hooks.model_registry import ModelRegistryHook
from .runtime.errors import airflow_errors
from .runtime.retry_policy import RETRY_POLICY

if TYPE_CHECKING:
    from airflow.sdk import Context

    from model_lifecycle.registry.domain.authorization import Principal
    from model_lifecycle.registry.model_registry import ModelRegistry

T = TypeVar("T")


class LifecycleOperator(BaseOperator):
    """Base of the operators. They hold no rules: they ask the core, and say what it answered.

    :param tenant_id: whose model it is.
    :param model_id: the model's name within the tenant.
    :param model_registry_conn_id: connection of type ``model_registry``.
    """

    template_fields: Sequence[str] = ("tenant_id", "model_id", "model_registry_conn_id")
    ui_color = "#dbe9e4"

    def __init__(
        self,
        *,
        tenant_id: str,
        model_id: str,
        model_registry_conn_id: str = ModelRegistryHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.retry_policy = self.retry_policy or RETRY_POLICY
        self.tenant_id = tenant_id
        self.model_id = model_id
        self.model_registry_conn_id = model_registry_conn_id

    @cached_property
    def hook(self) -> ModelRegistryHook:
        return ModelRegistryHook(self.model_registry_conn_id)

    def actor(self, context: Context) -> Principal:
        """The acting principal: this DAG and run, with the roles of the connection."""
        with airflow_errors():
            return self.hook.principal(context)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """The task's inputs and outputs for OpenLineage; None without it. Never raises."""
        from .runtime.openlineage import facets

        return facets(self)

    def call_registry(self, work: Callable[[ModelRegistry], Awaitable[T]]) -> T:
        """Call ``work`` with the registry open and return its result, with Airflow's errors."""
        with airflow_errors():
            return self.hook.call_registry(work)
