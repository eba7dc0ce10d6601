"""The policy of a shadow test. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any, cast

from model_lifecycle.registry.domain.errors import InvalidInput

from ..metrics.definitions import metric
from .criteria import Comparison, LatencyLimit, Limit, SliceLimit, check_criteria
from .fields import validate_choice, validate_column, validate_float, validate_int, validate_label
from .label_maturity import block_length
from .serialization import policy_arguments, policy_document

BLOCKS = ("hour", "day")
UNITS = ("block", "cluster", "request")
MODES = ("replay", "mirrored")
WEIGHTINGS = ("requests", "blocks")

#: ``min_blocks`` and ``expected_blocks`` of a policy that does not state them, by its block.
_COUNTS = {"hour": (30, 168), "day": (14, 28)}
#: Stands for the number in :data:`_COUNTS` until the policy is built.
_BY_BLOCK = cast(int, None)
_WEEK_HOURS = 168.0


@dataclass(frozen=True)
class ShadowPolicy:
    """The requirements of recorded traffic, judged after every block.

    ``unit`` is what counts as independent. ``block``, the default: one ``hour`` or ``day`` of
    requests, since requests of one block depend on each other. ``cluster``: all requests with one
    value of the column ``cluster`` (a user). ``request``: each one, judged by an exact test; it is
    refused where requests turn out to depend on each other (a design effect above 1.5).

    ``weighting`` is what the estimate is a mean of: ``requests``, each with the same weight, or
    ``blocks``, each with the same weight however many requests it has.

    No verdict before ``min_blocks`` blocks, ``min_requests`` requests and ``min_duration_hours``
    from the first block to the last: a week, since weekdays and weekends differ. Blocks of
    different sizes count as their effective number, (sum of sizes)² / sum of squared sizes; 14 days
    or 30 hours are required where the policy states no number. Intervals are tightest at
    ``expected_blocks`` (or clusters; 28 days or 168 hours) and valid at every look; fix it in
    advance. Requests younger than ``label_horizon_hours`` are left out even if their label came,
    since early labels are not like late ones.

    ``mode`` is ``replay`` (the challenger answers the champion's recorded requests) or
    ``mirrored`` (the serving system logged the answers of both). ``feature_time`` names a column
    with the time of the newest feature. ``max_duration_days`` ends a test of live traffic.

    A label coverage below ``min_label_coverage``, a champion that answers less than
    ``min_replay_agreement`` of its own requests as recorded, or mirrored requests of which less
    than ``min_join_rate`` have both answers, make the test INVALID; so do shares of labelled
    requests that differ by more than ``max_label_gap`` between two decisions of the champion, or
    between its low and high scores, and more than ``max_label_conflicts`` of requests with labels
    that contradict each other. A PASS stands with the missing labels at their worst, unless their
    share is at most ``tolerated_unlabelled``. ``replay_tolerance`` is how far a recorded score (or
    predicted number) may be from the champion's answer; None: by the precision of the log.
    Labels whose level is not that of the scores by a factor above ``max_level_ratio`` are INVALID.

    ``positive_label`` is the label whose probability the recorded scores are, where labels are not
    0 and 1; without it the models' own order of classes decides.

    Raises InvalidInput for a value that makes no sense, and for values that together never allow a
    PASS.
    """

    comparisons: tuple[Comparison, ...] = ()
    limits: tuple[Limit, ...] = ()
    slices: tuple[SliceLimit, ...] = ()
    block: str = "day"
    alpha: float = 0.05
    min_blocks: int = _BY_BLOCK
    min_requests: int = 1000
    expected_blocks: int = _BY_BLOCK
    label_horizon_hours: float = 0.0
    min_label_coverage: float = 0.95
    min_replay_agreement: float = 0.999
    unit: str = "block"
    cluster: str | None = None
    latency: tuple[LatencyLimit, ...] = ()
    mode: str = "replay"
    min_join_rate: float = 0.99
    min_duration_hours: float = _WEEK_HOURS
    max_duration_days: float = 28.0
    feature_time: str | None = None
    max_label_gap: float = 0.05
    weighting: str = "requests"
    positive_label: str | int | float | bool | None = None
    max_label_conflicts: float = 0.01
    tolerated_unlabelled: float = 0.0
    replay_tolerance: float | None = None
    max_level_ratio: float = 10.0

    def __post_init__(self) -> None:
        check_criteria(self, "shadow")
        object.__setattr__(self, "latency", tuple(self.latency))
        if not all(isinstance(item, LatencyLimit) for item in self.latency):
            raise InvalidInput(
                "shadow.latency must be a list of LatencyLimit", field="shadow.latency"
            )
        validate_label(self.positive_label, "shadow.positive_label")
        validate_choice(self.block, BLOCKS, "shadow.block")
        validate_choice(self.unit, UNITS, "shadow.unit")
        validate_choice(self.mode, MODES, "shadow.mode")
        validate_choice(self.weighting, WEIGHTINGS, "shadow.weighting")
        for name, default in zip(
            ("min_blocks", "expected_blocks"), _COUNTS[self.block], strict=True
        ):
            if getattr(self, name) is None:
                object.__setattr__(self, name, default)
        if (self.unit == "cluster") != (self.cluster is not None):
            raise InvalidInput(
                "shadow.cluster, a column, goes with shadow.unit 'cluster', and only there",
                field="shadow.cluster",
            )
        for name in ("cluster", "feature_time"):
            if getattr(self, name) is not None:
                validate_column(getattr(self, name), f"shadow.{name}")
        validate_float(self.alpha, "shadow.alpha", above=0, below=0.5)
        validate_int(self.min_blocks, "shadow.min_blocks", at_least=10)
        validate_int(self.min_requests, "shadow.min_requests", at_least=100)
        validate_int(self.expected_blocks, "shadow.expected_blocks", at_least=1)
        for name in ("label_horizon_hours", "min_duration_hours"):
            validate_float(getattr(self, name), f"shadow.{name}", at_least=0)
        validate_float(self.max_duration_days, "shadow.max_duration_days", above=0)
        for name in ("min_label_coverage", "min_replay_agreement", "min_join_rate"):
            validate_float(getattr(self, name), f"shadow.{name}", above=0, at_most=1)
        for name in ("max_label_gap", "max_label_conflicts", "tolerated_unlabelled"):
            validate_float(getattr(self, name), f"shadow.{name}", at_least=0, at_most=1)
        validate_float(self.max_level_ratio, "shadow.max_level_ratio", above=1)
        if self.replay_tolerance is not None:
            validate_float(self.replay_tolerance, "shadow.replay_tolerance", above=0)
            object.__setattr__(self, "replay_tolerance", float(self.replay_tolerance))
        for name in (
            *("alpha", "label_horizon_hours", "min_label_coverage", "min_replay_agreement"),
            *("min_join_rate", "min_duration_hours", "max_duration_days", "max_label_gap"),
            *("max_label_conflicts", "tolerated_unlabelled", "max_level_ratio"),
        ):
            object.__setattr__(self, name, float(getattr(self, name)))
        self._require_reachable()

    def _require_reachable(self) -> None:
        """The values together allow a PASS. Raises :class:`InvalidInput` with the numbers."""
        days = f"max_duration_days {self.max_duration_days:g}"
        most = self.longest // block_length(self.block)
        blocks = f"{most} {self.block}{'' if most == 1 else 's'}"
        if self.min_blocks > most:
            raise InvalidInput(
                f"this policy can never PASS: shadow.min_blocks {self.min_blocks} requires more "
                f"than the {blocks} of {days}; lower min_blocks, or raise max_duration_days",
                field="shadow.min_blocks",
            )
        if timedelta(hours=self.min_duration_hours) > self.longest:
            raise InvalidInput(
                f"this policy can never PASS: shadow.min_duration_hours "
                f"{self.min_duration_hours:g} is longer than {days} "
                f"({24 * self.max_duration_days:g} hours); lower min_duration_hours, or raise "
                "max_duration_days",
                field="shadow.min_duration_hours",
            )
        if self.unit == "block" and self.expected_blocks > most:
            raise InvalidInput(
                f"shadow.expected_blocks {self.expected_blocks} lies beyond the {blocks} of "
                f"{days}, so that intervals would be tightest after the test has ended; lower "
                "expected_blocks, or raise max_duration_days",
                field="shadow.expected_blocks",
            )
        if self.weighting == "blocks" and self.unit != "block":
            raise InvalidInput(
                f"shadow.weighting 'blocks' goes with shadow.unit 'block', not {self.unit!r}",
                field="shadow.weighting",
            )
        always = [item for item in self.limits if item.applies == "always"]
        if self.mode == "mirrored" and not (self.comparisons or always):
            raise InvalidInput(
                "this policy can never PASS: a mirrored test has a champion, and all its limits "
                "are for a first version; state a comparison, or a limit that always applies",
                field="shadow.limits",
            )

    @property
    def longest(self) -> timedelta:
        """After how long a test of live traffic ends."""
        return timedelta(days=self.max_duration_days)

    @property
    def judges_errors(self) -> bool:
        """Whether missing answers are a demand of their own."""
        return "errors" in self._stated()

    @property
    def needs_labels(self) -> bool:
        """Whether any demand needs labels."""
        return any(metric(name).labels for name in self._stated())

    def _stated(self) -> set[str]:
        return {
            *(item.metric for item in self.comparisons),
            *(item.metric for item in self.limits),
            *(item.metric for item in self.slices),
        }

    def document(self) -> dict[str, Any]:
        """The policy as plain JSON, with every value: a later release's defaults do not change
        the fields of a stored policy."""
        return policy_document(
            self, frozenset(item.name for item in fields(self)) - {"positive_label"}
        )

    @classmethod
    def from_document(cls, document: Any) -> ShadowPolicy:
        """A policy from plain JSON. Raises :class:`InvalidInput`."""
        return cls(**policy_arguments(cls, document, "shadow"))
