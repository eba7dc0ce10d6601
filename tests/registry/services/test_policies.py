"""Policies: entries of their own, odd ones refused, and what they may require."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support.registry_fixture import RegistryFixture, trained

from model_lifecycle.gates.policy.files import complete_policy
from model_lifecycle.registry.domain.errors import (
    GateRefused,
    InvalidInput,
    ModelNotFound,
    OperationConflict,
)
from model_lifecycle.registry.domain.models import EntryKind
from model_lifecycle.registry.domain.promotion_policy import PromotionPolicy
from model_lifecycle.registry.domain.stages import Gate, Stage

POLICY = complete_policy(
    {
        "validation": {"comparisons": [{"metric": "brier", "margin": 0.005}]},
        "evidence_max_age_days": 7,
    }
)


async def test_a_policy_is_an_entry_of_its_own(world: RegistryFixture, model_id: str) -> None:
    """Nobody weakens a gate unseen: who, why, and the policy itself are in the history."""
    await world.version(model_id)
    default = await world.registry.get_policy(world.tenant, model_id)
    await world.registry.set_policy(
        world.tenant, model_id, POLICY.document(), actor="kim", reason="the season"
    )
    entry = (await world.history(model_id))[-1]

    assert default == PromotionPolicy()
    assert await world.registry.get_policy(world.tenant, model_id) == POLICY
    assert (entry.kind, entry.actor, entry.reason) == (EntryKind.POLICY_SET, "kim", "the season")
    assert entry.detail == {
        "policy": POLICY.document(),
        "fingerprint": POLICY.fingerprint,
        "previous_fingerprint": default.fingerprint,
    }
    assert await world.registry.verify_ledger(world.tenant, model_id) == 2


@pytest.mark.parametrize(
    "policy", [None, [], {"shadw": {}}, {"shadow": {"a": float("nan")}}, {"require_approval": 1}]
)
async def test_odd_policies_are_refused(local: RegistryFixture, model_id: str, policy: Any) -> None:
    """The policy stays what it was."""
    await local.version(model_id)
    with pytest.raises(InvalidInput):
        await local.registry.set_policy(local.tenant, model_id, policy, actor="kim")

    assert await local.registry.get_policy(local.tenant, model_id) == PromotionPolicy()


async def test_a_policy_of_no_model(local: RegistryFixture, model_id: str) -> None:
    """A model has to exist before it has a policy."""
    with pytest.raises(ModelNotFound):
        await local.registry.set_policy(local.tenant, model_id, POLICY, actor="kim")
    with pytest.raises(ModelNotFound):
        await local.registry.get_policy(local.tenant, model_id)


async def test_a_policy_may_require_onnx(world: RegistryFixture, model_id: str) -> None:
    """A version whose bundle has no compared model.onnx then lacks it for every stage, whatever
    its gates said; the promotion is refused in the same words."""
    logged = await world.registry.log_model(
        world.tenant, model_id, trained(input_example=None), created_by="kim"
    )
    registered = await world.registry.register_model(
        world.tenant, model_id, logged.model_uri, "sklearn", None, None, created_by="kim"
    )
    version = registered.current_version
    await world.registry.set_policy(
        world.tenant, model_id, replace(POLICY, require_onnx=True), actor="kim"
    )
    await world.judged(model_id, version, Gate.VALIDATION)
    readiness = await world.registry.readiness(world.tenant, model_id, version, Stage.STAGING)
    card = await world.registry.artifacts.get_bytes(
        f"{world.tenant}/models/{model_id}/{version}/model_card.md"
    )

    assert [item.code for item in readiness.missing] == ["onnx_missing"]
    assert "no input example" in card.decode()
    with pytest.raises(GateRefused, match=r"model\.onnx"):
        await world.move(model_id, version, Stage.STAGING)


async def test_nobody_claims_onnx_by_a_tag(local: RegistryFixture, model_id: str) -> None:
    """The tag that tells of it is the registry's own."""
    with pytest.raises(InvalidInput, match=r"onnx\.parity"):
        await local.version(model_id, tags={"onnx.parity": "0"})


async def test_a_policy_may_require_additional_checks(
    world: RegistryFixture, model_id: str
) -> None:
    """Each needs a PASS of its own name; it stands beside the gates and for none of them."""
    version = await world.staged(model_id)
    policy = PromotionPolicy(required_checks=("fairness-audit",))
    await world.registry.set_policy(world.tenant, model_id, policy, actor="kim")
    await world.judged(model_id, version)
    with pytest.raises(GateRefused, match="no evidence of the check fairness-audit"):
        await world.move(model_id, version, "production")
    await world.judged(model_id, version, Gate.CHECK, check="latency-lab")
    lacking = await world.registry.readiness(world.tenant, model_id, version, "production")
    await world.judged(model_id, version, Gate.CHECK, check="fairness-audit")
    answer = await world.move(model_id, version, "production")

    assert [item.code for item in lacking.missing] == ["no_evidence"]
    assert answer.production_version == version
    assert await world.registry.verify_ledger(world.tenant, model_id) == len(
        await world.history(model_id)
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"gate": Gate.CHECK},
        {"gate": Gate.CHECK, "check": "Fairness"},
        {"gate": Gate.CHECK, "check": 1},
        {"gate": Gate.VALIDATION, "check": "fairness-audit"},
    ],
    ids=str,
)
async def test_a_check_has_a_name_and_a_gate_has_none(
    local: RegistryFixture, model_id: str, changes: dict[str, Any]
) -> None:
    """The field is named, and nothing is kept."""
    version = await local.version(model_id)
    with pytest.raises(InvalidInput) as caught:
        await local.judged(model_id, version, changes["gate"], check=changes.get("check"))

    assert caught.value.field == "evidence.check"
    assert await local.registry.list_evidence(local.tenant, model_id, version) == []


@pytest.mark.parametrize(
    ("document", "key"),
    [
        ({"validation": {"per_class": {2: 0.8, 10: 0.9}}}, "key 2"),
        ({"shadow": {"limits": [{None: 1}]}}, "key None"),
    ],
)
async def test_keys_of_a_policy_are_text(
    local: RegistryFixture, model_id: str, document: dict[str, Any], key: str
) -> None:
    """The key is named, the policy stays, and the ledger is what it was."""
    await local.version(model_id)
    with pytest.raises(InvalidInput, match=key):
        await local.registry.set_policy(local.tenant, model_id, document, actor="kim")
    with pytest.raises(InvalidInput, match="key 2"):
        await local.judged(model_id, 1, Gate.VALIDATION, summary={2: "a", 10: "b"})

    assert await local.registry.get_policy(local.tenant, model_id) == PromotionPolicy()
    assert await local.registry.verify_ledger(local.tenant, model_id) == 1


async def test_the_reason_is_part_of_setting_a_policy(
    local: RegistryFixture, model_id: str
) -> None:
    """The same operation id with another reason is another request."""
    await local.version(model_id)
    arguments = (local.tenant, model_id, POLICY)
    await local.registry.set_policy(*arguments, actor="kim", reason="audit", operation_id=model_id)
    with pytest.raises(OperationConflict):
        await local.registry.set_policy(
            *arguments, actor="kim", reason="holiday", operation_id=model_id
        )
