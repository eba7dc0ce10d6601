"""The state of a model as tables for people: versions, history, gate reports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from model_lifecycle.registry.domain.evidence import Evidence
    from model_lifecycle.registry.domain.models import LedgerEntry, VersionMetadata


def versions_table(versions: Sequence[VersionMetadata]) -> Table:
    table = _table("Versions", "version", "stage", "model", "trained on")
    for item in versions:
        known = item.parameters
        table.add_row(
            str(item.version),
            item.stage.value,
            f"{known.get('algorithm', '')}\n{known.get('features', '')}",
            f"{known.get('training_start', '')} to {known.get('training_end', '')}",
        )
    return table


def history_table(entries: Sequence[LedgerEntry]) -> Table:
    """One change a row, its parts below each other: an actor's name alone may fill a line."""
    table = _table("History", "#", "what, who, why")
    for entry in entries:
        lines = [_what(entry), entry.actor, _why(entry)]
        table.add_row(str(entry.sequence), "\n".join(escape(line) for line in lines if line))
    return table


def report_lines(evidence: Sequence[Evidence]) -> list[str]:
    """One line a report, with a path that can be copied."""
    return [
        f"version {item.version}  {item.gate.value:<10}  {item.verdict.value:<12}  "
        f"{_short_uri(item.report_uri or '')}"
        for item in evidence
    ]


def _table(title: str, *columns: str) -> Table:
    """Only the last column gives way where the screen is narrow."""
    table = Table(title=title, title_justify="left", title_style="bold italic", show_lines=True)
    for name in columns[:-1]:
        table.add_column(name, no_wrap=True)
    table.add_column(columns[-1], overflow="fold")
    return table


def _what(entry: LedgerEntry) -> str:
    moves = [
        f"version {move.version}: {move.source.value if move.source else 'new'} → "
        f"{move.target.value}"
        for move in entry.moves
    ]
    return ", ".join(moves) or entry.kind.value.replace("_", " ")


def _why(entry: LedgerEntry) -> str:
    proofs = [f"{item.get('gate')} {item.get('verdict')}" for item in entry.evidence]
    why = "; ".join(text for text in (entry.reason, *proofs) if text)
    return f"because: {why}" if why else ""


def _short_uri(uri: str) -> str:
    """The page of a report in a local folder, as a path from here; another address as it is."""
    parts = urlsplit(uri)
    if parts.scheme not in ("", "file"):
        return uri
    path = Path(unquote(parts.path)) / "report.html"
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
