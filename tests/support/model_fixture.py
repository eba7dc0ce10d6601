"""A model of a real registry: requests with two features, labels, versions good and bad."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
from support.shadow_policies import hourly

from model_lifecycle.gates.data.traffic_writer import write_labels, write_traffic
from model_lifecycle.gates.evaluation.ab_test import ab_test_version
from model_lifecycle.gates.evaluation.monitor import MonitorResult, monitor_traffic
from model_lifecycle.gates.evaluation.shadow_test import shadow_test_version
from model_lifecycle.gates.evaluation.validation import validate_version
from model_lifecycle.gates.policy.promotion import (
    Comparison,
    Limit,
    ShadowPolicy,
    ValidationPolicy,
    promotion_policy,
)
from model_lifecycle.gates.protocols import ArtifactFiles
from model_lifecycle.gates.report import GateReport
from model_lifecycle.registry.domain import artifact_paths
from model_lifecycle.registry.domain.identifiers import ModelId, TenantId
from model_lifecycle.registry.domain.models import TrainedModel
from model_lifecycle.registry.domain.stages import Gate
from model_lifecycle.registry.model_registry import ModelRegistry

START = datetime(2024, 3, 1, tzinfo=UTC)
#: Addresses of logged models by kind: each is trained and saved once for the whole session.
_LOGGED: dict[str, str] = {}


def requests(rows: int, seed: int, *, noise: float = 0.0) -> pd.DataFrame:
    """Features, the label that came of them, and a slice column."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {"recent": rng.normal(size=rows), "older": rng.normal(size=rows)},
    )
    chance = 1 / (1 + np.exp(-2 * frame["recent"] - frame["older"] - noise))
    frame["label"] = (rng.random(rows) < chance).astype("int64")
    frame["region"] = rng.choice(["north", "south"], rows)
    return frame


@cache
def trained(kind: str) -> Any:
    """A fitted classifier: ``good`` sees both features, ``weak`` one, ``bad`` the labels flipped;
    ``minutes`` is a regression."""
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.pipeline import Pipeline

    frame = requests(2000, 1)
    columns = ["recent", "older"]
    selected = ["older"] if kind == "weak" else columns
    labels = 1 - frame["label"] if kind == "bad" else frame["label"]
    if kind == "minutes":
        return LinearRegression().fit(frame[columns], frame["recent"] * 3 + labels)
    pick = ColumnTransformer([("seen", "passthrough", selected)])
    return Pipeline([("pick", pick), ("model", LogisticRegression())]).fit(frame[columns], labels)


@cache
def answered(model: Any, rows: int, hour: int) -> tuple[pd.DataFrame, Any, Any]:
    """The requests of one hour, and the model's predictions and scores."""
    frame = requests(rows, 1000 + hour, noise=np.random.default_rng(hour).normal() * 0.3)
    features = frame[["recent", "older"]]
    score = model.predict_proba(features)[:, 1] if hasattr(model, "predict_proba") else None
    return frame, model.predict(features), score


