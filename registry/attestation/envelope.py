"""in-toto statements in DSSE envelopes: what is signed, and by which key.

A statement says something, its predicate, about a subject that is named by a digest. The envelope
holds its bytes and signatures over them. Sources: in-toto Attestation Framework, Statement v1; Dead
Simple Signing Envelope (DSSE) v1.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Collection, Mapping
from typing import Any

from ..domain.canonical_json import canonical_json
from ..domain.errors import InvalidInput
from .keys import PublicKey, SigningKey, require_signing

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"


def statement(
    name: str, digest: str, predicate_type: str, predicate: Mapping[str, Any]
) -> dict[str, Any]:
    """The statement ``predicate`` about the subject ``name``, whose SHA-256 is ``digest``, of the
    form ``sha256:<hex>``."""
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": digest.removeprefix("sha256:")}}],
        "predicateType": predicate_type,
        "predicate": dict(predicate),
    }


def sign(content: Mapping[str, Any], key: SigningKey) -> dict[str, Any]:
    """The statement ``content`` in an envelope with the signature of ``key``, as plain JSON.
    Blocking. Raises BackendUnavailable."""
    from securesystemslib.dsse import Envelope

    envelope = Envelope(canonical_json(dict(content), field="statement"), PAYLOAD_TYPE, {})
    signature = key.sign(envelope.pae())
    envelope.signatures[signature.keyid] = signature
    document: dict[str, Any] = envelope.to_dict()
    return document


def read_statement(envelope: Any, *, field: str) -> dict[str, Any]:
    """The statement in an envelope; who signed it, :func:`signer` says. Raises
    :class:`InvalidInput`, which names ``field``, for what is no in-toto statement in DSSE."""
    parsed = _parse(envelope, field)
    try:
        content = json.loads(parsed.payload)
    except (ValueError, RecursionError):
        raise InvalidInput(f"the payload of {field} is no JSON", field=field) from None
    if (
        parsed.payload_type != PAYLOAD_TYPE
        or not isinstance(content, dict)
        or content.get("_type") != STATEMENT_TYPE
        or not isinstance(content.get("predicate"), dict)
    ):
        raise InvalidInput(
            f"{field} must hold a statement of type {STATEMENT_TYPE} as {PAYLOAD_TYPE}",
            field=field,
        )
    return content


def signer(envelope: Any, keys: Collection[PublicKey], *, field: str) -> PublicKey | None:
    """The one of ``keys`` that signed the envelope; None if none of them did. Raises
    :class:`InvalidInput` for what is no envelope."""
    from securesystemslib.exceptions import VerificationError

    parsed = _parse(envelope, field)
    for key in keys:
        try:
            parsed.verify([key.key], 1)
        except VerificationError:
            continue
        return key
    return None


def key_ids(envelope: Any, *, field: str) -> list[str]:
    """The ids of the keys that the envelope names as its signers, proven or not."""
    return sorted(_parse(envelope, field).signatures)


def _parse(envelope: Any, field: str) -> Any:
    require_signing()
    from securesystemslib.dsse import Envelope

    try:
        # The library changes what it is given.
        parsed = Envelope.from_dict(copy.deepcopy(dict(envelope)))
        if not all(isinstance(key_id, str) for key_id in parsed.signatures):
            raise ValueError("a keyid is no text")
        return parsed
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidInput(
            f"{field} is no DSSE envelope with payload, payloadType and signatures: {error!s:.100}",
            field=field,
        ) from None
