"""Policies, evidence, and what a version still lacks for a stage."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar

from ..artifacts.gate_report import check_report
from ..attestation.envelope import read_statement, sign
from ..attestation.keys import SigningKey, trusted_keys
from ..attestation.verdict_statement import check_statement, untrusted, verdict_statement
from ..concurrency import run_concurrently
from ..domain import identifiers
from ..domain.authorization import Action, Principal, principal, require
from ..domain.canonical_json import canonical_json
from ..domain.commands import RecordEvidence
from ..domain.errors import (
    AlreadyExists,
    InvalidInput,
    InvalidTransition,
    UntrustedEvidence,
)
from ..domain.evidence import (
    CLOCK_TOLERANCE,
    Evidence,
    Missing,
    Origin,
    judge_evidence,
    parse_gate,
    parse_verdict,
)
from ..domain.models import Readiness
from ..domain.promotion_policy import PromotionPolicy, check_name
from ..domain.stages import Gate, Stage, parse_stage, requirement
from ..domain.validation import validate_text
from ..ledger.clock import ClockReading
from ..ledger.mappers import PromotionState
from ..ledger.unit_of_work import ModelUnitOfWork
from .backends import Backends
from .projection.projection import Projection
from .signing_keys import SigningKeys
from .transitions import baseline_digests, subject
from .write_operation import Response, WriteOperation

_MAX_SUMMARY = 64 * 1024
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class EvidenceService:
    def __init__(self, backends: Backends, projection: Projection, keys: SigningKeys) -> None:
        self._backends = backends
        self._projection = projection
        self._keys = keys

    async def record_evidence(
        self,
        tenant_id: str,
        model_id: str,
        version: int | str,
        evidence: Evidence,
        *,
        actor: Principal | str,
    ) -> Evidence:
        """Record a gate's verdict on a version. Role: gatekeeper.

        It is the gate's own where the gate's report lies in its place in the artifact store and
        says the same; else it is external, and overrides nothing that the gate itself said.
        Where a gate key is configured, the evidence is signed with it, unless it comes with the
        ``envelope`` of a gate that signed it. A policy with trusted keys refuses evidence that none
        of them signed (UntrustedEvidence).
        Idempotent by evidence id; AlreadyExists for the same id with other content, InvalidInput
        for evidence that differs from its report or is dated in the future.
        """
        tenant, model = identifiers.tenant_id(tenant_id), identifiers.model_id(model_id)
        number = identifiers.version_number(version)
        gatekeeper = principal(actor)
        require(gatekeeper, Action.RECORD_EVIDENCE)
        command = RecordEvidence(
            actor=gatekeeper,
            tenant_id=tenant,
            model_id=model,
            evidence=_checked(evidence, tenant, model, number, self._backends.ledger.clock()),
        )
        return await _EvidenceRecording(
            self._backends, self._projection, self._keys, command, number
        ).execute()

    async def check_signing(self, policy: PromotionPolicy) -> None:
        """Return if evidence that this registry records can count under ``policy``: a gate calls it
        before it judges for an hour. Raises SigningUnavailable where the policy lists trusted keys
        and this registry has no gate key, InvalidInput where it has another one."""
        await self._keys.check_gate(policy)

    async def readiness(
        self, tenant_id: str, model_id: str, version: int | str, target_stage: Stage | str
    ) -> Readiness:
        """The requirements that a version does not meet for a stage yet. Changes nothing."""
        tenant, model = identifiers.tenant_id(tenant_id), identifiers.model_id(model_id)
        number, target = identifiers.version_number(version), parse_stage(target_stage)
        async with self._backends.ledger.snapshot(tenant, model) as work:
            metadata = await work.version(number)
            missing: tuple[Missing, ...]
            try:
                required = requirement(metadata.stage, target)
            except InvalidTransition as error:
                missing = (Missing(error.code, str(error)),)
            else:
                evidence = await work.evidence(number)
                _, missing = judge_evidence(
                    required,
                    await subject(work, metadata, evidence),
                    evidence,
                    now=work.clock.deadline,
                )
            production = work.model.production_version
            warning = work.clock.warning(work.model.updated_at)
        warnings = (warning,) if warning else ()
        return Readiness(model, number, metadata.stage, target, production, missing, warnings)


class _EvidenceRecording(WriteOperation[Evidence]):
    """Idempotent by the evidence's id: the evidence itself is what a repetition gets, so no
    response is stored beside it. MLflow shows no evidence."""

    is_projected: ClassVar[bool] = False

    def __init__(
        self,
        backends: Backends,
        projection: Projection,
        keys: SigningKeys,
        command: RecordEvidence,
        number: int,
    ) -> None:
        super().__init__(backends, projection, command, operation_id=None)
        self._command = command
        self._keys = keys
        self._number = number
        self._origin = Origin.EXTERNAL
        self._report_digest: str | None = None
        self._envelope = command.evidence.envelope

    async def prepare(self) -> None:
        key = None if self._envelope is not None else await self._keys.gate()
        report = check_report(self.backends.artifacts, self._command.evidence)
        if key is None:
            self._origin, self._report_digest = await report
            return
        state = self.backends.ledger.read.promotion(self.tenant, self.model, self._number)
        (self._origin, self._report_digest), known = await run_concurrently(report, state)
        # A model that does not exist is reported by the change.
        if known is not None:
            self._envelope = await self._sign(key, known)

    async def _sign(self, key: SigningKey, state: PromotionState) -> dict[str, Any]:
        """The gate's statement, signed outside of the lock: a KMS answers over the network."""
        item, read = self._command.evidence, self.backends.ledger.read
        baseline = state.versions.get(item.baseline) if item.baseline is not None else None
        if baseline is None and item.baseline is not None:
            baseline = await read.version(self.tenant, self.model, item.baseline)
        content = verdict_statement(
            item,
            epoch=state.model.epoch,
            baseline_digest=baseline.bundle_digest if baseline else None,
            report_digest=self._report_digest,
        )
        return await asyncio.to_thread(sign, content, key)

    async def find_response(self, work: ModelUnitOfWork) -> Response | None:
        item = self._command.evidence
        earlier = await work.find_evidence(item.evidence_id)
        if earlier is None:
            return None
        if canonical_json(earlier.content()) != canonical_json(item.content()):
            raise AlreadyExists(
                f"evidence {item.evidence_id!r} was recorded before, with other content; "
                "record the new content under an evidence_id of its own"
            )
        return self.response(earlier)

    async def change(self, work: ModelUnitOfWork) -> Evidence:
        item, number = self._command.evidence, self._number
        metadata = await work.version(number)
        if item.bundle_digest != metadata.bundle_digest:
            raise InvalidInput(
                f"the evidence is about a bundle {item.bundle_digest}, but version {number} "
                f"is {metadata.bundle_digest}; judge the version's own files",
                field="evidence.bundle_digest",
            )
        others = await work.evidence(number)
        recorded = replace(
            item,
            recorded_at=_after(work.clock, others),
            recorded_by=str(self._command.actor),
            epoch=work.model.epoch,
            position=1 + max((other.position for other in others), default=0),
            origin=self._origin,
            envelope=self._envelope,
        )
        await self._check_signature(work, recorded)
        await work.add_evidence(recorded)
        return recorded

    async def _check_signature(self, work: ModelUnitOfWork, item: Evidence) -> None:
        """Return if the evidence says what was signed, and a key signed it that the policy trusts,
        where the policy lists any. Raises InvalidInput and UntrustedEvidence."""
        pems = work.model.policy.trusted_keys
        if item.envelope is None and not pems:
            return
        digests = await baseline_digests(work, item.baseline)
        if item.envelope is not None:
            check_statement(
                item,
                epoch=item.epoch,
                baseline_digest=digests.get(item.baseline or 0),
                report_digest=self._report_digest,
            )
        since = work.record(self._number).evidence_since
        keys = await asyncio.to_thread(trusted_keys, pems) if pems else ()
        reasons = untrusted([item], keys, digests, evidence_since=since)
        if reasons:
            raise UntrustedEvidence(item.evidence_id, reasons[item.evidence_id])

    def response(self, result: Evidence) -> dict[str, Any]:
        return {"evidence_id": result.evidence_id}

    async def store_response(self, work: ModelUnitOfWork, response: Response) -> None:
        """Nothing: :meth:`change` has stored the evidence under its id."""

    async def restore(self, response: Response) -> Evidence:
        recorded = await self.backends.ledger.read.evidence_by_id(
            self.tenant, self.model, self._number, response["evidence_id"]
        )
        assert recorded is not None, "evidence is never removed from the ledger"
        return recorded


