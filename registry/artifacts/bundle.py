"""Bundles: a version's files at its canonical path, provably those that were registered."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from model_lifecycle.registry.concurrency import run_concurrently
from model_lifecycle.registry.domain import artifact_paths
from model_lifecycle.registry.domain.canonical_json import digest_bytes
from model_lifecycle.registry.domain.errors import (
    AlreadyExists,
    ArtifactNotFound,
    BackendUnavailable,
    BundleCorrupt,
    InvalidInput,
)
from model_lifecycle.registry.domain.identifiers import ModelId, TenantId

from .checksums import Checksum, content_of, content_of_file, folder_files
from .manifest import FileEntry, Manifest
from .protocol import BACKEND, ArtifactStore
from .uris import checked_path

#: What the registry writes into a bundle beside the files of the model.
_WRITTEN = frozenset({artifact_paths.MODEL_CARD, artifact_paths.REQUIREMENTS})
#: What MLflow itself writes beside a model that it loads by name from a local folder: which name
#: and number it was loaded by. It is no part of the model.
_LEFT_BY_LOADING = frozenset({"registered_model_meta"})


@dataclass(frozen=True)
class Bundle:
    """A written bundle: its folder's ``uri``, its ``digest``, and the files with the manifest."""

    uri: str
    digest: str
    files: Mapping[str, FileEntry]


async def write_bundle(
    store: ArtifactStore,
    tenant: TenantId,
    model: ModelId,
    version: int,
    *,
    framework: str,
    saved_folder: Path,
    source_path: str | None,
    extra: Mapping[str, bytes],
) -> Bundle:
    """Store the bundle of a version; the manifest comes last, so a bundle with one is complete.

    ``saved_folder`` is the local MLflow model folder. Where the store already has those files
    below ``source_path`` they are copied inside it; what did not arrive as it is here is sent
    again. A file that is sent is read once, so what was hashed is what was sent; what is copied
    is hashed meanwhile. What the store then has is compared with that. ``extra`` (model card,
    requirements …) wins over a saved file of the same name. Called again with the same content it
    gives the same digest. Raises AlreadyExists when the version has a bundle of other content,
    InvalidInput for links and odd names.
    """
    folder = artifact_paths.bundle(tenant, model, version)
    sources = await asyncio.to_thread(_sources, saved_folder, extra)
    left = await store.files(folder)
    empty = not left
    if not empty:
        contents = await asyncio.to_thread(_hashed, sources)
    elif source_path is None:
        contents = await _send(store, folder, sources)
    else:
        # Another attempt of the same registration may be here as well, and may have stored its
        # extras: they are the same as ours, the source's files of that name are not.
        _, contents = await run_concurrently(
            store.copy_folder(source_path, folder, without={*extra, *_LEFT_BY_LOADING}),
            asyncio.to_thread(_hashed, sources),
        )
    manifest = Manifest(
        tenant_id=tenant,
        model_id=model,
        version=version,
        framework=framework,
        files={name: FileEntry.of(content) for name, content in contents.items()},
    )
    data = manifest.to_bytes()
    if empty or not await _already_written(store, folder, data):
        if not empty and source_path is not None:
            await store.copy_folder(source_path, folder, without={*extra, *_LEFT_BY_LOADING})
        await _complete(store, folder, sources, contents)
        if not empty or source_path is not None:
            await _remove_others(store, folder, manifest)
        try:
            await store.put_bytes(f"{folder}/{artifact_paths.MANIFEST}", data, overwrite=False)
        except AlreadyExists:
            await _already_written(store, folder, data)
    return _bundle(store, folder, manifest)


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
    store: ArtifactStore, tenant: TenantId, model: ModelId, version: int, digest: str
) -> Manifest:
    """Read every file of the bundle again. Raises :class:`BundleCorrupt`, naming the first file,
    by name, that is missing, added or different."""
    manifest = await read_manifest(store, tenant, model, version, digest)
    folder = artifact_paths.bundle(tenant, model, version)
    try:
        actual = await _stored(store, folder, manifest.files)
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
    files = {name: entry for name, entry in manifest.files.items() if name not in _WRITTEN}
    try:
        actual = await _stored(store, folder, files)
        _compare(files, {name: entry for name, entry in actual.items() if name not in _WRITTEN})
    except InvalidInput as error:
        raise BundleCorrupt(
            model, version, f"in the copy that MLflow serves, {folder}, {error}"
        ) from None


