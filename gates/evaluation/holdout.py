"""Judge a version on held-out rows: both models predict, their answers are checked and compared.

No I/O: accepts a data set and two models, returns rows of numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..aggregates.distributions import Distributions, Edges
from ..aggregates.holdout import HeldOut, HoldoutSummary, hypothesis_values, row_sums
from ..checks.common import (
    answers_check,
    demands_check,
    required,
    same_data_check,
    signature_check,
    training_check,
)
from ..checks.holdout_rows import HoldoutRows
from ..checks.label_values import label_checks
from ..checks.sensitivity import sensitivity_checks
from ..checks.slices import slice_checks
from ..data.columns import features, finite
from ..data.datasets import Dataset
from ..data.identical_rows import data_fingerprint
from ..data.predictions import FITS, SCORE_TOLERANCE, Needs, answers, clipped
from ..formatting import amount, count
from ..inference.descriptive import auc_row, flips
from ..inference.fixed_sample import judge_rows
from ..metrics.classes import Classes, declared_classes
from ..metrics.clustering import cluster_names, silhouette_sample, silhouettes
from ..metrics.definitions import CLASSIFICATION, CLUSTERING
from ..metrics.losses import Answers
from ..policy.hypotheses import Hypothesis, of_classes
from ..policy.promotion import ValidationPolicy
from ..report import Check, MetricRow
from ..statistics.design_effect import design_effect, largest_by_chance

if TYPE_CHECKING:
    from model_lifecycle.registry.frameworks.protocol import Predictor

    from .context import EvaluationContext


@dataclass(frozen=True)
class Judged:
    """The result before it is recorded. ``fingerprint`` identifies the rows by the columns
    that the models use."""

    rows: tuple[MetricRow, ...]
    checks: tuple[Check, ...]
    counts: Mapping[str, int]
    detail: Mapping[str, Any]
    fingerprint: tuple[str, ...] = ()


def judge_dataset(
    case: EvaluationContext,
    policy: ValidationPolicy,
    demands: tuple[Hypothesis, ...],
    dataset: Dataset,
    challenger: Predictor,
    champion: Predictor | None,
) -> Judged:
    """Both models on the rows of ``dataset``, judged. Raises :class:`InvalidDataset` for rows that
    are unlike the models' signatures or lack a column of the policy, and :class:`InvalidInput` for
    a positive label that is no class."""
    models = {"challenger": challenger, **({"champion": champion} if champion else {})}
    compatible = signature_check(
        challenger.columns, champion.columns if champion else None, may_drop=policy.may_drop_columns
    )
    if compatible.state == "failed":
        return Judged((), (compatible,), {"rows": len(dataset.frame)}, {})
    rows = HoldoutRows.of(dataset, policy, demands, models)
    classes = None
    if case.model_type == CLASSIFICATION:
        classes = declared_classes(
            [model.classes for model in models.values()],
            policy.positive_label,
            field="policy.validation.positive_label",
        )
        demands = of_classes(demands, classes.size if classes else 2)
    checks = [
        *([compatible] if champion is not None else []),
        *rows.checks,
        *_training_checks(case, policy, rows.times, dataset.digest),
        *demands_check(demands),
    ]
    if policy.needs_labels:
        checks += label_checks(policy.label, rows.labels, classes, dataset.not_numbers)
    counts = {"rows": len(dataset.frame), "identical_rows": rows.identical}
    fingerprint = tuple(data_fingerprint(rows.used, policy.label if policy.needs_labels else None))
    if any(check.state == "failed" for check in checks):
        return Judged((), tuple(checks), counts, {}, fingerprint)
    answers_of, failed, more = _answers(case, policy, demands, models, rows)
    checks += more
    usable = ~np.logical_or.reduce(list(failed.values()))
    counts["usable_rows"] = int(usable.sum())
    if not usable.any():
        return Judged((), tuple(checks), counts, {}, fingerprint)
    held_out = HeldOut(
        labels=rows.labels,
        challenger=answers_of["challenger"],
        champion=answers_of.get("champion"),
        units=rows.units(policy),
        slices=rows.slices(demands),
        failed=failed,
        classes=classes,
        clusters=cluster_names(answers_of["challenger"].prediction[usable], challenger.classes)
        if case.model_type == CLUSTERING
        else None,
        silhouettes=_silhouettes(challenger, demands, rows, answers_of, usable),
    )
    sums, selections = row_sums(demands, held_out)
    judged = judge_rows(policy, demands, sums)
    checks += slice_checks(selections, "rows")
    checks += sensitivity_checks(demands, sums, held_out)
    if policy.unit == "row" and rows.times is not None:
        checks += _dependence(held_out, demands, rows.times)
    usable_answers = {who: item.of(usable) for who, item in answers_of.items()}
    return Judged(
        (*judged, *auc_row(rows.labels[usable], usable_answers, policy.alpha, classes)),
        tuple(checks),
        {**counts, "units": max((row.units for row in judged), default=0)},
        _detail(case, held_out.of(usable), usable_answers, sums, classes),
        fingerprint,
    )


def _answers(
    case: EvaluationContext,
    policy: ValidationPolicy,
    demands: tuple[Hypothesis, ...],
    models: Mapping[str, Predictor],
    rows: HoldoutRows,
) -> tuple[dict[str, Answers], dict[str, NDArray[np.bool_]], list[Check]]:
    """Both models' answers, the rows that each failed on, and checks of them."""
    fits = [hypothesis.metric.name for hypothesis in demands if hypothesis.metric.uses == "fit"]
    needs = Needs(
        policy.positive_label,
        tuple(name for name in FITS if name in fits),
        scores=case.model_type == CLASSIFICATION,
    )
    judged = any(hypothesis.metric.uses == "answer" for hypothesis in demands)
    answers_of: dict[str, Answers] = {}
    failed: dict[str, NDArray[np.bool_]] = {}
    checks: list[Check] = []
    for who, model in models.items():
        given = answers(model, features(rows.frame, model.columns, rows.own), needs)
        answers_of[who], rounded = clipped(given)
        failed[who] = ~finite(answers_of[who])
        check = answers_check(int(failed[who].sum()), len(rows.frame), who, given.failure)
        checks.append(replace(check, otherwise=None) if judged and not check.ok else check)
        if rounded:
            message = (
                f"{count(rounded)} rows have a score of the {who} that rounding put outside of 0 "
                f"to 1 by at most {SCORE_TOLERANCE:g}; it counts as 0 or 1"
            )
            checks.append(Check(f"{who} scores", False, message, None))
    return answers_of, failed, checks


