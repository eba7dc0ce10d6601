"""An admin moves the ledger while a store does not answer; what was not verified is recorded."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from support.registry_fixture import RegistryFixture
from support.servers.canned import black_hole
from support.servers.postgres import free_port

from model_lifecycle.registry.domain.authorization import Principal, Role
from model_lifecycle.registry.domain.errors import (
    BackendUnavailable,
    BundleCorrupt,
    InvalidInput,
    PermissionDenied,
)
from model_lifecycle.registry.factory import open_registry
from model_lifecycle.registry.settings import Settings

#: Seconds that a rollback may take while a store does not answer.
LONGEST = 9.0


@contextmanager
def _cut_off(settings: Settings, what: str) -> Iterator[Settings]:
    """The same registry, with one store that does not answer."""
    with ExitStack() as stack:
        match what:
            case "MLflow refuses":
                changes = {"tracking_uri": f"http://127.0.0.1:{free_port()}"}
            case "MLflow hangs":
                changes = {"tracking_uri": stack.enter_context(black_hole())}
            case "S3 refuses":
                changes = {"s3_endpoint_url": f"http://127.0.0.1:{free_port()}"}
            case _:
                changes = {"s3_endpoint_url": stack.enter_context(black_hole())}
        yield settings.with_values(**changes, call_timeout=4.0)


def _alias(by_hand: Any, world: RegistryFixture, model_id: str) -> int | None:
    version = by_hand.get_registered_model(f"{world.tenant}.{model_id}").aliases.get("production")
    return None if version is None else int(version)


CUTS = [
    "MLflow refuses",
    "MLflow hangs",
    pytest.param("S3 refuses", marks=pytest.mark.service),
    pytest.param("S3 hangs", marks=pytest.mark.service),
]


@pytest.mark.parametrize("cut", CUTS)
async def test_a_rollback_is_decided_without_the_store(
    request: pytest.FixtureRequest, cut: str, model_id: str
) -> None:
    """Within seconds, with its entry saying what was not verified. Readers see it at once; MLflow
    follows from the outbox once it answers."""
    from mlflow import MlflowClient

    kind = "service" if cut.startswith("S3") else "embedded"
    settings: Settings = request.getfixturevalue(f"{kind}_settings")
    request.getfixturevalue("mlflow_imported")
    by_hand = MlflowClient(settings.tracking_uri, settings.tracking_uri)
    async with open_registry(settings) as registry:
        world = await _two_promoted(registry, model_id)
        with _cut_off(settings, cut) as broken:
            async with open_registry(broken) as cut_off:
                there = RegistryFixture(cut_off, world.tenant)
                if cut != "S3 hangs":  # which takes minutes to fail otherwise
                    with pytest.raises(BackendUnavailable):
                        await there.roll_back(model_id)
                started = time.monotonic()
                answer = await there.roll_back(model_id, without_verification=True)
                took = time.monotonic() - started
                current = await cut_off.get_model(world.tenant, model_id)
        detail = (await world.history(model_id))[-1].detail["without_verification"]
        await registry.reconcile(world.tenant)

        assert answer.production_version == 1
        assert current is not None
        assert current.production_version == 1
        assert took < LONGEST
        assert set(detail) == {"mlflow" if cut.startswith("MLflow") else "files"}
        assert _alias(by_hand, world, model_id) == 1
        assert await registry.verify_ledger(world.tenant, model_id) > 0


async def _two_promoted(registry: Any, model_id: str) -> RegistryFixture:
    from support.registry_fixture import new_name, trained

    tenant = new_name("acme")
    logged = await registry.log_model(tenant, "origin", trained(), created_by="kim")
    world = RegistryFixture(registry, tenant, (logged.model_uri,))
    await world.promoted(model_id)
    await world.promoted(model_id)
    return world


async def test_a_promotion_is_decided_without_mlflow(
    embedded_settings: Settings, local: RegistryFixture, model_id: str
) -> None:
    """Its evidence is judged as always; the row in the outbox waits for a sweep."""
    await local.promoted(model_id)
    version = await local.staged(model_id)
    await local.judged(model_id, version)
    with _cut_off(embedded_settings, "MLflow refuses") as broken:
        async with open_registry(broken) as registry:
            there = RegistryFixture(registry, local.tenant)
            moved = await there.move(
                model_id, version, "production", reason="MLflow down", without_verification=True
            )
            pending = await registry.outbox_status()

    assert moved.production_version == version
    assert pending.pending >= 1
    assert await local.stages(model_id) == {1: "archived", version: "production"}


async def test_production_is_retired_without_mlflow(
    embedded_settings: Settings, local: RegistryFixture, model_id: str
) -> None:
    """Also a move that is not into production."""
    await local.promoted(model_id)
    with _cut_off(embedded_settings, "MLflow refuses") as broken:
        async with open_registry(broken) as registry:
            there = RegistryFixture(registry, local.tenant)
            retired = await there.move(
                model_id, 1, "archived", reason="wrong labels", without_verification=True
            )

    assert retired.production_version is None
    entry = (await local.history(model_id))[-1]
    assert set(entry.detail["without_verification"]) == {"mlflow"}


async def test_what_answers_is_verified(local: RegistryFixture, model_id: str) -> None:
    """Where all stores answer, it is a rollback like any other, and its entry says no less."""
    await local.promoted(model_id)
    await local.promoted(model_id)
    await local.roll_back(model_id, without_verification=True)

    assert "without_verification" not in (await local.history(model_id))[-1].detail


async def test_files_that_differ_refuse_it_all_the_same(
    local: RegistryFixture, model_id: str
) -> None:
    """To go without verification is for stores that do not answer, not for changed files."""
    await local.promoted(model_id)
    await local.promoted(model_id)
    bundle = f"{local.tenant}/models/{model_id}/1"
    file = next(
        item.path
        for item in await local.registry.artifacts.files(bundle)
        if item.path.endswith("MLmodel")
    )
    await local.registry.artifacts.put_bytes(file, b"another")
    before = await local.snapshot(model_id)
    with pytest.raises(BundleCorrupt):
        await local.roll_back(model_id, without_verification=True)

    assert await local.snapshot(model_id) == before


async def test_it_needs_an_admin_and_a_reason(local: RegistryFixture, model_id: str) -> None:
    """A promoter may roll back, and not without verification; nothing is changed."""
    await local.promoted(model_id)
    await local.promoted(model_id)
    before = await local.snapshot(model_id)
    promoter = Principal("lee", frozenset({Role.PROMOTER}))
    with pytest.raises(PermissionDenied, match="move versions without verification"):
        await local.roll_back(model_id, actor=promoter, without_verification=True)
    with pytest.raises(InvalidInput, match="reason"):
        await local.move(model_id, 2, "archived", without_verification=True)

    assert await local.snapshot(model_id) == before
