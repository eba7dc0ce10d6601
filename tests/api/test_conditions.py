from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from scenery.http import Api
from scenery.world import new_name


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
    assert (later.status_code, later.json()["versions"]) == (200, [1, 2])


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
    found = api.get(f"/models/{name}", tenant=api.globex, headers={"If-None-Match": tag})
    refused = stage(api, name, {"If-Match": tag}, tenant=api.globex)

    assert [found.status_code, refused.status_code] == [200, 412]


def test_a_write_on_an_older_state_changes_nothing(api: Api) -> None:
    """412, with the present ETag, where the model has changed since the read."""
    name = new_name()
    api.register(name)
    old = api.get(f"/models/{name}").headers["etag"]
    api.register(name)
    before = api.get(f"/models/{name}/history").json()
    refused = stage(api, name, {"If-Match": old})
    now = api.get(f"/models/{name}").headers["etag"]

    assert (refused.status_code, refused.json()["code"]) == (412, "precondition_failed")
    assert now == refused.headers["etag"]
    assert before == api.get(f"/models/{name}/history").json()
    assert stage(api, name, {"If-Match": now}).status_code == 200
    assert stage(api, new_name(), {"If-Match": "*"}).status_code == 404
    assert stage(api, name, {"If-Match": "old"}).status_code == 412


def test_a_repeated_key_has_one_effect(api: Api) -> None:
    """Eight equal registrations with one key at once make one version; another body is 409."""
    name, key = new_name(), {"Idempotency-Key": new_name("key")}
    asked = {"name": name, "source": api.acme.source}

    def register(_: int) -> int:
        return api.call("POST", "/models", "contributor", json=asked, headers=key).status_code

    first = register(0)
    with ThreadPoolExecutor(4) as threads:
        again = list(threads.map(register, range(8)))
    other = api.call(
        "POST", "/models", "contributor", json={**asked, "description": "other"}, headers=key
    )

    assert [first, *again] == [201] * 9
    assert api.get(f"/models/{name}").json()["versions"] == [1]
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


def stage(api: Api, name: str, headers: dict[str, str], tenant: object = None) -> object:
    asked = {"version": 1, "target_stage": "staging", "reason": "drill", "force": True}
    return api.call("PUT", f"/models/{name}/stage", "admin", tenant, json=asked, headers=headers)
