"""From Airflow's login to a caller of the API: a setting maps Airflow's users to callers.

Airflow gives mounted apps no login by itself; this asks its auth manager for every request.
``airflow.api_fastapi.core_api.security`` is not declared public: this module alone knows it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from model_lifecycle.api.auth.caller import Caller, NotAuthenticated
from model_lifecycle.api.http.errors import missing_csrf_header, no_tenant
from model_lifecycle.registry.domain import identifiers
from model_lifecycle.registry.domain.authorization import Principal, Role, parse_roles
from model_lifecycle.registry.domain.errors import InvalidInput

if TYPE_CHECKING:
    from fastapi import Request

_log = logging.getLogger("model_lifecycle.plugin")
_SETTING = "MODEL_LIFECYCLE_API_AIRFLOW_ACCESS"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Grant:
    """One tenant, and what may be done in it."""

    tenant_id: str
    roles: frozenset[Role]


class AirflowAccess:
    """Maps Airflow's users and roles to tenants and roles. Unlisted users have no access.

    Written as JSON: ``{"users": {"ann": {"tenant": "acme", "roles": ["admin"]}},
    "roles": {"Op": {"tenant": "acme", "roles": ["viewer"]}}}``. The entry of a user goes before
    those of its roles; roles that lead to two tenants lead to none.
    """

    def __init__(self, users: Mapping[str, Grant], roles: Mapping[str, Grant]) -> None:
        self._users = users
        self._roles = roles

    @classmethod
    def parse(cls, text: str) -> AirflowAccess:
        """Raises InvalidInput for anything but the form above."""
        try:
            document = json.loads(text) if text else {}
            if not isinstance(document, dict) or set(document) - {"users", "roles"}:
                raise ValueError("it has the parts 'users' and 'roles'")
            return cls(_grants(document.get("users", {})), _grants(document.get("roles", {})))
        except (ValueError, TypeError, KeyError, AttributeError, InvalidInput) as error:
            raise InvalidInput(f"setting {_SETTING}: {error}", field="airflow_access") from None

    @classmethod
    def from_setting(cls, text: str) -> AirflowAccess:
        """As :meth:`parse`; a mistake admits nobody, and does not stop Airflow's server."""
        try:
            return cls.parse(text)
        except InvalidInput as error:
            _log.error("nobody is admitted to the API: %s", error)
            return cls({}, {})

    def caller(self, user: Any) -> Caller:
        """The caller for an Airflow user. Raises HttpError (403) for a user without a mapping."""
        name = str(user.get_name())
        grant = self._users.get(name)
        if grant is None:
            granted = [self._roles[role] for role in _role_names(user) if role in self._roles]
            if len({item.tenant_id for item in granted}) == 1:
                roles = frozenset().union(*(item.roles for item in granted))
                grant = Grant(granted[0].tenant_id, roles)
        if grant is None:
            raise no_tenant("this Airflow user", f"an administrator can name one in {_SETTING}")
        return Caller(grant.tenant_id, Principal(f"airflow-user:{name}", grant.roles))


class AirflowLogin:
    """The API's ``auth`` when Airflow serves it: a bearer token of Airflow's, or its cookie."""

    def __init__(self, access: AirflowAccess) -> None:
        self._access = access

    async def __call__(self, request: Request) -> Caller:
        from airflow.api_fastapi.core_api.security import bearer_scheme, get_user
        from fastapi import HTTPException

        try:
            user = await get_user(request, None, await bearer_scheme(request))
        except HTTPException:
            raise NotAuthenticated("log in to Airflow, or send a token of its API") from None
        by_cookie = "authorization" not in request.headers
        if by_cookie and request.method not in _SAFE and "x-requested-with" not in request.headers:
            raise missing_csrf_header()
        return self._access.caller(user)


def _grants(document: Mapping[str, Any]) -> dict[str, Grant]:
    grants = {}
    for name, actions in document.items():
        if set(actions) != {"tenant", "roles"} or not isinstance(actions["roles"], list):
            raise ValueError(f"{name!r} needs a 'tenant' and a list 'roles'")
        grants[name] = Grant(
            identifiers.tenant_id(actions["tenant"]), parse_roles(actions["roles"])
        )
    return grants


def _role_names(user: Any) -> list[str]:
    """Names of the user's roles: auth managers keep one name, or objects with names."""
    roles = getattr(user, "roles", None) or [getattr(user, "role", None)]
    return [str(getattr(role, "name", role)) for role in roles if role is not None]