async def stored_bundle(
    store: ArtifactStore,
    tenant: TenantId,
    model: ModelId,
    version: int,
    *,
    framework: str,
    saved_folder: Path,
) -> Bundle | None:
    """The bundle that lies at the version's place already, verified, if it was made of the files
    in ``saved_folder``; what the registry itself wrote beside them may be anything. None where no
    bundle of these files is. Raises :class:`BundleCorrupt`."""
    folder = artifact_paths.bundle(tenant, model, version)
    try:
        data = await store.get_bytes(f"{folder}/{artifact_paths.MANIFEST}")
        manifest = Manifest.from_bytes(data)
    except (ArtifactNotFound, InvalidInput):
        return None
    sources = await asyncio.to_thread(lambda: _hashed(_sources(saved_folder, {})))
    payload = {
        name: FileEntry.of(content) for name, content in sources.items() if name not in _WRITTEN
    }
    beside = _WRITTEN | _LEFT_BY_LOADING
    same = {name: entry for name, entry in manifest.files.items() if name not in beside}
    owner = (manifest.tenant_id, manifest.model_id, manifest.version, manifest.framework)
    if owner != (tenant, model, version, framework) or same != payload:
        return None
    await verify_bundle(store, tenant, model, version, digest_bytes(data))
    return _bundle(store, folder, manifest)


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


def _sources(folder: Path, extra: Mapping[str, bytes]) -> dict[str, bytes | Path]:
    """The files to store by name: a local file each, or bytes in memory."""
    sources: dict[str, bytes | Path] = {
        name: file for name, file in folder_files(folder).items() if name not in _LEFT_BY_LOADING
    }
    sources |= {checked_path(name): data for name, data in extra.items()}
    if artifact_paths.MANIFEST in sources:
        raise InvalidInput(
            "the model folder holds a file with a name that bundles reserve: "
            f"{artifact_paths.MANIFEST!r}",
            field="model",
        )
    return dict(sorted(sources.items()))


def _hashed(sources: Mapping[str, bytes | Path]) -> dict[str, Checksum]:
    return {
        name: content_of(source) if isinstance(source, bytes) else content_of_file(source)
        for name, source in sources.items()
    }


async def _send(
    store: ArtifactStore, folder: str, sources: Mapping[str, bytes | Path]
) -> dict[str, Checksum]:
    """Send each file, and tell what was sent; how many at once is the store's affair."""
    contents = await run_concurrently(
        *(
            store.put_bytes(f"{folder}/{name}", source)
            if isinstance(source, bytes)
            else store.put_file(f"{folder}/{name}", source)
            for name, source in sources.items()
        )
    )
    return dict(zip(sources, contents, strict=True))


async def _complete(
    store: ArtifactStore,
    folder: str,
    sources: Mapping[str, bytes | Path],
    contents: Mapping[str, Checksum],
) -> None:
    """Send what the folder does not hold as it is here, and see that it then does."""
    missing = set(contents) - await store.holding(folder, contents)
    if not missing:
        return
    sent = await _send(store, folder, {name: sources[name] for name in missing})
    held = await store.holding(folder, sent)
    missing = {name for name in missing if name not in held or sent[name] != contents[name]}
    if missing:
        raise BackendUnavailable(
            BACKEND, f"{folder}/{min(missing)} was stored with other content than was sent"
        )


async def _already_written(store: ArtifactStore, folder: str, data: bytes) -> bool:
    try:
        existing = await store.get_bytes(f"{folder}/{artifact_paths.MANIFEST}")
    except ArtifactNotFound:
        return False
    if existing != data:
        raise AlreadyExists(
            f"{folder} already holds a bundle of other content "
            f"({digest_bytes(existing)}); register a new version"
        )
    return True


async def _remove_others(store: ArtifactStore, folder: str, manifest: Manifest) -> None:
    """Drop what an earlier attempt, or a richer source, left in the folder."""
    expected = {f"{folder}/{name}" for name in manifest.files}
    for item in await store.files(folder):
        if item.path not in expected:
            await store.delete_file(item.path)


async def _stored(
    store: ArtifactStore, folder: str, expected: Mapping[str, FileEntry]
) -> dict[str, FileEntry | None]:
    """The folder's content by name; None for a file that is not expected, which is not read."""
    names = {item.path.removeprefix(f"{folder}/") for item in await store.files(folder)}
    contents = await store.checksums(folder, names & set(expected))
    stored: dict[str, FileEntry | None] = dict.fromkeys(names - set(expected))
    stored.update((name, FileEntry.of(content)) for name, content in contents.items())
    return stored


def _contents(folder: Path) -> dict[str, FileEntry | None]:
    return {
        name: FileEntry.of(content_of_file(file)) for name, file in folder_files(folder).items()
    }


def _compare(files: Mapping[str, FileEntry], actual: Mapping[str, FileEntry | None]) -> None:
    """Raise :class:`InvalidInput`, which names the first file that is not as in ``files``."""
    beside = {artifact_paths.MANIFEST, *_LEFT_BY_LOADING} - set(files)
    for name in sorted({*files, *actual} - beside):
        if name not in files:
            raise InvalidInput(f"{name} was added", field=name)
        if name not in actual:
            raise InvalidInput(f"{name} is missing", field=name)
        if actual[name] != files[name]:
            raise InvalidInput(f"{name} is different", field=name)


def _bundle(store: ArtifactStore, folder: str, manifest: Manifest) -> Bundle:
    own = FileEntry.of(content_of(manifest.to_bytes()))
    return Bundle(
        store.uri(folder), manifest.digest, {**manifest.files, artifact_paths.MANIFEST: own}
    )
