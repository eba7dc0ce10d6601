from __future__ import annotations

import pytest

from model_lifecycle.gates.statistics import tango
from model_lifecycle.gates.statistics.rare_variance import ENOUGH_DIFFERING, least_variance


def test_is_tangos_for_binary_outcomes() -> None:
    """For outcomes -1, 0 and 1 without disagreement it is Tango's null variance."""
    assert least_variance(-0.01, 1.0, 0) == pytest.approx(tango.null_variance(0, 0, 1000, -0.01))


def test_enough_disagreement() -> None:
    """With enough disagreement the sample variance stands alone."""
    assert least_variance(-0.01, 1.0, ENOUGH_DIFFERING) == 0.0


@pytest.mark.parametrize(("threshold", "span"), [(0.0, 1.0), (-0.01, None)])
def test_variance_that_is_undefined(threshold: float, span: float | None) -> None:
    """Without a margin, or a largest value, few disagreements say nothing."""
    assert least_variance(threshold, span, ENOUGH_DIFFERING - 1) is None
