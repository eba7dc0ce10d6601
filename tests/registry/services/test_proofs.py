"""A proof that a registry exports holds without the registry; a change of any part is named."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from support.registry_fixture import RegistryFixture, trained
from support.signing_keys import KeyFiles, make_key

from model_lifecycle.registry.attestation.envelope import read_statement, sign
from model_lifecycle.registry.attestation.hash_chain import sealed
from model_lifecycle.registry.attestation.keys import load_signing_key
from model_lifecycle.registry.attestation.proof_check import verify_proof
from model_lifecycle.registry.attestation.proof_document import read_proof
from model_lifecycle.registry.domain.errors import (
    InvalidInput,
    LedgerBehind,
    LedgerCorrupt,
    ProofRefused,
    SigningUnavailable,
    VersionNotFound,
)
from model_lifecycle.registry.domain.stages import Gate
from model_lifecycle.registry.factory import open_registry
from model_lifecycle.registry.settings import Settings

Document = dict[str, Any]


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[KeyFiles, KeyFiles]:
    """The ledger's key and a gate's."""
    folder = tmp_path_factory.mktemp("keys")
    return make_key(folder, "ledger"), make_key(folder, "gate")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def prover(
    settings: Settings, world: RegistryFixture, keys: tuple[KeyFiles, KeyFiles]
) -> AsyncIterator[RegistryFixture]:
    """The shared tenant, seen through a registry with both keys."""
    values = {"ledger_key": str(keys[0].private), "gate_key": str(keys[1].private)}
    async with open_registry(settings.with_values(**values)) as registry:
        yield replace(world, registry=registry)


async def _life(world: RegistryFixture, model_id: str, gate: KeyFiles) -> None:
    """Two versions, both promoted under a policy that trusts the gate's key; the second one
    failed once before, and was approved."""
    await world.version(model_id)
    await world.registry.set_policy(
        world.tenant,
        model_id,
        {"trusted_keys": [gate.pem], "require_approval": True},
        actor="kim",
        reason="signed evidence only",
    )
    for version in (1, 2):
        if version == 2:
            await world.version(model_id, 1)
            await world.judged(model_id, 2, Gate.VALIDATION, verdict="FAIL")
        await world.judged(model_id, version, Gate.VALIDATION)
        await world.move(model_id, version, "staging")
        await world.judged(model_id, version, Gate.SHADOW)
        await world.judged(model_id, version, Gate.APPROVAL)
        await world.move(model_id, version, "production", reason="better by 0.01")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def proof(prover: RegistryFixture, keys: tuple[KeyFiles, KeyFiles]) -> Document:
    """The proof of a version in production, as it is read from a file."""
    await _life(prover, "proven", keys[1])
    document = await prover.registry.export_proof(prover.tenant, "proven", 2)
    return dict(json.loads(json.dumps(document)))


def _codes(document: Document, **values: Any) -> list[str]:
    with pytest.raises(ProofRefused) as caught:
        verify_proof(document, **values)
    assert caught.value.code == "proof_refused"
    return [code for code, _ in caught.value.problems]


async def test_a_proof_holds(proof: Document, keys: tuple[KeyFiles, KeyFiles]) -> None:
    checked = verify_proof(proof, trusted_key=keys[0].pem)

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
    proof: Document, keys: tuple[KeyFiles, KeyFiles], tmp_path: Path
) -> None:
    """In a process that imports none of them, in an empty folder."""
    (tmp_path / "proof.json").write_text(json.dumps(proof))
    code = (
        "import json, sys\n"
        "from model_lifecycle.registry import verify_proof\n"
        f"checked = verify_proof(json.load(open('proof.json')), trusted_key={keys[0].pem!r})\n"
        "for name in ('sqlalchemy', 'mlflow', 'pandas', 'model_lifecycle.registry.settings'):\n"
        "    assert name not in sys.modules, name\n"
        "print(checked.content.version.version)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, env={}
    )

    assert (done.returncode, done.stdout) == (0, "2\n"), done.stderr


def _edit_entry(document: Document) -> None:
    document["entries"][5]["actor"] = "eve"


def _reseal_entry(document: Document) -> None:
    """An entry is rewritten, with all hashes after it."""
    entries = list(read_proof(document).entries)
    entries[5] = replace(entries[5], actor="eve")
    previous = entries[4].hash
    for place in (5, 6):
        entries[place] = sealed(replace(entries[place], previous_hash=previous))
        previous = entries[place].hash
    document["entries"] = [entry.document() for entry in entries]


def _drop_entry(document: Document) -> None:
    del document["entries"][5]


def _drop_last_entry(document: Document) -> None:
    del document["entries"][-1]
    document["inclusion"] = [item for item in document["inclusion"] if item["sequence"] != 7]


def _edit_evidence(document: Document) -> None:
    item = next(item for item in document["evidence"] if item["gate"] == "shadow")
    item["summary"] = {"sentence": "better by 0.5"}


def _drop_failure(document: Document) -> None:
    document["evidence"] = [item for item in document["evidence"] if item["verdict"] != "FAIL"]


def _drop_used_evidence(document: Document) -> None:
    document["evidence"] = [item for item in document["evidence"] if item["gate"] != "approval"]


def _edit_policy(document: Document) -> None:
    document["policy"]["require_approval"] = False


def _edit_policy_everywhere(document: Document) -> None:
    _edit_policy(document)
    document["entries"][1]["detail"]["policy"]["require_approval"] = False


def _edit_path(document: Document) -> None:
    item = document["inclusion"][-1]
    item["path"][0] = "00" * 32


def _move_leaf(document: Document) -> None:
    document["inclusion"][-1]["leaf_index"] -= 1


def _drop_path(document: Document) -> None:
    document["inclusion"].pop(0)


def _edit_record(document: Document) -> None:
    document["record"]["metrics"]["accuracy"] = 0.999


def _edit_bundle_digest(document: Document) -> None:
    document["record"]["bundle_digest"] = "sha256:" + "0" * 64


def _edit_signature(document: Document) -> None:
    signature = document["head"]["signatures"][0]
    signature["sig"] = "A" * 20 + signature["sig"][20:]


def _strip_signature(document: Document) -> None:
    document["head"]["signatures"] = []


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        (_edit_entry, {"entry_edited"}),
        (_reseal_entry, {"entry_edited", "inclusion_failed"}),
        (_drop_entry, {"entry_missing"}),
        (_drop_last_entry, {"entry_missing"}),
        (_edit_evidence, {"evidence_edited"}),
        (_drop_failure, {"evidence_missing"}),
        (_drop_used_evidence, {"evidence_missing"}),
        (_edit_policy, {"policy_edited"}),
        (_edit_policy_everywhere, {"policy_edited", "entry_edited"}),
        (_edit_path, {"inclusion_failed"}),
        (_move_leaf, {"inclusion_failed"}),
        (_drop_path, {"inclusion_missing"}),
        (_edit_record, {"record_edited"}),
        (_edit_bundle_digest, {"record_edited"}),
        (_edit_signature, {"head_signature"}),
        (_strip_signature, {"unknown_key"}),
    ],
)
def test_a_change_of_each_part_is_named(
    proof: Document, change: Callable[[Document], None], codes: set[str]
) -> None:
    changed = copy.deepcopy(proof)
    change(changed)

    assert codes <= set(_codes(changed))


def test_an_edited_head_has_no_valid_signature(
    proof: Document, keys: tuple[KeyFiles, KeyFiles]
) -> None:
    """The payload is replaced, the signature left."""
    other = copy.deepcopy(proof)
    stated = read_statement(proof["head"], field="x")
    stated["predicate"]["tree_size"] += 1
    other["head"]["payload"] = sign(
        stated, load_signing_key(str(keys[0].private), None, field="ledger_key")
    )["payload"]

    assert "head_signature" in _codes(other)


def test_a_proof_signed_by_another_key_is_refused_by_readers_who_know_the_key(
    proof: Document, keys: tuple[KeyFiles, KeyFiles], tmp_path: Path
) -> None:
    """The forger signs a head of a forged ledger, and names the own key in the file."""
    forger = make_key(tmp_path, "forger")
    forged = copy.deepcopy(proof)
    key = load_signing_key(str(forger.private), None, field="ledger_key")
    forged["head"] = sign(read_statement(proof["head"], field="x"), key)
    forged["public_key"] = forger.pem

    assert verify_proof(forged).key_id == key.public_key.key_id
    assert _codes(forged, trusted_key=keys[0].pem) == ["unknown_key"]


@pytest.mark.parametrize(
    "document",
    [None, [], "proof", {}, {"schema": "model-lifecycle/proof/v2"}],
)
def test_what_is_no_proof_is_refused(document: Any) -> None:
    with pytest.raises(InvalidInput, match="no proof"):
        verify_proof(document)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("entries", []),
        ("entries", [{}]),
        ("entries", "x"),
        ("evidence", [1]),
        ("record", {}),
        ("policy", []),
        ("head", {}),
        ("public_key", "x"),
        ("inclusion", [{}]),
    ],
)
def test_a_part_that_cannot_be_read_is_named(proof: Document, part: str, value: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        verify_proof({**proof, part: value})
    assert part in caught.value.field or part in str(caught.value)


def test_a_missing_or_added_part_is_named(proof: Document) -> None:
    for changed in ({**proof, "note": 1}, {k: v for k, v in proof.items() if k != "evidence"}):
        with pytest.raises(InvalidInput, match=r"note|evidence"):
            verify_proof(changed)


async def test_a_later_tree_begins_with_that_of_an_earlier_proof(
    prover: RegistryFixture, proof: Document, model_id: str, keys: tuple[KeyFiles, KeyFiles]
) -> None:
    await prover.promoted(model_id)
    size = read_statement(proof["head"], field="x")["predicate"]["tree_size"]

    later = await prover.registry.export_proof(prover.tenant, model_id, 1, since=size)
    without = await prover.registry.export_proof(prover.tenant, model_id, 1)

    assert verify_proof(later, earlier=proof, trusted_key=keys[0].pem).tree_size > size
    assert _codes(without, earlier=proof) == ["inconsistent_tree"]
    later["consistency"]["path"][0] = "00" * 32
    assert _codes(later, earlier=proof) == ["inconsistent_tree"]
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
    new_settings: Settings, keys: tuple[KeyFiles, KeyFiles], mlflow_imported: None
) -> None:
    """A violation is named, and nothing is signed."""
    from sqlalchemy import text

    from model_lifecycle.registry.ledger.engine import open_engine, writing

    settings = new_settings.with_values(ledger_key=str(keys[0].private))
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
