"""What a shadow test must show. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from model_lifecycle.registry.rules.errors import InvalidInput

from .metrics import metric
from .policy_documents import policy_arguments, policy_document
from .thresholds import Comparison, LatencyLimit, Limit, SliceLimit, check_claims
from .values import choice, column, number, whole

BLOCKS = ("hour", "day")
UNITS = ("block", "cluster", "request")
MODES = ("replay", "mirrored")

_FIRST = frozenset(
    (
        *("comparisons", "limits", "slices", "block", "alpha"),
        *("min_blocks", "min_requests", "expected_blocks"),
        *("label_horizon_hours", "min_label_coverage", "min_replay_agreement"),
    )
)


@dataclass(frozen=True)
class ShadowPolicy:
    """What traffic must show, looked at after every block.

    ``unit`` is what counts as independent. ``block``, the default: one ``hour`` or ``day`` of
    requests, since requests of one block depend on each other. ``cluster``: all requests with one
    value of the column ``cluster`` (a user). ``request``: each one, judged by an exact test; it is
    refused where requests turn out to depend on each other (a design effect above 1.5).

    No verdict before ``min_blocks`` blocks, ``min_requests`` requests and ``min_duration_hours``
    from the first block to the last. Intervals are tightest at ``expected_blocks`` (or clusters)
    and valid at every look; fix it in advance. Requests younger than ``label_horizon_hours`` are
    left out even if their label came, since early labels are not like late ones.

    ``mode`` is ``replay`` (the challenger answers the champion's recorded requests) or
    ``mirrored`` (the serving system logged the answers of both). ``feature_time`` names a column
    with the time of the newest feature. ``max_duration_days`` ends a test of live traffic.

    A label coverage below ``min_label_coverage``, a champion that answers less than
    ``min_replay_agreement`` of its own requests as recorded, or mirrored requests of which less
    than ``min_join_rate`` have both answers, make the test INVALID; so do shares of labelled
    requests that differ by more than ``max_label_gap`` between two decisions of the champion.
    """

    comparisons: tuple[Comparison, ...] = ()
    limits: tuple[Limit, ...] = ()
    slices: tuple[SliceLimit, ...] = ()
    block: str = "hour"
    alpha: float = 0.05
    min_blocks: int = 30
    min_requests: int = 1000
    expected_blocks: int = 100
    label_horizon_hours: float = 0.0
    min_label_coverage: float = 0.95
    min_replay_agreement: float = 0.999
    unit: str = "block"
    cluster: str | None = None
    latency: tuple[LatencyLimit, ...] = ()
    mode: str = "replay"
    min_join_rate: float = 0.99
    min_duration_hours: float = 0.0
    max_duration_days: float = 14.0
    feature_time: str | None = None
    max_label_gap: float = 0.05

    def __post_init__(self) -> None:
        check_claims(self, "shadow")
        object.__setattr__(self, "latency", tuple(self.latency))
        if not all(isinstance(item, LatencyLimit) for item in self.latency):
            raise InvalidInput(
                "shadow.latency must be a list of LatencyLimit", field="shadow.latency"
            )
        choice(self.block, BLOCKS, "shadow.block")
        choice(self.unit, UNITS, "shadow.unit")
        choice(self.mode, MODES, "shadow.mode")
        if (self.unit == "cluster") != (self.cluster is not None):
            raise InvalidInput(
                "shadow.cluster, a column, goes with shadow.unit 'cluster', and only there",
                field="shadow.cluster",
            )
        for name in ("cluster", "feature_time"):
            if getattr(self, name) is not None:
                column(getattr(self, name), f"shadow.{name}")
        number(self.alpha, "shadow.alpha", above=0, below=0.5)
        whole(self.min_blocks, "shadow.min_blocks", at_least=10)
        whole(self.min_requests, "shadow.min_requests", at_least=100)
        whole(self.expected_blocks, "shadow.expected_blocks", at_least=1)
        for name in ("label_horizon_hours", "min_duration_hours"):
            number(getattr(self, name), f"shadow.{name}", at_least=0)
        number(self.max_duration_days, "shadow.max_duration_days", above=0)
        for name in ("min_label_coverage", "min_replay_agreement", "min_join_rate"):
            number(getattr(self, name), f"shadow.{name}", above=0, at_most=1)
        number(self.max_label_gap, "shadow.max_label_gap", at_least=0, at_most=1)
        for name in (
            *("alpha", "label_horizon_hours", "min_label_coverage", "min_replay_agreement"),
            *("min_join_rate", "min_duration_hours", "max_duration_days", "max_label_gap"),
        ):
            object.__setattr__(self, name, float(getattr(self, name)))

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
        """Whether anything is asked that only labels can tell."""
        return any(metric(name).labels for name in self._stated())

    def _stated(self) -> set[str]:
        return {
            *(item.metric for item in self.comparisons),
            *(item.metric for item in self.limits),
            *(item.metric for item in self.slices),
        }

    def document(self) -> dict[str, Any]:
        """The policy as plain JSON."""
        return policy_document(self, _FIRST)

    @classmethod
    def from_document(cls, document: Any) -> ShadowPolicy:
        """A policy from plain JSON. Raises :class:`InvalidInput`."""
        return cls(**policy_arguments(cls, document, "shadow"))
