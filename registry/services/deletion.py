"""Deletes versions that were never in production. The ledger keeps the record of them."""

from __future__ import annotations

import logging

from ..domain import artifact_paths, identifiers
from ..domain.authorization import Action, Principal, principal, require
from ..domain.commands import DeleteVersions
from ..domain.errors import BackendUnavailable, InvalidTransition, ModelNotFound
from ..domain.identifiers import ModelId, TenantId
from ..domain.models import EntryKind, StageMove, VersionMetadata
from ..domain.preconditions import ANY, ExpectedEpoch, check_epoch, parse_expected_epoch
from ..domain.stage_record import StageRecord
from ..domain.stages import Cause, Stage, requirement
from .backends import Backends
from .idempotency import idempotent_request, stored_response, stored_response_locked
from .projection.projection import Projection
from .transitions import check_reason

log = logging.getLogger(__name__)


class Deletion:
    def __init__(self, stores: Backends, projection: Projection) -> None:
        self._stores = stores
        self._projection = projection

    async def delete_model(
        self,
        tenant_id: str,
        model_id: str,
        version: int | str | None = None,
        *,
        actor: Principal | str,
        reason: str,
        expected_epoch: ExpectedEpoch = ANY,
        operation_id: str | None = None,
    ) -> None:
        tenant, model = identifiers.tenant_id(tenant_id), identifiers.model_id(model_id)
        number = None if version is None else identifiers.version_number(version)
        epochs = parse_expected_epoch(expected_epoch)
        who = principal(actor)
        require(who, Action.DELETE)
        check_reason(reason, "a deletion")
        command = DeleteVersions(
            actor=who,
            tenant_id=tenant,
            model_id=model,
            version=number,
            reason=reason,
            expected_epoch=epochs,
        )
        request = idempotent_request(operation_id, command)
        earlier = await stored_response(self._stores.ledger, tenant, request)
        if earlier is not None:
            await self._projection.try_apply_pending(tenant, model)
            # The first attempt may have ended before it came to the files.
            await self._remove_bundles(tenant, model, earlier["versions"])
            return
        await self._projection.prepare(tenant, model)
        async with self._stores.ledger.begin(tenant, model) as work:
            if await stored_response_locked(work, request) is not None:
                return
            check_epoch(epochs, model, work.model.epoch)
            doomed = await work.versions() if number is None else [await work.version(number)]
            if not doomed:
                raise ModelNotFound(model)
            for item in doomed:
                _check_never_productive(item, work.record(item.version))
                requirement(item.stage, Stage.DELETED, Cause.DELETION)
            await work.append(
                EntryKind.DELETED,
                actor=str(who),
                reason=reason,
                operation_id=request.operation_id,
                moves=[StageMove(item.version, item.stage, Stage.DELETED) for item in doomed],
            )
            numbers = [item.version for item in doomed]
            answer = {"deleted": True, "versions": numbers}
            await work.store_response(request.operation_id, request.fingerprint, answer)
            change = await work.enqueue_sync()
        await self._projection.apply_change(tenant, model, change)
        await self._remove_bundles(tenant, model, numbers)

    async def _remove_bundles(self, tenant: TenantId, model: ModelId, versions: list[int]) -> None:
        for number in versions:
            try:
                await self._stores.artifacts.delete_folder(
                    artifact_paths.bundle(tenant, model, number)
                )
            except BackendUnavailable as error:
                log.warning("model %s: files of version %s remain: %s", model, number, error)


def _check_never_productive(version: VersionMetadata, record: StageRecord) -> None:
    """Raise :class:`InvalidTransition` if the version ever was in production."""
    if record.first_production is not None:
        raise InvalidTransition(
            version.stage,
            Stage.DELETED,
            advice=f"version {version.version} was in production (entry "
            f"{record.first_production} of the ledger), and is kept as a record",
        )
