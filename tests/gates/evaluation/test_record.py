"""Reports and evidence that a gate writes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from support.model_fixture import ModelFixture
from support.present import present

from model_lifecycle.gates.evaluation.recompute import recompute
from model_lifecycle.gates.policy.promotion import Comparison, Limit, SliceLimit, ValidationPolicy
from model_lifecycle.registry.domain.evidence import Verdict
from model_lifecycle.registry.frameworks.protocol import Predictor


async def test_report_judged_again(
    world: ModelFixture, champion: int, make_requests: Callable[..., pd.DataFrame]
) -> None:
    """The verdict follows from the sums in the report; a row or a sum that was edited is found."""
    await world.policy(
        ValidationPolicy(
            comparisons=(Comparison("brier", 0.01), Comparison("accuracy", 0.01)),
            limits=(Limit("zero_one", maximum=0.4),),
            slices=(SliceLimit("region", "brier", maximum=0.3),),
        )
    )
    report = await world.validate_new("good", make_requests(2000, 5))
    document = json.loads(json.dumps(report.document()))

    sound = recompute(document)
    row, first = document["metrics"][0], document["detail"]["sums"][0]
    edited = recompute({**document, "metrics": [{**row, "lower": 0.2}, *document["metrics"][1:]]})
    sums = [{**first, "mean": -first["mean"]}, *document["detail"]["sums"][1:]]
    other = recompute({**document, "detail": {**document["detail"], "sums": sums}})

    assert {row.kind for row in report.metrics} == {"comparison", "limit", "slice", "shown"}
    assert sound.agrees, sound.differences
    assert not edited.agrees
    assert other.verdict is not Verdict.PASS


async def test_champion_that_changes_meanwhile(
    world: ModelFixture,
    champion: int,
    make_requests: Callable[..., pd.DataFrame],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """When another version is promoted while the gate judges, its verdict is INVALID."""
    version, other = await world.register("good"), await world.register("good")
    load = world.registry.load_model

    async def promote_and_load(*args: Any, **kwargs: Any) -> Predictor:
        model = await world.registry.get_model(world.tenant, world.model)
        if present(model).production_version == champion:
            await world.promote(other)
        return await load(*args, **kwargs)

    monkeypatch.setattr(world.registry, "load_model", promote_and_load)

    report = await world.validate(version, world.held_out(make_requests(2000, 5)))

    assert report.verdict is Verdict.INVALID
    assert "changed meanwhile" in report.sentence


async def test_report_files(
    world: ModelFixture, champion: int, make_requests: Callable[..., pd.DataFrame]
) -> None:
    """JSON and page lie at the report's address; the page needs nothing from elsewhere."""
    report = await world.validate_new("good", make_requests(2000, 5))

    document = json.loads(await world.file(report.report_uri, "report.json"))
    page = (await world.file(report.report_uri, "report.html")).decode()
    assert document == json.loads(json.dumps(report.document(), allow_nan=False))
    assert page.index("improved by") < page.index("<table")
    assert "http" not in page.replace("http-equiv", "")
    assert page.count("data:image/svg+xml;base64,") == 2
