"""Replay: the answers of both models to the requests that the champion answered, hour by hour.

Pure of I/O: accepts rows and returns a :class:`~..aggregates.replay.ReplayAggregate`, so that
partitions can be replayed on many workers and added. Only latencies depend on the clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..aggregates.distributions import Distributions, Edges
from ..aggregates.paired import Judgeable, cells, joint_counts, label_delays
from ..aggregates.replay import ReplayAggregate, Source
from ..aggregates.unlabelled import labels_by_score, worst_sums
from ..checks.label_values import drawn_labels, format_label, unfit_labels
from ..checks.self_replay import columns_of_one
from ..data.columns import column_problems, require_column
from ..data.latency_benchmark import time_interleaved
from ..data.pairing import Day, served, unfailed
from ..data.predictions import answers
from ..data.request_ids import hash_request_ids
from ..data.traffic import Batch
from ..metrics.definitions import CLUSTERING
from ..statistics.log_histogram import LogHistogram
from .paired_answers import model_features, pair_answers, refused_requests
from .replay import Replay, block_name


def replay_batch(replay: Replay, batch: Batch, day: Day) -> ReplayAggregate:
    """The aggregate of a batch's rows, by block. ``day`` is that of the batch.

    Rows whose columns do not match the signature of either model are counted as such, and not
    judged. Raises :class:`InvalidDataset` when a column of the policy is missing.
    """
    counts: Counter[str] = Counter(read=sum(hour.rows for hour in batch.hours))
    counts.update(batch.counts)
    aggregate = ReplayAggregate(
        counts=counts,
        sources=[Source(hour.name, hour.digest, hour.rows) for hour in batch.hours],
        identity=replay.identity,
    )
    unlike = _unlike(replay, batch)
    if unlike:
        counts["unlike_signature"] += len(batch.frame)
        aggregate.tables["signature"] = Counter({unlike: len(batch.frame)})
        return aggregate
    for name in (replay.feature_time, replay.cluster):
        require_column(batch.frame, name, batch.name)
    times = replay.times_every_batch or not day.begun
    paired = pair_answers(replay, batch.frame, day, aggregate)
    if paired is None:
        return aggregate
    if times:
        aggregate.histograms.update(_timed(replay, paired.frame))
    positions = day.label_positions(paired.ids)
    labelled = positions >= 0
    labels = day.values[positions] if len(day.values) else np.full(labelled.size, np.nan)
    answered = (
        np.ones(labelled.size, dtype=bool)
        if paired.champion is None
        else ~refused_requests(paired.frame, replay)
    )
    counts["labelled"] += int((labelled & answered).sum())
    if labelled.any():
        counts["conflicting_labels"] += int(day.conflicting[positions[labelled]].sum())
    judged = paired.usable & labelled
    if any(hypothesis.metric.labels for hypothesis in replay.hypotheses):
        unfit = unfit_labels(replay.model_type, labels, judged, replay.classes)
        judged &= ~unfit
        if unfit.any():
            aggregate.tables["unfit labels"] = Counter(
                {format_label(labels[unfit][0]): int(unfit.sum())}
            )
    counts["judged"] += int(judged.sum())
    counts["paired"] += int(paired.usable.sum())
    names, blocks = _blocks(replay.block, batch)
    rows = Judgeable(
        paired,
        labels,
        judged,
        names,
        blocks[paired.frame.index],
        None if replay.cluster is None else _clusters(replay.cluster, paired.frame, batch.name),
        batch.name,
        replay.classes,
        _model_clusters(replay),
    )
    if replay.classes is not None:
        aggregate.tables["classes"] = Counter({str(value): 1 for value in replay.classes.values})
    aggregate.blocks = cells(replay.hypotheses, replay.unit, rows)
    aggregate.tables.update(joint_counts(replay.model_type, rows, labelled))
    by_score = labels_by_score(replay.edges, rows, labelled)
    if by_score:
        aggregate.tables["labels by score"] = by_score
    aggregate.unlabelled = worst_sums(replay.hypotheses, rows, _classes(replay, day), replay.edges)
    aggregate.histograms.update(label_delays(rows, day, positions))
    alone = columns_of_one(replay.challenger or replay.recorded, replay.champion)
    if alone:
        aggregate.tables["columns of the challenger alone"] = Counter(
            dict.fromkeys(alone, len(paired.frame))
        )
    if judged.any():
        aggregate.distributions = Distributions.of(
            replay.edges,
            drawn_labels(labels[judged], replay.classes),
            {who: x.of(judged) for who, x in paired.answers_by_model.items()},
        )
    return aggregate


def fitting_edges(replay: Replay, batch: Batch, day: Day) -> Edges | None:
    """Where the bins of a regression's plots lie, from the first rows of a test."""
    if _unlike(replay, batch):
        return None
    positions = day.label_positions(hash_request_ids(batch.frame["request_id"]))
    known = batch.frame[positions >= 0]
    if known.empty:
        return None
    first_answers = served(known)[0]
    if replay.challenger is not None:
        first_answers = answers(replay.challenger, model_features(replay.challenger, known))
    good = ~unfailed(np.zeros(len(known), dtype=bool), first_answers)
    if not good.any():
        return None
    return Edges.fitting(
        replay.model_type, day.values[positions[positions >= 0]][good], first_answers.of(good)
    )


def _unlike(replay: Replay, batch: Batch) -> str:
    """How the batch's columns differ from those of the models; empty where they do not."""
    problems = {
        problem: None
        for model in (replay.challenger, replay.champion)
        if model is not None
        for problem in column_problems(batch.frame, model.columns)
    }
    return ", ".join(problems)


def _timed(replay: Replay, frame: pd.DataFrame) -> dict[str, LogHistogram]:
    """Latencies of single requests; none where the challenger's answers were recorded."""
    if replay.challenger is None or not replay.timed_calls:
        return {}
    models = {"challenger": replay.challenger}
    if replay.champion is not None:
        models = {"champion": replay.champion, **models}
    durations = time_interleaved(models, frame, replay.timed_calls)
    return {f"{who} replayed": LogHistogram.of(times) for who, times in durations.items() if times}


def _model_clusters(replay: Replay) -> Sequence[Any]:
    """The clusters that the challenger has."""
    if replay.model_type != CLUSTERING or replay.challenger is None:
        return ()
    return replay.challenger.classes or ()


def _classes(replay: Replay, day: Day) -> list[Any]:
    """The classes that a missing label may be."""
    if replay.classes is not None and not replay.classes.any_other:
        return list(replay.classes.values)
    for model in (replay.champion, replay.challenger, replay.recorded):
        if model is not None and model.classes:
            return list(model.classes)
    kinds = pd.unique(day.values)
    return sorted(kinds.tolist(), key=str)


def _blocks(block: str, batch: Batch) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The blocks of the batch, and which is each row's."""
    names = [block_name(block, hour.hour) for hour in batch.hours]
    indexes = {name: index for index, name in enumerate(dict.fromkeys(names))}
    codes = [indexes[name] for name in names]
    return tuple(indexes), np.repeat(codes, [hour.window_rows for hour in batch.hours])


def _clusters(column: str, frame: pd.DataFrame, what: str) -> NDArray[Any]:
    require_column(frame, column, what)
    return np.asarray(frame[column].astype(str).to_numpy(dtype=object))
