"""Sums over requests without a label: at which scores labels are missing, and the sums with every
missing label as bad for the challenger as a label can be. :mod:`..checks.unlabelled` judges them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_lifecycle.registry.domain.errors import InvalidDataset

from ..metrics.classes import Classes
from ..metrics.losses import Answers, Floats, losses
from ..policy.hypotheses import Hypothesis
from ..statistics.sums import Sums
from .distributions import Edges
from .paired import Judgeable

#: With more classes than this, the first ones stand for all.
_MOST_CLASSES = 10


def labels_by_score(
    edges: Edges | None, rows: Judgeable, labelled: NDArray[np.bool_]
) -> Counter[str]:
    """Requests by the band of the champion's score (or prediction, of a regression) and whether
    they have a label: ``03|labelled``. Empty where there is no such number."""
    paired = rows.paired
    if edges is None or paired.champion is None:
        return Counter()
    scores = paired.champion.score
    if scores is None and paired.champion.prediction.dtype.kind in "fiu" and edges.errors:
        scores = paired.champion.prediction.astype(float)
    if scores is None:
        return Counter()
    usable = ~paired.champion_failed
    values = np.array(edges.values)
    bands = np.clip(np.searchsorted(values, scores[usable], side="right") - 1, 0, values.size - 2)
    table: Counter[str] = Counter()
    for known, name in ((labelled[usable], "labelled"), (~labelled[usable], "unlabelled")):
        for band, number in enumerate(np.bincount(bands[known], minlength=1)):
            if number:
                table[f"{band:02d}|{name}"] += int(number)
    return table


def worst_sums(
    hypotheses: Sequence[Hypothesis], rows: Judgeable, classes: Sequence[Any], edges: Edges | None
) -> dict[str, Sums]:
    """For each hypothesis on labels, the sums of x over requests without a label, with the label
    that is worst for the challenger: one of ``classes``, or of a regression a number between the
    ends of ``edges`` or the champion's prediction. Neither depends on which rows come together."""
    paired = rows.paired
    lacking = paired.usable & ~rows.judged
    if not lacking.any():
        return {}
    champion = None if paired.champion is None else paired.champion.of(lacking)
    challenger = paired.challenger.of(lacking)
    sums = {}
    for hypothesis in hypotheses:
        if (
            hypothesis.metric.uses not in ("score", "prediction")
            or not hypothesis.metric.labels
            or hypothesis.kind not in ("comparison", "limit")
        ):
            continue
        candidates = _candidates(classes, edges, champion, int(lacking.sum()))
        values = [
            _x(hypothesis, labels, champion, challenger, rows.classes) for labels in candidates
        ]
        known = [x for x in values if x is not None]
        if known:
            sums[hypothesis.key] = Sums.of(np.min(known, axis=0))
    return sums


def _candidates(
    classes: Sequence[Any], edges: Edges | None, champion: Answers | None, size: int
) -> list[NDArray[Any]]:
    if edges is None or not edges.errors:
        return [np.full(size, kind) for kind in classes[:_MOST_CLASSES]]
    ends: list[NDArray[Any]] = [np.full(size, edges.values[end]) for end in (0, -1)]
    return ends if champion is None else [*ends, champion.prediction.astype(float)]


def _x(
    hypothesis: Hypothesis,
    labels: NDArray[Any],
    champion: Answers | None,
    challenger: Answers,
    kinds: Classes | None,
) -> Floats | None:
    try:
        before = (
            None
            if champion is None
            else losses(hypothesis.metric, labels, champion, hypothesis.bound, kinds)
        )
        return hypothesis.values(
            before, losses(hypothesis.metric, labels, challenger, hypothesis.bound, kinds)
        )
    except (InvalidDataset, ValueError):
        return None
