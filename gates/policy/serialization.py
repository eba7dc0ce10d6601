"""A gate's policy as plain JSON, and back. Standard library only.

Fields that came later than the first release are left out while they hold their defaults: the
policies that were set before keep their fingerprints, and evidence under them keeps counting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from model_lifecycle.registry.domain.errors import InvalidInput

from .criteria import CRITERIA, LatencyLimit
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


def criteria_from_document(values: Mapping[str, Any], gate: str) -> dict[str, tuple[Any, ...]]:
    """The demands in a policy's document, as values of their types."""
    criteria: dict[str, tuple[Any, ...]] = {}
    for name, kind in CRITERIA.items():
        items = values.get(name, ())
        if not isinstance(items, Sequence) or isinstance(items, str):
            raise InvalidInput(f"{gate}.{name} must be a list", field=f"{gate}.{name}")
        criteria[name] = tuple(_criterion(kind, item, f"{gate}.{name}") for item in items)
    return criteria


def latency_from_document(items: Any, gate: str) -> tuple[LatencyLimit, ...]:
    """Limits of latency in a policy's document."""
    if not isinstance(items, Sequence) or isinstance(items, str):
        raise InvalidInput(f"{gate}.latency must be a list", field=f"{gate}.latency")
    return tuple(
        LatencyLimit(**no_unknown_fields(LatencyLimit, item, f"{gate}.latency")) for item in items
    )


def _criterion(kind: type, item: Any, where: str) -> Any:
    values = no_unknown_fields(kind, item, where)
    required = {"comparisons": ("metric", "margin"), "limits": ("metric",)}
    for name in required.get(where.rpartition(".")[2], ("column", "metric")):
        if name not in values:
            raise InvalidInput(f"{where} needs {name!r}", field=where)
    return kind(**values)
