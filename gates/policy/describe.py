"""A gate's policy as sentences, for readers of a report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from model_lifecycle.registry.domain.errors import InvalidInput
from model_lifecycle.registry.domain.stages import Gate

from ..formatting import amount, count, plural
from .promotion import ABPolicy, ShadowPolicy, ValidationPolicy


def policy_sentences(gate: Gate, document: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """The demands of the gate and its way to judge, as sentences; none for an unknown policy (one
    of another release), whose JSON the report shows all the same."""
    try:
        return _sentences(gate, document)
    except InvalidInput:
        return [], []


def _sentences(gate: Gate, document: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    if gate is Gate.VALIDATION:
        validation = ValidationPolicy.from_document(document)
        return _demands(validation), _of_validation(validation)
    if gate is Gate.SHADOW:
        shadow = ShadowPolicy.from_document(document)
        return [*_demands(shadow), *map(str, shadow.latency)], _of_shadow(shadow)
    if gate is Gate.AB_TEST:
        ab_test = ABPolicy.from_document(document)
        return [str(item) for item in ab_test.outcomes], _of_ab_test(ab_test)
    return [], []


def _demands(policy: ValidationPolicy | ShadowPolicy) -> list[str]:
    return [str(item) for item in (*policy.comparisons, *policy.limits, *policy.slices)]


def _of_validation(policy: ValidationPolicy) -> list[str]:
    unit = f"{policy.cluster} (cluster)" if policy.unit == "cluster" else policy.unit
    least = f"no verdict below {count(policy.min_rows)} rows"
    if policy.unit != "row":
        least += f" or {count(policy.min_units)} {policy.unit}s"
    sentences = [f"each {unit} counts as one observation", _errors(policy.alpha, "once"), least]
    if policy.positive_label is not None:
        sentences.append(f"scores are the probability of {policy.positive_label!r}")
    if policy.identical_rows == "independent":
        sentences.append("rows with the same features and label count as separate observations")
    if policy.require_training_check:
        sentences.append("the training data of both models must be known not to include the rows")
    if policy.may_drop_columns:
        sentences.append("the signature may lack columns of the champion's")
    return sentences


def _of_shadow(policy: ShadowPolicy) -> list[str]:
    unit = {"block": policy.block, "cluster": f"{policy.cluster} (cluster)"}.get(
        policy.unit, policy.unit
    )
    weighted = policy.block if policy.weighting == "blocks" else "request"
    least = (
        f"no verdict before {count(policy.min_blocks)} {policy.block}s of equal size and "
        f"{count(policy.min_requests)} requests"
    )
    if policy.min_duration_hours:
        least += f" over {amount(policy.min_duration_hours / 24)} days"
    source = "recorded by the serving system" if policy.mode == "mirrored" else "replayed"
    sentences = [
        f"the challenger's answers are {source}",
        f"each {unit} counts as one observation",
        f"the estimate is a mean over {weighted}s",
        _errors(policy.alpha, f"after each {policy.block}"),
        f"{least}; a test of live traffic ends after {amount(policy.max_duration_days)} days",
    ]
    if policy.needs_labels:
        sentences += _horizon(policy.label_horizon_hours)
        sentences.append(
            f"{policy.min_label_coverage:.0%} of requests must have a label, and that share may "
            f"differ by {policy.max_label_gap:.0%} between decisions and scores; a PASS must "
            f"hold with the missing ones at their worst{_tolerated(policy.tolerated_unlabelled)}; "
            f"{policy.max_label_conflicts:.1%} of them may have labels that contradict each other"
        )
    if policy.mode == "mirrored":
        sentences.append(f"{policy.min_join_rate:.1%} of requests must have both answers")
    sentences.append(
        f"{policy.min_replay_agreement:.1%} of the champion's answers must be reproduced"
        + ("" if policy.replay_tolerance is None else f", to {amount(policy.replay_tolerance)}")
    )
    if policy.feature_time:
        sentences.append(f"no {policy.feature_time} may be later than its request")
    return sentences


def _of_ab_test(policy: ABPolicy) -> list[str]:
    salt = "" if policy.salt is None else f", by the hash with salt {policy.salt!r}"
    return [
        f"{policy.share:.0%} of units ({policy.unit}) see the challenger{salt}",
        _errors(policy.alpha, "after each day"),
        f"no verdict before {count(policy.min_days)} {plural('day', policy.min_days)} and "
        f"{count(policy.min_units)} units in each arm; a test of live traffic ends after "
        f"{count(policy.max_days)} days",
        *_horizon(policy.label_horizon_hours),
        f"{policy.min_outcome_coverage:.0%} of requests in each arm must have their outcome; a "
        f"PASS must hold with missing ones at their worst{_tolerated(policy.tolerated_missing)}",
        f"no verdict if one unit has more than {policy.max_unit_share:.0%} of an outcome",
    ]


def _tolerated(share: float) -> str:
    return f", unless they are {share:.1%} at most" if share else ""


def _horizon(hours: float) -> list[str]:
    if not hours:
        return []
    return [f"requests younger than {amount(hours)} hours are left out, their labels being early"]


def _errors(alpha: float, looked: str) -> str:
    return f"a wrong PASS in {alpha:.0%} of tests at most, and a wrong FAIL; judged {looked}"
