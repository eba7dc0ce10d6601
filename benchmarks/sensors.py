"""The cost of a thousand waiting sensors: worker slots, queries to the ledger, memory.

Each sensor is executed as a worker would and has to leave it at once, by deferral. Its trigger then
runs in Airflow's own trigger runner, in a process of its own, that is fed here instead of by
Airflow's database. One sensor, and then all, wait for so many seconds; statements are counted where
they reach the database's driver. In the end one model is promoted: its sensor has to fire, and no
other. All but that one wait for models that do not exist yet.

Exit code 1 when a worker slot is held, when many ask more than 1.2 times as often as one, or when
the wrong sensors fire.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
import warnings
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from rich.console import Console
from rich.table import Table

TENANT, AWAITED = "bench", "model-0"
MOST_QUESTIONS = 1.2


def sensor(number: int, interval: float) -> Any:
    from model_lifecycle.operators import ModelStageSensor

    return ModelStageSensor(
        task_id=f"wait_{number}",
        tenant_id=TENANT,
        model_id=f"model-{number}",
        stage="production",
        deferrable=True,
        poke_interval=interval,
    )


def deferred(count: int, interval: float) -> tuple[list[tuple[str, dict[str, Any]]], int]:
    """The triggers that the sensors left behind, and how many still hold their worker."""
    from airflow.sdk.exceptions import TaskDeferred

    triggers = []
    for number in range(count):
        with suppress(TaskDeferred):
            try:
                sensor(number, interval).execute({})
            except TaskDeferred as leaving:
                triggers.append(leaving.trigger.serialize())
    return triggers, count - len(triggers)


async def staged() -> None:
    """One model with a version in staging that has all it needs for production."""
    from sklearn.linear_model import LogisticRegression

    from model_lifecycle.registry.domain.evidence import Evidence, Verdict
    from model_lifecycle.registry.domain.stages import Gate
    from model_lifecycle.registry.factory import open_registry

    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    async with open_registry() as registry:
        await registry.register_model(TENANT, AWAITED, model, "sklearn", {}, {}, created_by="bench")
        version = await registry.get_version(TENANT, AWAITED, 1)
        policy = await registry.get_policy(TENANT, AWAITED)
        assert version is not None
        for gate in (Gate.VALIDATION, Gate.SHADOW):
            evidence = Evidence(
                evidence_id=uuid.uuid4().hex,
                gate=gate,
                verdict=Verdict.PASS,
                bundle_digest=version.bundle_digest,
                baseline=None,
                policy_fingerprint=policy.fingerprint,
            )
            await registry.record_evidence(TENANT, AWAITED, 1, evidence, actor="bench")
        await registry.transition_stage(TENANT, AWAITED, 1, "staging", actor="bench")


async def promoted() -> None:
    from model_lifecycle.registry.factory import open_registry

    async with open_registry() as registry:
        await registry.transition_stage(TENANT, AWAITED, 1, "production", actor="bench")


def memory() -> float:
    """Resident memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def trigger_runner(seconds: float, wait: float) -> None:
    """Run the triggers that standard input names, and tell on standard output what they cost."""
    from airflow.executors.workloads.trigger import RunTrigger
    from airflow.jobs.triggerer_job_runner import TriggerRunner
    from airflow.models.trigger import Trigger
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    queries = [0]
    event.listen(Engine, "before_cursor_execute", lambda *_: queries.__setitem__(0, queries[0] + 1))

    class Runner(TriggerRunner):
        """Airflow's runner; what would come from and go to Airflow's database stays here."""

        async def init_comms(self) -> None:
            nobody: Any = SimpleNamespace(_reader_task=asyncio.create_task(asyncio.sleep(1e6)))
            self.comms_decoder = nobody

        async def sync_state_to_supervisor(self, finished_ids: list[int]) -> None:
            """Keep the events of the triggers that fired in ``self.events``."""

    before = memory()
    runner = Runner()
    for number, (path, kwargs) in enumerate(json.load(sys.stdin)):
        encrypted = Trigger.encrypt_kwargs(kwargs)
        runner.to_create.append(RunTrigger(id=number, classpath=path, encrypted_kwargs=encrypted))
    running = asyncio.create_task(runner.arun())
    # The first looks: modules are imported, connections opened, every trigger told once.
    await asyncio.sleep(wait)
    queries[0], stood_still, begun = 0, 0.0, time.monotonic()
    while (now := time.monotonic()) - begun < seconds:
        await asyncio.sleep(0.01)
        stood_still = max(stood_still, time.monotonic() - now - 0.01)
    tell(
        queries_per_minute=queries[0] * 60 / seconds,
        waiting=sum(not item["task"].done() for item in runner.triggers.values()),
        stood_still=stood_still,
        idle=before,
        memory=memory(),
    )
    for _ in range(int(3 * wait / 0.05)):
        if runner.events:
            break
        await asyncio.sleep(0.05)
    tell(fired=[item.trigger_id for item in runner.events], at=time.time())
    runner.stop = True
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


