"""How often versions of a model have been judged on the same data: the more candidates try, the
likelier is one to pass by luck, and a reader should know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from .ports import GateRegistry
from .recording import Case


async def attempts_on_window(registry: GateRegistry, case: Case, start: str, end: str) -> int:
    """Verdicts of this gate on traffic of this window or a part of it, for any version of the
    model, this one included."""
    first, last = datetime.fromisoformat(start), datetime.fromisoformat(end)

    def overlaps(summary: Mapping[str, Any]) -> bool:
        try:
            window = summary["window"]
            begin, until = (datetime.fromisoformat(window[name]) for name in ("start", "end"))
            return begin < last and first < until
        except (KeyError, TypeError, ValueError):
            return False

    return await _attempts(registry, case, overlaps)


async def attempts_on_data(registry: GateRegistry, case: Case, data_digest: str) -> int:
    """Verdicts of this gate on these held-out rows, for any version of the model, this one
    included."""
    return await _attempts(registry, case, lambda said: said.get("data_digest") == data_digest)


async def _attempts(
    registry: GateRegistry, case: Case, same: Callable[[Mapping[str, Any]], bool]
) -> int:
    found = 1
    for version in await registry.list_versions(case.tenant, case.model):
        for item in await registry.list_evidence(case.tenant, case.model, version.version):
            found += item.gate is case.gate and same(item.summary)
    return found
