"""Supervisor and real parts: started, killed, restarted, stopped, and told of when they fail."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from model_lifecycle.stack import postgres
from model_lifecycle.stack.instance import Instance
from model_lifecycle.stack.postgres import POSTGRES
from model_lifecycle.stack.service import NotReady
from model_lifecycle.stack.services import PARTS
from model_lifecycle.stack.stack import Stack


@pytest.fixture
def stack() -> Iterator[Stack]:
    """A stack of which only what a test starts is up. Its path is short: sockets lie in it."""
    folder = Path(tempfile.mkdtemp(prefix="stack-"))
    stack = Stack(Instance.at(folder, fixed={}))
    try:
        yield stack
    finally:
        stack.down()
        shutil.rmtree(folder)


def test_a_killed_part_is_started_again_and_down_ends_all(stack: Stack) -> None:
    """Supervisor replaces a killed PostgreSQL; a restart by hand finds its data; down leaves no
    process."""
    stack.supervision.start(PARTS)
    postgres.prepare(stack.instance)
    stack.supervision.start_part(POSTGRES)
    stack.wait_for(POSTGRES)
    postgres.make_databases(stack.instance)
    first = stack.supervision.process_of(POSTGRES)

    stack.supervision.signal_part(POSTGRES, "KILL")
    deadline = time.monotonic() + 60
    while stack.supervision.process_of(POSTGRES) in (first, 0) and time.monotonic() < deadline:
        time.sleep(0.1)
    stack.wait_for(POSTGRES)
    second = stack.supervision.process_of(POSTGRES)
    stack.restart(POSTGRES)
    third = stack.supervision.process_of(POSTGRES)
    postgres.make_databases(stack.instance)
    stack.down()

    assert len({first, second, third}) == 3
    assert not stack.running
    with pytest.raises(ProcessLookupError):
        os.kill(third, 0)


def test_the_password_is_in_force_from_the_start(stack: Stack) -> None:
    """Nobody gets in without it."""
    import psycopg2

    stack.supervision.start(PARTS)
    postgres.prepare(stack.instance)
    stack.supervision.start_part(POSTGRES)
    stack.wait_for(POSTGRES)

    with pytest.raises(psycopg2.OperationalError, match="password"):
        psycopg2.connect(
            host="127.0.0.1", port=stack.instance.ports["postgres"], user="postgres", password="x"
        )


def test_a_part_that_does_not_come_up(stack: Stack) -> None:
    """The error names the part and shows the end of its log."""
    postgres.prepare(stack.instance)
    settings = stack.instance.folder / "postgres" / "postgresql.conf"
    settings.write_text(settings.read_text() + "\nwork_mem = 'a lot'\n")

    with pytest.raises(NotReady, match=r"(?s)postgres did not come up.*work_mem.*a lot"):
        stack.up()
