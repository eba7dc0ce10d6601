"""Workers that are killed (``kill -9``) at a chosen point of a task's first try."""

from __future__ import annotations

import os
import signal
import types
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from stress.crash.fault_points import FaultPoints
from typing_extensions import override

from model_lifecycle.operators.base import LifecycleOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from model_lifecycle.registry.model_registry import ModelRegistry

T = TypeVar("T")


class Ambush(FaultPoints):
    """Kills the worker, and the process of the task below it, at the point named ``fatal``."""

    def __init__(self, stores: Any, fatal: str) -> None:
        self._name = fatal
        super().__init__(stores, fatal=-1, tell=lambda _: None)

    def reach(self, name: str) -> None:
        super().reach(name)
        if name == self._name:
            os.kill(os.getppid(), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)


class KilledOnce(LifecycleOperator):
    """An operator whose first try ends at the point ``fatal`` of the registry's work."""

    fatal: str

    def execute(self, context: Context) -> Any:
        self._first = context["ti"].try_number == 1
        return super().execute(context)

    # The type checker compares it with the base: renamed there, it would kill no worker.
    @override
    def call_registry(self, work: Callable[[ModelRegistry], Awaitable[T]]) -> T:
        async def ambushed(registry: ModelRegistry) -> T:
            if self._first:
                Ambush(registry._stores, self.fatal)
            return await work(registry)

        return super().call_registry(ambushed)


def killed_once(operator: type[LifecycleOperator], fatal: str) -> type[LifecycleOperator]:
    """``operator``, killed once at ``fatal``; it keeps its name."""
    body = {"fatal": fatal, "__module__": __name__}
    killed = types.new_class(
        operator.__name__, (KilledOnce, operator), {}, lambda ns: ns.update(body)
    )
    return cast(type[LifecycleOperator], killed)
