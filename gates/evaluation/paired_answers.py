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
from ..data.request_ids import request_keys
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
    replay: Replay, frame: pd.DataFrame, day: Day, tally: ReplayAggregate
) -> Paired | None:
    """The requests that count, with both answers: of the champion, mature, each once."""
    counts = tally.counts
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
    ids = request_keys(frame["request_id"])
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
    return _asked(replay, frame, ids, others, tally, at)


def _asked(
    replay: Replay,
    frame: pd.DataFrame,
    ids: Keys,
    others: pd.DataFrame,
    tally: ReplayAggregate,
    at: pd.Series[Any],
) -> Paired:
    counts = tally.counts
    warm = np.ones(len(frame), dtype=bool)
    if replay.warm_until is not None:
        warm = (at >= replay.warm_until).to_numpy()
    predicted = None
    if replay.challenger is not None:
        said, predicted = _replayed(replay, replay.challenger, frame)
        if said.failure:
            tally.tables["challenger failures"] = Counter({said.failure: 1})
        said, rounded = clipped(said)
        counts["scores_rounded"] += rounded
        failed = unfailed(np.zeros(len(frame), dtype=bool), said)
    else:
        classes = replay.classes_of(None)
        said, failed, latency = mirrored(frame, ids, others, counts, classes)
        _latencies(tally, "challenger served", latency[warm])
        counts["challenger_without_latency"] += int((~np.isfinite(latency) & ~failed).sum())
        if replay.recorded is not None and len(others):
            replay_pairs(replay.recorded, (frame, ids), others, replay.precision, tally)
    champion, champion_failed = None, np.zeros(len(frame), dtype=bool)
    if replay.production is not None:
        champion, champion_failed = served(frame, replay.classes_of(replay.champion), counts)
        champion, champion_failed = _fitted(replay, frame, champion, champion_failed)
        counts["champion_unusable"] += int(
            (champion_failed & ~refused_requests(frame, replay)).sum()
        )
        if "latency_ms" in frame.columns:
            latency = frame["latency_ms"].to_numpy(dtype=float, na_value=np.nan)
            _latencies(tally, "champion served", latency[warm])
            counts["champion_without_latency"] += int(
                (~np.isfinite(latency) & ~champion_failed).sum()
            )
    counts["challenger_unusable"] += int(failed.sum())
    if replay.champion is not None and champion is not None:
        self_replay(replay.champion, frame, (champion, ~champion_failed), replay.precision, tally)
    return Paired(frame, ids, said, failed, champion, champion_failed, predicted)


def _replayed(
    replay: Replay, challenger: Predictor, frame: pd.DataFrame
) -> tuple[Answers, Mask | None]:
    """The challenger's answers. Where no demand needs its predictions, a sample of them is enough
    for the report, and scores are asked for alone."""
    asked = model_features(challenger, frame)
    scores_do = all(claim.metric.uses == "score" for claim in replay.claims)
    if scores_do and replay.claims and len(frame) > PREDICTED_SAMPLE:
        sample = np.unique(np.linspace(0, len(frame) - 1, PREDICTED_SAMPLE).astype(np.int64))
        found = scored(challenger, asked, sample, replay.needs)
        if found is not None:
            return found
    return answers(challenger, asked, replay.needs), None


def _latencies(tally: ReplayAggregate, name: str, values: NDArray[np.float64]) -> None:
    known = values[np.isfinite(values) & (values >= 0)]
    if known.size:
        tally.histograms[name] = tally.histograms.get(name, LogHistogram()) + LogHistogram.of(known)


def _fitted(
    replay: Replay, frame: pd.DataFrame, said: Answers, failed: Mask
) -> tuple[Answers, Mask]:
    """The champion's answers with its fit to each row, which no serving system records."""
    compared = any(claim.metric.uses == "fit" and claim.comparative for claim in replay.claims)
    if not compared or replay.champion is None:
        return said, failed
    needs = replace(replay.needs, scores=False)
    again = answers(replay.champion, model_features(replay.champion, frame), needs)
    fitted = replace(said, fits=again.fits)
    return fitted, unfailed(failed, fitted)


def refused_requests(frame: pd.DataFrame, replay: Replay) -> Mask:
    """Requests that the champion answered with an error."""
    if replay.production is None or "error" not in frame.columns:
        return np.zeros(len(frame), dtype=bool)
    return np.asarray(frame["error"].notna())


def model_features(model: Predictor, frame: pd.DataFrame) -> Any:
    return features(frame, model.columns, REQUEST_COLUMNS)
