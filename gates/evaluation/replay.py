"""Replay: the answers of both models to the requests that the champion answered, hour by hour.

Pure of I/O: accepts rows and returns a :class:`~..aggregates.replay.ReplayAggregate`, so that
partitions can be replayed on many workers and added. Only latencies depend on the clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..aggregates.distributions import Distributions, Edges
from ..aggregates.paired import Judgeable, cells, delays, run_concurrently
from ..aggregates.replay import ReplayAggregate, Source
from ..aggregates.unlabelled import labels_by_score, worst_sums
from ..checks.label_values import drawn_labels, shown_label, unfit_labels
from ..checks.self_replay import Precision, columns_of_one, replay_pairs, self_replay
from ..data.columns import column_problems, features, require_column
from ..data.latency_benchmark import time_interleaved
from ..data.pairing import Day, Mask, Paired, categories_unknown, mirrored, served, unfailed
from ..data.predictions import FITS, Needs, answers, clipped, scored
from ..data.request_ids import request_keys
from ..data.traffic import REQUEST_COLUMNS, Batch
from ..metrics.classes import Classes
from ..metrics.definitions import CLASSIFICATION, CLUSTERING, REGRESSION
from ..metrics.losses import Answers
from ..policy.hypotheses import Hypothesis
from ..statistics.log_histogram import LogHistogram

if TYPE_CHECKING:
    from model_lifecycle.registry.frameworks.protocol import Predictor

    from ..data.request_ids import Keys

#: So many requests of each batch get a prediction where only scores are judged.
PREDICTED_SAMPLE = 2000


@dataclass(frozen=True)
class Replay:
    """What is the same for every batch of a test. Without a champion all recorded requests
    are replayed, whoever answered. ``mature_until``: later requests are left out, their labels
    being early ones. ``challenger`` is None where its answers were recorded too (``candidate`` is
    its version then). ``warm_until``: served latencies count from then on. ``timed_calls``: so
    many single requests of each day's first batch are timed, or of every batch. ``classes`` are
    those of the labels, ``positive`` the policy's positive label."""

    claims: tuple[Hypothesis, ...]
    block: str
    challenger: Predictor | None
    champion: Predictor | None
    production: int | None
    mature_until: datetime
    model_type: str
    candidate: int = 0
    unit: str = "block"
    cluster: str | None = None
    identity: str = ""
    edges: Edges | None = None
    feature_time: str | None = None
    warm_until: datetime | None = None
    timed_calls: int = 0
    times_every_batch: bool = False
    judges_errors: bool = False
    categories: Mapping[str, frozenset[str]] = field(default_factory=dict)
    classes: Classes | None = None
    positive: Any = None
    #: The challenger where its answers were recorded: a sample of them is put to it again.
    recorded: Predictor | None = None
    tolerance: float | None = None

    @property
    def needs(self) -> Needs:
        """What the challenger is asked for."""
        names = {claim.metric.name for claim in self.claims if claim.metric.uses == "fit"}
        fits = tuple(name for name in FITS if name in names)
        return Needs(self.positive, fits, scores=self.model_type == CLASSIFICATION)

    def classes_of(self, model: Predictor | None) -> Sequence[Any] | None:
        """The classes in the order of a model's recorded probabilities."""
        named = None if model is None else model.classes
        return named or (None if self.classes is None else self.classes.values)


