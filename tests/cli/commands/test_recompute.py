"""``recompute`` on reports of each kind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from model_lifecycle.gates.report import GateReport, MetricRow
from model_lifecycle.registry.domain.evidence import Verdict
from model_lifecycle.registry.domain.stages import Gate

if TYPE_CHECKING:
    from typer.testing import Result


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """A report of a validation, as it is stored."""
    row = MetricRow("brier", "Brier score", "comparison", Verdict.PASS, "Brier improved: PASS")
    stored = GateReport(
        gate=Gate.VALIDATION,
        verdict=Verdict.PASS,
        sentence="Brier improved: PASS",
        tenant_id="acme",
        model_id="clicks",
        version=2,
        baseline=1,
        bundle_digest="sha256:0",
        policy={},
        policy_fingerprint="sha256:1",
        evidence_id="e",
        metrics=(row,),
        reproduction={"data": "held-out.parquet"},
    )
    path = tmp_path / "report.json"
    path.write_text(json.dumps(stored.document()))
    return path


def _run(*arguments: object) -> Result:
    from typer.testing import CliRunner

    from model_lifecycle.cli.main import app

    return CliRunner().invoke(app, ["recompute", *map(str, arguments)])


def test_agrees(report: Path) -> None:
    """A report whose verdict follows from its rows agrees; file and folder both do."""
    by_file, by_folder = _run(report, "--no-traffic"), _run(report.parent, "--no-traffic", "--json")

    assert (by_file.exit_code, by_folder.exit_code) == (0, 0), by_file.output
    assert "Agrees" in by_file.output
    assert json.loads(by_folder.stdout)["agrees"] is True


def test_does_not_agree(report: Path) -> None:
    """A verdict that was edited is found, with exit code 8."""
    document = json.loads(report.read_text())
    report.write_text(json.dumps({**document, "verdict": "FAIL"}))

    result = _run(report, "--no-traffic")

    assert result.exit_code == 8
    assert "the report states FAIL, its numbers give PASS" in " ".join(result.output.split())


def test_no_report(report: Path) -> None:
    """A file that is no report is bad input."""
    report.write_text("[]")

    assert _run(report, "--no-traffic").exit_code == 2
