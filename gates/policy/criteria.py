"""The kinds of demand a policy can make of a version, each by one measure.

``Comparison`` is relative to the version in production, ``Limit`` is absolute, ``SliceLimit``
holds for every part of the data, ``LatencyLimit`` for a quantile of the time to answer. Standard
library only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from model_lifecycle.registry.domain.errors import InvalidInput

from ..metrics.definitions import Metric, metric
from .fields import (
    validate_choice,
    validate_column,
    validate_float,
    validate_int,
)

APPLIES = ("always", "first_version")
UNJUDGED = ("inconclusive", "ignore")
#: At most so many values of a slice's column are judged by default.
MOST_SLICES = 1000


@dataclass(frozen=True)
class Comparison:
    """Not worse than the champion by ``margin`` or more; ``margin=0`` requires better.

    ``margin`` is in the measure's own unit. ``bound`` clips the loss of one request, for measures
    without a largest loss (errors of a regression), so that one request cannot decide.
    """

    metric: str
    margin: float
    bound: float | None = None

    def __post_init__(self) -> None:
        measure = metric(self.metric, field="comparison.metric")
        where = f"comparison {self.metric}"
        if not measure.compares:
            raise InvalidInput(
                f"{where}: {_not_which_is_better(measure)}; state a limit", field=where
            )
        validate_float(self.margin, f"{where}.margin", at_least=0)
        if measure.span is not None and self.margin >= measure.span:
            raise InvalidInput(
                f"{where}.margin {self.margin} allows everything: {measure.title} is at most "
                f"{measure.span:g}",
                field=f"{where}.margin",
            )
        if self.bound is not None:
            validate_float(self.bound, f"{where}.bound", above=0)
        _floats(self, "margin", "bound")

    def __str__(self) -> str:
        clipped = f", losses counted up to {self.bound:g}" if self.bound is not None else ""
        return f"{metric(self.metric).title} {against(self.margin)}{clipped}"

    def document(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Limit:
    """The measure itself is below ``maximum`` or above ``minimum``: a confidence bound, not the
    estimate. ``applies`` is ``always`` or ``first_version`` (only while there is no champion)."""

    metric: str
    minimum: float | None = None
    maximum: float | None = None
    applies: str = "always"

    def __post_init__(self) -> None:
        measure = metric(self.metric, field="limit.metric")
        if measure.differs and self.applies == "first_version":
            raise InvalidInput(
                f"limit {self.metric} needs a champion, and a first version has none",
                field=f"limit {self.metric}.applies",
            )
        _one_of(self, ("minimum", "maximum"), f"limit {self.metric}")
        only = {"smallest_cluster": "minimum", "largest_cluster": "maximum"}.get(self.metric)
        if only is not None and getattr(self, only) is None:
            raise InvalidInput(
                f"limit {self.metric} takes a {only}, which then holds for every cluster",
                field=f"limit {self.metric}",
            )
        validate_choice(self.applies, APPLIES, f"limit {self.metric}.applies")
        _require_reachable(self, f"limit {self.metric}")
        _floats(self, "minimum", "maximum")

    def __str__(self) -> str:
        when = ", for the first version" if self.applies == "first_version" else ""
        return f"{metric(self.metric).title} {_within(self.minimum, self.maximum)}{when}"

    def document(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class SliceLimit:
    """For every value of ``column``: ``maximum``, ``minimum``, or ``margin`` against the champion.

    A slice that is shown to break its limit blocks the version. A slice with too little data to
    show anything does not, and is reported; slices of fewer than ``min_rows`` rows are counted in
    the report and not judged. Of more than ``max_values`` values the largest are judged, and the
    gate stays ``inconclusive`` about the others, unless ``unjudged`` is ``ignore``.
    """

    column: str
    metric: str
    minimum: float | None = None
    maximum: float | None = None
    margin: float | None = None
    min_rows: int = 100
    max_values: int = MOST_SLICES
    unjudged: str = "inconclusive"

    def __post_init__(self) -> None:
        measure = metric(self.metric, field="slice.metric")
        if not measure.compares and self.margin is not None:
            raise InvalidInput(
                f"slice {self.column}.{self.metric}: {_not_which_is_better(measure)}; state a "
                "maximum or minimum",
                field=f"slice {self.column}.{self.metric}",
            )
        if measure.uses == "share":
            raise InvalidInput(
                f"slice {self.column}.{self.metric}: {measure.title} is judged over all rows; "
                "state a limit",
                field=f"slice {self.column}.{self.metric}",
            )
        where = f"slice {self.column}.{self.metric}"
        validate_column(self.column, f"{where}.column")
        _one_of(self, ("minimum", "maximum", "margin"), where)
        if self.margin is not None:
            validate_float(self.margin, f"{where}.margin", at_least=0)
        _require_reachable(self, where)
        validate_int(self.min_rows, f"{where}.min_rows", at_least=2)
        validate_int(self.max_values, f"{where}.max_values", at_least=1)
        validate_choice(self.unjudged, UNJUDGED, f"{where}.unjudged")
        _floats(self, "minimum", "maximum", "margin")

    def __str__(self) -> str:
        requirement = (
            _within(self.minimum, self.maximum) if self.margin is None else against(self.margin)
        )
        return (
            f"for every {self.column} with {self.min_rows} rows or more: "
            f"{metric(self.metric).title} {requirement}"
        )

    def document(self) -> dict[str, Any]:
        """The limit as plain JSON; what later releases added is left out at its default, so that a
        policy keeps its fingerprint."""
        later = {"max_values": MOST_SLICES, "unjudged": "inconclusive"}
        return {
            name: value
            for name, value in asdict(self).items()
            if name not in later or value != later[name]
        }


@dataclass(frozen=True)
class LatencyLimit:
    """A quantile of the time to answer: at most ``ratio`` times the champion's, or at most
    ``maximum_ms``. Shown by bands of both quantiles, valid at every look."""

    quantile: float = 0.95
    ratio: float | None = None
    maximum_ms: float | None = None

    def __post_init__(self) -> None:
        validate_float(self.quantile, "latency.quantile", above=0, below=1)
        _one_of(self, ("ratio", "maximum_ms"), "latency")
        for name in ("ratio", "maximum_ms"):
            if getattr(self, name) is not None:
                validate_float(getattr(self, name), f"latency.{name}", above=0)
        _floats(self, "quantile", "ratio", "maximum_ms")

    def __str__(self) -> str:
        most = (
            f"{self.maximum_ms:g} ms"
            if self.ratio is None
            else f"{self.ratio:g} times the champion's"
        )
        return f"{100 * self.quantile:g}th percentile of latency below {most}"

    def document(self) -> dict[str, Any]:
        return asdict(self)


def _not_which_is_better(measure: Metric) -> str:
    if measure.differs:
        return f"{measure.title} measures how the models differ, not which is better"
    return f"{measure.title} describes a clustering, not which is better"


def against(margin: float) -> str:
    return (
        f"worse than the champion's by less than {margin:g}"
        if margin
        else "better than the champion's"
    )


def _within(minimum: float | None, maximum: float | None) -> str:
    return f"above {minimum:g}" if minimum is not None else f"below {maximum:g}"


def check_criteria(policy: Any, gate: str) -> None:
    """The policy's demands are of their types, not repeated, and there is at least one."""
    for name, kind in CRITERIA.items():
        criteria = getattr(policy, name)
        if not isinstance(criteria, Sequence) or not all(
            isinstance(item, kind) for item in criteria
        ):
            raise InvalidInput(
                f"{gate}.{name} must be a list of {kind.__name__}", field=f"{gate}.{name}"
            )
        object.__setattr__(policy, name, tuple(criteria))
        if len(set(criteria)) < len(criteria):
            raise InvalidInput(
                f"{gate}.{name} contains the same demand twice", field=f"{gate}.{name}"
            )
    if not policy.comparisons and not policy.limits:
        raise InvalidInput(
            f"{gate} needs at least one comparison or limit: a gate that requires nothing "
            "proves nothing",
            field=gate,
        )
    stated = [*policy.comparisons, *policy.limits, *policy.slices]
    for item in stated:
        if gate == "shadow" and not metric(item.metric).traffic:
            raise InvalidInput(
                f"shadow cannot judge {item.metric}: it takes all rows at once; state it for "
                "validation, and for traffic inertia, log_likelihood or cluster_agreement",
                field=f"{gate}.{item.metric}",
            )
        by_blocks = gate == "shadow" and metric(item.metric).uses in ("share", "table")
        if by_blocks and policy.unit != "block":
            raise InvalidInput(
                f"shadow judges {item.metric} by blocks only; set unit: block",
                field=f"{gate}.unit",
            )
        if by_blocks and policy.weighting != "requests":
            raise InvalidInput(
                f"shadow judges {item.metric} over all requests; set weighting: requests",
                field=f"{gate}.weighting",
            )
        if gate == "shadow" and metric(item.metric).uses == "fit" and policy.mode == "mirrored":
            raise InvalidInput(
                f"shadow judges {item.metric} by asking the model, and a mirrored test only has "
                "recorded answers; set mode: replay",
                field=f"{gate}.mode",
            )
    _require_agreement(policy.limits, gate)
    _require_agreement(policy.slices, gate)
    types = [set(metric(item.metric).model_types) for item in stated]
    shared = [kinds for kinds in types if kinds]
    if shared and not set.intersection(*shared):
        every = sorted(set.union(*shared))
        raise InvalidInput(f"{gate} mixes measures of {' and of '.join(every)}", field=gate)


