"""Each framework through the whole lifecycle, on a local folder and on S3: two versions, both
gates, a promotion over the first, a rollback, and loading by stage in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.networks import COLUMNS, NEEDS, Fitted, absent, fitted, frame
from support.servers.seaweed import seaweed

from model_lifecycle.gates.data.traffic_writer import write_labels, write_traffic
from model_lifecycle.gates.evaluation.shadow_test import shadow_test_version
from model_lifecycle.gates.evaluation.validation import validate_version
from model_lifecycle.gates.policy.promotion import (
    Comparison,
    Limit,
    ShadowPolicy,
    ValidationPolicy,
    promotion_policy,
)
from model_lifecycle.registry.domain import artifact_paths
from model_lifecycle.registry.domain.errors import BundleCorrupt
from model_lifecycle.registry.domain.evidence import Verdict
from model_lifecycle.registry.domain.identifiers import ModelId, TenantId
from model_lifecycle.registry.domain.stages import Stage
from model_lifecycle.registry.factory import open_registry
from model_lifecycle.registry.model_registry import ModelRegistry
from model_lifecycle.registry.settings import Settings

pytestmark = pytest.mark.filterwarnings("ignore", "error:::model_lifecycle")

START = datetime(2024, 3, 1, tzinfo=UTC)
HOURS, ROWS = 30, 60
POLICY = promotion_policy(
    validation=ValidationPolicy(
        comparisons=(Comparison("brier", 0.05),), limits=(Limit("brier", maximum=0.3),)
    ),
    require_onnx=bool(not absent("onnx")),
    shadow=ShadowPolicy(
        comparisons=(Comparison("brier", 0.05),),
        limits=(Limit("brier", maximum=0.3, applies="first_version"),),
        block="hour",
        min_duration_hours=0,
    ),
)
_FRESH = """
import asyncio, sys
import pandas as pd
from model_lifecycle.registry import Settings, open_registry

async def main(tenant, rows, answers):
    async with open_registry(Settings()) as registry:
        model = await registry.load_model(tenant, "clicks", stage="production")
    pd.Series(model.scores(pd.read_parquet(rows))).to_frame("score").to_parquet(answers)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, str]]:
    """An S3 server with a bucket; what reaches it is in the environment."""
    with seaweed() as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment().items():
            patch.setenv(name, value)
        root = server.create_bucket("frameworks")
        yield {"artifact_root": root, "s3_endpoint_url": server.url}


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("frameworks") / "home"


