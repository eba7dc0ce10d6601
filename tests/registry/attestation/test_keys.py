"""Keys are read from files or named in a KMS; what cannot be used is refused by its setting."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from securesystemslib.signer import SIGNER_FOR_URI_SCHEME, Key, SecretsHandler, Signature, Signer
from support.signing_keys import KeyFiles, make_ec_key, make_key

from model_lifecycle.registry.attestation.envelope import sign, signer, statement
from model_lifecycle.registry.attestation.keys import (
    PublicKey,
    SigningKey,
    check_key_file,
    load_signing_key,
)
from model_lifecycle.registry.domain.errors import BackendUnavailable, InvalidInput

_STATEMENT = statement("acme/churn/1", "sha256:" + "0" * 64, "urn:test", {"a": 1})


class _RemoteSigner(Signer):
    """A key service: its keys are used by URI, and its network may be down."""

    keys: ClassVar[dict[str, SigningKey]] = {}
    down = False

    def __init__(self, uri: str, public_key: Key) -> None:
        self._key, self._public = self.keys[uri], public_key

    @classmethod
    def from_priv_key_uri(
        cls, priv_key_uri: str, public_key: Key, secrets_handler: SecretsHandler | None = None
    ) -> Signer:
        return cls(priv_key_uri, public_key)

    @property
    def public_key(self) -> Key:
        return self._public

    def sign(self, payload: bytes) -> Signature:
        if self.down:
            raise ConnectionError("secret endpoint https://kms.example.com")
        return self._key.sign(payload)


@pytest.fixture
def key_files(tmp_path: Path) -> KeyFiles:
    return make_key(tmp_path)


@pytest.fixture
def remote(key_files: KeyFiles, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_RemoteSigner]]:
    """A key service with one key, ``testkms:gates``, registered as securesystemslib documents."""
    monkeypatch.setitem(SIGNER_FOR_URI_SCHEME, "testkms", _RemoteSigner)
    _RemoteSigner.keys = {"testkms:gates": _load(key_files)}
    yield _RemoteSigner
    _RemoteSigner.down = False


def _load(files: KeyFiles) -> SigningKey:
    return load_signing_key(str(files.private), None, field="gate_key")


def _public(files: KeyFiles) -> PublicKey:
    return PublicKey.from_pem(files.pem, field="key")


@pytest.mark.parametrize("make", [make_key, make_ec_key])
def test_what_a_key_signs_its_public_half_verifies(tmp_path: Path, make: Any) -> None:
    files = make(tmp_path)
    other = make_key(tmp_path, "other")

    envelope = sign(_STATEMENT, _load(files))

    assert signer(envelope, [_public(other), _public(files)], field="x") == _public(files)
    assert signer(envelope, [_public(other)], field="x") is None
    assert signer(envelope, [], field="x") is None


def test_a_changed_payload_has_no_signer(key_files: KeyFiles) -> None:
    envelope = sign(_STATEMENT, _load(key_files))
    other = sign({**_STATEMENT, "predicate": {"a": 2}}, _load(key_files))

    changed = {**envelope, "payload": other["payload"]}

    assert signer(changed, [_public(key_files)], field="x") is None


def test_a_public_key_is_written_as_it_was_read(key_files: KeyFiles) -> None:
    assert _public(key_files).pem() == key_files.pem


def test_a_key_of_a_kms_signs_by_its_uri(
    key_files: KeyFiles, remote: type[_RemoteSigner], tmp_path: Path
) -> None:
    key = load_signing_key("testkms:gates", str(key_files.public), field="gate_key")

    assert signer(sign(_STATEMENT, key), [_public(key_files)], field="x") is not None

    remote.down = True
    with pytest.raises(BackendUnavailable, match="gate_key") as caught:
        key.sign(b"")
    assert "kms.example.com" not in str(caught.value)


def test_a_key_of_a_kms_needs_its_public_half(remote: type[_RemoteSigner]) -> None:
    with pytest.raises(InvalidInput, match="gate_public_key") as caught:
        load_signing_key("testkms:gates", None, field="gate_key")
    assert caught.value.field == "gate_public_key"


def test_a_scheme_that_no_signer_serves_is_refused() -> None:
    with pytest.raises(InvalidInput, match="awskms"):
        load_signing_key("vault://x", None, field="gate_key")


@pytest.mark.parametrize(
    "content", [None, b"", b"secret-words", b"-----BEGIN PRIVATE KEY-----\nc2Vj"]
)
def test_a_file_that_is_no_key_is_refused_without_its_content(
    tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "key.pem"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(InvalidInput, match="gate_key") as caught:
        load_signing_key(str(file), None, field="gate_key")
    assert caught.value.field == "gate_key"
    assert "secret-words" not in str(caught.value)
    assert "c2Vj" not in str(caught.value)


def test_a_missing_file_is_found_before_a_key_is_needed(
    tmp_path: Path, key_files: KeyFiles
) -> None:
    check_key_file(str(key_files.private), field="gate_key")
    check_key_file("awskms:arn", field="gate_key")
    for file in (tmp_path / "absent.pem", key_files.public):
        with pytest.raises(InvalidInput, match="gate_key"):
            check_key_file(str(file), field="gate_key")


@pytest.mark.parametrize("pem", ["", "ssh-ed25519 AAAA", "-----BEGIN PUBLIC KEY-----"])
def test_a_text_that_is_no_public_key_is_refused(pem: str) -> None:
    with pytest.raises(InvalidInput, match="PEM"):
        PublicKey.from_pem(pem, field="policy.trusted_keys")


def test_a_key_of_a_kind_that_cannot_sign_is_refused(tmp_path: Path) -> None:
    """X25519 agrees on secrets; it signs nothing."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = X25519PrivateKey.generate().public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    with pytest.raises(InvalidInput, match="Ed25519"):
        PublicKey.from_pem(pem, field="policy.trusted_keys")


@pytest.mark.parametrize(
    "envelope",
    [
        {},
        {"payload": "%%%", "payloadType": "x", "signatures": []},
        {"payload": "e30=", "payloadType": "x", "signatures": [{"sig": "zz"}]},
        {"payload": "e30=", "payloadType": "x", "signatures": None},
        {"payload": "e30=", "payloadType": "x", "signatures": [{"sig": "AA==", "keyid": None}]},
        None,
        [],
    ],
)
def test_what_is_no_envelope_is_refused(key_files: KeyFiles, envelope: Any) -> None:
    with pytest.raises(InvalidInput, match="DSSE"):
        signer(envelope, [_public(key_files)], field="evidence.envelope")
