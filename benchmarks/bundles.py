"""The cost of a model's size: rolling back, registering and loading 1 GiB on S3.

A rollback to a bundle of 1 GiB against one to a bundle of 1 KiB: both verify the files that
production will serve. A registration of 1 GiB from a local MLflow folder, with the peak memory of
its process, against boto3's upload of the same folder. Loading for prediction a second time on this
host, from the cache of bundles, against the adapter's load of the same files from a local folder.
Ledger and MLflow are embedded, the files are on a local S3 server; each registration and each load
is a process of its own, and what is compared takes turns.

Exit code 1 when a ratio or the memory is above its limit.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from support.registry_fixture import new_name
from support.servers.seaweed import Seaweed, seaweed

from model_lifecycle.registry.domain.models import ModelType
from model_lifecycle.registry.factory import open_registry
from model_lifecycle.registry.frameworks import adapter_for
from model_lifecycle.registry.model_registry import ModelRegistry
from model_lifecycle.registry.settings import Settings

GIB, MIB = 1024**3, 1024**2
TENANT, BUCKET = "acme", "bench"
LARGE, SMALL = "large", "small"
#: What may not be exceeded: ratios, and the memory of a registration in GiB.
LIMITS = {"rollback": 1.2, "register": 1.3, "memory": 1.5, "load": 1.2}
_FEATURES = 8


@dataclass(frozen=True)
class Place:
    """Where the registry of the benchmark is; the environment has the credentials of S3."""

    home: Path
    endpoint: str

    def settings(self) -> Settings:
        return Settings(
            {}, home=self.home, artifact_root=f"s3://{BUCKET}", s3_endpoint_url=self.endpoint
        )


def save(folder: Path, size: int) -> None:
    """A folder with a k-means model of about ``size`` bytes: the centres are its weights."""
    import numpy as np
    import pandas as pd
    from sklearn.cluster import KMeans

    random = np.random.default_rng(0)
    names = [f"x{number}" for number in range(_FEATURES)]
    frame = pd.DataFrame(random.normal(size=(64, _FEATURES)), columns=names)
    model = KMeans(2, n_init=1, random_state=0).fit(frame)
    centres = max(2, size // (8 * _FEATURES))
    model.cluster_centers_ = random.normal(size=(centres, _FEATURES))
    model.n_clusters = model._n_features_out = centres
    adapter_for("sklearn", settings_trusted_types=(), allow_pickle=False).save(
        model, folder, input_example=frame.head(2), model_type=ModelType.CLUSTERING.value
    )


async def register(place: Place, folder: Path, model: str) -> dict[str, float]:
    """Seconds, the version's number, and the peak memory of this process in bytes. A small model is
    registered before, so that databases are made and libraries imported."""
    async with open_registry(place.settings()) as registry:
        await _registered(registry, folder.parent / SMALL, new_name("warm-up"))
        started = time.perf_counter()
        version = await _registered(registry, folder, model)
        seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"seconds": seconds, "version": version, "peak": peak}


async def _registered(registry: ModelRegistry, folder: Path, model: str) -> int:
    made = await registry.register_model(
        TENANT,
        model,
        folder,
        "sklearn",
        {},
        {},
        model_type=ModelType.CLUSTERING.value,
        created_by="benchmark",
    )
    return max(made.versions)


async def load(place: Place, folder: Path, model: str) -> dict[str, float]:
    """Seconds to load the version in production from the cache, and from the local folder."""
    del folder
    async with open_registry(place.settings()) as registry:
        started = time.perf_counter()
        await registry.load_model(TENANT, model)
        return {"seconds": time.perf_counter() - started}


async def load_folder(place: Place, folder: Path, model: str) -> dict[str, float]:
    """Seconds of the adapter to load the files from a local folder."""
    del place, model
    adapter = adapter_for("sklearn", settings_trusted_types=(), allow_pickle=False)
    started = time.perf_counter()
    adapter.load(folder, model_type=ModelType.CLUSTERING.value)
    return {"seconds": time.perf_counter() - started}


STEPS: dict[str, Callable[[Place, Path, str], Awaitable[dict[str, float]]]] = {
    step.__name__: step for step in (register, load, load_folder)
}


def in_process(step: str, place: Place, folder: Path, model: str) -> dict[str, float]:
    """The result of one of :data:`STEPS` in a process of its own."""
    arguments = {
        "step": step,
        "home": str(place.home),
        "endpoint": place.endpoint,
        "folder": str(folder),
        "model": model,
    }
    command = [sys.executable, __file__, "--step", json.dumps(arguments)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, float] = json.loads(answer.stdout.splitlines()[-1])
    return result


def upload(server: Seaweed, folder: Path) -> float:
    """Seconds that boto3 takes to upload the folder's files, one after the other."""
    client = server.client()
    started = time.perf_counter()
    for file in sorted(item for item in folder.rglob("*") if item.is_file()):
        client.upload_file(str(file), BUCKET, f"upload/{file.relative_to(folder)}")
    return time.perf_counter() - started


