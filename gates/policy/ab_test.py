"""The policy of an A/B test. Standard library only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from model_lifecycle.registry.domain.errors import InvalidInput

from .criteria import against
from .fields import (
    no_unknown_fields,
    validate_choice,
    validate_column,
    validate_float,
    validate_int,
)
from .serialization import policy_document

KINDS = ("proportion", "mean", "ratio")
MISSING = ("unknown", "zero")
_FIRST = frozenset(
    ("outcomes", "unit", "share", "alpha", "min_units", "expected_units", "min_days", "max_days")
)


@dataclass(frozen=True)
class OutcomeDemand:
    """One outcome: not worse than the champion's arm by ``margin`` or more; 0 requires better.

    ``kind`` is ``proportion`` (the share of units with the outcome at least once), ``mean`` (the
    sum of ``column`` per unit) or ``ratio`` (sum of ``column`` over sum of ``per``, for example
    revenue per click). ``column`` is one of the outcomes' columns, or ``label``.

    ``missing`` is what a request without the outcome means: ``unknown``, or ``zero`` where the log
    writes nothing when nothing came of it. ``bound`` is the largest value that one unit can have,
    in the unit of ``column``: larger ones count as that. It says how much rare large values could
    change, and goes with ``mean`` and ``ratio``.
    """

    column: str
    kind: str = "proportion"
    margin: float = 0.0
    higher_is_better: bool = True
    per: str | None = None
    missing: str = "unknown"
    bound: float | None = None

    def __post_init__(self) -> None:
        validate_column(self.column, "outcome.column")
        where = f"outcome {self.column}"
        validate_choice(self.kind, KINDS, f"{where}.kind")
        validate_float(self.margin, f"{where}.margin", at_least=0)
        object.__setattr__(self, "margin", float(self.margin))
        if not isinstance(self.higher_is_better, bool):
            raise InvalidInput(f"{where}.higher_is_better must be true or false", field=where)
        if (self.kind == "ratio") != (self.per is not None):
            raise InvalidInput(
                f"{where}.per, a column, goes with kind 'ratio', and only there", field=where
            )
        if self.per is not None:
            validate_column(self.per, f"{where}.per")
        validate_choice(self.missing, MISSING, f"{where}.missing")
        if self.bound is not None:
            if self.kind == "proportion":
                raise InvalidInput(
                    f"{where}.bound goes with kind 'mean' or 'ratio'; a proportion is at most 1",
                    field=f"{where}.bound",
                )
            validate_float(self.bound, f"{where}.bound", above=0)
            object.__setattr__(self, "bound", float(self.bound))

    @property
    def name(self) -> str:
        return self.column if self.per is None else f"{self.column}/{self.per}"

    def __str__(self) -> str:
        side = "higher is better" if self.higher_is_better else "lower is better"
        bound = "" if self.bound is None else f", counted up to {self.bound:g} a unit"
        missing = ", a missing one being 0" if self.missing == "zero" else ""
        return f"{self.kind} of {self.name} {against(self.margin)} ({side}{bound}{missing})"

    def document(self) -> dict[str, Any]:
        """The outcome as plain JSON; later fields only where they differ from their defaults."""
        later = {"missing": "unknown", "bound": None}
        return {
            name: value
            for name, value in asdict(self).items()
            if name not in later or value != later[name]
        }


@dataclass(frozen=True)
class ABPolicy:
    """The requirements of live traffic that is split between champion and challenger.

    ``unit`` is the column of what was assigned (a user), ``share`` the challenger's part of units,
    ``salt`` what the assignment was salted with (see :func:`~.assignment.arm`); with it, each
    unit's arm is checked. No verdict before ``min_units`` units in each arm and ``min_days`` days;
    ``max_days`` ends a test of live traffic. The intervals are tightest at ``expected_units``.
    Requests younger than ``label_horizon_hours`` are left out.

    In each arm ``min_outcome_coverage`` of requests must have their outcome, and the shares of
    units that lack one may differ by ``max_missing_gap`` between the arms, or by chance; else the
    test is INVALID. A PASS also stands with the missing outcomes at their worst, unless their share
    is at most ``tolerated_missing``. Means that differ by a factor above ``max_level_ratio`` are
    INVALID: they are of different units. An outcome of which one unit holds more than
    ``max_unit_share`` is not decided.
    """

    outcomes: tuple[OutcomeDemand, ...] = ()
    unit: str = "unit_id"
    share: float = 0.5
    alpha: float = 0.05
    min_units: int = 1000
    expected_units: int = 10_000
    min_days: int = 7
    max_days: int = 28
    salt: str | None = None
    label_horizon_hours: float = 0.0
    min_outcome_coverage: float = 0.95
    max_missing_gap: float = 0.01
    tolerated_missing: float = 0.0
    max_unit_share: float = 0.1
    max_level_ratio: float = 10.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "outcomes", tuple(self.outcomes))
        if not self.outcomes or not all(isinstance(x, OutcomeDemand) for x in self.outcomes):
            raise InvalidInput(
                "ab_test.outcomes must be a list of at least one OutcomeDemand",
                field="ab_test.outcomes",
            )
        if len({item.name for item in self.outcomes}) < len(self.outcomes):
            raise InvalidInput(
                "ab_test.outcomes contains the same outcome twice", field="ab_test.outcomes"
            )
        validate_column(self.unit, "ab_test.unit")
        if self.salt is not None:
            validate_column(self.salt, "ab_test.salt")
        validate_float(self.share, "ab_test.share", above=0, below=1)
        validate_float(self.alpha, "ab_test.alpha", above=0, below=0.5)
        validate_float(self.label_horizon_hours, "ab_test.label_horizon_hours", at_least=0)
        for name, least in (("min_units", 100), ("expected_units", 1), ("min_days", 1)):
            validate_int(getattr(self, name), f"ab_test.{name}", at_least=least)
        validate_int(self.max_days, "ab_test.max_days", at_least=self.min_days)
        validate_float(
            self.min_outcome_coverage, "ab_test.min_outcome_coverage", above=0, at_most=1
        )
        for name in ("max_missing_gap", "tolerated_missing"):
            validate_float(getattr(self, name), f"ab_test.{name}", at_least=0, below=1)
        validate_float(self.max_unit_share, "ab_test.max_unit_share", above=0, at_most=1)
        validate_float(self.max_level_ratio, "ab_test.max_level_ratio", above=1)
        for name in (
            *("share", "alpha", "label_horizon_hours", "min_outcome_coverage"),
            *("max_missing_gap", "tolerated_missing", "max_unit_share", "max_level_ratio"),
        ):
            object.__setattr__(self, name, float(getattr(self, name)))

    @property
    def columns(self) -> tuple[str, ...]:
        """The outcomes' columns."""
        names = [name for item in self.outcomes for name in (item.column, item.per) if name]
        return tuple(sorted(set(names)))

    @property
    def needs_labels(self) -> bool:
        """Whether an outcome is the label, which comes later than its request."""
        return "label" in self.columns

    @property
    def block(self) -> str:
        """How often one looks: days, since people behave alike from day to day."""
        return "day"

    @property
    def longest(self) -> timedelta:
        """After how long a test of live traffic ends."""
        return timedelta(days=self.max_days)

    def document(self) -> dict[str, Any]:
        """The policy as plain JSON."""
        return policy_document(self, _FIRST)

    @classmethod
    def from_document(cls, document: Any) -> ABPolicy:
        """A policy from plain JSON. Raises :class:`InvalidInput`."""
        if document == {}:
            raise InvalidInput(
                "the model's policy has no section for the A/B test; add one with set_policy",
                field="policy.ab_test",
            )
        values = no_unknown_fields(cls, document, "ab_test")
        items = values.get("outcomes", ())
        if not isinstance(items, Sequence) or isinstance(items, str):
            raise InvalidInput("ab_test.outcomes must be a list", field="ab_test.outcomes")
        return cls(**{**values, "outcomes": tuple(map(outcome_from_document, items))})


def outcome_from_document(item: Any) -> OutcomeDemand:
    """An outcome from plain JSON. Raises :class:`InvalidInput`."""
    values = no_unknown_fields(OutcomeDemand, item, "ab_test.outcomes")
    if "column" not in values:
        raise InvalidInput("ab_test.outcomes needs 'column'", field="ab_test.outcomes")
    return OutcomeDemand(**values)
