"""Which heads of the ledger are known to be anchored outside of its database."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from ..domain.identifiers import ModelId, TenantId
from .clock import LedgerClock
from .engine import autocommit, read, single
from .tables import anchored_heads, models
from .upsert import insert_into


class AnchoredHeads:
    """A model whose epoch is not that of its row here, or that has none, is behind."""

    def __init__(self, engine: AsyncEngine, clock: LedgerClock) -> None:
        self._engine = engine
        self._clock = clock

    async def behind(self, tenant: TenantId | None, limit: int) -> list[tuple[TenantId, ModelId]]:
        """At most ``limit`` models, of one tenant or of all, whose newest entry is not anchored."""
        query = (
            select(models.c.tenant_id, models.c.model_id)
            .outerjoin(
                anchored_heads,
                (anchored_heads.c.tenant_id == models.c.tenant_id)
                & (anchored_heads.c.model_id == models.c.model_id),
            )
            # Not "above": a ledger that was cut and goes on has an older row than its anchor.
            .where(
                (models.c.epoch != func.coalesce(anchored_heads.c.epoch, 0))
                | (models.c.evidence_count != func.coalesce(anchored_heads.c.evidence_count, 0))
            )
            .limit(limit)
        )
        if tenant is not None:
            query = query.where(models.c.tenant_id == tenant)
        rows = await read(autocommit(self._engine), query)
        return [(TenantId(row["tenant_id"]), ModelId(row["model_id"])) for row in rows]

    async def record(
        self, tenant: TenantId, model: ModelId, epoch: int, evidence_count: int
    ) -> None:
        """Note that the entry ``epoch`` and so much evidence of the model are anchored. Of two
        writers the slower one may note older ones: the model is behind then, and anchored again."""
        async with single(self._engine) as connection:
            insert = insert_into(connection, anchored_heads)
            await connection.execute(
                insert.on_conflict_do_update(
                    index_elements=["tenant_id", "model_id"],
                    set_={
                        "epoch": insert.excluded.epoch,
                        "evidence_count": insert.excluded.evidence_count,
                        "anchored_at": insert.excluded.anchored_at,
                    },
                ),
                {
                    "tenant_id": tenant,
                    "model_id": model,
                    "epoch": epoch,
                    "evidence_count": evidence_count,
                    "anchored_at": self._clock.now(),
                },
            )
