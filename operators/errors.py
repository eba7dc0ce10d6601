"""What the registry's errors mean to Airflow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow.sdk.exceptions import AirflowFailException

from model_lifecycle.registry.rules.errors import RegistryError


@contextmanager
def airflow_errors() -> Iterator[None]:
    """A refusal fails the task at once, since repeating it would be refused again.

    What may succeed on a later try (``retryable``: a store that does not answer) passes as it
    is, so that Airflow's retries do their work.
    """
    try:
        yield
    except RegistryError as error:
        if error.retryable:
            raise
        raise AirflowFailException(f"{error.code}: {error}") from error
