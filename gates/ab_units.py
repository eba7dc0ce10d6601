"""Requests of an A/B test as one row a unit, arm and day: sums that add to the bit in any order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
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
from .tally import Source
from .traffic import Batch

ARMS = ("champion", "challenger")
#: Outcomes are counted in parts of this size, whole numbers of which add without rounding.
PARTS = 1 << 20
_LARGEST = 1e9
_KEY = ["arm", "unit"]


@dataclass
class Units:
    """``days`` holds each day's sums in :data:`PARTS`, by arm and unit; ``counts`` of requests."""

    days: dict[str, pd.DataFrame] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    sources: list[Source] = field(default_factory=list)

    def add(self, day: str, summed: pd.DataFrame) -> None:
        """Add sums by arm and unit to those of the day."""
        if day in self.days:
            summed = pd.concat([self.days[day], summed]).groupby(level=_KEY, sort=True).sum()
        self.days[day] = summed

    def absorb(self, other: Units) -> None:
        """Add ``other`` to this one."""
        for day, summed in other.days.items():
            self.add(day, summed)
        self.counts.update(other.counts)
        self.sources.extend(other.sources)

    def looks(self, policy: ABPolicy) -> list[dict[str, Any]]:
        """After each day: for every arm its units and, for every outcome, the sums over units of
        values, squares and products with the divisor. Units seen in both arms are left out."""
        total: pd.DataFrame | None = None
        found = []
        for day, frame in sorted(self.days.items()):
            parts = [frame] if total is None else [total, frame]
            total = pd.concat(parts).groupby(level=_KEY, sort=True).sum()
            crossed = total.index.get_level_values("unit").duplicated(keep=False)
            kept = total[~crossed]
            look: dict[str, Any] = {"day": day, "crossed": int(crossed.sum()) // 2}
            for who in ARMS:
                mine = kept[kept.index.get_level_values("arm") == who]
                look[who] = {"units": len(mine), "outcomes": _outcomes(policy, mine)}
            found.append(look)
        return found


def batch_units(
    policy: ABPolicy,
    batch: Batch,
    labels: Day,
    versions: Mapping[str, int],
    mature_until: datetime,
) -> Units:
    """The batch's requests of the two versions. Raises :class:`InvalidDataset` when it lacks a
    column of the policy, or an outcome cannot be counted."""
    frame, counts = batch.frame, Counter[str]()
    require_column(frame, policy.unit, batch.name)
    counts["read"] += sum(hour.rows for hour in batch.hours)
    counts.update(batch.counts)
    mine = np.zeros(len(frame), dtype=bool)
    for who, version in versions.items():
        mine |= ((frame["role"] == who) & (frame["version"] == version)).to_numpy()
    counts["of_other_versions"] += int((~mine).sum())
    at = pd.to_datetime(frame["requested_at"], utc=True)
    mature = (at <= mature_until).to_numpy()
    counts["immature"] += int((mine & ~mature).sum())
    counts["without_unit"] += int((mine & mature & frame[policy.unit].isna()).sum())
    frame = frame[mine & mature & frame[policy.unit].notna()]
    ids = request_keys(frame["request_id"])
    fresh = labels.new(ids)
    counts["duplicates"] += int((~fresh).sum())
    frame, ids = frame[fresh], ids[fresh]
    counts["requests"] += len(frame)
    names = frame[policy.unit].astype(str)
    if policy.salt is not None:
        meant = [arm(name, policy.salt, policy.share) for name in names]
        counts["misassigned"] += int((frame["role"].to_numpy() != np.array(meant)).sum())
    values, without = _values(policy, frame, labels, ids, batch.name)
    counts["without_outcome"] += without
    summed = values.groupby([frame["role"].to_numpy(), names.to_numpy(dtype=object)]).sum()
    summed.index.names = _KEY
    units = Units(counts=counts, sources=[Source(h.name, h.digest, h.rows) for h in batch.hours])
    units.add(f"{batch.hours[0].hour:%Y-%m-%d}", summed)
    return units


def _values(
    policy: ABPolicy, frame: pd.DataFrame, labels: Day, ids: Any, what: str
) -> tuple[pd.DataFrame, int]:
    """Each request's outcomes in parts, and how many requests lack one."""
    found, missing = {}, np.zeros(len(frame), dtype=bool)
    for name in policy.columns:
        if name == "label":
            places = labels.places(ids)
            known = labels.values[places] if len(labels.values) else np.full(len(ids), np.nan)
            column: Any = pd.Series(known, index=frame.index).where(places >= 0)
        else:
            require_column(frame, name, what)
            column = frame[name]
        numbers = pd.to_numeric(column, errors="coerce").astype(float)
        if (numbers.isna() & column.notna()).any():
            raise InvalidDataset(f"{what}: the outcome {name} is not a number everywhere")
        missing |= numbers.isna().to_numpy()
        found[name] = _in_parts(numbers.fillna(0.0).to_numpy(), f"{what}: the outcome {name}")
    return pd.DataFrame(found, index=frame.index), int(missing.sum())


def _in_parts(values: Any, what: str) -> Any:
    if not (np.abs(values) <= _LARGEST).all():
        raise InvalidDataset(
            f"{what} is larger than {_LARGEST:g} or infinite; give it in a larger unit"
        )
    parts = np.rint(values * PARTS).astype(np.int64)
    if ((parts == 0) & (values != 0)).any():
        raise InvalidDataset(f"{what} is smaller than a millionth; give it in a smaller unit")
    return parts


def _outcomes(policy: ABPolicy, units: pd.DataFrame) -> dict[str, dict[str, str]]:
    found = {}
    for item in policy.outcomes:
        x = units[item.column].to_numpy(dtype=float) / PARTS
        if item.kind == "proportion":
            x = (x > 0).astype(float)
        sums = {"total": _text(x), "squares": _text(x * x)}
        if item.per is not None:
            y = units[item.per].to_numpy(dtype=float) / PARTS
            sums |= {"per": _text(y), "per_squares": _text(y * y), "product": _text(x * y)}
        found[item.name] = sums
    return found


def _text(values: Any) -> str:
    return ExactSum.of(values).text()


def exposure(units: Units, policy: ABPolicy) -> list[dict[str, Any]]:
    """By outcome column, days since a unit was first seen, and arm: how many units were seen on
    that day of theirs, and their mean outcome on it. Novelty wears off, and shows here."""
    if not units.days:
        return []
    rows = pd.concat(dict(sorted(units.days.items())), names=["day", *_KEY]).reset_index()
    day = pd.to_datetime(rows["day"])
    since = (day - day.groupby([rows["arm"], rows["unit"]]).transform("min")).dt.days
    found = []
    for name in dict.fromkeys(item.column for item in policy.outcomes):
        table = rows[name].groupby([since, rows["arm"]]).agg(["size", "sum"])
        found += [
            {
                "outcome": name,
                "day": int(number),
                "arm": who,
                "units": int(n),
                "mean": int(total) / PARTS / int(n),
            }
            for (number, who), n, total in zip(
                table.index, table["size"], table["sum"], strict=True
            )
        ]
    return found
