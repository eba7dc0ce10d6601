import json
import tracemalloc
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from support.shadow_policies import hourly

from model_lifecycle.gates.evaluation.recompute import recompute
from model_lifecycle.gates.evaluation.shadow_test import shadow_test_version
from model_lifecycle.gates.policy.promotion import Comparison, Limit, ShadowPolicy, SliceLimit
from model_lifecycle.registry.domain.errors import InvalidDataset, InvalidInput
from model_lifecycle.registry.domain.evidence import Verdict

MARGIN = (Comparison("brier", 0.01),)


async def _shadow(world, version, start, end, **more):
    return await shadow_test_version(
        world.registry,
        world.tenant,
        world.model,
        version,
        start=start,
        end=end,
        **{"actor": "tests", **more},
    )


@pytest.fixture
async def champion(world):
    """A weak version in production, and a policy with hourly blocks."""
    version = await world.register("weak")
    await world.policy()
    await world.promote(version)
    return version


async def test_better_passes(world, champion, start):
    """A better version passes, with the blocks and partitions it stood on."""
    version = await world.register("good")
    end = await world.serve(champion)

    report = await _shadow(world, version, start, end)

    assert report.verdict is Verdict.PASS, report.sentence
    assert (report.counts["blocks"], report.counts["judged"]) == (40, 2400)
    assert len(report.detail["looks"][0]["points"]) == 40
    digests = {item["digest"] for item in report.reproduction["partitions"]}
    assert len(digests) == 40
    (evidence,) = await world.registry.list_evidence(world.tenant, world.model, version)
    assert champion == evidence.baseline


async def test_worse_fails(world, champion, start):
    """A worse version fails, and the verdict names the block at which it fell."""
    version = await world.register("bad")
    end = await world.serve(champion)

    report = await _shadow(world, version, start, end)

    assert report.verdict is Verdict.FAIL
    assert report.metrics[0].decided_at == 30


async def test_copy_of_the_champion(world, champion, start):
    """A copy of the champion passes with a margin, and stays inconclusive when asked to be
    better; it never fails."""
    version = await world.register("weak")
    end = await world.serve(champion)

    with_margin = await _shadow(world, version, start, end)
    await world.policy(shadow=hourly(comparisons=(Comparison("brier", 0.0),)))
    without = await _shadow(world, version, start, end)

    assert (with_margin.verdict, without.verdict) == (Verdict.PASS, Verdict.INCONCLUSIVE)


async def test_few_blocks_are_inconclusive(world, champion, start):
    """Before the policy's least number of blocks there is no verdict."""
    version = await world.register("good")
    end = await world.serve(champion, hours=40, rows=100, step=2)

    report = await _shadow(world, version, start, end)

    assert report.verdict is Verdict.INCONCLUSIVE
    assert "20 of the 30 hours" in report.sentence


async def test_a_window_shorter_than_the_minimums(world, champion, start):
    """A window on which no verdict is possible is refused with the numbers, before any request is
    read; nothing is recorded."""
    version = await world.register("good")
    end = await world.serve(champion, hours=20)

    with pytest.raises(InvalidInput, match=r"20 hours long.*min_blocks 30.*begin the window at"):
        await _shadow(world, version, start, end)

    assert await world.registry.list_evidence(world.tenant, world.model, version) == []


async def test_forecast(world, champion, start):
    """An undecided test says how many blocks a verdict would take."""
    version = await world.register("weak")
    await world.policy(shadow=hourly(limits=(Limit("brier", maximum=0.23),)))
    end = await world.serve(champion)

    report = await _shadow(world, version, start, end)

    assert report.verdict is Verdict.INCONCLUSIVE, report.sentence
    assert report.metrics[0].forecast > 40


async def test_first_version(world, start):
    """Without a champion the limits are judged on all recorded requests."""
    version = await world.register("good")
    await world.policy()
    end = await world.serve(version, change=lambda log: log.assign(version=0, prediction=0))

    report = await _shadow(world, version, start, end)

    assert (report.verdict, report.baseline) == (Verdict.PASS, None)
    assert report.metrics[0].champion is None
    assert report.metrics[0].challenger < report.metrics[0].threshold


