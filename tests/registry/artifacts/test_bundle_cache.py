"""The cache of bundles: downloaded once, used only while nobody has written to it, kept small."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from model_lifecycle.registry.artifacts import ArtifactStore, LocalArtifacts, write_bundle
from model_lifecycle.registry.artifacts.bundle_cache import BundleCache
from model_lifecycle.registry.domain.errors import BackendUnavailable, BundleCorrupt
from model_lifecycle.registry.domain.identifiers import ModelId, TenantId

FolderOf = Callable[[dict[str, bytes]], Path]

TENANT, MODEL = TenantId("acme"), ModelId("churn")
SAVED = {"MLmodel": b"flavors: {}", "data/model.skops": b"\x00weights"}
MANY = 1024**2


@pytest.fixture
def cache(tmp_path: Path) -> BundleCache:
    return BundleCache(tmp_path / "cache", MANY)


async def stored(
    store: ArtifactStore, folder_of: FolderOf, version: int = 1, **files: bytes
) -> str:
    """The digest of a stored bundle."""
    bundle = await write_bundle(
        store,
        TENANT,
        MODEL,
        version,
        framework="sklearn",
        saved_folder=folder_of({**SAVED, **files}),
        source_path=None,
        extra={},
    )
    return bundle.digest


async def weights(cache: BundleCache, store: ArtifactStore, digest: str, version: int = 1) -> bytes:
    """The weights as the cache gives them."""
    async with cache.bundle(store, TENANT, MODEL, version, digest) as folder:
        return (folder / "data/model.skops").read_bytes()


class Downloads(LocalArtifacts):
    """A local store that counts how often a folder was fetched, and may be made unavailable."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.fetched = 0
        self.is_available = True

    async def get_folder(self, path: str, folder: Path) -> None:
        self.fetched += 1
        await super().get_folder(path, folder)

    async def get_bytes(self, path: str) -> bytes:
        if not self.is_available:
            raise BackendUnavailable("artifact store", "it does not answer")
        return await super().get_bytes(path)


@pytest.fixture
def downloads(tmp_path: Path) -> Downloads:
    return Downloads(tmp_path / "root")


async def test_a_bundle_is_downloaded_once(
    downloads: Downloads, folder_of: FolderOf, cache: BundleCache
) -> None:
    digest = await stored(downloads, folder_of)
    answers = {await weights(cache, downloads, digest) for _ in range(3)}

    assert (answers, downloads.fetched) == ({SAVED["data/model.skops"]}, 1)


@pytest.mark.parametrize("damage", [b"flavors: []", None], ids=["another file", "erased"])
async def test_a_bundle_that_was_damaged_since_is_not_used(
    store: ArtifactStore, folder_of: FolderOf, cache: BundleCache, damage: bytes | None
) -> None:
    """Also where this host has the files that were proven: all hosts say the same."""
    digest = await stored(store, folder_of)
    await weights(cache, store, digest)
    if damage is None:
        await store.delete_folder("acme/models/churn/1")
    else:
        await store.put_bytes("acme/models/churn/1/MLmodel", damage)

    with pytest.raises(BundleCorrupt):
        await weights(cache, store, digest)


