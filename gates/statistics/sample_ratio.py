"""Do the arms of an experiment get the shares of units that were meant? Valid at every look.

Lindon, Malek, "Anytime-valid inference for multinomial count data", NeurIPS 2022, arXiv 2011.03567:
a Dirichlet mixture of alternatives against the intended shares. A chi-square test looked at
repeatedly raises an alarm in one of six sound experiments; this one in one of a hundred at most.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy.special import gammaln

#: Strength of the mixture around the intended shares, per arm.
PRIOR = 100.0


def log_e(counts: Sequence[int], shares: Sequence[float], prior: float = PRIOR) -> float:
    """Log e-value against "units are assigned with these ``shares``" (they add up to 1)."""
    if len(counts) != len(shares) or not math.isclose(sum(shares), 1, rel_tol=1e-9):
        raise ValueError("there is one share for each arm, and they add up to 1")
    priors = [prior * len(shares) * share for share in shares]
    total = gammaln(sum(priors)) - gammaln(sum(priors) + sum(counts))
    for count, share, own in zip(counts, shares, priors, strict=True):
        total += gammaln(own + count) - gammaln(own) - count * math.log(share)
    return float(total)


def anytime_p(counts: Sequence[int], shares: Sequence[float], prior: float = PRIOR) -> float:
    """The p-value of this look; the least of all looks is valid too."""
    return min(1.0, math.exp(-min(log_e(counts, shares, prior), 700.0)))
