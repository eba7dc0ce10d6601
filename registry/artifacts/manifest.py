"""The manifest of a bundle: every file's SHA-256, size and revision. Its own digest is the
bundle's."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from model_lifecycle.registry.domain.canonical_json import canonical_json, digest_bytes
from model_lifecycle.registry.domain.errors import InvalidInput

from .checksums import Checksum
from .uris import checked_path

SCHEMA = 1
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True)
class FileEntry:
    """One file: ``sha256`` in hex, ``size`` in bytes.

    ``revision`` is what the store said of the file when it held these bytes
    (:class:`~.protocol.StoredFile`): while it says the same, they need not be read to be proven.
    Empty where that is not known. It has no part in equality: a copy has another revision.
    """

    sha256: str
    size: int
    revision: str = field(default="", compare=False)

    @classmethod
    def of(cls, content: Checksum, revision: str = "") -> FileEntry:
        return cls(content.sha256, content.size, revision)

    def document(self) -> dict[str, Any]:
        revision = {"revision": self.revision} if self.revision else {}
        return {"sha256": self.sha256, "size": self.size, **revision}


@dataclass(frozen=True)
class Manifest:
    """The content of a bundle. ``files`` maps relative paths, without the manifest's own.

    Manifests are equal if they are of the same version and the same bytes, wherever those lie.
    """

    tenant_id: str
    model_id: str
    version: int
    framework: str
    files: Mapping[str, FileEntry]
    schema: int = SCHEMA

    def document(self) -> dict[str, Any]:
        return {
            "schema": self.schema,
            "tenant_id": self.tenant_id,
            "model_id": self.model_id,
            "version": self.version,
            "framework": self.framework,
            "files": {path: entry.document() for path, entry in self.files.items()},
        }

    def to_bytes(self) -> bytes:
        """Canonical JSON: the same stored files always give the same bytes."""
        return canonical_json(self.document(), field="manifest")

    @property
    def digest(self) -> str:
        """The bundle digest, ``sha256:<hex>`` of :meth:`to_bytes`."""
        return digest_bytes(self.to_bytes())

    @classmethod
    def from_bytes(cls, data: bytes) -> Manifest:
        """The manifest in ``data``. Raises :class:`InvalidInput` when it is not one."""
        try:
            document = json.loads(data)
            if document["schema"] != SCHEMA:
                raise ValueError(f"schema {document['schema']!r} is not known")
            files = {checked_path(path): _entry(entry) for path, entry in document["files"].items()}
            return cls(
                tenant_id=document["tenant_id"],
                model_id=document["model_id"],
                version=document["version"],
                framework=document["framework"],
                files=files,
            )
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise InvalidInput(f"the manifest cannot be read: {error}", field="manifest") from None


def _entry(document: Any) -> FileEntry:
    sha256, size = document["sha256"], document["size"]
    if not (isinstance(sha256, str) and _SHA256.fullmatch(sha256)):
        raise ValueError("a file's sha256 is not a SHA-256")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise ValueError("a file's size is not a size")
    revision = document.get("revision", "")
    if not isinstance(revision, str):
        raise ValueError("a file's revision is not a text")
    return FileEntry(sha256, size, revision)
