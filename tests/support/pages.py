"""One model's pages of a ledger, written without MLflow and without files."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from support.registry_fixture import new_name

from model_lifecycle.registry.domain.evidence import Evidence, Verdict
from model_lifecycle.registry.domain.identifiers import ModelId, TenantId
from model_lifecycle.registry.domain.models import (
    EntryKind,
    LedgerEntry,
    StageMove,
    VersionMetadata,
)
from model_lifecycle.registry.domain.promotion_policy import PromotionPolicy
from model_lifecycle.registry.domain.stages import Gate, Stage
from model_lifecycle.registry.ledger.ledger import Ledger


@dataclass
class Pages:
    ledger: Ledger
    tenant: TenantId = field(default_factory=lambda: TenantId(new_name("acme")))
    model: ModelId = field(default_factory=lambda: ModelId("churn"))

    async def register(self, version: int, digest: str = "") -> None:
        """Enter a version in development."""
        digest = digest or f"sha256:{version:064x}"
        now = self.ledger.clock()
        async with self.ledger.begin_new(
            self.tenant, self.model, description="", model_type="classification", actor="kim"
        ) as work:
            await work.add_version(
                VersionMetadata(
                    tenant_id=self.tenant,
                    model_id=self.model,
                    version=version,
                    stage=Stage.DEVELOPMENT,
                    framework="sklearn",
                    metrics={"auc": 0.5},
                    parameters={},
                    tags={},
                    artifact_uri=f"file:///{version}",
                    bundle_digest=digest,
                    run_id=None,
                    logged_model_id=None,
                    created_at=now,
                    created_by="kim",
                    updated_at=now,
                )
            )
            await work.append(
                EntryKind.REGISTERED,
                actor="kim",
                reason="",
                operation_id=str(uuid.uuid4()),
                moves=[StageMove(version, None, Stage.DEVELOPMENT)],
                detail={"bundle_digest": digest},
            )

    async def move(
        self,
        *moves: tuple[int, Stage, Stage],
        evidence: Iterable[Evidence] = (),
        kind: EntryKind = EntryKind.MOVED,
        **values: Any,
    ) -> LedgerEntry:
        """Append one entry that makes these moves, whatever the rules say of them; by force, where
        it stands on no evidence."""
        evidence = tuple(evidence)
        async with self.ledger.begin(self.tenant, self.model) as work:
            return await work.append(
                kind,
                actor=values.get("actor", "kim"),
                reason=values.get("reason", "why"),
                operation_id=str(uuid.uuid4()),
                moves=[StageMove(*item) for item in moves],
                evidence=evidence,
                forced=values.get("forced", not evidence),
            )

    async def judge(
        self, version: int, *, baseline: int | None = None, digest: str = ""
    ) -> Evidence:
        """Record a PASS of the shadow gate."""
        async with self.ledger.begin(self.tenant, self.model) as work:
            item = Evidence(
                evidence_id=new_name("evidence"),
                gate=Gate.SHADOW,
                verdict=Verdict.PASS,
                bundle_digest=digest or f"sha256:{version:064x}",
                baseline=baseline,
                policy_fingerprint=work.model.policy_fingerprint,
                tenant_id=self.tenant,
                model_id=self.model,
                version=version,
                recorded_at=work.clock.now,
                recorded_by="kim",
                epoch=work.model.epoch,
                position=1,
            )
            await work.add_evidence(item)
        return item

    async def promote(self, version: int, replaced: int | None = None) -> LedgerEntry:
        """From staging to production on evidence; ``replaced`` is archived."""
        moves = [(version, Stage.STAGING, Stage.PRODUCTION)]
        if replaced is not None:
            moves.append((replaced, Stage.PRODUCTION, Stage.ARCHIVED))
        return await self.move(*moves, evidence=[await self.judge(version, baseline=replaced)])

    async def set_policy(self, policy: PromotionPolicy) -> None:
        async with self.ledger.begin(self.tenant, self.model) as work:
            await work.set_policy(policy)
            await work.append(
                EntryKind.POLICY_SET,
                actor="kim",
                reason="stricter",
                operation_id=str(uuid.uuid4()),
                detail={"policy": policy.document(), "fingerprint": policy.fingerprint},
            )

    async def life(self) -> None:
        """Two versions, the second promoted over the first, under a policy of their own: seven
        entries."""
        await self.register(1)
        await self.set_policy(PromotionPolicy(shadow={"blocks": 28}))
        await self.move((1, Stage.DEVELOPMENT, Stage.STAGING))
        await self.promote(1)
        await self.register(2)
        await self.move((2, Stage.DEVELOPMENT, Stage.STAGING))
        await self.promote(2, replaced=1)

    async def entries(self) -> list[LedgerEntry]:
        return await self.ledger.read.entries(self.tenant, self.model)

    async def stages(self) -> dict[int, Stage]:
        versions = await self.ledger.read.versions(self.tenant, self.model, deleted=True)
        return {item.version: item.stage for item in versions}
