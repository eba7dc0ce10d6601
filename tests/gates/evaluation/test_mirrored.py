"""Traffic in which the serving system logged the answers of both versions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.model_fixture import ModelFixture
from support.shadow_policies import hourly

from model_lifecycle.gates.policy.promotion import Comparison, LatencyLimit, Limit
from model_lifecycle.gates.report import GateReport
from model_lifecycle.registry.domain.evidence import Verdict

FEATURES = ["recent", "older"]


async def _mirrored(
    world: ModelFixture,
    start: str,
    *,
    policy: dict[str, Any],
    lost: float = 0.0,
    slower: float = 1.0,
    failing: float = 0.0,
    change: Callable[[pd.DataFrame], pd.DataFrame] = lambda log: log,
) -> GateReport:
    """A report on 40 hours that both versions answered; the challenger loses, or fails on, some."""
    champion = await world.register("weak")
    await world.promote(champion)
    version = await world.register("good")
    await world.policy(shadow=hourly(mode="mirrored", **policy))
    rng = np.random.default_rng(12)

    def both(log: pd.DataFrame) -> pd.DataFrame:
        model = world.serving[version]
        log = log.assign(latency_ms=rng.lognormal(2, 0.3, len(log)), error=None)
        other = log.assign(
            version=version,
            role="challenger",
            prediction=model.predict(log[FEATURES]),
            score=model.predict_proba(log[FEATURES])[:, 1],
            latency_ms=slower * rng.lognormal(2, 0.3, len(log)),
        )
        other.loc[rng.random(len(log)) < failing, "error"] = "timeout"
        remaining = other[rng.random(len(log)) >= lost]
        return change(pd.concat([log, remaining], ignore_index=True))

    end = await world.serve(champion, change=both)
    return await world.shadow_test(version, start, end)


MARGIN = {"comparisons": (Comparison("brier", 0.01),)}


async def test_pairs_by_request(world: ModelFixture, start: str) -> None:
    """The recorded answers of both are paired by request, and the better one passes."""
    report = await _mirrored(world, start, policy=MARGIN)

    assert report.verdict is Verdict.PASS, report.sentence
    assert report.counts["judged"] == 2400
    assert report.counts["without_challenger"] == 0


async def test_answers_that_are_missing(world: ModelFixture, start: str) -> None:
    """Where too many requests lack the challenger's answer, the rest proves nothing."""
    report = await _mirrored(world, start, policy=MARGIN, lost=0.05)

    assert report.verdict is Verdict.INVALID
    assert "requests have a row of both versions" in report.sentence


async def test_missing_answers_are_errors(world: ModelFixture, start: str) -> None:
    """A few missing answers count as errors of the challenger, judged where the policy asks."""
    policy = {"limits": (Limit("errors", maximum=0.002),), "min_join_rate": 0.9}

    report = await _mirrored(world, start, policy=policy, lost=0.03, failing=0.02)

    assert report.verdict is Verdict.FAIL
    assert report.metrics[0].challenger == pytest.approx(0.05, abs=0.01)


@pytest.mark.parametrize(("slower", "verdict"), [(1.0, Verdict.PASS), (2.0, Verdict.FAIL)])
async def test_latency(world: ModelFixture, start: str, slower: float, verdict: Verdict) -> None:
    """Latency as served is judged by bands of quantiles, without the first minutes."""
    policy = {**MARGIN, "latency": (LatencyLimit(0.9, ratio=1.5),)}

    report = await _mirrored(world, start, policy=policy, slower=slower)

    assert report.verdict is verdict, report.sentence
    (row,) = [row for row in report.metrics if row.name == "latency_p90"]
    assert "as served" in row.sentence
    assert row.estimate == pytest.approx(slower, rel=0.1)


async def test_without_labels(world: ModelFixture, start: str) -> None:
    """Agreement and the change of scores are judged without labels."""
    policy = {"limits": (Limit("agreement", minimum=0.6), Limit("score_shift", maximum=0.5))}

    report = await _mirrored(world, start, policy=policy)

    assert report.verdict is Verdict.PASS, report.sentence
    assert sum(report.detail["answers"].values()) == 2400
    assert {check.name for check in report.checks}.isdisjoint({"label coverage"})


def _shifted(log: pd.DataFrame) -> pd.DataFrame:
    """The challenger's rows under the id of the next request."""
    theirs = (log["role"] == "challenger").to_numpy()
    ids = log["request_id"].to_numpy(dtype=object).copy()
    ids[theirs] = np.roll(ids[theirs], 1)
    return log.assign(request_id=ids)


def _other_model(log: pd.DataFrame) -> pd.DataFrame:
    """The challenger's rows with answers that another model gave."""
    theirs = (log["role"] == "challenger").to_numpy()
    return log.assign(score=np.where(theirs, 1 - log["score"] ** 2, log["score"]))


def _without_features(log: pd.DataFrame) -> pd.DataFrame:
    """The challenger's rows without the features, which the champion's row has."""
    theirs = (log["role"] == "challenger").to_numpy()
    return log.assign(**{name: log[name].where(~theirs) for name in FEATURES})


@pytest.mark.parametrize(
    ("change", "failed"),
    [
        (_shifted, {"pairs"}),
        (_other_model, {"challenger replay"}),
        (_without_features, set()),
    ],
)
async def test_rows_that_are_not_what_they_say(
    world: ModelFixture,
    start: str,
    change: Callable[[pd.DataFrame], pd.DataFrame],
    failed: set[str],
) -> None:
    """Pairs of two requests, and answers of another model, make the test INVALID."""
    report = await _mirrored(world, start, policy=MARGIN, change=change)

    failed_checks = {check.name for check in report.checks if not check.ok and check.otherwise}
    assert failed_checks == failed
    assert (report.verdict is Verdict.INVALID) is bool(failed)


async def test_latencies_that_are_missing(world: ModelFixture, start: str) -> None:
    """Where answers of one version lack their latency, latencies are not compared."""
    policy = {**MARGIN, "latency": (LatencyLimit(0.9, ratio=1.5),)}

    def lose(log: pd.DataFrame) -> pd.DataFrame:
        slow = (log["role"] == "challenger") & (log["latency_ms"] > 10)
        return log.assign(latency_ms=log["latency_ms"].where(~slow))

    report = await _mirrored(world, start, policy=policy, change=lose)

    assert report.verdict is Verdict.INVALID
    assert "those without one may be the slow ones" in report.sentence
