"""The registry behind the command line, and the command line that runs against it."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from support.registry_fixture import RegistryFixture

from model_lifecycle.registry.factory import open_registry
from model_lifecycle.registry.model_registry import ModelRegistry
from model_lifecycle.registry.settings import Settings

T = TypeVar("T")

TENANT = "demo"


@dataclass(frozen=True)
class Answer:
    """The result of one call of the command line."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """All of standard output as one JSON document."""
        return json.loads(self.out)

    @property
    def problem(self) -> Any:
        """All of standard error as one JSON document."""
        return json.loads(self.err)


@dataclass(frozen=True)
class Installation:
    """The registry behind the command line, reached without it.

    ``sources`` are two models that the tenant has logged in MLflow. ``opened`` is the registry,
    open as long as the tests run: opening it for each call would take most of their time.
    """

    settings: Settings
    loop: asyncio.Runner
    opened: ModelRegistry | None = None
    tenant: str = TENANT
    sources: tuple[str, ...] = ()

    def ask(
        self,
        question: Callable[[ModelRegistry], Awaitable[T]],
    ) -> T:
        """The registry's answer."""

        async def asking() -> T:
            if self.opened is not None:
                return await question(self.opened)
            async with open_registry(self.settings) as registry:
                return await question(registry)

        return self.loop.run(asking())

    def step(self, do: Callable[[RegistryFixture], Awaitable[T]]) -> T:
        """Take a step in the tenant's world."""
        return self.ask(lambda registry: do(RegistryFixture(registry, self.tenant, self.sources)))

    def sql(self, statement: str, *values: Any) -> None:
        """Do behind the registry's back what somebody with the database's password could do."""
        connection = sqlite3.connect(self.settings.home / "ledger.db", timeout=30)
        try:
            assert connection.execute(statement, values).rowcount in (1, -1)
            connection.commit()
        finally:
            connection.close()


class Run(Protocol):
    """Runs the command line in this process; ``width`` is that of the terminal."""

    def __call__(self, *arguments: object, width: int = ..., stdin: str | None = ...) -> Answer: ...
