"""The wall time that our operators add over a ``BashOperator`` that runs ``true``.

Each operator is executed in a process of its own that has imported what an Airflow worker has
imported already (``airflow.sdk``) and no more; the clock runs from the import of the operator's
class to the end of ``execute``. One round is one lifecycle of a small model in a registry in
service: PostgreSQL for the ledger, S3, and an MLflow server on PostgreSQL. Operators take turns
within each round, and medians of the rounds are shown.

Exit code 1 when MLflow is imported by a task that neither logs nor loads a model.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
import warnings
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

MODEL = "clicks"
#: Tasks that really log or load a model, or copy the files of one.
MODEL_TASKS = {"TrainModelOperator", "RegisterModelOperator", "ValidateModelOperator"}
BASH = "BashOperator"


def train() -> Any:
    import pandas as pd
    from sklearn.linear_model import LogisticRegression

    from model_lifecycle.registry.domain.models import TrainedModel

    frame = pd.DataFrame({"x": [float(number) for number in range(400)]})
    label = frame["x"] > 200
    fitted = LogisticRegression().fit(frame, label)
    return TrainedModel(fitted, "sklearn", {"accuracy": 1.0}, {}, input_example=frame.head(3))


def lifecycle(tenant: str, held_out: str) -> list[tuple[str, dict[str, Any]]]:
    """The tasks of one round, in order: class and arguments."""
    from model_lifecycle.gates.policy.promotion import Limit, ValidationPolicy, promotion_policy

    limits = (Limit("accuracy", minimum=0.5),)
    policy = promotion_policy(validation=ValidationPolicy(limits=limits), require_approval=True)
    model = {"tenant_id": tenant, "model_id": MODEL}
    first, staging = {**model, "version": 1}, {"target_stage": "staging"}
    return [
        (BASH, {"bash_command": "true"}),
        ("PrepareDataOperator", {"prepare": "train"}),
        ("TrainModelOperator", {**model, "train": "train"}),
        ("RegisterModelOperator", {**model, "source": "{model_uri}", "framework": "sklearn"}),
        ("SetPolicyOperator", {**model, "policy": policy.document()}),
        ("NewModelVersionSensor", {**model, "after": 0}),
        ("ValidateModelOperator", {**first, "data": held_out}),
        ("PromoteModelOperator", {**first, **staging}),
        ("ApproveModelOperator", first),
        ("PromoteModelOperator", first),
        ("ModelStageSensor", model),
        ("RollbackModelOperator", {**model, "reason": "a benchmark"}),
        ("DeleteModelOperator", {**model, "version": 3, "reason": "a benchmark"}),
        ("ReconcileOperator", {"tenant_id": tenant}),
    ]


def execute(name: str, arguments: dict[str, Any], run: str) -> dict[str, Any]:
    """In a process of its own: seconds, result, and whether MLflow was imported."""
    import airflow.sdk  # noqa: F401 - what a worker has before it starts

    given = {
        key: globals()["train"] if key in ("train", "prepare") else value
        for key, value in arguments.items()
    }
    begun = time.perf_counter()
    if name == BASH:
        from airflow.providers.standard.operators.bash import BashOperator

        task: Any = BashOperator(task_id=name, **given)
    else:
        from model_lifecycle import operators

        task = getattr(operators, name)(task_id=name, **given)
    result = None
    with suppress(_Parked):
        result = _execute(task, _context(task, run))
    seconds = time.perf_counter() - begun
    return {"seconds": seconds, "result": result, "mlflow": "mlflow" in sys.modules}


class _Parked(Exception):
    """The task waits for a person."""


def _execute(task: Any, context: dict[str, Any]) -> Any:
    from airflow.sdk.exceptions import TaskAwaitingInput

    if type(task).__name__ == "ApproveModelOperator":
        from airflow.providers.standard.operators import hitl

        vars(hitl)["upsert_hitl_detail"] = lambda **_: None
    try:
        return task.execute(context)
    except TaskAwaitingInput:
        raise _Parked from None


def _context(task: Any, run: str) -> dict[str, Any]:
    from airflow.sdk.execution_time.context import OutletEventAccessors

    ti = SimpleNamespace(
        id=uuid.uuid4(),
        dag_id="bench",
        run_id=run,
        task_id=task.task_id,
        map_index=-1,
        try_number=1,
        max_tries=0,
        task=task,
        xcom_push=lambda **_: None,
    )
    return {
        "ti": ti,
        "task_instance": ti,
        "task": task,
        "dag_run": SimpleNamespace(triggering_user_name="kim"),
        "outlet_events": OutletEventAccessors(),
        "task_state_store": SimpleNamespace(get=lambda *_: None, set=lambda *_: None),
    }


async def judged(tenant: str, *gates: str) -> None:
    """Record the evidence that other gates would have recorded for version 1."""
    from model_lifecycle.registry.domain.evidence import Evidence, Verdict
    from model_lifecycle.registry.domain.stages import Gate
    from model_lifecycle.registry.factory import open_registry

    async with open_registry() as registry:
        version = await registry.get_version(tenant, MODEL, 1)
        policy = await registry.get_policy(tenant, MODEL)
        assert version is not None
        for gate in gates:
            item = Evidence(
                evidence_id=uuid.uuid4().hex,
                gate=Gate(gate),
                verdict=Verdict.PASS,
                bundle_digest=version.bundle_digest,
                baseline=None,
                policy_fingerprint=policy.fingerprint,
            )
            await registry.record_evidence(tenant, MODEL, 1, item, actor="bench")


async def followed(tenant: str, uri: str) -> None:
    """Two more versions: 2 takes the place of 1 in production, 3 nobody needs."""
    from model_lifecycle.registry.factory import open_registry

    async with open_registry() as registry:
        for _ in range(2):
            await registry.create_version(
                tenant, MODEL, uri, framework="sklearn", created_by="bench"
            )
        for stage in ("staging", "production"):
            await registry.transition_stage(
                tenant, MODEL, 2, stage, actor="bench", reason="a benchmark", force=True
            )


def round_of(number: int, held_out: str) -> list[tuple[str, dict[str, Any]]]:
    """One lifecycle; what each of its tasks took."""
    tenant, uri, measurements = f"bench-{number}", "", []
    for step, (name, arguments) in enumerate(lifecycle(tenant, held_out)):
        if name == "ApproveModelOperator":
            asyncio.run(judged(tenant, "shadow"))
        if name == "PromoteModelOperator" and "target_stage" not in arguments:
            asyncio.run(judged(tenant, "approval"))
        if name == "RollbackModelOperator":
            asyncio.run(followed(tenant, uri))
        text = json.dumps([name, arguments, f"round-{number}-{step}"])
        done = subprocess.run(
            [sys.executable, __file__, "--task", text.replace("{model_uri}", uri)],
            capture_output=True,
            text=True,
        )
        lines = [line for line in done.stdout.splitlines() if line.startswith("told ")]
        if not lines:
            raise RuntimeError(f"{name} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        answer = json.loads(lines[-1].removeprefix("told "))
        if name == "TrainModelOperator":
            uri = answer["result"]["model_uri"]
        to = f" to {arguments['target_stage']}" if "target_stage" in arguments else ""
        measurements.append((f"{name}{to}", answer))
    return measurements


def main() -> int:
    warnings.simplefilter("ignore")
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--task", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.task:
        sys.stdout.write(f"told {json.dumps(execute(*json.loads(given.task)), default=str)}\n")
        return 0
    with tempfile.TemporaryDirectory() as folder, registry_in_service(Path(folder)) as addresses:
        os.environ.update(
            addresses,
            AIRFLOW_HOME=f"{folder}/airflow",
            AIRFLOW__CORE__LOAD_EXAMPLES="False",
            AIRFLOW__LOGGING__LOGGING_LEVEL="ERROR",
        )
        held_out = Path(folder) / "held-out.parquet"
        _write(held_out)
        rounds = [round_of(number, str(held_out)) for number in range(given.rounds)]
    return print_report(rounds)


@contextmanager
def registry_in_service(folder: Path) -> Iterator[dict[str, str]]:
    """PostgreSQL, S3, MLflow's server, until the block ends; the environment that leads there."""
    from support.servers.service import Starting

    from model_lifecycle.registry.ledger.migrate import upgrade
    from model_lifecycle.registry.sync import run_sync

    starting = Starting(with_mlflow=True)
    try:
        service = starting.service()
        ledger = service.postgres.url("asyncpg", service.postgres.create_database("ledger"))
        run_sync(upgrade(ledger))
        yield {
            **service.seaweed.environment(),
            "MODEL_LIFECYCLE_HOME": str(folder / "registry"),
            "MODEL_LIFECYCLE_DATABASE_URL": ledger,
            "MODEL_LIFECYCLE_TRACKING_URI": service.mlflow_url,
            "MODEL_LIFECYCLE_ARTIFACT_ROOT": service.seaweed.create_bucket("registry"),
            "MODEL_LIFECYCLE_S3_ENDPOINT_URL": service.seaweed.url,
        }
    finally:
        starting.stop()


def _write(file: Path) -> None:
    import pandas as pd

    frame = pd.DataFrame({"x": [float(number) for number in range(400)]})
    frame.assign(label=(frame["x"] > 200).astype(int)).to_parquet(file)


def print_report(rounds: list[list[tuple[str, dict[str, Any]]]]) -> int:
    seconds, imported = defaultdict(list), set()
    for name, answer in (item for answers in rounds for item in answers):
        seconds[name].append(answer["seconds"])
        if answer["mlflow"]:
            imported.add(name)
    bash = statistics.median(seconds[BASH])
    table = Table("operator", "wall time, s", "added, s", "imports MLflow")
    for name, times in seconds.items():
        median = statistics.median(times)
        table.add_row(name, f"{median:.2f}", f"{median - bash:+.2f}", "yes" * (name in imported))
    console = Console()
    console.print(table)
    console.print(f"medians of {len(rounds)} rounds; PostgreSQL, S3, MLflow's server")
    wrong = sorted(name for name in imported if name.split()[0] not in MODEL_TASKS)
    if wrong:
        console.print(f"MLflow imported without a model being logged or loaded: {', '.join(wrong)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
