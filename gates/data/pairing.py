"""Pairs of answers: which recorded requests are judged, with the answers of both models."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model_lifecycle.registry.domain.canonical_json import digest_bytes

from ..metrics.losses import Answers
from .columns import finite
from .predictions import clipped, recorded
from .request_ids import hash_request_ids
from .traffic import LabelData

if TYPE_CHECKING:
    from .request_ids import Keys

Mask = NDArray[np.bool_]


@dataclass
class Day:
    """One day's labels by request, and the requests read so far, in order of their keys: the only
    state between batches, dropped with the day."""

    index: pd.Index[Any] = field(default_factory=lambda: pd.Index([], dtype="uint64"))
    values: NDArray[Any] = field(default_factory=lambda: np.empty(0))
    labelled_at: NDArray[np.datetime64] = field(
        default_factory=lambda: np.empty(0, dtype="datetime64[ns]")
    )
    request_keys: Keys = field(default_factory=lambda: np.empty(0, dtype=np.uint64))
    #: Which labels are one of several, not all the same, of their request.
    conflicting: Mask = field(default_factory=lambda: np.empty(0, dtype=bool))

    @classmethod
    def of(cls, labels: LabelData | None, request_keys: Keys | None = None) -> Day:
        day = cls()
        if request_keys is not None:
            day.request_keys = np.sort(request_keys)
        if labels is not None and len(labels.frame):
            frame = labels.frame
            at = pd.to_datetime(frame["labelled_at"], utc=True, errors="coerce")
            day.index = pd.Index(labels.keys)
            day.values = frame["label"].to_numpy()
            day.labelled_at = at.dt.tz_localize(None).to_numpy(dtype="datetime64[ns]")
            day.conflicting = labels.conflicting
        return day

    @property
    def begun(self) -> bool:
        """Whether any of its requests were read."""
        return bool(self.request_keys.size)

    def new(self, ids: Keys) -> Mask:
        """Which of the requests are new; they are not new from now on. The time depends on the
        size of the batch, not on the number of requests before."""
        arrived = np.sort(ids)
        once = np.ones(ids.size, dtype=bool)
        once[1:] = arrived[1:] != arrived[:-1]
        arrived = arrived[once]
        positions = np.searchsorted(self.request_keys, arrived)
        known = positions < self.request_keys.size
        known[known] = self.request_keys[positions[known]] == arrived[known]
        fresh = np.ones(ids.size, dtype=bool)
        if known.any() or not once.all():
            each = pd.Series(ids)
            fresh = ~(each.duplicated() | each.isin(arrived[known])).to_numpy()
        self.request_keys = np.insert(self.request_keys, positions[~known], arrived[~known])
        return fresh

    def labels_digest(self) -> str:
        """Changes when a label of the requests read is added, removed or replaced."""
        positions = self.label_positions(self.request_keys)
        known = positions >= 0
        if not known.any():
            return ""
        chosen = positions[known]
        rows = pd.DataFrame(
            {
                "request": self.request_keys[known],
                "label": self.values[chosen],
                "labelled_at": self.labelled_at[chosen],
                "conflicting": self.conflicting[chosen],
            }
        )
        return digest_bytes(pd.util.hash_pandas_object(rows, index=False).to_numpy().tobytes())

    def label_positions(self, ids: Keys) -> NDArray[np.int64]:
        """Where each request's label is; -1 for none."""
        if not len(self.index):
            return np.full(ids.size, -1, dtype=np.int64)
        return np.asarray(self.index.get_indexer(pd.Index(ids)))


@dataclass(frozen=True)
class Paired:
    """Requests with each model's answers; ``failed`` marks requests without a usable answer.
    ``champion`` is None where there is none to compare with."""

    frame: pd.DataFrame
    ids: Keys
    challenger: Answers
    challenger_failed: Mask
    champion: Answers | None
    champion_failed: Mask
    #: Requests for which the challenger's prediction is known; None: all of them.
    predicted: Mask | None = None

    @property
    def answers_by_model(self) -> dict[str, Answers]:
        answers = {"challenger": self.challenger}
        return answers if self.champion is None else {**answers, "champion": self.champion}

    @property
    def usable(self) -> Mask:
        """Requests that every model answered."""
        return np.asarray(~(self.challenger_failed | self.champion_failed))


def unfailed(failed: Mask, answers: Answers) -> Mask:
    """Which requests have no usable answer."""
    return np.asarray(failed | ~finite(answers))


def served(
    frame: pd.DataFrame, classes: Sequence[Any] | None = None, counts: Counter[str] | None = None
) -> tuple[Answers, Mask]:
    """The answers of a version with these ``classes`` to its rows, and which it left out; scores
    that rounding put outside of 0 to 1 are counted in ``counts``."""
    answers, rounded = clipped(recorded(frame, classes))
    if counts is not None:
        counts["scores_rounded"] += rounded
    error = frame["error"].notna().to_numpy() if "error" in frame.columns else False
    return answers, unfailed(np.zeros(len(frame), dtype=bool) | error, answers)


def mirrored(
    frame: pd.DataFrame,
    ids: Keys,
    others: pd.DataFrame,
    counts: Counter[str],
    classes: Sequence[Any] | None = None,
) -> tuple[Answers, Mask, NDArray[np.float64]]:
    """The challenger's recorded answers to the champion's requests, which have none, and its
    latencies. A request without an answer counts as one that failed."""
    theirs = hash_request_ids(others["request_id"]) if len(others) else np.empty(0, dtype=np.uint64)
    first = ~pd.Series(theirs).duplicated().to_numpy()
    counts["challenger_duplicates"] += int((~first).sum())
    others, theirs = others[first], theirs[first]
    counts["without_champion"] += int((~np.isin(theirs, ids)).sum())
    if not len(others):
        counts["without_challenger"] += len(frame)
        nothing = Answers(np.full(len(frame), None, dtype=object), None)
        return nothing, np.ones(len(frame), dtype=bool), np.full(len(frame), np.nan)
    at = pd.Index(theirs).get_indexer(pd.Index(ids))
    missing = at < 0
    counts["without_challenger"] += int(missing.sum())
    answers, failed = served(others, classes, counts)
    latency = (
        others["latency_ms"].to_numpy(dtype=float, na_value=np.nan)
        if "latency_ms" in others.columns
        else np.full(len(others), np.nan)
    )
    return answers.of(at), failed[at] | missing, np.where(missing, np.nan, latency[at])


def categories_unknown(frame: pd.DataFrame, known: Mapping[str, frozenset[str]]) -> int:
    """Requests with a category that the model's training data did not have."""
    unknown = np.zeros(len(frame), dtype=bool)
    for column, values in known.items():
        if column in frame.columns:
            unknown |= ~frame[column].astype(str).isin(values).to_numpy()
    return int(unknown.sum())
