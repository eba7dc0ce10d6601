"""Whether recorded requests and answers are those of the version that they name: a sample of its
requests is put to it again, and the two rows of a mirrored request are compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..aggregates.replay import ReplayAggregate
from ..data.columns import column_problems, features
from ..data.pairing import Mask, served
from ..data.predictions import USUAL, Needs, answers
from ..data.replay_agreement import compare
from ..data.request_ids import hash_request_ids
from ..data.traffic import REQUEST_COLUMNS
from ..metrics.losses import Answers
from ..statistics.log_histogram import LogHistogram

if TYPE_CHECKING:
    from model_lifecycle.registry.frameworks.protocol import Column, Predictor

    from ..data.request_ids import Keys

#: So many requests of each batch are put to a version again.
SAMPLE = 500


@dataclass(frozen=True)
class Precision:
    """How recorded answers are compared. ``rounded``: predictions are numbers that a log may round,
    and not classes. ``tolerance`` is the policy's; None: by the recorded values. ``needs`` is what
    a version is put its requests for."""

    rounded: bool
    tolerance: float | None
    needs: Needs = USUAL


def self_replay(
    model: Predictor,
    frame: pd.DataFrame,
    recorded: tuple[Answers, Mask],
    precision: Precision,
    aggregate: ReplayAggregate,
    prefix: str = "",
) -> None:
    """Predict a sample of the requests again and count the answers that agree with the record.
    ``recorded`` are the answers and which of them are usable. ``prefix`` begins the names of what
    is counted; empty for the champion."""
    answered, usable = recorded
    positions = np.flatnonzero(usable)
    if not positions.size:
        return
    size = min(positions.size, SAMPLE)
    sample = positions[np.unique(np.linspace(0, positions.size - 1, size).astype(int))]
    again = answers(
        model, features(frame.iloc[sample], model.columns, REQUEST_COLUMNS), precision.needs
    )
    compared = compare(
        answered.of(sample),
        again,
        rounded=precision.rounded,
        tolerance=precision.tolerance,
    )
    aggregate.counts[f"{prefix}replayed"] += int(sample.size)
    aggregate.counts[f"{prefix}replayed_alike"] += int(compared.alike.sum())
    if compared.differences.size:
        name = f"{prefix}self-replay difference"
        differences = LogHistogram.of(compared.differences)
        aggregate.histograms[name] = aggregate.histograms.get(name, LogHistogram()) + differences


def replay_pairs(
    challenger: Predictor,
    requests: tuple[pd.DataFrame, Keys],
    others: pd.DataFrame,
    precision: Precision,
    aggregate: ReplayAggregate,
) -> None:
    """Compare the two rows of each mirrored request, and put a sample of the challenger's to it
    again. ``requests`` are the champion's rows with their keys, ``others`` the challenger's."""
    theirs, positions = _matched(requests[1], others)
    mine = requests[0].iloc[positions]
    columns = [item.name for item in challenger.columns or ()] or list(mine.columns)
    _count_unlike(mine, theirs, columns, aggregate.counts)
    rows = _given_rows(mine, theirs, challenger.columns)
    if rows is not None:
        answered, failed = served(theirs, challenger.classes)
        self_replay(challenger, rows, (answered, ~failed), precision, aggregate, "challenger ")


def columns_of_one(challenger: Predictor | None, champion: Predictor | None) -> list[str]:
    """Columns that only the challenger uses: the champion's self-replay cannot verify them."""
    if challenger is None or challenger.columns is None:
        return []
    if champion is None or champion.columns is None:
        return []
    known = {item.name for item in champion.columns}
    return sorted(item.name for item in challenger.columns if item.name not in known)


def _matched(ids: Keys, others: pd.DataFrame) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """The challenger's rows of the requests, each once, and to which request each one belongs."""
    theirs = hash_request_ids(others["request_id"])
    first = ~pd.Series(theirs).duplicated().to_numpy()
    positions = pd.Index(ids).get_indexer(pd.Index(theirs[first]))
    paired = positions >= 0
    return others[first][paired], np.asarray(positions[paired])


def _count_unlike(
    mine: pd.DataFrame, theirs: pd.DataFrame, columns: Sequence[str], counts: Counter[str]
) -> None:
    """Count the pairs whose features differ; a column that one version does not log is left out."""
    unlike = np.zeros(len(mine), dtype=bool)
    compared = False
    for name in columns:
        if name not in mine or name in REQUEST_COLUMNS:
            continue
        first, second = mine[name], theirs[name]
        if first.isna().all() or second.isna().all():
            continue
        compared = True
        unlike |= ~_same(first, second)
    if compared:
        counts["pairs_compared"] += len(mine)
        counts["pairs_unlike"] += int(unlike.sum())


def _same(first: pd.Series[object], second: pd.Series[object]) -> Mask:
    if all(pd.api.types.is_numeric_dtype(each.dtype) for each in (first, second)):
        return np.asarray(
            np.isclose(
                first.to_numpy(dtype=float, na_value=np.nan),
                second.to_numpy(dtype=float, na_value=np.nan),
                rtol=1e-6,
                atol=1e-9,
                equal_nan=True,
            )
        )
    texts = [each.astype(str).to_numpy(dtype=object) for each in (first, second)]
    return np.asarray(texts[0] == texts[1], dtype=bool)


def _given_rows(
    mine: pd.DataFrame, theirs: pd.DataFrame, columns: Sequence[Column] | None
) -> pd.DataFrame | None:
    """The rows that hold what the challenger was given: its own, or the champion's where its own
    have no features; None where neither has."""
    for rows in (theirs, mine):
        if columns is None:
            return rows
        names = [item.name for item in columns if item.name in rows]
        empty = any(rows[name].isna().all() for name in names)
        if not empty and not column_problems(rows, columns):
            return rows
    return None
