"""The cost of signing evidence: the recording of its verdict with and without a key.

Two registries are open on the same embedded ledger, one of them with a gate's key. Verdicts are
recorded in turn without the key, with it, and with it under a policy that trusts it, each on a
model of its own, so that what the machine does beside it disturbs all alike. What is compared is
the median of the differences of neighbours. Loading the key and its packages, once a process, is
measured apart.

Exit code 1 when signing adds more than 3 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

TENANT = "bench"
MODES = ("without", "signed", "checked")
MOST_MILLISECONDS = 3.0
_LOADING = (
    "import time; from model_lifecycle.registry.attestation.keys import load_signing_key; "
    "begin = time.perf_counter(); load_signing_key({file!r}, None, field='gate_key'); "
    "print(time.perf_counter() - begin)"
)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--verdicts", type=int, default=200, help="verdicts with and without")
    return parser.parse_args()


def make_key(folder: Path) -> tuple[Path, str]:
    """A new private key in a file, and its public half as PEM."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    key = Ed25519PrivateKey.generate()
    file = folder / "gate.pem"
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return file, public.decode()


async def record(registry: Any, model: str, name: str) -> float:
    """Seconds of one recorded verdict about the model's first version."""
    from model_lifecycle.registry import Evidence, Gate, Verdict

    version = await registry.get_version(TENANT, model, 1)
    policy = await registry.get_policy(TENANT, model)
    item = Evidence(
        evidence_id=f"{model}-{name}",
        gate=Gate.VALIDATION,
        verdict=Verdict.PASS,
        bundle_digest=version.bundle_digest,
        baseline=None,
        policy_fingerprint=policy.fingerprint,
        summary={"sentence": "better by 0.01", "rows": 10_000},
    )
    begin = time.perf_counter()
    await registry.record_evidence(TENANT, model, 1, item, actor="bench")
    return time.perf_counter() - begin


async def measure(folder: Path, verdicts: int) -> dict[str, list[float]]:
    """Seconds of each recorded verdict, by mode."""
    import pandas as pd
    from sklearn.linear_model import LogisticRegression

    from model_lifecycle.registry import Settings, open_registry

    key, public = make_key(folder)
    settings = Settings({}, home=folder / "home")
    frame = pd.DataFrame({"x": [float(n) for n in range(40)]})
    fitted = LogisticRegression().fit(frame, frame["x"] > 20)
    times: dict[str, list[float]] = {mode: [] for mode in MODES}
    async with (
        open_registry(settings) as plain,
        open_registry(settings.with_values(gate_key=str(key))) as signing,
    ):
        registries = {"without": plain, "signed": signing, "checked": signing}
        for mode, registry in registries.items():
            await plain.register_model(
                TENANT,
                mode,
                fitted,
                "sklearn",
                {},
                {},
                created_by="bench",
                input_example=frame.head(2),
            )
            policy = {"trusted_keys": [public] if mode == "checked" else []}
            await plain.set_policy(TENANT, mode, policy, actor="bench", reason="measure")
            await record(registry, mode, "first")  # what only a first call does
        for number in range(verdicts):
            for mode, registry in registries.items():
                times[mode].append(await record(registry, mode, str(number)))
    return times


def loading(folder: Path) -> float:
    """Seconds that a process needs to load the key and its packages."""
    done = subprocess.run(
        [sys.executable, "-c", _LOADING.format(file=str(folder / "gate.pem"))],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def main() -> int:
    given = arguments()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory(prefix="model-lifecycle-bench-") as scratch:
        folder = Path(scratch)
        times = asyncio.run(measure(folder, given.verdicts))
        once = loading(folder)
    added = {
        mode: 1000
        * statistics.median(
            other - plain for other, plain in zip(times[mode], times["without"], strict=True)
        )
        for mode in MODES
    }
    table = Table("recording a verdict", "median, ms", "adds, ms")
    for mode, title in zip(
        MODES,
        ("without a key", "signed", "signed, under a policy that trusts the key"),
        strict=True,
    ):
        median = 1000 * statistics.median(times[mode])
        table.add_row(title, f"{median:.2f}", f"{added[mode]:.2f}")
    console = Console()
    console.print(table)
    console.print(
        f"signing adds {added['checked']:.2f} ms to a verdict (at most {MOST_MILLISECONDS:g})"
    )
    console.print(f"loading the key and its packages, once a process: {1000 * once:.0f} ms")
    return 0 if max(added.values()) <= MOST_MILLISECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
