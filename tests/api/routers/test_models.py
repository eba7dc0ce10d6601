from __future__ import annotations

from typing import Any

import httpx
from support.http import Api
from support.registry_fixture import new_name

POLICY = {"policy": {"evidence_max_age_days": 7}, "reason": "first"}


def test_a_registered_model_is_found(api: Api) -> None:
    """A model registered from a source can be read, with its run's metrics."""
    name = new_name()
    made = api.register(name)

    response = api.get(f"/models/{name}")

    assert (made.pop("replayed"), made.pop("current")) == (False, None)
    assert (200, made) == (response.status_code, response.json())
    assert response.json()["metrics"] == {"accuracy": 0.95, "auc": 0.9}


def test_registering_answers_where_the_model_is(api: Api) -> None:
    """201 has Location and the ETag that a read has."""
    name = new_name()
    made = api.call(
        "POST", "/models", "contributor", json={"name": name, "source": api.acme.source}
    )
    response = api.get(f"/models/{name}")

    assert (201, f"/api/v1/models/{name}") == (made.status_code, made.headers["location"])
    assert made.headers["etag"] == response.headers["etag"]


def test_the_life_of_a_version(api: Api) -> None:
    """Evidence, staging, production, rollback, each over HTTP, and the history tells them."""
    name = new_name()
    for _ in range(2):
        api.register(name)
    api.call("PUT", f"/models/{name}/policy", "gatekeeper", json=POLICY)
    for version in (1, 2):
        for gate, stage in (("validation", "staging"), ("shadow", "production")):
            refused = move(api, name, version, stage)
            judge(api, name, version, gate)
            moved = move(api, name, version, stage)

            assert (refused.json()["code"], moved.status_code) == ("gate_refused", 200)
    back = api.call("POST", f"/models/{name}/rollback", "promoter", json={"reason": "late"})
    history = api.get(f"/models/{name}/history").json()["items"]
    production = api.get(f"/models/{name}/production").json()

    assert (back.status_code, back.json()["production_version"]) == (200, 1)
    assert production["version"] == 1
    assert [entry["kind"] for entry in history] == ["registered"] * 2 + ["policy_set"] + [
        "moved"
    ] * 4 + ["rolled_back"]
    assert all("promoter" in entry["actor"] for entry in history[3:])


def test_readiness_says_what_is_missing(api: Api) -> None:
    """Before any evidence a version is not ready, and the answer says in codes what it lacks."""
    name = new_name()
    api.register(name)
    readiness = api.get(f"/models/{name}/versions/1/readiness", params={"target": "staging"}).json()

    assert (
        readiness["ready"],
        [item["code"] for item in readiness["missing"]],
    ) == (False, ["no_evidence"])


def test_production_at_an_instant_before_the_model_was_made(api: Api) -> None:
    """There was no production version then."""
    name = new_name()
    api.register(name)
    response = api.get(f"/models/{name}/production", params={"at": "2001-01-01T00:00:00+02:00"})

    assert (response.status_code, response.json()["version"]) == (200, None)


def test_deleting_takes_admin(api: Api) -> None:
    """A promoter may not; an admin may; then the model is gone and its history is not."""
    name = new_name()
    api.register(name)
    path = f"/models/{name}"
    forbidden = api.call("DELETE", path, "promoter", params={"reason": "wrong data"})
    gone = api.call("DELETE", path, "admin", params={"reason": "wrong data"})

    assert [answer.status_code for answer in (forbidden, gone)] == [403, 204]
    assert [
        api.get(path).status_code,
        api.get(f"{path}/history").status_code,
    ] == [404, 200]


def test_forcing_takes_admin(api: Api) -> None:
    """A promoter cannot waive evidence; an admin can, and the ledger shows it."""
    name = new_name()
    api.register(name)
    body = {"version": 1, "target_stage": "staging", "reason": "outage", "force": True}
    refused = api.call("PUT", f"/models/{name}/stage", "promoter", json=body)
    forced = api.call("PUT", f"/models/{name}/stage", "admin", json=body)
    last = api.get(f"/models/{name}/history").json()["items"][-1]

    assert ([refused.status_code, forced.status_code], last["forced"]) == ([403, 200], True)


def test_experiments_runs_and_their_comparison(api: Api) -> None:
    """The tenant's experiments lead to its runs, and runs are compared in the order asked for."""
    name = new_name()
    api.register(name)
    experiments = api.get("/experiments").json()["items"]
    origin = next(item for item in experiments if item["model_id"] == "origin")
    runs = api.get(f"/experiments/{origin['experiment_id']}/runs").json()["items"]
    body = {"run_ids": [runs[0]["run_id"]], "metrics": ["auc", "loss"]}
    compared = api.get("/experiments/compare", params=body).json()["items"]

    assert api.acme.run_id in [run["run_id"] for run in runs]
    assert [item["metrics"] for item in compared] == [{"auc": 0.9, "loss": None}]


