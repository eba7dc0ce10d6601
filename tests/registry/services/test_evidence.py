"""Evidence and policies: who may write them, what they must hold, and what is still missing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support.registry_fixture import RegistryFixture, new_name

from model_lifecycle.gates.policy.files import complete_policy
from model_lifecycle.registry.domain.authorization import Principal, Role
from model_lifecycle.registry.domain.errors import (
    AlreadyExists,
    InvalidInput,
    ModelNotFound,
    PermissionDenied,
    VersionNotFound,
)
from model_lifecycle.registry.domain.evidence import Origin, Verdict
from model_lifecycle.registry.domain.stages import Gate, Stage
from model_lifecycle.registry.settings import Settings

POLICY = complete_policy(
    {
        "validation": {"comparisons": [{"metric": "brier", "margin": 0.005}]},
        "evidence_max_age_days": 7,
    }
)


async def test_recorded_evidence_is_bound_and_kept(world: RegistryFixture, model_id: str) -> None:
    """It is bound to its version, says when and by whom, and is listed oldest first."""
    version = await world.version(model_id)
    first = await world.judged(model_id, version, Gate.VALIDATION, verdict="FAIL")
    second = await world.judged(
        model_id, version, "validation", summary={"n": 1.5}, report_uri="file:///report"
    )

    assert (first.tenant_id, first.model_id, first.version) == (world.tenant, model_id, version)
    assert (first.verdict, first.gate) == (Verdict.FAIL, Gate.VALIDATION)
    assert (first.recorded_by, first.recorded_at is not None) == ("kim", True)
    assert await world.registry.list_evidence(world.tenant, model_id, version) == [first, second]


async def test_the_ledger_says_when_and_by_whom(local: RegistryFixture, model_id: str) -> None:
    """The caller's values are not used; evidence dated in the future is refused."""
    from datetime import UTC, datetime

    version = await local.version(model_id)
    evidence = await local.judged(
        model_id,
        version,
        Gate.VALIDATION,
        recorded_at=datetime(1999, 1, 1, tzinfo=UTC),
        recorded_by="the boss",
        epoch=99,
        position=99,
        origin=Origin.GATE,
    )
    with pytest.raises(InvalidInput) as caught:
        await local.judged(
            model_id, version, Gate.VALIDATION, recorded_at=datetime(2999, 1, 1, tzinfo=UTC)
        )

    assert evidence.recorded_by == "kim"
    assert evidence.recorded_at is not None
    assert evidence.recorded_at.year > 1999
    assert (evidence.epoch, evidence.position, evidence.origin) == (1, 1, Origin.EXTERNAL)
    assert caught.value.field == "evidence.recorded_at"


async def test_recording_again_changes_nothing(world: RegistryFixture, model_id: str) -> None:
    """The same evidence gives the first record; the same id with other content is an error."""
    version = await world.version(model_id)
    evidence = await world.evidence(model_id, version, Gate.VALIDATION)
    arguments = (world.tenant, model_id, version)
    first = await world.registry.record_evidence(*arguments, evidence, actor="kim")
    again = await world.registry.record_evidence(*arguments, evidence, actor="lee")
    with pytest.raises(AlreadyExists):
        await world.registry.record_evidence(
            *arguments, replace(evidence, verdict=Verdict.FAIL), actor="kim"
        )

    assert again == first
    assert await world.registry.list_evidence(*arguments) == [first]


async def test_an_evidence_id_belongs_to_one_version(local: RegistryFixture, model_id: str) -> None:
    """Evidence cannot be replayed for another version, or another model."""
    version = await local.version(model_id)
    evidence = await local.judged(model_id, version, Gate.VALIDATION)
    other = new_name()
    await local.version(other)
    metadata = await local.registry.get_version(local.tenant, other, 1)
    assert metadata is not None
    unbound = replace(
        evidence, model_id=None, version=None, tenant_id=None, bundle_digest=metadata.bundle_digest
    )
    with pytest.raises(InvalidInput):
        await local.registry.record_evidence(local.tenant, other, 1, evidence, actor="kim")
    with pytest.raises(AlreadyExists):
        await local.registry.record_evidence(local.tenant, other, 1, unbound, actor="kim")

    assert await local.registry.list_evidence(local.tenant, other, 1) == []


