"""The promotion policy: shown, set with a reason, and read more strictly than JSON asks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.command_line import Installation, Run

from model_lifecycle.gates.policy.promotion import Comparison, ValidationPolicy, promotion_policy

POLICY = {
    "validation": {"comparisons": [{"metric": "brier", "margin": 0.02}], "label": "late"},
    "require_approval": True,
}


def test_a_policy_in_a_file_is_the_same_as_in_python(
    installation: Installation, run: Run, model: str, tmp_path: Path
) -> None:
    """A field that the file leaves out has its default, so both have one fingerprint."""
    installation.step(lambda world: world.version(model))
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(POLICY))
    expected = promotion_policy(
        validation=ValidationPolicy(comparisons=(Comparison("brier", margin=0.02),), label="late"),
        require_approval=True,
    )

    answer = run("policy", model, "--set", file, "--reason", "first", "--json")

    assert answer.json == {
        "model_id": model,
        "fingerprint": expected.fingerprint,
        "policy": expected.document(),
    }
    assert installation.ask(lambda registry: registry.get_policy("demo", model)) == expected


def test_what_is_shown_can_be_set_again_and_changes_nothing(
    installation: Installation, run: Run, model: str
) -> None:
    """The round trip leaves one ledger entry, by the person who set it first."""
    installation.step(lambda world: world.version(model))
    run("policy", model, "--set", "-", "--reason", "first", stdin=json.dumps(POLICY))
    document = run("policy", model, "--json").json

    again = run(
        "policy", model, "--set", "-", "--reason", "again", stdin=json.dumps(document["policy"])
    )

    entries = installation.step(lambda world: world.history(model))
    assert again.code == 0
    assert [entry.reason for entry in entries[1:]] == ["first"]
    assert entries[1].actor == "cli:robin"


def test_a_policy_is_shown_with_its_fingerprint(
    installation: Installation, run: Run, champion: str
) -> None:
    """People see the same document, and what evidence has to name."""
    head, _, body = run("policy", champion).out.partition("\n")
    current = installation.ask(lambda registry: registry.get_policy("demo", champion))

    assert head == f"Policy of {champion}, {current.fingerprint}"
    assert json.loads(body) == current.document()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a policy in JSON"),
        ("[]", "policy must be an object"),
        ('{"shadows": {}}', "policy has no field 'shadows'"),
        ('{"evidence_max_age_days": NaN}', "NaN is not a finite number"),
        ('{"require_approval": true, "require_approval": false}', "is there twice"),
        ('{"validation": {"comparisons": [], "limit": 1}}', "limit"),
        ('{"validation": {"comparisons": [{"metric": "brier", "margin": -1}]}}', "margin"),
        ('{"shadow": {"min_block": 5}}', "min_block"),
    ],
)
def test_a_wrong_policy_is_refused_and_says_why(
    installation: Installation, run: Run, champion: str, text: str, message: str
) -> None:
    """A misspelt limit must not pass for none; nothing is set."""
    before = installation.step(lambda world: world.snapshot(champion))

    answer = run("policy", champion, "--set", "-", "--reason", "oops", stdin=text)

    assert answer.code == 2
    assert message in answer.err
    assert before == installation.step(lambda world: world.snapshot(champion))


def test_a_policy_is_set_with_a_reason_only(run: Run, model: str, tmp_path: Path) -> None:
    """Neither goes without the other."""
    file = tmp_path / "policy.json"
    file.write_text("{}")

    assert run("policy", model, "--set", file).code == 2
    assert run("policy", model, "--reason", "why").code == 2
    assert "cannot read" in run("policy", model, "--set", tmp_path / "no", "--reason", "x").err
