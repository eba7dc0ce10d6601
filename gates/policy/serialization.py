"""A gate's policy as plain JSON, and back. Standard library only.

Fields that came later than the first release are left out while they hold their defaults: the
policies that were set before keep their fingerprints, and evidence under them keeps counting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from model_lifecycle.registry.domain.errors import InvalidInput

from .criteria import criteria_from_document, latency_from_document
from .fields import no_unknown_fields


def policy_document(policy: Any, first: frozenset[str]) -> dict[str, Any]:
    """``first`` are the fields that are always written."""
    document: dict[str, Any] = {}
    for item in fields(policy):
        value = getattr(policy, item.name)
        if item.name in first or value != item.default:
            document[item.name] = (
                [part.document() for part in value] if isinstance(value, tuple) else value
            )
    return document


def policy_arguments(cls: type, document: Any, gate: str) -> dict[str, Any]:
    """Arguments of ``cls``. Raises :class:`InvalidInput`."""
    if isinstance(document, Mapping) and not document:
        raise InvalidInput(
            f"the model's policy has no section for the {gate} gate; add one with set_policy",
            field=f"policy.{gate}",
        )
    values = no_unknown_fields(cls, document, gate)
    arguments = {**values, **criteria_from_document(values, gate)}
    if "latency" in values:
        arguments["latency"] = latency_from_document(values["latency"], gate)
    return arguments
