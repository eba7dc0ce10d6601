"""A program that promotes a version and is killed right after the ledger has committed.

Arguments: the registry's settings as JSON, a tenant, a model and a version.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from typing import Any

from sqlalchemy import event

from model_lifecycle.registry.factory import open_registry
from model_lifecycle.registry.settings import Settings


async def main(settings: str, tenant: str, model: str, version: str) -> None:
    async with open_registry(Settings({}, **json.loads(settings))) as registry:
        engine = registry._stores.ledger._engine.sync_engine
        dialect: Any = engine.dialect
        commit = dialect.do_commit
        changes = []

        @event.listens_for(engine, "after_cursor_execute")
        def _executed(_c: Any, _k: Any, statement: str, _p: Any, _x: Any, _m: bool) -> None:
            changes.extend([statement] if statement.startswith("INSERT INTO entries") else [])

        def committed(connection: Any) -> None:
            commit(connection)
            if changes:
                os.kill(os.getpid(), signal.SIGKILL)

        dialect.do_commit = committed
        await registry.transition_stage(tenant, model, version, "production", actor="kim")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
