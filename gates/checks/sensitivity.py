"""Warnings about demands that a useless model meets as well as a good one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..aggregates.holdout import HeldOut, HoldoutSummary
from ..formatting import amount
from ..policy.hypotheses import Hypothesis
from ..report import Check

#: Where the rarest class has a smaller share, a mean over all rows hardly sees it.
RARE = 0.05
_BLIND = ("accuracy", "zero_one", "brier")


def sensitivity_checks(
    demands: Sequence[Hypothesis], sums: Sequence[HoldoutSummary], data: HeldOut
) -> list[Check]:
    """Warnings about margins that are as large as the champion's own loss, and about measures in
    which a rare class is lost."""
    first = {item.claim: item for item in reversed(sums)}
    checks = []
    for hypothesis in demands:
        own = first[hypothesis.key].champion_loss if hypothesis.key in first else None
        if (
            hypothesis.kind == "comparison"
            and own is not None
            and hypothesis.configured_threshold >= own > 0
        ):
            title = hypothesis.metric.title
            loss = f"{title} {amount(hypothesis.metric.measure(own))}"
            if hypothesis.metric.higher_is_better:
                loss += f", {amount(own)} from the best"
            checks.append(
                Check(
                    "margin",
                    False,
                    f"the margin of {title}, {amount(hypothesis.configured_threshold)}, is as "
                    f"large as the champion's own loss ({loss}): a version with twice that loss "
                    "can pass; state a smaller margin",
                    None,
                )
            )
    return [*checks, *_rare_class(demands, data)]


def _rare_class(demands: Sequence[Hypothesis], data: HeldOut) -> list[Check]:
    blind = [hypothesis.metric for hypothesis in demands if hypothesis.metric.name in _BLIND]
    seeing = any(hypothesis.metric.name == "log_loss" for hypothesis in demands)
    if not blind or seeing or data.classes is None:
        return []
    codes = data.classes.codes(data.labels)
    counts = np.bincount(codes[codes >= 0], minlength=data.classes.size)
    share = float(counts.min() / max(counts.sum(), 1))
    if share >= RARE:
        return []
    return [
        Check(
            "rare class",
            False,
            f"the rarest class has {share:.2%} of the rows: a model that never predicts it loses "
            f"at most that much {blind[0].title}; demand log_loss, or a slice of the label column",
            None,
        )
    ]
