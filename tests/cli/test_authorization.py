"""Evidence that does not count cannot carry a version into production, whatever its origin.

What the registry would not record is written into its database directly.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from support.command_line import Installation, Run
from support.registry_fixture import RegistryFixture

from model_lifecycle.registry.domain.authorization import Principal, Role
from model_lifecycle.registry.domain.errors import InvalidInput, PermissionDenied
from model_lifecycle.registry.domain.evidence import Verdict
from model_lifecycle.registry.domain.stages import Gate

OTHER_FILES = "sha256:" + "0" * 64


class Challenger(NamedTuple):
    model: str
    version: int


def bring(installation: Installation, model: str) -> Challenger:
    """A version in staging without shadow test, of a model whose version 1 is in production."""

    async def steps(world: RegistryFixture) -> int:
        if await world.registry.get_model(world.tenant, model) is None:
            await world.promoted(model)
        version: int = await world.staged(model, 1)
        return version

    return Challenger(model, installation.step(steps))


@pytest.fixture
def challenger(installation: Installation) -> Challenger:
    """One of a model that several tests share, as they leave production alone."""
    return bring(installation, "cheated")


def refused(installation: Installation, run: Run, challenger: Challenger, code: str) -> None:
    """Its promotion fails for this reason, and leaves everything as it was."""
    model, version = challenger
    before = installation.step(lambda world: world.snapshot(model))

    words = run("promote", model, version, "--expect", 1)
    program = run("promote", model, version, "--json")

    assert (words.code, program.code, words.out, program.out) == (4, 4, "", "")
    assert words.err.startswith(f"error: version {version} may not go to production: ")
    assert program.problem["code"] == "gate_refused"
    assert [item["code"] for item in program.problem["missing"]] == [code]
    assert before == installation.step(lambda world: world.snapshot(model))


def test_evidence_of_another_version_is_refused(
    installation: Installation, run: Run, challenger: Challenger
) -> None:
    """A pass of one version says nothing about the next, even if it is recorded as its own."""
    model, version = challenger
    installation.step(lambda world: world.judged(model, 1))
    with pytest.raises(InvalidInput, match="another version"):
        installation.step(lambda world: world.judged(model, version, version=1))

    refused(installation, run, challenger, "no_evidence")


def test_evidence_of_other_files_is_refused(
    installation: Installation, run: Run, challenger: Challenger
) -> None:
    """The registry records no pass for another digest; one that got past it does not count."""
    model, version = challenger
    with pytest.raises(InvalidInput, match="judge the version's own files"):
        installation.step(lambda world: world.judged(model, version, bundle_digest=OTHER_FILES))
    installation.sql(
        """
        INSERT INTO evidence (tenant_id, evidence_id, model_id, version, gate, verdict,
            bundle_digest, baseline, policy_fingerprint, summary, recorded_at, recorded_by)
        SELECT tenant_id, 'forged', model_id, version, 'shadow', verdict,
            ?, baseline, policy_fingerprint, summary, recorded_at, recorded_by
        FROM evidence WHERE model_id = ? AND version = ?
        """,
        OTHER_FILES,
        model,
        version,
    )

    refused(installation, run, challenger, "digest_mismatch")


@pytest.mark.parametrize("role", [Role.VIEWER, Role.CONTRIBUTOR, Role.PROMOTER])
def test_evidence_of_a_role_that_may_not_write_it_is_refused(
    installation: Installation,
    run: Run,
    challenger: Challenger,
    role: Role,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No command writes evidence. Who tries it in Python without the role leaves none for
    ``promote`` to find; nor may the role set a policy that asks for less."""
    eve = Principal("eve", frozenset({role}))

    async def judge(world: RegistryFixture) -> None:
        evidence = await world.evidence(*challenger)
        await world.registry.record_evidence(world.tenant, *challenger, evidence, actor=eve)

    with pytest.raises(PermissionDenied, match="record evidence"):
        installation.step(judge)
    refused(installation, run, challenger, "no_evidence")

    monkeypatch.setenv("MODEL_LIFECYCLE_ROLES", role)
    policy = ("policy", challenger.model, "--set", "-", "--reason", "x", "--json")
    looser = run(*policy, stdin='{"evidence_max_age_days": 3650}')

    assert (looser.code, looser.problem["code"]) == (6, "permission_denied")


