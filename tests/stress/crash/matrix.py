"""Drives the warm process through the fault points of an operation, one after another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_WARM = Path(__file__).with_name("warm.py")
WAYS = ("reconcile", "repeat")


@dataclass
class Cases:
    """The results of the cases of one operation. ``points`` is how many fault points it has."""

    points: int = 0
    killed: int = 0
    after_commit: int = 0
    problems: list[str] = field(default_factory=list)


class Warm:
    """The process that forks the cases. ``restores`` tells that its registry is embedded, so that
    the world before an operation is made once and put back for each case."""

    def __init__(self, process: subprocess.Popen[str], settings: dict[str, Any]) -> None:
        self._process = process
        self._settings = settings
        self._restores = "database_url" not in settings
        self._ask("warm up")

    def points(self, operation: str, state: Any = None) -> int:
        """How many fault points the operation has, seen from a run to its end."""
        answer = self._ask("run", operation=operation, fatal=0, way="reconcile", state=state)
        assert answer["problems"] == [], answer["problems"]
        return int(answer["finished"])

    def kill_at_all(self, operation: str, *, at_most: int) -> Cases:
        """Kill the operation at each of its fault points, or at ``at_most`` of them, evenly
        spread; healed by ``reconcile`` and by repetition in turn."""
        state = self._ask("prepare", operation=operation) if self._restores else None
        cases = Cases(points=self.points(operation, state))
        for turn, fatal in enumerate(_spread(cases.points, at_most)):
            way = WAYS[turn % 2]
            answer = self._ask("run", operation=operation, fatal=fatal, way=way, state=state)
            if answer["finished"] is None:
                cases.killed += 1
                cases.after_commit += answer["committed"]
            cases.problems += [
                f"{operation} killed at {fatal}, {answer['point']}, healed by {way}: {problem}"
                for problem in answer["problems"]
            ]
        return cases

    def _ask(self, do: str, **case: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, "settings": self._settings, **case}) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the warm process ended; its log is in the folder of the test"
        return json.loads(answer)


@contextmanager
def warm(settings: dict[str, Any], log: Path) -> Iterator[Warm]:
    """A warm process until the block ends. One thread each for numbers: forks have no others."""
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            [sys.executable, str(_WARM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, **single},
        ) as process,
    ):
        yield Warm(process, settings)
        assert process.stdin is not None
        process.stdin.close()


def _spread(points: int, at_most: int) -> list[int]:
    if points <= at_most:
        return list(range(1, points + 1))
    return [1 + round(turn * (points - 1) / (at_most - 1)) for turn in range(at_most)]
