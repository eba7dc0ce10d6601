"""``MlflowTracking``: everything the registry asks of MLflow, behind one object."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ..concurrency import FirstUse
from .executor import Connection
from .experiments import Experiments
from .logged_models import LoggedModels
from .model_versions import ModelVersions
from .registered_models import RegisteredModels
from .runs import Runs


class MlflowTracking(Experiments, Runs, LoggedModels, RegisteredModels, ModelVersions):
    """MLflow at ``tracking_uri``: a server (http, https) or a database (sqlite, postgresql).

    Constructing it does no I/O. MLflow is not imported then, and behind a server only by what asks
    for experiments, runs or LoggedModels. Every call is sent once, in a thread,
    at most ``max_concurrency`` at a time (an MLflow server's pools are small), within
    ``call_timeout`` seconds, or ``transfer_timeout`` for files. All methods raise
    BackendUnavailable when MLflow does not answer; nothing of MLflow's own error classes gets out.
    The methods' contracts are written where they are defined, one module a kind of object.
    """

    def __init__(
        self,
        tracking_uri: str,
        *,
        call_timeout: float,
        transfer_timeout: float,
        max_concurrency: int = 8,
    ) -> None:
        super().__init__(
            Connection(
                tracking_uri,
                call_timeout=call_timeout,
                transfer_timeout=transfer_timeout,
                max_concurrency=max_concurrency,
            )
        )
        self.close = self._connection.close

    def before_first_use(self, check: Callable[[], Awaitable[None]]) -> None:
        """Run ``check`` before the first call, once MLflow is reached; calls raise what it raises
        until it has passed."""
        self._connection.first_use = FirstUse(check)

    async def ping(self) -> None:
        """Raise BackendUnavailable unless both of MLflow's stores answer a small query."""
        await self._connection.call_registry(lambda registry: registry.ping())
