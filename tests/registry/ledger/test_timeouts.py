"""A process that stops in the middle of a change holds others up for seconds, and work that takes
longer than a request has limits of its own."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from support.pages import Pages

from model_lifecycle.registry.domain.errors import BackendUnavailable, ChangeInProgress
from model_lifecycle.registry.domain.stages import Stage
from model_lifecycle.registry.ledger import migrate
from model_lifecycle.registry.ledger.engine import open_engine, reading, writing
from model_lifecycle.registry.ledger.ledger import Ledger
from model_lifecycle.registry.ledger.migrate import HEAD, upgrade
from model_lifecycle.registry.ledger.timeouts import MAINTENANCE, Limits

D, S = Stage.DEVELOPMENT, Stage.STAGING


@pytest.fixture
def on_postgresql(database: str) -> str:
    if not database.startswith("postgresql"):
        pytest.skip("SQLite has no server that could end a transaction")
    return database


@contextmanager
def _stopped_writer(url: str, pages: Pages) -> Iterator[subprocess.Popen[str]]:
    """A process that has the model's lock and does not go on."""
    program = Path(__file__).with_name("stopped_writer.py")
    process = subprocess.Popen(
        [sys.executable, str(program), url, pages.tenant, pages.model],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.communicate()


async def test_a_stopped_process_delays_others_for_seconds(
    on_postgresql: str, pages: Pages
) -> None:
    """The server ends its transaction, the next writer goes on, and it is refused when it wakes."""
    await pages.register(1)
    with _stopped_writer(on_postgresql, pages) as stopped:
        started = time.monotonic()
        await pages.move((1, D, S))
        took = time.monotonic() - started
        stopped.send_signal(signal.SIGCONT)
        assert stopped.stdout is not None
        line = await asyncio.to_thread(stopped.stdout.readline)

    assert 1 < took < 10
    assert line.startswith("refused: ledger is not available: ")
    assert [entry.actor for entry in await pages.entries()] == ["kim", "kim"]


async def test_who_does_not_wait_that_long_is_told_the_cause(
    on_postgresql: str, pages: Pages
) -> None:
    """Not that there were no connection, but that another change of this model is in progress."""
    await pages.register(1)
    hasty = Pages(Ledger(open_engine(on_postgresql, Limits(lock=0.5))), pages.tenant, pages.model)
    with _stopped_writer(on_postgresql, pages), pytest.raises(ChangeInProgress) as caught:
        await hasty.move((1, D, S))
    await hasty.ledger.close()

    assert caught.value.retryable
    assert f"another change of model '{pages.model}' is in progress" in str(caught.value)
    assert "connection" not in str(caught.value)


async def test_other_models_do_not_wait(on_postgresql: str, pages: Pages) -> None:
    """The lock is that of one model."""
    other = Pages(pages.ledger)
    await pages.register(1)
    await other.register(1)
    with _stopped_writer(on_postgresql, pages):
        started = time.monotonic()
        await other.move((1, D, S))

    assert time.monotonic() - started < 3


LIMITED: dict[str, tuple[Limits, str, str]] = {
    "a slow statement": (Limits(statement=0.3), "SELECT pg_sleep(3)", "took too long"),
    "a server that does not answer": (Limits(answer=0.3), "SELECT pg_sleep(3)", "not answer"),
}


@pytest.mark.parametrize("case", LIMITED)
async def test_each_limit_names_its_cause(on_postgresql: str, case: str) -> None:
    """An error that says what happened, and not "no connection"."""
    limits, statement, words = LIMITED[case]
    engine = open_engine(on_postgresql, limits)
    with pytest.raises(BackendUnavailable, match=words) as caught:
        async with writing(engine) as connection:
            await connection.execute(text(statement))
    await engine.dispose()

    assert "no connection" not in str(caught.value)


async def test_a_pool_that_is_used_up_is_no_lost_connection(on_postgresql: str) -> None:
    """The error speaks of this process, not of the database."""
    engine = open_engine(on_postgresql, Limits(connect=0.5))
    held = [await engine.connect() for _ in range(8)]
    with pytest.raises(BackendUnavailable, match="in use by other calls"):
        async with reading(engine):
            pass
    for connection in held:
        await connection.close()
    await engine.dispose()


async def test_every_connection_has_its_limits(on_postgresql: str) -> None:
    """The server knows them, so that they hold when the client cannot act."""
    engine = open_engine(on_postgresql)
    async with reading(engine) as connection:
        limits = {
            name: await connection.scalar(text(f"SHOW {name}"))
            for name in (
                "idle_in_transaction_session_timeout",
                "lock_timeout",
                "statement_timeout",
                "tcp_keepalives_idle",
            )
        }
    await engine.dispose()

    assert limits == {
        "idle_in_transaction_session_timeout": "5s",
        "lock_timeout": "7s",
        "statement_timeout": "8s",
        "tcp_keepalives_idle": "10",
    }


async def test_three_upgrades_at_once_all_succeed(empty_database: str) -> None:
    """Of an empty database, in three processes: the later ones wait, and find it done."""
    program = (
        "import asyncio, sys\n"
        "from model_lifecycle.registry.ledger.migrate import upgrade\n"
        "print(asyncio.run(upgrade(sys.argv[1])))\n"
    )
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            program,
            empty_database,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        for _ in range(3)
    ]
    ended = [await process.communicate() for process in processes]

    assert [
        (out.decode().strip(), process.returncode)
        for (out, _), process in zip(ended, processes, strict=True)
    ] == [(HEAD, 0)] * 3


async def test_a_long_migration_works(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer than any request may take, between statements and in one."""
    run = migrate._run_migrations
    longest = Limits()

    def slow(connection: Any) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_sleep({longest.answer + 1})"))
        time.sleep(longest.idle + 1)
        run(connection)

    monkeypatch.setattr(migrate, "_run_migrations", slow)

    assert await upgrade(empty_database) == HEAD


async def test_verification_may_take_longer_than_a_request(pages: Pages) -> None:
    """Its snapshot may lie still for longer than a transaction of a request."""
    await pages.life()
    async with pages.ledger.snapshot(pages.tenant, pages.model, limits=MAINTENANCE) as work:
        before = len(await work.versions())
        await asyncio.sleep(Limits().idle + 1)
        assert len(await work.versions()) == before
