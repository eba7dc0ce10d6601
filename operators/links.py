"""Buttons on a task's page: the version in MLflow, and the gate's report.

A worker asks for every link in every state of a task, in the process that ran it. So a link
answers with what that task published, and with empty text where that is nothing: reading it back
from XCom would log an error for each link without a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink

from model_lifecycle.registry.rules.tenancy import ModelId, TenantId, registered_name

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context
    from airflow.sdk.types import TaskInstanceKey

    from .hook import ModelRegistryHook

#: Attribute of a running task that holds the addresses it published.
_PUBLISHED = "_published_links"


class _PublishedLink(BaseOperatorLink):
    key: ClassVar[str]

    @classmethod
    def keep(cls, context: Context, address: str) -> None:
        """Publish ``address``: for the button, and as an XCom for other tasks."""
        published = vars(context["task"]).setdefault(_PUBLISHED, {})
        published[cls.key] = address
        context["ti"].xcom_push(key=cls.key, value=address)

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        published = vars(operator).get(_PUBLISHED, {})
        return str(published.get(self.key, ""))


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
            cls.keep(context, address)


class GateReportLink(_PublishedLink):
    """The gate's report, where people reach the artifact root over HTTP."""

    name = "Gate report"
    key = "gate_report_url"

    @classmethod
    def publish(cls, context: Context, hook: ModelRegistryHook, page: str | None) -> None:
        """``page`` is the report's path under the artifact root."""
        address = cls.address(hook, page)
        if address:
            cls.keep(context, address)

    @classmethod
    def address(cls, hook: ModelRegistryHook, page: str | None) -> str | None:
        """Where people open the page; None if they cannot over HTTP."""
        site = hook.connection().artifact_site
        return f"{site}/{quote(page)}" if site and page else None
