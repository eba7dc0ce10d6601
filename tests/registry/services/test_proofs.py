"""A proof that a registry exports holds without the registry; a change of any part is named."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.proofs import Document, problem_codes
from support.registry_fixture import RegistryFixture, trained
from support.signing_keys import KeyFiles, make_key

from model_lifecycle.registry.attestation.envelope import read_statement, sign
from model_lifecycle.registry.attestation.keys import load_signing_key
from model_lifecycle.registry.attestation.proof_check import verify_proof
from model_lifecycle.registry.domain.errors import (
    InvalidInput,
    LedgerBehind,
    LedgerCorrupt,
    ProofRefused,
    SigningUnavailable,
    VersionNotFound,
)
from model_lifecycle.registry.factory import open_registry
from model_lifecycle.registry.settings import Settings


async def test_a_proof_holds(proof: Document, proof_keys: tuple[KeyFiles, KeyFiles]) -> None:
    checked = verify_proof(proof, trusted_key=proof_keys[0].pem)

    assert checked.is_key_trusted
    assert checked.content.version.version == 2
    assert [entry.kind.value for entry in checked.content.entries] == [
        *("registered", "policy_set", "moved", "moved"),
        *("registered", "moved", "moved"),
    ]
    own = [item for item in checked.content.evidence if item.version == 2]
    assert [item.verdict.value for item in own] == ["FAIL", "PASS", "PASS", "PASS"]
    assert not verify_proof(proof).is_key_trusted


def test_a_proof_is_checked_without_database_mlflow_and_settings(
    proof: Document, proof_keys: tuple[KeyFiles, KeyFiles], tmp_path: Path
) -> None:
    """In a process that imports none of them, in an empty folder."""
    (tmp_path / "proof.json").write_text(json.dumps(proof))
    code = (
        "import json, sys\n"
        "from model_lifecycle.registry import verify_proof\n"
        "document = json.load(open('proof.json'))\n"
        f"checked = verify_proof(document, trusted_key={proof_keys[0].pem!r})\n"
        "for name in ('sqlalchemy', 'mlflow', 'pandas', 'model_lifecycle.registry.settings'):\n"
        "    assert name not in sys.modules, name\n"
        "print(checked.content.version.version)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, env={}
    )

    assert (done.returncode, done.stdout) == (0, "2\n"), done.stderr


def test_an_edited_head_has_no_valid_signature(
    proof: Document, proof_keys: tuple[KeyFiles, KeyFiles]
) -> None:
    """The payload is replaced, the signature left."""
    other = copy.deepcopy(proof)
    stated = read_statement(proof["head"], field="x")
    stated["predicate"]["tree_size"] += 1
    other["head"]["payload"] = sign(
        stated, load_signing_key(str(proof_keys[0].private), None, field="ledger_key")
    )["payload"]

    assert "head_signature" in problem_codes(other)


def test_a_proof_signed_by_another_key_is_refused_by_readers_who_know_the_key(
    proof: Document, proof_keys: tuple[KeyFiles, KeyFiles], tmp_path: Path
) -> None:
    """The forger signs a head of a forged ledger, and names the own key in the file."""
    forger = make_key(tmp_path, "forger")
    forged = copy.deepcopy(proof)
    key = load_signing_key(str(forger.private), None, field="ledger_key")
    forged["head"] = sign(read_statement(proof["head"], field="x"), key)
    forged["public_key"] = forger.pem

    assert verify_proof(forged).key_id == key.public_key.key_id
    assert problem_codes(forged, trusted_key=proof_keys[0].pem) == ["unknown_key"]


async def test_a_later_tree_begins_with_that_of_an_earlier_proof(
    prover: RegistryFixture, proof: Document, model_id: str, proof_keys: tuple[KeyFiles, KeyFiles]
) -> None:
    await prover.promoted(model_id)
    size = read_statement(proof["head"], field="x")["predicate"]["tree_size"]

    later = await prover.registry.export_proof(prover.tenant, model_id, 1, since=size)
    without = await prover.registry.export_proof(prover.tenant, model_id, 1)

    assert verify_proof(later, earlier=proof, trusted_key=proof_keys[0].pem).tree_size > size
    assert problem_codes(without, earlier=proof) == ["inconsistent_tree"]
    later["consistency"]["path"][0] = "00" * 32
    assert problem_codes(later, earlier=proof) == ["inconsistent_tree"]
    assert verify_proof(proof, earlier=proof).tree_size == size


async def test_a_proof_needs_a_key_and_a_version(
    world: RegistryFixture, prover: RegistryFixture, proof: Document
) -> None:
    with pytest.raises(SigningUnavailable, match="MODEL_LIFECYCLE_LEDGER_KEY"):
        await world.registry.export_proof(world.tenant, "proven", 2)
    with pytest.raises(VersionNotFound):
        await prover.registry.export_proof(prover.tenant, "proven", 9)
    with pytest.raises(LedgerBehind, match="one with 100000"):
        await prover.registry.export_proof(prover.tenant, "proven", 2, since=100_000)
    with pytest.raises(InvalidInput, match="since"):
        await prover.registry.export_proof(prover.tenant, "proven", 2, since=0)


async def test_a_ledger_that_was_changed_gives_no_proof(
    new_settings: Settings, proof_keys: tuple[KeyFiles, KeyFiles], mlflow_imported: None
) -> None:
    """A violation is named, and nothing is signed."""
    from sqlalchemy import text

    from model_lifecycle.registry.ledger.engine import open_engine, writing

    settings = new_settings.with_values(ledger_key=str(proof_keys[0].private))
    async with open_registry(settings) as registry:
        logged = await registry.log_model("acme", "churn", trained(), created_by="kim")
        world = RegistryFixture(registry, "acme", (logged.model_uri,))
        await world.promoted("churn")
        engine = open_engine(settings.database_url)
        async with writing(engine) as connection:
            await connection.execute(text("DROP TRIGGER evidence_no_update"))
            await connection.execute(text("UPDATE evidence SET recorded_by = 'eve'"))
        await engine.dispose()

        with pytest.raises((ProofRefused, LedgerCorrupt), match="was edited"):
            await registry.export_proof("acme", "churn", 1)


async def test_the_record_of_an_erased_version_can_still_be_proven(
    prover: RegistryFixture, model_id: str, proof_keys: tuple[KeyFiles, KeyFiles]
) -> None:
    """Its files are gone; who decided what, and when it was erased, stays."""
    await prover.promoted(model_id)
    await prover.promoted(model_id, 1)
    await prover.registry.erase_version(
        prover.tenant, model_id, 1, actor="kim", reason="request of a data subject"
    )

    checked = verify_proof(
        await prover.registry.export_proof(prover.tenant, model_id, 1),
        trusted_key=proof_keys[0].pem,
    )

    assert checked.content.version.stage.value == "deleted"
    assert checked.content.entries[-1].kind.value == "erased"
