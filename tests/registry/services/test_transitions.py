"""Promotion: proof inside the write, one production version, the old one archived."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from support.registry_fixture import RegistryFixture, new_name

from model_lifecycle.registry.domain.errors import (
    GateRefused,
    InvalidInput,
    StaleProduction,
)
from model_lifecycle.registry.domain.evidence import Verdict
from model_lifecycle.registry.domain.models import EntryKind
from model_lifecycle.registry.domain.promotion_policy import PromotionPolicy
from model_lifecycle.registry.domain.stages import Gate, Stage
from model_lifecycle.registry.settings import Settings


async def test_promotion_archives_the_version_it_replaces(
    world: RegistryFixture, by_hand: Any, model_id: str
) -> None:
    """Exactly one version is in production, in the ledger and by alias; the old one is kept."""
    first = await world.promoted(model_id)
    second = await world.promoted(model_id, source=1)
    projected = by_hand.get_registered_model(f"{world.tenant}.{model_id}")

    assert await world.stages(model_id) == {first: "archived", second: "production"}
    assert {name: int(version) for name, version in projected.aliases.items()} == {
        "production": second
    }
    assert projected.tags["stage"] == "production"
    assert [
        by_hand.get_model_version(projected.name, str(number)).tags["lifecycle.stage"]
        for number in (first, second)
    ] == ["archived", "production"]


async def test_the_entry_tells_why(world: RegistryFixture, model_id: str) -> None:
    """The entry has actor, time, source, target, reason, evidence and the previous production."""
    first = await world.promoted(model_id)
    second = await world.staged(model_id, source=1)
    evidence = await world.judged(model_id, second)
    await world.move(
        model_id,
        second,
        "production",
        reason="better",
        operation_id=f"{model_id}/op",
        expected_production=first,
    )
    entry = (await world.history(model_id))[-1]

    assert (entry.kind, entry.actor, entry.reason) == (EntryKind.MOVED, "kim", "better")
    assert [move.document() for move in entry.moves] == [
        {"version": second, "from": "staging", "to": "production"},
        {"version": first, "from": "production", "to": "archived"},
    ]
    assert (entry.production, entry.previous_production) == (second, first)
    assert (entry.forced, entry.operation_id) == (False, f"{model_id}/op")
    assert list(entry.evidence) == [
        {
            "evidence_id": evidence.evidence_id,
            "gate": "shadow",
            "verdict": "PASS",
            "digest": evidence.digest(),
        }
    ]
    assert await world.registry.verify_ledger(world.tenant, model_id) == entry.sequence


async def test_the_answer_is_what_readers_see(world: RegistryFixture, model_id: str) -> None:
    """The model that a promotion returns is the one that is read afterwards."""
    version = await world.staged(model_id)
    await world.judged(model_id, version)
    answer = await world.move(model_id, version, "production")

    assert answer == await world.registry.get_model(world.tenant, model_id)
    assert (answer.stage, answer.production_version) == (Stage.PRODUCTION, version)


async def test_without_validation_there_is_no_staging(
    world: RegistryFixture, model_id: str
) -> None:
    """The error carries what is missing as fields, and nothing is changed."""
    version = await world.version(model_id)
    before = await world.snapshot(model_id)
    with pytest.raises(GateRefused) as caught:
        await world.move(model_id, version, "staging")

    assert caught.value.details() == {
        "version": version,
        "to": "staging",
        "missing": [
            {
                "code": "no_evidence",
                "gate": "validation",
                "message": "there is no evidence of the validation gate",
            }
        ],
    }
    assert await world.snapshot(model_id) == before


BAD_EVIDENCE: dict[str, tuple[dict[str, Any], str]] = {
    "FAIL": ({"verdict": Verdict.FAIL}, "not_passed"),
    "INCONCLUSIVE": ({"verdict": "INCONCLUSIVE"}, "not_passed"),
    "INVALID": ({"verdict": "INVALID"}, "not_passed"),
    "another baseline": ({"baseline": 7}, "baseline_mismatch"),
    "another policy": ({"policy_fingerprint": "sha256:" + "0" * 64}, "policy_mismatch"),
    "another gate": ({"gate": Gate.VALIDATION}, "no_evidence"),
}


@pytest.mark.parametrize("case", BAD_EVIDENCE)
async def test_evidence_that_does_not_fit_is_no_proof(
    local: RegistryFixture, model_id: str, case: str
) -> None:
    """The gate refuses with the code of what is wrong, and nothing is changed."""
    changes, code = BAD_EVIDENCE[case]
    version = await local.staged(model_id)
    await local.judged(model_id, version, **{"gate": Gate.SHADOW, **changes})
    before = await local.snapshot(model_id)
    with pytest.raises(GateRefused) as caught:
        await local.move(model_id, version, "production")

    assert [item.code for item in caught.value.missing] == [code]
    assert await local.snapshot(model_id) == before


async def test_proof_against_an_older_production_is_stale(
    world: RegistryFixture, model_id: str
) -> None:
    """After a promotion in between, evidence against the version before counts no more."""
    first, second = await world.staged(model_id), await world.staged(model_id, source=1)
    await world.judged(model_id, first)
    await world.judged(model_id, second)
    await world.move(model_id, first, "production")
    with pytest.raises(GateRefused) as caught:
        await world.move(model_id, second, "production")

    assert [item.code for item in caught.value.missing] == ["baseline_mismatch"]
    assert f"production is now version {first}" in str(caught.value)
    assert await world.stages(model_id) == {first: "production", second: "staging"}


async def test_a_new_policy_needs_new_proof(world: RegistryFixture, model_id: str) -> None:
    """Evidence that was made under another policy does not count under this one."""
    version = await world.staged(model_id)
    await world.judged(model_id, version)
    policy = PromotionPolicy(evidence_max_age_days=7)
    await world.registry.set_policy(world.tenant, model_id, policy, actor="kim", reason="stricter")
    with pytest.raises(GateRefused) as caught:
        await world.move(model_id, version, "production")
    await world.judged(model_id, version)
    promoted = await world.move(model_id, version, "production")

    assert [item.code for item in caught.value.missing] == ["policy_mismatch"]
    assert promoted.production_version == version


async def test_approval_where_the_policy_asks_for_it(world: RegistryFixture, model_id: str) -> None:
    """Proof without approval is refused; with both the version goes."""
    await world.version(model_id)
    await world.registry.set_policy(
        world.tenant, model_id, PromotionPolicy(require_approval=True), actor="kim"
    )
    version = await world.staged(model_id, source=1)
    await world.judged(model_id, version)
    with pytest.raises(GateRefused) as caught:
        await world.move(model_id, version, "production")
    await world.judged(model_id, version, Gate.APPROVAL)
    promoted = await world.move(model_id, version, "production")

    assert [item.gate for item in caught.value.missing] == [Gate.APPROVAL]
    assert promoted.production_version == version
    assert len((await world.history(model_id))[-1].evidence) == 2


async def test_versions_may_be_text(local: RegistryFixture, model_id: str) -> None:
    """As a template or a URL has them: the version to move, and the one expected."""
    first = await local.promoted(model_id)
    second = await local.staged(model_id)
    await local.judged(model_id, second)
    with pytest.raises(StaleProduction):
        await local.move(model_id, str(second), "production", expected_production=str(second))
    await local.move(model_id, str(second), "production", expected_production=str(first))

    assert await local.stages(model_id) == {first: "archived", second: "production"}


async def test_an_admin_can_force_what_proof_lacks(world: RegistryFixture, model_id: str) -> None:
    """The ledger shows it as forced, with what was waived and why."""
    version = await world.version(model_id)
    await world.move(model_id, version, "staging", force=True, reason="the site is down")
    entry = (await world.history(model_id))[-1]

    assert (entry.forced, entry.reason) == (True, "the site is down")
    assert [item["code"] for item in entry.detail["waived"]] == ["no_evidence"]
    assert await world.stages(model_id) == {version: "staging"}


async def test_force_where_nothing_lacks_is_no_force(local: RegistryFixture, model_id: str) -> None:
    """Asking for force does not mark a promotion that stood on proof."""
    version = await local.version(model_id)
    await local.judged(model_id, version, Gate.VALIDATION)
    await local.move(model_id, version, "staging", force=True, reason="in a hurry")

    assert (await local.history(model_id))[-1].forced is False


async def test_retiring_leaves_nothing_in_production(
    world: RegistryFixture, by_hand: Any, model_id: str
) -> None:
    """With a reason the production version is archived, and the alias goes."""
    version = await world.promoted(model_id)
    with pytest.raises(InvalidInput, match="needs a reason"):
        await world.move(model_id, version, "archived")
    model = await world.move(model_id, version, "archived", reason="out of season")

    assert (model.stage, model.production_version) == (Stage.ARCHIVED, None)
    assert by_hand.get_registered_model(f"{world.tenant}.{model_id}").aliases == {}


async def test_expired_evidence_is_no_proof(
    embedded_settings: Settings, local: RegistryFixture
) -> None:
    """A verdict counts for as many days as the policy says, by the registry's clock."""
    from model_lifecycle.registry.factory import open_registry
    from model_lifecycle.registry.ledger.clock import utc_now

    model_id = new_name()
    version = await local.version(model_id)
    await local.judged(model_id, version, Gate.VALIDATION)
    async with open_registry(
        embedded_settings, clock=lambda: utc_now() + timedelta(days=30, minutes=1)
    ) as later:
        with pytest.raises(GateRefused) as caught:
            await later.transition_stage(local.tenant, model_id, version, "staging", actor="kim")

    assert [item.code for item in caught.value.missing] == ["expired"]
    assert await local.stages(model_id) == {version: "development"}
