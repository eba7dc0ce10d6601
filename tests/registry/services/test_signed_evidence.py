"""Evidence is signed where a key is configured, and only signed evidence counts where a policy
lists trusted keys. What is refused leaves the registry as it was."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from support.registry_fixture import RegistryFixture, trained
from support.signing_keys import KeyFiles, make_key

from model_lifecycle.registry.attestation.envelope import read_statement, sign, signer
from model_lifecycle.registry.attestation.keys import PublicKey, load_signing_key
from model_lifecycle.registry.attestation.verdict_statement import verdict_statement
from model_lifecycle.registry.domain.errors import GateRefused, InvalidInput, UntrustedEvidence
from model_lifecycle.registry.domain.evidence import Evidence, Verdict
from model_lifecycle.registry.domain.stages import Gate, Stage
from model_lifecycle.registry.factory import open_registry
from model_lifecycle.registry.settings import Settings


@dataclass
class Signed:
    """The shared tenant, seen through a registry that signs with ``key``; ``plain`` does not."""

    world: RegistryFixture
    plain: RegistryFixture
    key: KeyFiles
    other: KeyFiles

    async def envelope(
        self, item: Evidence, model_id: str, key: KeyFiles, **changes: Any
    ) -> dict[str, Any]:
        """A statement about ``item`` that another program signs."""
        model = await self.plain.registry.get_model(self.plain.tenant, model_id)
        assert model is not None
        bound = replace(item, tenant_id=self.plain.tenant, model_id=model_id, version=1)
        content = verdict_statement(
            bound, epoch=model.epoch, baseline_digest=None, report_digest=None
        )
        content["predicate"].update(changes)
        return sign(content, load_signing_key(str(key.private), None, field="gate_key"))


@pytest_asyncio.fixture(loop_scope="session")
async def signed(
    settings: Settings, world: RegistryFixture, tmp_path: Path
) -> AsyncIterator[Signed]:
    key, other = make_key(tmp_path), make_key(tmp_path, "other")
    async with open_registry(settings.with_values(gate_key=str(key.private))) as registry:
        yield Signed(replace(world, registry=registry), world, key, other)


async def _trusting(world: RegistryFixture, model_id: str, *keys: KeyFiles) -> None:
    await world.registry.set_policy(
        world.tenant,
        model_id,
        {"trusted_keys": [key.pem for key in keys]},
        actor="kim",
        reason="signed evidence only",
    )


def _is_signed_by(envelope: Mapping[str, Any] | None, key: KeyFiles) -> bool:
    return signer(envelope, [PublicKey.from_pem(key.pem, field="key")], field="x") is not None


async def test_evidence_is_signed_with_the_gates_key(signed: Signed, model_id: str) -> None:
    await signed.world.version(model_id)

    recorded = await signed.world.judged(model_id, 1, Gate.VALIDATION)
    (listed,) = await signed.world.registry.list_evidence(signed.world.tenant, model_id, 1)

    assert listed == recorded
    assert _is_signed_by(recorded.envelope, signed.key)
    content = read_statement(recorded.envelope, field="x")
    assert f"sha256:{content['subject'][0]['digest']['sha256']}" == recorded.bundle_digest
    assert content["predicate"]["epoch"] == recorded.epoch
    assert content["predicate"]["verdict"] == "PASS"


async def test_the_statement_names_the_champions_digest(signed: Signed, model_id: str) -> None:
    await signed.plain.promoted(model_id)
    champion = await signed.plain.registry.get_version(signed.plain.tenant, model_id, 1)
    await signed.plain.version(model_id, 1)

    recorded = await signed.world.judged(model_id, 2, Gate.SHADOW)

    predicate = read_statement(recorded.envelope, field="x")["predicate"]
    assert champion is not None
    assert (predicate["baseline"], predicate["baseline_digest"]) == (1, champion.bundle_digest)


async def test_without_a_key_evidence_is_as_before(signed: Signed, model_id: str) -> None:
    await signed.plain.version(model_id)

    assert (await signed.plain.judged(model_id, 1)).envelope is None


async def test_a_repetition_gets_the_statement_that_was_recorded(
    signed: Signed, model_id: str
) -> None:
    """Also from a process without the key, and after the model has moved on."""
    await signed.world.version(model_id)
    item = await signed.world.evidence(model_id, 1)
    first = await signed.world.registry.record_evidence(
        signed.world.tenant, model_id, 1, item, actor="kim"
    )
    await signed.plain.judged(model_id, 1, Gate.VALIDATION)
    await signed.plain.move(model_id, 1, Stage.STAGING)

    again = await signed.plain.registry.record_evidence(
        signed.plain.tenant, model_id, 1, item, actor="kim"
    )

    assert again == first


async def test_signed_evidence_promotes_under_a_policy_with_keys(
    signed: Signed, model_id: str
) -> None:
    await signed.world.version(model_id)
    await _trusting(signed.world, model_id, signed.key, signed.other)

    await signed.world.judged(model_id, 1, Gate.VALIDATION)
    await signed.world.move(model_id, 1, Stage.STAGING)
    await signed.world.judged(model_id, 1, Gate.SHADOW)
    await signed.world.move(model_id, 1, Stage.PRODUCTION)

    assert await signed.world.stages(model_id) == {1: "production"}


async def test_unsigned_evidence_is_refused_under_a_policy_with_keys(
    signed: Signed, model_id: str
) -> None:
    await signed.plain.version(model_id)
    await _trusting(signed.plain, model_id, signed.key)
    before = await signed.plain.snapshot(model_id)

    for gate in (Gate.VALIDATION, Gate.APPROVAL):
        with pytest.raises(UntrustedEvidence, match="is not signed") as caught:
            await signed.plain.judged(model_id, 1, gate)
        assert caught.value.code == "untrusted_evidence"

    assert await signed.plain.snapshot(model_id) == before


async def test_a_signature_of_an_unknown_key_is_refused(signed: Signed, model_id: str) -> None:
    await signed.plain.version(model_id)
    await _trusting(signed.plain, model_id, signed.other)
    before = await signed.plain.snapshot(model_id)

    with pytest.raises(UntrustedEvidence, match="not signed by a key that the policy trusts"):
        await signed.world.judged(model_id, 1, Gate.VALIDATION)

    assert await signed.plain.snapshot(model_id) == before


async def test_a_statement_that_another_program_signed_is_recorded_as_it_is(
    signed: Signed, model_id: str
) -> None:
    await signed.plain.version(model_id)
    await _trusting(signed.plain, model_id, signed.other)
    item = await signed.plain.evidence(model_id, 1, Gate.VALIDATION)
    envelope = await signed.envelope(item, model_id, signed.other)

    recorded = await signed.world.registry.record_evidence(
        signed.world.tenant, model_id, 1, replace(item, envelope=envelope), actor="ci"
    )

    assert recorded.envelope == envelope
    await signed.plain.move(model_id, 1, Stage.STAGING)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"verdict": "FAIL"}, "verdict"),
        ({"baseline": 1}, "baseline"),
        ({"baseline_digest": "sha256:" + "0" * 64}, "baseline_digest"),
        ({"report_digest": "sha256:" + "0" * 64}, "report_digest"),
        ({"policy_fingerprint": "sha256:" + "0" * 64}, "policy_fingerprint"),
        ({"epoch": 10_000}, "epoch 10000"),
        ({"epoch": None}, "epoch None"),
        ({"extra": 1}, "extra"),
    ],
)
async def test_a_statement_that_says_something_else_is_refused(
    signed: Signed, model_id: str, changes: dict[str, Any], message: str
) -> None:
    """With or without trusted keys."""
    await signed.plain.version(model_id)
    item = await signed.plain.evidence(model_id, 1, Gate.VALIDATION)
    envelope = await signed.envelope(item, model_id, signed.other, **changes)
    before = await signed.plain.snapshot(model_id)

    with pytest.raises(InvalidInput, match=message) as caught:
        await signed.plain.registry.record_evidence(
            signed.plain.tenant, model_id, 1, replace(item, envelope=envelope), actor="ci"
        )

    assert caught.value.field.startswith("evidence.envelope.")
    assert await signed.plain.snapshot(model_id) == before


async def test_a_forged_signature_is_refused(signed: Signed, model_id: str) -> None:
    """The key id is that of a trusted key, the signature is of another one."""
    await signed.plain.version(model_id)
    await _trusting(signed.plain, model_id, signed.key)
    item = await signed.plain.evidence(model_id, 1, Gate.VALIDATION)
    envelope = await signed.envelope(item, model_id, signed.other)
    trusted = PublicKey.from_pem(signed.key.pem, field="key").key_id
    envelope["signatures"][0]["keyid"] = trusted
    before = await signed.plain.snapshot(model_id)

    with pytest.raises(UntrustedEvidence, match="not signed by a key that the policy trusts"):
        await signed.plain.registry.record_evidence(
            signed.plain.tenant, model_id, 1, replace(item, envelope=envelope), actor="eve"
        )

    assert await signed.plain.snapshot(model_id) == before


async def test_what_is_no_envelope_is_refused(signed: Signed, model_id: str) -> None:
    await signed.plain.version(model_id)
    item = await signed.plain.evidence(model_id, 1, Gate.VALIDATION)

    with pytest.raises(InvalidInput, match="DSSE"):
        await signed.plain.registry.record_evidence(
            signed.plain.tenant, model_id, 1, replace(item, envelope={"payload": 1}), actor="ci"
        )


async def test_keys_that_are_added_to_a_policy_end_the_validity_of_unsigned_evidence(
    signed: Signed, model_id: str
) -> None:
    await signed.plain.version(model_id)
    await signed.plain.judged(model_id, 1, Gate.VALIDATION)
    await _trusting(signed.plain, model_id, signed.key)

    with pytest.raises(GateRefused) as caught:
        await signed.plain.move(model_id, 1, Stage.STAGING)

    assert [item.code for item in caught.value.missing] == ["policy_mismatch"]


async def test_evidence_that_was_exchanged_in_the_database_does_not_count(
    new_settings: Settings, tmp_path: Path, mlflow_imported: None
) -> None:
    """A FAIL that is turned into a PASS behind the registry's back keeps its signature, which is
    not one of a PASS."""
    from sqlalchemy import text

    from model_lifecycle.registry.ledger.engine import open_engine, writing

    key = make_key(tmp_path)
    settings = new_settings.with_values(gate_key=str(key.private))
    async with open_registry(settings) as registry:
        logged = await registry.log_model("acme", "churn", trained(), created_by="kim")
        world = RegistryFixture(registry, "acme", (logged.model_uri,))
        await world.version("churn")
        await _trusting(world, "churn", key)
        await world.judged("churn", 1, Gate.VALIDATION, verdict=Verdict.FAIL)
        engine = open_engine(settings.database_url)
        async with writing(engine) as connection:
            await connection.execute(text("DROP TRIGGER evidence_no_update"))
            await connection.execute(text("UPDATE evidence SET verdict = 'PASS'"))
        await engine.dispose()

        ready = await registry.readiness("acme", "churn", 1, "staging")
        with pytest.raises(GateRefused, match="does not say what was signed") as caught:
            await world.move("churn", 1, Stage.STAGING)

    assert [item.code for item in caught.value.missing] == ["untrusted_evidence"]
    assert ready.missing == caught.value.missing


async def test_a_policy_refuses_a_key_that_cannot_be_used(signed: Signed, model_id: str) -> None:
    await signed.plain.version(model_id)
    before = await signed.plain.snapshot(model_id)
    pem = f"-----BEGIN PUBLIC KEY-----\n{'A' * 64}\n-----END PUBLIC KEY-----\n"

    for key in (pem, "ssh-ed25519 AAAA", signed.key.private.read_text()):
        with pytest.raises(InvalidInput, match="trusted_keys") as caught:
            await signed.plain.registry.set_policy(
                signed.plain.tenant, model_id, {"trusted_keys": [key]}, actor="kim", reason="x"
            )
        assert caught.value.field == "policy.trusted_keys"

    assert await signed.plain.snapshot(model_id) == before


async def test_a_registry_does_not_open_with_a_key_that_is_no_key(
    new_settings: Settings, tmp_path: Path
) -> None:
    """Before a gate has judged for an hour."""
    (tmp_path / "key.pem").write_text("secret-words")

    for file in (tmp_path / "absent.pem", tmp_path / "key.pem"):
        with pytest.raises(InvalidInput, match="gate_key") as caught:
            async with open_registry(new_settings.with_values(gate_key=str(file))):
                pass
        assert "secret-words" not in str(caught.value)
