"""Metrics of a clustering on rows: shares of clusters, silhouettes, agreement up to relabeling.

Rousseeuw (1987) for silhouettes. They compare rows with each other, in the columns that the
challenger takes and as they are, so that both models are measured by one distance.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model_lifecycle.registry.domain.errors import InvalidDataset

from .agreement import contingency, mutual_info_values, rand_values
from .definitions import Metric
from .losses import Floats

#: A silhouette takes the distances between all rows; of more rows, a sample of so many is used.
MOST_SILHOUETTE_ROWS = 10_000
#: A clustering of more clusters than this is not tabled.
MOST_CLUSTERS = 1000


def index_values(metric: Metric, first: NDArray[Any], second: NDArray[Any]) -> Floats:
    """Each row's value of an index of agreement between two clusterings; the rows' mean is the
    index. Raises :class:`InvalidDataset` for more than 1 000 clusters."""
    one, other = (cluster_codes(values, metric.title) for values in (first, second))
    table = contingency(one, other)
    values = mutual_info_values if metric.name == "adjusted_mutual_info" else rand_values
    return np.asarray(values(table)[one, other])


def cluster_codes(values: NDArray[Any], what: str) -> NDArray[np.int64]:
    """Clusters, or labels, as codes from 0."""
    codes, kinds = pd.factorize(values)
    if len(kinds) > MOST_CLUSTERS:
        raise InvalidDataset(
            f"{what}: there are {len(kinds)} clusters or labels, at most {MOST_CLUSTERS} are "
            "compared; are these ids?",
            field="label",
        )
    return np.asarray(codes, dtype=np.int64)


def cluster_names(
    predictions: NDArray[Any], named: Sequence[Any] | None
) -> tuple[tuple[str, Any], ...]:
    """The clusters by name: those that the model has, whether or not a row is in them, else those
    that have rows."""
    values = pd.unique(predictions).tolist() if named is None else [*named]
    if named is not None:
        known = set(named)
        values += [value for value in pd.unique(predictions).tolist() if value not in known]
    return tuple((str(value), value) for value in sorted(values, key=_order))


def silhouette_sample(frame: pd.DataFrame, most: int = MOST_SILHOUETTE_ROWS) -> NDArray[np.bool_]:
    """Which rows silhouettes are computed for: all, or a sample that does not depend on the order
    of the rows."""
    if len(frame) <= most:
        return np.ones(len(frame), dtype=bool)
    hashes = pd.util.hash_pandas_object(frame, index=False).to_numpy()
    chosen = np.zeros(len(frame), dtype=bool)
    chosen[np.argsort(hashes, kind="stable")[:most]] = True
    return chosen


def silhouettes(frame: pd.DataFrame, clusters: NDArray[Any], sample: NDArray[np.bool_]) -> Floats:
    """Each sampled row's silhouette among the sampled rows, NaN for the others; 0 for all where
    there is one cluster, or none with two rows.

    Raises :class:`InvalidDataset`, naming the column, for values that are no finite numbers.
    """
    from sklearn.metrics import silhouette_samples

    codes = cluster_codes(clusters[sample], "silhouette")
    values = np.full(len(frame), np.nan)
    values[sample] = 0.0
    if 1 < len(np.unique(codes)) < codes.size:
        values[sample] = silhouette_samples(_matrix(frame[sample]), codes)
    return values


def _matrix(frame: pd.DataFrame) -> Floats:
    for name in frame.columns:
        try:
            column = frame[name].to_numpy(dtype=float, na_value=np.nan)
        except (TypeError, ValueError):
            raise InvalidDataset(
                f"silhouette needs numbers, and column {name} has {frame[name].dtype}; state "
                "another measure, such as inertia",
                field="dataset",
            ) from None
        missing = int((~np.isfinite(column)).sum())
        if missing:
            raise InvalidDataset(
                f"silhouette needs finite numbers, and column {name} has {missing} rows without "
                "one; leave them out, or state another measure, such as inertia",
                field="dataset",
            )
    return np.asarray(frame.to_numpy(dtype=float))


def _order(value: Any) -> tuple[bool, Any]:
    number = isinstance(value, int | float)
    return (not number, value if number else str(value))
