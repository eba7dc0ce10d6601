"""The report that a gate wrote beside its verdict, compared with the evidence of it."""

from __future__ import annotations

import json

from model_lifecycle.registry.domain import artifact_paths, identifiers
from model_lifecycle.registry.domain.canonical_json import digest_bytes
from model_lifecycle.registry.domain.errors import ArtifactNotFound, InvalidInput
from model_lifecycle.registry.domain.evidence import Evidence, Origin
from model_lifecycle.registry.domain.stages import Gate

from .protocol import ArtifactStore

#: Gates that judge by themselves and write a report.
_JUDGING_GATES = (Gate.VALIDATION, Gate.SHADOW, Gate.AB_TEST)
#: What evidence and the gate's report both say.
_IN_REPORT = (
    *("evidence_id", "gate", "verdict", "bundle_digest", "baseline", "policy_fingerprint"),
    *("tenant_id", "model_id", "version"),
)


async def check_report(artifacts: ArtifactStore, item: Evidence) -> tuple[Origin, str | None]:
    """Whether the evidence is the gate's own: its report lies in the gate's place in the
    artifact store, and says the same; and the report's digest.

    Raises :class:`InvalidInput` where the report says something else.
    """
    path = artifacts.path_of(item.report_uri) if item.report_uri else None
    home = artifact_paths.gate_report(
        identifiers.tenant_id(item.tenant_id),
        identifiers.model_id(item.model_id),
        identifiers.version_number(item.version),
        item.gate.value,
        "",
    )
    if path is None or not path.startswith(home) or item.gate not in _JUDGING_GATES:
        return Origin.EXTERNAL, None
    try:
        data = await artifacts.get_bytes(f"{path.rstrip('/')}/{artifact_paths.REPORT_JSON}")
        report = json.loads(data)
    except (ArtifactNotFound, ValueError):
        return Origin.EXTERNAL, None
    content = item.content()
    for name in _IN_REPORT:
        recorded = report.get(name) if isinstance(report, dict) else None
        if recorded != content[name]:
            raise InvalidInput(
                f"the evidence's {name} is {content[name]!r:.100}, but its report at "
                f"{item.report_uri} has {recorded!r:.100}; record what the report says",
                field=f"evidence.{name}",
            )
    return Origin.GATE, digest_bytes(data)
