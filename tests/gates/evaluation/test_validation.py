from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.model_fixture import ModelFixture
from support.present import present

from model_lifecycle.gates.evaluation.validation import validate_version
from model_lifecycle.gates.policy.promotion import Comparison, Limit, SliceLimit, ValidationPolicy
from model_lifecycle.registry.domain.errors import (
    ArtifactNotFound,
    InvalidDataset,
    InvalidInput,
)
from model_lifecycle.registry.domain.evidence import Verdict


async def test_better_passes(
    world: ModelFixture, champion: int, make_requests: Callable[..., pd.DataFrame]
) -> None:
    """A better version passes, and the ledger has the evidence against the champion."""
    report = await world.validate_new("good", make_requests(2000, 5))

    assert report.verdict is Verdict.PASS, report.sentence
    (evidence,) = await world.registry.list_evidence(world.tenant, world.model, report.version)
    assert champion == evidence.baseline == report.baseline
    assert evidence.summary["sentence"] == report.sentence
    ready = await world.registry.readiness(world.tenant, world.model, report.version, "staging")
    assert ready.ready


async def test_worse_fails(
    world: ModelFixture, champion: int, make_requests: Callable[..., pd.DataFrame]
) -> None:
    """A version that is worse by more than the margin fails."""
    report = await world.validate_new("bad", make_requests(2000, 5))

    assert report.verdict is Verdict.FAIL
    assert "worsened" in report.sentence


async def test_same_model_passes_within_the_margin_only(
    world: ModelFixture, champion: int, make_requests: Callable[..., pd.DataFrame]
) -> None:
    """A copy of the champion passes with a margin, and is inconclusive when asked to be better."""
    version = await world.register("weak")
    data = world.held_out(make_requests(2000, 5))

    with_margin = await world.validate(version, data)
    await world.policy(ValidationPolicy(comparisons=(Comparison("brier", 0.0),)))
    without = await world.validate(version, data)

    assert (with_margin.verdict, without.verdict) == (Verdict.PASS, Verdict.INCONCLUSIVE)


async def test_few_rows_are_inconclusive(
    world: ModelFixture, champion: int, make_requests: Callable[..., pd.DataFrame]
) -> None:
    """Too few rows give no verdict, and the sentence says how many the policy asks for."""
    report = await world.validate_new("good", make_requests(100, 5))

    assert report.verdict is Verdict.INCONCLUSIVE
    assert "at least 200 rows" in report.sentence


async def test_forecast_when_undecided(
    world: ModelFixture, champion: int, make_requests: Callable[..., pd.DataFrame]
) -> None:
    """An undecided comparison says how many rows a verdict would take."""
    await world.policy(ValidationPolicy(comparisons=(Comparison("accuracy", 0.001),)))

    report = await world.validate_new("weak", make_requests(300, 5))

    assert report.verdict is Verdict.INCONCLUSIVE
    assert present(report.metrics[0].forecast) > 300
    assert "a verdict takes about" in report.sentence


async def test_first_version_by_its_limit(
    world: ModelFixture, make_requests: Callable[..., pd.DataFrame]
) -> None:
    """Without a champion the limits decide, by a confidence bound."""
    version = await world.register("weak")
    data = world.held_out(make_requests(3000, 5))
    await world.policy()
    passed = await world.validate(version, data)
    estimate = present(passed.metrics[0].estimate)
    await world.policy(ValidationPolicy(limits=(Limit("brier", maximum=estimate + 1e-4),)))

    close = await world.validate(version, data)

    assert (passed.verdict, passed.baseline) == (Verdict.PASS, None)
    assert close.verdict is Verdict.INCONCLUSIVE


async def test_first_version_without_limit(
    world: ModelFixture, make_requests: Callable[..., pd.DataFrame]
) -> None:
    """Without champion and limit there is nothing to show, which is not a pass."""
    version = await world.register("good")
    await world.policy(ValidationPolicy(comparisons=(Comparison("brier", 0.01),)))

    report = await world.validate(version, world.held_out(make_requests(1000, 5)))

    assert report.verdict is Verdict.INVALID
    assert "no absolute limit" in report.sentence


async def test_bad_slice_blocks(
    world: ModelFixture, champion: int, make_requests: Callable[..., pd.DataFrame]
) -> None:
    """A version that is better overall is blocked by a slice in which it breaks its limit."""
    await world.policy(
        ValidationPolicy(
            comparisons=(Comparison("brier", 0.01),),
            slices=(SliceLimit("region", "brier", margin=0.02),),
        )
    )
    frame = make_requests(4000, 5)
    south = frame["region"] == "south"
    frame.loc[south & (np.arange(4000) % 3 > 0), "region"] = "north"
    south = frame["region"] == "south"
    frame.loc[south, "recent"] *= -1

    report = await world.validate_new("good", frame)

    verdicts = {row.slice_value: row.verdict for row in report.metrics if row.kind == "slice"}
    assert verdicts == {"north": Verdict.PASS, "south": Verdict.FAIL}
    assert report.verdict is Verdict.FAIL
    assert "where region is south" in report.sentence


