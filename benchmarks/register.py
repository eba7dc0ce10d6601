"""How long registering a model takes: ours against MLflow's, side by side in one process.

Ours: ``ModelRegistry.register_model``, embedded, with run, metrics, parameters, LoggedModel, model
version, bundle, ONNX export with its comparison, model card, manifest and ledger entry. MLflow's:
``log_model`` with its defaults and ``registered_model_name``, with run, metrics and parameters,
embedded too; it exports no ONNX. Imports, databases and experiments are there before the clock
starts; the two take turns. Frameworks that are not installed are named and left out.

Exit code 1 when ours is not at least 15 times faster with scikit-learn, or not faster with
another framework, or when our requirements.txt lacks a line of the one that MLflow inferred.
Where other frameworks are installed, MLflow names those too that its own loading imports beside
the model. There a line counts as lacking unless the model loads and predicts in a process for which
it is not installed; those are printed as needless. Where scikit-learn is alone, every line counts.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module, metadata
from importlib.util import find_spec
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

from model_lifecycle.registry.domain import artifact_paths
from model_lifecycle.registry.domain.identifiers import ModelId, TenantId
from model_lifecycle.registry.domain.models import ONNX_PARITY
from model_lifecycle.registry.factory import open_registry
from model_lifecycle.registry.frameworks.sklearn_model.trusted_types import trusted_types
from model_lifecycle.registry.model_registry import ModelRegistry
from model_lifecycle.registry.settings import Settings

#: Times faster than MLflow. For scikit-learn it is the target; the others export and compare an
#: ONNX model, which MLflow does not, and have to be faster all the same.
REQUIRED = {"sklearn": 15.0, "pytorch": 1.0, "tensorflow": 1.0, "onnx": 1.0}
TENANT = TenantId("bench")
_WITHOUT = """
import sys
from importlib import metadata
from pathlib import Path

framework, folder, rows, distribution, blocked = sys.argv[1:]

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked.split(","):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

def absent(found):
    return (found.metadata["Name"] or "").lower().replace("_", "-") == distribution

# Some ask whether it is installed before they import it.
everything = metadata.Distribution.discover
metadata.Distribution.discover = lambda **asked: (
    found for found in everything(**asked) if not absent(found)
)
sys.meta_path.insert(0, Absent())
import pandas as pd
from model_lifecycle.registry.frameworks import adapter_for

adapter_for(framework).load(Path(folder)).predict(pd.read_json(rows, orient="split"))
"""
METRICS = {"brier": 0.17, "auc": 0.81}
PARAMETERS = {"rows": "5000", "seed": "7"}


@dataclass
class Case:
    """A fitted model, what MLflow has to be told to save it at all, and what was measured.

    ``given`` is the input example in the form that MLflow takes for the framework."""

    framework: str
    name: str
    model: Any
    example: pd.DataFrame
    options: dict[str, Any]
    given: Any = None
    onnx: str = ""
    folder: str = ""
    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    requirements: set[str] = field(default_factory=set)
    inferred: set[str] = field(default_factory=set)
    needless: set[str] = field(default_factory=set)

    @property
    def factor(self) -> float:
        return statistics.median(self.theirs) / statistics.median(self.ours)

    @property
    def missing(self) -> list[str]:
        return sorted(self.inferred - self.requirements - self.needless)

    @property
    def good(self) -> bool:
        return self.factor >= REQUIRED[self.framework] and not self.missing


def cases() -> tuple[list[Case], list[str]]:
    """The cases that can be measured here, and the frameworks that cannot."""
    random = np.random.default_rng(7)
    frame = pd.DataFrame(random.normal(size=(5000, 8)), columns=list("abcdefgh"))
    labels = (frame["a"] + frame["b"] ** 2 > random.normal(size=5000)).astype(int)
    linear = make_pipeline(StandardScaler(), LogisticRegression()).fit(frame, labels)
    boosted = HistGradientBoostingClassifier().fit(frame, labels)
    example = frame.head()
    cases = [
        Case("sklearn", "logistic-regression", linear, example, {}),
        # Without the list MLflow refuses this model.
        Case(
            "sklearn",
            "gradient-boosting",
            boosted,
            example,
            {"skops_trusted_types": trusted_types()},
        ),
    ]
    absent = []
    for framework, needs, make in (
        ("pytorch", ("torch", "onnxscript"), _pytorch),
        ("tensorflow", ("tensorflow", "tf2onnx"), _tensorflow),
        ("onnx", ("onnx", "onnxruntime", "skl2onnx"), _onnx),
    ):
        if all(find_spec(name) for name in needs):
            cases.append(make(example, linear))
        else:
            absent.append(framework)
    return cases, absent


def _pytorch(example: pd.DataFrame, linear: Any) -> Case:
    import torch
    from torch import nn

    torch.manual_seed(7)
    layers = nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1), nn.Sigmoid()
    rows = example.to_numpy(dtype="float32")
    return Case("pytorch", "network", nn.Sequential(*layers).eval(), example, {}, given=rows)


def _tensorflow(example: pd.DataFrame, linear: Any) -> Case:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras

    layers = keras.layers
    model = keras.Sequential(
        [layers.Input((8,)), layers.Dense(32, "relu"), layers.Dense(1, "sigmoid")]
    )
    return Case("tensorflow", "keras", model, example, {}, given=example.to_numpy(dtype="float32"))


def _onnx(example: pd.DataFrame, linear: Any) -> Case:
    from skl2onnx import to_onnx

    rows = example.to_numpy(dtype="float32")
    return Case("onnx", "onnx-linear", to_onnx(linear, rows), example, {}, given=rows)


async def register_ours(registry: ModelRegistry, case: Case) -> None:
    started = time.perf_counter()
    version = await registry.register_model(
        TENANT,
        case.name,
        case.model,
        case.framework,
        METRICS,
        PARAMETERS,
        input_example=case.example,
        created_by="benchmark",
    )
    case.ours.append(time.perf_counter() - started)
    folder = artifact_paths.bundle(TENANT, ModelId(case.name), version.current_version)
    case.requirements = await _lines(registry, f"{folder}/{artifact_paths.REQUIREMENTS}")
    for name in (artifact_paths.MANIFEST, artifact_paths.MODEL_CARD, "MLmodel"):
        assert await registry.artifacts.get_bytes(f"{folder}/{name}")
    case.folder = f"{registry.settings.artifact_root}/{folder}"
    case.onnx = version.tags.get(ONNX_PARITY, "none")


def register_theirs(case: Case, artifacts: Path, **options: Any) -> None:
    import mlflow

    flavor = import_module(f"mlflow.{case.framework}")
    started = time.perf_counter()
    # MLflow tells of each version on standard error, and Keras of its progress on the other.
    quiet = io.StringIO()
    with (
        contextlib.redirect_stdout(quiet),
        contextlib.redirect_stderr(quiet),
        mlflow.start_run(),
    ):
        mlflow.log_metrics(METRICS)
        mlflow.log_params(PARAMETERS)
        logged = flavor.log_model(
            case.model,
            name=case.name,
            input_example=case.example if case.given is None else case.given,
            registered_model_name=case.name,
            **case.options,
            **options,
        )
    case.theirs.append(time.perf_counter() - started)
    file = artifacts / "models" / logged.model_id / "artifacts" / "requirements.txt"
    case.inferred = set(file.read_text().split())


def find_needless(case: Case, scratch: Path) -> None:
    """Which lines of MLflow's that ours lacks the model does without; tried one by one."""
    rows = scratch / "rows.json"
    case.example.to_json(rows, orient="split")
    modules = metadata.packages_distributions()
    ours = {line.partition("==")[0] for line in case.requirements}
    for line in case.missing:
        name = line.partition("==")[0]
        provides = [module for module, of in modules.items() if name in map(_normal, of)]
        if not provides:
            # Not installed under that name: another distribution has its module, which is ours.
            if {_normal(item) for item in modules.get(name, ())} & ours:
                case.needless.add(line)
            continue
        command = [case.framework, case.folder, str(rows), name, ",".join(provides)]
        done = subprocess.run([sys.executable, "-c", _WITHOUT, *command], capture_output=True)
        if done.returncode == 0:
            case.needless.add(line)


