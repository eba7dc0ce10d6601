"""Tenants: another one's thing is not found, in the very words of a thing that does not exist."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from support.registry_fixture import RegistryFixture, trained

from model_lifecycle.registry.domain.errors import NotFound
from model_lifecycle.registry.domain.evidence import Evidence, Verdict
from model_lifecycle.registry.domain.promotion_policy import PromotionPolicy
from model_lifecycle.registry.domain.stages import Gate
from model_lifecycle.registry.model_registry import ModelRegistry

NOW = datetime.now(UTC)


@dataclass
class Things:
    """The resources of one tenant, as another one would request them."""

    model_id: str
    run_id: str
    experiment_id: str
    source: str

    def absent(self) -> Things:
        """The like of each that nobody has."""
        nothing = uuid.uuid4().hex
        return Things(f"absent-{nothing}", nothing, "987654321", f"models:/m-{nothing}")


@dataclass
class Neighbours:
    registry: ModelRegistry
    owner: RegistryFixture
    theirs: Things
    stranger: str
    """A tenant whose id the owner's begins with."""


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def neighbours(registry: ModelRegistry) -> Neighbours:
    stranger = f"acme-{uuid.uuid4().hex[:8]}"
    owner = f"{stranger}-2"
    logged = await registry.log_model(owner, "churn", trained(), created_by="kim")
    world = RegistryFixture(registry, owner, (logged.model_uri,))
    await world.promoted("churn")
    await world.promoted("churn")
    (experiment,) = await registry.list_experiments(owner)
    await registry.log_model(stranger, "own", trained(), created_by="eve")
    theirs = Things("churn", logged.run_id, experiment.experiment_id, logged.model_uri)
    return Neighbours(registry, world, theirs, stranger)


Call = Callable[[ModelRegistry, str, Things], Awaitable[Any]]

EVIDENCE = Evidence(
    evidence_id="e-1",
    gate=Gate.SHADOW,
    verdict=Verdict.PASS,
    bundle_digest="sha256:" + "0" * 64,
    baseline=None,
    policy_fingerprint="sha256:" + "0" * 64,
)

NOT_FOUND: dict[str, Call] = {
    "list_versions": lambda r, t, x: r.list_versions(t, x.model_id),
    "list_evidence": lambda r, t, x: r.list_evidence(t, x.model_id, 1),
    "get_evidence": lambda r, t, x: r.get_evidence(t, x.model_id, 1, "e-1"),
    "read_report": lambda r, t, x: r.read_report(t, x.model_id, 1, "e-1"),
    "read_model_card": lambda r, t, x: r.read_model_card(t, x.model_id, 1),
    "read_training_log": lambda r, t, x: r.read_training_log(t, x.model_id, 1),
    "history": lambda r, t, x: r.history(t, x.model_id),
    "production_at": lambda r, t, x: r.production_at(t, x.model_id, NOW),
    "verify_ledger": lambda r, t, x: r.verify_ledger(t, x.model_id),
    "get_policy": lambda r, t, x: r.get_policy(t, x.model_id),
    "readiness": lambda r, t, x: r.readiness(t, x.model_id, 1, "staging"),
    "load_model": lambda r, t, x: r.load_model(t, x.model_id),
    "load_model version": lambda r, t, x: r.load_model(t, x.model_id, 1),
    "load_model stage": lambda r, t, x: r.load_model(t, x.model_id, stage="production"),
    "transition_stage": lambda r, t, x: r.transition_stage(
        t, x.model_id, 2, "archived", actor="eve", reason="why"
    ),
    "rollback": lambda r, t, x: r.rollback(t, x.model_id, actor="eve", reason="why"),
    "rollback to": lambda r, t, x: r.rollback(
        t, x.model_id, to_version=1, actor="eve", reason="why"
    ),
    "delete_model": lambda r, t, x: r.delete_model(t, x.model_id, actor="eve", reason="why"),
    "delete version": lambda r, t, x: r.delete_model(t, x.model_id, 1, actor="eve", reason="why"),
    "record_evidence": lambda r, t, x: r.record_evidence(t, x.model_id, 1, EVIDENCE, actor="eve"),
    "set_policy": lambda r, t, x: r.set_policy(t, x.model_id, PromotionPolicy(), actor="eve"),
    "create_version": lambda r, t, x: r.create_version(t, x.model_id, x.source, created_by="eve"),
    "register models:/": lambda r, t, x: r.register_model(
        t, "own", x.source, None, None, None, created_by="eve"
    ),
    "register runs:/": lambda r, t, x: r.register_model(
        t, "own", f"runs:/{x.run_id}/model", None, None, None, created_by="eve"
    ),
    "register run_id": lambda r, t, x: r.register_model(
        t, "own", trained().model, "sklearn", {}, {}, run_id=x.run_id, created_by="eve"
    ),
    "log_training_metrics": lambda r, t, x: r.log_training_metrics(t, x.run_id, 1, {"a": 1.0}),
    "compare_runs": lambda r, t, x: r.compare_runs(t, [x.run_id], ["auc"]),
    "list_runs": lambda r, t, x: r.list_runs(t, x.experiment_id),
}


