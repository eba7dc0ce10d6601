"""The registry's errors as Airflow's exceptions, and how much of them the log shows."""

from __future__ import annotations

import logging
from types import TracebackType

from airflow.sdk.exceptions import AirflowFailException

from model_lifecycle.registry.domain.errors import RegistryError

log = logging.getLogger(__name__)


class airflow_errors:  # noqa: N801 - a context manager, named like a function
    """A refusal fails the task at once, since repeating it would be refused again.

    What may succeed on a later try (``retryable``: a store that does not answer) passes as it
    is, so that Airflow's retries do their work. Airflow prints every error with its frames and
    those of its causes, the innermost cause last. So that the log ends with the sentence that says
    what failed, the error goes on without them; they are in the log at level DEBUG.
    """

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        frames: TracebackType | None,
    ) -> None:
        # Not a generator: contextlib would put the frames back that are left out here.
        if not isinstance(error, RegistryError):
            return
        log.debug("Where the error comes from", exc_info=error)
        error.__cause__, error.__suppress_context__ = None, True
        short = error.with_traceback(None)
        if error.retryable:
            raise short from None
        raise AirflowFailException(f"{error.code}: {error}") from short
