"""The choice of values of a slice's column that a gate judges, by the policy's limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .hypotheses import Hypothesis


@dataclass(frozen=True)
class SliceSelection:
    """The values of one hypothesis's column: ``judged``, largest first, and how many values with
    how many rows are ``small`` (below the hypothesis's ``min_rows``) or ``beyond`` its
    ``max_values``."""

    hypothesis: Hypothesis
    judged: tuple[str, ...]
    small: int = 0
    small_rows: int = 0
    beyond: int = 0
    beyond_rows: int = 0


def select_slices(hypothesis: Hypothesis, sizes: Mapping[str, int]) -> SliceSelection:
    """The values to judge, from the number of rows of each value; of equal sizes the first by
    name, so that the choice does not depend on the order of the data."""
    order = sorted(sizes, key=lambda value: (-sizes[value], value))
    large = [value for value in order if sizes[value] >= hypothesis.min_rows]
    judged, beyond = large[: hypothesis.max_values], large[hypothesis.max_values :]
    small = order[len(large) :]
    return SliceSelection(
        hypothesis,
        tuple(judged),
        len(small),
        sum(sizes[value] for value in small),
        len(beyond),
        sum(sizes[value] for value in beyond),
    )
