"""kill -9 at each fault point of each operation, and what the next process finds."""

from __future__ import annotations

import pytest
from stress.crash.figures import figure
from stress.crash.matrix import Cases, Warm
from stress.crash.operations import OPERATIONS

_SAMPLE = 3
_IN_SERVICE = 12
_ALL = 10_000


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_killed_operation_leaves_nothing_that_is_not_healed(
    embedded: Warm, operation: str
) -> None:
    """A sample of the fault points: nothing committed is lost, and one reconcile, or the same call
    again, restores every invariant."""
    cases = embedded.kill_at_all(operation, at_most=_SAMPLE)

    assert cases.problems == []
    assert cases.killed == _SAMPLE


@pytest.mark.stress
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_fault_point(embedded: Warm, operation: str) -> None:
    """The same for every fault point of an embedded registry."""
    cases = embedded.kill_at_all(operation, at_most=_ALL)
    _tell("SQLite, MLflow on SQLite, folder", operation, cases)

    assert cases.problems == []
    assert cases.killed == cases.points


@pytest.mark.stress
@pytest.mark.service
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_fault_points_in_service(in_service: Warm, operation: str) -> None:
    """The same over HTTP: fault points spread over the whole operation."""
    cases = in_service.kill_at_all(operation, at_most=_IN_SERVICE)
    _tell("PostgreSQL, MLflow server, S3", operation, cases)

    assert cases.problems == []
    assert cases.killed == min(_IN_SERVICE, cases.points)


def _tell(backend: str, operation: str, cases: Cases) -> None:
    figure(
        "Killed with kill -9",
        f"{operation}: {backend}",
        fault_points=cases.points,
        killed=cases.killed,
        after_the_commit=cases.after_commit,
        not_healed=len(cases.problems),
    )