def hour_log(
    model: Any, version: int, rows: int, hour: int, at: datetime
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One hour's requests as the model answered them, and their labels."""
    frame, prediction, score = answered(model, rows, hour)
    log = frame.drop(columns="label").assign(
        request_id=[f"{at:%m%dT%H}-{row}" for row in range(rows)],
        requested_at=[at + timedelta(seconds=row) for row in range(rows)],
        version=version,
        role="champion",
        prediction=prediction,
    )
    if score is not None:
        log["score"] = score
    known = pd.DataFrame(
        {"request_id": log["request_id"], "label": frame["label"], "labelled_at": at}
    )
    return log, known


@cache
def hour_file(model: Any, version: int, rows: int, hour: int) -> tuple[bytes, pd.DataFrame]:
    """The same as the file that the writer makes of it, for the usual window."""
    log, known = hour_log(model, version, rows, hour, START + timedelta(hours=hour))
    store = OneFileStore()
    at = START + timedelta(hours=hour)
    asyncio.run(write_traffic(cast(ArtifactFiles, store), "any", "any", at, log))
    return store.content, known


class OneFileStore:
    """A store of one file."""

    content: bytes

    async def put_bytes(self, path: str, data: bytes) -> None:
        self.content = data


def _as_it_is(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


@dataclass
class ModelFixture:
    """One model of a tenant, with the versions that serve it."""

    registry: ModelRegistry
    tenant: str
    folder: Path
    model: str
    serving: dict[int, Any] = field(default_factory=dict)

    async def register(self, kind: str, **more: Any) -> int:
        """Register a version of this kind; its number."""
        model = trained(kind)
        model_type = "regression" if kind == "minutes" else "classification"
        if kind not in _LOGGED:
            logged = await self.registry.log_model(
                self.tenant,
                f"source-{kind}",
                TrainedModel(
                    model,
                    "sklearn",
                    metrics={},
                    parameters={"kind": kind},
                    model_type=model_type,
                    input_example=requests(5, 2)[["recent", "older"]],
                ),
                created_by="tests",
            )
            _LOGGED[kind] = logged.document()["model_uri"]
        registered = await self.registry.register_model(
            self.tenant,
            self.model,
            _LOGGED[kind],
            "sklearn",
            None,
            None,
            model_type=model_type,
            created_by="tests",
            **more,
        )
        version = max(registered.versions)
        self.serving[version] = model
        return version

    async def promote(self, version: int) -> None:
        """Put a version into production by force."""
        for stage in ("staging", "production"):
            await self.registry.transition_stage(
                self.tenant, self.model, version, stage, actor="tests", reason="set-up", force=True
            )

    async def policy(
        self, validation: ValidationPolicy | None = None, shadow: ShadowPolicy | None = None
    ) -> None:
        await self.registry.set_policy(
            self.tenant,
            self.model,
            promotion_policy(
                validation=validation
                or ValidationPolicy(
                    comparisons=(Comparison("brier", 0.01),),
                    limits=(Limit("brier", maximum=0.25, applies="first_version"),),
                ),
                shadow=shadow
                or hourly(
                    comparisons=(Comparison("brier", 0.01),),
                    limits=(Limit("brier", maximum=0.25, applies="first_version"),),
                ),
            ),
            actor="tests",
        )

    def held_out(self, frame: pd.DataFrame) -> str:
        """A local Parquet file."""
        path = self.folder / f"{uuid.uuid4().hex}.parquet"
        frame.to_parquet(path, index=False)
        return str(path)

    async def serve(
        self,
        version: int,
        *,
        hours: int = 40,
        rows: int = 60,
        step: int = 1,
        start: datetime = START,
        labelled: float = 1.0,
        change: Callable[[pd.DataFrame], pd.DataFrame] = _as_it_is,
    ) -> str:
        """Write ``hours`` hours of traffic answered by ``version``, each ``step``-th of them; the
        end of the window.
        ``change`` edits each hour's log before it is written."""
        model = self.serving[version]
        labels: dict[datetime, list[pd.DataFrame]] = {}
        for hour in range(0, hours, step):
            at = start + timedelta(hours=hour)
            if change is _as_it_is and start == START:
                content, known = await asyncio.to_thread(hour_file, model, version, rows, hour)
                folder = artifact_paths.traffic_partition(
                    TenantId(self.tenant), ModelId(self.model), at
                )
                await self.registry.artifacts.put_bytes(
                    f"{folder}/part-00000.parquet",
                    content,
                )
                labels.setdefault(at.replace(hour=0), []).append(known[: int(rows * labelled)])
                continue
            log, known = hour_log(model, version, rows, hour, at)
            labels.setdefault(at.replace(hour=0), []).append(known[: int(rows * labelled)])
            await write_traffic(self.registry.artifacts, self.tenant, self.model, at, change(log))
        for day, parts in labels.items():
            await write_labels(
                self.registry.artifacts, self.tenant, self.model, day, pd.concat(parts)
            )
        return (start + timedelta(hours=hours)).isoformat()

    async def validate(self, version: int, data: str, **options: Any) -> GateReport:
        """Run the validation gate on a data set."""
        return await validate_version(
            self.registry,
            self.tenant,
            self.model,
            version,
            data=data,
            **{"actor": "tests", **options},
        )

    async def validate_new(self, kind: str, frame: pd.DataFrame, **options: Any) -> GateReport:
        """Register a version of this kind, and run the validation gate on held-out rows."""
        version = await self.register(kind)
        return await self.validate(version, self.held_out(frame), **options)

    async def shadow_test(self, version: int, start: str, end: str, **options: Any) -> GateReport:
        """Run the shadow gate on the traffic of a window."""
        return await shadow_test_version(
            self.registry,
            self.tenant,
            self.model,
            version,
            start=start,
            end=end,
            **{"actor": "tests", **options},
        )

    async def ab_test(self, version: int, start: str, end: str, **options: Any) -> GateReport:
        """Run the A/B gate on the traffic of a window."""
        return await ab_test_version(
            self.registry,
            self.tenant,
            self.model,
            version,
            start=start,
            end=end,
            **{"actor": "tests", **options},
        )

    async def monitor(
        self, version: int, gate: Gate, start: str, now: timedelta, **options: Any
    ) -> MonitorResult:
        """Look at a test of live traffic ``now`` after its ``start``."""
        return await monitor_traffic(
            self.registry,
            self.tenant,
            self.model,
            version,
            start=start,
            actor="tests",
            evidence_id=f"follow-{self.model}",
            gate=gate,
            now=datetime.fromisoformat(start) + now,
            **options,
        )

    async def file(self, uri: str | None, name: str) -> bytes:
        assert uri is not None
        path = self.registry.artifacts.path_of(uri)
        assert path is not None
        return await self.registry.artifacts.get_bytes(f"{path}/{name}")
