from __future__ import annotations

import numpy as np
import pytest

from model_lifecycle.gates.statistics.design_effect import design_effect, largest_by_chance


def _effect(x: np.ndarray, days: int) -> float:
    blocks = x.reshape(days, -1)
    effect = design_effect(blocks.mean(axis=1), [blocks.shape[1]] * days, x.var(ddof=1))
    assert effect is not None
    return effect


def test_independent_requests() -> None:
    """Independent requests have a design effect of about 1, and rarely beyond what is tolerated."""
    rng = np.random.default_rng(5)
    effects = [_effect(rng.standard_normal(40 * 50), 40) for _ in range(300)]

    assert np.mean(effects) == pytest.approx(1.0, abs=0.05)
    assert np.mean(np.array(effects) > largest_by_chance(40)) <= 0.03


def test_requests_that_repeat() -> None:
    """Where all requests of a day are alike, the effect is the number of requests a day."""
    x = np.repeat(np.random.default_rng(6).standard_normal(200), 25)

    assert _effect(x, 200) == pytest.approx(25, rel=0.02)


def test_effect_that_is_undefined() -> None:
    """One block, or requests that do not vary, tell nothing."""
    assert design_effect([0.1], [10], 1.0) is None
    assert design_effect([0.1, 0.1], [10, 10], 0.0) is None
