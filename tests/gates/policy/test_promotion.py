from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from typing import Any, cast

import pytest

from model_lifecycle.gates.policy.promotion import (
    Comparison,
    Limit,
    ShadowPolicy,
    SliceLimit,
    ValidationPolicy,
    promotion_policy,
)
from model_lifecycle.registry.domain.errors import InvalidInput

VALIDATION = ValidationPolicy(
    comparisons=(Comparison("brier", 0.01),),
    limits=(Limit("accuracy", minimum=0.8), Limit("brier", maximum=0.2, applies="first_version")),
    slices=(SliceLimit("carrier", "brier", margin=0.02),),
    unit="day",
    time="at",
)
SHADOW = ShadowPolicy(comparisons=(Comparison("absolute_error", 0.5, bound=60),), block="day")


@pytest.mark.parametrize("policy", [VALIDATION, SHADOW])
def test_document_and_back(policy: ValidationPolicy | ShadowPolicy) -> None:
    """A policy survives its plain-JSON form."""
    document = json.loads(json.dumps(policy.document()))

    assert policy == type(policy).from_document(document)


def test_one_fingerprint() -> None:
    """Whole numbers and floats that are equal give one fingerprint; another margin another."""
    fingerprints = {
        margin: promotion_policy(
            validation=ValidationPolicy(comparisons=cast(Any, [Comparison("brier", margin)]))
        ).fingerprint
        for margin in (0, 0.1)
    }
    of_float = promotion_policy(
        validation=ValidationPolicy(comparisons=(Comparison("brier", 0.0),))
    )

    assert fingerprints[0] == of_float.fingerprint
    assert len(set(fingerprints.values())) == 2


def test_needs_no_heavy_import() -> None:
    """A DAG file can state a policy without numpy, pandas or scipy being imported."""
    code = (
        "import sys; import model_lifecycle.gates.policy.promotion, model_lifecycle.gates.report, "
        "model_lifecycle.gates.data.traffic; "
        "print([m for m in ('numpy', 'pandas', 'scipy', 'pyarrow', 'matplotlib', 'mlflow') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: Comparison("f1", 0.1), "comparison.metric"),
        (lambda: Comparison("brier", -0.01), "comparison brier.margin"),
        (lambda: Comparison("brier", math.nan), "comparison brier.margin"),
        (lambda: Comparison("brier", math.inf), "comparison brier.margin"),
        (lambda: Comparison("brier", 1.0), "comparison brier.margin"),
        (lambda: Comparison("brier", cast(Any, "0.1")), "comparison brier.margin"),
        (lambda: Comparison("brier", True), "comparison brier.margin"),
        (lambda: Comparison("absolute_error", 0.1, bound=0), "comparison absolute_error.bound"),
        (lambda: Limit("brier"), "limit brier"),
        (lambda: Limit("brier", minimum=0.1, maximum=0.2), "limit brier"),
        (lambda: Limit("brier", maximum=math.nan), "limit brier.maximum"),
        (lambda: Limit("brier", maximum=0.2, applies="later"), "limit brier.applies"),
        (lambda: SliceLimit("", "brier", maximum=0.2), "slice .brier.column"),
        (lambda: SliceLimit("carrier", "brier"), "slice carrier.brier"),
        (lambda: SliceLimit("carrier", "brier", margin=-1), "slice carrier.brier.margin"),
        (lambda: ValidationPolicy(), "validation"),
        (lambda: ShadowPolicy(slices=(SliceLimit("a", "brier", margin=0),)), "shadow"),
        (lambda: ShadowPolicy(comparisons=(Comparison("brier", 0),) * 2), "shadow.comparisons"),
        (
            lambda: ShadowPolicy(comparisons=cast(Any, (Limit("brier", maximum=0.5),))),
            "shadow.comparisons",
        ),
        (
            lambda: ShadowPolicy(
                comparisons=(Comparison("brier", 0), Comparison("squared_error", 0))
            ),
            "shadow",
        ),
        (lambda: _validation(unit="week"), "validation.unit"),
        (lambda: _validation(unit="day"), "validation.time"),
        (lambda: _validation(unit="cluster"), "validation.cluster"),
        (lambda: _validation(cluster="user"), "validation.cluster"),
        (lambda: _validation(alpha=0), "validation.alpha"),
        (lambda: _validation(alpha=0.5), "validation.alpha"),
        (lambda: _validation(min_rows=1.5), "validation.min_rows"),
        (lambda: _shadow(block="week"), "shadow.block"),
        (lambda: _shadow(min_blocks=5), "shadow.min_blocks"),
        (lambda: _shadow(min_label_coverage=0), "shadow.min_label_coverage"),
        (lambda: _shadow(min_replay_agreement=1.1), "shadow.min_replay_agreement"),
        (lambda: _shadow(label_horizon_hours=-1), "shadow.label_horizon_hours"),
    ],
)
def test_values_that_cannot_be(make: Callable[[], object], field: str) -> None:
    """A value that makes no sense is refused, and the error names its field."""
    with pytest.raises(InvalidInput) as caught:
        make()

    assert field == caught.value.field


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({}, "set_policy"),
        ([], "must be an object"),
        ({"comparisons": [], "margins": 1}, "no field 'margins'"),
        ({"comparisons": {"metric": "brier"}}, "must be a list"),
        ({"comparisons": [{"metric": "brier"}]}, "needs 'margin'"),
        ({"comparisons": [{"metric": "brier", "margin": 0.1, "marign": 1}]}, "no field 'marign'"),
        ({"comparisons": ["brier"]}, "must be an object"),
        ({"limits": [{"metric": "brier"}]}, "exactly one of"),
    ],
)
def test_documents_that_cannot_be(document: Any, problem: str) -> None:
    """A misspelt or missing field of a document is refused, never ignored."""
    with pytest.raises(InvalidInput, match=problem):
        ShadowPolicy.from_document(document)


def _validation(**values: Any) -> ValidationPolicy:
    return ValidationPolicy(comparisons=(Comparison("brier", 0.01),), **values)


def _shadow(**values: Any) -> ShadowPolicy:
    return ShadowPolicy(comparisons=(Comparison("brier", 0.01),), **values)
