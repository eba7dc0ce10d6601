"""Base of the gate operators: run a gate on a version, return its report as plain JSON."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from model_lifecycle.registry.domain.identifiers import parse_version
from model_lifecycle.registry.domain.models import plain

from .base import LifecycleOperator
from .links import GateReportLink
from .runtime.notifications import count
from .runtime.openlineage import file_dataset, record, version_dataset
from .runtime.task_identity import evidence_id

if TYPE_CHECKING:
    from airflow.sdk import Context

    from model_lifecycle.gates.report import GateReport
    from model_lifecycle.registry.model_registry import ModelRegistry

    Gate = Callable[..., Awaitable[GateReport]]


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

    def run_gate(self, context: Context, gate: Gate, **inputs: Any) -> dict[str, Any]:
        """Judge the version by ``gate``, a coroutine function of :mod:`..gates.evaluation`, on
        ``inputs``, and publish the report. The evidence id covers the version and the inputs."""
        actor = self.actor(context)
        evidence = evidence_id(context, self.version, *inputs.values())

        async def judge(registry: ModelRegistry) -> GateReport:
            return await gate(
                registry,
                self.tenant_id,
                self.model_id,
                parse_version(self.version),
                actor=actor,
                evidence_id=evidence,
                **inputs,
            )

        return self.publish_report_of(context, judge)

    def publish_report_of(
        self, context: Context, judge: Callable[[ModelRegistry], Awaitable[GateReport]]
    ) -> dict[str, Any]:
        """Call ``judge`` with the registry open, and publish the report that it returns."""

        async def work(registry: ModelRegistry) -> tuple[dict[str, Any], str | None]:
            return report_document(registry, await judge(registry))

        return self.publish(context, *self.call_registry(work))

    def publish(self, context: Context, report: dict[str, Any], page: str | None) -> dict[str, Any]:
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


class TrafficGateOperator(GateOperator):
    """Base of the operators that judge a version on the traffic of a window.

    :param start: first day of the window, or its first moment: ISO text, a date or a datetime;
        without a time zone it is UTC.
    :param end: the day after its last, or the moment after it.
    """

    template_fields: Sequence[str] = (*GateOperator.template_fields, "start", "end")

    def __init__(self, *, start: str | date, end: str | date, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.start = start
        self.end = end

    def run_on_window(self, context: Context, gate: Gate) -> dict[str, Any]:
        """Judge the version by ``gate`` on the window; see :meth:`run_gate`."""
        self.log.info(
            "Judging %s version %s on the requests from %s to %s",
            self.model_id,
            self.version,
            self.start,
            self.end,
        )
        return self.run_gate(context, gate, start=self.start, end=self.end)


def report_document(
    registry: ModelRegistry, report: GateReport
) -> tuple[dict[str, Any], str | None]:
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
    from model_lifecycle.gates.evaluation.record import REPORT_HTML

    folder = registry.artifacts.path_of(report_uri) if report_uri else None
    return f"{folder.rstrip('/')}/{REPORT_HTML}" if folder else None
