"""``export-proof`` and ``verify-proof``: a file that holds by itself, and its summary as a page."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.command_line import Installation, Run
from support.registry_fixture import RegistryFixture
from support.signing_keys import KeyFiles, make_key

from model_lifecycle.registry.model_registry import ModelRegistry


@pytest.fixture
def ledger_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeyFiles:
    key = make_key(tmp_path, "ledger")
    monkeypatch.setenv("MODEL_LIFECYCLE_LEDGER_KEY", str(key.private))
    return key


@pytest.fixture
def proof(run: Run, champion: str, ledger_key: KeyFiles, tmp_path: Path) -> Path:
    """The proof of a version in production, in a file."""
    file = tmp_path / "proof.json"
    done = run("export-proof", champion, 1, "--output", file)
    assert done.code == 0, done.err
    return file


def test_a_proof_is_written_with_a_page_and_holds(
    run: Run, proof: Path, ledger_key: KeyFiles
) -> None:
    checked = run("verify-proof", proof, "--key", ledger_key.public)
    as_json = run("verify-proof", proof, "--json")

    assert (checked.code, as_json.code) == (0, 0)
    assert "champion/1 is in production" in checked.out
    assert "the key that you named" in checked.out
    assert as_json.json["is_key_trusted"] is False
    page = proof.with_suffix(".html").read_text()
    assert "kim moved it to production" in page
    assert "shadow PASS" in page
    assert "better by 0.01" in page
    assert "<script" not in page


def test_names_and_reasons_cannot_put_markup_into_the_page(
    run: Run, installation: Installation, ledger_key: KeyFiles, tmp_path: Path
) -> None:
    """A reason is other people's text."""

    async def bring(registry: ModelRegistry) -> None:
        model = await registry.register_model(
            installation.tenant,
            "marked-up",
            installation.sources[0],
            "sklearn",
            None,
            None,
            created_by="<b>eve</b>",
        )
        assert model.current_version == 1
        await registry.transition_stage(
            installation.tenant,
            "marked-up",
            1,
            "staging",
            actor="eve",
            reason="<script>alert(1)</script>",
            force=True,
        )

    installation.ask(bring)
    done = run("export-proof", "marked-up", 1, "--output", tmp_path / "proof.json")
    page = (tmp_path / "proof.html").read_text()

    assert done.code == 0, done.err
    assert "<script" not in page
    assert "<b>eve" not in page
    assert "by force, with requirements waived" in page
    assert "Waived:" in page


def test_the_page_of_an_erased_version_says_so(
    run: Run, installation: Installation, ledger_key: KeyFiles, tmp_path: Path
) -> None:
    async def bring(registry: ModelRegistry) -> None:
        world = RegistryFixture(registry, installation.tenant, installation.sources)
        await world.version("erased")
        await registry.erase_version(
            installation.tenant, "erased", 1, actor="kim", reason="request of a data subject"
        )

    installation.ask(bring)
    done = run("export-proof", "erased", 1, "--output", tmp_path / "proof.json")
    page = (tmp_path / "proof.html").read_text()

    assert done.code == 0, done.err
    assert "kim erased its files on" in page
    assert "request of a data subject" in page


def test_the_check_needs_no_registry(proof: Path, ledger_key: KeyFiles, tmp_path: Path) -> None:
    """In a folder of its own, with none of our settings in the environment."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("MODEL_LIFECYCLE_")
    }
    code = "from model_lifecycle.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "verify-proof", proof, "--key", ledger_key.public, "--json"],
        cwd=tmp_path,
        env={**environment, "MODEL_LIFECYCLE_DATABASE_URL": "postgresql://nowhere.invalid/x"},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["version"] == 1


def test_what_does_not_hold_is_named_with_its_code(run: Run, proof: Path) -> None:
    document = json.loads(proof.read_text())
    document["entries"][1]["reason"] = "because"
    document["evidence"][0]["recorded_by"] = "eve"
    proof.write_text(json.dumps(document))

    done = run("verify-proof", proof, "--json")

    assert done.code == 8
    problems = {item["code"]: item["message"] for item in done.problem["problems"]}
    assert problems["entry_edited"] == "entry 2 was edited"
    assert "was edited" in problems["evidence_edited"]


def test_another_key_is_refused(run: Run, proof: Path, tmp_path: Path) -> None:
    other = make_key(tmp_path, "other")

    done = run("verify-proof", proof, "--key", other.public, "--json")

    assert done.code == 8
    assert [item["code"] for item in done.problem["problems"]] == ["unknown_key"]


def test_a_later_proof_is_compared_with_an_earlier_one(
    run: Run, champion: str, proof: Path, tmp_path: Path
) -> None:
    later = tmp_path / "later.json"

    assert run("export-proof", champion, 2, "--output", later, "--since", proof).code == 0
    assert run("verify-proof", later, "--since", proof).code == 0


@pytest.mark.parametrize("content", [None, "", "{}", "[1]", "\udcff", "x" * 100])
def test_a_file_that_is_no_proof_is_refused(run: Run, tmp_path: Path, content: Any) -> None:
    file = tmp_path / "proof.json"
    if content is not None:
        file.write_bytes(content.encode("utf-8", "surrogateescape"))

    done = run("verify-proof", file, "--json")

    assert (done.code, done.problem["code"]) == (2, "invalid_input")


def test_without_a_key_nothing_is_exported(run: Run, champion: str, tmp_path: Path) -> None:
    done = run("export-proof", champion, 1, "--output", tmp_path / "proof.json", "--json")

    assert (done.code, done.problem["code"]) == (2, "signing_unavailable")
    assert "openssl genpkey" in done.problem["message"]
    assert not (tmp_path / "proof.json").exists()
