"""``report``: a gate's report as a file that a browser opens, or as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest
from support.command_line import Installation, Run
from support.registry_fixture import RegistryFixture
from support.reports import PAGE, stored_report

from model_lifecycle.registry.domain.stages import Gate


class Reported(NamedTuple):
    model: str
    report: dict[str, Any]


@pytest.fixture
def reported(
    installation: Installation, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Reported:
    """A model whose version 1 has a validation with a report, then an approval without one."""
    monkeypatch.chdir(tmp_path)

    async def judge(world: RegistryFixture) -> dict[str, Any]:
        version = await world.version(model)
        reference = {"evidence_id": f"{model}-v"}
        evidence = await world.evidence(model, version, Gate.VALIDATION, **reference)
        uri, report = await stored_report(
            world.registry, world.tenant, model, version, evidence.content()
        )
        await world.judged(model, version, Gate.VALIDATION, **reference, report_uri=uri)
        await world.judged(model, version, Gate.APPROVAL)
        return report

    return Reported(model, installation.step(judge))


def test_the_newest_report_is_written_to_a_file(
    reported: Reported, run: Run, tmp_path: Path
) -> None:
    """Named for what it is about; an approval has none and is passed over."""
    model, _ = reported
    answer = run("report", model, 1)

    assert (answer.code, answer.err) == (0, "")
    assert (tmp_path / f"{model}-1-validation.html").read_bytes() == PAGE
    assert "validation: PASS" in answer.out


def test_a_report_is_printed_as_json(reported: Reported, run: Run, tmp_path: Path) -> None:
    """With --json nothing is written."""
    model, report = reported
    answer = run("report", model, 1, "--evidence", f"{model}-v", "--json")

    assert answer.json == report
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_the_same_name_is_not_lost(reported: Reported, run: Run, tmp_path: Path) -> None:
    """Only a file that --output names is replaced."""
    model, _ = reported
    file = tmp_path / f"{model}-1-validation.html"
    file.write_text("mine")
    refused = run("report", model, 1)
    content = file.read_text()
    named = run("report", model, 1, "--output", file)

    assert (refused.code, content) == (2, "mine")
    assert "--output" in refused.err
    assert (named.code, file.read_bytes()) == (0, PAGE)


def test_evidence_without_a_report_is_not_found(
    installation: Installation, run: Run, model: str
) -> None:
    """Exit code 3 and a sentence."""
    installation.step(lambda world: world.version(model))

    answer = run("report", model, 1)
    unknown = run("report", model, 1, "--evidence", "nobody-has-it")

    assert (answer.code, unknown.code) == (3, 3)
    assert f"report about {model}/1" in answer.err