def replay_batch(replay: Replay, batch: Batch, day: Day) -> ReplayAggregate:
    """The tally of a batch's rows, by block. ``day`` is that of the batch.

    Rows whose columns do not match the signature of either model are counted as such, and not
    judged. Raises :class:`InvalidDataset` when a column of the policy is missing.
    """
    counts: Counter[str] = Counter(read=sum(hour.rows for hour in batch.hours))
    counts.update(batch.counts)
    tally = ReplayAggregate(
        counts=counts,
        sources=[Source(hour.name, hour.digest, hour.rows) for hour in batch.hours],
        identity=replay.identity,
    )
    unlike = _unlike(replay, batch)
    if unlike:
        counts["unlike_signature"] += len(batch.frame)
        tally.tables["signature"] = Counter({unlike: len(batch.frame)})
        return tally
    for name in (replay.feature_time, replay.cluster):
        require_column(batch.frame, name, batch.name)
    times = replay.times_every_batch or not day.begun
    paired = _paired(replay, batch.frame, day, tally)
    if paired is None:
        return tally
    if times:
        tally.histograms.update(_timed(replay, paired.frame))
    places = day.places(paired.ids)
    labelled = places >= 0
    labels = day.values[places] if len(day.values) else np.full(labelled.size, np.nan)
    answered = (
        np.ones(labelled.size, dtype=bool)
        if paired.champion is None
        else ~_refused(paired.frame, replay)
    )
    counts["labelled"] += int((labelled & answered).sum())
    if labelled.any():
        counts["conflicting_labels"] += int(day.conflicting[places[labelled]].sum())
    judged = paired.usable & labelled
    if any(claim.metric.labels for claim in replay.claims):
        unfit = unfit_labels(replay.model_type, labels, judged, replay.classes)
        judged &= ~unfit
        if unfit.any():
            tally.tables["unfit labels"] = Counter(
                {shown_label(labels[unfit][0]): int(unfit.sum())}
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
        tally.tables["classes"] = Counter({str(value): 1 for value in replay.classes.values})
    tally.blocks = cells(replay.claims, replay.unit, rows)
    tally.tables.update(run_concurrently(replay.model_type, rows, labelled))
    by_score = labels_by_score(replay.edges, rows, labelled)
    if by_score:
        tally.tables["labels by score"] = by_score
    tally.unlabelled = worst_sums(replay.claims, rows, _classes(replay, day), replay.edges)
    tally.histograms.update(delays(rows, day, places))
    alone = columns_of_one(replay.challenger or replay.recorded, replay.champion)
    if alone:
        tally.tables["columns of the challenger alone"] = Counter(
            dict.fromkeys(alone, len(paired.frame))
        )
    if judged.any():
        tally.distributions = Distributions.of(
            replay.edges,
            drawn_labels(labels[judged], replay.classes),
            {who: x.of(judged) for who, x in paired.said.items()},
        )
    return tally


def block_name(block: str, hour: datetime) -> str:
    """The block that an hour belongs to: names sort by time."""
    return f"{hour:%Y-%m-%d}" if block == "day" else f"{hour:%Y-%m-%d %H:00}"


def fitting_edges(replay: Replay, batch: Batch, day: Day) -> Edges | None:
    """Where the bins of a regression's plots lie, from the first rows of a test."""
    if _unlike(replay, batch):
        return None
    places = day.places(request_keys(batch.frame["request_id"]))
    known = batch.frame[places >= 0]
    if known.empty:
        return None
    said = served(known)[0]
    if replay.challenger is not None:
        said = answers(replay.challenger, _features(replay.challenger, known))
    good = ~unfailed(np.zeros(len(known), dtype=bool), said)
    if not good.any():
        return None
    return Edges.fitting(replay.model_type, day.values[places[places >= 0]][good], said.of(good))


def _unlike(replay: Replay, batch: Batch) -> str:
    """How the batch's columns differ from those of the models; empty where they do not."""
    found = {
        problem: None
        for model in (replay.challenger, replay.champion)
        if model is not None
        for problem in column_problems(batch.frame, model.columns)
    }
    return ", ".join(found)


def _paired(replay: Replay, frame: pd.DataFrame, day: Day, tally: ReplayAggregate) -> Paired | None:
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
    refused = _refused(frame, replay)
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
            replay_pairs(replay.recorded, (frame, ids), others, _precision(replay), tally)
    champion, champion_failed = None, np.zeros(len(frame), dtype=bool)
    if replay.production is not None:
        champion, champion_failed = served(frame, replay.classes_of(replay.champion), counts)
        champion, champion_failed = _fitted(replay, frame, champion, champion_failed)
        counts["champion_unusable"] += int((champion_failed & ~_refused(frame, replay)).sum())
        if "latency_ms" in frame.columns:
            latency = frame["latency_ms"].to_numpy(dtype=float, na_value=np.nan)
            _latencies(tally, "champion served", latency[warm])
            counts["champion_without_latency"] += int(
                (~np.isfinite(latency) & ~champion_failed).sum()
            )
    counts["challenger_unusable"] += int(failed.sum())
    if replay.champion is not None and champion is not None:
        self_replay(replay.champion, frame, (champion, ~champion_failed), _precision(replay), tally)
    return Paired(frame, ids, said, failed, champion, champion_failed, predicted)


def _replayed(
    replay: Replay, challenger: Predictor, frame: pd.DataFrame
) -> tuple[Answers, Mask | None]:
    """The challenger's answers. Where no demand needs its predictions, a sample of them is enough
    for the report, and scores are asked for alone."""
    asked = _features(challenger, frame)
    scores_do = all(claim.metric.uses == "score" for claim in replay.claims)
    if scores_do and replay.claims and len(frame) > PREDICTED_SAMPLE:
        sample = np.unique(np.linspace(0, len(frame) - 1, PREDICTED_SAMPLE).astype(np.int64))
        found = scored(challenger, asked, sample, replay.needs)
        if found is not None:
            return found
    return answers(challenger, asked, replay.needs), None


def _refused(frame: pd.DataFrame, replay: Replay) -> Mask:
    """Requests that the champion answered with an error."""
    if replay.production is None or "error" not in frame.columns:
        return np.zeros(len(frame), dtype=bool)
    return np.asarray(frame["error"].notna())


def _latencies(tally: ReplayAggregate, name: str, values: NDArray[np.float64]) -> None:
    known = values[np.isfinite(values) & (values >= 0)]
    if known.size:
        tally.histograms[name] = tally.histograms.get(name, LogHistogram()) + LogHistogram.of(known)


def _timed(replay: Replay, frame: pd.DataFrame) -> dict[str, LogHistogram]:
    """Latencies of single requests; none where the challenger's answers were recorded."""
    if replay.challenger is None or not replay.timed_calls:
        return {}
    models = {"challenger": replay.challenger}
    if replay.champion is not None:
        models = {"champion": replay.champion, **models}
    return time_interleaved(models, frame, replay.timed_calls)


def _fitted(
    replay: Replay, frame: pd.DataFrame, said: Answers, failed: Mask
) -> tuple[Answers, Mask]:
    """The champion's answers with its fit to each row, which no serving system records."""
    compared = any(claim.metric.uses == "fit" and claim.comparative for claim in replay.claims)
    if not compared or replay.champion is None:
        return said, failed
    needs = replace(replay.needs, scores=False)
    again = answers(replay.champion, _features(replay.champion, frame), needs)
    fitted = replace(said, fits=again.fits)
    return fitted, unfailed(failed, fitted)


def _model_clusters(replay: Replay) -> Sequence[Any]:
    """The clusters that the challenger has."""
    if replay.model_type != CLUSTERING or replay.challenger is None:
        return ()
    return replay.challenger.classes or ()


def _precision(replay: Replay) -> Precision:
    return Precision(replay.model_type == REGRESSION, replay.tolerance, Needs(replay.positive))


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
    places = {name: place for place, name in enumerate(dict.fromkeys(names))}
    codes = [places[name] for name in names]
    return tuple(places), np.repeat(codes, [hour.kept for hour in batch.hours])


def _clusters(column: str, frame: pd.DataFrame, what: str) -> NDArray[Any]:
    require_column(frame, column, what)
    return np.asarray(frame[column].astype(str).to_numpy(dtype=object))


def _features(model: Predictor, frame: pd.DataFrame) -> Any:
    return features(frame, model.columns, REQUEST_COLUMNS)
