"""The frame of every write on a model: what all of them do, in one order.

1. A request that has committed before gets its stored response; nothing is done twice.
2. What takes long (reading files, asking MLflow) is done before the model is locked.
3. In one transaction: lock, look for the response again, check the preconditions, make the change
   and append its entry, store the response, enqueue what MLflow has to show.
4. MLflow shows the change. The transaction was the commit point, so trouble here is no failure.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar

from ..concurrency import run_concurrently
from ..domain.commands import ModelWrite
from ..domain.preconditions import check_epoch
from ..ledger.unit_of_work import ModelUnitOfWork
from .backends import Backends
from .idempotency import idempotent_request, stored_response, stored_response_locked
from .projection.projection import Projection, VersionRecords

Result = TypeVar("Result")


class WriteOperation(ABC, Generic[Result]):
    """One write, executed once. A subclass says what is specific to it."""

    #: Whether MLflow has to show the change.
    is_projected: ClassVar[bool] = True

    def __init__(
        self,
        backends: Backends,
        projection: Projection,
        command: ModelWrite,
        operation_id: str | None,
    ) -> None:
        """Raises :class:`InvalidName` for a malformed ``operation_id``."""
        self.backends = backends
        self.projection = projection
        self.tenant, self.model = command.tenant_id, command.model_id
        self.expected_epoch = command.expected_epoch
        self.request = idempotent_request(operation_id, command)
        #: MLflow's records that :meth:`prepare` has read; they need not be read again.
        self.records: VersionRecords | None = None

    async def execute(self) -> Result:
        """The result of the write, or of the earlier one with the same operation id.

        Raises :class:`ModelNotFound`, :class:`StaleModel`, :class:`OperationConflict`,
        :class:`BackendUnavailable`, and what the subclass raises; nothing is changed then.
        """
        ledger = self.backends.ledger
        response, _ = await run_concurrently(
            stored_response(ledger, self.tenant, self.request), self.read()
        )
        if response is None:
            await self.prepare()
            async with ledger.begin(self.tenant, self.model) as work:
                response = await stored_response_locked(work, self.request)
                if response is None:
                    check_epoch(self.expected_epoch, self.model, work.model.epoch)
                    result = await self.change(work)
                    await work.store_response(
                        self.request.operation_id, self.request.fingerprint, self.response(result)
                    )
                    change = await work.enqueue_sync() if self.is_projected else None
        if response is not None:
            if self.is_projected:
                await self.projection.try_apply_pending(self.tenant, self.model)
            return await self.restore(response)
        if change is not None:
            await self.projection.apply_change(self.tenant, self.model, change, self.records)
        return result

    async def read(self) -> None:
        """Read from the ledger what :meth:`prepare` needs, while the stored response is read."""

    async def prepare(self) -> None:
        """Do what takes long, before the model is locked. Raises where the write is refused."""

    @abstractmethod
    async def change(self, work: ModelUnitOfWork) -> Result:
        """Check the rules, make the change and append its entry."""

    @abstractmethod
    def response(self, result: Result) -> dict[str, Any]:
        """The result as plain JSON, to be stored for repetitions."""

    @abstractmethod
    async def restore(self, response: Mapping[str, Any]) -> Result:
        """The result from its stored response."""
