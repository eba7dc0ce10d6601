"""Proofs and signed evidence over HTTP: what is answered holds, and what is refused has a code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from support.http import LIMITS, Api, served
from support.registry_fixture import new_name
from support.signing_keys import make_key

from model_lifecycle.api import create_app
from model_lifecycle.registry import verify_proof


def _proof(name: str) -> str:
    return f"/models/{name}/versions/1/proof"


def _evidence(api: Api, name: str, **changes: Any) -> httpx.Response:
    version = api.get(f"/models/{name}/versions/1").json()
    policy = api.get(f"/models/{name}/policy").json()
    body = {
        "evidence_id": new_name("evidence"),
        "gate": "validation",
        "verdict": "PASS",
        "bundle_digest": version["bundle_digest"],
        "baseline": None,
        "policy_fingerprint": policy["fingerprint"],
        **changes,
    }
    return api.call("POST", f"/models/{name}/versions/1/evidence", "gatekeeper", json=body)


def test_a_service_with_a_key_answers_a_proof_that_holds(api: Api, tmp_path: Path) -> None:
    key = make_key(tmp_path)
    name = new_name()
    api.register(name)
    app = create_app(api.settings.with_values(ledger_key=str(key.private)), api=LIMITS)
    with served(app) as url, httpx.Client(base_url=url, timeout=30) as client:
        headers = api.acme.headers("viewer")
        answer = client.get(f"/api/v1{_proof(name)}", headers=headers)
        checked = verify_proof(answer.json(), trusted_key=key.pem)
        size = checked.tree_size
        later = client.get(f"/api/v1{_proof(name)}?since={size}", headers=headers)
        too_large = client.get(f"/api/v1{_proof(name)}?since={size + 10_000}", headers=headers)
        foreign = client.get(f"/api/v1{_proof(name)}", headers=api.globex.headers("viewer"))

    assert (checked.content.version.model_id, checked.is_key_trusted) == (name, True)
    assert verify_proof(later.json(), earlier=answer.json()).tree_size == size
    assert (too_large.status_code, too_large.json()["type"].rpartition(":")[2]) == (
        409,
        "ledger_behind",
    )
    assert foreign.status_code == 404


def test_a_service_without_a_key_says_so(api: Api) -> None:
    name = new_name()
    api.register(name)

    app = create_app(api.settings.with_values(ledger_key=""), api=LIMITS)
    with served(app) as url, httpx.Client(base_url=url, timeout=30) as client:
        answer = client.get(f"/api/v1{_proof(name)}", headers=api.acme.headers("viewer"))

    assert answer.status_code == 501
    assert answer.json()["type"].endswith(":signing_unavailable")


def test_unsigned_evidence_is_a_conflict_under_a_policy_with_keys(api: Api, tmp_path: Path) -> None:
    name = new_name()
    api.register(name)
    body = {"policy": {"trusted_keys": [make_key(tmp_path).pem]}, "reason": "signed only"}
    assert api.call("PUT", f"/models/{name}/policy", "gatekeeper", json=body).status_code == 200

    answer = _evidence(api, name)

    assert answer.status_code == 409
    assert answer.json()["type"].endswith(":untrusted_evidence")
    assert api.get(f"/models/{name}/versions/1/evidence").json()["items"] == []


@pytest.mark.parametrize("envelope", [{}, {"payload": "e30=", "signatures": []}, {"a": 1}])
def test_an_envelope_that_is_none_is_refused(api: Api, envelope: dict[str, Any]) -> None:
    name = new_name()
    api.register(name)

    answer = _evidence(api, name, envelope=envelope)

    assert (answer.status_code, answer.json()["field"]) == (422, "evidence.envelope")


def test_a_key_that_is_none_is_refused(api: Api) -> None:
    name = new_name()
    api.register(name)
    pem = f"-----BEGIN PUBLIC KEY-----\n{'A' * 64}\n-----END PUBLIC KEY-----\n"

    for key in (pem, "ssh-ed25519 AAAA"):
        body = {"policy": {"trusted_keys": [key]}, "reason": "x"}
        answer = api.call("PUT", f"/models/{name}/policy", "gatekeeper", json=body)

        assert answer.status_code == 422
        assert "trusted_keys" in answer.json()["field"]
