from __future__ import annotations

import traceback
from collections.abc import Callable

import pytest

from model_lifecycle.operators.runtime.errors import airflow_errors
from model_lifecycle.registry.domain import errors
from model_lifecycle.registry.domain.errors import RegistryError
from model_lifecycle.registry.sync import run_sync


@pytest.mark.parametrize(
    "refusal",
    [
        errors.InvalidInput("no", field="x"),
        errors.ModelNotFound("churn"),
        errors.StaleProduction(expected=1, actual=2),
        errors.PermissionDenied("kim", "promote", needed=["promoter"]),
        errors.BundleCorrupt("churn", 1, "model.skops is missing"),
    ],
    ids=lambda error: error.code,
)
def test_refusal_fails_the_task_without_retries(refusal: RegistryError) -> None:
    """A refusal that would be repeated is not retried, and the message has its code."""
    from airflow.sdk.exceptions import AirflowFailException

    with (
        pytest.raises(AirflowFailException, match=f"^{refusal.code}: ") as caught,
        airflow_errors(),
    ):
        raise refusal

    assert caught.value.__cause__ is refusal


def _traceback_of(act: Callable[[], None]) -> str:
    """The text that Airflow would print of a task that failed."""
    try:
        act()
    except Exception:
        return traceback.format_exc().strip()
    raise AssertionError("it did not fail")


async def _refuse(error: RegistryError) -> None:
    try:
        raise KeyError("a probe that failed on the way")
    except KeyError:
        raise error from ValueError("of another library")


@pytest.mark.parametrize(
    "error",
    [
        errors.InvalidDataset("there is no traffic of churn", field="traffic"),
        errors.ModelNotFound("churn"),
        errors.BackendUnavailable("MLflow", "connection refused"),
    ],
    ids=lambda error: error.code,
)
def test_log_of_a_failed_task_ends_with_what_failed(error: RegistryError) -> None:
    """The last line is the sentence; frames of the core and errors on the way are left out."""

    def task() -> None:
        with airflow_errors():
            run_sync(_refuse(error))

    text = _traceback_of(task)

    assert str(error) in text.splitlines()[-1]
    assert text.count("  File ") < 8
    for other in ("probe", "no running event loop", "another library"):
        assert other not in text


def test_error_of_a_users_function_is_left_as_it_is() -> None:
    """The author of the function needs every frame of it."""

    def task() -> None:
        with airflow_errors():
            _ = dict[str, str]()["missing"]

    assert _traceback_of(task).splitlines()[-1] == "KeyError: 'missing'"


def test_error_of_the_core_has_no_probe_in_it() -> None:
    """Looking for a running event loop is no part of the work's error."""

    async def work() -> None:
        raise errors.ModelNotFound("churn")

    with pytest.raises(errors.ModelNotFound) as caught:
        run_sync(work())

    assert caught.value.__context__ is None


def test_unavailable_backend_is_left_to_retries() -> None:
    """A store that does not answer raises as it is, so that Airflow tries again."""
    with pytest.raises(errors.BackendUnavailable), airflow_errors():
        raise errors.BackendUnavailable("MLflow", "connection refused")
