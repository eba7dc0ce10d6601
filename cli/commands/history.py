"""``history`` and ``production``: what happened, and what was in production when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from model_lifecycle.registry.domain.errors import InvalidInput
from model_lifecycle.registry.domain.evidence import Evidence
from model_lifecycle.registry.domain.models import EntryKind, LedgerEntry, timestamp
from model_lifecycle.registry.domain.stages import LIVE_STAGES

from ..context import ask
from ..options import AsJson, Home, Model, Tenant
from ..output import answer, line
from ..rendering.formatting import instant, lines, move, version_name, who
from ..rendering.table import Column, Sheet

if TYPE_CHECKING:
    from model_lifecycle.registry.model_registry import ModelRegistry


def history(model: Model, tenant: Tenant, home: Home = None, as_json: AsJson = False) -> None:
    """Tell the story of a model from its ledger: who moved what, when, why, on what proof.

    Verdicts that moved nothing stand between the entries, without a number. Also of a model that
    was deleted.
    """

    async def tell(registry: ModelRegistry) -> tuple[list[LedgerEntry], list[Evidence]]:
        entries = await registry.history(tenant, model)
        return entries, [] if as_json else await _of_no_effect(registry, tenant, model, entries)

    entries, verdicts = ask(home, tell)
    document = {
        "tenant_id": tenant,
        "model_id": model,
        "entries": [entry.document() for entry in entries],
    }
    answer(as_json, document, history_view(entries, verdicts))


def production(
    model: Model,
    tenant: Tenant,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="ISO", help="An instant with its time zone: 2026-03-01T12:00:00Z. Default: now."
        ),
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Tell which version was in production at an instant."""
    when = _instant(at)
    version = ask(home, lambda registry: registry.production_at(tenant, model, when))
    answer(
        as_json,
        {"tenant_id": tenant, "model_id": model, "at": timestamp(when), "version": version},
        f"{model}: {version_name(version)} in production at {timestamp(when)}.",
    )


def history_view(entries: Sequence[LedgerEntry], verdicts: Sequence[Evidence]) -> Sheet:
    """Entries and verdicts in the order of time."""
    columns = (
        Column("#"),
        Column("when (UTC)"),
        Column("who", wraps=True),
        Column("what"),
        Column("production"),
        Column("why", wraps=True),
        Column("evidence", wraps=True),
        Column("forced"),
    )
    told = [(entry.at, _row(entry)) for entry in entries]
    told += [(item.recorded_at, _verdict_row(item)) for item in verdicts if item.recorded_at]
    return Sheet(columns, [row for _, row in sorted(told, key=lambda pair: pair[0])])


def what(entry: LedgerEntry) -> str:
    """What an entry did, a line for each version that it moved."""
    done = entry.kind.value.replace("_", " ") if entry.kind not in _PLAIN_MOVES else ""
    return lines([done, *(f"v{step.version} {move(step)}" for step in entry.moves)])


def waived(entry: LedgerEntry) -> list[str]:
    """What was missing when somebody forced the entry."""
    return [str(item.get("message", "")) for item in entry.detail.get("waived", ())]


#: Entries whose moves say it all.
_PLAIN_MOVES = (EntryKind.MOVED, EntryKind.REGISTERED, EntryKind.DELETED)


def _row(entry: LedgerEntry) -> Sequence[object]:
    proofs = [f"{item['gate']} {item['verdict']}" for item in entry.evidence]
    return (
        entry.sequence,
        instant(entry.at),
        who(entry.actor),
        what(entry),
        "none" if entry.production is None else f"v{entry.production}",
        entry.reason,
        lines([*proofs, *(f"waived: {message}" for message in waived(entry))]),
        line("FORCED", "red") if entry.forced else "",
    )


def _verdict_row(item: Evidence) -> Sequence[object]:
    return (
        "·",
        instant(item.recorded_at),
        who(item.recorded_by or ""),
        f"v{item.version} judged",
        "",
        item.summary.get("sentence", ""),
        f"{item.gate} {item.verdict}",
        "",
    )


async def _of_no_effect(
    registry: ModelRegistry, tenant: str, model: str, entries: Sequence[LedgerEntry]
) -> list[Evidence]:
    """Verdicts that no entry stands on: what was held back shows in them only."""
    used = {item["evidence_id"] for entry in entries for item in entry.evidence}
    stages = {move.version: move.target for entry in entries for move in entry.moves}
    return [
        item
        for version, stage in stages.items()
        if stage in LIVE_STAGES
        for item in await registry.list_evidence(tenant, model, version)
        if item.evidence_id not in used
    ]


def _instant(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        when = None
    if when is None or when.tzinfo is None:
        raise InvalidInput(
            f"--at {text!r:.80} is not an instant with its time zone, such as 2026-03-01T12:00:00Z",
            field="at",
        )
    return when