REFUSED: dict[str, dict[str, Any]] = {
    "another tenant": {"tenant_id": "umbrella"},
    "no tenant at all": {"tenant_id": ""},
    "another model": {"model_id": "other"},
    "another version": {"version": 2},
    "version zero": {"version": 0},
    "another bundle": {"bundle_digest": "sha256:" + "0" * 64},
    "a bundle in words": {"bundle_digest": "mine"},
    "no bundle": {"bundle_digest": None},
    "a policy in words": {"policy_fingerprint": "strict"},
    "a policy without end": {"policy_fingerprint": "sha256:" + "0" * 5000},
    "no policy": {"policy_fingerprint": None},
    "NaN for a verdict": {"verdict": float("nan")},
    "a verdict in lower case": {"verdict": "pass"},
    "no verdict": {"verdict": None},
    "an unknown gate": {"gate": "gut feeling"},
    "a baseline in words": {"baseline": "one"},
    "a baseline of NaN": {"baseline": float("nan")},
    "baseline zero": {"baseline": 0},
    "NaN in the summary": {"summary": {"estimate": float("nan")}},
    "infinity in the summary": {"summary": {"a": [{"b": float("inf")}]}},
    "a summary that is a list": {"summary": [1]},
    "no summary": {"summary": None},
    "a summary without end": {"summary": {"a": "x" * 70_000}},
    "an object in the summary": {"summary": {"a": object()}},
    "an odd id": {"evidence_id": "a\n"},
    "an id that is a path": {"evidence_id": "../../x"},
    "no id": {"evidence_id": ""},
    "an id without end": {"evidence_id": "x" * 200},
    "a report with NUL": {"report_uri": "\0"},
    "a report that is a number": {"report_uri": 7},
}


@pytest.mark.parametrize("case", REFUSED)
async def test_odd_evidence_is_refused(local: RegistryFixture, case: str) -> None:
    """Nothing of it is kept."""
    model_id = "judged"
    if await local.registry.get_model(local.tenant, model_id) is None:
        await local.version(model_id)
    before = await local.snapshot(model_id)
    with pytest.raises(InvalidInput):
        await local.judged(model_id, 1, **{"gate": Gate.VALIDATION, **REFUSED[case]})

    assert await local.snapshot(model_id) == before


@pytest.mark.parametrize("evidence", [None, {"verdict": "PASS"}, "PASS", True])
async def test_evidence_is_evidence(local: RegistryFixture, model_id: str, evidence: Any) -> None:
    """Nothing else is taken for it."""
    await local.version(model_id)
    with pytest.raises(InvalidInput):
        await local.registry.record_evidence(local.tenant, model_id, 1, evidence, actor="kim")


async def test_a_long_id_of_a_policy_is_refused_on_every_database(
    world: RegistryFixture, model_id: str
) -> None:
    """PostgreSQL would refuse it in words of its own."""
    await world.version(model_id)
    for changes in ({"policy_fingerprint": "x" * 5000}, {"report_uri": "a\0"}):
        with pytest.raises(InvalidInput):
            await world.judged(model_id, 1, Gate.VALIDATION, **changes)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.CONTRIBUTOR, Role.PROMOTER])
async def test_only_gatekeepers_judge(local: RegistryFixture, model_id: str, role: Role) -> None:
    """Other roles write neither evidence nor policies, whatever their content."""
    await local.version(model_id)
    evidence = await local.evidence(model_id, 1, Gate.VALIDATION)
    eve = Principal("eve", frozenset({role}))
    with pytest.raises(PermissionDenied, match="record evidence"):
        await local.registry.record_evidence(local.tenant, model_id, 1, evidence, actor=eve)
    for policy in (POLICY, {"unknown": 1}):
        with pytest.raises(PermissionDenied, match="set promotion policies"):
            await local.registry.set_policy(local.tenant, model_id, policy, actor=eve)

    assert await local.registry.list_evidence(local.tenant, model_id, 1) == []
    assert len(await local.history(model_id)) == 1


async def test_evidence_of_what_is_not_there(local: RegistryFixture, model_id: str) -> None:
    """An unknown model, an unknown version and a deleted one take no evidence."""
    await local.version(model_id)
    evidence = replace(await local.evidence(model_id, 1), version=None, model_id=None)
    registry, tenant = local.registry, local.tenant
    with pytest.raises(ModelNotFound):
        await registry.record_evidence(tenant, new_name(), 1, evidence, actor="kim")
    with pytest.raises(VersionNotFound):
        await registry.record_evidence(tenant, model_id, 2, evidence, actor="kim")
    await registry.delete_model(tenant, model_id, 1, actor="kim", reason="a mistake")
    with pytest.raises(VersionNotFound):
        await registry.record_evidence(tenant, model_id, 1, evidence, actor="kim")


