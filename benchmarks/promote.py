"""How long a promotion takes: all of ours against MLflow's three raw calls, side by side.

Ours: ``ModelRegistry.transition_stage`` to production: evidence judged inside the ledger's
transaction, both versions moved, the entry chained, alias and tags shown by MLflow. Raw: MLflow's
client, ``transition_model_version_stage`` with archive, ``set_registered_model_alias``,
``get_model_version``. Floor: one PostgreSQL transaction that locks a row, changes it, adds another.
One MLflow server over HTTP, one PostgreSQL for all; the three take turns. What a promotion needs
(registration, gates) happens before the clock starts.

Exit code 1 when ours takes more than 1.0 times what the raw calls take. Also shown: how long it is
from the call of ``rollback`` until it answers, the earlier version in production and in MLflow.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
from mlflow import MlflowClient
from rich.console import Console
from rich.table import Table

sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parent)]

from promoting.stack import Stack, stack  # noqa: E402
from support.registry_fixture import RegistryFixture, new_name, trained  # noqa: E402

from model_lifecycle.registry.factory import open_registry  # noqa: E402
from model_lifecycle.registry.settings import Settings  # noqa: E402

AT_MOST = 1.0
WARM_UP = 3
TENANT, OURS, RAW = "acme", "churn", "raw"
_FLOOR = (
    "CREATE TABLE floor (id int PRIMARY KEY, version int NOT NULL)",
    "CREATE TABLE floor_entries (version int PRIMARY KEY)",
    "INSERT INTO floor VALUES (1, 0)",
)


@dataclass
class Promotions:
    """The ways to promote a version, each on a model of its own, and the seconds they took."""

    world: RegistryFixture
    client: MlflowClient
    floor: asyncpg.Connection
    seconds: dict[str, list[float]] = field(
        default_factory=lambda: {name: [] for name in ("ours", "raw", "floor", "rollback")}
    )

    async def round(self, number: int) -> None:
        """Each way once, in another order each time, and our way back; the next round promotes
        over the version that came back."""
        version = await self.world.staged(OURS)
        await self.world.judged(OURS, version)
        raw = self.client.create_model_version(RAW, source="s3://anywhere/model").version
        ways: list[tuple[str, Callable[[], Awaitable[object]]]] = [
            ("ours", lambda: self._ours(version)),
            ("raw", lambda: self._raw(raw)),
            ("floor", lambda: self._transaction(number)),
        ]
        for name, way in ways[number % 3 :] + ways[: number % 3]:
            await self._timed(name, way)
        if number:
            await self._timed("rollback", lambda: self.world.roll_back(OURS))

    def forget(self) -> None:
        """Of the rounds so far: connections and caches were cold."""
        for seconds in self.seconds.values():
            seconds.clear()

    async def _timed(self, name: str, way: Callable[[], Awaitable[object]]) -> None:
        started = time.perf_counter()
        await way()
        self.seconds[name].append(time.perf_counter() - started)

    async def _ours(self, version: int) -> None:
        await self.world.move(OURS, version, "production", operation_id=new_name("promote"))

    async def _raw(self, version: str) -> None:
        self.client.transition_model_version_stage(
            RAW, version, "Production", archive_existing_versions=True
        )
        self.client.set_registered_model_alias(RAW, "production", version)
        self.client.get_model_version(RAW, version)

    async def _transaction(self, number: int) -> None:
        async with self.floor.transaction():
            await self.floor.fetchrow("SELECT version FROM floor WHERE id = 1 FOR UPDATE")
            await self.floor.execute("UPDATE floor SET version = $1 WHERE id = 1", number)
            await self.floor.execute("INSERT INTO floor_entries VALUES ($1)", number)


async def measure(folder: Path, services: Stack, rounds: int, console: Console) -> Promotions:
    settings = Settings({}, home=folder, database_url=services.ledger, tracking_uri=services.mlflow)
    client = MlflowClient(services.mlflow, services.mlflow)
    client.create_registered_model(RAW)
    floor = await asyncpg.connect(services.ledger.replace("+asyncpg", ""))
    for statement in _FLOOR:
        await floor.execute(statement)
    async with open_registry(settings) as registry:
        logged = await registry.log_model(TENANT, "origin", trained(), created_by="benchmark")
        promotions = Promotions(
            RegistryFixture(registry, TENANT, (logged.model_uri,)), client, floor
        )
        with console.status("") as status:
            for number in range(WARM_UP + rounds):
                status.update(f"round {number - WARM_UP + 1} of {rounds}")
                if number == WARM_UP:
                    promotions.forget()
                await promotions.round(number)
    await floor.close()
    return promotions


def report(promotions: Promotions, console: Console) -> bool:
    """Print what was measured; whether ours took at most as long as the raw calls."""
    seconds = promotions.seconds
    table = Table(title="Promoting a version: milliseconds")
    for heading in ("", "rounds", "median", "least", "most", "times raw", "times floor"):
        table.add_column(heading, justify="left" if not heading else "right")
    ratio = {name: {base: _ratio(seconds, name, base) for base in _BASES} for name in _LABELS}
    for name, title in _LABELS.items():
        values = [1000 * item for item in seconds[name]]
        cells = (statistics.median(values), min(values), max(values), *ratio[name].values())
        table.add_row(title, str(len(values)), *(f"{value:.2f}" for value in cells))
    console.print(table)
    good = ratio["ours"]["raw"] <= AT_MOST
    console.print(f"{'PASS' if good else 'FAIL'}: ours at most {AT_MOST} times the raw calls")
    return good


_LABELS = {
    "ours": "ours: evidence, ledger, MLflow shows it",
    "raw": "raw: transition with archive, set alias, get",
    "floor": "floor: one PostgreSQL transaction",
    "rollback": "rollback: from the call to new production",
}
_BASES = ("raw", "floor")


def _ratio(seconds: dict[str, list[float]], name: str, base: str) -> float:
    return statistics.median(seconds[name]) / statistics.median(seconds[base])


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=60)
    rounds = max(1, parser.parse_args(arguments).rounds)
    os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", PYTHONWARNINGS="ignore")
    warnings.simplefilter("ignore")  # MLflow's stages are deprecated
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    console = Console(width=None if sys.stdout.isatty() else 120)
    with tempfile.TemporaryDirectory(prefix="promote-") as scratch:
        folder = Path(scratch)
        with stack(folder / "mlflow") as services:
            promotions = asyncio.run(measure(folder / "home", services, rounds, console))
    return 0 if report(promotions, console) else 1


if __name__ == "__main__":
    sys.exit(main())
