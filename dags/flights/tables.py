"""The state of a model as tables for people: versions, history, gate reports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from rich.table import Table

if TYPE_CHECKING:
    from model_lifecycle.registry.rules.evidence import Evidence
    from model_lifecycle.registry.rules.metadata import LedgerEntry, VersionMetadata


def versions_table(versions: Sequence[VersionMetadata]) -> Table:
    table = _table("Versions", "version", "stage", "algorithm", "features", "trained on")
    for item in versions:
        known = item.parameters
        table.add_row(
            str(item.version),
            item.stage.value,
            known.get("algorithm", ""),
            known.get("features", ""),
            f"{known.get('training_start', '')} to {known.get('training_end', '')}",
        )
    return table


def history_table(entries: Sequence[LedgerEntry]) -> Table:
    table = _table("History", "#", "what", "who", "why")
    for entry in entries:
        table.add_row(str(entry.sequence), _what(entry), entry.actor, _why(entry))
    return table


def reports_table(evidence: Sequence[Evidence]) -> Table:
    table = _table("Gate reports", "version", "gate", "verdict", "report")
    for item in evidence:
        table.add_row(
            str(item.version), item.gate.value, item.verdict.value, _shown(item.report_uri or "")
        )
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for name in columns:
        table.add_column(name, overflow="fold")
    return table


def _what(entry: LedgerEntry) -> str:
    moves = [
        f"version {move.version}: {move.source.value if move.source else 'new'} → {move.target}"
        for move in entry.moves
    ]
    return "\n".join(moves) or entry.kind.value.replace("_", " ")


def _why(entry: LedgerEntry) -> str:
    proofs = [f"{item.get('gate')} {item.get('verdict')}" for item in entry.evidence]
    return "; ".join(text for text in (entry.reason, *proofs) if text)


def _shown(uri: str) -> str:
    """A local file as a path from here, where it is below; anything else as it is."""
    parts = urlsplit(uri)
    if parts.scheme not in ("", "file"):
        return uri
    path = Path(unquote(parts.path))
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
