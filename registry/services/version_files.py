"""Whether the files of a version are those that were registered, wherever they are used from."""

from __future__ import annotations

from ..artifacts.bundle_verification import verify_bundle, verify_copy
from ..artifacts.manifest import Manifest
from ..concurrency import run_concurrently
from ..domain import artifact_paths, identifiers
from ..domain.errors import BundleCorrupt, VersionNotFound
from ..domain.identifiers import ModelId, TenantId, registered_name
from ..domain.models import VersionMetadata
from ..mlflow_adapter.records import ModelVersionRecord
from .artifact_root import require_same_root
from .backends import Backends
from .projection.identity import mismatch
from .registration.model_sources import Sources


class VersionFiles:
    def __init__(self, stores: Backends, sources: Sources) -> None:
        self._stores = stores
        self._sources = sources

    async def verify_version(self, tenant_id: str, model_id: str, version: int | str) -> None:
        """:meth:`verify` for a version by its number. Raises VersionNotFound."""
        tenant, model = identifiers.tenant_id(tenant_id), identifiers.model_id(model_id)
        number = identifiers.version_number(version)
        metadata = await self._stores.ledger.read.version(tenant, model, number)
        if metadata is None:
            raise VersionNotFound(model, number)
        await self.verify(metadata, every_byte=True)

    async def verify(
        self, version: VersionMetadata, *, every_byte: bool = False
    ) -> ModelVersionRecord | None:
        """Compare the version's bundle with its manifest, and the copy that MLflow serves where
        that is another folder; with ``every_byte``, read all of the bundle for it. MLflow's record
        of the version. Raises :class:`BundleCorrupt`, naming the first file that differs,
        BackendUnavailable; InvalidInput where the bundle is below another artifact root than that
        of this process."""
        manifest, record = await run_concurrently(
            self.verify_registered(version, every_byte=every_byte), self.record(version)
        )
        await self.verify_served(version, record, manifest)
        return record

    async def record(self, version: VersionMetadata) -> ModelVersionRecord | None:
        """MLflow's record of the version; None where it has none."""
        name = registered_name(TenantId(version.tenant_id), ModelId(version.model_id))
        return await self._stores.tracking.model_version(name, version.version)

    async def verify_registered(
        self, version: VersionMetadata, *, every_byte: bool = False
    ) -> Manifest:
        """Compare the version's bundle with its manifest, which is returned. Raises as
        :meth:`verify`, and needs no answer from MLflow."""
        artifacts = self._stores.artifacts
        try:
            return await verify_bundle(
                artifacts,
                TenantId(version.tenant_id),
                ModelId(version.model_id),
                version.version,
                version.bundle_digest,
                every_byte=every_byte,
            )
        except BundleCorrupt:
            await require_same_root(artifacts, version)
            raise

    async def verify_served(
        self,
        version: VersionMetadata,
        record: ModelVersionRecord | None,
        manifest: Manifest,
    ) -> None:
        """Read the files that MLflow serves as ``record`` again, where those are not the bundle
        itself. A version that MLflow has not, or has of another origin, is served by no alias.
        ``manifest`` is what :meth:`verify_registered` returned. Raises :class:`BundleCorrupt`."""
        artifacts = self._stores.artifacts
        tenant, model = TenantId(version.tenant_id), ModelId(version.model_id)
        if record is None or mismatch(version, record, artifacts) is not None:
            return
        folder = artifacts.path_of(record.source)
        if folder == artifact_paths.bundle(tenant, model, version.version):
            return
        if folder is None:
            folder = (await self._sources.of_version(tenant, record)).path
        await verify_copy(artifacts, manifest, folder, model, version.version)