@pytest.fixture(params=["local", "s3"])
def settings(
    request: pytest.FixtureRequest, blank: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """Each artifact store in turn, also for processes that are started; ledger and MLflow are
    SQLite, for what the store makes no difference to."""
    home = blank / request.param
    settings = {"home": str(home)}
    if request.param == "s3":
        settings |= request.getfixturevalue("s3")
    for name, value in settings.items():
        monkeypatch.setenv(f"MODEL_LIFECYCLE_{name.upper()}", value)
    return Settings()


@dataclass
class Life:
    registry: ModelRegistry
    tenant: str

    async def register(self, model: Fitted) -> int:
        version = await self.registry.register_model(
            self.tenant,
            "clicks",
            model.model,
            model.framework,
            {"brier": 0.2, "brier/region/north": 0.21},
            {"strength": 1},
            input_example=frame(),
            training_log="epoch 1\n",
            dataset={"name": "clicks", "digest": "sha256:" + "a" * 64, "end": "2024-02-01"},
            created_by="tests",
        )
        return max(version.versions)

    async def promote(self, version: int, data: Path) -> None:
        """Both gates for real, and both moves on their evidence."""
        validated = await validate_version(
            self.registry, self.tenant, "clicks", version, data=str(data), actor="tests"
        )
        assert validated.verdict is Verdict.PASS, validated.sentence
        await self._move(version, Stage.STAGING)
        shadowed = await shadow_test_version(
            self.registry,
            self.tenant,
            "clicks",
            version,
            start=START.isoformat(),
            end=(START + timedelta(hours=HOURS)).isoformat(),
            actor="tests",
        )
        assert shadowed.verdict is Verdict.PASS, shadowed.sentence
        await self._move(version, Stage.PRODUCTION)

    async def serve(self, version: int, model: Fitted) -> None:
        """The window's requests, answered by the object that was registered."""
        known = []
        for hour in range(HOURS):
            at = START + timedelta(hours=hour)
            rows = requests(ROWS, seed=1000 + hour)
            score = model.answers(rows[list(COLUMNS)]).astype(float)
            ids = [f"{hour}-{row}" for row in range(ROWS)]
            log = rows[list(COLUMNS)].assign(
                request_id=ids,
                requested_at=[at + timedelta(seconds=row) for row in range(ROWS)],
                version=version,
                role="champion",
                prediction=(score >= 0.5).astype("int64"),
                score=score,
            )
            await write_traffic(self.registry.artifacts, self.tenant, "clicks", at, log)
            labels = pd.DataFrame({"request_id": ids, "label": rows["label"], "labelled_at": at})
            known.append((at.replace(hour=0), labels))
        for day in {day for day, _ in known}:
            parts = [labels for of_day, labels in known if of_day == day]
            await write_labels(
                self.registry.artifacts, self.tenant, "clicks", day, pd.concat(parts)
            )

    async def _move(self, version: int, stage: Stage) -> None:
        await self.registry.transition_stage(self.tenant, "clicks", version, stage, actor="tests")


def requests(rows: int, seed: int) -> pd.DataFrame:
    """Features, and labels that came of them."""
    features = frame(rows, seed)
    chance = 1 / (1 + np.exp(-2 * features["recent"] - features["older"]))
    labels = (np.random.default_rng(seed).random(rows) < chance).astype("int64")
    return features.assign(label=labels)


@pytest.mark.parametrize("framework", NEEDS)
async def test_a_life(framework: str, settings: Settings, tmp_path: Path) -> None:
    """Registered, validated, shadow-tested, promoted, replaced, rolled back, and loaded by stage
    from a fresh process, whose answers are those of the object to a millionth."""
    if missing := absent(framework):
        pytest.skip(f"{missing} is not installed")
    data = tmp_path / "held-out.parquet"
    requests(2000, seed=5).to_parquet(data, index=False)
    first, second = fitted(framework), fitted(framework, strength=0.8)
    rows = frame(500, seed=77)
    async with open_registry(settings) as registry:
        life = Life(registry, f"t-{framework}-{uuid.uuid4().hex[:8]}")
        assert await life.register(first) == 1
        await registry.set_policy(life.tenant, "clicks", POLICY, actor="tests")
        await life.serve(1, first)
        await life.promote(1, data)
        assert await life.register(second) == 2
        await life.promote(2, data)
        promoted = await registry.load_model(life.tenant, "clicks", stage="production")

        scores = promoted.scores(rows)
        assert scores is not None
        np.testing.assert_allclose(scores, second.answers(rows), atol=1e-6, rtol=0)

        rolled_back = await registry.rollback(life.tenant, "clicks", actor="tests", reason="drift")

        assert rolled_back.production_version == 1
        await _bundle_is_whole(registry, life.tenant, framework)
    scores = _by_stage_in_a_fresh_process(life.tenant, rows, tmp_path)

    np.testing.assert_allclose(scores, first.answers(rows), atol=1e-6, rtol=0)
    async with open_registry(settings) as registry:
        await _a_flipped_byte_is_not_loaded(registry, life.tenant)


async def _bundle_is_whole(registry: ModelRegistry, tenant: str, framework: str) -> None:
    folder = f"{tenant}/models/clicks/1"
    names = {
        item.path.removeprefix(f"{folder}/") for item in await registry.artifacts.files(folder)
    }
    expected = {"model.onnx", "requirements.txt", "model_card.md", "manifest.json", "MLmodel"}
    if framework == "sklearn" and absent("onnx"):
        expected.discard("model.onnx")
    version = await registry.get_version(tenant, "clicks", 1)
    card = (await registry.artifacts.get_bytes(f"{folder}/model_card.md")).decode()
    runs = f"{tenant}/runs/{version.run_id if version else ''}"

    assert expected <= names
    assert "brier/region/north" in card
    assert "## ONNX" in card
    assert await registry.artifacts.get_bytes(f"{runs}/logs/training.log") == b"epoch 1\n"
    assert await registry.artifacts.get_bytes(f"{runs}/metrics/history.json")


def _by_stage_in_a_fresh_process(tenant: str, rows: pd.DataFrame, tmp_path: Path) -> pd.Series:
    rows.to_parquet(tmp_path / "rows.parquet")
    answers = tmp_path / "answers.parquet"
    done = subprocess.run(
        [sys.executable, "-c", _FRESH, tenant, str(tmp_path / "rows.parquet"), str(answers)],
        capture_output=True,
        text=True,
        timeout=300,
    )

    assert done.returncode == 0, done.stderr[-3000:]
    return pd.read_parquet(answers)["score"]


async def _a_flipped_byte_is_not_loaded(registry: ModelRegistry, tenant: str) -> None:
    folder = artifact_paths.bundle(TenantId(tenant), ModelId("clicks"), 1)
    for item in await registry.artifacts.files(folder):
        data = await registry.artifacts.get_bytes(item.path)
        middle = len(data) // 2
        flipped = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
        await registry.artifacts.put_bytes(item.path, flipped)
        with pytest.raises(BundleCorrupt):
            await registry.load_model(tenant, "clicks", 1)
        await registry.artifacts.put_bytes(item.path, data)

    assert await registry.load_model(tenant, "clicks", 1)
