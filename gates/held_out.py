"""What a version shows on held-out labelled rows: both models asked, checked and judged.

Pure of I/O: a frame and two models in, rows of numbers out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model_lifecycle.registry.rules.errors import InvalidDataset

from .claims import Claim
from .data_checks import (
    answers_check,
    check_columns,
    check_rows,
    demands_check,
    features,
    finite,
    signature_check,
    training_check,
)
from .distributions import Distributions, Edges
from .losses import Answers
from .offline import judge_rows
from .policies import ValidationPolicy
from .predicting import answers
from .report import Check, MetricRow
from .row_sums import HeldOut, RowSums, claim_values, row_sums
from .shown import auc_row, flips
from .statistics.design_effect import design_effect, largest_by_chance
from .wording import amount, count

if TYPE_CHECKING:
    from model_lifecycle.registry.frameworks.protocol import Predictor

    from .recording import Case


@dataclass(frozen=True)
class Judged:
    """What judging gave, before it is recorded."""

    rows: tuple[MetricRow, ...]
    checks: tuple[Check, ...]
    counts: Mapping[str, int]
    detail: Mapping[str, Any]


def judge_dataset(
    case: Case,
    policy: ValidationPolicy,
    demands: tuple[Claim, ...],
    frame: pd.DataFrame,
    challenger: Predictor,
    champion: Predictor | None,
) -> Judged:
    """Both models on the rows of ``frame``, judged. Raises :class:`InvalidDataset`."""
    compatible = signature_check(
        challenger.columns, champion.columns if champion else None, may_drop=policy.may_drop_columns
    )
    if not compatible.ok:
        return Judged((), (compatible,), {"rows": len(frame)}, {})
    check_rows(frame, "the data set")
    _own_columns(frame, policy, demands)
    for model in (challenger, champion):
        if model is not None:
            check_columns(frame, model.columns, "the data set")
    frame, notes = _clean(frame, policy)
    labels = frame[policy.label].to_numpy()
    times = _times(frame, policy)
    own = [name for name in (policy.label, policy.time, policy.cluster, "request_id") if name]
    said = {"challenger": answers(challenger, features(frame, challenger.columns, own))}
    if champion is not None:
        said["champion"] = answers(champion, features(frame, champion.columns, own))
    good = {who: finite(item) for who, item in said.items()}
    usable = np.logical_and.reduce(list(good.values()))
    checks = [
        *([compatible] if champion is not None else []),
        *notes,
        *(answers_check(int((~good[who]).sum()), len(frame), who) for who in said),
        *_training_checks(case, times),
        *demands_check(demands),
    ]
    counts = {"rows": len(frame), "usable_rows": int(usable.sum())}
    if not usable.any() or not demands:
        return Judged((), tuple(checks), counts, {})
    kept = {who: item.of(usable) for who, item in said.items()}
    held_out = HeldOut(
        labels=labels[usable],
        challenger=kept["challenger"],
        champion=kept.get("champion"),
        units=_units(frame[usable], policy, None if times is None else times[usable]),
        slices={
            claim.column: frame[usable][claim.column].astype(str).to_numpy(dtype=object)
            for claim in demands
            if claim.column is not None
        },
    )
    sums = row_sums(demands, held_out)
    rows = judge_rows(policy, demands, sums)
    if policy.unit == "row" and times is not None:
        checks += _dependence(held_out, demands, times[usable])
    return Judged(
        (*rows, *auc_row(held_out.labels, kept, policy.alpha)),
        tuple(checks),
        {**counts, "units": max((row.units for row in rows), default=0)},
        _detail(case, held_out, kept, sums),
    )


def _own_columns(frame: pd.DataFrame, policy: ValidationPolicy, demands: tuple[Claim, ...]) -> None:
    wanted = [policy.label, policy.time, policy.cluster, *(claim.column for claim in demands)]
    missing = sorted({name for name in wanted if name is not None and name not in frame.columns})
    if missing:
        raise InvalidDataset(
            f"the data set lacks the column {', '.join(missing)}, which the policy names"
        )


def _clean(frame: pd.DataFrame, policy: ValidationPolicy) -> tuple[pd.DataFrame, tuple[Check, ...]]:
    """The rows that have a label, each request once."""
    labelled = frame[frame[policy.label].notna()]
    if labelled.empty:
        raise InvalidDataset(f"no row of the data set has a label in {policy.label!r}")
    once = labelled.drop_duplicates("request_id") if "request_id" in labelled.columns else labelled
    without, twice = len(frame) - len(labelled), len(labelled) - len(once)
    return once, (
        Check("labels", not without, f"{count(without)} rows without a label left out", None),
        Check("duplicates", not twice, f"{count(twice)} rows with a repeated id left out", None),
    )


def _times(frame: pd.DataFrame, policy: ValidationPolicy) -> pd.Series[Any] | None:
    if policy.time is None:
        return None
    times = pd.to_datetime(frame[policy.time], utc=True, errors="coerce")
    if times.isna().any():
        raise InvalidDataset(f"column {policy.time!r} must hold a time in every row")
    return times


def _units(
    frame: pd.DataFrame, policy: ValidationPolicy, times: pd.Series[Any] | None
) -> NDArray[np.int64] | None:
    if policy.unit == "row":
        return None
    if policy.unit == "cluster" or times is None:
        column = frame[policy.cluster]
        if column.isna().any():
            raise InvalidDataset(f"column {policy.cluster!r} must hold a cluster in every row")
        return np.asarray(pd.factorize(column)[0])
    return np.asarray(pd.factorize(times.dt.floor("h" if policy.unit == "hour" else "D"))[0])


def _training_checks(case: Case, times: pd.Series[Any] | None) -> list[Check]:
    start: datetime | None = None if times is None else times.min().to_pydatetime()
    versions = {"challenger": case.version, "champion": case.champion}
    return [
        training_check(who, {**item.parameters, **item.tags}, start)
        for who, item in versions.items()
        if item is not None
    ]


def _dependence(data: HeldOut, demands: tuple[Claim, ...], times: pd.Series[Any]) -> list[Check]:
    """Rows may count as independent only if the days they are from do not matter."""
    codes = pd.factorize(times.dt.floor("D"))[0]
    sizes = np.bincount(codes)
    most = largest_by_chance(sizes.size)
    effects = []
    for claim in demands:
        if claim.kind == "slice":
            continue
        x = claim_values(claim, data)
        means = np.bincount(codes, weights=x) / sizes
        effects.append(design_effect(means, sizes, float(x.var(ddof=1))) or 0.0)
    worst = max(effects, default=0.0)
    if worst <= most:
        message = f"rows of one day look independent (design effect {amount(worst)})"
        return [Check("independence", True, message)]
    return [
        Check(
            "independence",
            False,
            f"rows of one day depend on each other (design effect {amount(worst)}): single rows "
            "would prove too much; set unit='day' in the policy",
        )
    ]


def _detail(
    case: Case, data: HeldOut, said: Mapping[str, Answers], sums: tuple[RowSums, ...]
) -> dict[str, Any]:
    edges = Edges.fitting(case.model_type, data.labels, data.challenger)
    return {
        "distributions": Distributions.of(edges, data.labels, said).document(),
        "flips": flips(case.model_type, data),
        "sums": [item.document() for item in sums],
    }
