from __future__ import annotations

import math

import pytest

from model_lifecycle.gates.inference.decision import combine, from_bounds, latch
from model_lifecycle.gates.report import Check, MetricRow
from model_lifecycle.registry.domain.evidence import Verdict

PASS, FAIL, INCONCLUSIVE, INVALID = (
    Verdict.PASS,
    Verdict.FAIL,
    Verdict.INCONCLUSIVE,
    Verdict.INVALID,
)


def _row(verdict: Verdict | None, kind: str = "comparison") -> MetricRow:
    return MetricRow("brier", "Brier score", kind, verdict, "")


@pytest.mark.parametrize(
    ("lower", "upper", "threshold", "expected"),
    [
        (0.1, 0.2, 0.0, PASS),
        (-0.2, -0.1, 0.0, FAIL),
        (-0.1, 0.1, 0.0, INCONCLUSIVE),
        (0.0, 0.0, 0.0, INCONCLUSIVE),
        (0.1, math.inf, 0.0, PASS),
        (-math.inf, math.inf, 0.0, INCONCLUSIVE),
        (math.nan, 0.2, 0.0, INVALID),
        (0.1, math.nan, 0.0, INVALID),
        (0.1, 0.2, math.nan, INVALID),
    ],
)
def test_bounds(lower: float, upper: float, threshold: float, expected: Verdict) -> None:
    """Only an interval that lies wholly on one side decides; what is not a number never passes."""
    assert expected is from_bounds(lower, upper, threshold)


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ([], (INCONCLUSIVE, None)),
        ([INCONCLUSIVE, INCONCLUSIVE], (INCONCLUSIVE, None)),
        ([INCONCLUSIVE, PASS, INCONCLUSIVE], (PASS, 1)),
        ([INCONCLUSIVE, FAIL, INCONCLUSIVE, PASS], (FAIL, 1)),
        ([PASS, INCONCLUSIVE, FAIL], (FAIL, 2)),
    ],
)
def test_latching(looks: list[Verdict], expected: tuple[Verdict, int | None]) -> None:
    """A verdict that was reached stays; a later opposite of PASS is a FAIL."""
    assert expected == latch(looks)


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([PASS, PASS], PASS),
        ([PASS, INCONCLUSIVE], INCONCLUSIVE),
        ([PASS, FAIL], FAIL),
        ([INCONCLUSIVE, FAIL], FAIL),
        ([FAIL, INVALID], INVALID),
        ([PASS, INVALID], INVALID),
        ([], INCONCLUSIVE),
    ],
)
def test_several_demands(verdicts: list[Verdict], expected: Verdict) -> None:
    """PASS needs all, FAIL is any, INVALID comes first, and nothing asked is nothing shown."""
    assert expected is combine([_row(verdict) for verdict in verdicts], [])


@pytest.mark.parametrize(("slice_verdict", "expected"), [(FAIL, FAIL), (INCONCLUSIVE, PASS)])
def test_slices(slice_verdict: Verdict, expected: Verdict) -> None:
    """A slice stands in the way when it fails, not when it is undecided."""
    assert expected is combine([_row(PASS), _row(slice_verdict, "slice")], [])


def test_slices_alone_prove_nothing() -> None:
    """Slices that pass are no pass without a demand."""
    assert combine([_row(PASS, "slice"), _row(None, "shown")], []) is INCONCLUSIVE


@pytest.mark.parametrize(
    ("otherwise", "expected"), [(INVALID, INVALID), (FAIL, FAIL), (None, PASS)]
)
def test_checks(otherwise: Verdict | None, expected: Verdict) -> None:
    """A check that is not ok invalidates, fails, or warns, as it says."""
    check = Check("replay", False, "does not reproduce", otherwise)

    assert expected is combine([_row(PASS)], [check])
    assert combine([_row(PASS)], [Check("replay", True, "", otherwise)]) is PASS


def test_numbers_that_are_none() -> None:
    """A row keeps no NaN and no infinity."""
    row = MetricRow(
        "brier", "Brier score", "limit", INVALID, "", estimate=math.nan, upper=math.inf, lower=0.1
    )

    assert (row.estimate, row.lower, row.upper) == (None, 0.1, None)
