"""Replay: the challenger answers the requests that the champion answered, one partition at a time.

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
from .traffic import REQUEST_COLUMNS, PartitionData

if TYPE_CHECKING:
    from model_lifecycle.registry.frameworks.protocol import Predictor

#: So many requests of each partition are also put to the champion, to see that the replay of
#: recorded requests gives what was served.
SELF_REPLAY_SAMPLE = 200
#: A slice's column has at most so many values; an id is no slice.
MOST_SLICE_VALUES = 200


@dataclass(frozen=True)
class Replay:
    """What is the same for every partition of a test. Without a champion all recorded requests
    are replayed, whoever answered. ``mature_until``: later requests are left out, their labels
    being early ones. ``edges`` of the plots come from the first rows, see :meth:`with_edges`."""

    claims: tuple[Claim, ...]
    challenger: Predictor
    champion: Predictor | None
    production: int | None
    mature_until: datetime
    model_type: str
    edges: Edges | None = None


@dataclass
class Day:
    """One day's labels by request id, and the request ids seen on it: the only state kept between
    partitions, dropped with the day."""

    labels: pd.Series[Any] | None = None
    seen: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, labels: PartitionData | None) -> Day:
        if labels is None:
            return cls()
        frame = labels.frame
        return cls(pd.Series(frame["label"].to_numpy(), index=frame["request_id"].astype(str)))


def replay_partition(replay: Replay, block: str, name: str, data: PartitionData, day: Day) -> Tally:
    """The tally of one partition's rows, all belonging to ``block``.

    Raises :class:`InvalidDataset` when its columns do not match the signature of either model.
    """
    what = f"traffic of {name}"
    check_columns(data.frame, replay.challenger.columns, what)
    if replay.champion is not None:
        check_columns(data.frame, replay.champion.columns, what)
    counts: Counter[str] = Counter(read=len(data.frame))
    source = Source(name, data.digest, len(data.frame))
    frame = _judged_requests(replay, data.frame, day, counts)
    if frame.empty:
        return Tally(counts=counts, sources=[source])
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
        return Tally(counts=counts, sources=[source])
    kept = {who: item.of(usable) for who, item in said.items()}
    truth = labels[usable]
    return Tally(
        {block: _cells(replay, frame[usable], truth, kept, what)},
        counts,
        Distributions.of(replay.edges, truth, kept),
        [source],
    )


def fitting_edges(replay: Replay, data: PartitionData, day: Day) -> Edges | None:
    """Where the bins of the plots lie, from the first rows of a test."""
    frame = data.frame
    labels, labelled = _labels(frame, day)
    if not labelled.any():
        return None
    said = answers(replay.challenger, _features(replay.challenger, frame[labelled]))
    good = finite(said)
    if not good.any():
        return None
    return Edges.fitting(replay.model_type, labels[labelled][good], said.of(good))


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
    if day.labels is None:
        return np.full(len(frame), np.nan), np.zeros(len(frame), dtype=bool)
    at = day.labels.index.get_indexer(frame["request_id"].astype(str))
    return day.labels.to_numpy()[at], at >= 0


def _cells(
    replay: Replay,
    frame: pd.DataFrame,
    labels: NDArray[Any],
    said: Mapping[str, Answers],
    what: str,
) -> dict[Key, Cell]:
    cells: dict[Key, Cell] = {}
    for claim in replay.claims:
        challenger = losses(claim.metric, labels, said["challenger"], claim.bound)
        champion = (
            losses(claim.metric, labels, said["champion"], claim.bound)
            if "champion" in said
            else None
        )
        x = claim.values(champion, challenger)
        for value, rows in _parts(frame, claim, what):
            cells[claim.key, value] = Cell.of(
                x[rows], None if champion is None else champion[rows], challenger[rows]
            )
    return cells


def _parts(
    frame: pd.DataFrame, claim: Claim, what: str
) -> list[tuple[str | None, slice | NDArray[np.bool_]]]:
    """The rows of each value of a slice's column; all rows of other claims."""
    if claim.column is None:
        return [(None, slice(None))]
    if claim.column not in frame.columns:
        raise InvalidDataset(f"{what} lacks the column {claim.column}, which the policy names")
    values = frame[claim.column].astype(str).to_numpy(dtype=object)
    names = np.unique(values)
    if names.size > MOST_SLICE_VALUES:
        raise InvalidDataset(
            f"{what}: column {claim.column} has {names.size} values, too many for slices; at most "
            f"{MOST_SLICE_VALUES}"
        )
    return [(str(name), values == name) for name in names]


def _features(model: Predictor, frame: pd.DataFrame) -> Any:
    return features(frame, model.columns, REQUEST_COLUMNS)
