"""Synchronous code reaches the core through one bridge."""

from __future__ import annotations

import asyncio
import threading

import pytest
from support.registry_fixture import new_name

from model_lifecycle.registry.domain.errors import ModelNotFound
from model_lifecycle.registry.factory import open_registry
from model_lifecycle.registry.settings import Settings
from model_lifecycle.registry.sync import run_sync


async def _thread() -> str:
    await asyncio.sleep(0)
    return threading.current_thread().name


async def _history(settings: Settings) -> object:
    async with open_registry(settings) as registry:
        return await registry.history("acme", new_name())


def test_outside_of_a_loop_the_work_runs_here() -> None:
    """An operator's thread runs the work itself."""
    assert run_sync(_thread()) == threading.current_thread().name


async def test_inside_of_a_loop_the_work_runs_in_another_thread() -> None:
    """A notebook has a loop already; the work gets one of its own."""
    assert run_sync(_thread()) != threading.current_thread().name


def test_errors_come_through(new_settings: Settings) -> None:
    """The caller catches the error that the core raises."""
    with pytest.raises(ModelNotFound):
        run_sync(_history(new_settings))


async def test_errors_come_through_from_the_other_thread(new_settings: Settings) -> None:
    """Also where the work ran elsewhere."""
    with pytest.raises(ModelNotFound):
        run_sync(_history(new_settings))


def test_every_call_has_a_loop_of_its_own(new_settings: Settings) -> None:
    """A registry can be opened again and again."""
    for _ in range(3):
        with pytest.raises(ModelNotFound):
            run_sync(_history(new_settings))