def _normal(name: str) -> str:
    return name.lower().replace("_", "-")


async def _lines(registry: ModelRegistry, path: str) -> set[str]:
    return set((await registry.artifacts.get_bytes(path)).decode().split())


async def measure(home: Path, rounds: int, console: Console, measured: Sequence[Case]) -> None:
    import mlflow

    artifacts = home / "mlflow-artifacts"
    mlflow.set_tracking_uri(f"sqlite:///{home}/mlflow-alone.db")
    mlflow.create_experiment("benchmark", artifact_location=str(artifacts))
    mlflow.set_experiment("benchmark")
    async with open_registry(Settings({}, home=home / "registry")) as registry:
        for case in measured:
            # Told the requirements, MLflow does all but the inference: imports and tables are warm.
            register_theirs(case, artifacts, pip_requirements=["mlflow"])
            await register_ours(registry, case)
            case.ours.clear()
            case.theirs.clear()
            for number in range(rounds):
                with console.status(f"{case.name}: round {number + 1} of {rounds}"):
                    register_theirs(case, artifacts)
                    await register_ours(registry, case)


def report(measured: Sequence[Case], absent: Sequence[str], console: Console) -> bool:
    """Print what was measured; whether all of it is as it should be."""
    table = Table(title="Registering a model: median seconds (least to most)")
    for heading in ("framework", "model", "rounds", "MLflow", "ours", "times faster", "ONNX"):
        table.add_column(heading)
    table.add_column("requirements")
    for case in measured:
        verdict = "none missing" if not case.missing else f"missing {', '.join(case.missing)}"
        if case.needless:
            verdict += f"; needless {', '.join(sorted(case.needless))}"
        table.add_row(
            case.framework,
            case.name,
            str(len(case.ours)),
            _spread(case.theirs),
            _spread(case.ours),
            f"{case.factor:.1f} (at least {REQUIRED[case.framework]:g})",
            case.onnx,
            f"{len(case.requirements)} (MLflow {len(case.inferred)}), {verdict}",
        )
    console.print(table)
    if absent:
        console.print(f"Not installed, so not measured: {', '.join(absent)}")
    good = all(case.good for case in measured)
    console.print(f"{'PASS' if good else 'FAIL'}: as fast as required, no requirement missing")
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
        measured, absent = cases()
        asyncio.run(measure(Path(scratch), max(rounds, 1), console, measured))
        # With scikit-learn alone, MLflow's loading imports nothing beside it: no line is excused.
        if {case.framework for case in measured} != {"sklearn"}:
            for case in measured:
                find_needless(case, Path(scratch))
    return 0 if report(measured, absent, console) else 1


if __name__ == "__main__":
    sys.exit(main())
