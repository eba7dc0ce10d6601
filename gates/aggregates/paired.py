"""Paired answers as counts and sums: cells of each hypothesis, flips, delays of labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model_lifecycle.registry.domain.errors import InvalidDataset

from ..data.columns import require_column
from ..data.pairing import Day, Mask, Paired
from ..metrics.classes import Classes
from ..metrics.definitions import CLASSIFICATION
from ..metrics.losses import Answers, Floats, differences, losses
from ..policy.hypotheses import Hypothesis
from ..statistics.log_histogram import LogHistogram
from .clusters import Tables, by_table, count_clusters, count_pairs
from .replay import BlockSummary, Key

#: A slice's column has at most so many values in one batch; an id is no slice.
MOST_SLICE_VALUES = 5000
#: Answers of more kinds than this are not tabled.
_MOST_CLASSES = 10


@dataclass(frozen=True)
class Judgeable:
    """Paired requests with their labels. ``judged``: both models answered, and there is a label.
    ``blocks`` says which of ``block_names`` each row's is, ``clusters`` names each row's.
    ``classes`` are those of the labels; ``model_clusters`` those of a clustering."""

    paired: Paired
    labels: NDArray[Any]
    judged: Mask
    block_names: Sequence[str]
    blocks: NDArray[np.int64]
    clusters: NDArray[Any] | None
    what: str
    classes: Classes | None = None
    model_clusters: Sequence[Any] = ()


def cells(
    hypotheses: Sequence[Hypothesis], unit: str, rows: Judgeable
) -> dict[str, dict[Key, BlockSummary]]:
    """Each hypothesis's x, by block; slices by value too."""
    names = rows.block_names
    summaries: dict[str, dict[Key, BlockSummary]] = {name: {} for name in names}
    for hypothesis in hypotheses:
        mask = _rows_of(hypothesis, rows)
        if not mask.any():
            continue
        here, clusters = rows.blocks[mask], None if rows.clusters is None else rows.clusters[mask]
        if by_table(hypothesis.metric):
            for value, part in _parts(hypothesis, rows, mask):
                for code in np.unique(here if part is None else here[part]).tolist():
                    chosen = here == code if part is None else part & (here == code)
                    tables = _tables(hypothesis, rows, np.flatnonzero(mask)[chosen])
                    cell = BlockSummary.of_tables(tables, int(chosen.sum()))
                    summaries[names[code]][hypothesis.key, value] = cell
            continue
        champion, challenger = _losses(hypothesis, rows, mask)
        x = hypothesis.values(champion, challenger)
        hypothesis = replace(hypothesis, classes=rows.classes.size) if rows.classes else hypothesis
        span = hypothesis.range if unit == "request" else None
        for value, part in _parts(hypothesis, rows, mask):
            for code in np.flatnonzero(np.bincount(here if part is None else here[part])).tolist():
                chosen = here == code if part is None else part & (here == code)
                summaries[names[code]][hypothesis.key, value] = BlockSummary.of(
                    x[chosen],
                    None if champion is None else champion[chosen],
                    challenger[chosen],
                    span=span,
                    clusters=None if clusters is None else clusters[chosen],
                )
    return {name: each for name, each in summaries.items() if each}


def joint_counts(model_type: str, rows: Judgeable, labelled: Mask) -> dict[str, Counter[str]]:
    """Of classified requests: which answers go together, which model was right where the other was
    not, and which decisions of the champion have a label."""
    paired, tables = rows.paired, dict[str, Counter[str]]()
    if model_type != CLASSIFICATION or paired.champion is None:
        return tables
    decisions = _kinds(paired.champion.prediction, ~paired.champion_failed)
    if decisions is not None:
        known = _Kinds(
            labelled[~paired.champion_failed].astype(np.int64), ("unlabelled", "labelled")
        )
        tables["labels by decision"] = _pairs(decisions, known)
    usable, judged = paired.usable, rows.judged
    if paired.predicted is not None:
        usable, judged = usable & paired.predicted, judged & paired.predicted
    first = _kinds(paired.champion.prediction, usable)
    second = _kinds(paired.challenger.prediction, usable)
    if first is not None and second is not None and first.codes.size:
        tables["answers"] = _pairs(first, second)
    if judged.any():
        truth = rows.labels[judged]
        was = np.asarray(paired.champion.prediction[judged] == truth, dtype=bool)
        now = np.asarray(paired.challenger.prediction[judged] == truth, dtype=bool)
        tables["right"] = Counter(
            both_right=int((was & now).sum()),
            only_challenger_right=int((~was & now).sum()),
            only_champion_right=int((was & ~now).sum()),
            both_wrong=int((~was & ~now).sum()),
        )
    return tables


