"""Policies of the gates as frozen values, and their plain-JSON form in the ledger.

Standard library only, so that DAG files can state a policy without a heavy import. Every wrong
value is an :class:`InvalidInput` that names its field: a misspelt limit must not pass for none.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import Any

from model_lifecycle.registry.domain.errors import InvalidInput
from model_lifecycle.registry.domain.promotion_policy import PromotionPolicy

from ..metrics.definitions import metric
from .ab_test import ABPolicy, OutcomeDemand
from .criteria import Comparison, LatencyLimit, Limit, SliceLimit, check_criteria
from .fields import (
    validate_bool,
    validate_choice,
    validate_column,
    validate_float,
    validate_int,
    validate_label,
)
from .serialization import policy_arguments, policy_document
from .shadow import ShadowPolicy

__all__ = [
    "ABPolicy",
    "Comparison",
    "LatencyLimit",
    "Limit",
    "OutcomeDemand",
    "ShadowPolicy",
    "SliceLimit",
    "ValidationPolicy",
    "promotion_policy",
]

UNITS = ("row", "hour", "day", "cluster")
IDENTICAL_ROWS = ("cluster", "independent")


@dataclass(frozen=True)
class ValidationPolicy:
    """Requirements on held-out labelled rows, judged once.

    ``label`` is the label's column. ``unit`` is what counts as independent: each ``row``; all
    rows of an ``hour`` or ``day`` (UTC) of the column ``time``; or all rows with one value of the
    column ``cluster``. ``alpha`` bounds both a wrong PASS and a wrong FAIL. Below ``min_rows``
    rows, or ``min_units`` units other than rows, the gate stays INCONCLUSIVE. A challenger whose
    signature lacks a column of the champion's is INVALID unless ``may_drop_columns``; one that
    takes a column as another type is INVALID always.

    ``positive_label`` is the label whose probability scores are, where labels are not 0 and 1;
    without it the model's own order of classes decides. ``identical_rows`` decides what rows with
    the same features and label count as: one observation (``cluster``), or each one
    (``independent``), for features that take few values. ``require_training_check`` makes the gate
    INVALID where it is unknown whether a model was trained on the rows."""

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
    may_drop_columns: bool = False
    positive_label: str | int | float | bool | None = None
    identical_rows: str = "cluster"
    require_training_check: bool = False

    def __post_init__(self) -> None:
        check_criteria(self, "validation")
        validate_column(self.label, "validation.label")
        validate_choice(self.unit, UNITS, "validation.unit")
        for name in ("time", "cluster"):
            if getattr(self, name) is not None:
                validate_column(getattr(self, name), f"validation.{name}")
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
        validate_float(self.alpha, "validation.alpha", above=0, below=0.5)
        object.__setattr__(self, "alpha", float(self.alpha))
        validate_int(self.min_rows, "validation.min_rows", at_least=2)
        validate_int(self.min_units, "validation.min_units", at_least=2)
        validate_bool(self.may_drop_columns, "validation.may_drop_columns")
        validate_bool(self.require_training_check, "validation.require_training_check")
        validate_label(self.positive_label, "validation.positive_label")
        validate_choice(self.identical_rows, IDENTICAL_ROWS, "validation.identical_rows")

    def document(self) -> dict[str, Any]:
        """The policy as plain JSON."""
        return policy_document(self, _FIRST)

    @property
    def needs_labels(self) -> bool:
        """Whether any demand needs labels."""
        names = [
            *(item.metric for item in self.comparisons),
            *(item.metric for item in self.limits),
            *(item.metric for item in self.slices),
        ]
        return any(metric(name).labels for name in names)

    @classmethod
    def from_document(cls, document: Any) -> ValidationPolicy:
        """A policy from plain JSON. Raises :class:`InvalidInput`."""
        return cls(**policy_arguments(cls, document, "validation"))


#: Fields that are always written; later ones only where they differ from their defaults.
_FIRST = frozenset(item.name for item in fields(ValidationPolicy)) - {
    *("may_drop_columns", "positive_label", "identical_rows", "require_training_check"),
}


def promotion_policy(
    *,
    validation: ValidationPolicy,
    shadow: ShadowPolicy | None = None,
    ab_test: ABPolicy | None = None,
    require_approval: bool = False,
    evidence_max_age_days: float = 30,
    require_onnx: bool = False,
    required_checks: Collection[str] = (),
    trusted_keys: Collection[str] = (),
) -> PromotionPolicy:
    """The model's promotion policy from those of its gates. Raises :class:`InvalidInput`."""
    return PromotionPolicy(
        validation=validation.document(),
        shadow=shadow.document() if shadow else {},
        ab_test=ab_test.document() if ab_test else {},
        require_approval=require_approval,
        evidence_max_age_days=evidence_max_age_days,
        require_onnx=require_onnx,
        required_checks=tuple(required_checks),
        trusted_keys=tuple(trusted_keys),
    )
