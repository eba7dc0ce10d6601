"""Keys of the tests' own, as files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)


@dataclass(frozen=True)
class KeyFiles:
    """A private key and its public half, each in a PEM file."""

    private: Path
    public: Path

    @property
    def pem(self) -> str:
        """The public key as PEM text."""
        return self.public.read_text()


def make_key(folder: Path, name: str = "gate") -> KeyFiles:
    """A new Ed25519 key."""
    return _write(folder, name, Ed25519PrivateKey.generate())


def make_ec_key(folder: Path, name: str = "bundle") -> KeyFiles:
    """A new key on the curve P-256, the kind that the Model Signing format takes."""
    return _write(folder, name, generate_private_key(SECP256R1()))


def _write(folder: Path, name: str, key: Ed25519PrivateKey | EllipticCurvePrivateKey) -> KeyFiles:
    files = KeyFiles(folder / f"{name}.pem", folder / f"{name}.pub")
    files.private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    files.public.write_bytes(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    return files
