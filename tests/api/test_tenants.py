from __future__ import annotations

from typing import Any

import httpx
import pytest
from support.http import Api
from support.registry_fixture import new_name

from model_lifecycle.registry.domain.authorization import Role


def without_id(answer: httpx.Response) -> tuple[int, dict[str, object]]:
    document: dict[str, object] = answer.json()
    document.pop("request_id")
    return answer.status_code, document


READS = (
    "",
    "/history",
    "/production",
    "/policy",
    "/versions",
    "/versions/1",
    "/versions/1/evidence",
    "/versions/1/readiness?target=staging",
)


@pytest.mark.parametrize("suffix", READS)
def test_another_tenants_model_is_not_there(api: Api, suffix: str) -> None:
    """Read by another tenant it answers in the same words as before it existed."""
    name = new_name()
    before = without_id(api.get(f"/models/{name}{suffix}", tenant=api.globex))
    api.register(name)
    after = without_id(api.get(f"/models/{name}{suffix}", tenant=api.globex))

    assert (404, before) == (after[0], after)


def test_another_tenants_model_cannot_be_changed(api: Api) -> None:
    """Every write is 404 in the words of a model that does not exist, and changes nothing."""
    name = new_name()
    writes: tuple[tuple[str, str, dict[str, Any] | None, dict[str, str] | None], ...] = (
        ("PUT", "/stage", {"version": 1, "target_stage": "archived", "reason": "x"}, None),
        ("POST", "/rollback", {"reason": "x"}, None),
        ("PUT", "/policy", {"policy": {}}, None),
        ("POST", "/versions", {"source": api.globex.source}, None),
        ("DELETE", "", None, {"reason": "x"}),
    )

    def tried() -> list[tuple[int, dict[str, object]]]:
        return [
            without_id(
                api.call(
                    method, f"/models/{name}{path}", "admin", api.globex, json=body, params=query
                )
            )
            for method, path, body, query in writes
        ]

    before = tried()
    api.register(name)
    history = api.get(f"/models/{name}/history").json()
    after = tried()

    assert [404] * len(writes) == [status for status, _ in after]
    assert before == after
    assert history == api.get(f"/models/{name}/history").json()


def test_another_tenants_sources_are_not_there(api: Api) -> None:
    """A LoggedModel or run of another tenant is as absent as one that never was."""
    for source, absent in (
        (api.globex.source, "models:/m-" + "0" * 32),
        (f"runs:/{api.globex.run_id}/model", f"runs:/{'0' * 32}/model"),
    ):
        problems = [
            api.call("POST", "/models", json={"name": "stolen", "source": item})
            for item in (source, absent)
        ]

        assert [answer.status_code for answer in problems] == [404, 404]
        assert problems[0].json()["code"] == problems[1].json()["code"]
    assert api.get("/models/stolen").status_code == 404


def test_another_tenants_runs_and_experiments_are_not_there(api: Api) -> None:
    """Neither listed, nor compared, nor found by id."""
    experiments = api.get("/experiments", tenant=api.globex).json()["items"]
    foreign = api.get("/experiments").json()["items"][0]["experiment_id"]
    runs = api.get(f"/experiments/{foreign}/runs", tenant=api.globex)
    compared = api.get(
        "/experiments/compare",
        tenant=api.globex,
        params={"run_ids": [api.globex.run_id, api.acme.run_id]},
    )

    assert foreign not in [item["experiment_id"] for item in experiments]
    assert [runs.status_code, compared.status_code] == [404, 404]


def test_another_tenants_page_token_leads_to_ones_own_models(api: Api) -> None:
    """The tenant comes from the credential: a token says where a list goes on, not whose it is."""
    for _ in range(3):
        api.register(new_name())
    token = api.get("/models", params={"limit": 1}).json()["next"]
    mine = api.get("/models", tenant=api.globex, params={"limit": 500}).json()["items"]
    page = api.get("/models", tenant=api.globex, params={"limit": 500, "after": token})

    assert page.status_code == 200
    assert {item["tenant_id"] for item in page.json()["items"]} <= {"globex"}
    assert [item for item in mine if item in page.json()["items"]] == page.json()["items"]


