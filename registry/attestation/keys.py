"""Keys that sign and keys that are trusted: files with a private key, or keys in a KMS.

A private key is named by the path of a PEM file, or by a URI of securesystemslib: ``awskms:…``,
``gcpkms:…``, ``azurekms:…``, ``hsm:…``, ``hv:…`` for HashiCorp Vault. A key in a KMS never leaves
it; its public half is a PEM file. The key id is securesystemslib's: SHA-256 of type, scheme and
public key. Nothing here is imported before a key is used, and no error shows a private key.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..domain.errors import BackendUnavailable, FrameworkUnavailable, InvalidInput
from ..domain.promotion_policy import parse_public_key

if TYPE_CHECKING:
    from securesystemslib.signer import Signature, Signer, SSlibKey

#: The command that installs what signs and verifies.
INSTALL = 'pip install "airflow-provider-model-lifecycle[signing]"'


@dataclass(frozen=True)
class PublicKey:
    """A public key and its id."""

    key: SSlibKey

    @property
    def key_id(self) -> str:
        return str(self.key.keyid)

    @classmethod
    def from_pem(cls, pem: str, *, field: str) -> PublicKey:
        """The key of a PEM text. Raises :class:`InvalidInput`, which names ``field``, for anything
        but an Ed25519, ECDSA or RSA public key."""
        require_signing()
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
        from securesystemslib.signer import SSlibKey

        try:
            return cls(
                SSlibKey.from_crypto(
                    load_pem_public_key(parse_public_key(pem, field=field).encode())
                )
            )
        except (ValueError, UnsupportedAlgorithm) as error:
            raise InvalidInput(
                f"{field} is no public key that can be used ({error}); give an Ed25519 key as PEM, "
                "from: openssl pkey -in private.pem -pubout",
                field=field,
            ) from None

    def pem(self) -> str:
        """The key as PEM text."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        key: Any = self.key._crypto_key()
        text: bytes = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return text.decode()


@dataclass(frozen=True)
class SigningKey:
    """A private key that can be used, by itself or through its KMS."""

    signer: Signer
    public_key: PublicKey
    name: str

    def sign(self, data: bytes) -> Signature:
        """The signature of ``data``. Blocking: a KMS is asked over the network. Raises
        :class:`BackendUnavailable` if it does not sign."""
        try:
            return self.signer.sign(data)
        except Exception as error:  # every KMS has errors of its own
            raise BackendUnavailable(
                f"the key of {self.name}", f"it did not sign: {type(error).__name__}"
            ) from None


def load_signing_key(uri: str, public_key: str | None, *, field: str) -> SigningKey:
    """The key at ``uri``, a path of a PEM file or a URI; ``public_key`` is the path of the public
    half, which a key in a KMS needs. ``field`` is the setting's name, for errors.

    Blocking. Raises :class:`InvalidInput` for a key that cannot be read or is of no use.
    """
    require_signing()
    if ":" in uri and not uri.startswith("file:"):
        return _load_by_uri(uri, public_key, field)
    from securesystemslib.signer import CryptoSigner, SSlibKey

    private = load_private_key(Path(uri.removeprefix("file:")), field=field)
    try:
        key = SSlibKey.from_crypto(private.public_key())
        return SigningKey(CryptoSigner(private, key), PublicKey(key), field)
    except ValueError as error:
        raise InvalidInput(
            f"the private key in {field} is of a kind that cannot sign ({error}); use Ed25519: "
            "openssl genpkey -algorithm ed25519 -out private.pem",
            field=field,
        ) from None


def load_private_key(file: Path, *, field: str) -> Any:
    """The private key in a PEM file without a password. Raises :class:`InvalidInput`."""
    require_signing()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        return load_pem_private_key(_read(file, field), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The reason may quote the file.
        raise InvalidInput(
            f"the file in {field} is no private key in PEM without a password; make one with: "
            "openssl genpkey -algorithm ed25519 -out private.pem",
            field=field,
        ) from None


def check_key_file(uri: str, *, field: str) -> None:
    """Raise :class:`InvalidInput` if ``uri`` is a file that cannot be a private key: found when a
    registry is opened, and not when an evaluation of an hour wants to sign."""
    if ":" in uri and not uri.startswith("file:"):
        return
    if b"PRIVATE KEY-----" not in _read(Path(uri.removeprefix("file:")), field):
        raise InvalidInput(f"the file in {field} is no private key in PEM", field=field)


@lru_cache(maxsize=128)
def trusted_keys(pems: tuple[str, ...]) -> tuple[PublicKey, ...]:
    """The keys that a policy lists. Blocking at the first use of any key: packages are imported.
    Raises :class:`InvalidInput`."""
    return tuple(PublicKey.from_pem(pem, field="policy.trusted_keys") for pem in pems)


def require_signing() -> None:
    """Return if the packages that sign and verify are installed. Raises
    :class:`FrameworkUnavailable`, with the line that installs them."""
    if find_spec("securesystemslib") is None:
        raise FrameworkUnavailable("signing", INSTALL)


def _load_by_uri(uri: str, public_key: str | None, field: str) -> SigningKey:
    from securesystemslib.signer import SIGNER_FOR_URI_SCHEME, Signer

    scheme = uri.partition(":")[0]
    if scheme not in SIGNER_FOR_URI_SCHEME:
        raise InvalidInput(
            f"{field} has the scheme {scheme!r:.40}, which no signer serves; use the path of a PEM "
            f"file or one of {', '.join(sorted(SIGNER_FOR_URI_SCHEME))}",
            field=field,
        )
    half = field.replace("_key", "_public_key")
    if not public_key:
        raise InvalidInput(
            f"{field} is in a KMS, so {half} is needed: the path of its public key as PEM",
            field=half,
        )
    public = PublicKey.from_pem(_read(Path(public_key), half).decode(errors="replace"), field=half)
    load: Callable[..., Signer] = Signer.from_priv_key_uri
    try:
        return SigningKey(load(uri, public.key), public, field)
    except Exception as error:  # every KMS has errors of its own
        raise InvalidInput(
            f"{field} cannot be used: {type(error).__name__}; check the URI, the credentials and "
            "the package of its KMS",
            field=field,
        ) from None


def _read(file: Path, field: str) -> bytes:
    try:
        return file.expanduser().read_bytes()
    except OSError as error:
        raise InvalidInput(
            f"the file in {field}, {file}, cannot be read: {error.strerror}", field=field
        ) from None
