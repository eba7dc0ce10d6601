from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import betaln

from model_lifecycle.gates.statistics.sample_ratio import anytime_p, log_e


def test_two_arms_are_beta_binomial() -> None:
    """With two arms it is the ratio of a beta-binomial to a binomial likelihood."""
    expected = betaln(100 + 40, 100 + 60) - betaln(100, 100) - 100 * math.log(0.5)

    assert expected == pytest.approx(log_e((40, 60), (0.5, 0.5)))


def test_sound_and_broken() -> None:
    """A sound split is no alarm; 52 % of ten thousand is."""
    assert anytime_p((5000, 5030), (0.5, 0.5)) == 1.0
    assert anytime_p((4800, 5200), (0.5, 0.5)) < 0.01
    assert anytime_p((1000, 9000), (0.1, 0.9)) == 1.0


def test_peeking_keeps_the_error_rate() -> None:
    """Looked at 200 times in each of 1000 sound experiments, it alarms in 1 % at most."""
    rng = np.random.default_rng(9)
    counts = rng.binomial(50, 0.5, (1000, 200)).cumsum(axis=1)
    n = np.arange(50, 10_050, 50)
    logs = betaln(100 + counts, 100 + n - counts) - betaln(100, 100) - n * math.log(0.5)

    assert (logs.max(axis=1) >= math.log(100)).mean() <= 0.01 + 0.006


def test_shares() -> None:
    """The shares of all arms add up to 1."""
    with pytest.raises(ValueError, match="add up"):
        log_e((1, 1), (0.5, 0.6))
