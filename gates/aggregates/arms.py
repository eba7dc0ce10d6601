"""Requests of an A/B test as one row a unit, arm and day: sums that add to the bit in any order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from model_lifecycle.registry.domain.errors import InvalidDataset

from ..data.assignment import arm
from ..data.columns import require_column
from ..data.pairing import Day
from ..data.request_ids import hash_request_ids
from ..data.traffic import Batch
from ..policy.promotion import ABPolicy
from .ab_outcomes import PARTS, largest_column, missing_column, outcome_sums, smallest_column
from .replay import Source

ARMS = ("champion", "challenger")
_LARGEST = 1e9
_KEY = ["arm", "unit"]
#: The column with the time of a unit's first request in an arm, in microseconds since 1970.
_FIRST = "first request"
#: A day counts as one of both arms when neither has less than this part of its share of units.
_LEAST_PART = 0.1

__all__ = ["ARMS", "PARTS", "ArmAggregate", "batch_units", "exposure"]


@dataclass
class ArmAggregate:
    """``days`` holds each day's sums in :data:`PARTS`, by arm and unit; ``counts`` of requests."""

    days: dict[str, pd.DataFrame] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    sources: list[Source] = field(default_factory=list)

    def add(self, day: str, summed: pd.DataFrame) -> None:
        """Add sums by arm and unit to those of the day."""
        if day in self.days:
            summed = _combined([self.days[day], summed])
        self.days[day] = summed

    def merge(self, other: ArmAggregate) -> None:
        """Add ``other`` to this one."""
        for day, summed in other.days.items():
            self.add(day, summed)
        self.counts.update(other.counts)
        self.sources.extend(other.sources)

    def looks(self, policy: ABPolicy) -> list[dict[str, Any]]:
        """After each day: for every arm its units and, for every outcome, the sums over units (see
        :mod:`.ab_outcome_sums`); how many ``days`` so far had both arms, and how many units were
        in both, which count in the arm of their first request."""
        total: pd.DataFrame | None = None
        looks, days = [], 0
        for day, frame in sorted(self.days.items()):
            days += _has_both(frame, policy.share)
            total = frame if total is None else _combined([total, frame])
            units, crossed = _by_first_arm(total)
            look: dict[str, Any] = {"day": day, "days": days, "crossed": crossed}
            for who in ARMS:
                mine = units[units.index.get_level_values("arm") == who]
                look[who] = {
                    "units": len(mine),
                    "requests": int(mine["requests"].sum()) if "requests" in mine else 0,
                    "outcomes": {
                        item.name: outcome_sums(item, mine, units, favour=who == "champion")
                        for item in policy.outcomes
                    },
                }
            looks.append(look)
        return looks


