"""What an Airflow connection of type ``model_registry`` says, apart from Airflow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from model_lifecycle.registry.rules.errors import InvalidInput
from model_lifecycle.registry.rules.principals import Role, parse_roles
from model_lifecycle.registry.settings import PROGRAM_ONLY, Settings

from .aws import AwsS3Client

_SETTINGS = frozenset(item.name for item in fields(Settings)) - PROGRAM_ONLY
_OTHERS = frozenset({"roles", "tracking_ui_url", "artifact_ui_url", "aws_conn_id"})
#: Every field of the connection.
FIELDS = _SETTINGS | _OTHERS


@dataclass(frozen=True)
class RegistryConnection:
    """Where the registry is, what Airflow's tasks may do there, and where people look at it."""

    settings: Settings
    roles: frozenset[Role] = frozenset(Role)
    tracking_ui_url: str | None = None
    artifact_ui_url: str | None = None

    @property
    def tracking_site(self) -> str | None:
        """Address of MLflow's pages, without a slash at the end; None if there is none."""
        return _site(self.tracking_ui_url) or _site(self.settings.tracking_uri)

    @property
    def artifact_site(self) -> str | None:
        """Address under which people open the files of the artifact root; None if there is none."""
        return _site(self.artifact_ui_url)


def read_connection(extra: Mapping[str, Any]) -> RegistryConnection:
    """A connection from its extra fields; an empty field leaves the word to the environment.

    Raises :class:`InvalidInput` for a field that does not exist: a misspelt address must not
    send a promotion to another registry.
    """
    values = {name: value for name, value in extra.items() if value not in (None, "")}
    unknown = sorted(set(values) - FIELDS)
    if unknown:
        raise InvalidInput(
            f"the connection has no field {unknown[0]!r}; its fields are "
            f"{', '.join(sorted(FIELDS))}",
            field=unknown[0],
        )
    roles = values.get("roles")
    names = roles.split(",") if isinstance(roles, str) else roles or Role
    aws = values.get("aws_conn_id")
    return RegistryConnection(
        settings=Settings(
            **{name: values[name] for name in _SETTINGS & values.keys()},
            s3_client=AwsS3Client(aws) if aws else None,
        ),
        roles=parse_roles(str(name).strip() for name in names),
        tracking_ui_url=values.get("tracking_ui_url"),
        artifact_ui_url=values.get("artifact_ui_url"),
    )


def _site(address: str | None) -> str | None:
    if address and address.startswith(("http://", "https://")) and "@" not in address:
        return address.rstrip("/")
    return None
