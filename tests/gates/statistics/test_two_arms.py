"""The difference of two arms as a confidence sequence."""

from __future__ import annotations

import math

import numpy as np
import pytest

from model_lifecycle.gates.statistics.two_arms import Arm, difference, ratio_arm


def test_reference_value() -> None:
    """The sequence of two arms, as GrowthBook publishes it."""
    first = Arm(3000, 1396.87 / 3000, (52377.9767 - 1396.87**2 / 3000) / 2999)
    second = Arm(3461, 2422.7 / 3461, (134698.29 - 2422.7**2 / 3461) / 3460)

    gap = difference(first, second, 0.0, alpha=0.05, alpha_less=0.05, expected=5000)

    assert (gap.estimate, gap.standard_error) == pytest.approx((0.234376667, 0.129830813), abs=1e-8)
    assert gap.lower == pytest.approx(-0.126568442, abs=1e-8)


def test_ratio_by_the_delta_method() -> None:
    """The variance of a ratio is near that of many simulated ratios."""
    rng = np.random.default_rng(13)
    ratios = []
    for _ in range(600):
        clicks = rng.poisson(4, 500) + 1.0
        spent = clicks * rng.gamma(2, 1, 500)
        ratios.append(spent.sum() / clicks.sum())
    from fractions import Fraction

    sums = [
        Fraction(float(v))
        for v in (
            spent.sum(),
            clicks.sum(),
            (spent**2).sum(),
            (clicks**2).sum(),
            (spent * clicks).sum(),
        )
    ]

    arm = ratio_arm(500, sums[0], sums[1], (sums[2], sums[3]), sums[4])

    assert math.sqrt(arm.variance / 500) == pytest.approx(np.std(ratios), rel=0.2)
