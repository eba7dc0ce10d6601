"""Which artifact store an artifact root names."""

from __future__ import annotations

from model_lifecycle.registry.settings import Settings

from .local_store import LocalArtifacts
from .protocol import ArtifactStore


def open_artifacts(settings: Settings) -> ArtifactStore:
    """The store at ``settings.artifact_root``: ``s3://bucket[/prefix]``, a folder, or ``file:``.

    No I/O, and no import of boto3. Raises InvalidInput for other schemes.
    """
    if settings.artifact_root.startswith("s3://"):
        from .s3_store import S3Artifacts

        return S3Artifacts(
            settings.artifact_root,
            endpoint_url=settings.s3_endpoint_url,
            make_client=settings.s3_client,
        )
    return LocalArtifacts(settings.artifact_root)
