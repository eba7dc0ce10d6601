"""Which errors are worth another try."""

from __future__ import annotations

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

from model_lifecycle.registry.domain.errors import BackendUnavailable, RegistryError

#: The retry policy of all our tasks, unless a task or its DAG has one: what did not answer is asked
#: again, as often as ``retries`` says; what was refused would be refused again, and fails at once.
RETRY_POLICY = ExceptionRetryPolicy(
    rules=[
        RetryRule(
            [BackendUnavailable, ConnectionError, TimeoutError],
            RetryAction.RETRY,
            reason="a store did not answer",
        ),
        RetryRule(RegistryError, RetryAction.FAIL, reason="refused; it would be refused again"),
    ]
)