def label_delays(
    rows: Judgeable, day: Day, positions: NDArray[np.int64]
) -> dict[str, LogHistogram]:
    """Hours from request to label, by label where there are few."""
    known = positions >= 0
    if not known.any():
        return {}
    at = pd.to_datetime(rows.paired.frame["requested_at"], utc=True).dt.tz_localize(None)
    passed = day.labelled_at[positions[known]] - at.to_numpy(dtype="datetime64[ns]")[known]
    hours = passed / np.timedelta64(1, "h")
    dated = np.isfinite(hours)
    labels = _kinds(rows.labels, known)
    if labels is None:
        return {"delay": LogHistogram.of(np.maximum(hours[dated], 0))} if dated.any() else {}
    histograms: dict[str, LogHistogram] = {}
    for code, label in enumerate(labels.names):
        mine = dated & (labels.codes == code)
        if mine.any():
            name = f"delay of {label}"
            times = LogHistogram.of(np.maximum(hours[mine], 0))
            histograms[name] = histograms.get(name, LogHistogram()) + times
    return histograms


def _rows_of(hypothesis: Hypothesis, rows: Judgeable) -> Mask:
    """The requests that are informative about the hypothesis."""
    if hypothesis.metric.labels:
        return rows.judged
    if hypothesis.metric.uses == "answer":
        return np.ones(rows.labels.size, dtype=bool)
    return rows.paired.usable


def _losses(hypothesis: Hypothesis, rows: Judgeable, mask: Mask) -> tuple[Floats | None, Floats]:
    paired, metric = rows.paired, hypothesis.metric
    if metric.differs:
        assert paired.champion is not None
        return None, differences(metric, paired.champion.of(mask), paired.challenger.of(mask))
    if metric.uses == "answer":
        failed = paired.challenger_failed[mask].astype(float)
        before = None if paired.champion is None else paired.champion_failed[mask].astype(float)
        return before, failed
    labels = rows.labels[mask]

    def of(answers: Answers) -> Floats:
        return losses(metric, labels, answers.of(mask), hypothesis.bound, rows.classes)

    return None if paired.champion is None else of(paired.champion), of(paired.challenger)


def _tables(hypothesis: Hypothesis, rows: Judgeable, positions: NDArray[np.int64]) -> Tables:
    """Counts of clusters of some requests, for each model that the hypothesis is about."""
    paired, metric = rows.paired, hypothesis.metric
    predictions = paired.challenger.prediction[positions]
    if metric.uses == "share":
        return {"challenger": count_clusters(predictions, rows.model_clusters)}
    if metric.differs:
        assert paired.champion is not None
        first = paired.champion.prediction[positions]
        return {"challenger": count_pairs(first, predictions, metric.title)}
    labels = rows.labels[positions]
    tables = {"challenger": count_pairs(labels, predictions, metric.title)}
    if paired.champion is not None:
        champion = paired.champion.prediction[positions]
        tables["champion"] = count_pairs(labels, champion, metric.title)
    return tables


def _parts(
    hypothesis: Hypothesis, rows: Judgeable, mask: Mask
) -> list[tuple[str | None, Mask | None]]:
    """The rows of each value of a slice's column; all rows of other hypotheses."""
    if hypothesis.column is None:
        return [(None, None)]
    require_column(rows.paired.frame, hypothesis.column, rows.what)
    values = rows.paired.frame[hypothesis.column].astype(str).to_numpy(dtype=object)[mask]
    codes, names = pd.factorize(values)
    if len(names) > MOST_SLICE_VALUES:
        raise InvalidDataset(
            f"{rows.what}: column {hypothesis.column} has {len(names)} values, too many for "
            f"slices; at most {MOST_SLICE_VALUES}"
        )
    return [(str(name), np.asarray(codes == code)) for code, name in enumerate(names)]


@dataclass(frozen=True)
class _Kinds:
    """Values of few kinds: each one's code, and the kinds by name."""

    codes: NDArray[np.int64]
    names: tuple[str, ...]


def _kinds(values: NDArray[Any], mask: Mask) -> _Kinds | None:
    """None where there are too many kinds to be classes, or values that are missing."""
    codes, kinds = pd.factorize(values[mask])
    if len(kinds) > _MOST_CLASSES or (codes < 0).any():
        return None
    return _Kinds(np.asarray(codes), tuple(_text(kind) for kind in kinds))


def _text(value: Any) -> str:
    """1, 1.0 and True are one class."""
    if isinstance(value, int | float | np.number | np.bool_):
        return f"{float(value):g}"
    return str(value)


def _pairs(first: _Kinds, second: _Kinds) -> Counter[str]:
    wide = max(len(second.names), 1)
    counts = np.bincount(first.codes * wide + second.codes, minlength=len(first.names) * wide)
    pairs: Counter[str] = Counter()
    for index, number in enumerate(counts):
        if number:
            pairs[f"{first.names[index // wide]}|{second.names[index % wide]}"] += int(number)
    return pairs
