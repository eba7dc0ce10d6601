"""The files of a version: checked as they are registered, then stored as its bundle."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from pathlib import Path

from ...artifacts.bundle import Bundle, write_bundle, write_bundle_signature
from ...artifacts.model_card import model_card
from ...artifacts.protocol import ArtifactStore
from ...attestation.bundle_signature import BundleSigner
from ...domain import artifact_paths
from ...domain.identifiers import ModelId, TenantId
from ...domain.model_outputs import model_outputs
from ...domain.models import Framework
from ...frameworks import adapter_for
from ...frameworks.mlflow_folder import record_outputs
from ...frameworks.onnx_model.validation import require_sound
from ...frameworks.protocol import SavedModel
from ...settings import Settings
from .model_sources import Source
from .plan import RegistrationPlan

_RUNS_CODE = (
    "It is pickled: loading it runs code that its files choose, which the setting "
    "MODEL_LIFECYCLE_ALLOW_PICKLE permits."
)


def check_model_folder(settings: Settings, plan: RegistrationPlan, folder: Path) -> SavedModel:
    """The model that the folder holds, nothing of it executed. The outputs that the plan names are
    noted in its ``MLmodel`` file. Blocking: call it in a thread."""
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


async def load_bundle_signer(settings: Settings) -> BundleSigner | None:
    """The signer of bundles; None where no key is configured. Raises InvalidInput for a key that
    cannot be used, FrameworkUnavailable where the packages are not installed."""
    if not settings.bundle_key:
        return None
    return await asyncio.to_thread(BundleSigner.load, settings.bundle_key, field="bundle_key")


async def sign_version_bundle(
    artifacts: ArtifactStore,
    signer: BundleSigner | None,
    tenant: TenantId,
    model: ModelId,
    number: int,
    bundle: Bundle,
) -> None:
    """Write the signature of a stored bundle, the manifest included; nothing without a signer."""
    if signer is None:
        return
    files = {name: entry.sha256 for name, entry in bundle.files.items()}
    signature = await asyncio.to_thread(
        signer.sign, f"{model}-{number}", files, beside=artifact_paths.BESIDE_BUNDLE
    )
    await write_bundle_signature(artifacts, tenant, model, number, signature)


async def write_version_bundle(
    artifacts: ArtifactStore,
    tenant: TenantId,
    model: ModelId,
    number: int,
    plan: RegistrationPlan,
    source: Source,
    saved: SavedModel,
    folder: Path,
) -> Bundle:
    """Write the version's bundle; the same plan and source always give the same digest. Raises as
    :func:`write_bundle` does."""
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
        artifacts,
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
