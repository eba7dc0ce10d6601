"""How often versions of a model have been judged on the same data: the more candidates try, the
likelier is one to pass by luck, and a reader should know. Versions that were deleted count."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from ..data.identical_rows import shared
from ..protocols import EvaluationRegistry
from .context import EvaluationContext


async def attempts_on_window(
    registry: EvaluationRegistry, case: EvaluationContext, start: str, end: str
) -> int:
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


async def attempts_on_data(
    registry: EvaluationRegistry,
    case: EvaluationContext,
    data_digest: str,
    fingerprint: Sequence[str],
) -> int:
    """Verdicts of this gate on these held-out rows, for any version of the model, this one
    included: on the same file, or on the same values of a column that models use."""

    def same(summary: Mapping[str, Any]) -> bool:
        known = summary.get("data_fingerprint")
        if summary.get("data_digest") == data_digest:
            return True
        return isinstance(known, list) and shared(fingerprint, [str(item) for item in known])

    return await _attempts(registry, case, same)


async def _attempts(
    registry: EvaluationRegistry, case: EvaluationContext, same: Callable[[Mapping[str, Any]], bool]
) -> int:
    recorded = await registry.list_model_evidence(case.tenant, case.model)
    return 1 + sum(item.gate is case.gate and same(item.summary) for item in recorded)