def _require_reachable(item: Limit | SliceLimit, where: str) -> None:
    """Some values of the measure meet the limit, and some do not. Raises
    :class:`InvalidInput`."""
    measure = metric(item.metric)
    title, (low, high) = measure.title, measure.range
    problem = ""
    if item.maximum is not None and item.maximum <= low:
        problem = f"maximum {item.maximum:g} can never be met: {title} is never below {low:g}"
    elif item.maximum is not None and item.maximum >= high:
        problem = f"maximum {item.maximum:g} allows everything: {title} is at most {high:g}"
    elif item.minimum is not None and item.minimum >= high:
        problem = f"minimum {item.minimum:g} can never be met: {title} is never above {high:g}"
    elif item.minimum is not None and item.minimum <= low:
        problem = f"minimum {item.minimum:g} allows everything: {title} is never below {low:g}"
    elif isinstance(item, SliceLimit) and item.margin is not None and item.margin >= high - low:
        problem = f"margin {item.margin:g} allows everything: {title} is {low:g} to {high:g}"
    if problem:
        raise InvalidInput(f"{where}.{problem}", field=f"{where}.{problem.split(' ', 1)[0]}")


def _require_agreement(items: Sequence[Limit | SliceLimit], gate: str) -> None:
    """No measure has to be above one value and below a smaller one. Raises
    :class:`InvalidInput`."""
    for low in items:
        for high in items:
            if low.minimum is None or high.maximum is None or _subject(low) != _subject(high):
                continue
            if low.minimum >= high.maximum:
                raise InvalidInput(
                    f"this policy can never PASS: of {gate}, no {metric(low.metric).title} is "
                    f"both above {low.minimum:g} and below {high.maximum:g}; change the minimum "
                    "or the maximum",
                    field=f"{gate}.{low.metric}",
                )


def _subject(item: Limit | SliceLimit) -> tuple[str | None, str]:
    return (item.column if isinstance(item, SliceLimit) else None, item.metric)


def _one_of(criterion: Any, names: Sequence[str], where: str) -> None:
    stated = [name for name in names if getattr(criterion, name) is not None]
    if len(stated) != 1:
        raise InvalidInput(f"{where} needs exactly one of {', '.join(names)}", field=where)
    validate_float(getattr(criterion, stated[0]), f"{where}.{stated[0]}")


def _floats(criterion: Any, *names: str) -> None:
    """One way to write each number, so that equal policies have one fingerprint."""
    for name in names:
        value = getattr(criterion, name)
        object.__setattr__(criterion, name, None if value is None else float(value))


#: The types of the demands in each field of a policy.
CRITERIA: dict[str, type] = {"comparisons": Comparison, "limits": Limit, "slices": SliceLimit}
