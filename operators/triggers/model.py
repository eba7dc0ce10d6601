"""Waiting for a model's versions without holding a worker."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from model_lifecycle.registry.domain import identifiers
from model_lifecycle.registry.domain.errors import RegistryError
from model_lifecycle.registry.domain.stages import parse_stage

from .conditions import in_stage, newer_than
from .shared_poll import shared_poll

if TYPE_CHECKING:
    from model_lifecycle.registry.domain.models import VersionMetadata


class RegistryTrigger(BaseTrigger):
    """Base of the triggers of a model: its names, its registry, the poll interval."""

    def __init__(
        self,
        *,
        tenant_id: str,
        model_id: str,
        model_registry_conn_id: str,
        poll_interval: float,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # it has no types in Airflow
        self.tenant_id = tenant_id
        self.model_id = model_id
        self.model_registry_conn_id = model_registry_conn_id
        self.poll_interval = poll_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "tenant_id": self.tenant_id,
                "model_id": self.model_id,
                "model_registry_conn_id": self.model_registry_conn_id,
                "poll_interval": self.poll_interval,
            },
        )


class ModelTrigger(RegistryTrigger):
    """Base of the triggers: fires once, when the model's versions are as wanted.

    The event is ``{"status": "success", …}``, or ``{"status": "error", "code": …, "message": …}``
    for what waiting cannot mend. A store that does not answer is asked again. All triggers of a
    process with the same connection and interval share one poll.
    """

    @abstractmethod
    def match(self, versions: Sequence[VersionMetadata]) -> dict[str, Any] | None:
        """The awaited version's fields; None to keep waiting. Raises RegistryError."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        try:
            self.match([])
            poll = shared_poll(self.model_registry_conn_id, self.poll_interval)
            subject = identifiers.tenant_id(self.tenant_id), identifiers.model_id(self.model_id)
            async with aclosing(poll.versions(*subject)) as changes:
                async for versions in changes:
                    fields = self.match(versions)
                    if fields is not None:
                        yield event(status="success", **fields)
                        return
        except RegistryError as error:
            yield event(status="error", code=error.code, message=str(error))


class ModelStageTrigger(ModelTrigger):
    """Fires when the version (or, with none, any version) is in the stage; tells ``version`` and
    ``stage``."""

    def __init__(self, *, version: int | None, stage: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.version = version
        self.stage = stage

    def match(self, versions: Sequence[VersionMetadata]) -> dict[str, Any] | None:
        return in_stage(versions, self.version, parse_stage(self.stage))

    def serialize(self) -> tuple[str, dict[str, Any]]:
        path, kwargs = super().serialize()
        return path, {**kwargs, "version": self.version, "stage": self.stage}


class NewModelVersionTrigger(ModelTrigger):
    """Fires when there is a version above ``after``; tells ``version`` (the newest), ``versions``
    (all of them), ``stage``, ``bundle_digest`` and ``created_by``."""

    def __init__(self, *, after: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.after = after

    def match(self, versions: Sequence[VersionMetadata]) -> dict[str, Any] | None:
        return newer_than(versions, self.after)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        path, kwargs = super().serialize()
        return path, {**kwargs, "after": self.after}


def event(**payload: Any) -> TriggerEvent:
    """A trigger's event for the waiting task: plain JSON."""
    return TriggerEvent(payload)
