"""Stores of a registry that fail once, at the call one chooses, before it or after it."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

from model_lifecycle.registry.domain.errors import BackendUnavailable
from model_lifecycle.registry.ledger.ledger import Ledger
from model_lifecycle.registry.ledger.queries import LedgerReader
from model_lifecycle.registry.mlflow_adapter.client import MlflowTracking
from model_lifecycle.registry.model_registry import ModelRegistry


@dataclass
class Fault:
    """Counts the calls to all stores, two points each: before it and after it. At the point
    ``at`` the backend "goes away", once; ``place`` then says where that was."""

    at: int
    count: int = 0
    place: str = ""
    places: list[str] = field(default_factory=list)

    def pass_by(self, place: str) -> None:
        self.count += 1
        self.places.append(place)
        if self.count == self.at:
            self.place = place
            raise BackendUnavailable("a store", f"it went away {place}")


def faulty(registry: ModelRegistry, fault: Fault) -> ModelRegistry:
    """The same registry, over stores that fail as ``fault`` says."""
    stores = registry._stores
    return ModelRegistry(
        replace(
            stores,
            ledger=cast(Ledger, _Faulty(stores.ledger, "ledger", fault)),
            tracking=cast(MlflowTracking, _Faulty(stores.tracking, "MLflow", fault)),
            artifacts=_Faulty(stores.artifacts, "artifacts", fault),
        )
    )


class _Faulty:
    """Passes everything on to ``target``; awaited calls and blocks go by the fault's points."""

    def __init__(self, target: Any, name: str, fault: Fault) -> None:
        self._target, self._name, self._fault = target, name, fault

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._target, name)
        place = f"{self._name}.{name}"
        if isinstance(attribute, LedgerReader):
            return _Faulty(attribute, place, self._fault)
        if inspect.iscoroutinefunction(attribute):
            return self._call(attribute, place)
        if inspect.isasyncgenfunction(inspect.unwrap(attribute)):
            return self._block(attribute, place)
        if callable(attribute) and "Async" in str(inspect.signature(attribute).return_annotation):
            raise AssertionError(f"{place} does I/O in a way that faults do not reach yet")
        return attribute

    def _call(self, function: Callable[..., Any], place: str) -> Callable[..., Any]:
        async def call(*arguments: Any, **named: Any) -> Any:
            self._fault.pass_by(f"before {place}")
            answer = await function(*arguments, **named)
            self._fault.pass_by(f"after {place}")
            return answer

        return call

    def _block(self, function: Callable[..., Any], place: str) -> Callable[..., Any]:
        @asynccontextmanager
        async def block(*arguments: Any, **named: Any) -> AsyncIterator[Any]:
            self._fault.pass_by(f"before {place}")
            async with function(*arguments, **named) as work:
                yield work
                self._fault.pass_by(f"before the commit of {place}")
            self._fault.pass_by(f"after the commit of {place}")

        return block
