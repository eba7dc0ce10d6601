"""Descriptive numbers of a report, which never decide: AUC, and where each model was right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..aggregates.holdout import HeldOut
from ..formatting import amount, interval
from ..metrics.classes import Classes
from ..metrics.definitions import CLASSIFICATION
from ..metrics.losses import Answers
from ..report import MetricRow
from ..statistics.auc import auc, compare_auc
from ..statistics.mcnemar import mid_p


def auc_row(
    labels: NDArray[Any],
    answers_of: Mapping[str, Answers],
    alpha: float,
    classes: Classes | None = None,
) -> tuple[MetricRow, ...]:
    """The area under the ROC curve, with DeLong's interval of the difference; nothing where
    there are no scores, or more than two classes."""
    challenger, champion = answers_of["challenger"].score, answers_of.get("champion")
    if challenger is None:
        return ()
    labels = (classes or Classes.numbered(2)).codes(labels)
    if not np.isin(labels, (0, 1)).all():
        return ()
    area = auc(labels, challenger)
    compared = (
        compare_auc(labels, champion.score, challenger)
        if champion is not None and champion.score is not None
        else None
    )
    if compared is None:
        if area is None:
            return ()
        return (
            _descriptive_row(f"AUC is {amount(area)}; descriptive, not judged", challenger=area),
        )
    lower, upper = compared.bounds(alpha)
    return (
        _descriptive_row(
            f"AUC changed by {amount(compared.difference)} {interval(lower, upper)}; descriptive, "
            "not judged, and computed as if rows were independent",
            estimate=compared.difference,
            lower=lower,
            upper=upper,
            champion=compared.first,
            challenger=compared.second,
        ),
    )


def flips(model_type: str, data: HeldOut) -> dict[str, Any]:
    """Of classified rows: how many each model got right where the other did not, with McNemar's
    mid-p value; empty for other models."""
    if model_type != CLASSIFICATION or data.champion is None or data.labels[:1].tolist() == [None]:
        return {}
    right = np.asarray(data.challenger.prediction == data.labels, dtype=bool)
    was_right = np.asarray(data.champion.prediction == data.labels, dtype=bool)
    better, worse = int((right & ~was_right).sum()), int((~right & was_right).sum())
    return {
        "both_right": int((right & was_right).sum()),
        "only_challenger_right": better,
        "only_champion_right": worse,
        "both_wrong": int((~right & ~was_right).sum()),
        "mcnemar_mid_p": mid_p(better, worse),
    }


def _descriptive_row(sentence: str, **numbers: Any) -> MetricRow:
    return MetricRow(
        name="roc_auc",
        title="area under the ROC curve",
        kind="shown",
        verdict=None,
        sentence=sentence,
        **numbers,
    )
