"""A small problem with a quick model: blood pressure, and an illness that it often tells."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from model_lifecycle.gates.policy.promotion import (
    Comparison,
    Limit,
    ShadowPolicy,
    ValidationPolicy,
    promotion_policy,
)
from model_lifecycle.registry.domain.models import TrainedModel
from model_lifecycle.registry.domain.promotion_policy import PromotionPolicy

if TYPE_CHECKING:
    from model_lifecycle.registry.model_registry import ModelRegistry

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
        training_log=f"seed {seed}, eyes {eyes}\n",
    )


async def hold_out(registry: ModelRegistry, tenant: str, model: str, seed: int) -> str:
    """Put labelled patients into the artifact store; returns their URI."""
    buffer = io.BytesIO()
    patients(seed, 1000).to_parquet(buffer)
    path = f"{tenant}/datasets/{model}/{seed}.parquet"
    await registry.artifacts.put_bytes(path, buffer.getvalue())
    return str(registry.artifacts.uri(path))


async def serve(registry: ModelRegistry, tenant: str, model: str, start: str) -> int:
    """Answer fourteen days of requests with the production version, if there is one."""
    from model_lifecycle.gates.data.traffic_writer import write_labels, write_traffic

    known = await registry.get_model(tenant, model)
    version = known.production_version if known else None
    champion = await registry.load_model(tenant, model, version) if version else None
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
        await write_traffic(registry.artifacts, tenant, model, hour, traffic)
        await write_labels(registry.artifacts, tenant, model, hour, frame)
    return DAYS * PER_DAY


def heart_policy(*, require_approval: bool = False) -> PromotionPolicy:
    """The policy of versions: as good as the one before, and better than guessing."""
    claims: dict[str, Any] = {
        "comparisons": (Comparison("brier", margin=0.02),),
        "limits": (Limit("accuracy", minimum=0.6, applies="first_version"),),
    }
    return promotion_policy(
        validation=ValidationPolicy(**claims),
        shadow=ShadowPolicy(
            **claims, block="day", min_blocks=10, min_requests=500, expected_blocks=14
        ),
        require_approval=require_approval,
    )
