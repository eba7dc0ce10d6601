"""A user's function that prepares data, as a task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from .runtime.errors import airflow_errors
from .runtime.retry_policy import RETRY_POLICY

if TYPE_CHECKING:
    from airflow.sdk import Context


class PrepareDataOperator(BaseOperator):
    """Calls ``prepare`` and passes on what it returns: a path or URI, or plain JSON.

    :param prepare: function of the keyword arguments ``op_kwargs``.
    :param op_kwargs: its arguments; templates in them are rendered.
    """

    template_fields: Sequence[str] = ("op_kwargs",)
    template_fields_renderers = {"op_kwargs": "json"}  # noqa: RUF012 - Airflow's own declaration
    ui_color = "#e9e6db"

    def __init__(
        self,
        *,
        prepare: Callable[..., Any],
        op_kwargs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.retry_policy = self.retry_policy or RETRY_POLICY
        self.prepare = prepare
        self.op_kwargs = op_kwargs

    def execute(self, context: Context) -> Any:
        with airflow_errors():
            return self.prepare(**(self.op_kwargs or {}))
