from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[2]
PROGRAM = """
import time
from support.servers.seaweed import seaweed

with seaweed() as server:
    print(server.process_id, flush=True)
    time.sleep(60)
"""


def test_a_server_ends_with_its_program() -> None:
    """A program that is asked to end while its server runs leaves no server behind."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        cwd=TESTS,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as program:
        assert program.stdout is not None
        server = int(program.stdout.readline())
        program.send_signal(signal.SIGTERM)
        code = program.wait(60)
    left = _kill(server)

    assert (code, left) == (-signal.SIGINT, False)


def _kill(process: int) -> bool:
    """Kill a process; whether it was there."""
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True
