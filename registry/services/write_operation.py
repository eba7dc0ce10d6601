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
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, Generic, TypeVar

from ..concurrency import run_concurrently
from ..domain.commands import Command, ModelWrite
from ..domain.errors import BackendUnavailable, RegistryError
from ..domain.preconditions import ANY, check_epoch
from ..ledger.unit_of_work import ModelUnitOfWork
from .backends import Backends
from .idempotency import idempotent_request, stored_response, stored_response_locked
from .projection.projection import Projection, VersionRecords

Result = TypeVar("Result")
#: The stored response of a write: plain JSON, from which its result is restored.
Response = Mapping[str, Any]


class WriteOperation(ABC, Generic[Result]):
    """One write, executed once. A subclass says what is specific to it."""

    #: Whether MLflow has to show the change.
    is_projected: ClassVar[bool] = True
    #: Whether the operation has a row from :meth:`prepare` on, which its response completes.
    is_begun: ClassVar[bool] = False

    def __init__(
        self,
        backends: Backends,
        projection: Projection,
        command: Command,
        operation_id: str | None,
    ) -> None:
        """Raises :class:`InvalidName` for a malformed ``operation_id``."""
        self.backends = backends
        self.projection = projection
        self.tenant, self.model = command.tenant_id, command.model_id
        self.expected_epoch = command.expected_epoch if isinstance(command, ModelWrite) else ANY
        self.request = idempotent_request(operation_id, command)
        #: MLflow's records that :meth:`prepare` has read; they need not be read again.
        self.records: VersionRecords | None = None
        #: Whether the change waits in the outbox for a sweep: MLflow did not answer before it.
        self.is_left_to_outbox = False

    async def execute(self) -> Result:
        """The result of the write, or of the earlier one with the same operation id.

        Raises :class:`ModelNotFound`, :class:`StaleModel`, :class:`OperationConflict`,
        :class:`BackendUnavailable`, and what the subclass raises; nothing is changed then.
        """
        response, _ = await run_concurrently(
            stored_response(self.backends.ledger, self.tenant, self.request), self.read()
        )
        if response is None:
            response = await self.prepare()
        if response is None:
            try:
                async with self.begin() as work:
                    response = await self.find_response(work)
                    if response is None:
                        check_epoch(self.expected_epoch, self.model, work.model.epoch)
                        result = await self.change(work)
                        await self.store_response(work, self.response(result))
                        change = await work.enqueue_sync() if self.is_projected else None
            except BackendUnavailable:
                # It may have committed all the same.
                raise
            except RegistryError:
                await self.discard(None)
                raise
        if response is not None:
            await self.discard(response)
            if self.is_projected:
                await self.projection.try_apply_pending(self.tenant, self.model)
            return await self.restore(response)
        if change is not None and not self.is_left_to_outbox:
            await self.projection.apply_change(self.tenant, self.model, change, self.records)
        return result

    async def read(self) -> None:
        """Read from the ledger what :meth:`prepare` needs, while the stored response is read."""

    async def prepare(self) -> Response | None:
        """Do what takes long, before the model is locked. Raises where the write is refused.

        Returns the response of another attempt at the same request if it has committed meanwhile.
        """
        return None

    def begin(self) -> AbstractAsyncContextManager[ModelUnitOfWork]:
        """The transaction of the change, the model's row locked."""
        return self.backends.ledger.begin(self.tenant, self.model)

    async def find_response(self, work: ModelUnitOfWork) -> Response | None:
        """The stored response, now that the model is locked: of two equal calls one acts."""
        return await stored_response_locked(work, self.request)

    @abstractmethod
    async def change(self, work: ModelUnitOfWork) -> Result:
        """Check the rules, make the change and append its entry."""

    @abstractmethod
    def response(self, result: Result) -> dict[str, Any]:
        """The result as plain JSON, to be stored for repetitions."""

    async def store_response(self, work: ModelUnitOfWork, response: Response) -> None:
        """Store the response for repetitions, in the transaction of the change. A request without
        an operation id of its own cannot be repeated, unless it is a row already."""
        if self.request.named or self.is_begun:
            await work.store_response(self.request.operation_id, self.request.fingerprint, response)

    async def discard(self, response: Response | None) -> None:
        """Remove what :meth:`prepare` made outside of the ledger, where it was made in vain: the
        change was refused, or ``response`` is that of another attempt."""

    @abstractmethod
    async def restore(self, response: Response) -> Result:
        """The result from its stored response."""
