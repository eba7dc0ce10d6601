"""The origin of a registration, recorded in the ledger before anything depends on it.

A second attempt, or ``reconcile``, finishes a registration from what its own plan recorded, never
from what carries its operation id as a tag in MLflow: anybody can set that.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path

from ...domain.identifiers import ModelId, TenantId
from ..backends import Backends
from ..idempotency import IdempotentRequest
from .model_sources import Source, Sources
from .plan import RegistrationPlan
from .run_logging import Training


class Origins:
    def __init__(self, stores: Backends, training: Training, sources: Sources) -> None:
        self._stores = stores
        self._training = training
        self._sources = sources

    async def fetch(self, tenant: TenantId, origin: Mapping[str, str], folder: Path) -> Source:
        """The source that the first attempt recorded, its files in ``folder``."""
        source = await self._sources.of_origin(tenant, origin)
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        await self._stores.artifacts.get_folder(source.path, folder)
        return source

    async def log(
        self,
        tenant: TenantId,
        model: ModelId,
        plan: RegistrationPlan,
        folder: Path,
        request: IdempotentRequest,
        *,
        training_log: str | None,
        run_id: str | None,
    ) -> Source:
        """The folder logged in MLflow, or what an earlier attempt has logged of it. What was made
        is known from the ledger: a tag in MLflow anybody can set."""
        ledger = self._stores.ledger
        if plan.origin is not None:
            return await self.fetch(tenant, plan.origin, folder)
        run = run_id or plan.run_id
        if run is None:
            run = await self._training.begin_run(tenant, model, plan, request)
            recorded = await ledger.add_to_plan(tenant, request.operation_id, {"run_id": run})
            run = recorded["run_id"]
        logged = await self._training.log_folder(
            tenant,
            model,
            plan,
            folder,
            request,
            training_log=training_log,
            run_id=run,
            is_new_run=run_id is None,
        )
        source = await self._sources.of_logged(tenant, logged)
        recorded = await ledger.add_to_plan(tenant, request.operation_id, {"origin": source.origin})
        if recorded["origin"] != source.origin:
            return await self.fetch(tenant, recorded["origin"], folder)
        return source
