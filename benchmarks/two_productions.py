"""How many versions are in production after two promoted at once: plain MLflow's and ours.

Two processes promote two versions at the same moment, round after round, over HTTP to an MLflow
server on PostgreSQL with psycopg2. Plain: ``transition_model_version_stage`` with
``archive_existing_versions=True``. Ours: ``transition_stage`` with the same expected production;
counted in the ledger and by the tags in MLflow. The two ways take turns.

Exit code 1 when a round of ours ends with anything but one, in either place, or with MLflow's alias
on another version.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from rich.console import Console
from rich.table import Table

sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parent)]

from promoting.stack import stack  # noqa: E402
from stress.race.processes import Promoters, promoters  # noqa: E402
from stress.race.promoter import MODEL, TENANT  # noqa: E402
from stress.race.rounds import next_rivals, outcome, prepare  # noqa: E402

from model_lifecycle.registry.mlflow_adapter import tags  # noqa: E402
from model_lifecycle.registry.sync import run_sync  # noqa: E402

_PLAIN = Path(__file__).parent / "promoting" / "plain.py"
PROMOTERS = 2
OURS, PLAIN = f"{TENANT}.{MODEL}", "plain"
_LEDGER, _PROJECTED, _STAGES = "ours, in the ledger", "ours, as MLflow shows it", "plain MLflow"


@dataclass
class Race:
    """Result of the rounds: production versions at the end, by where they were counted."""

    client: MlflowClient
    settings: dict[str, Any]
    ended: dict[str, Counter[int]] = field(
        default_factory=lambda: {name: Counter() for name in (_STAGES, _LEDGER, _PROJECTED)}
    )
    outcomes: dict[str, Counter[str]] = field(
        default_factory=lambda: {PLAIN: Counter(), OURS: Counter()}
    )
    astray: int = 0

    def plain(self, crowd: Promoters) -> None:
        """The first version in production, and two promoters for the other two."""
        for version in (2, 3):
            self.client.transition_model_version_stage(PLAIN, str(version), "Staging")
        self.client.transition_model_version_stage(PLAIN, "1", "Production")
        answers = crowd.promote([2, 3], 1)
        self.outcomes[PLAIN].update(answer["outcome"] for answer in answers)
        versions = self.client.search_model_versions(f"name = '{PLAIN}'")
        self.ended[_STAGES][sum(item.current_stage == "Production" for item in versions)] += 1

    def ours(self, crowd: Promoters) -> None:
        """The same, on evidence; a round begins where the one before ended."""
        rivals, production = run_sync(next_rivals(self.settings))
        answers = crowd.promote(rivals, production)
        self.outcomes[OURS].update(answer["outcome"] for answer in answers)
        _, stages = run_sync(outcome(self.settings))
        self.ended[_LEDGER][list(stages.values()).count("production")] += 1
        versions = self.client.search_model_versions(f"name = '{OURS}'")
        self.ended[_PROJECTED][sum(v.tags.get(tags.STAGE) == "production" for v in versions)] += 1
        alias = self.client.get_model_version_by_alias(OURS, tags.PRODUCTION_ALIAS)
        self.astray += stages[int(alias.version)] != "production"


def run(folder: Path, rounds: int, console: Console) -> Race:
    with console.status("PostgreSQL and MLflow start"), stack(folder / "mlflow") as services:
        client = MlflowClient(services.mlflow, services.mlflow)
        for name in (PLAIN, OURS):
            client.create_registered_model(name)
            for _ in range(PROMOTERS + 1):
                client.create_model_version(name, source="s3://anywhere/model")
        home = {"home": str(folder), "database_url": services.ledger}
        run_sync(prepare(home, PROMOTERS + 1))
        race = Race(client, home)
        served = {**home, "tracking_uri": services.mlflow, "call_timeout": 60}
        theirs = {"home": str(folder), "tracking_uri": services.mlflow, "model": PLAIN}
        with (
            promoters(PROMOTERS, theirs, _PLAIN) as plain,
            promoters(PROMOTERS, served) as ours,
            console.status("") as status,
        ):
            for number in range(rounds):
                status.update(f"round {number + 1} of {rounds}")
                race.plain(plain)
                race.ours(ours)
    return race


def report(race: Race, rounds: int, console: Console) -> bool:
    """Print the histograms; whether every round of ours ended with exactly one."""
    table = Table(title=f"Production versions at the end of a round, {rounds} rounds")
    counts = sorted({0, 1, 2, *(count for ended in race.ended.values() for count in ended)})
    for heading in ("", *map(str, counts)):
        table.add_column(heading)
    for name, ended in race.ended.items():
        table.add_row(name, *(_bar(ended[count], rounds) for count in counts))
    console.print(table)
    for name, outcomes in race.outcomes.items():
        sentence = ", ".join(f"{count} {what}" for what, count in sorted(outcomes.items()))
        console.print(f"{name}: of {rounds * PROMOTERS} calls {sentence}")
    console.print(f"rounds of ours with the alias on another version: {race.astray}")
    good = not race.astray and all(set(race.ended[name]) == {1} for name in (_LEDGER, _PROJECTED))
    console.print(f"{'PASS' if good else 'FAIL'}: ours ends every round with exactly one")
    return good


def _bar(count: int, rounds: int) -> str:
    return f"{count:>4} {'█' * round(20 * count / rounds)}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    rounds = max(1, parser.parse_args(arguments).rounds)
    os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", PYTHONWARNINGS="ignore")
    warnings.simplefilter("ignore")
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    console = Console(width=None if sys.stdout.isatty() else 120)
    with tempfile.TemporaryDirectory(prefix="two-productions-") as scratch:
        race = run(Path(scratch), rounds, console)
    return 0 if report(race, rounds, console) else 1


if __name__ == "__main__":
    sys.exit(main())
