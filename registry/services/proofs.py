"""Exports the proof of a version: its record, signed, for readers without access to the ledger."""

from __future__ import annotations

import asyncio
from typing import Any

from ..attestation.proof_check import verify_proof
from ..attestation.proof_document import ProofContent, build_proof
from ..domain import identifiers
from ..domain.errors import InvalidInput, LedgerBehind, VersionNotFound
from ..domain.evidence import Evidence
from ..domain.identifiers import ModelId, TenantId
from ..domain.models import LedgerEntry
from ..ledger.timeouts import MAINTENANCE
from ..ledger.unit_of_work import ModelUnitOfWork
from ..ledger.verify import entry_pages
from .backends import Backends
from .signing_keys import SigningKeys


class ProofService:
    def __init__(self, backends: Backends, keys: SigningKeys) -> None:
        self._ledger = backends.ledger
        self._keys = keys

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
        tenant, model = identifiers.tenant_id(tenant_id), identifiers.model_id(model_id)
        number = identifiers.version_number(version)
        key = await self._keys.ledger()
        content = await self._content(tenant, model, number)
        await self._ledger.tree.extend(tenant)
        proof = await self._ledger.tree.prove(
            tenant, model, {entry.sequence: entry.hash for entry in content.own_entries}
        )
        earlier = None
        if since is not None:
            if since < 1:
                raise InvalidInput("since must be a tree's size, at least 1", field="since")
            if since > proof.head.size:
                raise LedgerBehind(expected=since, actual=proof.head.size)
            earlier = since, await self._ledger.tree.consistency(tenant, since, proof.head)
        signed_at = self._ledger.clock()

        def build() -> dict[str, Any]:
            document = build_proof(
                content,
                tree_size=proof.head.size,
                root=proof.head.root,
                inclusion=proof.inclusion,
                earlier=earlier,
                key=key,
                signed_at=signed_at,
            )
            # What does not hold is not given out: a ledger that was changed proves nothing.
            verify_proof(document, trusted_key=key.public_key.pem())
            return document

        document = await asyncio.to_thread(build)
        await self._ledger.tree.record_head(
            tenant, proof.head, key_id=key.public_key.key_id, at=signed_at
        )
        return document

    async def verify_tree(self, tenant_id: str) -> int:
        """Number of entries in the tenant's Merkle tree, if each is as it entered the tree, and the
        tree is that of every signed head. Raises LedgerCorrupt for the first that differs."""
        return await self._ledger.tree.verify(identifiers.tenant_id(tenant_id))

    async def _content(self, tenant: TenantId, model: ModelId, number: int) -> ProofContent:
        """The ledger's records of the version, in one consistent state."""
        async with self._ledger.snapshot(tenant, model, limits=MAINTENANCE) as work:
            # Also one that was deleted or erased: its record stays.
            recorded = {item.version: item for item in await work.versions(deleted=True)}
            if number not in recorded:
                raise VersionNotFound(model, number)
            entries = [entry async for page in entry_pages(work) for entry in page]
            evidence = await _evidence(work, number, entries)
            policy = work.model.policy
        return ProofContent(recorded[number], policy, tuple(entries), evidence)


async def _evidence(
    work: ModelUnitOfWork, number: int, entries: list[LedgerEntry]
) -> tuple[Evidence, ...]:
    """All evidence about the version, and that on which entries about other versions stand."""
    own = {item.evidence_id: item for item in await work.evidence(number)}
    ids = {str(reference.get("evidence_id")) for entry in entries for reference in entry.evidence}
    others = await work.evidence_by_id(sorted(ids - own.keys()))
    return (*own.values(), *(others[evidence_id] for evidence_id in sorted(others)))
