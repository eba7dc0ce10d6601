"""Folders to and from MLflow's artifact stores."""

from __future__ import annotations

from pathlib import Path

from ..domain.errors import ArtifactNotFound, BackendUnavailable, RegistryError
from .errors import translate
from .factory import MlflowStores

_STORE = "artifact store"


def upload_folder(stores: MlflowStores, artifact_uri: str, folder: Path) -> None:
    """Store the files of ``folder`` below ``artifact_uri``. Blocks."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    try:
        get_artifact_repository(artifact_uri, tracking_uri=stores.uri).log_artifacts(str(folder))
    except Exception as error:
        raise _transfer_error(error, "a model could not be uploaded") from None


def download_folder(stores: MlflowStores, artifact_uri: str, folder: Path) -> None:
    """Copy the files below ``artifact_uri`` into ``folder``, which is created. Blocks."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    folder.mkdir(parents=True, exist_ok=True)
    try:
        repository = get_artifact_repository(artifact_uri, tracking_uri=stores.uri)
        if not repository.list_artifacts():
            raise ArtifactNotFound(artifact_uri.rpartition("@")[2])
        repository.download_artifacts("", dst_path=str(folder))
    except Exception as error:
        raise _transfer_error(error, "files could not be downloaded") from None


def _transfer_error(error: Exception, what: str) -> RegistryError:
    translated = translate(error)
    if isinstance(translated, RegistryError):
        return translated
    return BackendUnavailable(_STORE, f"{what} ({type(error).__name__})")
