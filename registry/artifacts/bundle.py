"""Bundles: a version's files at its canonical path, provably those that were registered."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from model_lifecycle.registry.concurrency import run_concurrently
from model_lifecycle.registry.domain import artifact_paths
from model_lifecycle.registry.domain.canonical_json import digest_bytes
from model_lifecycle.registry.domain.errors import (
    AlreadyExists,
    ArtifactNotFound,
    BackendUnavailable,
    InvalidInput,
)
from model_lifecycle.registry.domain.identifiers import ModelId, TenantId

from .bundle_verification import BESIDE, WRITTEN, verify_bundle
from .checksums import Checksum, content_of, content_of_file, folder_files
from .manifest import FileEntry, Manifest
from .protocol import BACKEND, ArtifactStore
from .uris import checked_path


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
    gives the same bundle. Raises AlreadyExists when the version has a bundle of other content,
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
            store.copy_folder(source_path, folder, without={*extra, *BESIDE}),
            asyncio.to_thread(_hashed, sources),
        )
    manifest = Manifest(
        tenant_id=tenant,
        model_id=model,
        version=version,
        framework=framework,
        files={name: FileEntry.of(content) for name, content in contents.items()},
    )
    written = None if empty else await _written(store, folder, manifest)
    if written is None:
        if not empty and source_path is not None:
            await store.copy_folder(source_path, folder, without={*extra, *BESIDE})
        revisions = await _complete(store, folder, sources, contents)
        if not empty or source_path is not None:
            await _remove_others(store, folder, manifest)
        files = {name: FileEntry.of(contents[name], revisions.get(name, "")) for name in contents}
        manifest = replace(manifest, files=files)
        path = f"{folder}/{artifact_paths.MANIFEST}"
        try:
            await store.put_bytes(path, manifest.to_bytes(), overwrite=False)
        except AlreadyExists:
            written = await _written(store, folder, manifest)
    return _bundle(store, folder, written or manifest)


async def write_bundle_signature(
    store: ArtifactStore, tenant: TenantId, model: ModelId, version: int, data: bytes
) -> None:
    """Store the signature of a bundle beside its files: it covers the manifest, and so cannot be
    in it. The last signature counts."""
    folder = artifact_paths.bundle(tenant, model, version)
    await store.put_bytes(f"{folder}/{artifact_paths.BUNDLE_SIGNATURE}", data)


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
        name: FileEntry.of(content) for name, content in sources.items() if name not in WRITTEN
    }
    beside = WRITTEN | BESIDE
    same = {name: entry for name, entry in manifest.files.items() if name not in beside}
    owner = (manifest.tenant_id, manifest.model_id, manifest.version, manifest.framework)
    if owner != (tenant, model, version, framework) or same != payload:
        return None
    await verify_bundle(store, tenant, model, version, digest_bytes(data), every_byte=True)
    return _bundle(store, folder, manifest)


def _sources(folder: Path, extra: Mapping[str, bytes]) -> dict[str, bytes | Path]:
    """The files to store by name: a local file each, or bytes in memory."""
    sources: dict[str, bytes | Path] = {
        name: file for name, file in folder_files(folder).items() if name not in BESIDE
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
) -> dict[str, str]:
    """Send what the folder does not hold as it is here, and see that it then does. The revisions
    of the files that hold ``contents``, by name."""
    held, revisions = await _holding(store, folder, contents)
    missing = set(contents) - held
    if missing:
        sent = await _send(store, folder, {name: sources[name] for name in missing})
        held, new = await _holding(store, folder, sent)
        revisions |= {name: new.get(name, "") for name in sent}
        missing = {name for name in missing if name not in held or sent[name] != contents[name]}
    if missing:
        raise BackendUnavailable(
            BACKEND, f"{folder}/{min(missing)} was stored with other content than was sent"
        )
    return revisions


async def _holding(
    store: ArtifactStore, folder: str, contents: Mapping[str, Checksum]
) -> tuple[set[str], dict[str, str]]:
    """Which files hold what is expected, and the revisions under which they did. A file that was
    replaced meanwhile has no revision: what was compared may be the one or the other."""
    before = await _revisions(store, folder)
    held = await store.holding(folder, contents)
    after = await _revisions(store, folder)
    return held, {
        name: revision if before.get(name) == revision else "" for name, revision in after.items()
    }


async def _revisions(store: ArtifactStore, folder: str) -> dict[str, str]:
    return {
        item.path.removeprefix(f"{folder}/"): item.revision for item in await store.files(folder)
    }


async def _written(store: ArtifactStore, folder: str, expected: Manifest) -> Manifest | None:
    """The manifest that the folder has already. Raises AlreadyExists if it is of another bundle."""
    try:
        existing = await store.get_bytes(f"{folder}/{artifact_paths.MANIFEST}")
    except ArtifactNotFound:
        return None
    try:
        manifest = Manifest.from_bytes(existing)
    except InvalidInput:
        manifest = None
    if manifest != expected:
        raise AlreadyExists(
            f"{folder} already holds a bundle of other content "
            f"({digest_bytes(existing)}); register a new version"
        )
    return manifest


async def _remove_others(store: ArtifactStore, folder: str, manifest: Manifest) -> None:
    """Drop what an earlier attempt, or a richer source, left in the folder."""
    expected = {f"{folder}/{name}" for name in manifest.files}
    for item in await store.files(folder):
        if item.path not in expected:
            await store.delete_file(item.path)


def _bundle(store: ArtifactStore, folder: str, manifest: Manifest) -> Bundle:
    own = FileEntry.of(content_of(manifest.to_bytes()))
    return Bundle(
        store.uri(folder), manifest.digest, {**manifest.files, artifact_paths.MANIFEST: own}
    )