def test_a_page_token_of_another_query_is_refused(api: Api) -> None:
    """And so is one that was changed, and one that is none."""
    for _ in range(3):
        api.register(new_name())
    token = api.get("/models", params={"limit": 2}).json()["next"]
    good = api.get("/models", params={"limit": 2, "after": token})
    bad = [
        api.get("/experiments", params={"limit": 2, "after": token}),
        api.get("/models", params={"limit": 2, "after": token, "stage": "staging"}),
        api.get(
            "/models", params={"after": "A" + token[1:] if token[0] != "A" else "B" + token[1:]}
        ),
        api.get("/models", params={"after": "bW9kZWw="}),
        api.get("/models", params={"after": "ümlaut"}),
        api.get("/models", params={"after": ""}),
    ]

    assert good.status_code == 200
    assert ["invalid_page_token"] * len(bad) == [answer.json()["code"] for answer in bad]


def test_pages_join_to_the_whole_list(api: Api) -> None:
    """Page after page gives every model once, in the order of names."""
    for _ in range(3):
        api.register(new_name())
    whole = [item["model_id"] for item in api.get("/models", params={"limit": 500}).json()["items"]]
    joined, token = [], None
    while True:
        query = {"limit": 2, **({"after": token} if token else {})}
        page = api.get("/models", params=query).json()
        joined += [item["model_id"] for item in page["items"]]
        token = page["next"]
        if token is None:
            break

    assert (whole, sorted(whole)) == (joined, joined)


def test_the_tenant_is_never_taken_from_the_request(api: Api) -> None:
    """Headers are ignored; a query or a body that names a tenant is refused."""
    headers = {"X-Tenant-Id": "globex", "X-Tenant": "globex", "X-MLflow-Workspace": "globex"}
    name = new_name()
    body = {"name": name, "source": api.acme.source}
    made = api.call("POST", "/models", json=body, headers=headers)
    refused = [
        api.get("/models", params={"tenant": "globex"}),
        api.get("/models", params={"tenant_id": "globex"}),
        *(
            api.call("POST", "/models", json={**body, extra: "globex"})
            for extra in ("tenant", "tenant_id", "stage", "created_by")
        ),
    ]

    assert (
        made.json()["tenant_id"],
        [answer.status_code for answer in refused],
    ) == ("acme", [422] * 6)


ALLOWED = {
    ("POST", "/models"): {"contributor", "admin"},
    ("POST", "/models/none/versions"): {"contributor", "admin"},
    ("PUT", "/models/none/stage"): {"promoter", "admin"},
    ("POST", "/models/none/rollback"): {"promoter", "admin"},
    ("PUT", "/models/none/policy"): {"gatekeeper", "admin"},
    ("POST", "/models/none/versions/1/evidence"): {"gatekeeper", "admin"},
    ("DELETE", "/models/none"): {"admin"},
    ("GET", "/models"): set(Role),
}
BODIES = {
    "/models": {"name": "none", "source": "models:/m-" + "0" * 32},
    "/models/none/versions": {"source": "models:/m-" + "0" * 32},
    "/models/none/stage": {"version": 1, "target_stage": "staging"},
    "/models/none/rollback": {"reason": "x"},
    "/models/none/policy": {"policy": {}},
    "/models/none/versions/1/evidence": {
        "evidence_id": "x",
        "gate": "shadow",
        "verdict": "PASS",
        "bundle_digest": "sha256:" + "0" * 64,
        "baseline": None,
        "policy_fingerprint": "sha256:" + "0" * 64,
    },
}


@pytest.mark.parametrize(("method", "path"), ALLOWED)
def test_each_role_may_what_the_design_says(api: Api, method: str, path: str) -> None:
    """403 for every role that is not on the list, and for no other."""
    body = BODIES.get(path) if method != "GET" else None
    query = {"reason": "x"} if method == "DELETE" else None
    allowed = {
        role.value
        for role in Role
        if api.call(method, path, role.value, json=body, params=query).status_code != 403
    }

    assert ALLOWED[method, path] == allowed