def move(api: Api, name: str, version: int, stage: str, **fields: Any) -> httpx.Response:
    body = {"version": version, "target_stage": stage}
    return api.call("PUT", f"/models/{name}/stage", "promoter", json=body, **fields)


def judge(api: Api, name: str, version: int, gate: str) -> None:
    """Record a PASS that fits the version as it is now."""
    metadata = api.get(f"/models/{name}/versions/{version}").json()
    evidence = {
        "evidence_id": new_name("evidence"),
        "gate": gate,
        "verdict": "PASS",
        "bundle_digest": metadata["bundle_digest"],
        "baseline": api.get(f"/models/{name}").json()["production_version"],
        "policy_fingerprint": api.get(f"/models/{name}/policy").json()["fingerprint"],
        "summary": {"sentence": "better by 0.01"},
    }
    answer = api.call(
        "POST", f"/models/{name}/versions/{version}/evidence", "gatekeeper", json=evidence
    )

    assert answer.status_code == 200, answer.text


def test_versions_are_numbers_or_their_text(api: Api) -> None:
    """As the specification types them: taken either way, and told as text where it names them."""
    name = new_name()
    api.register(name)
    moved = api.call(
        "PUT",
        f"/models/{name}/stage",
        json={"version": "1", "target_stage": "staging", "reason": "drill", "force": True},
    )
    wrong = [
        api.call("PUT", f"/models/{name}/stage", json={"version": text, "target_stage": "staging"})
        for text in ("01", "1_0", "+1", "", "one", "0", "99999999999")
    ]

    assert (moved.status_code, moved.json()["current_version"]) == (200, "1")
    assert moved.json()["versions"] == ["1"]
    assert {answer.status_code for answer in wrong} == {422}


def test_a_deletion_without_a_reason_says_so_in_the_ledger(api: Api) -> None:
    """The specification's DELETE has none."""
    name = new_name()
    api.register(name)

    answer = api.call("DELETE", f"/models/{name}")

    assert answer.status_code == 204
    entries = api.get(f"/models/{name}/history").json()["items"]
    assert (entries[-1]["kind"], entries[-1]["reason"]) == ("deleted", "no reason was given")


def test_a_repeated_request_says_so_beside_the_state_now(api: Api) -> None:
    """Its body is the model as the first request left it, with the model now, whose ETag it has."""
    name = new_name()
    api.register(name)
    staged = {"version": 1, "target_stage": "staging", "reason": "drill", "force": True}
    key = {"Idempotency-Key": new_name()}
    first = api.call("PUT", f"/models/{name}/stage", json=staged, headers=key)
    api.register(name)
    again = api.call("PUT", f"/models/{name}/stage", json=staged, headers=key)
    now = api.get(f"/models/{name}")

    assert (first.json()["replayed"], first.json()["current"]) == (False, None)
    assert (again.status_code, again.json()["replayed"]) == (200, True)
    assert again.json()["epoch"] == first.json()["epoch"] < now.json()["epoch"]
    assert again.json()["current"] == now.json()
    assert again.headers["etag"] == now.headers["etag"]


def test_an_erasure_needs_an_admin_and_keeps_the_history(api: Api) -> None:
    """It answers with its entry; a repetition has the same one, and is marked."""
    name = new_name()
    for _ in range(2):
        api.register(name)
    body = {"version": 1, "reason": "request of the data subject"}
    key = {"Idempotency-Key": new_name()}
    refused = api.call("POST", f"/models/{name}/erasure", "promoter", json=body)
    first, again = (
        api.call("POST", f"/models/{name}/erasure", json=body, headers=key) for _ in range(2)
    )
    kinds = [entry["kind"] for entry in api.get(f"/models/{name}/history").json()["items"]]

    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
    assert (first.status_code, first.json()["replayed"]) == (200, False)
    assert again.json() == {**first.json(), "replayed": True}
    assert kinds == ["registered", "registered", "erased"]
    assert api.get(f"/models/{name}/versions/1").status_code == 404


def test_moves_without_verification_need_an_admin(api: Api) -> None:
    """A promoter is refused; an admin's rollback is one like any other while all stores answer."""
    name = new_name()
    for version in (1, 2):
        api.register(name)
        for stage in ("staging", "production"):
            body = {"version": version, "target_stage": stage, "reason": "drill", "force": True}
            assert api.call("PUT", f"/models/{name}/stage", json=body).status_code == 200
    body = {"reason": "late", "without_verification": True, "expected_production": 2}
    refused = api.call("POST", f"/models/{name}/rollback", "promoter", json=body)
    back = api.call("POST", f"/models/{name}/rollback", json=body)
    second = api.call("POST", f"/models/{name}/rollback", json=body)

    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
    assert (back.status_code, back.json()["production_version"]) == (200, 1)
    assert (second.status_code, second.json()["code"]) == (409, "stale_production")
