"""A write returns the entry that it appended; a repetition returns that of the first call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from support.registry_fixture import RegistryFixture, new_name

from model_lifecycle.registry.domain.models import Receipt

Write = Callable[[RegistryFixture, str, str], Awaitable[Receipt | None]]


async def _register(local: RegistryFixture, model_id: str, operation_id: str) -> Receipt | None:
    model = await local.registry.register_model(
        local.tenant,
        model_id,
        local.sources[0],
        "sklearn",
        None,
        None,
        created_by="kim",
        operation_id=operation_id,
    )
    return model.receipt


async def _move(local: RegistryFixture, model_id: str, operation_id: str) -> Receipt | None:
    model = await local.move(
        model_id, 3, "production", force=True, reason="urgent", operation_id=operation_id
    )
    return model.receipt


async def _roll_back(local: RegistryFixture, model_id: str, operation_id: str) -> Receipt | None:
    return (await local.roll_back(model_id, operation_id=operation_id)).receipt


async def _delete(local: RegistryFixture, model_id: str, operation_id: str) -> Receipt | None:
    return await local.registry.delete_model(
        local.tenant, model_id, 3, actor="kim", reason="unused", operation_id=operation_id
    )


@pytest.mark.parametrize("write", [_register, _move, _roll_back, _delete])
async def test_a_write_returns_its_entry(
    local: RegistryFixture, model_id: str, write: Write
) -> None:
    """The entry is the newest of the ledger, and the repetition says that it is one."""
    await local.promoted(model_id)
    await local.promoted(model_id)
    await local.staged(model_id)
    operation_id = new_name("write")
    first = await write(local, model_id, operation_id)
    history: list[Any] = await local.history(model_id)
    repeated = await write(local, model_id, operation_id)

    assert first is not None
    assert repeated is not None
    assert (first.entry, first.replayed, first.current) == (history[-1], False, None)
    assert (repeated.entry, repeated.replayed) == (history[-1], True)
    assert repeated.current == await local.registry.get_model(local.tenant, model_id)
    assert await local.history(model_id) == history


async def test_a_model_that_was_read_has_no_receipt(local: RegistryFixture, model_id: str) -> None:
    """Nor has its document one: it is stored, and sent to clients."""
    await local.version(model_id)
    model = await local.registry.get_model(local.tenant, model_id)

    assert model is not None
    assert model.receipt is None
    assert "receipt" not in model.document()
