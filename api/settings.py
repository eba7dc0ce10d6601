"""Settings of the HTTP API besides the registry's: limits, deadlines, credentials."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from model_lifecycle.registry.domain.errors import InvalidInput
from model_lifecycle.registry.settings import PREFIX

#: Signatures that need no secret shared with us; HMAC and "none" can never be configured.
JWT_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
_NUMBERS = (
    "deadline",
    "upload_deadline",
    "header_timeout",
    "key_cache_seconds",
    "outbox_interval",
)
_COUNTS = (
    "max_body",
    "max_upload",
    "max_entries",
    "max_expanded",
    "max_header",
    "max_connections",
)


@dataclass(frozen=True)
class ApiSettings:
    """Limits, deadlines and credentials, read from ``MODEL_LIFECYCLE_API_*``.

    :param max_body: bytes of a JSON body.
    :param max_upload: bytes of an upload.
    :param max_entries: files of an uploaded zip.
    :param max_expanded: bytes of an unpacked zip.
    :param max_header: bytes of a request's line and headers, on a server of its own.
    :param max_connections: open connections of one process, on a server of its own.
    :param header_timeout: seconds for complete headers, on a server of its own.
    :param deadline: seconds for a request.
    :param upload_deadline: seconds for a registration.
    :param key_cache_seconds: seconds for which a revoked API key may still work.
    :param outbox_interval: seconds between two sweeps of the outbox in each process.
    :param jwt_issuer: issuer of JWTs; JWTs need issuer, audience and key set.
    :param jwt_audience: audience of JWTs.
    :param jwt_jwks_url: URL of the issuer's key set.
    :param jwt_algorithms: accepted signatures, separated by commas.
    :param jwt_tenant_claim: claim with the caller's tenant.
    :param jwt_roles_claim: claim with the caller's roles.
    :param airflow_access: JSON that maps Airflow's users and roles to tenants and roles; see
        ``docs/reference/api.md``.
    """

    max_body: int = 1024 * 1024
    max_upload: int = 1024 * 1024 * 1024
    max_entries: int = 1000
    max_expanded: int = 4 * 1024 * 1024 * 1024
    max_header: int = 64 * 1024
    max_connections: int = 1000
    header_timeout: float = 15.0
    deadline: float = 30.0
    upload_deadline: float = 900.0
    key_cache_seconds: float = 5.0
    outbox_interval: float = 1.0
    jwt_issuer: str = ""
    jwt_audience: str = ""
    jwt_jwks_url: str = ""
    jwt_algorithms: tuple[str, ...] = ("RS256", "ES256")
    jwt_tenant_claim: str = "tenant"
    jwt_roles_claim: str = "roles"
    airflow_access: str = ""

    def __init__(self, environ: Mapping[str, str] | None = None, **values: Any) -> None:
        """Settings from ``values``, else from ``environ`` (default: the process's), else defaults.

        Raises :class:`InvalidInput`, naming the setting, for a value that cannot be used.
        """
        environ = os.environ if environ is None else environ
        known = {item.name: item.default for item in fields(type(self))}
        for name in values:
            if name not in known:
                raise InvalidInput(f"there is no setting {name!r}", field=name)
        for name, default in known.items():
            value = values.get(name)
            if value is None:
                value = environ.get(f"{PREFIX}API_{name.upper()}") or default
            object.__setattr__(self, name, _parse(name, value))
        jwt = (self.jwt_issuer, self.jwt_audience, self.jwt_jwks_url)
        if any(jwt) and not all(jwt):
            raise InvalidInput(
                f"{PREFIX}API_JWT_ISSUER, _AUDIENCE and _JWKS_URL belong together: set all or none",
                field="jwt_issuer",
            )

    @property
    def accepts_jwt(self) -> bool:
        return bool(self.jwt_jwks_url)


def _parse(name: str, value: Any) -> Any:
    try:
        if name in _NUMBERS:
            return _positive(float(value))
        if name in _COUNTS:
            return _positive(int(value))
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"setting {PREFIX}API_{name.upper()}: {error}", field=name) from None
    if name == "jwt_algorithms":
        names = value.split(",") if isinstance(value, str) else value
        algorithms = tuple(item.strip() for item in names if item.strip())
        if not algorithms or not set(algorithms) <= set(JWT_ALGORITHMS):
            raise InvalidInput(
                f"setting {PREFIX}API_JWT_ALGORITHMS: use some of {', '.join(JWT_ALGORITHMS)}",
                field=name,
            )
        return algorithms
    return value


def _positive(number: Any) -> Any:
    if not 0 < number < 2**53:
        raise ValueError("must be a number above 0")
    return number
