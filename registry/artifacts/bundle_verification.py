"""Proves that the files of a bundle are those that were registered."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from model_lifecycle.registry.domain import artifact_paths
from model_lifecycle.registry.domain.canonical_json import digest_bytes
from model_lifecycle.registry.domain.errors import ArtifactNotFound, BundleCorrupt, InvalidInput
from model_lifecycle.registry.domain.identifiers import ModelId, TenantId

from .checksums import content_of_file, folder_files
from .manifest import FileEntry, Manifest
from .protocol import ArtifactStore, StoredFile

#: What the registry writes into a bundle beside the files of the model.
WRITTEN = frozenset({artifact_paths.MODEL_CARD, artifact_paths.REQUIREMENTS})
#: Files in a bundle's folder that are no part of it.
BESIDE = artifact_paths.BESIDE_BUNDLE


async def read_manifest(
    store: ArtifactStore, tenant: TenantId, model: ModelId, version: int, digest: str
) -> Manifest:
    """The version's manifest, if it has this ``digest``. Raises :class:`BundleCorrupt`."""
    path = f"{artifact_paths.bundle(tenant, model, version)}/{artifact_paths.MANIFEST}"
    try:
        data = await store.get_bytes(path)
    except ArtifactNotFound:
        raise BundleCorrupt(model, version, f"{artifact_paths.MANIFEST} is missing") from None
    except InvalidInput as error:
        raise BundleCorrupt(model, version, str(error)) from None
    actual = digest_bytes(data)
    if actual != digest:
        raise BundleCorrupt(
            model, version, f"{artifact_paths.MANIFEST} has the digest {actual} instead of {digest}"
        )
    return Manifest.from_bytes(data)


async def verify_bundle(
    store: ArtifactStore,
    tenant: TenantId,
    model: ModelId,
    version: int,
    digest: str,
    *,
    every_byte: bool = False,
) -> Manifest:
    """Compare what the store has with the manifest: one listing, and the bytes of those files
    whose revision is not that of the registration; with ``every_byte``, of all.

    Raises :class:`BundleCorrupt`, naming the first file, by name, that is missing, added or
    different.
    """
    manifest = await read_manifest(store, tenant, model, version, digest)
    folder = artifact_paths.bundle(tenant, model, version)
    try:
        actual = await _stored(store, folder, manifest.files, every_byte=every_byte)
        _compare(manifest.files, actual)
    except InvalidInput as error:
        raise BundleCorrupt(model, version, str(error)) from None
    return manifest


async def verify_copy(
    store: ArtifactStore, manifest: Manifest, folder: str, model: ModelId, version: int
) -> None:
    """Read every file of another copy of the bundle's model, in the store's ``folder``, again.

    What the registry itself wrote into the bundle need not be in a copy. Raises
    :class:`BundleCorrupt`, naming the folder and the first file that differs.
    """
    files = {name: entry for name, entry in manifest.files.items() if name not in WRITTEN}
    try:
        actual = await _stored(store, folder, files, every_byte=True)
        _compare(files, {name: entry for name, entry in actual.items() if name not in WRITTEN})
    except InvalidInput as error:
        raise BundleCorrupt(
            model, version, f"in the copy that MLflow serves, {folder}, {error}"
        ) from None


async def fetch_bundle(
    store: ArtifactStore, tenant: TenantId, model: ModelId, version: int, digest: str, folder: Path
) -> Manifest:
    """Download the bundle into the empty or absent local ``folder``, and check what arrived.

    When this returns, the local files are those that were registered. Raises
    :class:`BundleCorrupt` as :func:`verify_bundle` does.
    """
    manifest = await read_manifest(store, tenant, model, version, digest)
    try:
        await store.get_folder(artifact_paths.bundle(tenant, model, version), folder)
        arrived = await asyncio.to_thread(_contents, folder)
        _compare(manifest.files, arrived)
    except (ArtifactNotFound, InvalidInput) as error:
        raise BundleCorrupt(model, version, str(error)) from None
    return manifest


async def _stored(
    store: ArtifactStore, folder: str, expected: Mapping[str, FileEntry], *, every_byte: bool
) -> dict[str, FileEntry | None]:
    """The folder's content by name; None for a file that is not expected, which is not read. A
    file with the size and the revision of its entry is that entry, unless ``every_byte`` is to be
    read."""
    stored: dict[str, FileEntry | None] = {}
    unproven = set()
    for item in await store.files(folder):
        name = item.path.removeprefix(f"{folder}/")
        entry = expected.get(name)
        if entry is None:
            stored[name] = None
        elif not every_byte and _is_unchanged(item, entry):
            stored[name] = entry
        else:
            unproven.add(name)
    contents = await store.checksums(folder, unproven)
    stored.update((name, FileEntry.of(content)) for name, content in contents.items())
    return stored


def _is_unchanged(item: StoredFile, entry: FileEntry) -> bool:
    """Whether the store says of the file what it said when it held the entry's bytes."""
    return bool(entry.revision) and (item.size, item.revision) == (entry.size, entry.revision)


def _contents(folder: Path) -> dict[str, FileEntry | None]:
    return {
        name: FileEntry.of(content_of_file(file)) for name, file in folder_files(folder).items()
    }


def _compare(files: Mapping[str, FileEntry], actual: Mapping[str, FileEntry | None]) -> None:
    """Raise :class:`InvalidInput`, which names the first file that is not as in ``files``."""
    beside = {artifact_paths.MANIFEST, *BESIDE} - set(files)
    for name in sorted({*files, *actual} - beside):
        if name not in files:
            raise InvalidInput(f"{name} was added", field=name)
        if name not in actual:
            raise InvalidInput(f"{name} is missing", field=name)
        if actual[name] != files[name]:
            raise InvalidInput(f"{name} is different", field=name)