def _silhouettes(
    challenger: Predictor,
    demands: tuple[Hypothesis, ...],
    rows: HoldoutRows,
    answers_of: Mapping[str, Answers],
    usable: NDArray[np.bool_],
) -> dict[str, NDArray[np.float64]]:
    if not any(hypothesis.metric.uses == "distances" for hypothesis in demands):
        return {}
    columns = features(rows.frame, challenger.columns, rows.own)
    values = {}
    sample = np.zeros(len(columns), dtype=bool)
    sample[usable] = silhouette_sample(columns[usable])
    for who, item in answers_of.items():
        values[who] = silhouettes(columns, item.prediction, sample)
    return values


def _training_checks(
    case: EvaluationContext,
    policy: ValidationPolicy,
    times: pd.Series[Any] | None,
    data_digest: str,
) -> list[Check]:
    start: datetime | None = None if times is None else times.min().to_pydatetime()
    checks: list[Check] = []
    for who, item in {"challenger": case.version, "champion": case.champion}.items():
        if item is not None:
            declared = {**item.parameters, **item.tags}
            checks.append(training_check(who, declared, start))
            checks.append(same_data_check(who, declared, data_digest))
    if policy.require_training_check:
        return required(checks, "and the policy requires this check")
    return checks


def _dependence(
    data: HeldOut, demands: tuple[Hypothesis, ...], times: pd.Series[Any]
) -> list[Check]:
    """Rows may count as independent only if the days they are from do not matter."""
    usable = data.usable
    codes = pd.factorize(times[usable].dt.floor("D"))[0]
    rows = data.of(usable)
    sizes = np.bincount(codes)
    most = largest_by_chance(sizes.size)
    effects = []
    for hypothesis in demands:
        if hypothesis.kind == "slice" or hypothesis.metric.uses in ("share", "distances", "answer"):
            continue
        x = hypothesis_values(hypothesis, rows)
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
            f"rows of one day depend on each other (design effect {amount(worst)}): as single "
            "observations they would overstate the evidence; set unit='day' in the policy",
        )
    ]


def _detail(
    case: EvaluationContext,
    data: HeldOut,
    answers_of: Mapping[str, Answers],
    sums: tuple[HoldoutSummary, ...],
    classes: Classes | None,
) -> dict[str, Any]:
    labels: NDArray[Any] = data.labels
    if classes is not None and classes.size == 2 and case.model_type == CLASSIFICATION:
        codes = classes.codes(labels)
        labels = codes if (codes >= 0).all() else labels
    edges = Edges.fitting(case.model_type, labels, data.challenger)
    return {
        "distributions": Distributions.of(edges, labels, answers_of).document(),
        "flips": flips(case.model_type, data),
        "sums": [item.document() for item in sums],
        **({"classes": [str(value) for value in classes.values]} if classes else {}),
        **({"class_count": classes.size} if classes else {}),
    }
