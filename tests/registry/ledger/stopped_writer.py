"""A program that stops itself in the middle of a transaction, as a suspended machine does.

Arguments: the ledger's address, a tenant and a model.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from model_lifecycle.registry.domain.errors import BackendUnavailable
from model_lifecycle.registry.domain.identifiers import ModelId, TenantId
from model_lifecycle.registry.domain.models import EntryKind
from model_lifecycle.registry.ledger.ledger import Ledger


async def main(url: str, tenant: str, model: str) -> None:
    ledger = await Ledger.open(url)
    try:
        async with ledger.begin(TenantId(tenant), ModelId(model)) as work:
            print("locked", flush=True)
            os.kill(os.getpid(), signal.SIGSTOP)
            await work.append(EntryKind.MOVED, actor="late", reason="", operation_id="late")
    except BackendUnavailable as error:
        print(f"refused: {error}", flush=True)
    else:
        print("committed", flush=True)
    await ledger.close()


asyncio.run(main(*sys.argv[1:]))
