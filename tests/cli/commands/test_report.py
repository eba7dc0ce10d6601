"""``report``: a gate's report as a file that a browser opens, or as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from model_lifecycle.registry.domain import artifact_paths
from model_lifecycle.registry.domain.identifiers import ModelId, TenantId
from model_lifecycle.registry.model_registry import ModelRegistry

from ..conftest import TENANT, Place, Run

PAGE = b"<!doctype html><title>PASS</title>"


@pytest.fixture
def reported(place: Place, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A model whose version 1 has a validation with a report, then an approval without one."""
    monkeypatch.chdir(tmp_path)
    folder = artifact_paths.gate_report(TenantId(TENANT), ModelId(model), 1, "validation", "v-1")

    async def store(registry: ModelRegistry) -> str:
        await registry.artifacts.put_bytes(f"{folder}/report.html", PAGE)
        await registry.artifacts.put_bytes(f"{folder}/report.json", b'{"verdict": "PASS"}')
        return registry.artifacts.uri(folder)

    uri = place.ask(store)
    place.step(lambda world: world.version(model))

    async def judge(world: Any) -> None:
        await world.judged(model, 1, "validation", evidence_id=f"{model}-v", report_uri=uri)
        await world.judged(model, 1, "approval")

    place.step(judge)
    return model


def test_the_newest_report_is_written_to_a_file(reported: str, run: Run, tmp_path: Path) -> None:
    """Named for what it is about; an approval has none and is passed over."""
    answer = run("report", reported, 1)

    assert (answer.code, answer.err) == (0, "")
    assert (tmp_path / f"{reported}-1-validation.html").read_bytes() == PAGE
    assert "validation: PASS" in answer.out


def test_a_report_is_printed_as_json(reported: str, run: Run, tmp_path: Path) -> None:
    """With --json nothing is written."""
    answer = run("report", reported, 1, "--evidence", f"{reported}-v", "--json")

    assert answer.json == {"verdict": "PASS"}
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_the_same_name_is_not_lost(reported: str, run: Run, tmp_path: Path) -> None:
    """Only a file that --output names is replaced."""
    file = tmp_path / f"{reported}-1-validation.html"
    file.write_text("mine")
    refused = run("report", reported, 1)
    kept = file.read_text()
    named = run("report", reported, 1, "--output", file)

    assert (refused.code, kept) == (2, "mine")
    assert "--output" in refused.err
    assert (named.code, file.read_bytes()) == (0, PAGE)


def test_evidence_without_a_report_is_not_found(place: Place, run: Run, model: str) -> None:
    """Exit code 3 and a sentence."""
    place.step(lambda world: world.version(model))

    answer = run("report", model, 1)
    unknown = run("report", model, 1, "--evidence", "nobody-has-it")

    assert (answer.code, unknown.code) == (3, 3)
    assert f"report about {model}/1" in answer.err