@pytest.mark.parametrize("method", NOT_FOUND)
async def test_a_strangers_thing_is_not_found(neighbours: Neighbours, method: str) -> None:
    """Same class, same details, same words as for what nobody has; and nothing is changed."""
    call, messages = NOT_FOUND[method], []
    before = await neighbours.owner.snapshot("churn")
    for things in (neighbours.theirs, neighbours.theirs.absent()):
        with pytest.raises(NotFound) as caught:
            await call(neighbours.registry, neighbours.stranger, things)
        words = str(caught.value)
        for field, name in sorted(vars(things).items(), key=lambda item: -len(item[1])):
            # An experiment's id may be a number that a version has, too.
            quoted = name.isdecimal()
            words = words.replace(repr(name) if quoted else name, f"<{field}>")
        messages.append((type(caught.value), words))

    assert messages[0] == messages[1]
    assert await neighbours.owner.snapshot("churn") == before


async def test_what_is_absent_is_none_for_a_stranger(neighbours: Neighbours) -> None:
    """Reads that answer None do so for another tenant's thing."""
    registry, stranger = neighbours.registry, neighbours.stranger

    assert await registry.get_model(stranger, "churn") is None
    assert await registry.get_version(stranger, "churn", 1) is None


async def test_lists_hold_the_tenants_own(neighbours: Neighbours) -> None:
    """Although one tenant's id is the beginning of the other's."""
    registry, owner, stranger = neighbours.registry, neighbours.owner.tenant, neighbours.stranger

    assert [item.name for item in await registry.list_models(owner)] == ["churn"]
    assert await registry.list_models(stranger) == []
    assert [item.model_id for item in await registry.list_experiments(owner)] == ["churn"]
    assert [item.model_id for item in await registry.list_experiments(stranger)] == ["own"]


async def test_the_same_name_is_another_model(neighbours: Neighbours) -> None:
    """Each tenant's model of a name has versions, files and history of its own."""
    registry, stranger = neighbours.registry, neighbours.stranger
    before = await neighbours.owner.snapshot("churn")
    logged = await registry.log_model(stranger, "churn", trained(0.5), created_by="eve")
    world = RegistryFixture(registry, stranger, (logged.model_uri,), "eve")
    await world.promoted("churn")
    model = await registry.get_model(stranger, "churn")

    assert model is not None
    assert (model.versions, model.created_by) == ((1,), "eve")
    assert f"/{stranger}/models/churn/1" in model.artifact_uri
    assert await neighbours.owner.snapshot("churn") == before


async def test_reconcile_stays_with_its_tenant(neighbours: Neighbours, by_hand: Any) -> None:
    """A neighbour's drift is neither reported nor healed."""
    name = f"{neighbours.owner.tenant}.churn"
    by_hand.set_registered_model_alias(name, "production", "1")

    assert await neighbours.registry.reconcile(neighbours.stranger) == []
    assert int(by_hand.get_model_version_by_alias(name, "production").version) == 1
    healed = await neighbours.registry.reconcile(neighbours.owner.tenant)
    assert [item.code for item in healed] == ["alias_moved"]
