"""An Airflow DAG file as a user writes it: data, training, and the two factories around them."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from typing import Any

from model_lifecycle.gates.policies import (
    Comparison,
    Limit,
    ShadowPolicy,
    ValidationPolicy,
    promotion_policy,
)
from model_lifecycle.operators import ModelRegistryHook, retrain_and_promote, rollback_dag
from model_lifecycle.registry.rules.metadata import TrainedModel

TENANT, MODEL = "clinic", "heart"
DAYS, PER_DAY = 14, 150


def patients(seed: int, rows: int) -> Any:
    """Blood pressure, and an illness that it often but not always tells."""
    import numpy as np
    import pandas as pd

    random = np.random.default_rng(seed)
    pressure = random.normal(size=rows)
    ill = random.uniform(size=rows) < 1 / (1 + np.exp(-3 * pressure))
    return pd.DataFrame({"pressure": pressure, "label": ill.astype(int)})


def train(eyes: str, seed: str) -> TrainedModel:
    """A model that looks at the pressure, or (``eyes`` closed) one that guesses against it."""
    from sklearn.linear_model import LogisticRegression

    frame = patients(int(seed), 500)
    features, label = frame[["pressure"]], frame["label"]
    model = LogisticRegression().fit(features, label if eyes == "open" else 1 - label)
    return TrainedModel(
        model,
        "sklearn",
        metrics={"accuracy": float(model.score(features, label))},
        parameters={"eyes": eyes},
        input_example=features.head(3),
    )


def hold_out(seed: str) -> str:
    path = tempfile.mktemp(suffix=".parquet")
    patients(int(seed), 1000).to_parquet(path)
    return path


def serve(start: str) -> int:
    """Answer fourteen days of requests with the production version, if there is one."""
    from model_lifecycle.gates.traffic import write_labels, write_traffic
    from model_lifecycle.registry.opening import open_registry
    from model_lifecycle.registry.running import run_sync

    settings = ModelRegistryHook().settings()

    async def answer() -> int:
        async with open_registry(settings) as registry:
            known = await registry.get_model(TENANT, MODEL)
            version = known.production_version if known else None
            champion = await registry.load_model(TENANT, MODEL, version) if version else None
            for day in range(DAYS):
                hour = datetime.fromisoformat(start).replace(tzinfo=UTC) + timedelta(days=day)
                frame = patients(1000 + day, PER_DAY)
                frame["request_id"] = [f"{hour:%m%d}-{number}" for number in range(PER_DAY)]
                frame["requested_at"] = frame["labelled_at"] = hour
                frame["version"], frame["role"] = version or 0, "champion"
                features = frame[["pressure"]]
                frame["prediction"] = champion.predict(features) if champion else 0
                frame["score"] = champion.scores(features) if champion else 0.5
                traffic = frame.drop(columns=["label", "labelled_at"])
                await write_traffic(registry.artifacts, TENANT, MODEL, hour, traffic)
                await write_labels(registry.artifacts, TENANT, MODEL, hour, frame)
            return DAYS * PER_DAY

    return run_sync(answer())


CLAIMS: dict[str, Any] = {
    "comparisons": (Comparison("brier", margin=0.02),),
    "limits": (Limit("accuracy", minimum=0.6, applies="first_version"),),
}

dag = retrain_and_promote(
    dag_id="heart_retrain",
    tenant_id=TENANT,
    model_id=MODEL,
    train=train,
    train_kwargs={"eyes": "{{ params.eyes }}", "seed": "{{ params.seed }}"},
    validation_data=hold_out,
    validation_kwargs={"seed": "{{ params.seed + 1 }}"},
    record_traffic=serve,
    traffic_kwargs={"start": "{{ params.start }}"},
    shadow_window=("{{ params.start }}", "{{ params.end }}"),
    policy=promotion_policy(
        validation=ValidationPolicy(**CLAIMS),
        shadow=ShadowPolicy(
            **CLAIMS, block="day", min_blocks=10, min_requests=500, expected_blocks=14
        ),
    ),
    params={"eyes": "open", "seed": 1, "start": "2013-07-01", "end": "2013-07-15"},
    default_args={"retries": 0},
)

rollback = rollback_dag(
    dag_id="heart_rollback", tenant_id=TENANT, models=[MODEL], default_args={"retries": 0}
)