async def test_readiness_tells_what_the_write_would_say(
    world: RegistryFixture, model_id: str
) -> None:
    """In words and codes, step by step, and it changes nothing."""
    version = await world.version(model_id)

    async def missing(target: str) -> list[str]:
        readiness = await world.registry.readiness(world.tenant, model_id, version, target)
        return [item.code for item in readiness.missing]

    before = await world.history(model_id)
    announced = [await missing("staging"), await missing("production")]
    await world.judged(model_id, version, Gate.VALIDATION)
    announced.append(await missing("staging"))
    await world.move(model_id, version, "staging")
    announced.append(await missing("production"))
    await world.judged(model_id, version, verdict=Verdict.INCONCLUSIVE)
    announced.append(await missing("production"))
    await world.judged(model_id, version)
    announced.append(await missing("production"))
    readiness = await world.registry.readiness(world.tenant, model_id, version, "production")

    assert announced == [
        ["no_evidence"],
        ["invalid_transition"],
        [],
        ["no_evidence"],
        ["not_passed"],
        [],
    ]
    assert readiness.document() == {
        "model_id": model_id,
        "version": version,
        "stage": "staging",
        "target": "production",
        "production": None,
        "ready": True,
        "missing": [],
        "warnings": [],
    }
    assert (await world.history(model_id))[: len(before)] == before


async def test_readiness_of_what_is_not_there(local: RegistryFixture, model_id: str) -> None:
    """Not found, as elsewhere."""
    with pytest.raises(ModelNotFound):
        await local.registry.readiness(local.tenant, model_id, 1, "staging")
    await local.version(model_id)
    with pytest.raises(VersionNotFound):
        await local.registry.readiness(local.tenant, model_id, 2, "staging")
    with pytest.raises(InvalidInput):
        await local.registry.readiness(local.tenant, model_id, 1, "deleted")


async def test_what_is_recorded_later_is_newer(
    embedded_settings: Settings, local: RegistryFixture
) -> None:
    """Also when the clock of the second writer is behind: its FAIL is not outvoted."""
    from datetime import timedelta

    from model_lifecycle.registry.factory import open_registry
    from model_lifecycle.registry.ledger.clock import utc_now

    model_id = new_name()
    version = await local.version(model_id)
    first = await local.judged(model_id, version, Gate.VALIDATION)
    fail = await local.evidence(model_id, version, Gate.VALIDATION, verdict=Verdict.FAIL)
    async with open_registry(
        embedded_settings, clock=lambda: utc_now() - timedelta(hours=1)
    ) as behind:
        second = await behind.record_evidence(local.tenant, model_id, version, fail, actor="kim")
    readiness = await local.registry.readiness(local.tenant, model_id, version, Stage.STAGING)

    assert first.recorded_at is not None
    assert second.recorded_at is not None
    assert second.recorded_at > first.recorded_at
    assert [item.code for item in readiness.missing] == ["not_passed"]


@pytest.mark.parametrize("days", [-400, 400])
async def test_a_wrong_clock_makes_no_evidence_count_longer(
    local: RegistryFixture, embedded_settings: Settings, model_id: str, days: int
) -> None:
    """Recorded by a process whose clock is ahead or behind, and judged by one; both are warned."""
    from datetime import timedelta

    from model_lifecycle.registry.factory import open_registry
    from model_lifecycle.registry.ledger.clock import utc_now

    version = await local.version(model_id)
    evidence = await local.evidence(model_id, version, Gate.VALIDATION)
    where = (local.tenant, model_id, version)
    async with open_registry(
        embedded_settings, clock=lambda: utc_now() + timedelta(days=days)
    ) as wrong:
        recorded = await wrong.record_evidence(*where, evidence, actor="kim")
        readiness = await wrong.readiness(*where, "staging")
    async with open_registry(
        embedded_settings, clock=lambda: utc_now() + timedelta(days=200)
    ) as later:
        then = await later.readiness(*where, "staging")

    assert recorded.recorded_at is not None
    assert recorded.recorded_at < utc_now() + timedelta(minutes=1)
    assert "400 days" in readiness.warnings[0]
    assert [item.code for item in then.missing] == ["expired"]
    assert (await local.registry.readiness(*where, "staging")).warnings == ()
