"""Traffic of classifiers whose labels are texts, or of more than two classes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from support.model_fixture import ModelFixture

from model_lifecycle.gates.data.traffic_writer import write_labels, write_traffic
from model_lifecycle.gates.policy.promotion import Comparison, ShadowPolicy
from model_lifecycle.gates.report import GateReport
from model_lifecycle.registry.domain.errors import InvalidDataset
from model_lifecycle.registry.domain.evidence import Verdict

START = datetime(2024, 3, 1, tzinfo=UTC)
FEATURES = ["recent", "older"]
HOURS, ROWS = 40, 60


def words(frame: pd.DataFrame, classes: int) -> np.ndarray:
    """The label as a text of this many classes."""
    if classes == 2:
        names, code = ["stay", "churn"], frame["label"]
    else:
        names = ["low", "middle", "high"]
        code = (frame["recent"] > 0).astype(int) + (frame["older"] > 0.5).astype(int)
    words: np.ndarray = np.array(names)[code]
    return words


async def shadow_report(
    world: ModelFixture,
    make_requests: Callable[..., pd.DataFrame],
    classes: int,
    *,
    score: bool = True,
    label: Callable[[str], str] = lambda text: text,
) -> GateReport:
    """The shadow test of a slightly different model on traffic with such labels."""
    train = make_requests(1000, 1)
    models = [
        LogisticRegression(C=c).fit(train[FEATURES], words(train, classes)) for c in (1.0, 0.8)
    ]
    versions: list[int] = []
    for model in models:
        answer = await world.registry.register_model(
            world.tenant,
            world.model,
            model,
            "sklearn",
            {},
            {"n": str(len(versions))},
            input_example=train[FEATURES].head(),
            created_by="tests",
        )
        versions.append(max(answer.versions))
    await world.promote(versions[0])
    await world.policy(
        shadow=ShadowPolicy(
            block="hour",
            comparisons=(Comparison("brier", 0.05), Comparison("log_loss", 0.1)),
            min_duration_hours=0.0,
        )
    )
    store = world.registry.artifacts
    labels: dict[datetime, list[pd.DataFrame]] = {}
    for hour in range(HOURS):
        at, rows = START + timedelta(hours=hour), make_requests(ROWS, 100 + hour)
        probabilities = models[0].predict_proba(rows[FEATURES])
        log = rows[FEATURES].assign(
            request_id=[f"{hour}-{row}" for row in range(ROWS)],
            requested_at=[at + timedelta(seconds=row) for row in range(ROWS)],
            version=versions[0],
            role="champion",
            prediction=models[0].predict(rows[FEATURES]),
        )
        if score:
            log["score"] = probabilities[:, 1] if classes == 2 else list(probabilities)
        await write_traffic(store, world.tenant, world.model, at, log)
        known = pd.DataFrame(
            {
                "request_id": log["request_id"],
                "label": [label(text) for text in words(rows, classes)],
                "labelled_at": at,
            }
        )
        labels.setdefault(at.replace(hour=0), []).append(known)
    for day, parts in labels.items():
        await write_labels(store, world.tenant, world.model, day, pd.concat(parts))
    return await world.shadow_test(
        versions[1], START.isoformat(), (START + timedelta(hours=HOURS)).isoformat()
    )


@pytest.mark.parametrize("classes", [2, 3])
async def test_text_labels(
    world: ModelFixture, make_requests: Callable[..., pd.DataFrame], classes: int
) -> None:
    """Brier score and log loss of text labels are judged, with lists of scores for three."""
    report = await shadow_report(world, make_requests, classes)

    assert report.verdict is Verdict.PASS, report.sentence
    assert {row.rows for row in report.metrics} == {HOURS * ROWS}


async def test_labels_that_are_no_class(
    world: ModelFixture, make_requests: Callable[..., pd.DataFrame]
) -> None:
    """Labels that no model knows are INVALID, with their number and an example."""
    report = await shadow_report(
        world, make_requests, 2, label=lambda text: "lost" if text == "churn" else text
    )

    assert report.verdict is Verdict.INVALID
    assert "'lost'" in report.sentence


async def test_scores_that_are_missing(
    world: ModelFixture, make_requests: Callable[..., pd.DataFrame]
) -> None:
    """Without the probabilities of three classes the error says what to log."""
    with pytest.raises(InvalidDataset, match="column score has them as a list"):
        await shadow_report(world, make_requests, 3, score=False)
