"""Several promoters, each a process of its own, told what to do all at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_TESTS = Path(__file__).parents[2]
#: Seconds until a moment that all processes have heard of.
_LEAD = 0.03


class Promoters:
    def __init__(self, processes: Sequence[subprocess.Popen[str]]) -> None:
        self._processes = processes

    def promote(self, versions: Sequence[int], expected: int | None) -> list[dict[str, Any]]:
        """Each process promotes one of the versions, all at the same moment."""
        at = time.monotonic() + _LEAD
        return self._ask(
            [{"do": "promote", "version": v, "expected": expected, "at": at} for v in versions]
        )

    def roam(self, attempts: int) -> list[dict[str, Any]]:
        """The attempts of all of them, in the order in which they ended."""
        answers = self._ask([{"do": "roam", "attempts": attempts}] * len(self._processes))
        return sorted((item for each in answers for item in each), key=lambda item: item["ended"])

    def _ask(self, commands: Sequence[dict[str, Any]]) -> list[Any]:
        for process, command in zip(self._processes, commands, strict=True):
            assert process.stdin is not None
            process.stdin.write(json.dumps(command) + "\n")
            process.stdin.flush()
        return [_answer(process) for process in self._processes]


@contextmanager
def promoters(
    count: int, place: dict[str, Any], program: Path = _TESTS / "stress" / "race" / "promoter.py"
) -> Iterator[Promoters]:
    """``count`` processes over the registry at ``place``, until the block ends. A ``program``
    answers the commands of :mod:`race.promoter`."""
    command = [sys.executable, str(program), json.dumps(place)]
    environment = {**os.environ, "PYTHONPATH": str(_TESTS)}
    processes = [
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=place["home"],
            env=environment,
            text=True,
        )
        for _ in range(count)
    ]
    try:
        assert [_answer(process) for process in processes] == ["ready"] * count
        yield Promoters(processes)
    finally:
        for process in processes:
            assert process.stdin is not None
            process.stdin.close()
        for process in processes:
            process.wait(30)
            assert process.stdout is not None
            process.stdout.close()


def _answer(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, f"a process ended with {process.poll()}"
    return json.loads(line)
