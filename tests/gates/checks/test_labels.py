"""Labels that are missing where it matters, contradict each other, or have another level."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.model_fixture import ModelFixture
from support.present import present

from model_lifecycle.gates.checks.unlabelled import score_check
from model_lifecycle.gates.data.traffic import partitions, read_labels, read_partition
from model_lifecycle.gates.data.traffic_writer import write_labels
from model_lifecycle.gates.evaluation.recompute import recompute
from model_lifecycle.gates.evaluation.shadow_test import shadow_test_version
from model_lifecycle.gates.policy.promotion import Comparison, Limit, ShadowPolicy, ValidationPolicy
from model_lifecycle.gates.report import Check, GateReport
from model_lifecycle.registry.domain.evidence import Verdict

SHORT: dict[str, Any] = {
    "block": "hour",
    "min_blocks": 30,
    "expected_blocks": 40,
    "min_duration_hours": 0,
}


async def _report(
    world: ModelFixture,
    start: str,
    relabel: Callable[[pd.DataFrame], pd.DataFrame],
    kinds: tuple[str, str] = ("weak", "good"),
    margin: float = 0.01,
    **more: Any,
) -> GateReport:
    """A test of 40 hours whose labels ``relabel`` has changed: rows of requests with their labels
    in, labels out."""
    champion = await world.register(kinds[0])
    await world.promote(champion)
    version = await world.register(kinds[1])
    await world.policy(
        shadow=ShadowPolicy(comparisons=(Comparison("brier", margin),), **SHORT, **more)
    )
    end = await world.serve(champion)
    store, begin = world.registry.artifacts, datetime.fromisoformat(start)
    hours = await partitions(store, world.tenant, world.model, begin, begin + timedelta(hours=40))
    for day in (begin, begin + timedelta(days=1)):
        labels = await read_labels(store, world.tenant, world.model, day)
        rows = [
            (await read_partition(store, hour)).frame
            for hour in hours
            if hour.hour.date() == day.date()
        ]
        joined = present(labels).frame.merge(pd.concat(rows), on="request_id")
        await write_labels(store, world.tenant, world.model, day, relabel(joined))
    return await world.shadow_test(version, start, end)


def _check(report: GateReport, name: str) -> Check:
    (check,) = [check for check in report.checks if check.name == name]
    return check


async def test_labels_that_contradict_each_other(world: ModelFixture, start: str) -> None:
    """Two labels of one request that differ make the test INVALID."""

    def contradict(labels: pd.DataFrame) -> pd.DataFrame:
        later = labels.assign(
            label=1 - labels["label"], labelled_at=labels["labelled_at"] + timedelta(hours=1)
        )
        return pd.concat([labels, later])

    report = await _report(world, start, contradict)

    assert report.verdict is Verdict.INVALID
    assert report.counts["conflicting_labels"] == 2400
    assert "contradict each other" in report.sentence


async def test_labels_that_are_repeated(world: ModelFixture, start: str) -> None:
    """The same label twice is no conflict."""
    report = await _report(world, start, lambda labels: pd.concat([labels, labels]))

    assert report.verdict is Verdict.PASS, report.sentence
    assert _check(report, "label conflicts").ok


async def test_labels_where_the_champion_did_not_act(world: ModelFixture, start: str) -> None:
    """Labels that are missing at high scores make the test INVALID, though they are few."""
    report = await _report(
        world, start, lambda labels: labels[labels["score"] < labels["score"].quantile(0.985)]
    )

    assert report.verdict is Verdict.INVALID
    assert not _check(report, "labels by score").ok
    assert recompute(report.document()).agrees


async def test_missing_labels_at_their_worst(world: ModelFixture, start: str) -> None:
    """A PASS that the missing labels could undo is not said, unless the policy tolerates them."""

    def lose(labels: pd.DataFrame) -> pd.DataFrame:
        return labels[np.random.default_rng(4).random(len(labels)) >= 0.04]

    doubted = await _report(world, start, lose, kinds=("good", "weak"), margin=0.108)

    assert doubted.verdict is Verdict.INCONCLUSIVE, doubted.sentence
    check = _check(doubted, "missing labels")
    assert (check.ok, check.otherwise) == (False, Verdict.INCONCLUSIVE)
    assert recompute(doubted.document()).agrees
    await world.policy(
        shadow=ShadowPolicy(
            comparisons=(Comparison("brier", 0.108),), **SHORT, tolerated_unlabelled=0.05
        )
    )
    tolerated = await shadow_test_version(
        world.registry, world.tenant, world.model, doubted.version,
        start=doubted.reproduction["start"], end=doubted.reproduction["end"], actor="tests",
    )  # fmt: skip
    assert tolerated.verdict is Verdict.PASS, tolerated.sentence


async def test_a_class_that_is_gone(world: ModelFixture, start: str) -> None:
    """Labels that are all 0, where the scores lead to expect many of 1, are INVALID."""
    report = await _report(world, start, lambda labels: labels.assign(label=0))

    assert report.verdict is Verdict.INVALID
    assert "no label is 1" in report.sentence


@pytest.mark.parametrize(
    ("table", "good"),
    [
        ({"00|labelled": 900, "10|labelled": 100}, True),
        ({"00|labelled": 880, "00|unlabelled": 20, "10|labelled": 97, "10|unlabelled": 3}, True),
        ({"00|labelled": 960, "10|unlabelled": 15, "19|unlabelled": 8}, False),
        ({"00|labelled": 960, "10|labelled": 2, "19|unlabelled": 1}, True),
        ({}, True),
    ],
)
def test_shares_of_labels_by_score(table: dict[str, Any], good: bool) -> None:
    """A difference beyond chance at any cut is found; few requests, or none, say nothing."""
    assert score_check(table, 0.05).ok is good


async def test_a_champion_whose_loss_jumps(
    world: ModelFixture, start: str, make_requests: Callable[..., pd.DataFrame]
) -> None:
    """A loss that is many times the one on the champion's own record is one of the labels, though
    both models have it alike."""
    champion = await world.register("minutes")
    await world.policy(
        validation=ValidationPolicy(limits=(Limit("squared_error", maximum=5.0),)),
        shadow=ShadowPolicy(comparisons=(Comparison("squared_error", 0.5, bound=100),), **SHORT),
    )
    rows = make_requests(400, 9)
    held_out = world.held_out(rows.assign(label=rows["recent"] * 3 + rows["label"]))
    recorded = await world.validate(champion, held_out)
    await world.promote(champion)
    version = await world.register("minutes")
    end = await world.serve(champion)

    report = await world.shadow_test(version, start, end)

    assert recorded.verdict is Verdict.PASS, recorded.sentence
    assert not _check(report, "level of the champion").ok
    assert report.verdict is Verdict.INVALID
    assert recompute(report.document()).agrees
