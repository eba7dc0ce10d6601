"""A floor under the variance, for models that rarely differ.

Before the first disagreement the sample variance is 0, and an interval from it has no width:
that makes 32 to 60 % wrong passes when looked at early. If the mean of a variable within
``[-span, span]`` is at its threshold although it is rarely other than 0, then its variance is at
least that of the rarest such variable: ``span`` or 0. For -1, 0 and 1 this is Tango's null variance
without disagreements.
"""

from __future__ import annotations

#: From this many requests with different answers on, the sample variance is trusted.
ENOUGH_DIFFERING = 20


def least_variance(threshold: float, span: float | None, differing: int) -> float | None:
    """Least variance of one request under a mean at ``threshold``, with ``differing`` requests
    seen that are not 0. Returns 0 where the sample variance is enough, and None where nothing can
    be said: too few requests that differ, and a threshold of 0 or a measure without a largest
    value."""
    if differing >= ENOUGH_DIFFERING:
        return 0.0
    if span is None or threshold == 0:
        return None
    size = min(abs(threshold), span)
    return size * span - size * size