async def test_days_as_blocks_and_progress(world, champion, start):
    """Blocks can be days, and each is announced when it starts."""
    version = await world.register("good")
    await world.policy(shadow=ShadowPolicy(comparisons=MARGIN, min_blocks=10))
    end = await world.serve(champion, hours=24 * 12, rows=40, step=6)
    heard = []

    report = await _shadow(world, version, start, end, progress=lambda *said: heard.append(said))

    assert report.verdict is Verdict.PASS, report.sentence
    assert heard[0] == (1, 12, "2024-03-01")
    assert heard[-1] == (12, 12, "2024-03-12")


async def test_same_evidence_id(world, champion, start):
    """The same evidence id again gives the recorded report without reading traffic."""
    version = await world.register("good")
    end = await world.serve(champion)
    first = await _shadow(world, version, start, end, evidence_id=f"once-{world.model}")

    again = await _shadow(
        world, version, "2020-01-01", "2020-01-02", evidence_id=f"once-{world.model}"
    )

    assert first == again


async def test_labels_that_are_missing(world, champion, start):
    """With too few labels the test is INVALID, however good the version looks on the others."""
    version = await world.register("good")
    end = await world.serve(champion, labelled=0.9)

    report = await _shadow(world, version, start, end)

    assert report.verdict is Verdict.INVALID
    assert "90.0%" in report.sentence


async def test_no_labels_at_all(world, champion, start):
    """Without any label nothing is judged."""
    version = await world.register("good")
    end = await world.serve(champion, labelled=0.0)

    report = await _shadow(world, version, start, end)

    assert report.verdict is Verdict.INVALID
    assert report.counts["judged"] == 0


async def test_features_that_are_not_those_served(world, champion, start):
    """When the champion does not answer its recorded requests as it did, the test is INVALID."""
    version = await world.register("good")
    end = await world.serve(champion, change=lambda log: log.assign(older=log["older"] + 0.01))

    report = await _shadow(world, version, start, end)

    assert report.verdict is Verdict.INVALID
    assert "of its own requests as served" in report.sentence


async def test_repeated_requests_count_once(world, champion, start):
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

    report = await _shadow(world, version, start, end)

    assert (report.counts["duplicates"], report.counts["judged"]) == (60, 2400)


async def test_requests_of_other_versions(world, champion, start):
    """Requests that another version answered are left out; a window of nothing else is an error."""
    version = await world.register("good")
    end = await world.serve(champion)
    other = datetime.fromisoformat(end) + timedelta(days=2)
    later = await world.serve(
        champion, start=other, hours=2, change=lambda log: log.assign(version=77)
    )

    report = await _shadow(world, version, start, later)

    assert (report.counts["of_other_versions"], report.counts["judged"]) == (120, 2400)
    with pytest.raises(InvalidDataset, match=f"answered by version {champion}"):
        await _shadow(world, version, other.isoformat(), (other + timedelta(hours=30)).isoformat())


async def test_early_labels_are_left_out(world, champion):
    """Requests younger than the label horizon are not judged, even with labels."""
    version = await world.register("good")
    await world.policy(shadow=hourly(comparisons=MARGIN, label_horizon_hours=5.5))
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    begin = now - timedelta(hours=40)
    end = await world.serve(champion, start=begin)

    report = await _shadow(world, version, begin.isoformat(), end)

    assert report.counts["immature"] in (240, 300)
    assert report.counts["judged"] + report.counts["immature"] == 2400


async def test_challenger_that_cannot_answer(world, champion, start, monkeypatch):
    """A challenger that raises, or answers NaN, on recorded requests fails."""
    version = await world.register("good")
    end = await world.serve(champion)
    load = world.registry.load_model

    class Broken:
        columns = None
        classes = (0, 1)

        def predict(self, frame):
            raise ValueError("no category 'south'")

        def scores(self, frame):
            return np.full(len(frame), np.nan)

        def cluster_fit(self, frame, measure):
            return None

    async def broken(tenant, model, number, **more):
        return Broken() if number == version else await load(tenant, model, number)

    monkeypatch.setattr(
        world.registry,
        "load_model",
        lambda tenant, model, version: broken(tenant, model, version),
    )

    report = await _shadow(world, version, start, end)

    assert report.verdict is Verdict.FAIL
    assert "no usable answer" in report.sentence


