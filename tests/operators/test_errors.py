from __future__ import annotations

import pytest

from model_lifecycle.operators.errors import airflow_errors
from model_lifecycle.registry.rules import errors


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
def test_refusal_fails_the_task_without_retries(refusal):
    """What would be refused again is not tried again, and the code is told."""
    from airflow.sdk.exceptions import AirflowFailException

    with (
        pytest.raises(AirflowFailException, match=f"^{refusal.code}: ") as caught,
        airflow_errors(),
    ):
        raise refusal

    assert caught.value.__cause__ is refusal


def test_unavailable_backend_is_left_to_retries():
    """A store that does not answer raises as it is, so that Airflow tries again."""
    with pytest.raises(errors.BackendUnavailable), airflow_errors():
        raise errors.BackendUnavailable("MLflow", "connection refused")
