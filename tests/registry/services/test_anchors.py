"""The head of each model's ledger is known outside of the ledger's database."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text
from support.registry_fixture import RegistryFixture
from support.servers.service import Service

from model_lifecycle.registry.artifacts.s3_store import S3Artifacts
from model_lifecycle.registry.domain.authorization import Principal, Role
from model_lifecycle.registry.domain.errors import (
    AlreadyExists,
    LedgerCorrupt,
    LedgerForked,
    LedgerTruncated,
    PermissionDenied,
)
from model_lifecycle.registry.domain.identifiers import ModelId, TenantId
from model_lifecycle.registry.domain.ledger_head import LedgerHead
from model_lifecycle.registry.factory import open_registry
from model_lifecycle.registry.ledger.engine import writing
from model_lifecycle.registry.services.anchors import DELAY_SECONDS
from model_lifecycle.registry.settings import Settings


async def _anchored(world: RegistryFixture, model_id: str) -> LedgerHead:
    """Anchor the model's head now; the head."""
    await world.registry.anchor_heads(world.tenant)
    entry = (await world.history(model_id))[-1]
    return LedgerHead(entry.sequence, entry.hash)


async def _run(world: RegistryFixture, *statements: str) -> None:
    """Run statements on the ledger's database, its triggers aside."""
    engine = world.registry._stores.ledger._engine
    async with writing(engine) as connection:
        if engine.dialect.name == "sqlite":
            rows = await connection.execute(
                text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
            )
            triggers = rows.all()
            for name, _ in triggers:
                await connection.execute(text(f"DROP TRIGGER {name}"))
        else:
            await connection.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in statements:
            await connection.execute(text(statement), {"tenant": world.tenant})
        if engine.dialect.name == "sqlite":
            for _, sql in triggers:
                await connection.exec_driver_sql(sql)


async def _cut(world: RegistryFixture, model_id: str, epoch: int) -> None:
    """Cut the ledger of a model, whose version 2 was promoted over version 1, off after the entry
    with which version 1 came into production."""
    head = (await world.history(model_id))[epoch - 1]
    where = f"tenant_id = :tenant AND model_id = '{model_id}'"
    await _run(
        world,
        f"DELETE FROM entries WHERE {where} AND sequence > {epoch}",
        f"DELETE FROM evidence WHERE {where} AND version = 2",
        f"DELETE FROM versions WHERE {where} AND version = 2",
        f"UPDATE versions SET stage = 'production', evidence_since = 0, left_production = NULL "
        f"WHERE {where}",
        f"UPDATE models SET epoch = {epoch}, head_hash = '{head.hash}', production_version = 1, "
        f"current_version = 1, evidence_count = 2, evidence_head = (SELECT chain_hash FROM "
        f"evidence WHERE {where} AND chain_position = 2) WHERE {where}",
    )


async def _first_promotion(world: RegistryFixture, model_id: str) -> int:
    await world.promoted(model_id)
    epoch = len(await world.history(model_id))
    await world.promoted(model_id)
    return epoch


async def test_a_head_is_in_the_store_and_in_mlflow(
    world: RegistryFixture, by_hand: Any, model_id: str
) -> None:
    """In the store as an object of its own, whose name says which head it is."""
    await world.promoted(model_id)
    head = await _anchored(world, model_id)

    folder = f"{world.tenant}/anchors/{model_id}/entries"
    stored = [item.path for item in await world.registry.artifacts.files(folder)]
    tag = by_hand.get_registered_model(f"{world.tenant}.{model_id}").tags["lifecycle.ledger_head"]

    assert f"{folder}/{head.file_name}" in stored
    assert tag == f"{head.epoch}:{head.hash}"
    content = json.loads(await world.registry.artifacts.get_bytes(f"{folder}/{head.file_name}"))
    assert (content["epoch"], content["hash"]) == (head.epoch, head.hash)
    status = await world.registry.anchor_status(world.tenant, model_id)
    assert (status.epoch, status.anchored_epoch) == (head.epoch, head.epoch)


async def test_a_head_is_anchored_a_moment_after_its_commit(
    world: RegistryFixture, model_id: str
) -> None:
    """Without anybody asking for it."""
    await world.version(model_id)
    async with asyncio.timeout(20):
        while True:
            status = await world.registry.anchor_status(world.tenant, model_id)
            if status.anchored_epoch == status.epoch:
                break
            await asyncio.sleep(DELAY_SECONDS / 4)

    assert status.epoch == 1


