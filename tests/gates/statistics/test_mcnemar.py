from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import mcnemar as oracle

from model_lifecycle.gates.statistics import mcnemar


def test_published_table() -> None:
    """The published table (59, 6, 16, 80) gives its three published p-values."""
    values = (mcnemar.asymptotic_p(6, 16), mcnemar.exact_p(6, 16), mcnemar.mid_p(6, 16))

    assert values == pytest.approx((0.033006, 0.052479, 0.034690), abs=5e-7)


@given(st.integers(0, 200), st.integers(0, 200))
def test_statsmodels_agrees(better: int, worse: int) -> None:
    """The exact p-value is that of statsmodels."""
    expected = oracle([[0, better], [worse, 0]], exact=True).pvalue if better + worse else 1.0

    assert min(1.0, expected) == pytest.approx(mcnemar.exact_p(better, worse), rel=1e-9)


@given(st.integers(0, 200), st.integers(0, 200))
def test_mid_p_lies_below_exact(better: int, worse: int) -> None:
    """The mid-p value is a probability and not above the exact one."""
    assert 0 <= mcnemar.mid_p(better, worse) <= mcnemar.exact_p(better, worse) <= 1


def test_no_disagreement() -> None:
    """Without disagreement nothing is shown."""
    assert mcnemar.mid_p(0, 0) == mcnemar.exact_p(0, 0) == mcnemar.asymptotic_p(0, 0) == 1.0
