"""A sensor that follows live traffic until the shadow test or the A/B test has a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import conf
from airflow.sdk.exceptions import AirflowException

from model_lifecycle.registry.domain.identifiers import parse_version

from ..gate_operator import GateOperator, report_document
from ..runtime.task_identity import evidence_id

if TYPE_CHECKING:
    from airflow.sdk import Context

    from model_lifecycle.registry.model_registry import ModelRegistry


#: The gates that judge traffic.
FOLLOWED = ("shadow", "ab_test")


class GateVerdictSensor(GateOperator):
    """Looks at the traffic of a version again and again, until it is shown to be good or bad.

    Between looks it waits in the triggerer, without a worker, until a block of traffic (an hour or
    a day, by the policy) that was not judged yet is whole, and its labels have come. Each look
    reads only new hours; what was read is kept beside the report, and outlives restarts. It ends
    with a PASS or FAIL, or with whatever verdict there is at the policy's ``max_duration_days``
    (``max_days`` of an A/B test): then the version stays in staging.

    :param start: from when on traffic counts, ISO text, a date or a datetime;
        without a time zone it is UTC.
    :param gate: ``shadow``, or ``ab_test`` where the serving system splits traffic between both
        versions.
    :param poll_interval: seconds between questions for new traffic; in the triggerer at least, as
        it sleeps until the next block has its labels, or an hour.
    :param deferrable: wait in the triggerer; otherwise in the worker.
    """

    template_fields: Sequence[str] = (*GateOperator.template_fields, "start")

    def __init__(
        self,
        *,
        start: str | date,
        gate: str = "shadow",
        poll_interval: float = 300,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=True),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if gate not in FOLLOWED:
            raise ValueError(f"gate must be one of {', '.join(FOLLOWED)}, not {gate!r}")
        self.start = start
        self.gate = gate
        self.poll_interval = poll_interval
        self.deferrable = deferrable

    def execute(self, context: Context) -> dict[str, Any]:
        while True:
            report, page, until = self._look(context)
            if until is None:
                assert report is not None
                return self.publish(context, report, page)
            if report is not None:
                self.log.info("Still %s: %s", report["verdict"], report["sentence"])
            else:
                self.log.info("There is no traffic to judge since %s yet", self.start)
            if self.deferrable:
                self._wait(until)
            self._sleep()

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> Any:
        """There is new traffic: look again. Raises for everything but that."""
        if not event or event.get("status") != "success":
            cause = (event or {}).get("message") or f"unknown event {event!r}"
            raise AirflowException(f"following the traffic of {self.model_id} ended: {cause}")
        return self.execute(context)

    def _look(self, context: Context) -> tuple[dict[str, Any] | None, str | None, datetime | None]:
        """The report, its page, and up to when was looked; None for the latter when it is over."""
        actor, evidence = (
            self.actor(context),
            evidence_id(context, self.version, self.gate, self.start),
        )

        async def work(
            registry: ModelRegistry,
        ) -> tuple[dict[str, Any] | None, str | None, datetime | None]:
            from model_lifecycle.gates.evaluation.monitor import monitor_traffic
            from model_lifecycle.registry.domain.stages import Gate

            result = await monitor_traffic(
                registry,
                self.tenant_id,
                self.model_id,
                parse_version(self.version),
                start=self.start,
                actor=actor,
                evidence_id=evidence,
                gate=Gate(self.gate),
            )
            if result.report is None:
                return None, None, result.until
            report, page = report_document(registry, result.report)
            return report, page, None if result.done else result.until

        return self.call_registry(work)

    def _wait(self, until: datetime) -> None:
        from ..triggers.traffic import NewTrafficTrigger

        self.defer(
            trigger=NewTrafficTrigger(
                tenant_id=self.tenant_id,
                model_id=self.model_id,
                after=until.isoformat(),
                gate=self.gate,
                model_registry_conn_id=self.model_registry_conn_id,
                poll_interval=self.poll_interval,
            ),
            method_name="execute_complete",
        )

    def _sleep(self) -> None:
        import time

        time.sleep(timedelta(seconds=self.poll_interval).total_seconds())
