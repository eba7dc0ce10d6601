"""The rows of a held-out data set that are judged, and what counts as one observation of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model_lifecycle.registry.domain.errors import InvalidDataset

from ..data.columns import check_columns, check_rows, features
from ..data.datasets import Dataset
from ..data.identical_rows import identical_groups
from ..formatting import count
from ..policy.hypotheses import Hypothesis
from ..policy.promotion import ValidationPolicy
from ..report import Check

if TYPE_CHECKING:
    from model_lifecycle.registry.frameworks.protocol import Predictor


@dataclass(frozen=True)
class HoldoutRows:
    """The rows that are judged: those that have a label, where one is needed, each request once.
    ``used`` are their features and labels, ``groups`` codes of rows with the same values in all of
    these, ``identical`` how many rows are the same as an earlier one."""

    frame: pd.DataFrame
    labels: NDArray[Any]
    used: pd.DataFrame
    groups: NDArray[np.int64]
    identical: int
    times: pd.Series[Any] | None
    own: tuple[str, ...]
    checks: tuple[Check, ...]

    @classmethod
    def of(
        cls,
        dataset: Dataset,
        policy: ValidationPolicy,
        demands: tuple[Hypothesis, ...],
        models: Mapping[str, Predictor],
    ) -> HoldoutRows:
        check_rows(dataset.frame, "the data set")
        label = policy.label if policy.needs_labels else None
        _require_columns(dataset.frame, policy, demands, label)
        for model in models.values():
            check_columns(dataset.frame, model.columns, "the data set")
        frame, notes = _clean(dataset.frame, label)
        names = [policy.label, policy.time, policy.cluster, "request_id"]
        own = tuple(name for name in names if name and name in frame.columns)
        columns = {
            name: None
            for model in models.values()
            for name in features(frame, model.columns, own).columns
        }
        used = frame[list(dict.fromkeys([*columns, *([label] if label else [])]))]
        groups = identical_groups(used)
        identical = len(groups) - int(groups.max()) - 1
        return cls(
            frame,
            frame[label].to_numpy() if label else np.full(len(frame), None, dtype=object),
            used,
            groups,
            identical,
            _times(frame, policy),
            own,
            (*notes, _identical_check(policy, identical, len(frame))),
        )

    def units(self, policy: ValidationPolicy) -> NDArray[np.int64] | None:
        """A code for what counts as one observation; None where each row does."""
        if policy.unit == "row":
            alike = self.identical and policy.identical_rows == "cluster"
            return self.groups if alike else None
        if policy.unit == "cluster" or self.times is None:
            column = self.frame[policy.cluster]
            if column.isna().any():
                raise InvalidDataset(f"column {policy.cluster!r} must hold a cluster in every row")
            return np.asarray(pd.factorize(column)[0])
        floor = self.times.dt.floor("h" if policy.unit == "hour" else "D")
        return np.asarray(pd.factorize(floor)[0])

    def slices(self, demands: tuple[Hypothesis, ...]) -> dict[str, NDArray[Any]]:
        columns = {hypothesis.column for hypothesis in demands if hypothesis.column is not None}
        return {
            name: self.frame[name].astype(str).to_numpy(dtype=object) for name in sorted(columns)
        }


def _require_columns(
    frame: pd.DataFrame,
    policy: ValidationPolicy,
    demands: tuple[Hypothesis, ...],
    label: str | None,
) -> None:
    required = [label, policy.time, policy.cluster, *(hypothesis.column for hypothesis in demands)]
    missing = sorted({name for name in required if name is not None and name not in frame.columns})
    if missing:
        raise InvalidDataset(
            f"the data set lacks the column {', '.join(missing)}, which the policy names"
        )


def _clean(frame: pd.DataFrame, label: str | None) -> tuple[pd.DataFrame, tuple[Check, ...]]:
    """The rows that have a label, where one is needed, each request once, numbered from 0."""
    notes: list[Check] = []
    labelled = frame
    if label is not None:
        labelled = frame[frame[label].notna()]
        if labelled.empty:
            raise InvalidDataset(f"no row of the data set has a label in {label!r}")
        without = len(frame) - len(labelled)
        message = f"{count(without)} rows without a label in column {label} left out"
        notes.append(Check("labels", not without, message, None))
    once = labelled.drop_duplicates("request_id") if "request_id" in labelled.columns else labelled
    twice = len(labelled) - len(once)
    notes.append(
        Check("duplicates", not twice, f"{count(twice)} rows with a repeated id left out", None)
    )
    return once.reset_index(drop=True), tuple(notes)


def _identical_check(policy: ValidationPolicy, identical: int, rows: int) -> Check:
    name = "identical rows"
    if not identical:
        return Check(name, True, "no two rows have the same features and label")
    message = (
        f"{count(identical)} of {count(rows)} rows have the same features and label as another"
    )
    if policy.unit != "row":
        return Check(name, False, f"{message}; each {policy.unit} counts as one observation", None)
    if policy.identical_rows == "independent":
        return Check(name, False, f"{message}; the policy counts each of them", None)
    return Check(name, False, f"{message}; rows that are the same count as one observation", None)


def _times(frame: pd.DataFrame, policy: ValidationPolicy) -> pd.Series[Any] | None:
    if policy.time is None:
        return None
    times = pd.to_datetime(frame[policy.time], utc=True, errors="coerce")
    if times.isna().any():
        raise InvalidDataset(f"column {policy.time!r} must hold a time in every row")
    return times
