"""Reconciliation as a task, and a DAG of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from model_lifecycle.registry.domain.authorization import Action, require

from .hooks.model_registry import ModelRegistryHook
from .runtime.errors import airflow_errors
from .runtime.retry_policy import RETRY_POLICY

if TYPE_CHECKING:
    from airflow.sdk import Context

    from model_lifecycle.registry.domain.models import Finding

#: Findings that are returned; all of them are in the log.
_MOST = 100


class ReconcileOperator(BaseOperator):
    """Compares MLflow with the ledger, adopts versions it did not know, and heals what differs.

    Returns ``healed`` and ``damaged`` (numbers), ``findings``, the first hundred, and ``omitted``,
    the number of findings beyond these; the task's log has all of them. Fails after healing what it
    could if something is left that a person has to look at.

    :param tenant_id: whose models; none or empty: those of all tenants.
    :param accept_restored_ledger: ``True`` goes on with a ledger that was restored from a backup
        older than what was anchored of it; without, such models are findings and stay as they are.
        Role admin. For one run, not for a schedule.
    :param model_registry_conn_id: connection of type ``model_registry``.
    """

    template_fields: Sequence[str] = ("tenant_id", "model_registry_conn_id")
    ui_color = "#dbe9e4"

    def __init__(
        self,
        *,
        tenant_id: str | None = None,
        accept_restored_ledger: bool = False,
        model_registry_conn_id: str = ModelRegistryHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.retry_policy = self.retry_policy or RETRY_POLICY
        self.tenant_id = tenant_id
        self.accept_restored_ledger = accept_restored_ledger
        self.model_registry_conn_id = model_registry_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        with airflow_errors():
            hook = ModelRegistryHook(self.model_registry_conn_id)
            principal = hook.principal(context)
            require(principal, Action.RECONCILE)
            accepted_by = principal if self.accept_restored_ledger else None
            findings: list[Finding] = hook.call_registry(
                lambda registry: registry.reconcile(
                    self.tenant_id or None, accept_restored_ledger_as=accepted_by
                )
            )
        for item in findings:
            self.log.info("%s/%s: %s: %s", item.tenant_id, item.model_id, item.code, item.message)
        damaged = [item for item in findings if not item.healed]
        self.log.info("%d healed, %d left", len(findings) - len(damaged), len(damaged))
        outcome = {
            "healed": len(findings) - len(damaged),
            "damaged": len(damaged),
            "findings": [item.document() for item in findings[:_MOST]],
            "omitted": max(0, len(findings) - _MOST),
        }
        if damaged:
            context["ti"].xcom_push(key="left", value=outcome)
            raise AirflowFailException(
                f"a person has to look at {len(damaged)} findings, first: {damaged[0].message}"
            )
        return outcome


def reconcile_dag(
    *,
    dag_id: str,
    tenant_id: str | None = None,
    schedule: Any = "@hourly",
    model_registry_conn_id: str = ModelRegistryHook.default_conn_name,
    **dag_kwargs: Any,
) -> DAG:
    """A DAG that reconciles a tenant's models, or those of all, one run at a time."""
    settings = {"catchup": False, "max_active_runs": 1, "doc_md": _DOC, **dag_kwargs}
    settings["tags"] = ["model-lifecycle", "reconcile", *settings.get("tags", ())]
    with DAG(dag_id=dag_id, schedule=schedule, **settings) as dag:
        ReconcileOperator(
            task_id="reconcile",
            tenant_id=tenant_id,
            model_registry_conn_id=model_registry_conn_id,
        )
    return dag


_DOC = """
Compares MLflow with the ledger. Versions that somebody registered in MLflow directly are adopted,
in development; aliases and tags that somebody moved are put right; what was interrupted is
finished. The task fails only if something is left that a person has to look at.
"""
