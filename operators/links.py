"""Buttons on a task's page: the version in MLflow, and the gate's report.

A worker asks for every link in every state of a task, so a link reads what the task published
and answers with empty text where there is nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, cast
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink

from model_lifecycle.registry.rules.tenancy import ModelId, TenantId, registered_name

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context
    from airflow.sdk.types import TaskInstanceKey

    from .hook import ModelRegistryHook


class _PublishedLink(BaseOperatorLink):
    key: ClassVar[str]

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        from airflow.sdk.bases.xcom import BaseXCom

        address = BaseXCom.get_value(ti_key=cast("Any", ti_key), key=self.key)
        return address if isinstance(address, str) else ""


class ModelVersionLink(_PublishedLink):
    """The version's page in MLflow, where MLflow has pages: not for embedded tracking."""

    name = "Model version in MLflow"
    key = "model_version_url"

    @classmethod
    def publish(
        cls,
        context: Context,
        hook: ModelRegistryHook,
        tenant_id: str,
        model_id: str,
        result: Mapping[str, Any],
    ) -> None:
        site = hook.connection().tracking_site
        if site:
            name = quote(registered_name(TenantId(tenant_id), ModelId(model_id)), safe="")
            address = f"{site}/#/models/{name}/versions/{result['version']}"
            context["ti"].xcom_push(key=cls.key, value=address)


class GateReportLink(_PublishedLink):
    """The gate's report, where people reach the artifact root over HTTP."""

    name = "Gate report"
    key = "gate_report_url"

    @classmethod
    def publish(cls, context: Context, hook: ModelRegistryHook, page: str | None) -> None:
        """``page`` is the report's path under the artifact root."""
        site = hook.connection().artifact_site
        if site and page:
            context["ti"].xcom_push(key=cls.key, value=f"{site}/{quote(page)}")
