from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from model_lifecycle.gates.statistics import proportion

counts = st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(counts, st.sampled_from([0.1, 0.05, 0.01]))
def test_statsmodels_agrees(counted: tuple[int, int], alpha: float) -> None:
    """The two one-sided bounds are the ends of statsmodels' two-sided interval."""
    expected = proportion_confint(*counted, alpha=2 * alpha, method="wilson")

    bounds = (
        proportion.lower_bound(*counted, alpha),
        proportion.upper_bound(*counted, alpha),
    )

    assert expected == pytest.approx(bounds, abs=1e-9)


@given(counts, st.floats(0.01, 0.99))
def test_p_value_and_bound_agree(counted: tuple[int, int], null: float) -> None:
    """The test rejects exactly where the bound excludes the null."""
    rejected = proportion.p_greater(*counted, null) < 0.05
    excluded = proportion.lower_bound(*counted, 0.05) > null

    assert rejected == excluded


def test_all_right_is_no_proof() -> None:
    """A hundred right answers of a hundred do not show a rate above 0.99."""
    assert proportion.lower_bound(100, 100, 0.05) < 0.99


def test_no_data() -> None:
    """Without data everything is possible."""
    assert (proportion.lower_bound(0, 0, 0.05), proportion.upper_bound(0, 0, 0.05)) == (0.0, 1.0)
