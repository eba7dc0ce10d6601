from __future__ import annotations

import json
import tracemalloc
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.model_fixture import ModelFixture
from support.present import present
from support.shadow_policies import hourly

from model_lifecycle.gates.policy.promotion import Comparison, Limit, ShadowPolicy
from model_lifecycle.registry.domain.errors import InvalidDataset, InvalidInput, RegistryError
from model_lifecycle.registry.domain.evidence import Verdict

MARGIN = (Comparison("brier", 0.01),)


async def test_better_passes(world: ModelFixture, champion: int, start: str) -> None:
    """A better version passes, with the blocks and partitions it stood on."""
    version = await world.register("good")
    end = await world.serve(champion)

    report = await world.shadow_test(version, start, end)

    assert report.verdict is Verdict.PASS, report.sentence
    assert (report.counts["blocks"], report.counts["judged"]) == (40, 2400)
    assert len(report.detail["looks"][0]["points"]) == 40
    digests = {item["digest"] for item in report.reproduction["partitions"]}
    assert len(digests) == 40
    (evidence,) = await world.registry.list_evidence(world.tenant, world.model, version)
    assert champion == evidence.baseline


async def test_worse_fails(world: ModelFixture, champion: int, start: str) -> None:
    """A worse version fails, and the verdict names the block at which it fell."""
    version = await world.register("bad")
    end = await world.serve(champion)

    report = await world.shadow_test(version, start, end)

    assert report.verdict is Verdict.FAIL
    assert report.metrics[0].decided_at == 30


async def test_copy_of_the_champion(world: ModelFixture, champion: int, start: str) -> None:
    """A copy of the champion passes with a margin, and stays inconclusive when asked to be
    better; it never fails."""
    version = await world.register("weak")
    end = await world.serve(champion)

    with_margin = await world.shadow_test(version, start, end)
    await world.policy(shadow=hourly(comparisons=(Comparison("brier", 0.0),)))
    without = await world.shadow_test(version, start, end)

    assert (with_margin.verdict, without.verdict) == (Verdict.PASS, Verdict.INCONCLUSIVE)


async def test_few_blocks_are_inconclusive(world: ModelFixture, champion: int, start: str) -> None:
    """Before the policy's least number of blocks there is no verdict."""
    version = await world.register("good")
    end = await world.serve(champion, hours=40, rows=100, step=2)

    report = await world.shadow_test(version, start, end)

    assert report.verdict is Verdict.INCONCLUSIVE
    assert "20 of the 30 hours" in report.sentence


async def test_a_window_shorter_than_the_minimums(
    world: ModelFixture, champion: int, start: str
) -> None:
    """A window on which no verdict is possible is refused with the numbers, before any request is
    read; nothing is recorded."""
    version = await world.register("good")
    end = await world.serve(champion, hours=20)

    with pytest.raises(InvalidInput, match=r"20 hours long.*min_blocks 30.*begin the window at"):
        await world.shadow_test(version, start, end)

    assert await world.registry.list_evidence(world.tenant, world.model, version) == []


async def test_forecast(world: ModelFixture, champion: int, start: str) -> None:
    """An undecided test says how many blocks a verdict would take."""
    version = await world.register("weak")
    await world.policy(shadow=hourly(limits=(Limit("brier", maximum=0.23),)))
    end = await world.serve(champion)

    report = await world.shadow_test(version, start, end)

    assert report.verdict is Verdict.INCONCLUSIVE, report.sentence
    assert present(report.metrics[0].forecast) > 40


async def test_first_version(world: ModelFixture, start: str) -> None:
    """Without a champion the limits are judged on all recorded requests."""
    version = await world.register("good")
    await world.policy()
    end = await world.serve(version, change=lambda log: log.assign(version=0, prediction=0))

    report = await world.shadow_test(version, start, end)

    assert (report.verdict, report.baseline) == (Verdict.PASS, None)
    assert report.metrics[0].champion is None
    (row, *_) = report.metrics
    assert present(row.challenger) < present(row.threshold)


async def test_days_as_blocks_and_progress(world: ModelFixture, champion: int, start: str) -> None:
    """Blocks can be days, and each is announced when it starts."""
    version = await world.register("good")
    await world.policy(shadow=ShadowPolicy(comparisons=MARGIN, min_blocks=10))
    end = await world.serve(champion, hours=24 * 12, rows=40, step=6)
    heard = []

    report = await world.shadow_test(version, start, end, progress=lambda *step: heard.append(step))

    assert report.verdict is Verdict.PASS, report.sentence
    assert heard[0] == (1, 12, "2024-03-01")
    assert heard[-1] == (12, 12, "2024-03-12")


