"""Limits of latency, judged by time-uniform bands of quantiles."""

from __future__ import annotations

import math
from typing import Any

from model_lifecycle.registry.domain.evidence import Verdict

from ..aggregates.replay import ReplayAggregate
from ..formatting import amount, count, interval
from ..policy.promotion import LatencyLimit, ShadowPolicy
from ..report import MetricRow
from ..statistics.log_histogram import LogHistogram

#: How latencies were measured, in the words of a report.
REPLAYED = "replay: one request a call, models in turn in one process, after a warm-up"
SERVED = "as served, without the first minutes of the window"
#: Bands are tightest after about so many requests.
EXPECTED = 5000
_QUANTILES = (0.5, 0.9, 0.95, 0.99)
_BAND_ALPHA = 0.05


def latency_rows(
    policy: ShadowPolicy, aggregate: ReplayAggregate, alpha_fail: float, *, with_champion: bool
) -> tuple[MetricRow, ...]:
    """One row for each limit. PASS: the upper end of the challenger's band is below the limit, or
    below ``ratio`` times the lower end of the champion's; each end at half of alpha."""
    kind = "served" if policy.mode == "mirrored" else "replayed"
    challenger = aggregate.histograms.get(f"challenger {kind}", LogHistogram())
    champion = aggregate.histograms.get(f"champion {kind}", LogHistogram())
    return tuple(
        _row(policy, limit, challenger, champion, alpha_fail)
        for limit in policy.latency
        if limit.ratio is None or with_champion
    )


def latency_summary(aggregate: ReplayAggregate) -> dict[str, Any]:
    """Curves and quantiles of every histogram, and how each was measured."""
    curves = {}
    for name in (
        "champion replayed",
        "challenger replayed",
        "champion served",
        "challenger served",
    ):
        histogram = aggregate.histograms.get(name)
        if histogram is None or not histogram.n:
            continue
        curves[name] = {
            "measured": REPLAYED if name.endswith("replayed") else SERVED,
            "n": histogram.n,
            "curve": [list(point) for point in histogram.curve()],
            "quantiles": [
                {"p": p, "value": histogram.quantile(p), "lower": low, "upper": _finite(high)}
                for p in _QUANTILES
                for low, high in [histogram.band(p, _BAND_ALPHA, EXPECTED)]
            ],
        }
    return curves


def _row(
    policy: ShadowPolicy,
    limit: LatencyLimit,
    challenger: LogHistogram,
    champion: LogHistogram,
    alpha_fail: float,
) -> MetricRow:
    p = limit.quantile
    split = 2 if limit.ratio is not None else 1
    to_pass = challenger.band(p, policy.alpha / split, EXPECTED)
    to_fail = challenger.band(p, alpha_fail / split, EXPECTED)
    estimate, lower, upper = challenger.quantile(p), to_fail[0], to_pass[1]
    threshold, unit = limit.maximum_ms or 0.0, " ms"
    if limit.ratio is not None:
        base_pass = champion.band(p, policy.alpha / split, EXPECTED)
        base_fail = champion.band(p, alpha_fail / split, EXPECTED)
        estimate = estimate / champion.quantile(p) if champion.n else math.nan
        lower = lower / base_fail[1]
        upper = upper / base_pass[0] if base_pass[0] else math.inf
        threshold, unit = limit.ratio, " times the champion's"
    verdict = Verdict.INCONCLUSIVE
    if challenger.n and upper < threshold:
        verdict = Verdict.PASS
    elif challenger.n and lower > threshold:
        verdict = Verdict.FAIL
    title = f"latency, {100 * p:g}th percentile"
    measured = SERVED if policy.mode == "mirrored" else REPLAYED
    sentence = (
        f"{title[0].upper()}{title[1:]} is {amount(estimate)}{unit} "
        f"{interval(lower, _finite(upper))} over {count(challenger.n)} requests ({measured}); "
        f"must be below {amount(threshold)}{unit}: {verdict}"
    )
    return MetricRow(
        name=f"latency_p{100 * p:g}",
        title=title,
        kind="limit" if limit.ratio is None else "comparison",
        verdict=verdict,
        sentence=sentence,
        estimate=estimate,
        lower=lower,
        upper=upper,
        threshold=threshold,
        passes="below",
        champion=champion.quantile(p),
        challenger=challenger.quantile(p),
        rows=challenger.n,
        units=challenger.n,
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
