"""The context of a gate's run: the version, the champion and the policy when the run begins.

A gate's run has three steps: :func:`.record.find_report` looks up evidence that has the run's id
already, :func:`load_context` reads what is to be judged, and :mod:`.record` writes the verdict.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal

from model_lifecycle.registry.domain import identifiers
from model_lifecycle.registry.domain.authorization import Action, Principal, principal, require
from model_lifecycle.registry.domain.errors import (
    InvalidInput,
    ModelNotFound,
    VersionNotFound,
)
from model_lifecycle.registry.domain.models import VersionMetadata
from model_lifecycle.registry.domain.promotion_policy import PromotionPolicy
from model_lifecycle.registry.domain.stages import Gate

from ..metrics.definitions import METRICS, Metric
from ..protocols import EvaluationRegistry

MAX_EVIDENCE_ID = 128


class _Baseline(Enum):
    CURRENT = "current"


#: The baseline is the version in production now, whichever it is.
CURRENT: Final = _Baseline.CURRENT


@dataclass(frozen=True)
class EvaluationRequest:
    """Which version a gate shall judge, for which actor, and the id that the evidence gets."""

    gate: Gate
    tenant: identifiers.TenantId
    model: identifiers.ModelId
    version: int
    evidence_id: str
    actor: Principal | str

    @classmethod
    def of(
        cls,
        gate: Gate,
        tenant_id: str,
        model_id: str,
        version: int,
        *,
        actor: Principal | str,
        evidence_id: str | None,
    ) -> EvaluationRequest:
        """The checked request. Without an ``evidence_id`` it gets a new one. Raises
        PermissionDenied for an actor that may not record evidence, and InvalidInput."""
        require(principal(actor), Action.RECORD_EVIDENCE)
        return cls(
            gate=gate,
            tenant=identifiers.tenant_id(tenant_id),
            model=identifiers.model_id(model_id),
            version=identifiers.version_number(version),
            evidence_id=_evidence_id(evidence_id),
            actor=actor,
        )


@dataclass(frozen=True)
class EvaluationContext:
    """A request with what it is about: the version's files, the champion and the policy."""

    registry: EvaluationRegistry
    request: EvaluationRequest
    version: VersionMetadata
    champion: VersionMetadata | None
    model_type: str
    policy: PromotionPolicy

    @property
    def gate(self) -> Gate:
        return self.request.gate

    @property
    def tenant(self) -> identifiers.TenantId:
        return self.request.tenant

    @property
    def model(self) -> identifiers.ModelId:
        return self.request.model

    @property
    def baseline(self) -> int | None:
        """Number of the version that the candidate is compared with."""
        return self.champion.version if self.champion else None

    def require_model_type(self, metrics: Sequence[Metric]) -> None:
        """Check that the policy's metrics fit the type of the model. Raises InvalidInput."""
        for item in metrics:
            if not item.fits(self.model_type):
                fitting = [name for name, each in METRICS.items() if each.fits(self.model_type)]
                raise InvalidInput(
                    f"the policy requires {item.name}, a measure of "
                    f"{' and '.join(item.model_types)}, but {self.model} is a model of type "
                    f"{self.model_type}; its measures are {', '.join(fitting)}",
                    field=f"policy.{self.gate}",
                )


async def load_context(
    registry: EvaluationRegistry,
    request: EvaluationRequest,
    *,
    baseline: int | Literal[_Baseline.CURRENT] | None = CURRENT,
) -> EvaluationContext:
    """Read what the request is about, compared with ``baseline``: by default the version that is in
    production now; None for no champion.

    Raises ModelNotFound, VersionNotFound, InvalidInput when the version is in production, and what
    ``check_signing`` raises where the verdict could not be signed as the policy requires.
    """
    tenant, model, number = request.tenant, request.model, request.version
    metadata = await registry.get_model(tenant, model)
    if metadata is None:
        raise ModelNotFound(model)
    candidate = await registry.get_version(tenant, model, number)
    if candidate is None:
        raise VersionNotFound(model, number)
    if metadata.production_version == number:
        raise InvalidInput(
            f"version {number} is in production already; a gate compares a candidate with it: pass "
            "the number of a candidate",
            field="version",
        )
    policy = await registry.get_policy(tenant, model)
    await registry.check_signing(policy)
    champion_number = metadata.production_version if baseline is CURRENT else baseline
    champion = None
    if champion_number is not None:
        champion = await registry.get_version(tenant, model, champion_number)
    return EvaluationContext(
        registry=registry,
        request=request,
        version=candidate,
        champion=champion,
        model_type=metadata.model_type,
        policy=policy,
    )


def _evidence_id(value: str | None) -> str:
    if value is None:
        return uuid.uuid4().hex
    evidence_id = identifiers.operation_id(value)
    if len(evidence_id) > MAX_EVIDENCE_ID or "/" in evidence_id:
        raise InvalidInput(
            f"evidence_id must be at most {MAX_EVIDENCE_ID} characters without '/', not "
            f"{evidence_id!r:.80}",
            field="evidence_id",
        )
    return evidence_id
