"""The promotion policy of the digits model.

The metric is accuracy: the share of pictures whose digit was read. The sorting machine runs the
network in another language, so a version needs an ONNX model too.
"""

from __future__ import annotations

from model_lifecycle.gates.policy.promotion import (
    Comparison,
    Limit,
    ShadowPolicy,
    ValidationPolicy,
    promotion_policy,
)

DIGITS_POLICY = promotion_policy(
    validation=ValidationPolicy(
        comparisons=(Comparison("accuracy", margin=0.05),),
        limits=(Limit("accuracy", minimum=0.8),),
        label="digit",
    ),
    shadow=ShadowPolicy(
        comparisons=(Comparison("accuracy", margin=0.05),),
        limits=(Limit("accuracy", minimum=0.8, applies="first_version"),),
        block="hour",
        min_requests=400,
        expected_blocks=60,
        # Letters of one hour are like those of any other: there is no week to wait for.
        min_duration_hours=48,
    ),
    require_onnx=True,
)