async def test_bad_slice_blocks(world, champion, start):
    """A slice that breaks its limit blocks a version that is better overall."""
    version = await world.register("good")
    await world.policy(
        shadow=hourly(
            comparisons=MARGIN,
            slices=(SliceLimit("region", "brier", maximum=0.145, min_rows=30),),
        )
    )
    end = await world.serve(champion, rows=80)

    report = await _shadow(world, version, start, end)

    slices = [row for row in report.metrics if row.kind == "slice"]
    assert {row.slice_value for row in slices} == {"north", "south"}
    assert all(row.units == 40 for row in slices)


async def test_gaps_are_told(world, champion, start):
    """Hours without traffic are reported, and do not decide."""
    version = await world.register("good")
    await world.serve(champion, hours=35)
    later = datetime.fromisoformat(start) + timedelta(hours=50)
    end = await world.serve(champion, start=later, hours=3)

    report = await _shadow(world, version, start, end)

    (gaps,) = [check for check in report.checks if check.name == "gaps"]
    assert not gaps.ok
    assert gaps.message.startswith("15 of 53 hours")


@pytest.mark.parametrize(
    ("start", "end", "error"),
    [
        ("2024-03-01", "2024-03-01", InvalidInput),
        ("2024-03-02", "2024-03-01", InvalidInput),
        ("yesterday", "2024-03-01", InvalidInput),
        ("2030-01-01", "2030-01-03", InvalidDataset),
    ],
)
async def test_windows_that_cannot_be(world, champion, start, end, error):
    """A window that is empty, backwards, no date or without traffic is an error."""
    version = await world.register("good")

    with pytest.raises(error):
        await _shadow(world, version, start, end)

    assert await world.registry.list_evidence(world.tenant, world.model, version) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda log: log.drop(columns="recent"), "recent is missing"),
        (lambda log: log.assign(recent="x"), "recent is"),
    ],
)
async def test_traffic_unlike_the_signature(world, champion, start, change, problem):
    """Traffic whose columns do not match the signature makes the test INVALID, by its name."""
    version = await world.register("good")
    end = await world.serve(champion, hours=40, step=20, change=change)

    report = await _shadow(world, version, start, end)

    (check,) = [check for check in report.checks if check.name == "signature"]
    assert report.verdict is Verdict.INVALID
    assert problem in check.message
    assert "120 requests do not match" in report.sentence
    assert recompute(report.document()).agrees


async def test_scores_that_were_not_logged(world, champion, start):
    """A measure that needs scores says so where the traffic has none."""
    version = await world.register("good")
    end = await world.serve(champion, change=lambda log: log.drop(columns="score"))

    with pytest.raises(InvalidDataset, match="needs a score"):
        await _shadow(world, version, start, end)


async def test_report_is_plain(world, champion, start):
    """The report is plain finite JSON, and its page shows the interval over time."""
    version = await world.register("good")
    end = await world.serve(champion)

    report = await _shadow(world, version, start, end)

    stored = json.loads(await world.file(report.report_uri, "report.json"))
    assert stored == json.loads(json.dumps(report.document(), allow_nan=False))
    page = (await world.file(report.report_uri, "report.html")).decode()
    assert page.count("data:image/svg+xml;base64,") == 5
    for told in ("evidence at every look", "<h2>Latency</h2>", "<h2>Who answered what</h2>"):
        assert told in page
    assert "improvement over the champion" in page


async def test_memory_does_not_grow(world, champion, start):
    """Three times the traffic takes hardly more memory: rows are forgotten once counted."""
    version = await world.register("good")
    end = await world.serve(champion, hours=24 * 6, rows=1000, step=6)
    day = datetime.fromisoformat(start) + timedelta(days=2)
    await _shadow(world, version, start, day.isoformat())
    peaks = []
    for until in (day.isoformat(), end):
        tracemalloc.start()
        await _shadow(world, version, start, until)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    assert peaks[1] < 1.3 * peaks[0]


async def test_regression(world, start):
    """A regression's traffic has no scores; its page shows errors and predictions."""
    first, second = await world.register("minutes"), await world.register("minutes")
    await world.policy(shadow=hourly(comparisons=(Comparison("absolute_error", 0.1, bound=20),)))
    await world.promote(first)
    end = await world.serve(first)

    report = await _shadow(world, second, start, end)

    assert report.verdict is Verdict.PASS, report.sentence
    page = (await world.file(report.report_uri, "report.html")).decode()
    assert "<h3>Errors</h3>" in page
    assert "<h3>Predictions</h3>" in page
