"""Traffic that lies, each in one way: the gate says which, and blames nobody."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from support.model_fixture import ModelFixture
from support.present import present
from support.shadow_policies import hourly

from model_lifecycle.gates.data.traffic_writer import write_labels
from model_lifecycle.gates.policy.promotion import Comparison, Limit
from model_lifecycle.gates.report import GateReport
from model_lifecycle.registry.domain.evidence import Verdict
from model_lifecycle.registry.frameworks.protocol import Predictor

MARGIN = (Comparison("brier", 0.01),)


def _failed(report: GateReport) -> set[str]:
    return {check.name for check in report.checks if not check.ok and check.otherwise}


async def _relabel(
    world: ModelFixture, start: str, hours: int, change: Callable[[pd.DataFrame], pd.DataFrame]
) -> None:
    """Write the labels of the traffic again, as ``change`` makes them from id, label and time."""
    from model_lifecycle.gates.data.traffic import partitions, read_labels, read_partition

    store, begin = world.registry.artifacts, datetime.fromisoformat(start)
    stored = await partitions(
        store, world.tenant, world.model, begin, begin + timedelta(hours=hours)
    )
    for day in sorted({hour.hour.date() for hour in stored}):
        at = begin.replace(year=day.year, month=day.month, day=day.day, hour=0)
        labels = present(await read_labels(store, world.tenant, world.model, at)).frame
        rows = [(await read_partition(store, h)).frame for h in stored if h.hour.date() == day]
        joined = labels.merge(pd.concat(rows), on="request_id")
        await write_labels(store, world.tenant, world.model, at, change(joined))


async def test_champion_that_is_not_deterministic(
    world: ModelFixture, champion: int, start: str
) -> None:
    """A champion that answers its own requests otherwise than recorded."""
    version = await world.register("good")
    end = await world.serve(champion, change=lambda log: log.assign(score=log["score"] * 0.999))

    report = await world.shadow_test(version, start, end)

    assert report.verdict is Verdict.INVALID
    assert _failed(report) == {"self-replay"}


async def test_labels_that_are_still_coming(world: ModelFixture, champion: int) -> None:
    """Requests judged younger than labels take to come: the early labels are not like all."""
    version = await world.register("good")
    now = datetime.now(tz=datetime.fromisoformat("2024-01-01T00:00:00+00:00").tzinfo)
    begin = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=40)
    end = await world.serve(champion, start=begin)
    await _relabel(
        world,
        begin.isoformat(),
        40,
        lambda rows: rows.assign(
            labelled_at=rows["requested_at"]
            + pd.to_timedelta(np.where(rows["label"] == 1, 20, 2), unit="h")
        ),
    )

    report = await world.shadow_test(version, begin.isoformat(), end)

    assert report.verdict is Verdict.INVALID
    assert _failed(report) == {"label maturity", "label delay by outcome"}
    assert "labels of 0 and of 1 come at different times" in report.sentence


async def test_late_labels_of_old_requests(world: ModelFixture, champion: int, start: str) -> None:
    """Delays tied to the outcome are reported, and harmless once all labels had time to come."""
    version = await world.register("good")
    end = await world.serve(champion)
    await _relabel(
        world,
        start,
        40,
        lambda rows: rows.assign(
            labelled_at=rows["requested_at"]
            + pd.to_timedelta(np.where(rows["label"] == 1, 20, 2), unit="h")
        ),
    )

    report = await world.shadow_test(version, start, end)

    assert report.verdict is Verdict.PASS, report.sentence
    (check,) = [check for check in report.checks if check.name == "label delay by outcome"]
    assert check.message.endswith("but all had time to come")


async def test_labels_that_the_champion_decided_on(
    world: ModelFixture, champion: int, start: str
) -> None:
    """Labels that exist for one decision of the champion only."""
    version = await world.register("good")
    await world.policy(shadow=hourly(comparisons=MARGIN, min_label_coverage=0.3))
    end = await world.serve(champion)
    await _relabel(world, start, 40, lambda rows: rows[rows["prediction"] == 0])

    report = await world.shadow_test(version, start, end)

    assert report.verdict is Verdict.INVALID
    assert _failed(report) == {"labels by decision"}
    assert "use an A/B test" in report.sentence


async def test_training_data_of_the_window(world: ModelFixture, champion: int, start: str) -> None:
    """A challenger trained on days that it is judged on."""
    version = await world.register("good", tags={"dataset.end": "2024-03-02"})
    end = await world.serve(champion)

    report = await world.shadow_test(version, start, end)

    assert report.verdict is Verdict.INVALID
    assert _failed(report) == {"challenger training data"}


async def test_categories_unknown_in_training(
    world: ModelFixture, champion: int, start: str
) -> None:
    """Requests of a kind that the challenger's training data did not have."""
    known = json.dumps({"region": ["north", "east"]})
    version = await world.register("good", tags={"dataset.categories": known})
    end = await world.serve(champion)

    report = await world.shadow_test(version, start, end)

    assert report.verdict is Verdict.INVALID
    assert _failed(report) == {"categories"}


async def test_features_from_the_future(world: ModelFixture, champion: int, start: str) -> None:
    """Features that were computed after their request."""
    version = await world.register("good")
    await world.policy(shadow=hourly(comparisons=MARGIN, feature_time="computed_at"))
    end = await world.serve(
        champion,
        change=lambda log: log.assign(
            computed_at=pd.to_datetime(log["requested_at"]) + timedelta(hours=1)
        ),
    )

    report = await world.shadow_test(version, start, end)

    assert report.verdict is Verdict.INVALID
    assert _failed(report) == {"feature time"}


async def test_champion_that_changed(
    world: ModelFixture, champion: int, start: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another version is promoted while the test runs."""
    version, other = await world.register("good"), await world.register("weak")
    end = await world.serve(champion)
    load = world.registry.load_model
    done: list[int] = []

    async def promoting(tenant: str, model: str, version: int | None = None) -> Predictor:
        if not done:
            await world.promote(other)
            done.append(other)
        return await load(tenant, model, version)

    monkeypatch.setattr(world.registry, "load_model", promoting)

    report = await world.shadow_test(version, start, end)

    assert report.verdict is Verdict.INVALID
    assert _failed(report) == {"champion unchanged"}


async def test_requests_that_depend_on_each_other(
    world: ModelFixture, champion: int, start: str
) -> None:
    """Single requests asked to be judged where their hour decides what they are."""
    version = await world.register("good")
    await world.policy(shadow=hourly(limits=(Limit("zero_one", maximum=0.4),), unit="request"))
    end = await world.serve(champion)
    await _relabel(
        world,
        start,
        40,
        lambda rows: rows.assign(
            label=np.where(rows["requested_at"].dt.hour % 2 == 0, 1, rows["label"])
        ),
    )

    report = await world.shadow_test(version, start, end)

    assert report.verdict is Verdict.INVALID
    assert _failed(report) == {"independence"}
    assert "set unit='block'" in report.sentence
