"""Evidence of gates about versions, and the policies that demand it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .domain import identifiers
from .domain.authorization import Action, Principal, principal, require
from .domain.commands import SetPolicy
from .domain.evidence import Evidence
from .domain.models import (
    Readiness,
)
from .domain.preconditions import (
    ANY,
    ExpectedEpoch,
    parse_expected_epoch,
)
from .domain.promotion_policy import PromotionPolicy
from .domain.stages import Stage
from .domain.validation import validate_text
from .services.backends import Backends
from .services.evidence import EvidenceService
from .services.policies import PolicyService
from .services.projection.projection import Projection
from .services.proofs import ProofService
from .services.signing_keys import SigningKeys


class RegistryEvidence:
    """Evidence and policies of :class:`~model_lifecycle.registry.model_registry.ModelRegistry`."""

    def __init__(self, backends: Backends, projection: Projection) -> None:
        keys = SigningKeys(backends.settings)
        self._evidence = EvidenceService(backends, projection, keys)
        self._policies = PolicyService(backends, projection)
        self._proofs = ProofService(backends, keys)

    async def readiness(
        self, tenant_id: str, model_id: str, version: int | str, target_stage: Stage | str
    ) -> Readiness:
        """The requirements that a version does not meet for a stage yet. Changes nothing."""
        return await self._evidence.readiness(tenant_id, model_id, version, target_stage)

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
        return await self._evidence.record_evidence(
            tenant_id, model_id, version, evidence, actor=actor
        )

    async def set_policy(
        self,
        tenant_id: str,
        model_id: str,
        policy: PromotionPolicy | Mapping[str, Any],
        *,
        actor: Principal | str,
        reason: str = "",
        expected_epoch: ExpectedEpoch = ANY,
        operation_id: str | None = None,
    ) -> PromotionPolicy:
        """Set the model's promotion policy, as an entry of the ledger; the same policy again
        changes nothing. Role: gatekeeper. Evidence made under another policy no longer counts.

        Returns the policy complete with the defaults of its gates. Raises InvalidInput for a
        policy that the gates do not understand, or whose values together never allow a PASS."""
        gatekeeper = principal(actor)
        # Before the policy is read: a caller without the role gets no errors about its content.
        require(gatekeeper, Action.SET_POLICY)
        command = SetPolicy(
            actor=gatekeeper,
            tenant_id=identifiers.tenant_id(tenant_id),
            model_id=identifiers.model_id(model_id),
            policy=policy
            if isinstance(policy, PromotionPolicy)
            else PromotionPolicy.from_document(policy),
            reason=validate_text(reason, field="reason"),
            expected_epoch=parse_expected_epoch(expected_epoch),
        )
        return await self._policies.set_policy(command, operation_id)

    async def get_policy(self, tenant_id: str, model_id: str) -> PromotionPolicy:
        """The model's policy; a default one, with empty gates, until one is set."""
        return await self._policies.get_policy(tenant_id, model_id)

    async def verify_tree(self, tenant_id: str) -> int:
        """Number of entries in the tenant's Merkle tree, if each is as it entered the tree, and the
        tree is that of every signed head. Raises LedgerCorrupt for the first that differs."""
        return await self._proofs.verify_tree(tenant_id)

    async def export_proof(
        self, tenant_id: str, model_id: str, version: int | str, *, since: int | None = None
    ) -> dict[str, Any]:
        """The proof of a version, plain JSON, which ``verify_proof`` checks without the ledger: the
        model's entries, the evidence, the policy, paths into the tenant's Merkle tree, and a head
        signed with ``ledger_key``.

        With ``since``, the size of the tree of an earlier proof, it also shows that the tree begins
        with that one. Raises ModelNotFound, VersionNotFound, SigningUnavailable without a key,
        LedgerBehind for a tree that is smaller, and LedgerCorrupt or ProofRefused for a ledger that
        was changed.
        """
        return await self._proofs.export_proof(tenant_id, model_id, version, since=since)
