"""Clustering models from registration to production without force."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture
from support.model_fixture import ModelFixture

from model_lifecycle.gates.data.traffic_writer import write_traffic
from model_lifecycle.gates.evaluation.shadow_test import shadow_test_version
from model_lifecycle.gates.evaluation.validation import validate_version
from model_lifecycle.gates.policy.promotion import (
    Comparison,
    Limit,
    ShadowPolicy,
    ValidationPolicy,
    promotion_policy,
)
from model_lifecycle.registry.domain.evidence import Verdict

START = datetime(2024, 3, 1, tzinfo=UTC)
Clustering: TypeAlias = KMeans | MiniBatchKMeans | GaussianMixture
COLUMNS = ["spend", "visits"]
HOURS, ROWS = 40, 60
SHARES = (Limit("smallest_cluster", minimum=0.1), Limit("largest_cluster", maximum=0.7))


def points(rows: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    kind = rng.choice(3, rows, p=[0.5, 0.3, 0.2])
    at = np.array([[0, 0], [6, 0], [0, 6]])[kind] + rng.normal(size=(rows, 2))
    return pd.DataFrame(at, columns=COLUMNS)


def model(kind: type[Clustering], seed: int) -> Clustering:
    count = {GaussianMixture: "n_components"}.get(kind, "n_clusters")
    fitted: Clustering = kind(**{count: 3}, random_state=seed, n_init=3).fit(points(1000, seed))
    return fitted


async def serve(world: ModelFixture, fitted: Clustering, version: int) -> tuple[pd.DataFrame, str]:
    """Traffic that the version answered, hour by hour; all requests and its clusters."""
    every = []
    for hour in range(HOURS):
        at, rows = START + timedelta(hours=hour), points(ROWS, 100 + hour)
        log = rows.assign(
            request_id=[f"{hour}-{row}" for row in range(ROWS)],
            requested_at=[at + timedelta(seconds=row) for row in range(ROWS)],
            version=version,
            role="champion",
            prediction=fitted.predict(rows),
        )
        every.append(log)
        await write_traffic(world.registry.artifacts, world.tenant, world.model, at, log)
    return pd.concat(every), (START + timedelta(hours=HOURS)).isoformat()


@pytest.mark.parametrize("kind", [KMeans, MiniBatchKMeans, GaussianMixture])
async def test_to_production(world: ModelFixture, kind: type[Clustering]) -> None:
    """A first and a second version pass validation and shadow and reach production; the numbers of
    the shadow test are scikit-learn's."""
    fit = "log_likelihood" if kind is GaussianMixture else "inertia"
    policy = promotion_policy(
        validation=ValidationPolicy(
            comparisons=(Comparison(fit, 0.5), Comparison("silhouette", 0.1)),
            limits=(*SHARES, Limit("silhouette", minimum=0.3)),
        ),
        shadow=ShadowPolicy(
            block="hour",
            comparisons=(Comparison(fit, 0.5),),
            limits=(*SHARES, Limit("cluster_agreement", minimum=0.8)),
            min_duration_hours=0.0,
        ),
    )
    models = [model(kind, seed) for seed in (0, 7)]
    versions: list[int] = []
    for fitted in models:
        answer = await world.registry.register_model(
            world.tenant,
            world.model,
            fitted,
            "sklearn",
            {},
            {"seed": str(len(versions))},
            model_type="clustering",
            input_example=points(5, 1),
            created_by="tests",
        )
        versions.append(max(answer.versions))
    await world.registry.set_policy(world.tenant, world.model, policy, actor="tests")
    log, end = await serve(world, models[0], versions[0])
    held_out = world.held_out(points(2000, 3))

    reports = []
    for version in versions:
        name = (world.registry, world.tenant, world.model, version)
        validation = await validate_version(*name, data=held_out, actor="tests")
        assert validation.verdict is Verdict.PASS, validation.sentence
        await world.registry.transition_stage(*name[1:], "staging", actor="tests")
        shadow = await shadow_test_version(*name, start=START.isoformat(), end=end, actor="tests")
        assert shadow.verdict is Verdict.PASS, shadow.sentence
        await world.registry.transition_stage(*name[1:], "production", actor="tests")
        reports.append(shadow)

    metadata = await world.registry.get_model(world.tenant, world.model)
    assert metadata is not None
    assert metadata.production_version == versions[1]
    rows = {(row.name, row.kind): row for row in reports[1].metrics}
    now = models[1].predict(log[COLUMNS])
    shares = np.bincount(now) / len(now)
    agreement = rows["cluster_agreement", "limit"]
    assert agreement.estimate == pytest.approx(
        adjusted_rand_score(log["prediction"], now), abs=1e-6
    )
    assert agreement.challenger == pytest.approx(agreement.estimate, abs=1e-9)
    assert rows["smallest_cluster", "limit"].estimate == pytest.approx(shares.min(), abs=1e-6)
    assert rows["largest_cluster", "limit"].estimate == pytest.approx(shares.max(), abs=1e-6)
    sign = 1 if kind is GaussianMixture else -1 / len(log)
    expected = [sign * fitted.score(log[COLUMNS]) for fitted in models]
    compared = rows[fit, "comparison"]
    assert [compared.champion, compared.challenger] == pytest.approx(expected, abs=1e-6)


async def test_clusters_of_another_kind_fail(world: ModelFixture) -> None:
    """A challenger that puts the requests into other clusters fails the agreement."""
    first = model(KMeans, 0)
    split = KMeans(3, random_state=0).fit(points(1000, 7) * [1, 0.001])
    versions: list[int] = []
    for fitted in (first, split):
        answer = await world.registry.register_model(
            world.tenant,
            world.model,
            fitted,
            "sklearn",
            {},
            {"k": str(len(versions))},
            model_type="clustering",
            input_example=points(5, 1),
            created_by="tests",
        )
        versions.append(max(answer.versions))
    await world.promote(versions[0])
    await world.policy(
        shadow=ShadowPolicy(
            block="hour", limits=(Limit("cluster_agreement", minimum=0.9),), min_duration_hours=0.0
        ),
        validation=ValidationPolicy(limits=SHARES),
    )
    _, end = await serve(world, first, versions[0])

    report = await world.shadow_test(versions[1], START.isoformat(), end)

    assert report.verdict is Verdict.FAIL
    assert "agreement with the champion" in report.sentence.lower()