async def test_a_registry_that_closes_anchors_first(
    world: RegistryFixture, settings: Settings, model_id: str
) -> None:
    """A command or a task that makes one change and ends leaves nothing behind."""
    async with open_registry(settings) as registry:
        await replace(world, registry=registry).version(model_id)

    status = await world.registry.anchor_status(world.tenant, model_id)
    assert status.anchored_epoch == status.epoch == 1


async def test_a_killed_writer_is_behind_and_caught_up(
    world: RegistryFixture, model_id: str
) -> None:
    """An anchor that is behind is no damage: verification passes, and the status says it."""
    await world.version(model_id)
    world.registry._anchors._due.clear()
    behind = await world.registry.anchor_status(world.tenant, model_id)
    entries = await world.registry.verify_ledger(world.tenant, model_id)
    await world.registry.anchor_heads(world.tenant)
    caught_up = await world.registry.anchor_status(world.tenant, model_id)

    assert (behind.epoch, behind.anchored_epoch) == (entries, 0)
    assert caught_up.anchored_epoch == entries


async def test_a_cut_tail_is_named_and_no_alias_moves_back(
    apart: RegistryFixture, by_hand: Any, model_id: str
) -> None:
    """A writer of the database can make its tables agree with a shorter chain; the anchored head
    contradicts it in `verify`, in the next change and in `reconcile`."""
    epoch = await _first_promotion(apart, model_id)
    head = await _anchored(apart, model_id)
    await _cut(apart, model_id, epoch)

    with pytest.raises(LedgerTruncated, match=f"entry {head.epoch}") as caught:
        await apart.registry.verify_ledger(apart.tenant, model_id)
    with pytest.raises(LedgerTruncated):
        await apart.move(model_id, 1, "archived", reason="the feed is down")
    findings = await apart.registry.reconcile(apart.tenant)
    alias = by_hand.get_model_version_by_alias(f"{apart.tenant}.{model_id}", "production").version

    assert (caught.value.code, caught.value.sequence) == ("ledger_truncated", epoch + 1)
    assert [(item.code, item.healed) for item in findings] == [("ledger_truncated", False)]
    assert int(alias) == 2


async def test_no_rollback_on_a_cut_ledger(apart: RegistryFixture, model_id: str) -> None:
    """Also where production and its alias are as the shorter ledger has them: its history may
    name a wrong version to go back to."""
    await _first_promotion(apart, model_id)
    history = await apart.history(model_id)
    policy = {"evidence_max_age_days": 9}
    await apart.registry.set_policy(apart.tenant, model_id, policy, actor="kim")
    await _anchored(apart, model_id)
    where = f"tenant_id = :tenant AND model_id = '{model_id}'"
    await _run(
        apart,
        f"DELETE FROM entries WHERE {where} AND sequence > {len(history)}",
        f"UPDATE models SET epoch = {len(history)}, head_hash = '{history[-1].hash}' WHERE {where}",
    )

    with pytest.raises(LedgerTruncated):
        await apart.roll_back(model_id)
    assert await apart.stages(model_id) == {1: "archived", 2: "production"}


async def test_a_cut_tail_is_named_without_the_tag_in_mlflow(
    apart: RegistryFixture, by_hand: Any, model_id: str
) -> None:
    """Also who writes the database and MLflow has not rewritten the artifact store."""
    epoch = await _first_promotion(apart, model_id)
    await _anchored(apart, model_id)
    await _cut(apart, model_id, epoch)
    by_hand.delete_registered_model_tag(f"{apart.tenant}.{model_id}", "lifecycle.ledger_head")

    with pytest.raises(LedgerTruncated):
        await apart.registry.verify_ledger(apart.tenant, model_id)
    findings = await apart.registry.reconcile(apart.tenant)
    alias = by_hand.get_model_version_by_alias(f"{apart.tenant}.{model_id}", "production").version

    assert [item.code for item in findings] == ["ledger_truncated"]
    assert int(alias) == 2


async def test_a_rewritten_ledger_that_goes_on_is_named(
    apart: RegistryFixture, model_id: str
) -> None:
    """After the cut the chain may grow beyond its anchored length: the entry has another hash."""
    epoch = await _first_promotion(apart, model_id)
    await _anchored(apart, model_id)
    await _cut(apart, model_id, epoch)
    for days in range(1, 9):
        await apart.registry.set_policy(
            apart.tenant, model_id, {"evidence_max_age_days": days}, actor="eve"
        )

    with pytest.raises(LedgerForked) as caught:
        await apart.registry.verify_ledger(apart.tenant, model_id)

    assert caught.value.code == "ledger_forked"


