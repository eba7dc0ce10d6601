"""Ways in which labels mislead: they come late, later for one outcome, or only for one decision."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta

from scipy.stats import chi2_contingency

from ..aggregates.replay import ReplayAggregate
from ..formatting import amount, count
from ..policy.promotion import ShadowPolicy
from ..report import Check
from ..statistics.log_histogram import LogHistogram

#: Shares of labels that differ more often than this by chance say nothing.
_LEVEL = 0.001
#: Delays of two outcomes whose distributions are further apart than this are tied to the outcome.
_TIED = 0.1
_FEWEST = 100
#: A class is gone where the scores lead to expect so many labels of it and there is none.
_EXPECTED = 20
#: A mean is clearly not zero when it is larger than this part of the spread of predictions.
_CLEAR = 0.05


def selection_check(table: Mapping[str, int], largest_gap: float = 0.05) -> Check:
    """Whether a request gets a label does not depend on what the champion decided: the shares of
    requests with a label differ by at most ``largest_gap`` between decisions, or by chance."""
    name = "labels by decision"
    shares: dict[str, list[int]] = {}
    for key, number in table.items():
        decision, _, known = key.rpartition("|")
        counts = shares.setdefault(decision, [0, 0])
        counts[known == "labelled"] += number
    groups = {decision: pair for decision, pair in sorted(shares.items()) if sum(pair) >= _FEWEST}
    if len(groups) < 2:
        return Check(name, True, "too few decisions of different kinds to compare", None)
    rates = {decision: pair[1] / sum(pair) for decision, pair in groups.items()}
    low, high = min(rates, key=rates.__getitem__), max(rates, key=rates.__getitem__)
    message = (
        f"{rates[low]:.1%} of requests that the champion answered {low} have a label, and "
        f"{rates[high]:.1%} of those answered {high}"
    )
    if rates[high] - rates[low] <= largest_gap:
        return Check(name, True, message)
    if chi2_contingency(list(groups.values())).pvalue > _LEVEL:
        return Check(name, True, f"{message}, which may be chance")
    return Check(
        name,
        False,
        f"{message}: labels exist where the champion decided so, and a shadow test cannot judge "
        "the rest; use an A/B test",
    )


def conflict_check(policy: ShadowPolicy, conflicting: int, labelled: int) -> Check:
    """Requests have one label, or several that are the same. Where they differ the latest counts,
    and with too many of them the labels cannot be trusted."""
    message = (
        f"{count(conflicting)} of {count(labelled)} labelled requests have labels that contradict "
        "each other"
    )
    if conflicting > policy.max_label_conflicts * labelled:
        return Check(
            "label conflicts",
            False,
            f"{message}, and the policy allows {policy.max_label_conflicts:.1%}; write one label a "
            "request, or replace the file when a label is corrected",
        )
    return Check("label conflicts", not conflicting, f"{message}; the latest counts", None)


def level_check(policy: ShadowPolicy, aggregate: ReplayAggregate) -> list[Check]:
    """Labels have the level of what the champion answers (the challenger, without one): percent
    against fractions, or a class that is gone, is no fault of a model. Bins of scores or
    predictions contain the sums of both; there is no check where there are none, or few."""
    name = "level of labels"
    values = aggregate.distributions.values
    bins = values.get("champion") or values.get("challenger")
    edges = aggregate.distributions.edges
    rows = int(bins.counts.sum()) if bins is not None else 0
    if bins is None or edges is None or rows < _FEWEST:
        return []
    predicted, labels = float(bins.sums.sum()), float(bins.labels.sum())
    message = (
        f"labels are {amount(labels / rows)} in the mean, predictions {amount(predicted / rows)}"
    )
    if not edges.errors:
        expected = {1: (labels, predicted), 0: (rows - labels, rows - predicted)}
        for label, (observed, likely) in expected.items():
            if observed <= 0 and likely >= _EXPECTED:
                return [
                    Check(
                        name,
                        False,
                        f"no label is {label}, and the scores of {count(rows)} requests lead to "
                        f"expect {likely:.0f}: a class is gone from the labels",
                    )
                ]
    spread = float(edges.values[-1] - edges.values[0])
    if predicted * labels <= 0 or max(abs(predicted), abs(labels)) / rows <= _CLEAR * spread:
        return [Check(name, True, message)]
    factor = max(predicted / labels, labels / predicted)
    least = (
        min(abs(predicted), abs(labels)) + 2 * math.sqrt(abs(labels)) if not edges.errors else 0.0
    )
    chance = not edges.errors and max(predicted, labels) <= policy.max_level_ratio * least
    if factor <= policy.max_level_ratio or chance:
        return [Check(name, True, message)]
    return [
        Check(
            name,
            False,
            f"{message}, a factor of {amount(factor)}: they are of different units, or the labels "
            "are of something else",
        )
    ]


def delay_checks(
    policy: ShadowPolicy, aggregate: ReplayAggregate, end: datetime, mature_until: datetime
) -> tuple[Check, ...]:
    """Requests were old enough for their labels to have come, and late labels are like early
    ones."""
    delays = {
        name.removeprefix("delay of "): histogram
        for name, histogram in aggregate.histograms.items()
        if name.startswith("delay") and histogram.n
    }
    total = sum(delays.values(), LogHistogram())
    if total.n < _FEWEST:
        return ()
    slow = total.quantile(0.99)
    horizon = timedelta(hours=policy.label_horizon_hours)
    youngest = min(end, mature_until)
    age = mature_until + horizon - youngest
    message = f"99 % of labels come within {amount(slow)} hours"
    young = age < timedelta(hours=slow) and slow > 1
    if young:
        maturity = Check(
            "label maturity",
            False,
            f"{message}, but requests of only {amount(age / timedelta(hours=1))} hours were "
            "judged: early labels are not like late ones; set label_horizon_hours",
        )
    else:
        maturity = Check("label maturity", True, f"{message}; younger requests were not judged")
    return maturity, _tied(delays, young)


def _tied(delays: Mapping[str, LogHistogram], young: bool) -> Check:
    name = "label delay by outcome"
    groups = {label: item for label, item in delays.items() if item.n >= _FEWEST}
    worst, pair = 0.0, ("", "")
    for first in groups:
        for second in groups:
            if first < second:
                apart = _apart(groups[first], groups[second])
                worst, pair = max((worst, pair), (apart, (first, second)))
    if worst <= _TIED:
        return Check(name, True, "labels of all outcomes come equally late", None)
    message = (
        f"labels of {pair[0]} and of {pair[1]} come at different times (after "
        f"{amount(groups[pair[0]].quantile(0.5))} and {amount(groups[pair[1]].quantile(0.5))} "
        f"hours; {count(groups[pair[0]].n + groups[pair[1]].n)} labels)"
    )
    if young:
        return Check(name, False, f"{message}, so that the first to come mislead")
    return Check(name, True, f"{message}, but all had time to come", None)


def _apart(first: LogHistogram, second: LogHistogram) -> float:
    """The largest difference of the two distributions (Kolmogorov-Smirnov)."""
    mine = theirs = 0
    largest = 0.0
    for bucket in sorted({*first.counts, *second.counts}):
        mine += first.counts.get(bucket, 0)
        theirs += second.counts.get(bucket, 0)
        largest = max(largest, abs(mine / first.n - theirs / second.n))
    return largest
