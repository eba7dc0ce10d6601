"""How long registering a model takes: ours against MLflow's, side by side in one process.

Ours: ``ModelRegistry.register_model``, embedded, with run, metrics, parameters, LoggedModel, model
version, bundle, model card, manifest and ledger entry. MLflow's: ``log_model`` with its defaults
and ``registered_model_name``, with run, metrics and parameters, embedded too. Imports, databases
and experiments are there before the clock starts; the two take turns.

Exit code 1 when ours is not at least 15 times faster, or when our requirements.txt lacks a line
of the one that MLflow inferred.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import logging
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from model_lifecycle.registry.frameworks.trusted_types import trusted_types
from model_lifecycle.registry.model_registry import ModelRegistry
from model_lifecycle.registry.opening import open_registry
from model_lifecycle.registry.rules import paths
from model_lifecycle.registry.rules.tenancy import ModelId, TenantId
from model_lifecycle.registry.settings import Settings

REQUIRED = 15.0
TENANT = TenantId("bench")
METRICS = {"brier": 0.17, "auc": 0.81}
PARAMETERS = {"rows": "5000", "seed": "7"}


@dataclass
class Case:
    """A fitted model, what MLflow has to be told to save it at all, and what was measured."""

    name: str
    model: Any
    example: pd.DataFrame
    options: dict[str, Any]
    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    requirements: set[str] = field(default_factory=set)
    inferred: set[str] = field(default_factory=set)

    @property
    def factor(self) -> float:
        return statistics.median(self.theirs) / statistics.median(self.ours)

    @property
    def missing(self) -> list[str]:
        return sorted(self.inferred - self.requirements)


def cases() -> list[Case]:
    random = np.random.default_rng(7)
    frame = pd.DataFrame(random.normal(size=(5000, 8)), columns=list("abcdefgh"))
    labels = (frame["a"] + frame["b"] ** 2 > random.normal(size=5000)).astype(int)
    linear = make_pipeline(StandardScaler(), LogisticRegression()).fit(frame, labels)
    boosted = HistGradientBoostingClassifier().fit(frame, labels)
    example = frame.head()
    return [
        Case("logistic-regression", linear, example, {}),
        # Without the list MLflow refuses this model.
        Case("gradient-boosting", boosted, example, {"skops_trusted_types": trusted_types()}),
    ]


async def register_ours(registry: ModelRegistry, case: Case) -> None:
    started = time.perf_counter()
    version = await registry.register_model(
        TENANT,
        case.name,
        case.model,
        "sklearn",
        METRICS,
        PARAMETERS,
        input_example=case.example,
        created_by="benchmark",
    )
    case.ours.append(time.perf_counter() - started)
    folder = paths.bundle(TENANT, ModelId(case.name), version.current_version)
    case.requirements = await _lines(registry, f"{folder}/{paths.REQUIREMENTS}")
    for name in (paths.MANIFEST, paths.MODEL_CARD, "MLmodel"):
        assert await registry.artifacts.get_bytes(f"{folder}/{name}")


def register_theirs(case: Case, artifacts: Path, **options: Any) -> None:
    import mlflow.sklearn

    started = time.perf_counter()
    # MLflow tells of each version on standard error.
    with contextlib.redirect_stderr(io.StringIO()), mlflow.start_run():
        mlflow.log_metrics(METRICS)
        mlflow.log_params(PARAMETERS)
        logged = mlflow.sklearn.log_model(
            case.model,
            name=case.name,
            input_example=case.example,
            registered_model_name=case.name,
            **case.options,
            **options,
        )
    case.theirs.append(time.perf_counter() - started)
    file = artifacts / "models" / logged.model_id / "artifacts" / "requirements.txt"
    case.inferred = set(file.read_text().split())


async def _lines(registry: ModelRegistry, path: str) -> set[str]:
    return set((await registry.artifacts.get_bytes(path)).decode().split())


async def measure(home: Path, rounds: int, console: Console) -> list[Case]:
    import mlflow

    artifacts = home / "mlflow-artifacts"
    mlflow.set_tracking_uri(f"sqlite:///{home}/mlflow-alone.db")
    mlflow.create_experiment("benchmark", artifact_location=str(artifacts))
    mlflow.set_experiment("benchmark")
    measured = cases()
    async with open_registry(Settings({}, home=home / "registry")) as registry:
        for case in measured:
            # Told the requirements, MLflow does all but the inference: imports and tables are warm.
            register_theirs(case, artifacts, pip_requirements=["scikit-learn"])
            await register_ours(registry, case)
            case.ours.clear()
            case.theirs.clear()
            for number in range(rounds):
                with console.status(f"{case.name}: round {number + 1} of {rounds}"):
                    register_theirs(case, artifacts)
                    await register_ours(registry, case)
    return measured


def report(measured: Sequence[Case], console: Console) -> bool:
    """Print what was measured; whether all of it is as it should be."""
    table = Table(title="Registering a scikit-learn model: median seconds (least to most)")
    for heading in ("model", "rounds", "MLflow", "ours", "times faster", "requirements"):
        table.add_column(heading)
    for case in measured:
        verdict = "none missing" if not case.missing else f"missing {', '.join(case.missing)}"
        table.add_row(
            case.name,
            str(len(case.ours)),
            _spread(case.theirs),
            _spread(case.ours),
            f"{case.factor:.1f}",
            f"{len(case.requirements)} (MLflow {len(case.inferred)}), {verdict}",
        )
    console.print(table)
    good = all(case.factor >= REQUIRED and not case.missing for case in measured)
    outcome = "PASS" if good else "FAIL"
    console.print(f"{outcome}: at least {REQUIRED:g} times faster, no requirement missing")
    return good


def _spread(seconds: Sequence[float]) -> str:
    return f"{statistics.median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f})"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="registrations of each kind")
    rounds = parser.parse_args().rounds
    # Third parties' advice about each other is not what this is about.
    os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", PYTHONWARNINGS="ignore")
    warnings.simplefilter("ignore")
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    console = Console(width=None if sys.stdout.isatty() else 120)
    with tempfile.TemporaryDirectory(prefix="register-") as scratch:
        measured = asyncio.run(measure(Path(scratch), max(rounds, 1), console))
    return 0 if report(measured, console) else 1


if __name__ == "__main__":
    sys.exit(main())
