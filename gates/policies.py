"""What a gate must show: policies as frozen values, and their plain-JSON form in the ledger.

Standard library only, so that DAG files can state a policy without a heavy import. Every wrong
value is an :class:`InvalidInput` that names its field: a misspelt limit must not pass for none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from model_lifecycle.registry.rules.errors import InvalidInput
from model_lifecycle.registry.rules.policy import PromotionPolicy

from .thresholds import Comparison, Limit, SliceLimit, check_claims, claims_from_document
from .values import choice, column, no_unknown_fields, number, whole

__all__ = [
    "Comparison",
    "Limit",
    "ShadowPolicy",
    "SliceLimit",
    "ValidationPolicy",
    "promotion_policy",
]

UNITS = ("row", "hour", "day", "cluster")
BLOCKS = ("hour", "day")


@dataclass(frozen=True)
class ValidationPolicy:
    """What held-out labelled rows must show, judged once.

    ``label`` is the label's column. ``unit`` says what counts as independent: each ``row``; all
    rows of an ``hour`` or ``day`` (UTC) of the column ``time``; or all rows with one value of the
    column ``cluster``. ``alpha`` bounds both a wrong PASS and a wrong FAIL. Below ``min_rows``
    rows, or ``min_units`` units other than rows, the gate stays INCONCLUSIVE.
    """

    comparisons: tuple[Comparison, ...] = ()
    limits: tuple[Limit, ...] = ()
    slices: tuple[SliceLimit, ...] = ()
    label: str = "label"
    unit: str = "row"
    time: str | None = None
    cluster: str | None = None
    alpha: float = 0.05
    min_rows: int = 200
    min_units: int = 10

    def __post_init__(self) -> None:
        check_claims(self, "validation")
        column(self.label, "validation.label")
        choice(self.unit, UNITS, "validation.unit")
        for name in ("time", "cluster"):
            if getattr(self, name) is not None:
                column(getattr(self, name), f"validation.{name}")
        if self.unit in ("hour", "day") and self.time is None:
            raise InvalidInput(
                f"validation.unit {self.unit!r} needs validation.time, the column with the time "
                "of each row",
                field="validation.time",
            )
        if (self.unit == "cluster") != (self.cluster is not None):
            raise InvalidInput(
                "validation.cluster, a column, goes with validation.unit 'cluster', and only there",
                field="validation.cluster",
            )
        number(self.alpha, "validation.alpha", above=0, below=0.5)
        object.__setattr__(self, "alpha", float(self.alpha))
        whole(self.min_rows, "validation.min_rows", at_least=2)
        whole(self.min_units, "validation.min_units", at_least=2)

    def document(self) -> dict[str, Any]:
        """The policy as plain JSON."""
        return _document(self)

    @classmethod
    def from_document(cls, document: Any) -> ValidationPolicy:
        """A policy from plain JSON. Raises :class:`InvalidInput`."""
        return cls(**_arguments(cls, document, "validation"))


@dataclass(frozen=True)
class ShadowPolicy:
    """What replayed traffic must show, looked at after every block.

    A block is one ``hour`` or ``day`` of requests and counts as one unit, since requests of one
    block depend on each other. No verdict before ``min_blocks`` blocks and ``min_requests``
    requests. The interval is tightest at ``expected_blocks`` and valid at every look; fix it in
    advance. Requests younger than ``label_horizon_hours`` are left out even if their label came,
    since early labels are not like late ones. A label coverage below ``min_label_coverage``, or a
    champion that answers less than ``min_replay_agreement`` of its own requests as recorded,
    makes the test INVALID.
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

    def __post_init__(self) -> None:
        check_claims(self, "shadow")
        choice(self.block, BLOCKS, "shadow.block")
        number(self.alpha, "shadow.alpha", above=0, below=0.5)
        whole(self.min_blocks, "shadow.min_blocks", at_least=10)
        whole(self.min_requests, "shadow.min_requests", at_least=100)
        whole(self.expected_blocks, "shadow.expected_blocks", at_least=1)
        number(self.label_horizon_hours, "shadow.label_horizon_hours", at_least=0)
        for name in ("min_label_coverage", "min_replay_agreement"):
            number(getattr(self, name), f"shadow.{name}", above=0, at_most=1)
        for name in ("alpha", "label_horizon_hours", "min_label_coverage", "min_replay_agreement"):
            object.__setattr__(self, name, float(getattr(self, name)))

    def document(self) -> dict[str, Any]:
        """The policy as plain JSON."""
        return _document(self)

    @classmethod
    def from_document(cls, document: Any) -> ShadowPolicy:
        """A policy from plain JSON. Raises :class:`InvalidInput`."""
        return cls(**_arguments(cls, document, "shadow"))


def promotion_policy(
    *,
    validation: ValidationPolicy,
    shadow: ShadowPolicy | None = None,
    require_approval: bool = False,
    evidence_max_age_days: float = 30,
) -> PromotionPolicy:
    """The model's promotion policy from those of its gates."""
    return PromotionPolicy(
        validation=validation.document(),
        shadow=shadow.document() if shadow else {},
        require_approval=require_approval,
        evidence_max_age_days=evidence_max_age_days,
    )


def _document(policy: ValidationPolicy | ShadowPolicy) -> dict[str, Any]:
    claims = {
        name: [claim.document() for claim in getattr(policy, name)]
        for name in ("comparisons", "limits", "slices")
    }
    return {**asdict(policy), **claims}


def _arguments(cls: type, document: Any, gate: str) -> dict[str, Any]:
    if isinstance(document, Mapping) and not document:
        raise InvalidInput(
            f"the model's policy says nothing about the {gate} gate; set one with set_policy",
            field=f"policy.{gate}",
        )
    values = no_unknown_fields(cls, document, gate)
    return {**values, **claims_from_document(values, gate)}
