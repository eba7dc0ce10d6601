"""Checks of the traffic that a shadow test judges."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pandas as pd
import pytest
from support.model_fixture import ModelFixture
from support.shadow_policies import hourly

from model_lifecycle.gates.evaluation.recompute import recompute
from model_lifecycle.gates.policy.promotion import Comparison, SliceLimit
from model_lifecycle.registry.domain.errors import InvalidDataset
from model_lifecycle.registry.domain.evidence import Verdict

MARGIN = (Comparison("brier", 0.01),)


async def test_labels_that_are_missing(world: ModelFixture, champion: int, start: str) -> None:
    """With too few labels the test is INVALID, however good the version looks on the others."""
    version = await world.register("good")
    end = await world.serve(champion, labelled=0.9)

    report = await world.shadow_test(version, start, end)

    assert report.verdict is Verdict.INVALID
    assert "90.0%" in report.sentence


async def test_no_labels_at_all(world: ModelFixture, champion: int, start: str) -> None:
    """Without any label nothing is judged."""
    version = await world.register("good")
    end = await world.serve(champion, labelled=0.0)

    report = await world.shadow_test(version, start, end)

    assert report.verdict is Verdict.INVALID
    assert report.counts["judged"] == 0


async def test_features_that_are_not_those_served(
    world: ModelFixture, champion: int, start: str
) -> None:
    """When the champion does not answer its recorded requests as it did, the test is INVALID."""
    version = await world.register("good")
    end = await world.serve(champion, change=lambda log: log.assign(older=log["older"] + 0.01))

    report = await world.shadow_test(version, start, end)

    assert report.verdict is Verdict.INVALID
    assert "of its own requests as served" in report.sentence


async def test_repeated_requests_count_once(world: ModelFixture, champion: int, start: str) -> None:
    """A request written twice, in the same hour or the next, is judged once."""
    version = await world.register("good")
    end = await world.serve(champion)
    frame_at = datetime.fromisoformat(start) + timedelta(hours=1)
    from model_lifecycle.gates.data.traffic import partitions, read_partition
    from model_lifecycle.gates.data.traffic_writer import write_traffic

    store = world.registry.artifacts
    first, *_ = await partitions(
        store,
        world.tenant,
        world.model,
        datetime.fromisoformat(start),
        frame_at,
    )
    again = (await read_partition(store, first)).frame
    again["requested_at"] += timedelta(hours=1)
    await write_traffic(store, world.tenant, world.model, frame_at, again, part=1)

    report = await world.shadow_test(version, start, end)

    assert (report.counts["duplicates"], report.counts["judged"]) == (60, 2400)


async def test_requests_of_other_versions(world: ModelFixture, champion: int, start: str) -> None:
    """Requests that another version answered are left out; a window of nothing else is an error."""
    version = await world.register("good")
    end = await world.serve(champion)
    other = datetime.fromisoformat(end) + timedelta(days=2)
    later = await world.serve(
        champion, start=other, hours=2, change=lambda log: log.assign(version=77)
    )

    report = await world.shadow_test(version, start, later)

    assert (report.counts["of_other_versions"], report.counts["judged"]) == (120, 2400)
    with pytest.raises(InvalidDataset, match=f"answered by version {champion}"):
        await world.shadow_test(
            version, other.isoformat(), (other + timedelta(hours=30)).isoformat()
        )


async def test_bad_slice_blocks(world: ModelFixture, champion: int, start: str) -> None:
    """A slice that breaks its limit blocks a version that is better overall."""
    version = await world.register("good")
    await world.policy(
        shadow=hourly(
            comparisons=MARGIN,
            slices=(SliceLimit("region", "brier", maximum=0.145, min_rows=30),),
        )
    )
    end = await world.serve(champion, rows=80)

    report = await world.shadow_test(version, start, end)

    slices = [row for row in report.metrics if row.kind == "slice"]
    assert {row.slice_value for row in slices} == {"north", "south"}
    assert all(row.units == 40 for row in slices)


async def test_gaps_are_reported(world: ModelFixture, champion: int, start: str) -> None:
    """Hours without traffic are reported, and do not decide."""
    version = await world.register("good")
    await world.serve(champion, hours=35)
    later = datetime.fromisoformat(start) + timedelta(hours=50)
    end = await world.serve(champion, start=later, hours=3)

    report = await world.shadow_test(version, start, end)

    (gaps,) = [check for check in report.checks if check.name == "gaps"]
    assert not gaps.ok
    assert gaps.message.startswith("15 of 53 hours")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda log: log.drop(columns="recent"), "recent is missing"),
        (lambda log: log.assign(recent="x"), "recent is"),
    ],
)
async def test_traffic_unlike_the_signature(
    world: ModelFixture,
    champion: int,
    start: str,
    change: Callable[[pd.DataFrame], pd.DataFrame],
    problem: str,
) -> None:
    """Traffic whose columns do not match the signature makes the test INVALID, by its name."""
    version = await world.register("good")
    end = await world.serve(champion, hours=40, step=20, change=change)

    report = await world.shadow_test(version, start, end)

    (check,) = [check for check in report.checks if check.name == "signature"]
    assert report.verdict is Verdict.INVALID
    assert problem in check.message
    assert "120 requests do not match" in report.sentence
    assert recompute(report.document()).agrees


async def test_scores_that_were_not_logged(world: ModelFixture, champion: int, start: str) -> None:
    """A measure that needs scores says so where the traffic has none."""
    version = await world.register("good")
    end = await world.serve(champion, change=lambda log: log.drop(columns="score"))

    with pytest.raises(InvalidDataset, match="needs a score"):
        await world.shadow_test(version, start, end)
