"""``history`` and ``production``: what happened, and what was in production when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from model_lifecycle.registry.rules.errors import InvalidInput
from model_lifecycle.registry.rules.metadata import EntryKind, LedgerEntry, timestamp

from .options import AsJson, Home, Model, Tenant
from .output import answer, line
from .session import ask
from .sheet import Column, Sheet
from .wording import instant, lines, move, version_name


def history(model: Model, tenant: Tenant, home: Home = None, as_json: AsJson = False) -> None:
    """Tell the story of a model from its ledger: who moved what, when, why, and on what proof.

    Also of a model that was deleted.
    """
    entries = ask(home, lambda registry: registry.history(tenant, model))
    document = {
        "tenant_id": tenant,
        "model_id": model,
        "entries": [entry.document() for entry in entries],
    }
    answer(as_json, document, history_view(entries))


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


def history_view(entries: Sequence[LedgerEntry]) -> Sheet:
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
    return Sheet(columns, [_row(entry) for entry in entries])


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
        entry.actor,
        what(entry),
        "none" if entry.production is None else f"v{entry.production}",
        entry.reason,
        lines([*proofs, *(f"waived: {message}" for message in waived(entry))]),
        line("FORCED", "red") if entry.forced else "",
    )


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