async def roll_back(registry: ModelRegistry, model: str) -> float:
    """Seconds of a rollback from version 2 to version 1; version 2 is then in production again."""
    started = time.perf_counter()
    await registry.rollback(TENANT, model, actor="benchmark", reason="measured")
    seconds = time.perf_counter() - started
    for stage in ("staging", "production"):
        await _move(registry, model, 2, stage)
    return seconds


async def _move(registry: ModelRegistry, model: str, version: int, stage: str) -> None:
    await registry.transition_stage(
        TENANT, model, version, stage, actor="benchmark", reason="no gate here", force=True
    )


def measure(folder: Path, size: int, rounds: int, console: Console) -> dict[str, list[float]]:
    """Seconds by what was done, and under ``memory`` the peaks in GiB."""
    times: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        times.setdefault(name, []).append(value)

    with seaweed() as server:
        os.environ.update(server.environment())
        server.create_bucket(BUCKET)
        place = Place(folder / "home", server.url)
        folders = {SMALL: folder / SMALL, LARGE: folder / LARGE}
        save(folders[SMALL], 1024)
        console.print("saving the large model")
        save(folders[LARGE], size)
        for number in range(rounds):
            console.print(f"registering, round {number + 1} of {rounds}")
            note("upload", upload(server, folders[LARGE]))
            made = in_process("register", place, folders[LARGE], new_name("register"))
            note("register", made["seconds"])
            note("memory", made["peak"] / GIB)
        for model, first in folders.items():
            for version in (first, folders[SMALL]):
                in_process("register", place, version, model)
        console.print("rolling back")
        asyncio.run(_rollbacks(place, rounds, note))
        asyncio.run(_serve_first(place))
        console.print("loading")
        note("first load", in_process("load", place, folders[LARGE], LARGE)["seconds"])
        for _ in range(rounds):
            note("load", in_process("load", place, folders[LARGE], LARGE)["seconds"])
            note("folder", in_process("load_folder", place, folders[LARGE], LARGE)["seconds"])
    return times


async def _rollbacks(place: Place, rounds: int, note: Callable[[str, float], None]) -> None:
    async with open_registry(place.settings()) as registry:
        for model in (SMALL, LARGE):
            for version in (1, 2):
                for stage in ("staging", "production"):
                    await _move(registry, model, version, stage)
        for number in range(1 + 5 * rounds):
            for model in (SMALL, LARGE):
                seconds = await roll_back(registry, model)
                if number:
                    note(f"rollback {model}", seconds)


async def _serve_first(place: Place) -> None:
    async with open_registry(place.settings()) as registry:
        await registry.rollback(TENANT, LARGE, actor="benchmark", reason="measured")


def report(times: dict[str, list[float]], size: int, console: Console) -> bool:
    """Print what was measured; whether everything is within its limit."""
    median = {name: statistics.median(values) for name, values in times.items()}
    table = Table(title=f"A model of {size / MIB:,.0f} MiB: seconds")
    for heading in ("", "runs", "median", "least", "most"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, values in times.items():
        if name != "memory":
            cells = (median[name], min(values), max(values))
            table.add_row(name, str(len(values)), *(f"{value:.3f}" for value in cells))
    console.print(table)
    measured = {
        "rollback": median[f"rollback {LARGE}"] / median[f"rollback {SMALL}"],
        "register": median["register"] / median["upload"],
        "memory": max(times["memory"]),
        "load": median["load"] / median["folder"],
    }
    titles = {
        "rollback": "rollback to the large bundle / to one of 1 KiB",
        "register": "registration / boto3's upload of the same folder",
        "memory": "peak memory of a registration, GiB",
        "load": "loading again / loading from a local folder",
    }
    good = True
    for name, value in measured.items():
        met = value <= LIMITS[name]
        good &= met
        verdict = "met" if met else "NOT MET"
        console.print(f"{titles[name]:<52} {value:6.2f}  (at most {LIMITS[name]}) {verdict}")
    return good


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mib", type=int, default=1024, help="size of the large model")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--step", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", PYTHONWARNINGS="ignore")
    warnings.simplefilter("ignore")
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    if options.step:
        step: dict[str, Any] = json.loads(options.step)
        place = Place(Path(step["home"]), step["endpoint"])
        work = STEPS[step["step"]](place, Path(step["folder"]), step["model"])
        print(json.dumps(asyncio.run(_awaited(work))))
        return 0
    console = Console(width=None if sys.stdout.isatty() else 120)
    with tempfile.TemporaryDirectory(prefix="bundles-") as scratch:
        free = shutil.disk_usage(scratch).free
        needed = (6 + 3 * options.rounds) * options.mib * MIB
        if free < needed:
            parser.error(f"{scratch} has {free / GIB:.1f} GiB free, {needed / GIB:.1f} are needed")
        times = measure(Path(scratch), options.mib * MIB, options.rounds, console)
    return 0 if report(times, options.mib * MIB, console) else 1


async def _awaited(work: Awaitable[dict[str, float]]) -> dict[str, float]:
    return await work


if __name__ == "__main__":
    sys.exit(main())
