"""Turns a source into a version: MLflow's number, the bundle, then the ledger's entry.

The ledger's entry is the commit point, and comes last: until then no reader sees the version.
Each step finds what an earlier attempt left, so a repetition goes on instead of starting again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ...artifacts.bundle import Bundle, write_bundle
from ...artifacts.model_card import model_card
from ...domain import artifact_paths
from ...domain.errors import AlreadyExists, BackendUnavailable, InvalidInput
from ...domain.identifiers import ModelId, TenantId, registered_name
from ...domain.model_outputs import model_outputs
from ...domain.models import (
    ONNX_PARITY,
    EntryKind,
    Framework,
    ModelMetadata,
    Receipt,
    StageMove,
    VersionMetadata,
)
from ...domain.stages import Stage
from ...frameworks import adapter_for
from ...frameworks.mlflow_folder import record_outputs
from ...frameworks.onnx_model.validation import require_sound
from ...frameworks.protocol import SavedModel
from ...ledger.ledger import Ledger
from ...ledger.mappers import ModelRow
from ..artifact_root import require_same_root
from ..backends import Backends
from ..idempotency import IdempotentRequest, model_response, restore_response, stored_response
from ..projection.projection import Projection
from .mlflow_versions import MlflowVersions
from .model_sources import Source
from .plan import RegistrationPlan

_RUNS_CODE = (
    "It is pickled: loading it runs code that its files choose, which the setting "
    "MODEL_LIFECYCLE_ALLOW_PICKLE permits."
)


class VersionCreation:
    def __init__(self, stores: Backends, projection: Projection) -> None:
        self._stores = stores
        self._projection = projection
        self._mlflow_versions = MlflowVersions(stores)

    async def publish(
        self,
        tenant: TenantId,
        model: ModelId,
        plan: RegistrationPlan,
        source: Source,
        folder: Path,
        request: IdempotentRequest,
        *,
        repeated: bool,
    ) -> ModelMetadata:
        """The model with its new version in development. ``folder`` is a local copy of the
        source's files; ``repeated`` tells that an earlier attempt at the same operation may have
        left something in MLflow."""
        saved = await asyncio.to_thread(self.check, plan, folder)
        await self._projection.prepare(tenant, model)
        number = await self._mlflow_versions.create(
            tenant, model, plan, source, request, repeated=repeated
        )
        try:
            bundle = await self.bundle(tenant, model, number, plan, source, saved, folder)
        except AlreadyExists:
            if not request.named:
                raise
            return await self._concurrent_winner(tenant, model, request)
        try:
            return await self.commit(
                tenant,
                model,
                number,
                plan,
                source,
                saved,
                bundle,
                request,
                kind=EntryKind.REGISTERED,
            )
        except InvalidInput:
            await self.discard(tenant, model, number)
            raise

    async def _concurrent_winner(
        self, tenant: TenantId, model: ModelId, request: IdempotentRequest
    ) -> ModelMetadata:
        """The answer of another attempt at this registration, whose files are in the bundle's
        place: it has logged its own, so they differ from ours. Raises BackendUnavailable while it
        has not committed."""
        earlier = await stored_response(self._stores.ledger, tenant, request)
        if earlier is None:
            raise BackendUnavailable(
                "registry", "the same registration is being made now"
            ) from None
        return await self.replay_response(tenant, model, request, earlier)

    async def replay_response(
        self,
        tenant: TenantId,
        model: ModelId,
        request: IdempotentRequest,
        response: Mapping[str, Any],
    ) -> ModelMetadata:
        """The response of a registration that has committed before; MLflow follows if it had
        not."""
        await self._projection.try_apply_pending(tenant, model)
        return await restore_response(self._stores.ledger, tenant, response, request.operation_id)

    async def check_artifact_root(self) -> None:
        """Raise :class:`InvalidInput` if the ledger's versions have their files elsewhere than
        this process would put the next."""
        version = await self._stores.ledger.read.any_version()
        if version is not None:
            await require_same_root(self._stores.artifacts, version)

    async def check_model_type(
        self, tenant: TenantId, model: ModelId, plan: RegistrationPlan
    ) -> None:
        """Raise :class:`InvalidInput` if the model exists and is of another type."""
        row = await self._stores.ledger.read.row(tenant, model)
        if row is not None:
            _check_model_type(row, plan)

    async def discard(self, tenant: TenantId, model: ModelId, number: int) -> None:
        """Remove a version that MLflow has and the ledger did not take."""
        if await self._stores.ledger.read.versions_by_number(tenant, model, [number]):
            return
        await self._stores.tracking.delete_version(registered_name(tenant, model), number)
        await self._stores.artifacts.delete_folder(artifact_paths.bundle(tenant, model, number))

    async def bundle(
        self,
        tenant: TenantId,
        model: ModelId,
        number: int,
        plan: RegistrationPlan,
        source: Source,
        saved: SavedModel,
        folder: Path,
    ) -> Bundle:
        """Write the version's bundle; the same plan and source always give the same digest."""
        card = model_card(
            tenant_id=tenant,
            model_id=model,
            version=number,
            framework=plan.framework,
            model_type=plan.model_type,
            description=plan.description,
            metrics=plan.metrics,
            parameters=plan.parameters,
            tags=plan.tags,
            dataset=plan.dataset,
            columns=[(column.name, column.type) for column in saved.columns or ()],
            requirements=saved.requirements,
            run_id=source.run.run_id if source.run else None,
            logged_model_id=source.logged.model_id if source.logged else None,
            created_by=plan.created_by,
            notes=saved.notes,
            limits=[_RUNS_CODE] if saved.pickled else [],
            onnx=saved.onnx.sentence(),
            omitted_metrics=plan.omitted_metrics,
        )
        requirements = "".join(f"{line}\n" for line in saved.requirements)
        return await write_bundle(
            self._stores.artifacts,
            tenant,
            model,
            number,
            framework=plan.framework,
            saved_folder=folder,
            source_path=source.path,
            extra={
                artifact_paths.MODEL_CARD: card.encode(),
                artifact_paths.REQUIREMENTS: requirements.encode(),
            },
        )

    async def commit(
        self,
        tenant: TenantId,
        model: ModelId,
        number: int,
        plan: RegistrationPlan,
        source: Source,
        saved: SavedModel,
        bundle: Bundle,
        request: IdempotentRequest,
        *,
        kind: EntryKind,
        actor: str | None = None,
        reason: str = "",
    ) -> ModelMetadata:
        """Enter the version into the ledger, or return the response of an earlier attempt."""
        ledger: Ledger = self._stores.ledger
        async with ledger.begin_new(
            tenant,
            model,
            description=plan.description,
            model_type=plan.model_type,
            actor=plan.created_by,
        ) as work:
            earlier = await work.stored_response(request.operation_id, request.fingerprint)
            if earlier is None:
                _check_model_type(work.model, plan)
                created_at = datetime.fromisoformat(plan.created_at)
                await work.add_version(
                    VersionMetadata(
                        tenant_id=tenant,
                        model_id=model,
                        version=number,
                        stage=Stage.DEVELOPMENT,
                        framework=plan.framework,
                        metrics=plan.metrics,
                        parameters=plan.parameters,
                        tags={**plan.tags, **_dataset_tags(plan), **_onnx_tag(saved)},
                        artifact_uri=bundle.uri,
                        bundle_digest=bundle.digest,
                        run_id=source.run.run_id if source.run else None,
                        logged_model_id=source.logged.model_id if source.logged else None,
                        created_at=created_at,
                        created_by=plan.created_by,
                        updated_at=created_at,
                    )
                )
                entry = await work.append(
                    kind,
                    actor=actor or plan.created_by,
                    reason=reason,
                    operation_id=request.operation_id,
                    moves=[StageMove(number, None, Stage.DEVELOPMENT)],
                    detail={
                        "bundle_digest": bundle.digest,
                        "artifact_uri": bundle.uri,
                        "framework": plan.framework,
                        "run_id": source.run.run_id if source.run else None,
                        **_onnx_tag(saved),
                        **_omitted(plan),
                    },
                )
                answer = replace(await work.metadata(), receipt=Receipt(entry, repeated=False))
                response = {**model_response(answer), "version": number}
                await work.store_response(request.operation_id, request.fingerprint, response)
                change = await work.enqueue_sync()
        if earlier is not None:
            if earlier.get("version") != number:
                await self.discard(tenant, model, number)
            return await self.replay_response(tenant, model, request, earlier)
        await self._projection.apply_change(tenant, model, change)
        return answer

    def check(self, plan: RegistrationPlan, folder: Path) -> SavedModel:
        """What the folder holds, nothing of it executed. The outputs that the plan names are
        noted in its ``MLmodel`` file. Blocking: call it in a thread."""
        settings = self._stores.settings
        adapter = adapter_for(
            plan.framework,
            settings_trusted_types=settings.trusted_types,
            allow_pickle=settings.allow_pickle,
        )
        if plan.outputs:
            record_outputs(folder, model_outputs(plan.outputs))
        saved = adapter.check(folder, model_type=plan.model_type)
        file = folder / artifact_paths.ONNX_MODEL
        if plan.framework != Framework.ONNX and file.is_file() and find_spec("onnx"):
            require_sound(file)
        return saved


def _check_model_type(model: ModelRow, plan: RegistrationPlan) -> None:
    if model.model_type != plan.model_type:
        raise InvalidInput(
            f"model {model.model_id!r} is a {model.model_type} model; "
            f"a {plan.model_type} model needs a name of its own",
            field="model_type",
        )


def _dataset_tags(plan: RegistrationPlan) -> dict[str, str]:
    """The training data as tags ``dataset.<key>``, which the gates read."""
    return {
        f"dataset.{key}": str(plan.dataset[key])
        for key in ("name", "digest", "start", "end")
        if key in plan.dataset
    }


def _omitted(plan: RegistrationPlan) -> dict[str, Any]:
    """For the ledger entry: which metrics of the run the version does not have, and why."""
    return {"omitted_metrics": plan.omitted_metrics} if plan.omitted_metrics else {}


def _onnx_tag(saved: SavedModel) -> dict[str, str]:
    """The tag that a policy with ``require_onnx`` needs: ``model.onnx`` exists and was compared."""
    difference = saved.onnx.difference
    return {} if difference is None else {ONNX_PARITY: f"{difference:.2g}"}
