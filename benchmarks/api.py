"""The HTTP API beside MLflow's REST server, on one PostgreSQL: 1,000 models of 10,000.

Prints a table and exits with 1 when a target is missed. Every server has one worker, and answers
each kind of request before any is timed: the first one waits for MLflow to be imported. Ways are
timed in turn, each round in another order, so that all meet the same machine. Run it on a quiet
one.

One model is judged at p50 and p95, what is long at the median. The p95 of a comparison is shown and
not judged: Python's garbage collector stops MLflow's server for a quarter of a second at more than
one search in twenty, for any client, and a loop of 100 small requests spreads that out.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

import psutil

sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parent)]

from serving.load import Call, Times, side_by_side, sustained  # noqa: E402
from serving.stack import MODELS_EACH, Stack, stack  # noqa: E402

#: Percent of the processors' time that a machine at rest may use.
BUSY = 5.0
_METRICS = ("metric_0", "metric_1", "metric_2")


@dataclass(frozen=True)
class Target:
    """``ours`` may take at most ``factor`` times what ``theirs`` takes, at the quantiles that are
    judged; the others are shown."""

    title: str
    ours: str
    theirs: str
    factor: float
    judged: tuple[float, ...] = (0.5,)


def _name() -> str:
    return f"model-{random.randrange(MODELS_EACH):04d}"


def _ways(stack: Stack) -> dict[str, dict[str, tuple[str, Callable[[], list[Call]]]]]:
    key = (("Authorization", f"Bearer {stack.key}"),)
    mlflow = "/api/2.0/mlflow"

    def get(path: str) -> list[Call]:
        return [Call("GET", path, key)]

    by_stage = urlencode(
        {"filter": "name LIKE 'acme.%' AND tags.stage = 'production'", "max_results": 100}
    )
    search = json.dumps(
        {
            "experiment_ids": [stack.experiment_id],
            "filter": "attributes.run_id IN ("
            + ", ".join(f"'{run_id}'" for run_id in stack.run_ids)
            + ")",
            "max_results": 100,
        }
    ).encode()
    kind = (("Content-Type", "application/json"),)
    compare = urlencode({"run_ids": stack.run_ids, "metrics": _METRICS}, doseq=True)
    return {
        "one model": {
            "API": (stack.api, lambda: get(f"/api/v1/models/{_name()}")),
            "MLflow get": (
                stack.mlflow,
                lambda: get(f"{mlflow}/registered-models/get?name={quote('acme.' + _name())}"),
            ),
            "floor": (stack.floor, lambda: get(f"/models/{_name()}")),
        },
        "list 100 by stage": {
            "API": (stack.api, lambda: get("/api/v1/models?stage=production&limit=100")),
            "MLflow search": (
                stack.mlflow,
                lambda: get(f"{mlflow}/registered-models/search?{by_stage}"),
            ),
        },
        "compare 100 runs": {
            "API": (stack.api, lambda: get(f"/api/v1/experiments/compare?{compare}")),
            "MLflow search": (
                stack.mlflow,
                lambda: [Call("POST", f"{mlflow}/runs/search", kind, search)],
            ),
            "MLflow 100 gets": (
                stack.mlflow,
                lambda: [
                    Call("GET", f"{mlflow}/runs/get?run_id={run_id}") for run_id in stack.run_ids
                ],
            ),
        },
    }


TARGETS = {
    "one model": (
        Target(
            "GET one model / MLflow registered-models/get", "API", "MLflow get", 0.25, (0.5, 0.95)
        ),
        Target("GET one model / floor (one SELECT)", "API", "floor", 2.0, (0.5, 0.95)),
    ),
    "list 100 by stage": (
        Target("list 100 by stage / registered-models/search", "API", "MLflow search", 0.15),
    ),
    "compare 100 runs": (
        Target("compare 100 runs / 100 runs/get", "API", "MLflow 100 gets", 0.2),
        Target("compare 100 runs / one runs/search", "API", "MLflow search", 1.2),
    ),
}
ROUNDS = {"one model": 2000, "list 100 by stage": 300, "compare 100 runs": 100}


async def _measure(stack: Stack, rounds: float) -> bool:
    met = True
    for ways in _ways(stack).values():
        await side_by_side(ways, 1)
    _rest()
    for subject, ways in _ways(stack).items():
        times = await side_by_side(ways, max(5, int(ROUNDS[subject] * rounds)))
        for name, durations in times.items():
            print(_row(f"{subject}: {name}", durations))
            if durations.failures:
                print(f"  {len(durations.failures)} FAILED, such as {durations.failures[0]}")
                met = False
        for target in TARGETS[subject]:
            met &= _judge(target, times)
    return met


def _rest() -> None:
    """Wait until the servers that were just started and the database that was just filled have
    come to rest, and nobody else works here either; tell it if that does not happen."""
    for _ in range(60):
        if psutil.cpu_percent(interval=1) < BUSY:
            return
    print(f"the machine did not rest within a minute: {psutil.cpu_percent(interval=1):.0f} % busy")


def _judge(target: Target, times: dict[str, Times]) -> bool:
    met = True
    for share in (0.5, 0.95):
        ratio = times[target.ours].quantile(share) / times[target.theirs].quantile(share)
        verdict = "met" if ratio <= target.factor else "MISSED"
        if share in target.judged:
            met &= ratio <= target.factor
        else:
            verdict = "not judged"
        print(
            f"  {target.title:<52} p{share * 100:.0f} {ratio:6.2f}"
            f"  (at most {target.factor:g}) {verdict}"
        )
    return met


def _row(title: str, times: Times) -> str:
    cells = "".join(
        f"  p{share * 100:.0f} {times.quantile(share) * 1000:8.2f} ms"
        for share in (0.5, 0.95, 0.99)
    )
    return f"{title:<40}{cells}"


async def _sustain(stack: Stack, seconds: float) -> bool:
    """64 connections, nine reads to one write; a write sets a model's policy anew."""
    key = (("Authorization", f"Bearer {stack.key}"), ("Content-Type", "application/json"))
    days = itertools.count()

    def read() -> Call:
        path = "?stage=production&limit=20" if random.random() < 0.1 else f"/{_name()}"
        return Call("GET", f"/api/v1/models{path}", key)

    def write() -> Call:
        policy = {"evidence_max_age_days": 1 + next(days) % 3000}
        body = json.dumps({"policy": policy, "reason": "benchmark"}).encode()
        return Call("PUT", f"/api/v1/models/{_name()}/policy", key, body)

    times = await sustained(stack.api, read, write, connections=64, seconds=seconds)
    rate = len(times.seconds) / seconds
    print(_row(f"64 connections, {seconds:g} s, {rate:.0f} requests/s", times))
    if times.failures:
        print(f"  {len(times.failures)} FAILED, such as {times.failures[0]}")
    print(f"  no error: {'MISSED' if times.failures else 'met'}")
    return not times.failures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=float, default=1.0, help="share of the usual rounds")
    parser.add_argument("--seconds", type=float, default=60.0, help="of sustained load")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="api-bench-") as folder, stack(Path(folder)) as servers:
        met = asyncio.run(_measure(servers, arguments.rounds))
        met &= asyncio.run(_sustain(servers, arguments.seconds))
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
