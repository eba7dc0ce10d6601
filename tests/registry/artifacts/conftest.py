"""Both artifact stores: a local folder, and a real S3 server that is started once, when needed."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from support.servers.seaweed import Seaweed, seaweed

from model_lifecycle.registry.artifacts import ArtifactStore, LocalArtifacts
from model_lifecycle.registry.artifacts.s3_store import S3Artifacts


@pytest.fixture(scope="session")
def s3_server() -> Iterator[Seaweed]:
    with seaweed() as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment().items():
            patch.setenv(name, value)
        server.create_bucket("artifacts")
        yield server


@pytest.fixture
async def s3_store(s3_server: Seaweed) -> AsyncIterator[S3Artifacts]:
    """A store below a prefix of the test's own."""
    store = S3Artifacts(f"s3://artifacts/{uuid.uuid4().hex}", endpoint_url=s3_server.url)
    yield store
    await store.close()


@pytest.fixture
def local_store(tmp_path: Path) -> LocalArtifacts:
    return LocalArtifacts(tmp_path / "root")


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest) -> ArtifactStore:
    """Each kind of store in turn."""
    store: ArtifactStore = request.getfixturevalue(f"{request.param}_store")
    return store


@pytest.fixture
def folder_of(tmp_path: Path) -> Callable[[dict[str, bytes]], Path]:
    """Writes a local folder with the given files."""

    def write(files: dict[str, bytes]) -> Path:
        folder = tmp_path / f"folder-{uuid.uuid4().hex}"
        folder.mkdir()
        for name, data in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        return folder

    return write
