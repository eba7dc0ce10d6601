"""Loads a version's model for prediction, its bundle verified before anything is loaded."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from ..artifacts.bundle_cache import BundleCache
from ..domain import artifact_paths, identifiers
from ..domain.errors import (
    BundleCorrupt,
    InvalidInput,
    ModelNotFound,
    RegistryError,
    VersionNotFound,
)
from ..domain.identifiers import ModelId, TenantId
from ..domain.models import VersionMetadata
from ..domain.stages import Stage, parse_stage
from ..frameworks import adapter_for
from ..frameworks.dependencies import unmet_requirements
from ..frameworks.protocol import Predictor
from .artifact_root import require_same_root
from .backends import Backends

_log = logging.getLogger(__name__)


class Loading:
    def __init__(self, stores: Backends) -> None:
        self._stores = stores
        settings = stores.settings
        self._cache = BundleCache(Path(settings.cache_dir), settings.cache_bytes)

    async def load_model(
        self,
        tenant_id: str,
        model_id: str,
        version: int | str | None = None,
        stage: Stage | str | None = None,
    ) -> Predictor:
        """The model of a version, of the newest version in a stage, or of the production version.

        Without version and stage it is production or an error, never a version that has proved
        nothing. Its files are verified against the ledger's digest before anything is loaded.
        Raises BundleCorrupt, UntrustedModel, VersionNotFound, ModelNotFound.
        """
        tenant, model = identifiers.tenant_id(tenant_id), identifiers.model_id(model_id)
        metadata = await self._find(tenant_id, model_id, version, stage)
        row = await self._stores.ledger.read.row(tenant, model)
        if row is None:
            raise ModelNotFound(model)
        settings = self._stores.settings
        adapter = adapter_for(
            metadata.framework,
            settings_trusted_types=settings.trusted_types,
            allow_pickle=settings.allow_pickle,
        )
        async with self._bundle(metadata) as folder:
            unmet = await asyncio.to_thread(_unmet, folder)
            try:
                predictor = await asyncio.to_thread(adapter.load, folder, model_type=row.model_type)
            except RegistryError as error:
                if unmet:
                    error.add_note(f"not met here: {', '.join(unmet)}")
                raise
        if unmet:
            _log.warning(
                "%s/%s was saved with other packages than are here, and may predict differently: "
                "%s; nothing was installed",
                model,
                metadata.version,
                ", ".join(unmet),
            )
        return predictor

    @asynccontextmanager
    async def _bundle(self, version: VersionMetadata) -> AsyncIterator[Path]:
        """A local folder with the version's verified files."""
        artifacts = self._stores.artifacts
        async with AsyncExitStack() as stack:
            try:
                folder = await stack.enter_async_context(
                    self._cache.bundle(
                        artifacts,
                        TenantId(version.tenant_id),
                        ModelId(version.model_id),
                        version.version,
                        version.bundle_digest,
                    )
                )
            except BundleCorrupt:
                await require_same_root(artifacts, version)
                raise
            yield folder

    async def _find(
        self, tenant_id: str, model_id: str, version: int | str | None, stage: Stage | str | None
    ) -> VersionMetadata:
        """The version that is meant: by number, or the newest in a stage, or production. Never one
        that nobody has put there: what is in development has proved nothing."""
        tenant, model = identifiers.tenant_id(tenant_id), identifiers.model_id(model_id)
        if version is not None and stage is not None:
            raise InvalidInput("give a version or a stage, not both", field="stage")
        read = self._stores.ledger.read
        if version is not None:
            metadata = await read.version(tenant, model, identifiers.version_number(version))
            if metadata is None:
                raise VersionNotFound(model, version)
            return metadata
        if await read.model(tenant, model) is None:
            raise ModelNotFound(model)
        target = Stage.PRODUCTION if stage is None else parse_stage(stage)
        metadata = await read.newest(tenant, model, target)
        if metadata is None:
            raise VersionNotFound(
                model,
                f"in {target}",
                advice="promote one, or name the version or the stage to load"
                if stage is None
                else "",
            )
        return metadata


def _unmet(folder: Path) -> tuple[str, ...]:
    """Requirements of the bundle that this environment does not meet."""
    file = folder / artifact_paths.REQUIREMENTS
    return unmet_requirements(file.read_text().split()) if file.is_file() else ()
