"""Checks a history against what its writers say they did: nothing lost, nothing out of order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from model_lifecycle.registry.domain.models import LedgerEntry


def problems(entries: Sequence[LedgerEntry], attempts: Iterable[dict[str, Any]]) -> list[str]:
    """The problems; none if the attempts could have happened one at a time, in some order that
    agrees with their times, and left exactly these entries.

    An attempt has ``operation_id``, ``expected``, ``outcome`` ("done" if it succeeded), and the
    times ``started`` and ``ended``.
    """
    violations: list[str] = []
    done = {item["operation_id"]: item for item in attempts if item["outcome"] == "done"}
    tried = [(entry, done[entry.operation_id]) for entry in entries if entry.operation_id in done]
    if len(tried) != len(done):
        violations.append(f"{len(done)} attempts succeeded, {len(tried)} entries speak of them")
    production = None
    for entry in entries:
        if entry.previous_production != production:
            violations.append(f"entry {entry.sequence} does not begin where the one before ended")
        production = entry.production
    for entry, attempt in tried:
        if attempt["what"] != "rollback" and attempt["expected"] != entry.previous_production:
            violations.append(
                f"entry {entry.sequence} expected {attempt['expected']}, "
                f"and replaced {entry.previous_production}"
            )
    latest_start = 0
    for entry, attempt in tried:
        if attempt["ended"] < latest_start:
            violations.append(f"entry {entry.sequence} ended before an earlier entry began")
        latest_start = max(latest_start, attempt["started"])
    return violations
