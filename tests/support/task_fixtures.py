"""Types of the operators' fixtures: what a test may call, and with which arguments."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol, TypedDict, TypeVar

from model_lifecycle.registry.domain.evidence import Verdict
from model_lifecycle.registry.domain.models import LedgerEntry
from model_lifecycle.registry.domain.stages import Gate

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.linear_model import LogisticRegression

    from model_lifecycle.registry.model_registry import ModelRegistry

T = TypeVar("T")

#: Stands in for Airflow's ``Context``. It is a plain dictionary around a task instance of the
#: tests' own, so that its type cannot be Airflow's.
TaskContext = Any

Register = Callable[[], int]
History = Callable[[], list[LedgerEntry]]
Fitted = tuple["LogisticRegression", "pd.DataFrame"]


class ModelNames(TypedDict):
    """The names of a model, as operators and the registry take them by keyword."""

    tenant_id: str
    model_id: str


class CallRegistry(Protocol):
    """Calls the real registry and returns its answer."""

    def __call__(self, question: Callable[[ModelRegistry], Awaitable[T]]) -> T: ...


class MakeContext(Protocol):
    """Makes the context of a task, as a worker would give it."""

    def __call__(
        self,
        task: Any,
        *,
        dag_id: str = ...,
        run_id: str = ...,
        try_number: int = ...,
        map_index: int = ...,
        cleared_after: int = ...,
        user: str | None = ...,
        stored: dict[str, Any] | None = ...,
    ) -> TaskContext: ...


class Judge(Protocol):
    """Records a gate's verdict about a version."""

    def __call__(self, version: int, gate: Gate, verdict: Verdict = ...) -> None: ...


class Promote(Protocol):
    """Runs a promotion task; returns its result and its context."""

    def __call__(
        self, version: int | str, stage: str = ..., **given: Any
    ) -> tuple[dict[str, Any], TaskContext]: ...