def _combined(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """Sums of several days or batches as one: by arm and unit, in order."""
    rows = pd.concat(frames)
    how = {name: _aggregation(name) for name in rows.columns}
    return rows.groupby(level=_KEY, sort=True).agg(how)


def _aggregation(column: str) -> str:
    if column == _FIRST or column.startswith(smallest_column("")):
        return "min"
    return "max" if column.startswith(largest_column("")) else "sum"


def _by_first_arm(total: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Units once each, with all of their requests, in the arm of their first request; and how many
    have requests in both. A later arm may be a consequence of the first one."""
    names = total.index.get_level_values("unit")
    crossed = names.duplicated(keep=False)
    if not crossed.any():
        return total, 0
    both = total[crossed]
    first = both[_FIRST] if _FIRST in both else pd.Series(0, index=both.index)
    chosen = first.to_frame("first").reset_index().sort_values(["first", "arm"], kind="stable")
    arms = chosen.drop_duplicates("unit").set_index("unit")["arm"]
    moved = both.reset_index()
    moved["arm"] = moved["unit"].map(arms)
    return _combined([total[~crossed], moved.set_index(_KEY)]), len(arms)


def _has_both(day: pd.DataFrame, share: float) -> bool:
    arms = day.index.get_level_values("arm")
    return bool(len(day)) and all(
        (arms == who).sum() >= max(1, _LEAST_PART * part * len(day))
        for who, part in zip(ARMS, (1 - share, share), strict=True)
    )


def batch_units(
    policy: ABPolicy,
    batch: Batch,
    labels: Day,
    versions: Mapping[str, int],
    mature_until: datetime,
) -> ArmAggregate:
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
    ids = hash_request_ids(frame["request_id"])
    fresh = labels.new(ids)
    counts["duplicates"] += int((~fresh).sum())
    frame, ids = frame[fresh], ids[fresh]
    counts["requests"] += len(frame)
    names = frame[policy.unit].astype(str)
    if policy.salt is not None:
        meant = [arm(name, policy.salt, policy.share) for name in names]
        counts["misassigned"] += int((frame["role"].to_numpy() != np.array(meant)).sum())
    values = _values(policy, frame, labels, ids, batch.name)
    values["requests"] = 1
    values[_FIRST] = at[frame.index].dt.as_unit("us").astype("int64")
    lacking = values[[missing_column(name) for name in policy.columns]]
    counts["without_outcome"] += int(lacking.any(axis=1).sum())
    keys = [frame["role"].to_numpy(dtype=object), names.to_numpy(dtype=object)]
    summed = _combined([values.set_index(pd.MultiIndex.from_arrays(keys, names=_KEY))])
    units = ArmAggregate(
        counts=counts, sources=[Source(h.name, h.digest, h.rows) for h in batch.hours]
    )
    units.add(f"{batch.hours[0].hour:%Y-%m-%d}", summed)
    return units


def _values(
    policy: ABPolicy, frame: pd.DataFrame, labels: Day, ids: Any, what: str
) -> pd.DataFrame:
    """Each request's outcomes in parts, 0 where they are missing, and which are."""
    columns: dict[str, Any] = {}
    for name in policy.columns:
        if name == "label":
            positions = labels.label_positions(ids)
            known = labels.values[positions] if len(labels.values) else np.full(len(ids), np.nan)
            column: Any = pd.Series(known, index=frame.index).where(positions >= 0)
        else:
            require_column(frame, name, what)
            column = frame[name]
        numbers = pd.to_numeric(column, errors="coerce").astype(float)
        if (numbers.isna() & column.notna()).any():
            raise InvalidDataset(f"{what}: the outcome {name} is not a number everywhere")
        parts = _in_parts(numbers.fillna(0.0).to_numpy(), f"{what}: the outcome {name}")
        columns[name] = columns[smallest_column(name)] = columns[largest_column(name)] = parts
        columns[missing_column(name)] = numbers.isna().to_numpy().astype(np.int64)
    return pd.DataFrame(columns, index=frame.index)


def _in_parts(values: Any, what: str) -> Any:
    if not (np.abs(values) <= _LARGEST).all():
        raise InvalidDataset(
            f"{what} is larger than {_LARGEST:g} or infinite; give it in a larger unit"
        )
    parts = np.rint(values * PARTS).astype(np.int64)
    if ((parts == 0) & (values != 0)).any():
        raise InvalidDataset(f"{what} is smaller than a millionth; give it in a smaller unit")
    return parts


def exposure(units: ArmAggregate, policy: ABPolicy) -> list[dict[str, Any]]:
    """By outcome column, days since a unit's first request, and arm: how many units have requests
    on that day, and their mean outcome on it. An effect of novelty becomes visible here."""
    if not units.days:
        return []
    rows = pd.concat(dict(sorted(units.days.items())), names=["day", *_KEY]).reset_index()
    day = pd.to_datetime(rows["day"])
    since = (day - day.groupby([rows["arm"], rows["unit"]]).transform("min")).dt.days
    means = []
    for name in dict.fromkeys(item.column for item in policy.outcomes):
        table = rows[name].groupby([since, rows["arm"]]).agg(["size", "sum"])
        means += [
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
    return means