async def test_accepting_a_restored_ledger_is_an_entry(
    apart: RegistryFixture, model_id: str
) -> None:
    """It names who accepted it; afterwards the ledger verifies, and a new cut is named again."""
    epoch = await _first_promotion(apart, model_id)
    await _anchored(apart, model_id)
    await _cut(apart, model_id, epoch)
    with pytest.raises(PermissionDenied):
        await apart.registry.reconcile(
            apart.tenant, accept_restored_ledger_as=Principal("eve", frozenset({Role.PROMOTER}))
        )

    await apart.registry.reconcile(apart.tenant, accept_restored_ledger_as="kim")

    entry = (await apart.history(model_id))[epoch]
    assert (entry.kind.value, entry.actor) == ("ledger_restored", "kim")
    history = await apart.history(model_id)
    assert await apart.registry.verify_ledger(apart.tenant, model_id) == len(history)
    await apart.registry.set_policy(
        apart.tenant, model_id, {"evidence_max_age_days": 9}, actor="kim"
    )
    await _anchored(apart, model_id)
    where = f"tenant_id = :tenant AND model_id = '{model_id}'"
    await _run(
        apart,
        f"DELETE FROM entries WHERE {where} AND sequence > {len(history)}",
        f"UPDATE models SET epoch = {len(history)}, head_hash = '{history[-1].hash}' WHERE {where}",
    )
    with pytest.raises(LedgerTruncated):
        await apart.registry.verify_ledger(apart.tenant, model_id)


async def test_a_restored_ledger_anchors_nothing(
    apart: RegistryFixture, by_hand: Any, model_id: str
) -> None:
    """Its shorter head would hide that MLflow has seen a longer one."""
    epoch = await _first_promotion(apart, model_id)
    head = await _anchored(apart, model_id)
    await _cut(apart, model_id, epoch)
    apart.registry._anchors.schedule(TenantId(apart.tenant), ModelId(model_id))
    written = await apart.registry._anchors.write(TenantId(apart.tenant), ModelId(model_id))

    tags = by_hand.get_registered_model(f"{apart.tenant}.{model_id}").tags
    assert not written
    assert tags["lifecycle.ledger_head"] == str(head)


async def test_evidence_that_was_removed_is_named(apart: RegistryFixture, model_id: str) -> None:
    """A FAIL after which nothing else was recorded: the chain is made to agree, but its head was
    anchored."""
    await apart.version(model_id)
    await apart.judged(model_id, 1, "validation", verdict="FAIL")
    await apart.registry.anchor_heads(apart.tenant)
    where = f"tenant_id = :tenant AND model_id = '{model_id}'"
    await _run(
        apart,
        f"DELETE FROM evidence WHERE {where}",
        f"UPDATE models SET evidence_count = 0, evidence_head = 'sha256:{'0' * 64}' WHERE {where}",
    )

    with pytest.raises(LedgerCorrupt, match="hash of evidence 1, which is missing"):
        await apart.registry.verify_ledger(apart.tenant, model_id)


@pytest.mark.service
async def test_an_anchored_head_is_under_object_lock(service: Service) -> None:
    """In a bucket that offers it, nobody can delete the object until its retention ends."""
    client = service.seaweed.client()
    client.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    store = S3Artifacts("s3://locked", endpoint_url=service.seaweed.url)
    await store.put_once("acme/anchors/churn/1.json", b"{}")
    with pytest.raises(AlreadyExists):
        await store.put_once("acme/anchors/churn/1.json", b"other")
    await store.close()

    retention = client.get_object_retention(Bucket="locked", Key="acme/anchors/churn/1.json")
    client.close()

    assert retention["Retention"]["Mode"] == "GOVERNANCE"


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE versions SET metrics = '{\"accuracy\": 0.99}'", "other metadata than is shown"),
        ("UPDATE evidence SET recorded_by = 'eve'", "was changed since"),
        ("DELETE FROM evidence", "followed by evidence 1 that is missing"),
    ],
)
async def test_what_no_entry_stands_on_is_sealed_as_well(
    apart: RegistryFixture, model_id: str, statement: str, problem: str
) -> None:
    """A metric that was edited, another author of a verdict, and a FAIL that was deleted."""
    await apart.version(model_id)
    failed = await apart.judged(model_id, 1, "validation", verdict="FAIL")
    await apart.judged(model_id, 1, "validation")
    await apart.move(model_id, 1, "staging")
    where = f"tenant_id = :tenant AND model_id = '{model_id}'"
    only = f" AND evidence_id = '{failed.evidence_id}'" if "evidence" in statement else ""
    await _run(apart, f"{statement} WHERE {where}{only}")

    with pytest.raises(LedgerCorrupt, match=problem):
        await apart.registry.verify_ledger(apart.tenant, model_id)