async def test_same_evidence_id(world: ModelFixture, champion: int, start: str) -> None:
    """The same evidence id again gives the recorded report without reading traffic."""
    version = await world.register("good")
    end = await world.serve(champion)
    first = await world.shadow_test(version, start, end, evidence_id=f"once-{world.model}")

    again = await world.shadow_test(
        version, "2020-01-01", "2020-01-02", evidence_id=f"once-{world.model}"
    )

    assert first == again


async def test_early_labels_are_left_out(world: ModelFixture, champion: int) -> None:
    """Requests younger than the label horizon are not judged, even with labels."""
    version = await world.register("good")
    await world.policy(shadow=hourly(comparisons=MARGIN, label_horizon_hours=5.5))
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    begin = now - timedelta(hours=40)
    end = await world.serve(champion, start=begin)

    report = await world.shadow_test(version, begin.isoformat(), end)

    assert report.counts["immature"] in (240, 300)
    assert report.counts["judged"] + report.counts["immature"] == 2400


async def test_challenger_that_cannot_answer(
    world: ModelFixture, champion: int, start: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A challenger that raises, or answers NaN, on recorded requests fails."""
    version = await world.register("good")
    end = await world.serve(champion)
    load = world.registry.load_model

    class Broken:
        columns = None
        classes = (0, 1)

        def predict(self, frame: pd.DataFrame) -> np.ndarray:
            raise ValueError("no category 'south'")

        def scores(self, frame: pd.DataFrame) -> np.ndarray:
            return np.full(len(frame), np.nan)

        def cluster_fit(self, frame: pd.DataFrame, measure: str) -> None:
            return None

    async def broken(tenant: str, model: str, number: int, **more: Any) -> Any:
        return Broken() if number == version else await load(tenant, model, number)

    monkeypatch.setattr(
        world.registry,
        "load_model",
        lambda tenant, model, version: broken(tenant, model, version),
    )

    report = await world.shadow_test(version, start, end)

    assert report.verdict is Verdict.FAIL
    assert "no usable answer" in report.sentence


@pytest.mark.parametrize(
    ("start", "end", "error"),
    [
        ("2024-03-01", "2024-03-01", InvalidInput),
        ("2024-03-02", "2024-03-01", InvalidInput),
        ("yesterday", "2024-03-01", InvalidInput),
        ("2030-01-01", "2030-01-03", InvalidDataset),
    ],
)
async def test_windows_that_cannot_be(
    world: ModelFixture, champion: int, start: str, end: str, error: type[RegistryError]
) -> None:
    """A window that is empty, backwards, no date or without traffic is an error."""
    version = await world.register("good")

    with pytest.raises(error):
        await world.shadow_test(version, start, end)

    assert await world.registry.list_evidence(world.tenant, world.model, version) == []


async def test_report_is_plain(world: ModelFixture, champion: int, start: str) -> None:
    """The report is plain finite JSON, and its page shows the interval over time."""
    version = await world.register("good")
    end = await world.serve(champion)

    report = await world.shadow_test(version, start, end)

    stored = json.loads(await world.file(report.report_uri, "report.json"))
    assert stored == json.loads(json.dumps(report.document(), allow_nan=False))
    page = (await world.file(report.report_uri, "report.html")).decode()
    assert page.count("data:image/svg+xml;base64,") == 5
    for text in ("evidence at every look", "<h2>Latency</h2>", "<h2>Who answered what</h2>"):
        assert text in page
    assert "improvement over the champion" in page


async def test_memory_does_not_grow(world: ModelFixture, champion: int, start: str) -> None:
    """Three times the traffic takes hardly more memory: rows are forgotten once counted."""
    version = await world.register("good")
    end = await world.serve(champion, hours=24 * 6, rows=1000, step=6)
    day = datetime.fromisoformat(start) + timedelta(days=2)
    await world.shadow_test(version, start, day.isoformat())
    peaks = []
    for until in (day.isoformat(), end):
        tracemalloc.start()
        await world.shadow_test(version, start, until)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    assert peaks[1] < 1.3 * peaks[0]


async def test_regression(world: ModelFixture, start: str) -> None:
    """A regression's traffic has no scores; its page shows errors and predictions."""
    first, second = await world.register("minutes"), await world.register("minutes")
    await world.policy(shadow=hourly(comparisons=(Comparison("absolute_error", 0.1, bound=20),)))
    await world.promote(first)
    end = await world.serve(first)

    report = await world.shadow_test(second, start, end)

    assert report.verdict is Verdict.PASS, report.sentence
    page = (await world.file(report.report_uri, "report.html")).decode()
    assert "<h3>Errors</h3>" in page
    assert "<h3>Predictions</h3>" in page
