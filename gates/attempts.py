"""How often versions of a model have been judged on one window: the more candidates try, the
likelier is one to pass by luck, and a reader should know."""

from __future__ import annotations

from .ports import GateRegistry
from .recording import Case


async def attempts_on_window(registry: GateRegistry, case: Case, start: str, end: str) -> int:
    """Verdicts of this gate on this window, for any version of the model, this one included."""
    found = 1
    for version in await registry.list_versions(case.tenant, case.model):
        for item in await registry.list_evidence(case.tenant, case.model, version.version):
            window = item.summary.get("window")
            if item.gate is case.gate and window == {"start": start, "end": end}:
                found += 1
    return found
