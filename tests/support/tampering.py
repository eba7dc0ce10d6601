"""SQL behind the registry's back, and what the verification says of it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from support.pages import Pages

from model_lifecycle.registry.domain.errors import LedgerCorrupt
from model_lifecycle.registry.ledger.engine import writing
from model_lifecycle.registry.ledger.verify import verify_model


async def run_statements(
    engine: AsyncEngine, pages: Pages, *statements: str, **values: Any
) -> None:
    """Run statements about the model of ``pages``; each has to change a row."""
    async with writing(engine) as connection:
        for statement in statements:
            done = await connection.execute(
                text(f"{statement} AND tenant_id = :tenant AND model_id = :model"),
                {**values, "tenant": pages.tenant, "model": pages.model},
            )
            assert done.rowcount, statement


async def corruption(pages: Pages) -> LedgerCorrupt:
    """The error of verifying the model."""
    with pytest.raises(LedgerCorrupt) as caught:
        await verify_model(pages.ledger, pages.tenant, pages.model)
    return caught.value
