"""Signatures of bundles in the OpenSSF Model Signing format, which serving systems can verify.

``model_signing verify key`` of the package model-signing checks such a signature without anything
of this project. The digests of the files are known from the bundle's manifest, so nothing is read
again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..domain.errors import FrameworkUnavailable, InvalidInput
from .keys import INSTALL, load_private_key

if TYPE_CHECKING:
    from model_signing.manifest import Manifest

#: What the format leaves out of a signature by default.
_GIT_PATHS = frozenset({".git", ".gitattributes", ".github", ".gitignore"})
_CURVES = ("secp256r1", "secp384r1", "secp521r1")


@dataclass(frozen=True)
class BundleSigner:
    """Signs bundles with the ECDSA key in ``key_file``."""

    key_file: Path

    @classmethod
    def load(cls, key_file: str, *, field: str) -> BundleSigner:
        """The signer with the key in a PEM file. Blocking. Raises :class:`InvalidInput` for a key
        of another kind, :class:`FrameworkUnavailable` where model-signing is not installed."""
        if find_spec("model_signing") is None:
            raise FrameworkUnavailable("signing", INSTALL)
        file = Path(key_file.removeprefix("file:")).expanduser()
        key = load_private_key(file, field=field)
        if getattr(getattr(key, "curve", None), "name", None) not in _CURVES:
            raise InvalidInput(
                f"the key in {field} is no ECDSA key on {', '.join(_CURVES)}, which the Model "
                "Signing format requires; make one with: openssl ecparam -name prime256v1 "
                "-genkey -noout -out bundle.pem",
                field=field,
            )
        return cls(file)

    def sign(self, name: str, files: Mapping[str, str], *, beside: Collection[str]) -> bytes:
        """The signature of the bundle ``name``: a Sigstore bundle as JSON. Blocking.

        ``files`` are the SHA-256 digests in hex by relative path. Files named ``beside`` are no
        part of the bundle: verifiers ignore them.
        """
        from model_signing import signing

        new_config: Callable[[], signing.Config] = signing.Config
        config = new_config().use_elliptic_key_signer(private_key=self.key_file)
        hashed: Any = _HashedBundle(name, files, beside)
        with tempfile.TemporaryDirectory(prefix="model-lifecycle-") as scratch:
            signature = Path(scratch) / "model.sig"
            config.set_hashing_config(hashed).sign(name, signature)
            return signature.read_bytes()


class _HashedBundle:
    """In place of a hashing configuration: the digests are known already."""

    def __init__(self, name: str, files: Mapping[str, str], beside: Collection[str]) -> None:
        self._name = name
        self._files = files
        self._beside = beside

    def hash(self, _model_path: Any) -> Manifest:
        from model_signing._hashing.hashing import Digest
        from model_signing.manifest import Manifest, SerializationType

        serialization = SerializationType.from_args(
            {
                "method": "files",
                "hash_type": "sha256",
                "allow_symlinks": False,
                "ignore_paths": sorted(self._beside),
            }
        )
        items = [
            serialization.new_item(path, Digest("sha256", bytes.fromhex(sha256)))
            for path, sha256 in self._files.items()
            if path.split("/")[0] not in _GIT_PATHS
        ]
        return Manifest(self._name, items, serialization)
