"""``history`` and ``production``: what happened, and what was in production when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from model_lifecycle.registry.domain.errors import InvalidInput
from model_lifecycle.registry.domain.evidence import Evidence
from model_lifecycle.registry.domain.models import EntryKind, LedgerEntry, timestamp

from ..context import with_registry
from ..options import AsJson, Home, Limit, Model, Tenant
from ..output import answer, line
from ..pages import Page
from ..rendering.formatting import format_actor, format_timestamp, lines, move, version_name
from ..rendering.table import Column, ResponsiveTable

if TYPE_CHECKING:
    from model_lifecycle.registry.model_registry import ModelRegistry


def history(
    model: Model,
    tenant: Tenant,
    limit: Limit = 100,
    after: Annotated[
        int, typer.Option(min=0, metavar="N", help="Only entries that follow number N.")
    ] = 0,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show the ledger of a model, oldest entry first: who moved what, when, why, on what evidence.

    Verdicts that moved nothing stand between the entries, without a number. Also of a model that
    was deleted.
    """

    async def read(registry: ModelRegistry) -> tuple[Page[LedgerEntry, int], list[Evidence]]:
        entries = await registry.history(tenant, model, after=after, limit=limit + 1)
        page = Page.cut(entries, limit, lambda entry: entry.sequence)
        return page, [] if as_json else await _verdicts_between(registry, tenant, model, page)

    page, verdicts = with_registry(home, read)
    document = {
        "tenant_id": tenant,
        "model_id": model,
        "entries": [entry.document() for entry in page.items],
        "after": page.after,
    }
    view = history_view(page.items, verdicts) if page.items else f"No entry follows {after}."
    answer(as_json, document, view, *page.notes())


def production(
    model: Model,
    tenant: Tenant,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="ISO",
            help="A timestamp with its time zone: 2026-03-01T12:00:00Z. Default: now.",
        ),
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show the version that was in production at a timestamp."""
    when = _instant(at)
    version = with_registry(home, lambda registry: registry.production_at(tenant, model, when))
    answer(
        as_json,
        {"tenant_id": tenant, "model_id": model, "at": timestamp(when), "version": version},
        f"{model}: {version_name(version)} in production at {timestamp(when)}.",
    )


def history_view(entries: Sequence[LedgerEntry], verdicts: Sequence[Evidence]) -> ResponsiveTable:
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
    rows = [(entry.at, _row(entry)) for entry in entries]
    rows += [(item.recorded_at, _verdict_row(item)) for item in verdicts if item.recorded_at]
    return ResponsiveTable(columns, [row for _, row in sorted(rows, key=lambda pair: pair[0])])


def what(entry: LedgerEntry) -> str:
    """The change of an entry, a line for each version that it moved."""
    done = entry.kind.value.replace("_", " ") if entry.kind not in _PLAIN_MOVES else ""
    return lines([done, *(f"v{step.version} {move(step)}" for step in entry.moves)])


def waived(entry: LedgerEntry) -> list[str]:
    """The requirements that were missing when the entry was forced."""
    return [str(item.get("message", "")) for item in entry.detail.get("waived", ())]


#: Entries whose moves say it all.
_PLAIN_MOVES = (EntryKind.MOVED, EntryKind.REGISTERED, EntryKind.DELETED)


def _row(entry: LedgerEntry) -> Sequence[object]:
    proofs = [f"{item['gate']} {item['verdict']}" for item in entry.evidence]
    return (
        entry.sequence,
        format_timestamp(entry.at),
        format_actor(entry.actor),
        what(entry),
        "none" if entry.production is None else f"v{entry.production}",
        entry.reason,
        lines([*proofs, *(f"waived: {message}" for message in waived(entry))]),
        line("FORCED", "red") if entry.forced else "",
    )


def _verdict_row(item: Evidence) -> Sequence[object]:
    return (
        "·",
        format_timestamp(item.recorded_at),
        format_actor(item.recorded_by or ""),
        f"v{item.version} judged",
        "",
        item.summary.get("sentence", ""),
        f"{item.gate} {item.verdict}",
        "",
    )


async def _verdicts_between(
    registry: ModelRegistry, tenant: str, model: str, page: Page[LedgerEntry, int]
) -> list[Evidence]:
    """Verdicts among the page's entries that no entry stands on: a version that a gate blocked
    shows in them only.

    A verdict belongs to the page of the last entry before it. An entry that stands on one comes
    after it, so the entries from this page to the newest are those that count.
    """
    if not page.items:
        return []
    following = (
        [] if page.after is None else await registry.history(tenant, model, after=page.after)
    )
    used = {item["evidence_id"] for entry in (*page.items, *following) for item in entry.evidence}
    end = following[0].at if following else datetime.max.replace(tzinfo=UTC)
    return [
        item
        for item in await registry.list_model_evidence(tenant, model)
        if item.recorded_at is not None
        and page.items[0].at <= item.recorded_at < end
        and item.evidence_id not in used
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
            f"--at {text!r:.80} is not a timestamp with a time zone, such as 2026-03-01T12:00:00Z",
            field="at",
        )
    return when
