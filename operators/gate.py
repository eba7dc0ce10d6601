"""What the gate operators share: a report in, plain JSON and one sentence out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from .base import LifecycleOperator
from .links import GateReportLink

if TYPE_CHECKING:
    from airflow.sdk import Context

    from model_lifecycle.gates.report import GateReport
    from model_lifecycle.registry.model_registry import ModelRegistry

#: What the next task may want to know; how to reproduce the verdict is in the report itself.
_TOLD = (
    "gate",
    "verdict",
    "sentence",
    "tenant_id",
    "model_id",
    "version",
    "baseline",
    "policy_fingerprint",
    "metrics",
    "counts",
    "checks",
    "attempts",
    "evidence_id",
    "report_uri",
)


class GateOperator(LifecycleOperator):
    """Base of the operators that judge a version.

    The task succeeds whatever the verdict: it is evidence, and the promotion asks the core
    whether it is enough. Returns the main part of the report.

    :param version: the version to judge; text from a template will do.
    :param fail_on: verdicts that shall fail the task all the same, for example ``("INVALID",)``.
    """

    template_fields: Sequence[str] = (*LifecycleOperator.template_fields, "version")
    operator_extra_links = (GateReportLink(),)

    def __init__(self, *, version: int | str, fail_on: Collection[str] = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.version = version
        self.fail_on = fail_on

    def tell(self, context: Context, report: dict[str, Any], path: str | None) -> dict[str, Any]:
        """Log the verdict and link the report; fail the task if its verdict is in ``fail_on``."""
        self.log.info("%s: %s", report["verdict"], report["sentence"])
        self.log.info("Report: %s", report.get("report_uri"))
        GateReportLink.publish(context, self.hook, report.get("report_uri"), path)
        if report["verdict"] in self.fail_on:
            raise AirflowFailException(f"{report['verdict']}: {report['sentence']}")
        return report


def told(registry: ModelRegistry, report: GateReport) -> tuple[dict[str, Any], str | None]:
    """The main part of the report as plain JSON, and its path under the artifact root."""
    document = report.document()
    uri = document.get("report_uri")
    path = registry.artifacts.path_of(uri) if uri else None
    return {name: document[name] for name in _TOLD if name in document}, path
