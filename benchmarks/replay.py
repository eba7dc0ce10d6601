"""How fast traffic is replayed, and in how much memory.

A million requests of one day, in 24 Parquet files, are read, replayed by a challenger, compared
with what the champion answered and counted, by the code of the shadow gate. Against it: the bare
``predict`` of both models over the same batches, read before the clock starts. Then the peak memory
of ten such days against that of one, each in a process of its own.

Exit code 1 when less than 0.85 times the rows a second come through, or when ten days take more
than 1.2 times the memory of one.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from sklearn.ensemble import HistGradientBoostingClassifier

from model_lifecycle.gates.aggregates.distributions import Edges
from model_lifecycle.gates.aggregates.replay import ReplayAggregate
from model_lifecycle.gates.data.pairing import Day
from model_lifecycle.gates.data.prefetch import prefetch_next
from model_lifecycle.gates.data.traffic import batches, partitions, read_labels, read_partitions
from model_lifecycle.gates.data.traffic_writer import write_labels, write_traffic
from model_lifecycle.gates.evaluation.replay import Replay
from model_lifecycle.gates.evaluation.replay_batch import replay_batch
from model_lifecycle.gates.inference.sequential import judge_blocks
from model_lifecycle.gates.policy.hypotheses import policy_hypotheses
from model_lifecycle.gates.policy.promotion import Comparison, ShadowPolicy
from model_lifecycle.registry.artifacts.local_store import LocalArtifacts

TENANT, MODEL = "bench", "clicks"
START = datetime(2024, 3, 1, tzinfo=UTC)
FEATURES = [f"f{number}" for number in range(12)]
LEAST_SPEED, MOST_MEMORY = 0.85, 1.2
#: Bare prediction and replay take turns so often; the best of each counts.
ROUNDS = 3


@dataclass
class Model:
    """A fitted classifier as the registry would load it."""

    fitted: Any
    columns: None = None
    classes: tuple[int, ...] = (0, 1)

    def predict(self, frame: pd.DataFrame) -> Any:
        return self.fitted.predict(frame[FEATURES])

    def scores(self, frame: pd.DataFrame) -> Any:
        return self.fitted.predict_proba(frame[FEATURES])[:, 1]

    def cluster_fit(self, frame: pd.DataFrame, measure: str) -> None:
        return None


def requests(rows: int, seed: int) -> tuple[pd.DataFrame, Any]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, len(FEATURES)))
    chance = 1 / (1 + np.exp(-x[:, 0] - np.abs(x[:, 1]) + x[:, 2] * x[:, 3]))
    return pd.DataFrame(x, columns=FEATURES), (rng.random(rows) < chance).astype("int64")


def models() -> tuple[Model, Model]:
    """Champion and challenger, the same in every process."""
    frame, labels = requests(20_000, 0)
    champion = HistGradientBoostingClassifier(random_state=0, max_leaf_nodes=15).fit(frame, labels)
    challenger = HistGradientBoostingClassifier(random_state=0).fit(frame, labels)
    return Model(champion), Model(challenger)


async def write_day(store: LocalArtifacts, rows: int, champion: Model) -> None:
    known = []
    for hour in range(24):
        at = START + timedelta(hours=hour)
        frame, labels = requests(rows // 24, hour + 1)
        log = frame.assign(
            request_id=[f"{hour:02}-{number:09}" for number in range(len(frame))],
            requested_at=at,
            version=1,
            role="champion",
            prediction=champion.predict(frame),
            score=champion.scores(frame),
            latency_ms=3.0,
        )
        await write_traffic(store, TENANT, MODEL, at, log)
        known.append(
            pd.DataFrame({"request_id": log["request_id"], "label": labels, "labelled_at": at})
        )
    await write_labels(store, TENANT, MODEL, START, pd.concat(known))


def repeat_day(root: Path, days: int) -> None:
    """The first day's files again as those of the days after it, without taking more room."""
    first = f"date={START:%Y-%m-%d}"
    for source in list(root.rglob("*.parquet")):
        for day in range(1, days):
            later = f"date={START + timedelta(days=day):%Y-%m-%d}"
            target = Path(str(source).replace(first, later))
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(source, target)