async def test_a_store_that_does_not_answer(
    downloads: Downloads,
    folder_of: FolderOf,
    cache: BundleCache,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The files of the cache are proven, and the log says where they come from."""
    digest = await stored(downloads, folder_of)
    await weights(cache, downloads, digest)
    downloads.is_available = False
    with caplog.at_level(logging.WARNING):
        assert await weights(cache, downloads, digest) == SAVED["data/model.skops"]

    assert "from this host's cache" in caplog.text


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "data/model.skops").write_bytes(b"\x00WEIGHTS"),
        lambda folder: (folder / "MLmodel").unlink(),
        lambda folder: (folder / "added.py").write_bytes(b"import os"),
        lambda folder: (folder.parent / "revisions.json").unlink(),
        lambda folder: (folder.parent / "revisions.json").write_bytes(b"["),
    ],
    ids=["written", "missing", "added", "unknown", "unreadable"],
)
async def test_a_damaged_entry_is_downloaded_again(
    downloads: Downloads,
    folder_of: FolderOf,
    cache: BundleCache,
    damage: Callable[[Path], object],
) -> None:
    """Also where a file was written in place, with the same size and the time of before."""
    digest = await stored(downloads, folder_of)
    async with cache.bundle(downloads, TENANT, MODEL, 1, digest) as folder:
        file = folder / "data/model.skops"
        times = file.stat()
        damage(folder)
        if file.exists():
            os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))

    answers = {await weights(cache, downloads, digest) for _ in range(2)}
    assert (answers, downloads.fetched) == ({SAVED["data/model.skops"]}, 2)


async def test_a_corrupt_bundle_is_not_kept(
    local_store: LocalArtifacts, folder_of: FolderOf, cache: BundleCache, tmp_path: Path
) -> None:
    digest = await stored(local_store, folder_of)
    await local_store.put_bytes("acme/models/churn/1/MLmodel", b"flavors: []")
    for _ in range(2):
        with pytest.raises(BundleCorrupt, match="MLmodel is different"):
            await weights(cache, local_store, digest)

    assert [item.name for item in (tmp_path / "cache").iterdir() if item.is_dir()] == []


async def test_the_entries_used_longest_ago_go(
    local_store: LocalArtifacts, folder_of: FolderOf, tmp_path: Path
) -> None:
    """Three bundles where two have room: the one that was not used since goes."""
    cache = BundleCache(tmp_path / "cache", 4_000)
    digests = {
        version: await stored(local_store, folder_of, version, filler=bytes(1_000))
        for version in (1, 2, 3)
    }
    for version in (1, 2, 1, 3):
        await weights(cache, local_store, digests[version], version)
        await asyncio.sleep(0.02)
    remaining = {item.name for item in (tmp_path / "cache").iterdir() if item.is_dir()}

    assert remaining == {digests[version].removeprefix("sha256:") for version in (1, 3)}


async def test_an_entry_in_use_stays(
    local_store: LocalArtifacts, folder_of: FolderOf, tmp_path: Path
) -> None:
    cache = BundleCache(tmp_path / "cache", 1)
    first = await stored(local_store, folder_of, 1)
    second = await stored(local_store, folder_of, 2)
    async with cache.bundle(local_store, TENANT, MODEL, 1, first) as folder:
        await weights(cache, local_store, second, 2)

        assert (folder / "MLmodel").read_bytes() == SAVED["MLmodel"]


async def test_many_at_once(store: ArtifactStore, folder_of: FolderOf, cache: BundleCache) -> None:
    digest = await stored(store, folder_of)
    answers = await asyncio.gather(*(weights(cache, store, digest) for _ in range(8)))

    assert set(answers) == {SAVED["data/model.skops"]}


@contextmanager
def mode(folder: Path, bits: int) -> Iterator[None]:
    folder.mkdir(exist_ok=True)
    folder.chmod(bits)
    yield
    folder.chmod(0o700)


async def test_a_folder_that_others_can_write_to(
    local_store: LocalArtifacts,
    folder_of: FolderOf,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nothing is kept there, and the log says how to change that."""
    digest = await stored(local_store, folder_of)
    folder = tmp_path / "cache"
    with mode(folder, 0o777), caplog.at_level(logging.WARNING):
        assert await weights(BundleCache(folder, MANY), local_store, digest)

    assert list(folder.iterdir()) == []
    assert "MODEL_LIFECYCLE_CACHE_DIR" in caplog.text


async def test_no_cache(local_store: LocalArtifacts, folder_of: FolderOf, tmp_path: Path) -> None:
    digest = await stored(local_store, folder_of)

    assert await weights(BundleCache(tmp_path / "cache", 0), local_store, digest)
    assert not (tmp_path / "cache").exists()
