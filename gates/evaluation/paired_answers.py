"""The answers of both models to the requests of a batch that count: mature ones, each once."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..aggregates.replay import ReplayAggregate
from ..checks.self_replay import replay_pairs, self_replay
from ..data.columns import features
from ..data.pairing import Day, Mask, Paired, categories_unknown, mirrored, served, unfailed
from ..data.predictions import answers, clipped, scored
from ..data.request_ids import hash_request_ids
from ..data.traffic import REQUEST_COLUMNS
from ..metrics.losses import Answers
from ..statistics.log_histogram import LogHistogram

if TYPE_CHECKING:
    from model_lifecycle.registry.frameworks.protocol import Predictor

    from ..data.request_ids import Keys

from .replay import Replay

#: So many requests of each batch get a prediction where only scores are judged.
PREDICTED_SAMPLE = 2000


def pair_answers(
    replay: Replay, frame: pd.DataFrame, day: Day, aggregate: ReplayAggregate
) -> Paired | None:
    """The requests that count, with both answers: of the champion, mature, each once."""
    counts = aggregate.counts
    others = frame.iloc[:0]
    if replay.production is not None:
        mine = ((frame["role"] == "champion") & (frame["version"] == replay.production)).to_numpy()
        if replay.challenger is None:
            theirs = (frame["role"] == "challenger") & (frame["version"] == replay.candidate)
            others = frame[theirs.to_numpy()]
        counts["of_other_versions"] += int((~mine).sum()) - len(others)
        frame = frame[mine]
    at = pd.to_datetime(frame["requested_at"], utc=True)
    mature = (at <= replay.mature_until).to_numpy()
    counts["immature"] += int((~mature).sum())
    frame, at = frame[mature], at[mature]
    others = others[pd.to_datetime(others["requested_at"], utc=True) <= replay.mature_until]
    ids = hash_request_ids(frame["request_id"])
    fresh = day.new(ids)
    counts["duplicates"] += int((~fresh).sum())
    frame, ids, at = frame[fresh], ids[fresh], at[fresh]
    counts["requests"] += len(frame)
    refused = refused_requests(frame, replay)
    counts["champion_errors"] += int(refused.sum())
    if not replay.judges_errors and replay.challenger is not None:
        frame, ids, at = frame[~refused], ids[~refused], at[~refused]
    if frame.empty:
        return None
    if replay.feature_time is not None:
        times = pd.to_datetime(frame[replay.feature_time], utc=True)
        counts["from_the_future"] += int((times > at).sum())
    counts["unknown_categories"] += categories_unknown(frame, replay.categories)
    return _collect_answers(replay, frame, ids, others, aggregate, at)


def _collect_answers(
    replay: Replay,
    frame: pd.DataFrame,
    ids: Keys,
    others: pd.DataFrame,
    aggregate: ReplayAggregate,
    at: pd.Series[Any],
) -> Paired:
    counts = aggregate.counts
    warm = np.ones(len(frame), dtype=bool)
    if replay.warm_until is not None:
        warm = (at >= replay.warm_until).to_numpy()
    predicted = None
    if replay.challenger is not None:
        challenger_answers, predicted = _replayed(replay, replay.challenger, frame)
        if challenger_answers.failure:
            aggregate.tables["challenger failures"] = Counter({challenger_answers.failure: 1})
        challenger_answers, rounded = clipped(challenger_answers)
        counts["scores_rounded"] += rounded
        failed = unfailed(np.zeros(len(frame), dtype=bool), challenger_answers)
    else:
        classes = replay.classes_of(None)
        challenger_answers, failed, latency = mirrored(frame, ids, others, counts, classes)
        _latencies(aggregate, "challenger served", latency[warm])
        counts["challenger_without_latency"] += int((~np.isfinite(latency) & ~failed).sum())
        if replay.recorded is not None and len(others):
            replay_pairs(replay.recorded, (frame, ids), others, replay.precision, aggregate)
    champion, champion_failed = None, np.zeros(len(frame), dtype=bool)
    if replay.production is not None:
        champion, champion_failed = served(frame, replay.classes_of(replay.champion), counts)
        champion, champion_failed = _fitted(replay, frame, champion, champion_failed)
        counts["champion_unusable"] += int(
            (champion_failed & ~refused_requests(frame, replay)).sum()
        )
        if "latency_ms" in frame.columns:
            latency = frame["latency_ms"].to_numpy(dtype=float, na_value=np.nan)
            _latencies(aggregate, "champion served", latency[warm])
            counts["champion_without_latency"] += int(
                (~np.isfinite(latency) & ~champion_failed).sum()
            )
    counts["challenger_unusable"] += int(failed.sum())
    if replay.champion is not None and champion is not None:
        self_replay(
            replay.champion, frame, (champion, ~champion_failed), replay.precision, aggregate
        )
    return Paired(frame, ids, challenger_answers, failed, champion, champion_failed, predicted)


def _replayed(
    replay: Replay, challenger: Predictor, frame: pd.DataFrame
) -> tuple[Answers, Mask | None]:
    """The challenger's answers. Where no demand needs its predictions, a sample of them is enough
    for the report, and only scores are computed."""
    inputs = model_features(challenger, frame)
    scores_do = all(hypothesis.metric.uses == "score" for hypothesis in replay.hypotheses)
    if scores_do and replay.hypotheses and len(frame) > PREDICTED_SAMPLE:
        sample = np.unique(np.linspace(0, len(frame) - 1, PREDICTED_SAMPLE).astype(np.int64))
        sampled = scored(challenger, inputs, sample, replay.needs)
        if sampled is not None:
            return sampled
    return answers(challenger, inputs, replay.needs), None


def _latencies(aggregate: ReplayAggregate, name: str, values: NDArray[np.float64]) -> None:
    known = values[np.isfinite(values) & (values >= 0)]
    if known.size:
        aggregate.histograms[name] = aggregate.histograms.get(
            name, LogHistogram()
        ) + LogHistogram.of(known)


def _fitted(
    replay: Replay, frame: pd.DataFrame, champion_answers: Answers, failed: Mask
) -> tuple[Answers, Mask]:
    """The champion's answers with its fit to each row, which no serving system records."""
    compared = any(
        hypothesis.metric.uses == "fit" and hypothesis.comparative
        for hypothesis in replay.hypotheses
    )
    if not compared or replay.champion is None:
        return champion_answers, failed
    needs = replace(replay.needs, scores=False)
    again = answers(replay.champion, model_features(replay.champion, frame), needs)
    fitted = replace(champion_answers, fits=again.fits)
    return fitted, unfailed(failed, fitted)


def refused_requests(frame: pd.DataFrame, replay: Replay) -> Mask:
    """Requests that the champion answered with an error."""
    if replay.production is None or "error" not in frame.columns:
        return np.zeros(len(frame), dtype=bool)
    return np.asarray(frame["error"].notna())


def model_features(model: Predictor, frame: pd.DataFrame) -> Any:
    return features(frame, model.columns, REQUEST_COLUMNS)
