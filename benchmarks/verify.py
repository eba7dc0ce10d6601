"""How fast a ledger is verified, and whether memory grows with its length.

One model with 100,000 entries and a third as many versions, in SQLite: each version was registered,
staged and promoted. Verification reads every entry, computes its hash, replays it by the rules and
compares the outcome with the tables of models and versions. A process of its own verifies, so that
its memory is that of a verification alone; another verifies a tenth of the ledger, for comparison.

The rate counts the process's own processor seconds: other work on the machine does not change it.
Exit code 1 below 20,000 entries a second, or when the process ever holds 200 MB or more.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

AT_LEAST = 20_000
AT_MOST_MEGABYTES = 200
_ENTRIES_A_VERSION = 3
_ATTEMPTS = 3


@dataclass(frozen=True)
class Measurement:
    """One verification. ``processor`` and ``elapsed`` are seconds, ``before`` and ``peak`` the
    largest resident set before it began and until it ended, in MB."""

    entries: int
    processor: float
    elapsed: float
    before: float
    peak: float

    @property
    def rate(self) -> float:
        """Entries a second of processor time."""
        return self.entries / self.processor


async def seed(file: Path, entries: int) -> None:
    """Write a ledger with one model of so many entries."""
    from stress.scale import population

    from model_lifecycle.registry.ledger.ledger import Ledger

    ledger = await Ledger.open(f"sqlite:///{file}")
    versions = -(-entries // _ENTRIES_A_VERSION)
    await population.populate(
        ledger._engine, "s3://bucket", tenants=2, models_each=1, giant_versions=versions
    )
    await ledger.close()


async def measure(file: Path) -> Measurement:
    """Verify the ledger in this process."""
    from model_lifecycle.registry.domain.identifiers import ModelId, TenantId
    from model_lifecycle.registry.ledger.ledger import Ledger
    from model_lifecycle.registry.ledger.verify import verify_model

    ledger = await Ledger.open(f"sqlite:///{file}")
    before = _peak()
    elapsed, processor = time.perf_counter(), time.process_time()
    entries = await verify_model(ledger, TenantId("tenant-001"), ModelId("giant"))
    measurement = Measurement(
        entries,
        time.process_time() - processor,
        time.perf_counter() - elapsed,
        before,
        _peak(),
    )
    await ledger.close()
    return measurement


def _peak() -> float:
    """The largest resident set of this process so far, in MB. Linux counts in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _apart(*arguments: str) -> str:
    """The output of this program in a process of its own."""
    command = [sys.executable, __file__, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ})
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return done.stdout


def report(measurements: Sequence[Measurement], console: Console) -> bool:
    """Print what was measured; whether the longest ledger, the last, is within both limits."""
    table = Table(title="Verifying a ledger")
    for heading in ("entries", "entries/s", "processor s", "elapsed s", "MB before", "MB at most"):
        table.add_column(heading, justify="right")
    for item in measurements:
        table.add_row(
            f"{item.entries:,}",
            f"{item.rate:,.0f}",
            f"{item.processor:.2f}",
            f"{item.elapsed:.2f}",
            f"{item.before:.0f}",
            f"{item.peak:.0f}",
        )
    console.print(table)
    last = measurements[-1]
    good = last.rate >= AT_LEAST and last.peak < AT_MOST_MEGABYTES
    console.print(
        f"{'PASS' if good else 'FAIL'}: at least {AT_LEAST:,} entries/s, below "
        f"{AT_MOST_MEGABYTES} MB"
    )
    return good


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--seed", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.seed is not None:
        asyncio.run(seed(options.seed, options.entries))
        return 0
    if options.measure is not None:
        print(json.dumps(vars(asyncio.run(measure(options.measure)))))
        return 0
    measurements = []
    with tempfile.TemporaryDirectory(prefix="verify-") as scratch:
        for entries in (max(1, options.entries // 10), options.entries):
            file = str(Path(scratch) / f"{entries}.db")
            _apart("--seed", file, "--entries", str(entries))
            # The fastest attempt: others share the processor's caches with other programs.
            attempts = [
                Measurement(**json.loads(_apart("--measure", file))) for _ in range(_ATTEMPTS)
            ]
            measurements.append(max(attempts, key=lambda item: item.rate))
    console = Console(width=None if sys.stdout.isatty() else 120)
    return 0 if report(measurements, console) else 1


if __name__ == "__main__":
    sys.exit(main())
