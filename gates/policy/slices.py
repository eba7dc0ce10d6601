"""Which values of a slice's column a gate judges, and how its report counts the others.

No value is left out in silence: values below the policy's ``min_rows`` are counted, and values
beyond its ``max_values`` keep the gate from PASS unless the policy ignores them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from model_lifecycle.registry.domain.evidence import Verdict

from ..formatting import count, plural
from ..report import Check
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


def slice_checks(selections: Iterable[SliceSelection], things: str) -> list[Check]:
    """One check for each hypothesis about slices; ``things`` names the rows (rows, requests)."""
    return [_check(selection, things) for selection in selections]


def _check(selection: SliceSelection, things: str) -> Check:
    hypothesis = selection.hypothesis
    every = len(selection.judged) + selection.small + selection.beyond
    message = (
        f"{count(len(selection.judged))} of {count(every)} {plural('value', every)} of "
        f"{hypothesis.column} judged by {hypothesis.metric.title}"
    )
    if selection.small:
        message += (
            f"; {count(selection.small)} with fewer than {count(hypothesis.min_rows)} {things} "
            f"each ({count(selection.small_rows)} in all) not judged, as set by min_rows"
        )
    if not selection.beyond:
        return Check("slices", True, message)
    message += (
        f"; {count(selection.beyond)} more ({count(selection.beyond_rows)} {things}) not judged: "
        f"the policy's max_values is {count(hypothesis.max_values)}"
    )
    if hypothesis.unjudged == "ignore":
        return Check(
            "slices", False, f"{message}; the policy ignores the others (unjudged: ignore)", None
        )
    return Check(
        "slices",
        False,
        f"{message}. Raise max_values, or state unjudged: ignore",
        Verdict.INCONCLUSIVE,
    )
