"""Replay: the challenger answers the requests that the champion answered, some hours at a time.

Pure of I/O and of the clock: rows in, a :class:`~.tally.Tally` out, so that partitions can be
replayed on many workers and added.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model_lifecycle.registry.rules.errors import InvalidDataset

from .claims import Claim
from .data_checks import check_columns, features, finite
from .distributions import Distributions, Edges
from .losses import Answers, losses
from .predicting import agreement, answers, recorded
from .tally import Cell, Key, Source, Tally
from .traffic import REQUEST_COLUMNS, Batch, PartitionData

if TYPE_CHECKING:
    from model_lifecycle.registry.frameworks.protocol import Predictor

#: So many requests of each batch are also put to the champion, to see that the replay of
#: recorded requests gives what was served.
SELF_REPLAY_SAMPLE = 500
#: A slice's column has at most so many values; an id is no slice.
MOST_SLICE_VALUES = 200


@dataclass(frozen=True)
class Replay:
    """What is the same for every batch of a test. Without a champion all recorded requests
    are replayed, whoever answered. ``mature_until``: later requests are left out, their labels
    being early ones. ``edges`` of the plots come from the first rows."""

    claims: tuple[Claim, ...]
    block: str
    challenger: Predictor
    champion: Predictor | None
    production: int | None
    mature_until: datetime
    model_type: str
    edges: Edges | None = None


@dataclass
class Day:
    """One day's labels by request id, and the request ids seen on it: the only state kept between
    batches, dropped with the day."""

    labels: pd.Series[Any] | None = None
    seen: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, labels: PartitionData | None) -> Day:
        if labels is None:
            return cls()
        frame = labels.frame
        return cls(pd.Series(frame["label"].to_numpy(), index=frame["request_id"].astype(str)))


def replay_batch(replay: Replay, batch: Batch, day: Day) -> Tally:
    """The tally of a batch's rows, by block. ``day`` is that of the batch.

    Raises :class:`InvalidDataset` when its columns do not match the signature of either model.
    """
    _check(replay, batch)
    counts: Counter[str] = Counter(read=len(batch.frame))
    sources = [Source(hour.name, hour.digest, hour.rows) for hour in batch.hours]
    frame = _judged_requests(replay, batch.frame, day, counts)
    if frame.empty:
        return Tally(counts=counts, sources=sources)
    said = {"challenger": answers(replay.challenger, _features(replay.challenger, frame))}
    if replay.champion is not None:
        said["champion"] = recorded(frame)
        _self_replay(replay.champion, frame, said["champion"], counts)
    usable = np.ones(len(frame), dtype=bool)
    for who, item in said.items():
        good = finite(item)
        counts[f"{who}_unusable"] += int((~good).sum())
        usable &= good
    labels, labelled = _labels(frame, day)
    counts["labelled"] += int(labelled.sum())
    usable &= labelled
    counts["judged"] += int(usable.sum())
    if not usable.any():
        return Tally(counts=counts, sources=sources)
    kept = {who: item.of(usable) for who, item in said.items()}
    judged = _Rows(
        frame[usable],
        labels[usable],
        kept,
        _blocks(replay.block, batch)[frame.index[usable]],
        batch.name,
    )
    return Tally(
        _cells(replay, judged),
        counts,
        Distributions.of(replay.edges, judged.labels, kept),
        sources,
    )


def block_name(block: str, hour: datetime) -> str:
    """The block that an hour belongs to: names sort by time."""
    return f"{hour:%Y-%m-%d}" if block == "day" else f"{hour:%Y-%m-%d %H:00}"


def fitting_edges(replay: Replay, batch: Batch, day: Day) -> Edges | None:
    """Where the bins of the plots lie, from the first rows of a test. Raises like
    :func:`replay_batch`."""
    _check(replay, batch)
    labels, labelled = _labels(batch.frame, day)
    if not labelled.any():
        return None
    said = answers(replay.challenger, _features(replay.challenger, batch.frame[labelled]))
    good = finite(said)
    if not good.any():
        return None
    return Edges.fitting(replay.model_type, labels[labelled][good], said.of(good))


@dataclass(frozen=True)
class _Rows:
    """Rows that are judged: with a label, a usable answer of each model, and their block."""

    frame: pd.DataFrame
    labels: NDArray[Any]
    said: Mapping[str, Answers]
    blocks: NDArray[Any]
    what: str


def _check(replay: Replay, batch: Batch) -> None:
    for model in (replay.challenger, replay.champion):
        if model is not None:
            check_columns(batch.frame, model.columns, batch.name)


def _blocks(block: str, batch: Batch) -> NDArray[Any]:
    names = np.array([block_name(block, hour.hour) for hour in batch.hours], dtype=object)
    return np.repeat(names, [hour.rows for hour in batch.hours])


def _judged_requests(
    replay: Replay, frame: pd.DataFrame, day: Day, counts: Counter[str]
) -> pd.DataFrame:
    """The requests that count: of the champion, mature, answered, each once."""
    if replay.production is not None:
        mine = (frame["role"] == "champion") & (frame["version"] == replay.production)
        counts["of_other_versions"] += int((~mine).sum())
        frame = frame[mine]
    mature = pd.to_datetime(frame["requested_at"], utc=True) <= replay.mature_until
    counts["immature"] += int((~mature).sum())
    frame = frame[mature]
    ids = frame["request_id"].astype(str)
    again = ids.duplicated() | ids.isin(day.seen)
    day.seen.update(ids)
    counts["duplicates"] += int(again.sum())
    frame = frame[~again]
    counts["requests"] += len(frame)
    if replay.champion is not None and "error" in frame.columns:
        failed = frame["error"].notna()
        counts["champion_errors"] += int(failed.sum())
        frame = frame[~failed]
    return frame


def _self_replay(
    champion: Predictor, frame: pd.DataFrame, served: Answers, counts: Counter[str]
) -> None:
    size = min(len(frame), SELF_REPLAY_SAMPLE)
    sample = np.unique(np.linspace(0, len(frame) - 1, size).astype(int))
    again = answers(champion, _features(champion, frame.iloc[sample]))
    counts["replayed"] += int(sample.size)
    counts["replayed_alike"] += int(agreement(served.of(sample), again).sum())


def _labels(frame: pd.DataFrame, day: Day) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Each row's label, and which rows have one."""
    if day.labels is None or day.labels.empty:
        return np.full(len(frame), np.nan), np.zeros(len(frame), dtype=bool)
    at = day.labels.index.get_indexer(frame["request_id"].astype(str))
    return day.labels.to_numpy()[at], at >= 0


