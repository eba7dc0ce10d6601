"""Reports and evidence of every gate, field by field, against tests/golden/gates.

``tests/support/golden.py`` says how the files are regenerated.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from support.golden import assert_golden, stable
from support.model_fixture import ModelFixture
from support.shadow_policies import hourly

from model_lifecycle.gates.data.assignment import arm
from model_lifecycle.gates.data.traffic_writer import write_traffic
from model_lifecycle.gates.policy.promotion import (
    ABPolicy,
    Comparison,
    Limit,
    OutcomeDemand,
    SliceLimit,
    ValidationPolicy,
    promotion_policy,
)
from model_lifecycle.gates.report import Check, GateReport, MetricRow
from model_lifecycle.registry.domain.canonical_json import digest
from model_lifecycle.registry.domain.evidence import Verdict
from model_lifecycle.registry.domain.stages import Gate

#: Values that depend on files as libraries write them, or on the clock.
VARYING = frozenset(
    {
        *("bundle_digest", "identity", "digest", "data_digest", "judged_at", "software"),
        *("report_uri", "data", "recorded_at", "mature_until", "revision"),
    }
)
#: Measured times.
TIMED = frozenset({"latency", "histograms"})


def _stable(world: ModelFixture, document: Any) -> Any:
    names = {world.model: "MODEL", world.tenant: "TENANT"}
    return stable(document, names=names, varying=VARYING, left_out=TIMED)


async def _documents(world: ModelFixture, report: GateReport) -> dict[str, Any]:
    """The report as it is stored, and the evidence about it in the ledger."""
    stored = json.loads(await world.file(report.report_uri, "report.json"))
    assert stored == json.loads(json.dumps(report.document()))
    (evidence,) = await world.registry.list_evidence(world.tenant, world.model, report.version)
    return {
        "report": _stable(world, stored),
        "evidence": _stable(world, evidence.document()),
    }


async def test_validation(world: ModelFixture, make_requests: Callable[..., pd.DataFrame]) -> None:
    """A validation with comparisons, a limit and a slice."""
    champion = await world.register("weak")
    await world.policy(
        ValidationPolicy(
            comparisons=(Comparison("brier", 0.01), Comparison("accuracy", 0.01)),
            limits=(Limit("zero_one", maximum=0.4),),
            slices=(SliceLimit("region", "brier", maximum=0.3),),
        )
    )
    await world.promote(champion)
    version = await world.register("good")

    report = await world.validate(
        version, world.held_out(make_requests(600, 5)), evidence_id=f"golden-{world.model}"
    )

    assert_golden("gates/validation", await _documents(world, report))


async def test_shadow_test(world: ModelFixture, start: str) -> None:
    """A shadow test with a comparison, a limit and a slice, and the plan beside its report."""
    champion = await world.register("weak")
    await world.policy(
        shadow=hourly(
            comparisons=(Comparison("brier", 0.01),),
            limits=(Limit("zero_one", maximum=0.4),),
            slices=(SliceLimit("region", "brier", maximum=0.3),),
            min_blocks=30,
        )
    )
    await world.promote(champion)
    version = await world.register("good")
    end = await world.serve(champion, hours=32, rows=20)

    report = await world.shadow_test(version, start, end, evidence_id=f"golden-{world.model}")

    plan = json.loads(await world.file(report.report_uri, "plan.json"))
    documents = await _documents(world, report)
    assert_golden("gates/shadow_test", {**documents, "plan": _stable(world, plan)})


async def test_ab_test(world: ModelFixture) -> None:
    """An A/B test with a rate, a mean and a ratio, and the plan beside its report."""
    champion, version = await world.register("weak"), await world.register("good")
    await world.promote(champion)
    await world.registry.set_policy(
        world.tenant,
        world.model,
        promotion_policy(
            validation=ValidationPolicy(comparisons=(Comparison("brier", 0.01),)),
            ab_test=ABPolicy(
                outcomes=(
                    OutcomeDemand("bought", margin=0.05),
                    OutcomeDemand("spent", "mean", margin=2.0),
                    OutcomeDemand("spent", "ratio", margin=0.5, per="clicks"),
                ),
                unit="user",
                min_units=200,
                expected_units=2000,
                salt="spring",
            ),
        ),
        actor="tests",
    )
    await _serve_both(world, champion, version)

    report = await world.ab_test(
        version, "2024-03-01", "2024-03-09", evidence_id=f"golden-{world.model}"
    )

    plan = json.loads(await world.file(report.report_uri, "plan.json"))
    documents = await _documents(world, report)
    assert_golden("gates/ab_test", {**documents, "plan": _stable(world, plan)})


async def _serve_both(world: ModelFixture, champion: int, version: int) -> None:
    """Eight days of traffic of returning users, split between both versions."""
    rng = np.random.default_rng(14)
    for day in range(8):
        at = pd.Timestamp("2024-03-01", tz="UTC") + pd.Timedelta(days=day)
        users = [f"u{n}" for n in rng.integers(0, 3000, 400)]
        roles = np.array([arm(user, "spring") for user in users])
        treated = roles == "challenger"
        frame = pd.DataFrame(
            {
                "user": users,
                "request_id": [f"{day}-{n}" for n in range(len(users))],
                "requested_at": at,
                "version": np.where(treated, version, champion),
                "role": roles,
                "prediction": 1,
                "bought": (rng.random(len(users)) < 0.2 + 0.1 * treated).astype(int),
                "spent": rng.gamma(2, 1, len(users)),
                "clicks": rng.poisson(3, len(users)) + 1,
            }
        )
        await write_traffic(
            world.registry.artifacts, world.tenant, world.model, at.to_pydatetime(), frame
        )


def test_evidence_digest() -> None:
    """The evidence about a report, and the digest of it that a promotion's entry holds."""
    report = GateReport(
        gate=Gate.SHADOW,
        verdict=Verdict.INCONCLUSIVE,
        sentence="INCONCLUSIVE: not enough blocks.",
        tenant_id="acme",
        model_id="clicks",
        version=2,
        baseline=1,
        bundle_digest="sha256:" + "1" * 64,
        policy={"block": "hour", "min_blocks": 30},
        policy_fingerprint="sha256:" + "2" * 64,
        evidence_id="run-1",
        metrics=(
            MetricRow("brier", "Brier score", "comparison", None, "open", 0.25, -0.5, None, -0.125),
            MetricRow("auc", "AUC", "shown", None, "0.75", 0.75),
            MetricRow("brier", "Brier score", "slice", Verdict.FAIL, "too high", 0.5, rows=7),
        ),
        checks=(
            Check("labels", True, "all labels"),
            Check("duplicates", False, "2 rows left out", None),
            Check("training data", False, "not declared", None, checked=False),
        ),
        counts={"blocks": 20, "requests": 400},
        attempts=2,
        report_uri="file:///reports/run-1",
        reproduction={
            "start": "2024-03-01T00:00:00+00:00",
            "end": "2024-03-02T00:00:00+00:00",
            "data_digest": "sha256:" + "3" * 64,
            "data_fingerprint": ["a:1", "b:2"],
        },
        detail={"looks": [], "estimand": "the mean"},
    )
    evidence = report.evidence()

    assert GateReport.from_document(report.document()) == report
    assert_golden(
        "gates/evidence",
        {
            "report": report.document(),
            "report_digest": digest(report.document()),
            "evidence": evidence.document(),
            "evidence_digest": evidence.digest(),
        },
    )


async def test_identity_of_sums(world: ModelFixture, start: str) -> None:
    """The identity of a shadow test's sums is the digest of what they must have in common."""
    champion = await world.register("weak")
    await world.policy(shadow=hourly(comparisons=(Comparison("brier", 0.01),)))
    await world.promote(champion)
    version = await world.register("good")
    end = await world.serve(champion, hours=30, rows=10)

    report = await world.shadow_test(version, start, end)

    versions = report.reproduction
    assert versions["identity"] == report.detail["sums"]["identity"]
    assert versions["identity"] == digest(
        {
            "claims": ["comparison:brier:margin:0.01"],
            "unit": ["block", "hour", None],
            "grid": 256,
            "policy": report.policy_fingerprint,
            "challenger": versions["challenger"]["bundle_digest"],
            "champion": versions["champion"]["bundle_digest"],
        }
    )
