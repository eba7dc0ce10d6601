"""Whether this process keeps files where the ledger's versions have theirs."""

from __future__ import annotations

from ..artifacts.bundle_verification import read_manifest
from ..artifacts.protocol import ArtifactStore
from ..domain import artifact_paths
from ..domain.errors import BundleCorrupt, InvalidInput
from ..domain.identifiers import ModelId, TenantId
from ..domain.models import VersionMetadata


async def require_same_root(
    artifacts: ArtifactStore, version: VersionMetadata, *, by_files: bool = False
) -> None:
    """Return if the version's bundle belongs below the root of ``artifacts``: by its address, or
    because it is there, as after a move of all files; with ``by_files``, only if it is there.

    Raises InvalidInput, which names both roots: each worker must use the root that the others use,
    else nobody finds the files of the others.
    """
    tenant, model = TenantId(version.tenant_id), ModelId(version.model_id)
    folder = artifact_paths.bundle(tenant, model, version.version)
    if not by_files and artifacts.path_of(version.artifact_uri) == folder:
        return
    try:
        await read_manifest(artifacts, tenant, model, version.version, version.bundle_digest)
    except BundleCorrupt:
        recorded = version.artifact_uri.removesuffix(folder).rstrip("/")
        here = artifacts.uri(folder).removesuffix(folder).rstrip("/")
        raise InvalidInput(
            f"the artifact root here is {here}, but the versions in this ledger have their files "
            f"in {recorded}. Give every worker the same artifact root (the setting "
            "MODEL_LIFECYCLE_ARTIFACT_ROOT, or artifact_root of the connection): one that all of "
            "them reach",
            field="artifact_root",
        ) from None
