"""Base of the gate operators: turns a report into plain JSON and one sentence."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from model_lifecycle.registry.domain.models import plain

from .base import LifecycleOperator
from .links import GateReportLink
from .runtime.notifications import count
from .runtime.openlineage import file_dataset, record, version_dataset

if TYPE_CHECKING:
    from airflow.sdk import Context

    from model_lifecycle.gates.report import GateReport
    from model_lifecycle.registry.model_registry import ModelRegistry


class GateOperator(LifecycleOperator):
    """Base of the operators that judge a version.

    The task succeeds whatever the verdict: it is evidence, and the promotion asks the core
    whether it is enough. Returns the main part of the report: ``verdict``, ``sentence``,
    ``metrics`` (the rows that decided), ``counts``, ``failed_checks``, ``attempts``, ``baseline``,
    ``evidence_id`` and ``report_uri``.

    :param version: the version to judge; text from a template will do.
    :param fail_on: verdicts that shall fail the task all the same, for example ``("INVALID",)``.
    """

    template_fields: Sequence[str] = (*LifecycleOperator.template_fields, "version")
    operator_extra_links = (GateReportLink(),)

    def __init__(self, *, version: int | str, fail_on: Collection[str] = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.version = version
        self.fail_on = fail_on

    def tell(self, context: Context, report: dict[str, Any], page: str | None) -> dict[str, Any]:
        """Log the verdict and link the report; fail the task if its verdict is in ``fail_on``."""
        self.log.info("%s: %s", report["verdict"], report["sentence"])
        address = GateReportLink.address(self.hook, page, report)
        self.log.info("Report: %s", address or report["report_uri"])
        GateReportLink.publish(context, self.hook, page, report)
        count("verdicts", gate=report["gate"], verdict=report["verdict"])
        versions = [item for item in (report["version"], report["baseline"]) if item is not None]
        record(
            self,
            inputs=[version_dataset(self.tenant_id, self.model_id, item) for item in versions],
            outputs=[file_dataset(report["report_uri"])] if report["report_uri"] else [],
        )
        if report["verdict"] in self.fail_on:
            raise AirflowFailException(f"{report['verdict']}: {report['sentence']}")
        return report


def told(registry: ModelRegistry, report: GateReport) -> tuple[dict[str, Any], str | None]:
    """The main part of the report as plain JSON, and its page's path under the artifact root."""
    main = {
        "gate": report.gate.value,
        "verdict": report.verdict.value,
        "tenant_id": report.tenant_id,
        "model_id": report.model_id,
        "version": report.version,
        "baseline": report.baseline,
        "policy_fingerprint": report.policy_fingerprint,
        **report.summary(),
        "evidence_id": report.evidence_id,
        "report_uri": report.report_uri,
    }
    return plain(main), report_page(registry, report.report_uri)


def report_page(registry: ModelRegistry, report_uri: str | None) -> str | None:
    """The path of a report's page under the artifact root; None where there is none."""
    from model_lifecycle.gates.evaluation.context import REPORT_HTML

    folder = registry.artifacts.path_of(report_uri) if report_uri else None
    return f"{folder.rstrip('/')}/{REPORT_HTML}" if folder else None
