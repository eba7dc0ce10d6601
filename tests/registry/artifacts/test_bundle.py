"""Bundles over both stores: what is written is provable, and what was tampered with is named."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pytest

from model_lifecycle.registry.artifacts import (
    ArtifactStore,
    Bundle,
    LocalArtifacts,
    fetch_bundle,
    read_manifest,
    verify_bundle,
    write_bundle,
)
from model_lifecycle.registry.artifacts.checksums import Checksum
from model_lifecycle.registry.domain.canonical_json import digest_bytes
from model_lifecycle.registry.domain.errors import AlreadyExists, BundleCorrupt, InvalidInput
from model_lifecycle.registry.domain.identifiers import ModelId, TenantId

FolderOf = Callable[[dict[str, bytes]], Path]

TENANT, MODEL = TenantId("acme"), ModelId("churn")
FOLDER = "acme/models/churn/1"
SAVED = {"MLmodel": b"flavors: {}", "data/model.skops": b"\x00weights", "requirements.txt": b"a"}
EXTRA = {"model_card.md": b"# churn", "requirements.txt": b"a==1\n"}


async def write(store: ArtifactStore, folder: Path, **values: object) -> Bundle:
    arguments: dict[str, Any] = {
        "framework": "sklearn",
        "source_path": None,
        "extra": EXTRA,
        **values,
    }
    return await write_bundle(store, TENANT, MODEL, 1, saved_folder=folder, **arguments)


async def test_a_bundle_holds_model_extras_and_manifest(
    store: ArtifactStore, folder_of: FolderOf
) -> None:
    """The bundle is the model's files, the extras, which win, and a manifest of all of them."""
    bundle = await write(store, folder_of(SAVED))
    stored = {
        item.path.removeprefix(f"{FOLDER}/"): await store.get_bytes(item.path)
        for item in await store.files(FOLDER)
    }
    manifest = stored.pop("manifest.json")

    assert stored == {**SAVED, **EXTRA}
    assert (bundle.uri, bundle.digest) == (store.uri(FOLDER), digest_bytes(manifest))
    assert set(json.loads(manifest)["files"]) == set(stored)
    assert set(bundle.files) == {*stored, "manifest.json"}


async def test_a_bundle_from_files_in_the_store(store: ArtifactStore, folder_of: FolderOf) -> None:
    """Files that the store has already are copied; the content is the same as from an upload."""
    folder = folder_of(SAVED)
    await store.put_folder("acme/runs/models/m-1/artifacts", folder)
    copied = await write(store, folder, source_path="acme/runs/models/m-1/artifacts")
    await store.delete_folder(FOLDER)
    uploaded = await write(store, folder)

    same = [
        {name: entry for name, entry in item.files.items() if name != "manifest.json"}
        for item in (copied, uploaded)
    ]
    assert same[0] == same[1]


async def test_a_source_that_differs(store: ArtifactStore, folder_of: FolderOf) -> None:
    """The bundle has the local files, where the source has others, fewer or more."""
    await store.put_folder("acme/source", folder_of({"MLmodel": b"other", "left-over": b"1"}))
    bundle = await write(store, folder_of(SAVED), source_path="acme/source")
    await verify_bundle(store, TENANT, MODEL, 1, bundle.digest)

    assert await store.get_bytes(f"{FOLDER}/MLmodel") == SAVED["MLmodel"]


async def test_writing_again(store: ArtifactStore, folder_of: FolderOf) -> None:
    """Writing the same bundle again changes nothing and gives the same digest."""
    first = await write(store, folder_of(SAVED))
    second = await write(store, folder_of(SAVED))

    assert first == second


async def test_writing_after_a_crash(store: ArtifactStore, folder_of: FolderOf) -> None:
    """Files of a writer that died before the manifest are replaced or removed."""
    await store.put_bytes(f"{FOLDER}/MLmodel", b"half")
    await store.put_bytes(f"{FOLDER}/other", b"of an earlier attempt")
    bundle = await write(store, folder_of(SAVED))
    manifest = await verify_bundle(store, TENANT, MODEL, 1, bundle.digest)

    assert set(manifest.files) == {*SAVED, *EXTRA}


async def test_writing_another_bundle(store: ArtifactStore, folder_of: FolderOf) -> None:
    """A version's bundle never changes: other content is a conflict, and the first one stays."""
    bundle = await write(store, folder_of(SAVED))
    with pytest.raises(AlreadyExists):
        await write(store, folder_of({**SAVED, "MLmodel": b"other"}))

    assert await verify_bundle(store, TENANT, MODEL, 1, bundle.digest)


async def test_fetching(store: ArtifactStore, folder_of: FolderOf, tmp_path: Path) -> None:
    """A fetched bundle is the files that were registered."""
    bundle = await write(store, folder_of(SAVED))
    await fetch_bundle(store, TENANT, MODEL, 1, bundle.digest, tmp_path / "out")

    assert (tmp_path / "out/data/model.skops").read_bytes() == SAVED["data/model.skops"]