async def replayed(
    store: LocalArtifacts, days: int, champion: Model, challenger: Model
) -> ReplayAggregate:
    policy = ShadowPolicy(comparisons=(Comparison("brier", 0.01),))
    replay = Replay(
        hypotheses=policy_hypotheses(policy.comparisons, (), (), champion=True),
        block="hour",
        challenger=challenger,
        champion=champion,
        production=1,
        mature_until=datetime.now(UTC),
        model_type="classification",
        edges=Edges.of_scores(),
        timed_calls=4,
    )
    hours = await partitions(store, TENANT, MODEL, START, START + timedelta(days=days))
    total, day, known = ReplayAggregate(), None, Day()
    with ThreadPoolExecutor(1) as reading, ThreadPoolExecutor(1) as replaying:
        reader = partial(read_partitions, store, thread=reading)
        loop = asyncio.get_running_loop()
        async with aclosing(prefetch_next(batches(hours), reader)) as read:
            async for members, batch in read:
                at = members[0].hour
                if day != at.date():
                    # As in the gate, one day's labels are dropped before the next day's are read.
                    day, known = at.date(), Day()
                    known = Day.of(await read_labels(store, TENANT, MODEL, at, thread=reading))
                total.merge(
                    await loop.run_in_executor(replaying, replay_batch, replay, batch, known)
                )
    judge_blocks(policy, replay.hypotheses, total)
    return total


@dataclass
class Speed:
    """Rows a second of bare prediction by both models, and of replay; and how much of the
    processors' time replay takes for what bare prediction takes 1."""

    bare: float
    ours: float
    processor: float


async def speed(root: Path) -> Speed:
    """The best of some rounds in turn."""
    store = LocalArtifacts(root)
    champion, challenger = models()
    hours = await partitions(store, TENANT, MODEL, START, START + timedelta(days=1))
    frames = [(await read_partitions(store, members)).frame for members in batches(hours)]
    rows = sum(map(len, frames))
    bare, ours, worked = [], [], []
    for _ in range(ROUNDS):
        begun, busy = time.perf_counter(), time.process_time()
        for frame in frames:
            champion.predict(frame)
            challenger.predict(frame)
        bare.append(time.perf_counter() - begun)
        predicting = time.process_time() - busy
        begun, busy = time.perf_counter(), time.process_time()
        aggregate = await replayed(store, 1, champion, challenger)
        ours.append(time.perf_counter() - begun)
        worked.append((time.process_time() - busy) / predicting)
        assert aggregate.counts["judged"] == rows
    return Speed(rows / min(bare), rows / min(ours), min(worked))


def peak(root: Path, days: int) -> float:
    """Peak memory in MB of a process that replays so many days."""
    command = [sys.executable, __file__, "--root", str(root), "--days", str(days)]
    completed = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(completed.stdout.split()[-1])


def main() -> int:
    warnings.simplefilter("ignore")
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rows", type=int, default=1_000_000, help="requests of one day")
    arguments.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    arguments.add_argument("--days", type=int, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.days:
        asyncio.run(replayed(LocalArtifacts(given.root), given.days, *models()))
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        return 0
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        asyncio.run(write_day(LocalArtifacts(root), given.rows, models()[0]))
        results = asyncio.run(speed(root))
        bare, ours = results.bare, results.ours
        console.print(
            f"{given.rows:,} rows: replay {ours:,.0f} rows/s, bare predict of both models "
            f"{bare:,.0f} rows/s: {ours / bare:.2f} times (at least {LEAST_SPEED}); "
            f"{results.processor:.2f} times the processor time, on {os.cpu_count()} processors"
        )
        repeat_day(root, 10)
        one, ten = peak(root, 1), peak(root, 10)
        console.print(
            f"peak memory: {one:,.0f} MB for one day, {ten:,.0f} MB for ten: {ten / one:.2f} times "
            f"(at most {MOST_MEMORY})"
        )
    return 0 if ours / bare >= LEAST_SPEED and ten / one <= MOST_MEMORY else 1


if __name__ == "__main__":
    sys.exit(main())
