"""Evidence is the gate's own or external, and external evidence overrides nothing."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from support.registry_fixture import RegistryFixture, new_name

from model_lifecycle.gates.policy.files import complete_policy
from model_lifecycle.registry.domain.errors import (
    GateRefused,
    InvalidInput,
)
from model_lifecycle.registry.domain.evidence import Evidence, Origin, Verdict
from model_lifecycle.registry.domain.stages import Gate, Stage

POLICY = complete_policy(
    {
        "validation": {"comparisons": [{"metric": "brier", "margin": 0.005}]},
        "evidence_max_age_days": 7,
    }
)


async def _own_verdict(
    world: RegistryFixture, model_id: str, version: int, verdict: Verdict
) -> Evidence:
    """A verdict as a gate records it: with its report in the gate's place."""
    evidence_id = new_name("gate")
    folder = f"{world.tenant}/reports/{model_id}/{version}/validation-{evidence_id}"
    evidence = await world.evidence(
        model_id,
        version,
        Gate.VALIDATION,
        evidence_id=evidence_id,
        verdict=verdict,
        report_uri=world.registry.artifacts.uri(folder),
        tenant_id=world.tenant,
        model_id=model_id,
        version=version,
    )
    report = json.dumps(evidence.content()).encode()
    await world.registry.artifacts.put_bytes(f"{folder}/report.json", report)
    return await world.registry.record_evidence(
        world.tenant, model_id, version, evidence, actor="gate"
    )


@pytest.mark.parametrize("verdict", [item for item in Verdict if item is not Verdict.PASS])
async def test_a_pass_by_hand_takes_no_verdict_of_the_gate_back(
    world: RegistryFixture, model_id: str, verdict: Verdict
) -> None:
    """It is refused and readiness says so; the gate itself, or an admin by force, can."""
    version = await world.version(model_id)
    own = await _own_verdict(world, model_id, version, verdict)
    by_hand = await world.judged(model_id, version, Gate.VALIDATION)
    readiness = await world.registry.readiness(world.tenant, model_id, version, Stage.STAGING)
    with pytest.raises(GateRefused, match=f"the validation gate itself said {verdict}"):
        await world.move(model_id, version, "staging")
    forced = await world.move(model_id, version, "staging", force=True, reason="the lab is down")

    assert (own.origin, by_hand.origin) == (Origin.GATE, Origin.EXTERNAL)
    assert [item.code for item in readiness.missing] == ["external_evidence"]
    assert forced.current_version == version
    assert (await world.history(model_id))[-1].forced


async def test_a_weaker_policy_does_not_make_the_pass_by_hand_count(
    local: RegistryFixture, model_id: str
) -> None:
    """The gate's FAIL was said under another policy, and is a FAIL of these files all the same."""
    version = await local.version(model_id)
    await _own_verdict(local, model_id, version, Verdict.FAIL)
    await local.registry.set_policy(local.tenant, model_id, POLICY, actor="kim")
    await local.judged(model_id, version, Gate.VALIDATION)
    with pytest.raises(GateRefused) as caught:
        await local.move(model_id, version, "staging")
    await _own_verdict(local, model_id, version, Verdict.PASS)

    assert [item.code for item in caught.value.missing] == ["external_evidence"]
    assert (await local.move(model_id, version, "staging")).current_version == version


async def test_evidence_says_what_its_report_says(local: RegistryFixture, model_id: str) -> None:
    """A report that the gate wrote is not borrowed for another verdict."""
    version = await local.version(model_id)
    own = await _own_verdict(local, model_id, version, Verdict.FAIL)
    other = replace(own, evidence_id=new_name("mine"), verdict=Verdict.PASS)
    with pytest.raises(InvalidInput, match="record what the report says"):
        await local.registry.record_evidence(local.tenant, model_id, version, other, actor="eve")

    assert await local.registry.list_evidence(local.tenant, model_id, version) == [own]


@pytest.mark.parametrize("uri", ["file:///elsewhere/report", "../x", "s3://other/report"])
async def test_a_report_elsewhere_is_external(
    local: RegistryFixture, model_id: str, uri: str
) -> None:
    """Only the gate's own place in this artifact store is believed."""
    version = await local.version(model_id)
    evidence = await local.judged(model_id, version, Gate.VALIDATION, report_uri=uri)

    assert evidence.origin is Origin.EXTERNAL
