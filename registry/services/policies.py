"""Promotion policies: set as an entry of the ledger, read from the model's row."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, ClassVar

from ..attestation.keys import trusted_keys
from ..domain import identifiers
from ..domain.authorization import Action, Principal, principal, require
from ..domain.commands import SetPolicy
from ..domain.errors import ModelNotFound
from ..domain.models import EntryKind
from ..domain.preconditions import ANY, ExpectedEpoch, parse_expected_epoch
from ..domain.promotion_policy import PromotionPolicy
from ..domain.validation import validate_text
from ..ledger.unit_of_work import ModelUnitOfWork
from .backends import Backends
from .projection.projection import Projection
from .write_operation import WriteOperation


class PolicyService:
    def __init__(self, backends: Backends, projection: Projection) -> None:
        self._backends = backends
        self._projection = projection

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
        complete = self._backends.complete_policy(command.policy)
        if complete.trusted_keys:
            await asyncio.to_thread(trusted_keys, complete.trusted_keys)
        return await _PolicyChange(
            self._backends, self._projection, command, operation_id, complete
        ).execute()

    async def get_policy(self, tenant_id: str, model_id: str) -> PromotionPolicy:
        """The model's policy; a default one, with empty gates, until one is set."""
        tenant, model = identifiers.tenant_id(tenant_id), identifiers.model_id(model_id)
        row = await self._backends.ledger.read.row(tenant, model)
        if row is None:
            raise ModelNotFound(model)
        return row.policy


class _PolicyChange(WriteOperation[PromotionPolicy]):
    """MLflow shows no policies, so this works while MLflow is unavailable."""

    is_projected: ClassVar[bool] = False

    def __init__(
        self,
        backends: Backends,
        projection: Projection,
        command: SetPolicy,
        operation_id: str | None,
        policy: PromotionPolicy,
    ) -> None:
        super().__init__(backends, projection, command, operation_id)
        self._command = command
        self._policy = policy

    async def change(self, work: ModelUnitOfWork) -> PromotionPolicy:
        """The same policy again changes nothing."""
        policy, previous = self._policy, work.model.policy_fingerprint
        if previous != policy.fingerprint:
            await work.set_policy(policy)
            await work.append(
                EntryKind.POLICY_SET,
                actor=str(self._command.actor),
                reason=self._command.reason,
                operation_id=self.request.operation_id,
                detail={
                    "policy": policy.document(),
                    "fingerprint": policy.fingerprint,
                    "previous_fingerprint": previous,
                },
            )
        return policy

    def response(self, result: PromotionPolicy) -> dict[str, Any]:
        return {"policy": result.fingerprint}

    async def restore(self, response: Mapping[str, Any]) -> PromotionPolicy:
        return self._policy
