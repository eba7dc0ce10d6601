"""A model whose record is worth a proof."""

from __future__ import annotations

from typing import Any

import pytest
from support.registry_fixture import RegistryFixture
from support.signing_keys import KeyFiles

from model_lifecycle.registry import verify_proof
from model_lifecycle.registry.domain.errors import ProofRefused
from model_lifecycle.registry.domain.stages import Gate

Document = dict[str, Any]


async def proven_life(world: RegistryFixture, model_id: str, gate: KeyFiles) -> None:
    """Two versions, both promoted under a policy that trusts the gate's key; the second one
    failed once before, and was approved."""
    await world.version(model_id)
    await world.registry.set_policy(
        world.tenant,
        model_id,
        {"trusted_keys": [gate.pem], "require_approval": True},
        actor="kim",
        reason="signed evidence only",
    )
    for version in (1, 2):
        if version == 2:
            await world.version(model_id, 1)
            await world.judged(model_id, 2, Gate.VALIDATION, verdict="FAIL")
        await world.judged(model_id, version, Gate.VALIDATION)
        await world.move(model_id, version, "staging")
        await world.judged(model_id, version, Gate.SHADOW)
        await world.judged(model_id, version, Gate.APPROVAL)
        await world.move(model_id, version, "production", reason="better by 0.01")


def problem_codes(document: Document, **values: Any) -> list[str]:
    """The codes of what does not hold in a proof, of which something does not."""
    with pytest.raises(ProofRefused) as caught:
        verify_proof(document, **values)
    assert caught.value.code == "proof_refused"
    return [code for code, _ in caught.value.problems]
