"""How fast a bundle gets into S3: ours against boto3's transfers as the limit and MLflow as peer.

Two bundles: one file of 1 GiB, and 500 small files. Ours is all of ``write_bundle``: every file
hashed, uploaded, its digest at the server compared, and the manifest written last. The limit is one
s3transfer manager with all files at once and the number of threads that was fastest here; it proves
nothing. The peer is MLflow's ``S3ArtifactRepository.log_artifacts``. All talk to one local server,
and take turns. The server shares the processors with them: the second table says who was busy.

Exit code 1 when ours reaches less than 0.9 of the limit's rate, or is not faster than the peer.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from support.servers.seaweed import Seaweed, seaweed

from model_lifecycle.registry.artifacts import open_artifacts, write_bundle
from model_lifecycle.registry.artifacts.checksums import PART_SIZE
from model_lifecycle.registry.domain.identifiers import ModelId, TenantId
from model_lifecycle.registry.settings import Settings

OF_LIMIT = 0.9
THREADS = (4, 8, 16)
GIB = 1024**3
SMALL_FILES, SMALL_SIZE = 500, 16 * 1024
BUCKET = "bench"


@dataclass(frozen=True)
class Spent:
    """Seconds of one upload: on the wall, and of the processors here and in the server."""

    wall: float
    here: float
    server: float


@dataclass
class Case:
    """A bundle, and what each way spent in each round."""

    name: str
    folder: Path
    threads: int = 0
    spent: dict[str, list[Spent]] = field(
        default_factory=lambda: {"boto3": [], "ours": [], "MLflow": []}
    )

    @property
    def size(self) -> int:
        return sum(file.stat().st_size for file in self.folder.iterdir())

    def seconds(self, way: str, of: str = "wall") -> list[float]:
        return [getattr(spent, of) for spent in self.spent[way]]

    def median(self, way: str) -> float:
        return statistics.median(self.seconds(way))

    @property
    def of_limit(self) -> float:
        return self.median("boto3") / self.median("ours")

    @property
    def of_peer(self) -> float:
        return self.median("MLflow") / self.median("ours")


def cases(scratch: Path, large: int) -> list[Case]:
    random = np.random.default_rng(7)
    one, many = scratch / "one", scratch / "many"
    one.mkdir()
    many.mkdir()
    with (one / "model.bin").open("wb") as out:
        for start in range(0, large, PART_SIZE):
            out.write(random.bytes(min(PART_SIZE, large - start)))
    for number in range(SMALL_FILES):
        (many / f"part-{number:03}").write_bytes(random.bytes(SMALL_SIZE))
    return [
        Case(f"one file of {large / GIB:g} GiB", one),
        Case(f"{SMALL_FILES} files of {SMALL_SIZE // 1024} KiB", many),
    ]


class Ways:
    """The three ways to upload a folder; each call goes to a place of its own."""

    def __init__(self, server: Seaweed) -> None:
        self._server = server
        self._process = psutil.Process(server.process_id)
        self._settings = Settings({}, artifact_root=f"s3://{BUCKET}", s3_endpoint_url=server.url)
        self._number = 0

    def boto3(self, folder: Path, threads: int) -> Spent:
        from boto3.s3.transfer import TransferConfig
        from botocore.config import Config
        from s3transfer.manager import TransferManager

        client = self._client(Config(max_pool_connections=threads * 2))
        config = TransferConfig(
            multipart_threshold=PART_SIZE,
            multipart_chunksize=PART_SIZE,
            max_concurrency=threads,
            preferred_transfer_client="classic",
        )
        config.max_request_concurrency = threads
        prefix = self._prefix()
        with self._measured() as spent, TransferManager(client, config) as manager:
            sent = [
                manager.upload(str(file), BUCKET, f"{prefix}/{file.name}")
                for file in folder.iterdir()
            ]
            for each in sent:
                each.result()
        self._check(folder, prefix)
        return spent()

    def ours(self, folder: Path) -> Spent:
        self._number += 1
        number = self._number

        async def upload() -> Spent:
            store = open_artifacts(self._settings)
            with self._measured() as spent:
                await write_bundle(
                    store,
                    TenantId("bench"),
                    ModelId("model"),
                    number,
                    framework="sklearn",
                    saved_folder=folder,
                    source_path=None,
                    extra={},
                )
            await store.close()
            return spent()

        spent = asyncio.run(upload())
        self._check(folder, f"bench/models/model/{number}")
        return spent

    def mlflow(self, folder: Path) -> Spent:
        from mlflow.store.artifact.s3_artifact_repo import S3ArtifactRepository

        prefix = self._prefix()
        repository = S3ArtifactRepository(f"s3://{BUCKET}/{prefix}")
        with self._measured() as spent:
            repository.log_artifacts(str(folder))
        self._check(folder, prefix)
        return spent()

    def _prefix(self) -> str:
        self._number += 1
        return f"upload-{self._number}"

    def _check(self, folder: Path, prefix: str) -> None:
        """All of it is there; then it goes, so that the disk holds one bundle at a time."""
        client = self._client()
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{prefix}/")
        sizes = {item["Key"]: item["Size"] for page in pages for item in page["Contents"]}
        for file in folder.iterdir():
            assert sizes[f"{prefix}/{file.name}"] == file.stat().st_size, file
        for key in sizes:
            client.delete_object(Bucket=BUCKET, Key=key)
        client.close()

    def _client(self, config: Any = None) -> Any:
        import boto3

        return boto3.session.Session().client("s3", endpoint_url=self._server.url, config=config)

    @contextmanager
    def _measured(self) -> Iterator[Callable[[], Spent]]:
        started, ended = self._now(), list[Spent]()
        yield lambda: Spent(
            ended[0].wall - started.wall,
            ended[0].here - started.here,
            ended[0].server - started.server,
        )
        ended.append(self._now())

    def _now(self) -> Spent:
        server = self._process.cpu_times()
        return Spent(time.perf_counter(), time.process_time(), server.user + server.system)


def measure(measured: list[Case], rounds: int, console: Console) -> None:
    with seaweed() as server:
        os.environ.update(server.environment())
        server.create_bucket(BUCKET)
        ways = Ways(server)
        for case in measured:
            with console.status(f"{case.name}: finding boto3's best"):
                ways.ours(case.folder)
                ways.mlflow(case.folder)
                tried = {threads: ways.boto3(case.folder, threads) for threads in THREADS}
                case.threads = min(tried, key=lambda threads: tried[threads].wall)
            for number in range(rounds):
                with console.status(f"{case.name}: round {number + 1} of {rounds}"):
                    case.spent["boto3"].append(ways.boto3(case.folder, case.threads))
                    case.spent["ours"].append(ways.ours(case.folder))
                    case.spent["MLflow"].append(ways.mlflow(case.folder))


def report(measured: list[Case], console: Console) -> bool:
    """Print what was measured; whether all of it is as it should be."""
    table = Table(title="Uploading a bundle to S3: median seconds (least to most)")
    for heading in ("bundle", "boto3 (limit)", "threads", "ours", "MLflow", "of limit", "of peer"):
        table.add_column(heading)
    for case in measured:
        table.add_row(
            case.name,
            _spread(case.seconds("boto3")),
            str(case.threads),
            _spread(case.seconds("ours")),
            _spread(case.seconds("MLflow")),
            f"{case.of_limit:.2f}",
            f"{case.of_peer:.2f}",
        )
    console.print(table)
    busy = Table(title="Processors' seconds, median: in this process / in the S3 server")
    for heading in ("bundle", "boto3 (limit)", "ours", "MLflow"):
        busy.add_column(heading)
    for case in measured:
        busy.add_row(case.name, *(_busy(case, way) for way in case.spent))
    console.print(busy)
    good = all(case.of_limit >= OF_LIMIT and case.of_peer > 1 for case in measured)
    outcome = "PASS" if good else "FAIL"
    console.print(f"{outcome}: at least {OF_LIMIT:g} of the limit's rate, and faster than MLflow")
    return good


def _busy(case: Case, way: str) -> str:
    here, server = case.seconds(way, "here"), case.seconds(way, "server")
    return f"{statistics.median(here):.2f} / {statistics.median(server):.2f}"


def _spread(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f})"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="uploads of each kind")
    parser.add_argument("--gib", type=float, default=1.0, help="size of the one large file")
    given = parser.parse_args()
    os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", PYTHONWARNINGS="ignore")
    warnings.simplefilter("ignore")
    console = Console(width=None if sys.stdout.isatty() else 120)
    scratch = Path(tempfile.mkdtemp(prefix="upload-"))
    try:
        measured = cases(scratch, int(given.gib * GIB))
        measure(measured, max(given.rounds, 1), console)
    finally:
        shutil.rmtree(scratch)
    return 0 if report(measured, console) else 1


if __name__ == "__main__":
    sys.exit(main())
