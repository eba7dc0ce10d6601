"""Checks of slices: which values of a column were judged, and how the others are counted.

No value is left out in silence: values below the policy's ``min_rows`` are counted, and values
beyond its ``max_values`` keep the gate from PASS unless the policy ignores them.
"""

from __future__ import annotations

from collections.abc import Iterable

from model_lifecycle.registry.domain.evidence import Verdict

from ..formatting import count, plural
from ..policy.slices import SliceSelection
from ..report import Check


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