async def test_days_as_units(
    world: ModelFixture, champion: int, make_requests: Callable[..., pd.DataFrame]
) -> None:
    """Rows that are copies within a day count as one where the policy says so, and a policy that
    takes them for independent is found out."""
    version = await world.register("good")
    frame = make_requests(40, 5).loc[np.repeat(np.arange(40), 50)].reset_index(drop=True)
    frame["at"] = np.repeat(np.datetime64("2024-03-01") + np.arange(40), 50)
    data = world.held_out(frame)
    await world.policy(
        ValidationPolicy(comparisons=(Comparison("brier", 0.01),), unit="day", time="at")
    )
    by_day = await world.validate(version, data)
    await world.policy(ValidationPolicy(comparisons=(Comparison("brier", 0.01),), time="at"))

    by_row = await world.validate(version, data)

    assert by_day.metrics[0].units == 40
    assert by_row.verdict is Verdict.INVALID
    assert "design effect" in by_row.sentence


@pytest.mark.parametrize(
    ("end", "verdict"), [("2024-03-01", Verdict.PASS), ("2024-03-02", Verdict.INVALID)]
)
async def test_trained_on_the_window(
    world: ModelFixture,
    champion: int,
    make_requests: Callable[..., pd.DataFrame],
    end: str,
    verdict: Verdict,
) -> None:
    """A version whose training data reaches into the window is not judged."""
    version = await world.register("good", dataset={"name": "clicks", "end": end})
    await world.policy(ValidationPolicy(comparisons=(Comparison("brier", 0.01),), time="at"))
    frame = make_requests(2000, 5)
    frame["at"] = np.repeat(np.datetime64("2024-03-01") + np.arange(40), 50)

    report = await world.validate(version, world.held_out(frame))

    assert verdict is report.verdict, report.sentence


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda f: f[:0], "no rows"),
        (lambda f: f.drop(columns="older"), "older is missing"),
        (lambda f: f.assign(older="1.0"), "older is str, not double"),
        (lambda f: f.drop(columns="label"), "label"),
        (lambda f: f.assign(label=np.nan), "no row"),
    ],
)
async def test_data_that_cannot_be_judged(
    world: ModelFixture,
    champion: int,
    make_requests: Callable[..., pd.DataFrame],
    change: Callable[[pd.DataFrame], pd.DataFrame],
    problem: str,
) -> None:
    """A data set that is empty or unlike the signature is an error, and nothing is recorded."""
    version = await world.register("good")

    with pytest.raises(InvalidDataset, match=problem):
        await world.validate(version, world.held_out(change(make_requests(500, 5))))

    assert await world.registry.list_evidence(world.tenant, world.model, version) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda frame: frame[["recent"]], "older is gone"),
        (lambda frame: frame.assign(older=frame["older"] > 0), "older is boolean, was double"),
    ],
)
async def test_signature_unlike_the_champions(
    world: ModelFixture,
    champion: int,
    make_requests: Callable[..., pd.DataFrame],
    change: Callable[[pd.DataFrame], pd.DataFrame],
    problem: str,
) -> None:
    """A challenger that lost or retyped a column of the champion's is INVALID: recorded, and not
    a failed prediction."""
    from sklearn.linear_model import LogisticRegression

    frame = make_requests(500, 3)
    features = change(frame[["recent", "older"]])
    registration = await world.registry.register_model(
        world.tenant,
        world.model,
        LogisticRegression().fit(features, frame["label"]),
        "sklearn",
        {},
        {},
        input_example=features.head(),
        created_by="tests",
    )
    report = await validate_version(
        world.registry,
        world.tenant,
        world.model,
        max(registration.versions),
        data=world.held_out(frame),
        actor="tests",
    )

    assert report.verdict is Verdict.INVALID
    assert problem in report.sentence


async def test_not_a_data_set(world: ModelFixture, champion: int, tmp_path: Path) -> None:
    """A file that is missing, no Parquet, or elsewhere is a clear error."""
    version = await world.register("good")
    text = tmp_path / "x.parquet"
    text.write_text("not parquet")

    for data, error in (
        ("/nowhere.parquet", ArtifactNotFound),
        (str(text), InvalidDataset),
        ("s3://elsewhere/x.parquet", InvalidInput),
        ("", InvalidInput),
    ):
        with pytest.raises(error):
            await world.validate(version, data)


async def test_below_the_artifact_root(
    world: ModelFixture, champion: int, make_requests: Callable[..., pd.DataFrame]
) -> None:
    """A data set in the artifact store is read from there."""
    version = await world.register("good")
    local = world.held_out(make_requests(2000, 5))
    path = f"{world.tenant}/datasets/x.parquet"
    with open(local, "rb") as file:  # noqa: ASYNC230, PTH123
        await world.registry.artifacts.put_bytes(path, file.read())

    report = await world.validate(version, world.registry.artifacts.uri(path))

    assert report.verdict is Verdict.PASS
    assert report.reproduction["data_digest"].startswith("sha256:")


async def test_regression(world: ModelFixture, make_requests: Callable[..., pd.DataFrame]) -> None:
    """A regression is judged by its errors, and its page shows them."""
    first, second = await world.register("minutes"), await world.register("minutes")
    await world.policy(
        ValidationPolicy(
            comparisons=(Comparison("absolute_error", 0.05, bound=10),),
            limits=(Limit("absolute_error", maximum=1.0),),
            label="minutes",
        )
    )
    await world.promote(first)
    frame = make_requests(1000, 5)
    frame["minutes"] = frame["recent"] * 3 + frame["label"]

    report = await world.validate(second, world.held_out(frame))

    limit = report.metrics[1]
    assert (report.metrics[0].verdict, limit.verdict) == (Verdict.PASS, Verdict.PASS)
    page = (await world.file(report.report_uri, "report.html")).decode()
    assert "Errors" in page