def tell(**fields: Any) -> None:
    sys.stdout.write(f"told {json.dumps(fields)}\n")
    sys.stdout.flush()


def waited(triggers: list[Any], given: argparse.Namespace, *, promote: bool) -> dict[str, Any]:
    """The cost of these waiting triggers; with ``promote``, also which fire, and how soon."""
    command = [sys.executable, __file__, "--runner", "--seconds", str(given.seconds),
               "--interval", str(given.interval)]  # fmt: skip
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdin is not None
        json.dump(triggers, process.stdin)
        process.stdin.close()
        heard_events = heard(process)
        if not promote:
            process.kill()
            return heard_events
        asyncio.run(promoted())
        at = time.time()
        fired = heard(process)
        return {**heard_events, "fired": fired["fired"], "delay": fired["at"] - at}


def heard(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("told "):
            answer: dict[str, Any] = json.loads(line.removeprefix("told "))
            return answer
    raise RuntimeError("the trigger runner ended without a word")


def main() -> int:
    warnings.simplefilter("ignore")
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--sensors", type=int, default=1000)
    arguments.add_argument("--interval", type=float, default=5, help="seconds between polls")
    arguments.add_argument("--seconds", type=float, default=60, help="how long is measured")
    arguments.add_argument("--runner", action="store_true", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.runner:
        asyncio.run(trigger_runner(given.seconds, 2 * given.interval + 5))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(
            AIRFLOW_HOME=f"{folder}/airflow",
            AIRFLOW__CORE__LOAD_EXAMPLES="False",
            AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{folder}/airflow.db",
            AIRFLOW__LOGGING__LOGGING_LEVEL="ERROR",
            MODEL_LIFECYCLE_HOME=f"{folder}/registry",
        )
        asyncio.run(staged())
        begun = time.perf_counter()
        triggers, held = deferred(given.sensors, given.interval)
        left = time.perf_counter() - begun
        one = waited(triggers[:1], given, promote=False)
        many = waited(triggers, given, promote=True)
    return print_report(given, held, left, one, many)


def print_report(
    given: argparse.Namespace,
    held: int,
    left: float,
    one: dict[str, Any],
    many: dict[str, Any],
) -> int:
    table = Table("", "1 sensor", f"{given.sensors} sensors")
    for title, name, form in (
        ("waiting", "waiting", ",d"),
        ("statements to the ledger's database a minute", "queries_per_minute", ",.1f"),
        ("triggerer's memory before, MB", "idle", ",.0f"),
        ("triggerer's memory while they wait, MB", "memory", ",.0f"),
        ("longest that the event loop stood still, s", "stood_still", ".3f"),
    ):
        table.add_row(title, f"{one[name]:{form}}", f"{many[name]:{form}}")
    console = Console()
    console.print(table)
    ratio = many["queries_per_minute"] / one["asked_per_minute"]
    console.print(f"polls every {given.interval:g} s, measured for {given.seconds:g} s each")
    console.print(f"worker slots held: {held}; a sensor left its worker after "
                  f"{1000 * left / given.sensors:.0f} ms")  # fmt: skip
    console.print(f"statements: {ratio:.2f} times those of one sensor (at most {MOST_QUESTIONS})")
    console.print(
        f"memory a sensor: {1024 * (many['memory'] - one['memory']) / (given.sensors - 1):.1f} KB"
    )
    console.print(f"fired after a promotion: {many['fired']}, {many['delay']:.1f} s later")
    good = (
        held == 0
        and one["waiting"] == 1
        and many["waiting"] == given.sensors
        and ratio <= MOST_QUESTIONS
        and many["fired"] == [0]
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