def _cells(replay: Replay, rows: _Rows) -> dict[str, dict[Key, Cell]]:
    blocks: dict[str, dict[Key, Cell]] = {str(name): {} for name in np.unique(rows.blocks)}
    for claim in replay.claims:
        challenger = losses(claim.metric, rows.labels, rows.said["challenger"], claim.bound)
        champion = (
            losses(claim.metric, rows.labels, rows.said["champion"], claim.bound)
            if "champion" in rows.said
            else None
        )
        x = claim.values(champion, challenger)
        parts = _parts(claim, rows)
        for name, cells in blocks.items():
            here = rows.blocks == name
            for value, mask in parts:
                chosen = here if mask is None else here & mask
                if chosen.any():
                    cells[claim.key, value] = Cell.of(
                        x[chosen],
                        None if champion is None else champion[chosen],
                        challenger[chosen],
                    )
    return blocks


def _parts(claim: Claim, rows: _Rows) -> list[tuple[str | None, NDArray[np.bool_] | None]]:
    """The rows of each value of a slice's column; all rows of other claims."""
    if claim.column is None:
        return [(None, None)]
    if claim.column not in rows.frame.columns:
        raise InvalidDataset(f"{rows.what} lacks the column {claim.column}, which the policy names")
    values = rows.frame[claim.column].astype(str).to_numpy(dtype=object)
    names = np.unique(values)
    if names.size > MOST_SLICE_VALUES:
        raise InvalidDataset(
            f"{rows.what}: column {claim.column} has {names.size} values, too many for slices; at "
            f"most {MOST_SLICE_VALUES}"
        )
    return [(str(name), values == name) for name in names]


def _features(model: Predictor, frame: pd.DataFrame) -> Any:
    return features(frame, model.columns, REQUEST_COLUMNS)
