"""Workers that are killed (``kill -9``) at a chosen point of a task's first try."""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from stress.crash.fault_points import FaultPoints

if TYPE_CHECKING:
    from airflow.sdk import Context

    from model_lifecycle.operators.base import LifecycleOperator

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


def killed_once(operator: type[LifecycleOperator], fatal: str) -> type[LifecycleOperator]:
    """The operator, but its first try ends at the point ``fatal`` of the registry's work."""

    class Killed(operator):  # type: ignore[misc, valid-type]  # a variable
        def execute(self, context: Context) -> Any:
            self._first = context["ti"].try_number == 1
            return super().execute(context)

        def ask(self, act: Callable[[Any], Awaitable[T]]) -> T:
            async def ambushed(registry: Any) -> T:
                if self._first:
                    Ambush(registry._stores, fatal)
                return await act(registry)

            answer: T = super().ask(ambushed)
            return answer

    Killed.__name__ = operator.__name__
    return Killed
