from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx
from support.http import Api, Tenant
from support.registry_fixture import new_name


def test_a_state_that_is_known_is_not_sent_again(api: Api) -> None:
    """304 without a body for the ETag of the present state, 200 for an earlier one."""
    name = new_name()
    api.register(name)
    path = f"/models/{name}"
    tag = api.get(path).headers["etag"]
    same = api.get(path, headers={"If-None-Match": f'"x", W/{tag}'})
    api.register(name)
    later = api.get(path, headers={"If-None-Match": tag})

    assert (304, b"", tag) == (same.status_code, same.content, same.headers["etag"])
    assert (later.status_code, later.json()["versions"]) == (200, ["1", "2"])


def test_every_read_has_an_etag(api: Api) -> None:
    """Lists too answer 304 to what they answered before."""
    name = new_name()
    api.register(name)
    for path in (f"/models/{name}/versions", f"/models/{name}/history", "/experiments"):
        tag = api.get(path).headers["etag"]

        assert api.get(path, headers={"If-None-Match": tag}).status_code == 304, path


def test_another_tenants_etag_never_matches(api: Api) -> None:
    """Two tenants' models of one name and one history have different ETags."""
    name = new_name()
    api.register(name)
    api.register(name, api.globex)
    tag = api.get(f"/models/{name}").headers["etag"]
    response = api.get(f"/models/{name}", tenant=api.globex, headers={"If-None-Match": tag})
    refused = stage(api, name, {"If-Match": tag}, tenant=api.globex)

    assert [response.status_code, refused.status_code] == [200, 412]


def test_a_write_on_an_older_state_changes_nothing(api: Api) -> None:
    """412, with the present ETag, where the model has changed since the read."""
    name = new_name()
    api.register(name)
    old = api.get(f"/models/{name}").headers["etag"]
    api.register(name)
    before = api.get(f"/models/{name}/history").json()
    refused = stage(api, name, {"If-Match": old})
    now = api.get(f"/models/{name}").headers["etag"]

    assert (refused.status_code, refused.json()["code"]) == (412, "stale_model")
    assert now == refused.headers["etag"]
    assert before == api.get(f"/models/{name}/history").json()
    assert stage(api, name, {"If-Match": now}).status_code == 200
    assert stage(api, new_name(), {"If-Match": "*"}).status_code == 404
    assert stage(api, name, {"If-Match": "old"}).status_code == 412


def test_of_writers_who_saw_one_state_one_wins(api: Api) -> None:
    """The tag is compared inside the write: eight at once, one 200, the others 412."""
    name = new_name()
    api.register(name)
    tag = api.get(f"/models/{name}").headers["etag"]

    def write(days: int) -> int:
        body = {"policy": {"evidence_max_age_days": days}, "reason": "race"}
        headers = {"If-Match": tag}
        return api.call("PUT", f"/models/{name}/policy", json=body, headers=headers).status_code

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(write, range(1, 9)))

    assert sorted(answers) == [200] + [412] * 7
    assert len(api.get(f"/models/{name}/history").json()["items"]) == 2


def test_every_write_on_a_model_takes_if_match(api: Api) -> None:
    """With an old tag each is 412 with the current tag, and nothing is changed."""
    name = new_name()
    api.register(name)
    old = {"If-Match": api.get(f"/models/{name}").headers["etag"]}
    api.register(name)
    now, before = api.get(f"/models/{name}"), api.get(f"/models/{name}/history").json()
    writes = [
        ("PUT", "/stage", {"version": 1, "target_stage": "staging", "reason": "x", "force": True}),
        ("PUT", "/policy", {"policy": {"require_approval": True}, "reason": "x"}),
        ("DELETE", "?version=1&reason=x", None),
    ]
    refused = [
        api.call(method, f"/models/{name}{path}", json=body, headers=old)
        for method, path, body in writes
    ]

    assert [answer.status_code for answer in refused] == [412] * 3
    assert {answer.headers["etag"] for answer in refused} == {now.headers["etag"]}
    assert api.get(f"/models/{name}/history").json() == before


def test_a_repeated_write_is_answered_although_its_tag_is_old_by_then(api: Api) -> None:
    """The first one made it old: a client that lost the answer must be able to ask again."""
    name = new_name()
    api.register(name)
    tag = api.get(f"/models/{name}").headers["etag"]
    headers = {"If-Match": tag, "Idempotency-Key": new_name("key")}
    first, again = (stage(api, name, headers) for _ in range(2))

    assert [first.status_code, again.status_code] == [200, 200]
    assert again.json() == {
        **first.json(),
        "replayed": True,
        "current": api.get(f"/models/{name}").json(),
    }


def test_a_repeated_key_has_one_effect(api: Api) -> None:
    """Eight equal registrations with one key at once make one version; another body is 409."""
    name, key = new_name(), {"Idempotency-Key": new_name("key")}
    body = {"name": name, "source": api.acme.source}

    def register(_: int) -> int:
        return api.call("POST", "/models", "contributor", json=body, headers=key).status_code

    first = register(0)
    with ThreadPoolExecutor(4) as threads:
        again = list(threads.map(register, range(8)))
    other = api.call(
        "POST", "/models", "contributor", json={**body, "description": "other"}, headers=key
    )

    assert [first, *again] == [201] * 9
    assert api.get(f"/models/{name}").json()["versions"] == ["1"]
    assert (other.status_code, other.json()["code"]) == (409, "operation_conflict")


def test_a_key_belongs_to_its_credential(api: Api) -> None:
    """Another tenant and another credential of the same tenant may use the same key."""
    name, key = new_name(), {"Idempotency-Key": "monday"}
    answers = [
        api.call(
            "POST",
            "/models",
            role,
            tenant,
            json={"name": name, "source": tenant.source},
            headers=key,
        ).status_code
        for tenant in (api.acme, api.globex)
        for role in ("contributor", "admin")
    ]

    assert answers == [201] * 4


def stage(
    api: Api, name: str, headers: dict[str, str], tenant: Tenant | None = None
) -> httpx.Response:
    body = {"version": 1, "target_stage": "staging", "reason": "drill", "force": True}
    return api.call("PUT", f"/models/{name}/stage", "admin", tenant, json=body, headers=headers)
