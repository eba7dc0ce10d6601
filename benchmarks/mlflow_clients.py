"""A process that asks MLflow's server one thing: through our REST client, mlflow-skinny and MLflow.

Each Airflow task is a process of its own, so the time to import a client and its memory count as
much as its requests. Each way starts Python, reads a registered model from one local server, and
reads it a hundred times more over the same connection. The ways alternate, each round in another
order. mlflow-skinny is installed into an environment of its own, in the pinned version.

Exit code 1 when ours starts in more than half of the time of mlflow-skinny, or when a request takes
longer than with mlflow-skinny: then decision 0012 has lost its reason.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from support.servers.mlflow import mlflow_server

START_AT_MOST, REQUEST_AT_MOST = 0.5, 1.0
REQUESTS = 100
MODEL = "bench"

_MEASURE = f"""
import json, re, sys, time
started = time.perf_counter()
get = open_client(sys.argv[1])
get()
first = time.perf_counter()
for _ in range({REQUESTS}):
    get()
request = (time.perf_counter() - first) / {REQUESTS}
# Not getrusage: after a fork, its peak is at least that of the parent.
peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) / 1024
print(json.dumps({{"start": first - started, "request": request, "peak": peak}}))
"""
_OURS = f"""
def open_client(uri):
    from model_lifecycle.registry.mlflow_adapter.rest.client import Server
    server = Server(uri, 10.0)
    return lambda: server.send("GET", "registered-models/get", {{"name": "{MODEL}"}})
"""
_MLFLOW = f"""
def open_client(uri):
    from mlflow import MlflowClient
    client = MlflowClient(uri, uri)
    return lambda: client.get_registered_model("{MODEL}")
"""


@dataclass(frozen=True)
class Way:
    """One client: the Python that has it, and the program that opens it."""

    title: str
    python: Path
    program: str


@dataclass
class Measured:
    """Of each round: seconds to the first answer, seconds of a request, peak memory in MiB."""

    start: list[float] = field(default_factory=list)
    request: list[float] = field(default_factory=list)
    peak: list[float] = field(default_factory=list)

    def add(self, sample: Mapping[str, float]) -> None:
        self.start.append(sample["start"])
        self.request.append(sample["request"])
        self.peak.append(sample["peak"])


def skinny_python(folder: Path) -> Path:
    """The Python of a new environment with mlflow-skinny of the version that is pinned here."""
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    uv = Path(sys.executable).with_name("uv")
    pin = f"mlflow-skinny=={version('mlflow-skinny')}"
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, pin], check=True)
    return python


def sample(way: Way, uri: str) -> dict[str, float]:
    """One process of the way."""
    command = [str(way.python), "-W", "ignore", "-c", way.program + _MEASURE, uri]
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def report(results: Mapping[str, Measured], console: Console) -> bool:
    """Print what was measured; whether ours keeps its advantage."""
    table = Table(title="A process with one client of MLflow's server (medians)")
    for heading in ("", "first answer, s", "one request, ms", "peak memory, MiB"):
        table.add_column(heading, justify="left" if not heading else "right")
    for title, measured in results.items():
        table.add_row(
            title,
            f"{statistics.median(measured.start):.2f}",
            f"{1000 * statistics.median(measured.request):.2f}",
            f"{statistics.median(measured.peak):.0f}",
        )
    console.print(table)
    ours, skinny, *_ = results.values()
    start = statistics.median(ours.start) / statistics.median(skinny.start)
    request = statistics.median(ours.request) / statistics.median(skinny.request)
    console.print(
        f"ours against mlflow-skinny: start {start:.2f} times (at most {START_AT_MOST}), "
        f"request {request:.2f} times (at most {REQUEST_AT_MOST})"
    )
    return start <= START_AT_MOST and request <= REQUEST_AT_MOST


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    console = Console()
    with tempfile.TemporaryDirectory(prefix="mlflow-clients-") as folder:
        own = Path(sys.executable)
        ways = [
            Way("our REST client", own, _OURS),
            Way("mlflow-skinny", skinny_python(Path(folder) / "skinny"), _MLFLOW),
            Way("mlflow", own, _MLFLOW),
        ]
        results = {way.title: Measured() for way in ways}
        with mlflow_server(Path(folder) / "server") as uri:
            from mlflow import MlflowClient

            MlflowClient(uri, uri).create_registered_model(MODEL)
            for number in range(rounds):
                turn = number % len(ways)
                for way in ways[turn:] + ways[:turn]:
                    results[way.title].add(sample(way, uri))
        return 0 if report(results, console) else 1


if __name__ == "__main__":
    raise SystemExit(main())