@pytest.mark.parametrize("how", ["verify", "fetch"])
@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        ({"MLmodel": b"flavors: []"}, "MLmodel is different"),
        ({"data/model.skops": b"\x00WEIGHTS"}, "data/model.skops is different"),
        ({"data/model.skops": None}, "data/model.skops is missing"),
        ({"data/added.py": b"import os"}, "data/added.py was added"),
        ({"manifest.json": None}, "manifest.json is missing"),
        ({"manifest.json": b"{}"}, "manifest.json has the digest"),
        ({"MLmodel": None, "model_card.md": None}, "MLmodel is missing"),
    ],
    ids=str,
)
async def test_damage(
    store: ArtifactStore,
    folder_of: FolderOf,
    tmp_path: Path,
    damage: dict[str, bytes | None],
    problem: str,
    how: str,
) -> None:
    """Verifying and fetching name the first file that is missing, added or different."""
    bundle = await write(store, folder_of(SAVED))
    for name, data in damage.items():
        if data is None:
            await store.delete_file(f"{FOLDER}/{name}")
        else:
            await store.put_bytes(f"{FOLDER}/{name}", data)
    if how == "verify":
        check = verify_bundle(store, TENANT, MODEL, 1, bundle.digest)
    else:
        check = fetch_bundle(store, TENANT, MODEL, 1, bundle.digest, tmp_path / "out")
    with pytest.raises(BundleCorrupt) as caught:
        await check

    assert caught.value.problem.startswith(problem)


class Listened(LocalArtifacts):
    """A local store that notes which files were read."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.read: set[str] = set()

    async def checksums(self, path: str, names: Collection[str]) -> dict[str, Checksum]:
        self.read |= set(names)
        return await super().checksums(path, names)


async def test_unchanged_files_are_not_read(tmp_path: Path, folder_of: FolderOf) -> None:
    """A listing proves a bundle that nobody has written to, unless every byte is to be read."""
    store = Listened(tmp_path / "root")
    bundle = await write(store, folder_of(SAVED))
    await verify_bundle(store, TENANT, MODEL, 1, bundle.digest)
    by_listing = store.read.copy()
    await verify_bundle(store, TENANT, MODEL, 1, bundle.digest, every_byte=True)

    assert (by_listing, store.read) == (set(), {*SAVED, *EXTRA})


async def test_a_file_written_in_place(tmp_path: Path, folder_of: FolderOf) -> None:
    """It has the size, the inode and the time of before, and is read all the same."""
    store = Listened(tmp_path / "root")
    bundle = await write(store, folder_of(SAVED))
    file = store.root / FOLDER / "MLmodel"
    times = file.stat()
    file.write_bytes(b"flavors: []")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))

    with pytest.raises(BundleCorrupt, match="MLmodel is different"):
        await verify_bundle(store, TENANT, MODEL, 1, bundle.digest)
    assert store.read == {"MLmodel"}


async def test_a_restored_bundle(store: ArtifactStore, folder_of: FolderOf, tmp_path: Path) -> None:
    """Files that were copied back, as from a backup, have other revisions: they are read."""
    bundle = await write(store, folder_of(SAVED))
    await store.get_folder(FOLDER, tmp_path / "backup")
    await store.delete_folder(FOLDER)
    await store.put_folder(FOLDER, tmp_path / "backup")

    await verify_bundle(store, TENANT, MODEL, 1, bundle.digest)


async def test_a_rewritten_manifest(store: ArtifactStore, folder_of: FolderOf) -> None:
    """A changed file with a changed entry in the manifest is detected by the manifest's digest."""
    bundle = await write(store, folder_of(SAVED))
    await store.delete_folder(FOLDER)
    await write(store, folder_of({**SAVED, "MLmodel": b"other"}))
    with pytest.raises(BundleCorrupt):
        await read_manifest(store, TENANT, MODEL, 1, bundle.digest)


async def test_a_bundle_with_a_link(
    local_store: LocalArtifacts, folder_of: FolderOf, tmp_path: Path
) -> None:
    """A file of a bundle that was replaced by a link is corruption, and the link not followed."""
    bundle = await write(local_store, folder_of(SAVED))
    file = local_store.root / FOLDER / "MLmodel"
    file.rename(tmp_path / "moved")
    file.symlink_to(tmp_path / "moved")
    for call in (
        verify_bundle(local_store, TENANT, MODEL, 1, bundle.digest),
        fetch_bundle(local_store, TENANT, MODEL, 1, bundle.digest, tmp_path / "out"),
    ):
        with pytest.raises(BundleCorrupt, match="link"):
            await call


async def test_a_model_with_a_manifest(store: ArtifactStore, folder_of: FolderOf) -> None:
    """A model folder cannot bring a manifest of its own."""
    with pytest.raises(InvalidInput):
        await write(store, folder_of({**SAVED, "manifest.json": b"{}"}))

    assert await store.files("acme") == []
