"""Moves of versions in the table of versions: the stage, and what it adds to a version's past."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import BigInteger, String, bindparam, func, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ..domain.models import LedgerEntry, StageMove
from ..domain.stage_record import departure, ends_proof
from ..domain.stages import Stage
from .tables import versions

# As ``StageRecord.after`` has it; ``verify`` compares.
_MOVE = (
    update(versions)
    .where(
        versions.c.tenant_id == bindparam("tenant"),
        versions.c.model_id == bindparam("model"),
        versions.c.version == bindparam("number"),
    )
    .values(
        stage=bindparam("target"),
        updated_at=bindparam("at"),
        evidence_since=func.coalesce(
            bindparam("since", type_=BigInteger), versions.c.evidence_since
        ),
        first_production=func.coalesce(
            versions.c.first_production, bindparam("entered", type_=BigInteger)
        ),
        left_production=func.coalesce(
            bindparam("left", type_=String(16)), versions.c.left_production
        ),
    )
)


async def apply_moves(
    connection: AsyncConnection, entry: LedgerEntry, ordered: Collection[StageMove]
) -> None:
    """Apply the moves of ``entry``, in this order."""
    await connection.execute(_MOVE, [_values(entry, move) for move in ordered])


def _values(entry: LedgerEntry, move: StageMove) -> dict[str, Any]:
    left = departure(move, entry.moves)
    return {
        "tenant": entry.tenant_id,
        "model": entry.model_id,
        "number": move.version,
        "target": move.target.value,
        "at": entry.at,
        "since": entry.sequence if ends_proof(move) else None,
        "entered": entry.sequence if move.target is Stage.PRODUCTION else None,
        "left": left.value if left else None,
    }
