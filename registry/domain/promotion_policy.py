"""The promotion policy of a model: what its gates must show before a version may move.

The registry keeps a policy as canonical JSON with its fingerprint and does not interpret the
gates' sections; ``gates`` gives them their meaning. Evidence made under another fingerprint does
not count, so weakening a gate costs a new run of it, and leaves an entry in the ledger.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from .canonical_json import digest
from .errors import InvalidInput

_FIELDS = (
    *("validation", "shadow", "ab_test", "require_approval", "evidence_max_age_days"),
    *("require_onnx", "required_checks", "trusted_keys"),
)
_PUBLIC_KEY = re.compile(
    r"-----BEGIN PUBLIC KEY-----\n[A-Za-z0-9+/=\n]{20,2000}\n-----END PUBLIC KEY-----\n", re.ASCII
)
_CHECK = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?", re.ASCII)


@dataclass(frozen=True)
class PromotionPolicy:
    """Sections ``validation``, ``shadow`` and ``ab_test`` are plain JSON objects, read by the
    gates of that name. ``evidence_max_age_days`` is how long a verdict counts. With
    ``require_onnx`` a version needs a ``model.onnx`` that answers as the model does.
    ``required_checks`` names additional checks, each of which needs a PASS of its own before
    production, recorded as evidence of the gate ``check``; they join the gates and replace none.
    ``trusted_keys`` are public keys as PEM: with any, evidence is recorded, and counts, only if one
    of them signed it."""

    validation: Mapping[str, Any] = field(default_factory=dict)
    shadow: Mapping[str, Any] = field(default_factory=dict)
    ab_test: Mapping[str, Any] = field(default_factory=dict)
    require_approval: bool = False
    evidence_max_age_days: float = 30.0
    require_onnx: bool = False
    required_checks: tuple[str, ...] = ()
    trusted_keys: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("validation", "shadow", "ab_test"):
            if not isinstance(getattr(self, name), Mapping):
                raise InvalidInput(f"policy.{name} must be an object", field=f"policy.{name}")
        for name in ("require_approval", "require_onnx"):
            if not isinstance(getattr(self, name), bool):
                raise InvalidInput(f"policy.{name} must be true or false", field=f"policy.{name}")
        days = self.evidence_max_age_days
        if not (
            isinstance(days, int | float)
            and not isinstance(days, bool)
            and math.isfinite(days)
            and 0 < days <= 3650
        ):
            raise InvalidInput(
                "policy.evidence_max_age_days must be a number above 0, at most 3650",
                field="policy.evidence_max_age_days",
            )
        object.__setattr__(self, "required_checks", _checks(self.required_checks))
        object.__setattr__(self, "trusted_keys", _keys(self.trusted_keys))
        digest(self.document(), field="policy")

    @property
    def max_age(self) -> timedelta:
        return timedelta(days=self.evidence_max_age_days)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the canonical document: two policies are the same when this is."""
        return digest(self.document(), field="policy")

    def document(self) -> dict[str, Any]:
        """The policy as plain JSON. What came later is left out where it is not asked for:
        policies that were set before keep their fingerprints."""
        later: dict[str, Any] = {"require_onnx": True} if self.require_onnx else {}
        if self.required_checks:
            later["required_checks"] = list(self.required_checks)
        if self.trusted_keys:
            later["trusted_keys"] = list(self.trusted_keys)
        return {
            "validation": dict(self.validation),
            "shadow": dict(self.shadow),
            "ab_test": dict(self.ab_test),
            "require_approval": self.require_approval,
            "evidence_max_age_days": float(self.evidence_max_age_days),
            **later,
        }

    @classmethod
    def from_document(cls, document: Any) -> PromotionPolicy:
        """A policy from plain JSON. An unknown field is an error: a misspelt limit must not pass
        for none. Raises :class:`InvalidInput`."""
        if not isinstance(document, Mapping):
            raise InvalidInput("policy must be an object", field="policy")
        unknown = sorted(set(document) - set(_FIELDS), key=str)
        if unknown:
            raise InvalidInput(
                f"policy has no field {unknown[0]!r}; its fields are {', '.join(_FIELDS)}",
                field="policy",
            )
        return cls(**document)


def check_name(value: Any, *, field: str) -> str:
    """``value`` as the name of an additional check. Raises :class:`InvalidInput`."""
    if isinstance(value, str) and _CHECK.fullmatch(value):
        return value
    raise InvalidInput(
        f"{field} {value!r:.80} is no name of a check: 1 to 64 of a-z, 0-9, '.', '_' and '-', "
        "such as fairness-audit",
        field=field,
    )


def parse_public_key(value: Any, *, field: str = "policy.trusted_keys") -> str:
    """``value``, a public key as PEM, in the one form that policies store. Whether it is a key that
    can be used, only cryptography can tell. Raises :class:`InvalidInput`."""
    lines = value.split() if isinstance(value, str) else []
    pem = " ".join(lines).replace(" PUBLIC KEY-----", "_PUBLIC_KEY-----").replace(" ", "\n")
    pem = pem.replace("_PUBLIC_KEY-----", " PUBLIC KEY-----") + "\n"
    if _PUBLIC_KEY.fullmatch(pem):
        return pem
    raise InvalidInput(
        f"{field} {value!r:.80} is no public key as PEM, which begins with -----BEGIN PUBLIC "
        "KEY-----; print it with: openssl pkey -in private.pem -pubout",
        field=field,
    )


def _keys(keys: Any) -> tuple[str, ...]:
    """The keys, each once, in order: two policies that trust the same keys are the same."""
    if isinstance(keys, str) or not isinstance(keys, Collection):
        raise InvalidInput(
            "policy.trusted_keys must be a list of public keys as PEM", field="policy.trusted_keys"
        )
    return tuple(sorted({parse_public_key(key) for key in keys}))


def _checks(names: Any) -> tuple[str, ...]:
    """The names, each once, in order: two policies that ask for the same are the same."""
    if isinstance(names, str) or not isinstance(names, Collection):
        raise InvalidInput(
            "policy.required_checks must be a list of names of checks",
            field="policy.required_checks",
        )
    return tuple(sorted({check_name(name, field="policy.required_checks") for name in names}))
