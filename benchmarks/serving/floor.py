"""The floor: a FastAPI route that does one SELECT, on the same server, driver and pool settings."""

from __future__ import annotations

import os

from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

app = FastAPI()
engine = create_async_engine(os.environ["FLOOR_DATABASE_URL"], pool_size=8, max_overflow=0)
QUERY = text(
    "SELECT * FROM versions WHERE tenant_id = :tenant AND model_id = :model AND version = 1"
)


@app.get("/models/{model_id}")
async def get_model(model_id: str) -> dict[str, object]:
    async with engine.connect() as connection:
        rows = await connection.execute(QUERY, {"tenant": "acme", "model": model_id})
        return dict(rows.mappings().one())
