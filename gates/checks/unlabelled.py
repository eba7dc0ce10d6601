"""Checks of requests without a label: where labels are missing, and whether a PASS depends on them.

A label that exists only where the champion decided so leaves out the very requests on which the
models differ. So the shares of labels are compared along the champion's score, and a PASS has to
stand with every missing label as bad for the challenger as a label can be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import fisher_exact

from model_lifecycle.registry.domain.evidence import Verdict

from ..formatting import amount, count
from ..policy.hypotheses import Hypothesis
from ..policy.promotion import ShadowPolicy
from ..report import Check, MetricRow
from ..statistics.sums import Sums

#: Shares of labels that differ more often than this by chance, at one of the cuts, say nothing.
_LEVEL = 0.001
#: A part of the requests below this is not compared.
_FEWEST = 20


def score_check(table: Mapping[str, int], largest_gap: float) -> Check:
    """Whether a request gets a label does not depend on how high the champion scored it: at every
    cut between two bands, the shares of labels above and below differ by at most ``largest_gap``,
    or by chance (Fisher's exact test, Bonferroni over the cuts)."""
    name = "labels by score"
    bands = sorted({key.rpartition("|")[0] for key in table})
    if len(bands) < 2:
        return Check(name, True, "the champion has no scores to compare", None)
    counts = np.array(
        [[table.get(f"{band}|{what}", 0) for what in ("labelled", "unlabelled")] for band in bands]
    )
    worst: tuple[float, int] | None = None
    for cut in range(1, len(bands)):
        below, above = counts[:cut].sum(axis=0), counts[cut:].sum(axis=0)
        if min(below.sum(), above.sum()) < _FEWEST:
            continue
        gap = abs(below[0] / below.sum() - above[0] / above.sum())
        if gap <= largest_gap or (worst is not None and gap <= worst[0]):
            continue
        if fisher_exact([below, above]).pvalue < _LEVEL / (len(bands) - 1):
            worst = (float(gap), cut)
    if worst is None:
        return Check(name, True, "requests of all scores have a label equally often")
    cut = worst[1]
    below, above = counts[:cut].sum(axis=0), counts[cut:].sum(axis=0)
    return Check(
        name,
        False,
        f"{below[0] / below.sum():.1%} of {count(int(below.sum()))} requests that the champion "
        f"scored low have a label, and {above[0] / above.sum():.1%} of {count(int(above.sum()))} "
        "that it scored high: labels are missing where the champion decided so, and a shadow test "
        "cannot judge those requests; use an A/B test",
    )


def with_worst_check(
    checks: Sequence[Check],
    policy: ShadowPolicy,
    hypotheses: Sequence[Hypothesis],
    rows: Sequence[MetricRow],
    worst: Mapping[str, Sums],
) -> tuple[Check, ...]:
    """The checks, and that a PASS stands with the missing labels at their worst; not where the
    data are INVALID anyway."""
    if any(not check.ok and check.otherwise is Verdict.INVALID for check in checks):
        return tuple(checks)
    return (*checks, *_worst_check(policy.tolerated_unlabelled, hypotheses, rows, worst))


def _worst_check(
    tolerated: float,
    hypotheses: Sequence[Hypothesis],
    rows: Sequence[MetricRow],
    worst: Mapping[str, Sums],
) -> list[Check]:
    for hypothesis in hypotheses:
        missing = worst.get(hypothesis.key)
        row = next(
            (r for r in rows if (r.kind, r.name) == (hypothesis.kind, hypothesis.metric.name)), None
        )
        if missing is None or not missing.n or row is None or row.verdict is not Verdict.PASS:
            continue
        share = missing.n / (missing.n + row.rows)
        bound = row.lower if row.passes == "above" else row.upper
        if share <= tolerated or bound is None or row.threshold is None:
            continue
        moved = (1 - share) * bound + share * hypothesis.to_display(missing.mean)
        if (moved > row.threshold) == (row.passes == "above"):
            continue
        return [
            Check(
                "missing labels",
                False,
                f"{row.title}: with the {count(missing.n)} missing labels at their worst, the "
                f"bound moves from {amount(bound)} to {amount(moved)}, beyond "
                f"{amount(row.threshold)}: wait for the labels, or state in the policy which "
                "share may be missing (tolerated_unlabelled)",
                Verdict.INCONCLUSIVE,
            )
        ]
    return []