def _after(clock: ClockReading, others: list[Evidence]) -> datetime:
    """The time now, after that of the version's evidence so far: lists are in the order of time.
    What is dated in the future is wrong, and moves nothing."""
    times = [item.recorded_at for item in others if item.recorded_at is not None]
    sound = [at for at in times if at <= clock.deadline + CLOCK_TOLERANCE]
    return max([clock.now, *(at + timedelta(microseconds=1) for at in sound)])


def _checked(evidence: Any, tenant: str, model: str, version: int, now: datetime) -> Evidence:
    """The evidence bound to what it is recorded for, its fields checked at time ``now``."""
    if not isinstance(evidence, Evidence):
        raise InvalidInput("evidence must be an Evidence", field="evidence")
    item = replace(
        evidence,
        gate=parse_gate(evidence.gate),
        verdict=parse_verdict(evidence.verdict),
        tenant_id=tenant if evidence.tenant_id is None else evidence.tenant_id,
        model_id=model if evidence.model_id is None else evidence.model_id,
        version=version
        if evidence.version is None
        else identifiers.version_number(evidence.version, field="evidence.version"),
        baseline=None
        if evidence.baseline is None
        else identifiers.version_number(evidence.baseline, field="evidence.baseline"),
    )
    if (item.tenant_id, item.model_id, item.version) != (tenant, model, version):
        raise InvalidInput(
            "the evidence is about another version than the one it is recorded for",
            field="evidence",
        )
    identifiers.operation_id(item.evidence_id)
    if len(item.evidence_id) > 128 or "/" in item.evidence_id:
        raise InvalidInput(
            "evidence_id must be at most 128 characters without '/'", field="evidence.evidence_id"
        )
    at = item.recorded_at
    if isinstance(at, datetime) and at.tzinfo is not None and at > now + CLOCK_TOLERANCE:
        raise InvalidInput(
            f"the evidence is dated {at.isoformat()}, but the ledger's time is {now.isoformat()}; "
            "set the clock, or leave recorded_at out: the ledger sets it",
            field="evidence.recorded_at",
        )
    if item.gate is Gate.CHECK:
        check_name(item.check, field="evidence.check")
    elif item.check is not None:
        raise InvalidInput(
            f"evidence.check names an additional check and goes with the gate {Gate.CHECK}; for "
            f"the gate {item.gate} leave it out",
            field="evidence.check",
        )
    for name in ("bundle_digest", "policy_fingerprint"):
        if not _DIGEST.fullmatch(validate_text(getattr(item, name), field=f"evidence.{name}")):
            raise InvalidInput(
                f"evidence.{name} must be like sha256:<64 hexadecimal digits>",
                field=f"evidence.{name}",
            )
    if item.envelope is not None:
        _check_size(item.envelope, "envelope")
        read_statement(item.envelope, field="evidence.envelope")
    if item.report_uri is not None:
        validate_text(item.report_uri, field="evidence.report_uri")
    if not isinstance(item.summary, dict):
        raise InvalidInput("evidence.summary must be an object", field="evidence.summary")
    _check_size(item.summary, "summary")
    return item


def _check_size(value: Any, name: str) -> None:
    size = len(canonical_json(value, field=f"evidence.{name}"))
    if size > _MAX_SUMMARY:
        raise InvalidInput(
            f"the evidence's {name} is {size} bytes, at most {_MAX_SUMMARY} are kept; "
            "put the rest into the report",
            field=f"evidence.{name}",
        )
