"""How much less independent requests are than they look: the design effect of blocks.

Kish, "Survey Sampling" (1965): variance of the mean as it is, over that of as many independent
requests. 1 = independent; 25 = 1000 requests carry the information of 40.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import chi2


def design_effect(
    block_means: ArrayLike, block_sizes: ArrayLike, request_variance: float
) -> float | None:
    """Variance of the block means over what independent requests would give; None where it cannot
    be told (fewer than two blocks, or requests that do not vary)."""
    means = np.asarray(block_means, dtype=float)
    sizes = np.asarray(block_sizes, dtype=float)
    if means.size < 2 or not request_variance > 0:
        return None
    total = sizes.sum()
    centre = float((means * sizes).sum() / total)
    weighted = float((sizes * (means - centre) ** 2).sum()) / (means.size - 1)
    return weighted / request_variance


def largest_by_chance(blocks: int, *, tolerated: float = 1.5, level: float = 0.01) -> float:
    """The design effect that independent requests exceed with probability ``level`` only, but
    at least ``tolerated``: judging single requests is refused above it."""
    if blocks < 2:
        return math.inf
    return max(tolerated, float(chi2.isf(level, blocks - 1)) / (blocks - 1))
