"""Sums of the units of both arms."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd

from model_lifecycle.gates.aggregates.arms import PARTS, ArmAggregate, exposure
from model_lifecycle.gates.policy.promotion import (
    ABPolicy,
    OutcomeDemand,
)


def test_any_order_and_grouping_of_units() -> None:
    """Sums of units are the same to the bit, however requests were grouped and in which order."""
    rng = np.random.default_rng(5)
    spent = np.rint(rng.gamma(2, 1, 400) * PARTS).astype(np.int64)
    keys = pd.MultiIndex.from_arrays(
        [rng.choice(["champion", "challenger"], 400), rng.choice(["u1", "u2", "u3"], 400)],
        names=["arm", "unit"],
    )
    rows = pd.DataFrame({"spent": spent}, index=keys)
    policy = ABPolicy(outcomes=(OutcomeDemand("spent", "mean"),))
    results = []
    for _ in range(20):
        order, cuts = rng.permutation(400), np.sort(rng.choice(399, 6, replace=False) + 1)
        units = ArmAggregate()
        for part in np.split(order, cuts):
            other = ArmAggregate(counts=Counter(requests=part.size))
            other.add("2024-03-01", rows.iloc[part].groupby(level=["arm", "unit"]).sum())
            units.merge(other)
        results.append((units.looks(policy), units.counts, exposure(units, policy)))

    assert all(each == results[0] for each in results)


def test_days_since_exposure() -> None:
    """Each day of a unit counts by how long ago it was first seen."""
    days = {
        f"2024-03-0{day}": pd.DataFrame(
            {"spent": [day * PARTS] * len(users)},
            index=pd.MultiIndex.from_product([["champion"], users], names=["arm", "unit"]),
        )
        for day, users in ((1, ["a"]), (3, ["a", "b"]))
    }
    policy = ABPolicy(outcomes=(OutcomeDemand("spent", "mean"),))

    rows = exposure(ArmAggregate(days), policy)

    assert [(row["day"], row["units"], row["mean"]) for row in rows] == [(0, 2, 2.0), (2, 1, 3.0)]
