from __future__ import annotations

import io
from datetime import UTC, datetime

from rich.console import Console

from model_lifecycle.dags.flights.tables import history_table
from model_lifecycle.registry.domain.models import EntryKind, LedgerEntry, StageMove
from model_lifecycle.registry.domain.stages import Stage

ROLLBACK = LedgerEntry(
    tenant_id="demo",
    model_id="flight-delay",
    sequence=10,
    kind=EntryKind.ROLLED_BACK,
    at=datetime(2013, 8, 1, tzinfo=UTC),
    actor="airflow:flight_delay_rollback/manual__2013-08-01T00:00:00+00:00 for kim",
    reason="[red] is no markup here",
    moves=(
        StageMove(1, Stage.ARCHIVED, Stage.PRODUCTION),
        StageMove(2, Stage.PRODUCTION, Stage.DEVELOPMENT),
    ),
    production=1,
    previous_production=2,
    evidence=(),
    forced=False,
    operation_id="operation",
    detail={},
    previous_hash="",
    hash="",
)


def test_history_tells_all_on_a_narrow_screen() -> None:
    """All columns are complete on 80 characters, word for word."""
    out = io.StringIO()
    Console(file=out, width=80).print(history_table([ROLLBACK]))
    words = " ".join(out.getvalue().replace("│", " ").split())
    lines = [
        "version 1: archived → production, version 2: production → development",
        ROLLBACK.actor,
        "because: [red] is no markup here",
    ]

    assert [text for text in lines if text not in words] == []
