"""The files of models, runs and gates, in a local folder or S3."""

from .bundle import Bundle, write_bundle
from .bundle_verification import fetch_bundle, read_manifest, verify_bundle
from .factory import open_artifacts
from .local_store import LocalArtifacts
from .manifest import FileEntry, Manifest
from .model_card import model_card
from .protocol import ArtifactStore, StoredFile

__all__ = [
    "ArtifactStore",
    "Bundle",
    "FileEntry",
    "LocalArtifacts",
    "Manifest",
    "StoredFile",
    "fetch_bundle",
    "model_card",
    "open_artifacts",
    "read_manifest",
    "verify_bundle",
    "write_bundle",
]
