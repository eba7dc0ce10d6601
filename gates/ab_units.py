"""Requests of an A/B test as one row a unit and arm: what each did, and when it was first seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from model_lifecycle.registry.rules.errors import InvalidDataset

from .assignment import arm
from .data_checks import require_column
from .pairing import Day
from .policies import ABPolicy
from .request_keys import request_keys
from .statistics.exact import ExactSum
from .traffic import Batch

ARMS = ("champion", "challenger")


@dataclass
class Units:
    """``days`` holds each day's sums by arm and unit, in order; ``counts`` of requests."""

    days: dict[str, pd.DataFrame] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def looks(self, policy: ABPolicy) -> list[dict[str, Any]]:
        """After each day: for every arm its units and, for every outcome, the sums over units of
        values, squares and products with the divisor. Units seen in both arms are left out."""
        total: pd.DataFrame | None = None
        found = []
        for day, frame in sorted(self.days.items()):
            parts = [frame] if total is None else [total, frame]
            total = pd.concat(parts).groupby(level=["arm", "unit"], sort=True).sum()
            crossed = total.index.get_level_values("unit").duplicated(keep=False)
            kept = total[~crossed]
            look: dict[str, Any] = {"day": day, "crossed": int(crossed.sum()) // 2}
            for who in ARMS:
                mine = kept[kept.index.get_level_values("arm") == who]
                look[who] = {"units": len(mine), "outcomes": _outcomes(policy, mine)}
            found.append(look)
        return found


def add_batch(
    units: Units,
    policy: ABPolicy,
    batch: Batch,
    labels: Day,
    versions: Mapping[str, int],
    mature_until: datetime,
) -> None:
    """Count the batch's requests of the two versions. Raises :class:`InvalidDataset` when it lacks
    a column of the policy, or an outcome is no number."""
    frame, counts = batch.frame, units.counts
    require_column(frame, policy.unit, batch.name)
    counts["read"] += len(frame)
    mine = np.zeros(len(frame), dtype=bool)
    for who, version in versions.items():
        mine |= ((frame["role"] == who) & (frame["version"] == version)).to_numpy()
    counts["of_other_versions"] += int((~mine).sum())
    at = pd.to_datetime(frame["requested_at"], utc=True)
    mature = (at <= mature_until).to_numpy()
    counts["immature"] += int((mine & ~mature).sum())
    frame, at = frame[mine & mature], at[mine & mature]
    ids = request_keys(frame["request_id"])
    fresh = labels.new(ids)
    counts["duplicates"] += int((~fresh).sum())
    frame, ids, at = frame[fresh], ids[fresh], at[fresh]
    counts["requests"] += len(frame)
    names = frame[policy.unit].astype(str)
    if policy.salt is not None:
        meant = [arm(name, policy.salt, policy.share) for name in names]
        counts["misassigned"] += int((frame["role"].to_numpy() != np.array(meant)).sum())
    values = _values(policy, frame, labels, ids, batch.name)
    counts["without_outcome"] += int(values.isna().any(axis=1).sum())
    values = values.fillna(0.0)
    keys = [frame["role"].to_numpy(), names.to_numpy(dtype=object)]
    summed = values.groupby(keys, sort=True).sum()
    summed.index.names = ["arm", "unit"]
    day = f"{batch.hours[0].hour:%Y-%m-%d}"
    earlier = [units.days[day]] if day in units.days else []
    units.days[day] = pd.concat([*earlier, summed]).groupby(level=["arm", "unit"], sort=True).sum()


def _values(
    policy: ABPolicy, frame: pd.DataFrame, labels: Day, ids: Any, what: str
) -> pd.DataFrame:
    wanted = {name for item in policy.outcomes for name in (item.column, item.per) if name}
    found = {}
    for name in sorted(wanted):
        if name == "label":
            places = labels.places(ids)
            known = labels.values[places] if len(labels.values) else np.full(len(ids), np.nan)
            column: Any = pd.Series(known, index=frame.index).where(places >= 0)
        else:
            require_column(frame, name, what)
            column = frame[name]
        numbers = pd.to_numeric(column, errors="coerce").astype(float)
        if (numbers.isna() & column.notna()).any() or np.isinf(numbers).any():
            raise InvalidDataset(f"{what}: the outcome {name} is not a finite number everywhere")
        found[name] = numbers
    return pd.DataFrame(found, index=frame.index)


def _outcomes(policy: ABPolicy, units: pd.DataFrame) -> dict[str, dict[str, str]]:
    found = {}
    for item in policy.outcomes:
        x = units[item.column].to_numpy(dtype=float)
        if item.kind == "proportion":
            x = (x > 0).astype(float)
        sums = {"total": _text(x), "squares": _text(x * x)}
        if item.per is not None:
            y = units[item.per].to_numpy(dtype=float)
            sums |= {"per": _text(y), "per_squares": _text(y * y), "product": _text(x * y)}
        found[item.name] = sums
    return found


def _text(values: Any) -> str:
    return ExactSum.of(values).text()


def exposure(units: Units, policy: ABPolicy) -> list[dict[str, Any]]:
    """The mean outcome of a unit's day by days since it was first seen: novelty wears off."""
    first: dict[tuple[str, str], str] = {}
    table: dict[tuple[int, str], list[float]] = {}
    outcome: Sequence[str] = [policy.outcomes[0].column]
    for day, frame in sorted(units.days.items()):
        for key in frame.index:
            first.setdefault(key, day)
        since = [
            (datetime.fromisoformat(day) - datetime.fromisoformat(first[k])).days
            for k in frame.index
        ]
        grouped = frame[outcome[0]].groupby([np.array(since), frame.index.get_level_values("arm")])
        for (number, who), values in grouped:
            cell = table.setdefault((int(number), str(who)), [0.0, 0.0])
            cell[0] += len(values)
            cell[1] += float(values.sum())
    return [
        {"day": number, "arm": who, "units": int(n), "mean": total / n}
        for (number, who), (n, total) in sorted(table.items())
    ]
