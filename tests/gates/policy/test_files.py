"""Policies in YAML and JSON: the same as in Python, and mistakes told with their line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from model_lifecycle.gates.policy.files import parse_policy, read_policy
from model_lifecycle.gates.policy.promotion import (
    ABPolicy,
    Comparison,
    LatencyLimit,
    Limit,
    OutcomeDemand,
    ShadowPolicy,
    SliceLimit,
    ValidationPolicy,
    promotion_policy,
)
from model_lifecycle.registry.domain.errors import InvalidInput

STATED = promotion_policy(
    validation=ValidationPolicy(
        comparisons=(Comparison("brier", margin=0.02),), label="late", unit="day", time="at"
    ),
    shadow=ShadowPolicy(
        comparisons=(Comparison("brier", margin=0.001),),
        limits=(Limit("brier", maximum=0.25, applies="first_version"),),
        slices=(SliceLimit("no", "brier", maximum=0.3),),
        latency=(LatencyLimit(0.99, ratio=1.2),),
        label_horizon_hours=24,
    ),
    ab_test=ABPolicy(outcomes=(OutcomeDemand("bought", margin=0.002),), salt="2024-03-01"),
    require_approval=True,
)
YAML = """
# What churn must show.
validation:
  comparisons:
    - {metric: brier, margin: 0.02}
  label: late
  unit: day
  time: at

shadow:
  comparisons:
    - metric: brier
      margin: 1e-3
  limits:
    - {metric: brier, maximum: 0.25, applies: first_version}
  slices:
    - column: no
      metric: brier
      maximum: 0.3
  latency:
    - {quantile: 0.99, ratio: 1.2}
  label_horizon_hours: 24

ab_test:
  outcomes: [{column: bought, margin: 0.002}]
  salt: 2024-03-01

require_approval: true
"""


def test_yaml_json_and_python_are_one_policy(tmp_path: Path) -> None:
    """However a policy is written, it has one fingerprint."""
    file = tmp_path / "policy.yaml"
    file.write_text(YAML)
    text = json.dumps(STATED.document(), indent="\t")

    assert read_policy(file).fingerprint == STATED.fingerprint
    assert parse_policy(text).fingerprint == STATED.fingerprint


@pytest.mark.parametrize(
    ("before", "after", "line", "problem"),
    [
        ("require_approval: true", "approval: true", 28, "policy has no field 'approval'"),
        ("require_approval: true", "require_approval: yes", 28, "must be true or false"),
        ("unit: day", "unit: week", 7, "must be one of"),
        ("  time: at\n", "", 3, "needs validation.time"),
        ("margin: 1e-3", "margin: -1", 13, "at least 0"),
        ("margin: 1e-3", "margin: small", 13, "must be a finite number"),
        ("      margin: 1e-3\n", "", 12, "needs 'margin'"),
        ("metric: brier\n      margin", "metric: brie\n      margin", 12, "is not known"),
        ("maximum: 0.25", "maximun: 0.25", 15, "has no field 'maximun'"),
        ("maximum: 0.3", "maximum: 0.3\n      minimum: 0.1", 17, "exactly one of"),
        ("quantile: 0.99", "quantile: 99", 21, "below 1"),
        ("label_horizon_hours: 24", "label_horizon: 24", 22, "has no field 'label_horizon'"),
        ("column: bought", "columns: bought", 25, "has no field 'columns'"),
        ("label_horizon_hours: 24", "alpha: .nan", 22, "is not a finite number"),
        ("label_horizon_hours: 24", "label_horizon_hours: 24\n  latency: []", 23, "there twice"),
        ("label: late", "label: late: very", 6, "not a policy in JSON or YAML"),
        ("label: late", "label: !!python/name:os.system late", 6, "is not allowed here"),
    ],
)
def test_mistakes_have_their_line(before: str, after: str, line: int, problem: str) -> None:
    """Every mistake is reported with its line, or that of the part that lacks something."""
    assert before in YAML
    text = YAML.replace(before, after)

    with pytest.raises(InvalidInput, match=f"line {line}\\b") as error:
        parse_policy(text)

    assert problem in str(error.value)


@pytest.mark.parametrize("text", ["", "[]", "3", "{", "a: &x [*x]", "? [a]\n: 1"])
def test_what_is_no_policy(text: str) -> None:
    """Texts of other kinds are refused as input, whatever they are."""
    with pytest.raises(InvalidInput):
        parse_policy(text)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """A file that is missing, or no text, is reported by its name."""
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00")

    for file in (tmp_path / "none.yaml", binary):
        with pytest.raises(InvalidInput, match=f"cannot read .*{file.name}"):
            read_policy(file)
