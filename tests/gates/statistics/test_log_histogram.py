from __future__ import annotations

import math

import numpy as np
import pytest

from model_lifecycle.gates.statistics.log_histogram import GROWTH, LogHistogram


def test_parts_add_exactly() -> None:
    """Parts in any order count as the whole, and what is written is read back."""
    x = np.random.default_rng(6).lognormal(2, 1, 3000)
    parts = [LogHistogram.of(part) for part in np.array_split(x, 7)]

    total = sum(reversed(parts), LogHistogram())

    assert LogHistogram.of(x).document() == total.document()
    assert total.document() == LogHistogram.from_document(total.document()).document()
    assert total.n == 3000


def test_quantiles() -> None:
    """Quantiles are those of the values, to one bucket."""
    x = np.random.default_rng(7).lognormal(2, 1, 20_001)
    histogram = LogHistogram.of(x)

    for p in (0.5, 0.95, 0.99):
        truth = float(np.quantile(x, p, method="inverted_cdf"))
        assert truth <= histogram.quantile(p) * (1 + 1e-9) <= truth * GROWTH * (1 + 1e-8)


def test_nothing() -> None:
    """Without values there is no quantile, and the band is everything."""
    assert math.isnan(LogHistogram().quantile(0.5))
    assert LogHistogram().band(0.95, 0.05, 1000) == (0.0, math.inf)


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf])
def test_no_latency(bad: float) -> None:
    """Negative and endless latencies are refused."""
    with pytest.raises(ValueError, match="finite"):
        LogHistogram.of([1.0, bad])


def test_band_holds_at_every_look() -> None:
    """Looked at 40 times in each of 200 runs, the band of the 95th percentile misses it in 5 % of
    runs at most."""
    rng = np.random.default_rng(8)
    truth = math.exp(2 + 1.6448536269514722)
    missed = 0
    for _ in range(200):
        total, out = LogHistogram(), False
        for _ in range(40):
            total += LogHistogram.of(rng.lognormal(2, 1, 100))
            low, high = total.band(0.95, 0.05, 1000)
            out |= not low <= truth <= high
        missed += out

    assert missed / 200 <= 0.05 + 0.03


def test_curve() -> None:
    """The curve rises to 1."""
    curve = LogHistogram.of([1.0, 2.0, 2.0, 50.0]).curve()

    assert [share for _, share in curve] == [0.25, 0.75, 1.0]
