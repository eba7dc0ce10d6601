"""Every answer that the command line gives as JSON, against tests/golden/cli.

``tests/support/golden.py`` says how the file is regenerated.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from support.command_line import Answer, Installation, Run
from support.golden import assert_golden, stable
from support.registry_fixture import RegistryFixture
from support.reports import stored_report
from support.signing_keys import make_key

from model_lifecycle.cli.main import app
from model_lifecycle.gates.report import GateReport, MetricRow
from model_lifecycle.registry.domain.evidence import Verdict
from model_lifecycle.registry.domain.stages import Gate

from .conftest import with_sources

TENANT, MODEL = "golden", "churn"
#: Values that are new at each run: of the clock, of MLflow's ids, and what is computed from them.
VARYING = frozenset(
    {
        *("at", "created_at", "updated_at", "recorded_at", "expires_at", "revoked_at", "signed_at"),
        *("hash", "previous_hash", "bundle_digest", "digest", "policy_fingerprint", "root_hash"),
        *("run_id", "logged_model_id", "key", "key_id", "migration", "before"),
        *("registry_id", "artifact_host", "head", "registration_digest"),
    }
)
POLICY = '{"validation": {"limits": [{"metric": "zero_one", "maximum": 0.4}]}}'


REPORT = GateReport(
    gate=Gate.VALIDATION,
    verdict=Verdict.PASS,
    sentence="Brier improved: PASS",
    tenant_id=TENANT,
    model_id=MODEL,
    version=2,
    baseline=1,
    bundle_digest="sha256:0",
    policy={},
    policy_fingerprint="sha256:1",
    evidence_id="validation-v2",
    metrics=(
        MetricRow("brier", "Brier score", "comparison", Verdict.PASS, "Brier improved: PASS"),
    ),
    reproduction={"data": "held-out.parquet"},
)


class Session:
    """One session at the command line. ``documents`` are its answers by the lines that were
    entered; ``folders`` are replaced by their names, wherever they occur."""

    def __init__(self, run: Run, folders: Mapping[Path, str]) -> None:
        self._run = run
        self._names = {str(folder): name for folder, name in folders.items()}
        self.commands: set[str] = set()
        self.documents: dict[str, Any] = {}

    def __call__(
        self, command: str, *arguments: object, code: int = 0, hidden: str = "\0"
    ) -> Answer:
        """Run ``command``, which ends with ``code``; ``hidden`` is an argument that is new at each
        run."""
        answer = self._run(*command.split(), *arguments, "--json")
        assert answer.code == code, answer.err
        assert bool(answer.out) is not bool(answer.err), "one document, on one of two streams"
        entered = " ".join([command, *map(str, arguments)])
        for text, name in {**self._names, hidden: "ID"}.items():
            entered = entered.replace(text, name)
        document = answer.problem if answer.err else answer.json
        self.commands.add(command)
        self.documents[entered] = stable(document, names=self._names, varying=VARYING)
        return answer


@pytest.fixture
def golden(installation: Installation, run: Run, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """A tenant with fixed names and ids: version 1 in production, version 2 in staging."""
    monkeypatch.setenv("MODEL_LIFECYCLE_TENANT", TENANT)
    tenant = with_sources(replace(installation, tenant=TENANT), 2)

    async def bring(world: RegistryFixture) -> None:
        for version in (1, 2):
            name = f"v{version}"
            await world.version(MODEL, version - 1, operation_id=f"register-{name}")
            for gate in (Gate.VALIDATION, Gate.SHADOW):
                evidence = await world.evidence(MODEL, version, gate, evidence_id=f"{gate}-{name}")
                uri, _ = await stored_report(
                    world.registry, TENANT, MODEL, version, evidence.content()
                )
                await world.judged(
                    MODEL, version, gate, evidence_id=f"{gate}-{name}", report_uri=uri
                )
            await world.move(MODEL, version, "staging", operation_id=f"stage-{name}")

    tenant.step(bring)
    return tenant


def test_the_answers_in_json_stay(
    golden: Installation, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One session with each command that can answer in JSON; programs read these documents."""
    policy, report = tmp_path / "policy.json", tmp_path / "report.json"
    policy.write_text(POLICY)
    report.write_text(json.dumps(REPORT.document()))
    session = Session(run, {golden.settings.home: "HOME", tmp_path: "FOLDER"})

    session("readiness", MODEL, 1)
    session("promote", MODEL, 1, "--reason", "better", "--operation-id", "promote-1")
    session("models")
    session("show", MODEL)
    session("show", MODEL, "--version", 2)
    session("evidence", MODEL, 1)
    session("report", MODEL, 1, "--evidence", "shadow-v1")
    session("readiness", MODEL, 2, code=4)
    session("promote", MODEL, 2, code=4)
    session("promote", MODEL, 2, "--force", "--reason", "urgent", "--operation-id", "promote-2")
    session("rollback", MODEL, "--reason", "slow", "--operation-id", "rollback-1")
    session("retire", MODEL, "--reason", "replaced", "--operation-id", "retire-1")
    golden.step(lambda world: world.version(MODEL, operation_id="register-v3"))
    mistake = ("--reason", "a mistake", "--yes", "--operation-id", "delete-1")
    session("delete", MODEL, "--version", 3, *mistake)
    session("policy", MODEL)
    session("policy", MODEL, "--set", policy, "--reason", "stricter", "--operation-id", "policy-1")
    session("history", MODEL, "--limit", 3)
    session("history", MODEL)
    session("production", MODEL)
    session("verify", MODEL, "--files")
    proof = tmp_path / "proof.json"
    monkeypatch.setenv("MODEL_LIFECYCLE_LEDGER_KEY", str(make_key(tmp_path).private))
    session("export-proof", MODEL, 1, "--output", proof)
    session("verify-proof", proof)
    session("recompute", report, "--no-traffic")
    session("reconcile")
    legal = ("--reason", "request of a person", "--yes", "--operation-id", "erase-1")
    session("erase", MODEL, 2, *legal)
    session("erase", MODEL, 2, *legal)
    session("prune", "--dry-run")
    session("show", "unknown", code=3)
    session("db upgrade")
    session("registry move")
    key = session("keys create", "--role", "viewer", "--name", "dashboard").json
    session("keys list")
    session("keys revoke", key["key_id"], hidden=key["key_id"])

    assert session.commands == set(_commands(typer.main.get_command(app)))
    assert_golden("cli/json", session.documents)


def _commands(group: Any, prefix: str = "") -> Iterator[str]:
    """The commands with ``--json``, by the words that call them."""
    for name, command in getattr(group, "commands", {}).items():
        if any("--json" in option.opts for option in command.params):
            yield f"{prefix}{name}"
        yield from _commands(command, f"{prefix}{name} ")
