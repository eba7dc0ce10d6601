"""Where the files of models, runs and gates lie: a local folder or S3."""

from .bundle import Bundle, fetch_bundle, read_manifest, verify_bundle, write_bundle
from .card import model_card
from .local import LocalArtifacts
from .manifest import FileEntry, Manifest
from .opening import open_artifacts
from .store import ArtifactStore, StoredFile

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
