"""Makes the version in MLflow that a registration becomes, and knows it again.

What MLflow serves as a version is its bundle, whose path holds the version's number; MLflow tells
the number only once the version is there. So the number is guessed, and a version that got another
one is made again.
"""

from __future__ import annotations

import asyncio
import random
from itertools import count

from ...concurrency import run_concurrently
from ...domain import artifact_paths
from ...domain.identifiers import ModelId, TenantId, registered_name
from ...domain.stages import Stage
from ...mlflow_adapter import tags
from ...mlflow_adapter.records import ModelVersionRecord
from ..backends import Backends
from ..idempotency import IdempotentRequest
from ..projection.identity import is_own_bundle, logged_model_of
from .model_sources import Source
from .plan import RegistrationPlan

#: Seconds, times a growing number, within which those that met try for a number again.
_APART = 0.05


class MlflowVersions:
    def __init__(self, stores: Backends) -> None:
        self._stores = stores

    async def create(
        self,
        tenant: TenantId,
        model: ModelId,
        plan: RegistrationPlan,
        source: Source,
        request: IdempotentRequest,
        *,
        repeated: bool,
    ) -> int:
        """The number of the version that MLflow now has of ``source``; of a ``repeated`` operation
        the one that its earlier attempt left. Raises as MLflow's adapter does."""
        tracking = self._stores.tracking
        name = registered_name(tenant, model)
        await tracking.ensure_registered_model(name, tags={}, description=plan.description)
        if repeated:
            # Created, but the answer was lost: MLflow would make a second one without a word.
            for record in await tracking.versions_tagged(name, request.operation_id):
                if self.is_own(tenant, model, record, source) and await self._is_free(
                    tenant, model, record.version, request
                ):
                    return record.version
        number = await self._next_number(tenant, model)
        for attempt in count():
            address = self._address(tenant, model, number, source)
            created = await tracking.create_model_version(
                name,
                source=address,
                run_id=source.run.run_id if source.run else None,
                logged_model_id=source.logged.model_id if source.logged else None,
                tags={
                    **plan.tags,
                    tags.OPERATION_ID: request.operation_id,
                    tags.STAGE: Stage.DEVELOPMENT.value,
                    tags.FRAMEWORK: plan.framework,
                    tags.CREATED_BY: plan.created_by,
                },
                description=plan.description,
            )
            if address == self._address(tenant, model, created, source) and await self._is_free(
                tenant, model, created, request
            ):
                return created
            await tracking.delete_version(name, created)
            if created > number:
                # Others register at the same time: the one that waits longest does not meet them.
                await asyncio.sleep(random.uniform(0, min(2**attempt, 16) * _APART))  # noqa: S311
            number = max(number, created + 1, await self._next_number(tenant, model))
        raise AssertionError("counting does not end")

    async def _next_number(self, tenant: TenantId, model: ModelId) -> int:
        """The number that MLflow most likely gives next; after its registered model was deleted,
        it counts again through those that the ledger knows."""
        numbers = await run_concurrently(
            self._stores.ledger.read.highest_version(tenant, model),
            self._stores.tracking.newest_version(registered_name(tenant, model)),
        )
        return max(numbers) + 1

    def _address(self, tenant: TenantId, model: ModelId, number: int, source: Source) -> str:
        """The address that MLflow serves the version of this number from: its bundle, so that it
        serves what was proved. Where a server refuses the bundle, it is the source's own folder,
        which a promotion compares with the bundle: of a LoggedModel, a server accepts it."""
        bundle = self._stores.artifacts.uri(artifact_paths.bundle(tenant, model, number))
        if self._stores.tracking.accepts_source(bundle):
            return bundle
        return source.logged.artifact_uri if source.logged else source.uri

    def is_own(
        self, tenant: TenantId, model: ModelId, record: ModelVersionRecord, source: Source
    ) -> bool:
        """Whether MLflow's version is what a registration from ``source`` makes under its number.
        Its tags prove nothing: anybody can set them."""
        artifacts = self._stores.artifacts
        run_id = source.run.run_id if source.run else None
        if record.run_id not in (None, run_id):
            return False
        bundle = artifacts.uri(artifact_paths.bundle(tenant, model, record.version))
        if self._address(tenant, model, record.version, source) == bundle:
            return is_own_bundle(tenant, record, artifacts)
        logged = source.logged.model_id if source.logged else None
        if logged is not None:
            return logged_model_of(tenant, record, artifacts) == logged
        return artifacts.path_of(record.source) == source.path

    async def _is_free(
        self, tenant: TenantId, model: ModelId, number: int, request: IdempotentRequest
    ) -> bool:
        """Whether the number is free in the ledger, or was entered for this very request.

        MLflow counts from 1 again after its registered model was deleted: the numbers that
        the ledger knows belong to other files then, and are passed over.
        """
        read = self._stores.ledger.read
        if not await read.versions_by_number(tenant, model, [number]):
            return True
        operation = await read.operation(tenant, request.operation_id)
        return operation is not None and operation.answer is not None
