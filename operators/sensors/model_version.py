"""A sensor that waits for the next version of a model, from any source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..runtime.task_identity import state_key
from ..runtime.template_values import optional_version
from .base import ModelSensor

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ..triggers.model import NewModelVersionTrigger


class NewModelVersionSensor(ModelSensor):
    """Waits until the model has a version above ``after``; returns ``version`` (the newest),
    ``versions`` (all that are above), ``stage``, ``bundle_digest`` and ``created_by``.

    :param after: the version above which a number is new; none or empty: the newest when the task
        first ran, which its retries remember; a cleared task looks anew.
    """

    template_fields: Sequence[str] = (*ModelSensor.template_fields, "after")

    def __init__(self, *, after: int | str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.after = after

    def trigger(self, context: Context, **names: Any) -> NewModelVersionTrigger:
        from ..triggers.model import NewModelVersionTrigger

        return NewModelVersionTrigger(after=self._above(context), **names)

    def subject(self) -> str:
        return f"new version of {self.model_id}"

    def _above(self, context: Context) -> int:
        configured = 0 if self.after in (0, "0") else optional_version(self.after)
        if configured is not None:
            return configured
        store, key = context["task_state_store"], state_key(context, "after")
        stored = store.get(key)
        if not isinstance(stored, int):
            stored = max((item.version for item in self.versions()), default=0)
            store.set(key, stored)
        return stored
