"""An Airflow DAG file as a user writes it: data, training, and the two factories around them."""

from __future__ import annotations

import tempfile

from support import patients

from model_lifecycle.operators import ModelRegistryHook, retrain_and_promote, rollback_dag

TENANT, MODEL = "clinic", "heart"


def hold_out(seed: str) -> str:
    path = tempfile.mktemp(suffix=".parquet")
    patients.patients(int(seed), 1000).to_parquet(path)
    return path


def serve(start: str) -> int:
    from model_lifecycle.registry.factory import open_registry
    from model_lifecycle.registry.sync import run_sync

    settings = ModelRegistryHook().settings()

    async def answer() -> int:
        async with open_registry(settings) as registry:
            return await patients.serve(registry, TENANT, MODEL, start)

    return run_sync(answer())


dag = retrain_and_promote(
    dag_id="heart_retrain",
    tenant_id=TENANT,
    model_id=MODEL,
    train=patients.train,
    train_kwargs={"eyes": "{{ params.eyes }}", "seed": "{{ params.seed }}"},
    validation_data=hold_out,
    validation_kwargs={"seed": "{{ params.seed + 1 }}"},
    record_traffic=serve,
    traffic_kwargs={"start": "{{ params.start }}"},
    shadow_window=("{{ params.start }}", "{{ params.end }}"),
    policy=patients.heart_policy(),
    params={"eyes": "open", "seed": 1, "start": "2013-07-01", "end": "2013-07-15"},
    default_args={"retries": 0},
)

rollback = rollback_dag(
    dag_id="heart_rollback", tenant_id=TENANT, models=[MODEL], default_args={"retries": 0}
)
