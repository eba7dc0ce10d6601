"""Promotion as a task: ask the core, and skip if it says no."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from model_lifecycle.registry.domain.errors import GateRefused
from model_lifecycle.registry.domain.identifiers import parse_version
from model_lifecycle.registry.domain.stages import Stage, parse_stage

from .base import LifecycleOperator
from .links import ModelVersionLink
from .runtime.assets import announce, event_extra, stage_outlets
from .runtime.ledger_entries import find_entry_into
from .runtime.notifications import as_list, build_event, count, notify, notify_once
from .runtime.openlineage import record, stage_dataset, version_dataset
from .runtime.task_identity import operation_id
from .runtime.template_values import ANYTHING, expected_production

if TYPE_CHECKING:
    from airflow.sdk import BaseNotifier, Context

    from model_lifecycle.registry.domain.models import LedgerEntry, VersionMetadata
    from model_lifecycle.registry.model_registry import ModelRegistry


class PromoteModelOperator(LifecycleOperator):
    """Moves a version to staging or production, if its evidence is enough.

    If the core refuses for want of evidence, the task is skipped, and so are the tasks after it:
    no event says that a model was promoted. Why is in the log, and in the XCom ``refusal``. If the
    version is there already, the result is the same, with ``changed`` false.

    Returns ``version``, ``stage``, ``previous_production``, ``production``, ``actor``, ``at``,
    ``sequence`` (of the ledger entry), ``changed``, and ``replayed``, which is true if an earlier
    try had done it. Updates the assets of the stage, that of the model and those of any model: see
    :mod:`model_lifecycle.operators.runtime.assets`.

    :param version: the version to move; text from a template will do.
    :param target_stage: ``staging`` or ``production``. Not a template: the asset depends on it.
    :param expected_production: the version that must be in production now, none for no version;
        otherwise the promotion fails as a conflict. Default: any.
    :param reason: for the ledger.
    :param notifiers: Airflow notifiers that are called when the version was promoted or refused;
        their context has ``lifecycle``: see :mod:`model_lifecycle.operators.runtime.notifications`.
    """

    template_fields: Sequence[str] = (
        *LifecycleOperator.template_fields,
        "version",
        "expected_production",
        "reason",
    )
    operator_extra_links = (ModelVersionLink(),)
    ui_color = "#cfe3f5"

    def __init__(
        self,
        *,
        tenant_id: str,
        model_id: str,
        version: int | str,
        target_stage: str = Stage.PRODUCTION.value,
        expected_production: int | str | None = ANYTHING,
        reason: str = "",
        notifiers: BaseNotifier | Iterable[BaseNotifier] | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs["outlets"] = [
            *(kwargs.get("outlets") or ()),
            *stage_outlets(tenant_id, model_id, target_stage),
        ]
        super().__init__(tenant_id=tenant_id, model_id=model_id, **kwargs)
        self.version = version
        self.target_stage = target_stage
        self.expected_production = expected_production
        self.reason = reason
        self.notifiers = as_list(notifiers)

    def execute(self, context: Context) -> dict[str, Any]:
        try:
            result, event = self.call_registry(self._promotion(context))
        except AirflowFailException as error:
            if isinstance(error.__cause__, GateRefused):
                raise self._held(context, error.__cause__) from error
            raise
        self.log.info(
            "%s version %s %s in %s; production was %s",
            self.model_id,
            result["version"],
            "is now" if result["changed"] else "was already",
            result["stage"],
            result["previous_production"] or "empty",
        )
        ModelVersionLink.publish(context, self.hook, self.tenant_id, self.model_id, result)
        announce(context, event)
        self._tell(context, event)
        return result

    def _tell(self, context: Context, moved: Mapping[str, Any]) -> None:
        """Lineage, metrics and notifiers; the last two only for what this task itself did."""
        names = (self.tenant_id, self.model_id)
        record(
            self,
            inputs=[version_dataset(*names, moved["version"])],
            outputs=[stage_dataset(*names, moved["stage"])],
        )
        if moved["operation_id"] != operation_id(context):
            return
        count("transitions", event="promoted", stage=moved["stage"])
        replaced = f", in place of version {moved['from']}" if moved["from"] else ""
        sentence = (
            f"{self.model_id} version {moved['version']} is in {moved['stage']}"
            f"{replaced if moved['stage'] == Stage.PRODUCTION else ''}"
        )
        notify_once(
            context, self.notifiers, build_event("promoted", sentence, moved), moved["sequence"]
        )

    def _promotion(
        self, context: Context
    ) -> Callable[[ModelRegistry], Awaitable[tuple[dict[str, Any], dict[str, Any]]]]:
        operation, actor = operation_id(context), self.actor(context)

        async def work(registry: ModelRegistry) -> tuple[dict[str, Any], dict[str, Any]]:
            version, target = parse_version(self.version), parse_stage(self.target_stage)
            model = (self.tenant_id, self.model_id)
            earlier = await registry.find_operation(self.tenant_id, operation)
            known = await registry.get_version(*model, version)
            if earlier is None and known is not None and known.stage is target:
                entry = await find_entry_into(registry, *model, version, target)
                return _result(self, entry, known, target, changed=False, replayed=False)
            # Asked again after an earlier try had committed, the core answers as before, and
            # finishes what that try left undone in MLflow.
            moved = await registry.transition_stage(
                *model,
                version,
                target,
                actor=actor,
                reason=self.reason,
                expected_production=expected_production(self.expected_production),
                operation_id=operation,
            )
            receipt = moved.receipt
            assert receipt is not None, "a write returns its receipt"
            replayed = receipt.replayed
            return _result(
                self, receipt.entry, known, target, changed=not replayed, replayed=replayed
            )

        return work

    def _held(self, context: Context, refusal: GateRefused) -> AirflowSkipException:
        details = {"message": str(refusal), **refusal.details()}
        context["ti"].xcom_push(key="refusal", value=details)
        count("transitions", event="refused", stage=self.target_stage)
        subject = {"tenant_id": self.tenant_id, "model_id": self.model_id}
        notify(
            context, self.notifiers, build_event("refused", str(refusal), {**subject, **details})
        )
        return AirflowSkipException(f"Not promoted: {refusal}")


def _result(
    operator: PromoteModelOperator,
    entry: LedgerEntry | None,
    version: VersionMetadata | None,
    target: Stage,
    *,
    changed: bool,
    replayed: bool,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The answer and the event, from the ledger's own entry: what is not in there did not
    happen."""
    moved = {(move.version, move.target) for move in entry.moves} if entry else set()
    if entry is None or version is None or (version.version, target) not in moved:
        raise AirflowFailException(
            f"the ledger has no entry that moved {operator.model_id} version {operator.version} "
            f"to {target}"
        )
    result = {
        "tenant_id": operator.tenant_id,
        "model_id": operator.model_id,
        "version": version.version,
        "stage": target.value,
        "previous_production": entry.previous_production,
        "production": entry.production,
        "actor": entry.actor,
        "at": entry.at.isoformat(),
        "sequence": entry.sequence,
        "changed": changed,
        "replayed": replayed,
    }
    return result, event_extra(entry, version, target)
