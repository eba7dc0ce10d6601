"""Lists by the page: each item once, the cost of the page alone, and on behind what was deleted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow import MlflowClient
from support.http import Api
from support.registry_fixture import new_name

from model_lifecycle.api.http import page_token
from model_lifecycle.api.http.errors import HttpError

RUNS = 25


@pytest.fixture(scope="module")
def client(api: Api) -> MlflowClient:
    return MlflowClient(api.settings.tracking_uri)


@pytest.fixture
def experiment(client: MlflowClient) -> str:
    """An experiment of acme with 25 runs: some started in the same millisecond, one at no time."""
    name = f"tenants/acme/models/{new_name()}"
    experiment_id = str(client.create_experiment(name))
    for number in range(RUNS):
        client.create_run(experiment_id, start_time=1_000_000 + number // 4 if number else 0)
    return experiment_id


def pages(api: Api, path: str, limit: int, name: str) -> list[list[str]]:
    listed: list[list[str]] = []
    after = None
    while True:
        query = {"limit": limit, **({"after": after} if after else {})}
        page = api.get(path, params=query).json()
        listed.append([item[name] for item in page["items"]])
        after = page["next"]
        if after is None:
            return listed
        assert len(listed) <= 200, "the list does not end"


@pytest.mark.parametrize("limit", [1, 3, 7, 24, 25, 26])
def test_runs_come_once_whatever_the_page(api: Api, experiment: str, limit: int) -> None:
    """Newest first; also where many began together."""
    path = f"/experiments/{experiment}/runs"
    everything = [item["run_id"] for item in api.get(path).json()["items"]]

    listed = pages(api, path, limit, "run_id")

    assert [run for page in listed for run in page] == everything
    assert len(set(everything)) == RUNS
    assert {len(page) for page in listed[:-1]} <= {limit}


def test_a_list_goes_on_behind_a_deleted_run(
    api: Api, client: MlflowClient, experiment: str
) -> None:
    """The run that the token names is gone: page 2 is what it would have been."""
    path = f"/experiments/{experiment}/runs"
    first = api.get(path, params={"limit": 3}).json()
    query = {"limit": 3, "after": first["next"]}
    before = api.get(path, params=query).json()["items"]
    client.delete_run(first["items"][-1]["run_id"])

    after = api.get(path, params=query).json()["items"]

    assert after == before
    assert not {item["run_id"] for item in after} & {item["run_id"] for item in first["items"]}


def test_a_list_goes_on_behind_a_deleted_experiment(api: Api, client: MlflowClient) -> None:
    """By name, not by the item that is gone."""
    prefix = new_name("tenants/acme/models/0")
    for number in range(4):
        client.create_experiment(f"{prefix}-{number}")
    first = api.get("/experiments", params={"limit": 2}).json()
    query = {"limit": 2, "after": first["next"]}
    before = api.get("/experiments", params=query).json()["items"]
    client.delete_experiment(first["items"][-1]["experiment_id"])

    assert api.get("/experiments", params=query).json()["items"] == before


def test_evidence_comes_once_whatever_the_page(api: Api) -> None:
    """Oldest first."""
    name = new_name()
    api.register(name)
    digest = api.get(f"/models/{name}/versions/1").json()["bundle_digest"]
    fingerprint = api.get(f"/models/{name}/policy").json()["fingerprint"]
    path = f"/models/{name}/versions/1/evidence"
    ids = [new_name("evidence") for _ in range(5)]
    for evidence_id in ids:
        body = {
            "evidence_id": evidence_id,
            "gate": "approval",
            "verdict": "PASS",
            "bundle_digest": digest,
            "baseline": None,
            "policy_fingerprint": fingerprint,
        }
        assert api.call("POST", path, "gatekeeper", json=body).status_code == 200

    assert [item for page in pages(api, path, 2, "evidence_id") for item in page] == ids


def test_more_runs_than_mlflow_gives_at_once(api: Api, client: MlflowClient) -> None:
    """A list of the core has no end that nobody asked for."""
    experiment_id = str(client.create_experiment(f"tenants/acme/models/{new_name()}"))
    for number in range(12):
        client.create_run(experiment_id, start_time=number + 1)
    listed = pages(api, f"/experiments/{experiment_id}/runs", 5, "run_id")

    assert [len(page) for page in listed] == [5, 5, 2]


@pytest.mark.parametrize(
    ("path", "query", "positions"),
    [
        (
            "/models",
            {"stage": None, "framework": None},
            [None, 7, "", "../x", "a\n", "x" * 129, []],
        ),
        ("/models/{model}/history", {}, [None, "7", 1.5, True, -1, 2**60, [1]]),
        ("/models/{model}/versions", {}, [None, "1", -1, 10**400]),
        (
            "/models/{model}/versions/1/evidence",
            {},
            [
                None,
                "e-1",
                [None, "e-1"],
                ["2026-03-01T12:00:00", "e-1"],
                ["0001-01-01T00:00:00+14:00", "e-1"],
                ["2026-03-01T12:00:00+00:00", "e\u0000"],
                ["2026-03-01T12:00:00+00:00", "e-1", 1],
            ],
        ),
        ("/experiments", {}, [None, 1, "x" * 1001]),
        ("/experiments/{experiment}/runs", {}, [None, "r", ["yesterday", "r"], [None, "r'--"]]),
    ],
)
def test_a_position_made_by_hand_is_validated(
    api: Api, experiment: str, path: str, query: dict[str, Any], positions: list[Any]
) -> None:
    """A token is not signed, so what it holds is input like any other: refused as no token."""
    model = api.register(new_name())["model_id"]
    path = path.format(model=model, experiment=experiment)
    for position in positions:
        after = page_token.encode({"route": f"/api/v1{path}", **query}, position)[:1999]
        answer = api.get(path, params={"after": after})

        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_page_token"), position


@given(st.datetimes(timezones=st.timezones()), st.from_regex(r"\A[A-Za-z0-9._-]{1,128}\Z"))
def test_a_position_comes_back_as_it_was(at: datetime, name: str) -> None:
    """To the microsecond, and only for the query that it was made for.

    Compared in UTC: Python calls two times of different zones unequal if one of them is in the hour
    that daylight saving time skips or repeats.
    """
    query = {"route": "/x", "stage": None}
    made = page_token.encode(query, (at, name))

    assert page_token.decode(query, made, page_token.RECORDED) == (at.astimezone(UTC), name)
    with pytest.raises(HttpError, match="'after' must be"):
        page_token.decode({**query, "stage": "staging"}, made, page_token.RECORDED)