def test_evidence_of_another_tenant_is_refused(
    installation: Installation,
    run: Run,
    model: str,
    ops: Installation,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A stranger's pass for a version of the same name and number is not accepted when it is
    recorded again; nor does one count that lies under the stranger's name and fits in all else."""
    monkeypatch.setenv("MODEL_LIFECYCLE_TENANT", installation.tenant)
    challenger = bring(installation, model)

    async def judge(world: RegistryFixture) -> Any:
        for _ in range(challenger.version):
            await world.version(model)
        return await world.judged(*challenger)

    theirs = ops.step(judge)
    with pytest.raises(InvalidInput, match="another version"):
        installation.step(lambda world: world.judged(*challenger, tenant_id=theirs.tenant_id))
    installation.sql(
        """
        INSERT INTO evidence (tenant_id, evidence_id, model_id, version, gate, verdict,
            bundle_digest, baseline, policy_fingerprint, summary, recorded_at, recorded_by)
        SELECT ?, 'forged', model_id, version, 'shadow', verdict,
            bundle_digest, 1, policy_fingerprint, summary, recorded_at, recorded_by
        FROM evidence WHERE tenant_id = ? AND model_id = ? AND version = ?
        """,
        ops.tenant,
        installation.tenant,
        *challenger,
    )

    refused(installation, run, challenger, "no_evidence")


@pytest.mark.parametrize("baseline", ["none", "itself", "a later one"])
def test_evidence_against_another_baseline_is_refused(
    installation: Installation, run: Run, challenger: Challenger, baseline: str
) -> None:
    """Only a comparison with the version in production now counts."""
    model, version = challenger
    other = {"none": None, "itself": version, "a later one": version + 1}[baseline]
    installation.step(lambda world: world.judged(model, version, baseline=other))

    refused(installation, run, challenger, "baseline_mismatch")


def test_evidence_under_another_policy_is_refused(
    installation: Installation, run: Run, model: str
) -> None:
    """A policy that was set after the judgement asks for a new one."""
    challenger = bring(installation, model)
    installation.step(lambda world: world.judged(*challenger))
    stricter = run(
        "policy", model, "--set", "-", "--reason", "x", stdin='{"evidence_max_age_days": 7}'
    )

    assert stricter.code == 0
    refused(installation, run, challenger, "policy_mismatch")


def test_expired_evidence_is_refused(installation: Installation, run: Run, model: str) -> None:
    """A pass of 31 days ago does not count."""
    challenger = bring(installation, model)
    then = datetime.now(UTC) - timedelta(days=31)
    installation.sql(
        """
        INSERT INTO evidence (tenant_id, evidence_id, model_id, version, gate, verdict,
            bundle_digest, baseline, policy_fingerprint, summary, recorded_at, recorded_by)
        SELECT tenant_id, 'old-' || model_id, model_id, version, 'shadow', verdict,
            bundle_digest, 1, policy_fingerprint, summary, ?, recorded_by
        FROM evidence WHERE tenant_id = ? AND model_id = ? AND version = ?
        """,
        f"{then:%Y-%m-%d %H:%M:%S.%f}",
        installation.tenant,
        *challenger,
    )

    refused(installation, run, challenger, "expired")


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.INVALID])
def test_a_verdict_other_than_pass_is_refused(
    installation: Installation, run: Run, challenger: Challenger, verdict: Verdict
) -> None:
    """Also after a pass: of several that fit, the newest decides."""
    installation.step(lambda world: world.judged(*challenger))
    installation.step(lambda world: world.judged(*challenger, verdict=verdict))

    refused(installation, run, challenger, "not_passed")


@pytest.mark.parametrize("gate", [Gate.VALIDATION, Gate.APPROVAL])
def test_a_pass_of_another_gate_is_refused(
    installation: Installation, run: Run, challenger: Challenger, gate: Gate
) -> None:
    """Neither validation nor approval stands in for the shadow test."""
    installation.step(lambda world: world.judged(*challenger, gate))

    refused(installation, run, challenger, "no_evidence")


def test_staging_cannot_be_skipped(installation: Installation, run: Run, model: str) -> None:
    """All the evidence in the world does not make up for a missing stage."""

    async def steps(world: RegistryFixture) -> None:
        await world.version(model)
        for gate in Gate:
            check = "fairness-audit" if gate is Gate.CHECK else None
            await world.judged(model, 1, gate, check=check)

    installation.step(steps)

    answer = run("promote", model, 1, "--force", "--reason", "hurry", "--json")

    assert answer.code == 4
    assert (answer.problem["from"], answer.problem["to"]) == ("development", "production")


def test_the_honest_proof_still_works(installation: Installation, run: Run, model: str) -> None:
    """The refusals above are due to their faults, not an accident."""
    challenger = bring(installation, model)
    installation.step(lambda world: world.judged(*challenger))

    assert run("promote", *challenger, "--expect", 1).code == 0
