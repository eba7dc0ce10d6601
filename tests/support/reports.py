"""Reports of gates in the artifact store, without the gate."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from model_lifecycle.registry.domain import artifact_paths
from model_lifecycle.registry.domain.identifiers import ModelId, TenantId
from model_lifecycle.registry.model_registry import ModelRegistry

PAGE = b"<!doctype html><title>PASS</title>"
#: What a gate's report and the evidence about it both say.
_SHARED = (
    *("evidence_id", "gate", "verdict", "bundle_digest", "baseline", "policy_fingerprint"),
    *("tenant_id", "model_id", "version"),
)


async def stored_report(
    registry: ModelRegistry,
    tenant: str,
    model_id: str,
    version: int,
    evidence: Mapping[str, Any],
    *,
    folder: str | None = None,
) -> tuple[str, dict[str, Any]]:
    """Store a report that says what ``evidence`` about the version says, in the gate's place or
    in ``folder``; its address and its content."""
    place = folder or artifact_paths.gate_report(
        TenantId(tenant), ModelId(model_id), version, evidence["gate"], evidence["evidence_id"]
    )
    evidence_document = {**evidence, "tenant_id": tenant, "model_id": model_id, "version": version}
    report = {name: evidence_document[name] for name in _SHARED}
    await registry.artifacts.put_bytes(f"{place}/report.html", PAGE)
    await registry.artifacts.put_bytes(f"{place}/report.json", json.dumps(report).encode())
    return registry.artifacts.uri(place), report
