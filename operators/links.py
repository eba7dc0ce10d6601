"""Buttons on a task's page: the version in MLflow, and the gate's report.

A worker asks for every link in every state of a task, in the process that ran it. So a link
answers with what that task published, and with empty text where that is nothing: reading it back
from XCom would log an error for each link without a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink, conf

from model_lifecycle.registry.domain.identifiers import ModelId, TenantId, registered_name

from .runtime.api_mount import URL_PREFIX

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context
    from airflow.sdk.types import TaskInstanceKey

    from .hooks.model_registry import ModelRegistryHook

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
    """The gate's report in the API that Airflow serves, behind Airflow's login."""

    name = "Gate report"
    key = "gate_report_url"

    @classmethod
    def publish(
        cls,
        context: Context,
        hook: ModelRegistryHook,
        page: str | None,
        report: Mapping[str, Any] | None = None,
    ) -> None:
        """Link a report; see :meth:`address`."""
        address = cls.address(hook, page, report)
        if address:
            cls.keep(context, address)

    @classmethod
    def address(
        cls,
        hook: ModelRegistryHook,
        page: str | None,
        report: Mapping[str, Any] | None = None,
    ) -> str | None:
        """URL of a report's page; None if there is none.

        ``page`` is its path under the artifact root, ``report`` has ``model_id``, ``version`` and
        ``evidence_id``. The connection's ``artifact_ui_url``, where it is set, comes first.
        """
        if not page:
            return None
        site = hook.connection().artifact_site
        if site:
            return f"{site}/{quote(page)}"
        return None if report is None else report_address(report)


def report_address(report: Mapping[str, Any]) -> str:
    """The API's page of a report: absolute where Airflow's ``[api] base_url`` is known here, else
    from the root of its server."""
    model, version, evidence = (
        quote(str(report[name]), safe="") for name in ("model_id", "version", "evidence_id")
    )
    base = (conf.get("api", "base_url", fallback="") or "").rstrip("/")
    path = f"/api/v1/models/{model}/versions/{version}/evidence/{evidence}/report"
    return f"{base}{URL_PREFIX}{path}"
