"""The keys that a registry signs with; each is loaded at its first use."""

from __future__ import annotations

import asyncio

from ..attestation.keys import SigningKey, check_key_file, load_signing_key, trusted_keys
from ..domain.errors import InvalidInput, SigningUnavailable
from ..domain.promotion_policy import PromotionPolicy
from ..settings import PREFIX, Settings


class SigningKeys:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loaded: dict[str, SigningKey] = {}

    def check(self) -> None:
        """Raise :class:`InvalidInput` if a setting names a file that holds no private key: an
        evaluation should not run for an hour and then not be signed."""
        for field in ("gate_key", "ledger_key", "bundle_key"):
            uri = getattr(self._settings, field)
            if uri:
                check_key_file(uri, field=field)

    async def gate(self) -> SigningKey | None:
        """The key that signs evidence; None where none is configured. Raises InvalidInput for a
        key that cannot be used, FrameworkUnavailable where the packages are not installed."""
        return await self._load("gate_key", self._settings.gate_public_key)

    async def check_gate(self, policy: PromotionPolicy) -> None:
        """Return if what this registry records can count under ``policy``. Raises
        SigningUnavailable where the policy lists trusted keys and no gate key is configured, and
        InvalidInput where it is none of them."""
        if not policy.trusted_keys:
            return
        key = await self.gate()
        if key is None:
            raise SigningUnavailable(
                f"{PREFIX}GATE_KEY",
                "the model's policy lists trusted keys, and unsigned evidence is refused; set it "
                "to the path of the gate's private key",
            )
        trusted = await asyncio.to_thread(trusted_keys, policy.trusted_keys)
        if key.public_key.key_id not in {item.key_id for item in trusted}:
            raise InvalidInput(
                f"the key in gate_key has the id {key.public_key.key_id[:16]}, but the model's "
                f"policy trusts {', '.join(item.key_id[:16] for item in trusted)}; use one of "
                "these, or add its public half to the policy's trusted_keys",
                field="gate_key",
            )

    async def ledger(self) -> SigningKey:
        """The key that signs heads of proofs. Raises as :meth:`gate`, and SigningUnavailable where
        none is configured."""
        key = await self._load("ledger_key", self._settings.ledger_public_key)
        if key is None:
            raise SigningUnavailable(
                f"{PREFIX}LEDGER_KEY",
                "set it to the path of a PEM file, made with: openssl genpkey -algorithm ed25519 "
                "-out ledger.pem",
            )
        return key

    async def _load(self, field: str, public_key: str) -> SigningKey | None:
        uri = getattr(self._settings, field)
        if not uri:
            return None
        if field not in self._loaded:
            # Packages are imported and files read; a KMS may be asked.
            self._loaded[field] = await asyncio.to_thread(
                load_signing_key, uri, public_key or None, field=field
            )
        return self._loaded[field]
