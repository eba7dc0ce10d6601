"""Counts of clusters within a block: what clusterings of traffic are judged by.

Tables of parts add up to that of all, so an index of agreement is that of all requests, not
a mean of the blocks' own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..metrics.clustering import cluster_codes
from ..metrics.definitions import Metric

#: How many requests are in each cluster, or in each pair of clusters as ``first|second``.
Table = Mapping[str, int]
Tables = Mapping[str, Table]


def by_table(metric: Metric) -> bool:
    """Whether the measure is judged from counts of clusters."""
    return metric.uses in ("share", "table")


def count_clusters(predictions: NDArray[Any], clusters: Sequence[Any]) -> Table:
    """How many rows are in each cluster; ``clusters`` are those that the model has, which count 0
    where no row is in them."""
    counts = {cluster_text(value): 0 for value in clusters}
    codes = cluster_codes(predictions, "share of clusters")
    kinds = pd.unique(predictions)
    for code, number in enumerate(np.bincount(codes, minlength=len(kinds)).tolist()):
        name = cluster_text(kinds[code])
        counts[name] = counts.get(name, 0) + number
    return counts


def count_pairs(first: NDArray[Any], second: NDArray[Any], what: str) -> Table:
    """How many rows are in each pair of clusters."""
    one, other = cluster_codes(first, what), cluster_codes(second, what)
    names, others = pd.unique(first), pd.unique(second)
    wide = max(len(others), 1)
    counts = np.bincount(one * wide + other, minlength=len(names) * wide)
    return {
        f"{cluster_text(names[index // wide])}|{cluster_text(others[index % wide])}": int(number)
        for index, number in enumerate(counts)
        if number
    }


def add_tables(first: Tables, second: Tables) -> dict[str, dict[str, int]]:
    """Both together; a cluster without rows stays one."""
    added = {who: dict(table) for who, table in first.items()}
    for who, table in second.items():
        mine = added.setdefault(who, {})
        for name, number in table.items():
            mine[name] = mine.get(name, 0) + number
    return added


def cluster_text(value: Any) -> str:
    """A cluster's name; 1 and 1.0 are one cluster."""
    if isinstance(value, int | float | np.number | np.bool_):
        return f"{float(value):g}"
    return str(value)
