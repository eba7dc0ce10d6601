"""The estimand of a gate's verdict, as a sentence and as a formula. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from model_lifecycle.registry.domain.errors import InvalidInput
from model_lifecycle.registry.domain.stages import Gate

from .promotion import ABPolicy, ShadowPolicy, ValidationPolicy

_X = "x = loss of the champion − loss of the challenger (comparison), or the measure itself (limit)"


def estimand(gate: Gate, document: Mapping[str, Any]) -> dict[str, str]:
    """``sentence`` and ``formula`` of the gate's policy; empty for a policy that is not understood
    (one of another release)."""
    try:
        if gate is Gate.VALIDATION:
            return _of_validation(ValidationPolicy.from_document(document))
        if gate is Gate.SHADOW:
            return _of_shadow(ShadowPolicy.from_document(document))
        if gate is Gate.AB_TEST:
            return _of_ab_test(ABPolicy.from_document(document))
    except InvalidInput:
        pass
    return {}


def _of_validation(policy: ValidationPolicy) -> dict[str, str]:
    if policy.unit == "row":
        return _stated(
            "Every estimate is a mean over rows: each row has the same weight, and rows count as "
            "independent.",
            f"θ = Σ x / n over n rows; {_X}",
        )
    unit = policy.cluster if policy.unit == "cluster" else policy.unit
    return _stated(
        f"Every estimate is a mean over rows: each row has the same weight. All rows of one {unit} "
        "count as one cluster, since they depend on each other.",
        f"θ = Σ S / Σ n over clusters, S = sum of x of a cluster's n rows; {_X}",
    )


def _of_shadow(policy: ShadowPolicy) -> dict[str, str]:
    block = policy.block
    if policy.weighting == "blocks":
        return _stated(
            f"Every estimate is a mean over {block}s (weighting: blocks): each {block} has the "
            "same weight, however many requests it has.",
            f"θ = Σ (S / n) / B over B {block}s, S = sum of x of a {block}'s n requests; {_X}",
        )
    if policy.unit == "request":
        return _stated(
            "Every estimate is a mean over requests: each request has the same weight, and "
            "requests count as independent.",
            f"θ = Σ x / n over n requests; {_X}",
        )
    unit = policy.cluster if policy.unit == "cluster" else block
    return _stated(
        "Every estimate is a mean over requests: each request has the same weight. All requests "
        f"of one {unit} count as one cluster, since they depend on each other.",
        f"θ = Σ S / Σ n over clusters, S = sum of x of a {unit}'s n requests; {_X}",
    )


def _of_ab_test(policy: ABPolicy) -> dict[str, str]:
    kinds = {
        "proportion": "the share of units with it",
        "mean": "its sum per unit",
        "ratio": "the ratio of two sums over units",
    }
    outcomes = "; ".join(f"{item.name}: {kinds[item.kind]}" for item in policy.outcomes)
    return _stated(
        f"Every estimate is a difference between the arms, each unit ({policy.unit}) with the same "
        f"weight. {outcomes[0].upper()}{outcomes[1:]}.",
        "θ = ȳ(challenger) − ȳ(champion), with the sign that makes larger better",
    )


def _stated(sentence: str, formula: str) -> dict[str, str]:
    return {"sentence": sentence, "formula": formula}
