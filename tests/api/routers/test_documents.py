"""Reports, model cards and training logs: served to the tenant's own readers alone."""

from __future__ import annotations

from typing import Any

import pytest
from support.http import Api
from support.registry_fixture import new_name
from support.reports import PAGE, stored_report

from model_lifecycle.registry.factory import open_registry
from model_lifecycle.registry.sync import run_sync


def with_report(api: Api, *, folder: str | None = None) -> tuple[str, str]:
    """Model and evidence id of evidence with a stored report, in ``folder`` if given."""
    name, evidence_id = new_name(), new_name("evidence")
    api.register(name)
    run_sync(_store(api, name, evidence_id, folder))
    return name, evidence_id


async def _store(api: Api, name: str, evidence_id: str, folder: str | None) -> None:
    async with open_registry(api.settings) as registry:
        version = await registry.get_version("acme", name, 1)
        policy = await registry.get_policy("acme", name)
        assert version is not None
        body: dict[str, Any] = {
            "evidence_id": evidence_id,
            "gate": "validation",
            "verdict": "PASS",
            "bundle_digest": version.bundle_digest,
            "baseline": None,
            "policy_fingerprint": policy.fingerprint,
        }
        body["report_uri"], _ = await stored_report(registry, "acme", name, 1, body, folder=folder)
    answer = api.call("POST", f"/models/{name}/versions/1/evidence", "gatekeeper", json=body)
    assert answer.status_code == 200, answer.text


def report(name: str, evidence_id: str) -> str:
    return f"/models/{name}/versions/1/evidence/{evidence_id}/report"


def test_a_report_opens_as_a_page(api: Api) -> None:
    """Without a setting: evidence names the path, and the page cannot run or load anything."""
    name, evidence_id = with_report(api)
    (item,) = api.get(f"/models/{name}/versions/1/evidence").json()["items"]
    page = api.client.get(item["report_url"], headers=api.acme.headers("viewer"))

    assert item["report_url"] == f"/api/v1{report(name, evidence_id)}"
    assert (page.status_code, page.content) == (200, PAGE)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "sandbox" in page.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("accept", "query", "kind"),
    [
        ("application/json", {}, "application/json"),
        ("text/html,application/json", {}, "text/html; charset=utf-8"),
        ("*/*", {}, "text/html; charset=utf-8"),
        ("*/*", {"format": "json"}, "application/json"),
        ("application/json", {"format": "html"}, "text/html; charset=utf-8"),
    ],
)
def test_a_report_comes_as_json_for_programs(
    api: Api, accept: str, query: dict[str, str], kind: str
) -> None:
    """By Accept, or by ?format=, which wins."""
    path = report(*with_report(api))

    answer = api.get(path, params=query, headers={"Accept": accept})

    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)


def test_a_report_of_another_format_is_refused(api: Api) -> None:
    """With the formats that there are."""
    answer = api.get("/models/m/versions/1/evidence/e/report", params={"format": "pdf"})

    assert (answer.status_code, answer.json()["field"]) == (422, "format")


def test_a_report_is_read_again_only_when_it_changed(api: Api) -> None:
    """304 for its ETag."""
    path = report(*with_report(api))
    tag = api.get(path).headers["etag"]

    assert api.get(path, headers={"If-None-Match": tag}).status_code == 304


def test_another_tenants_report_is_not_there(api: Api) -> None:
    """In the words for evidence that nobody has."""
    name, evidence_id = with_report(api)
    api.register(name, api.globex)

    def problem(evidence: str) -> dict[str, Any]:
        answer = api.get(report(name, evidence), tenant=api.globex)
        return {
            **answer.json(),
            "request_id": "",
            "detail": "",
            "name": "",
            "status": answer.status_code,
        }

    assert problem(evidence_id) == problem("nobody-has-it")
    assert problem(evidence_id)["status"] == 404


@pytest.mark.parametrize(
    "folder",
    ["globex/reports/m/1/validation-x", "acme/models/m/1", "acme/reports/m/2/validation-x"],
)
def test_evidence_does_not_open_files_that_are_no_report_of_its_version(
    api: Api, folder: str
) -> None:
    """A gatekeeper who records another tenant's address, or a model's files, reads neither."""
    name, evidence_id = with_report(api, folder=f"{folder}-{new_name()}")

    answer = api.get(report(name, evidence_id))

    assert (answer.status_code, answer.json()["code"]) == (404, "artifact_not_found")


def test_a_report_needs_a_credential(api: Api) -> None:
    """401 without one."""
    assert api.client.get(f"/api/v1{report(*with_report(api))}").status_code == 401


def test_model_card_and_training_log_are_readable(api: Api) -> None:
    """As text, by the tenant alone."""
    name = new_name()
    api.register(name)
    card = api.get(f"/models/{name}/versions/1/model-card")
    log = api.get(f"/models/{name}/versions/1/training-log")

    assert (card.status_code, card.headers["content-type"]) == (200, "text/markdown; charset=utf-8")
    assert name in card.text
    assert (log.status_code, log.text) == (200, "epoch 1\n")
    for document in ("model-card", "training-log"):
        path = f"/models/{name}/versions/1/{document}"
        assert api.get(path, tenant=api.globex).status_code == 404
