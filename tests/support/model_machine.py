"""A state machine of one model: the real registry and ledger, beside a plain model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, cast

from hypothesis.stateful import (
    RuleBasedStateMachine,
)
from support.memory_mlflow import MemoryMlflow
from support.pages import Pages
from support.plain_model import PlainModel
from support.registry_fixture import new_name

from model_lifecycle.registry.artifacts.local_store import LocalArtifacts
from model_lifecycle.registry.domain.errors import (
    BackendUnavailable,
    RegistryError,
)
from model_lifecycle.registry.domain.promotion_policy import PromotionPolicy
from model_lifecycle.registry.ledger.ledger import Ledger
from model_lifecycle.registry.mlflow_adapter.client import MlflowTracking
from model_lifecycle.registry.model_registry import ModelRegistry
from model_lifecycle.registry.services.backends import Backends
from model_lifecycle.registry.settings import Settings


@dataclass
class Shared:
    """The common part of all machines of a run: one loop, one ledger file, one folder."""

    runner: asyncio.Runner
    ledger: Ledger
    folder: Path


class ModelMachine(RuleBasedStateMachine):
    """One model of a tenant of its own. MLflow is in memory, and goes away at times."""

    stage: ClassVar[Shared]

    def __init__(self) -> None:
        super().__init__()
        self.plain = PlainModel()
        self.mlflow = MemoryMlflow()
        ledger = self.stage.ledger
        self.pages = Pages(ledger)
        self.tenant, self.model = self.pages.tenant, self.pages.model
        self.artifacts = LocalArtifacts(self.stage.folder / "artifacts")
        mlflow = cast(MlflowTracking, self.mlflow)
        stores = Backends(Settings({}, home=self.stage.folder), ledger, mlflow, self.artifacts)
        self.registry = ModelRegistry(stores)
        self.done: list[tuple[Callable[[], Coroutine[Any, Any, Any]], Any]] = []
        self.policies = [PromotionPolicy()]
        self.ids: list[str] = []

    def pick(self, place: int) -> int:
        """A version of the model, or one that was deleted or never was."""
        known = sorted(self.plain.stages)
        return known[place % len(known)] if known and place < 10 else 1 + place % 7

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.stage.runner.run(work)

    def mlflow_is_back(self) -> None:
        self.mlflow.away, self.mlflow.lost = False, None

    def call_both(
        self,
        plainly: Callable[[PlainModel], str | None],
        call: Callable[[str], Coroutine[Any, Any, Any]],
    ) -> None:
        """Call the registry and the plain model; both end alike."""
        operation_id = new_name("op")
        planned = deepcopy(self.plain)
        due = plainly(planned)
        try:
            answer = self.run(call(operation_id))
            code = None
        except BackendUnavailable:
            assert self.mlflow.away, "only MLflow was away"
            self.mlflow_is_back()
            return
        except RegistryError as error:
            code = error.code
        assert code == due
        if due is None:
            self.plain = planned
            self.done.append((lambda: call(operation_id), answer))
            self.ids.append(operation_id)
