"""An Airflow connection of type ``model_registry``, apart from Airflow.

A connection that cannot be read in full is refused, with the field and what it may hold: a guess
would send a promotion to another registry, or give tasks roles that nobody gave them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from model_lifecycle.registry.domain.authorization import Role, parse_roles
from model_lifecycle.registry.domain.errors import InvalidInput
from model_lifecycle.registry.settings import PREFIX, PROGRAM_ONLY, Settings

from .aws import AwsS3Client

CONN_TYPE = "model_registry"
_SETTINGS = frozenset(item.name for item in fields(Settings)) - PROGRAM_ONLY
_OTHERS = frozenset({"roles", "tracking_ui_url", "artifact_ui_url", "aws_conn_id"})
#: Every field of the connection.
FIELDS = _SETTINGS | _OTHERS
#: Fields of any Airflow connection in which this type holds nothing.
STANDARD_FIELDS = ("host", "schema", "login", "password", "port")
#: The three stores; without one of them, ``home`` has to say where the embedded ones are.
_STORES = ("database_url", "tracking_uri", "artifact_root")
_NUMBERS = frozenset({"call_timeout", "transfer_timeout", "cache_bytes"})
_FLAGS = frozenset({"allow_pickle"})
_NAMES = frozenset({"roles", "trusted_types"})
_PATHS = frozenset({"home", "artifact_root", "cache_dir"})


@dataclass(frozen=True)
class RegistryConnection:
    """An Airflow connection to the registry: its settings, the tasks' roles, and the public URL.
    ``named`` are the fields that the connection fills."""

    settings: Settings
    roles: frozenset[Role] = frozenset(Role)
    tracking_ui_url: str | None = None
    artifact_ui_url: str | None = None
    named: frozenset[str] = field(default=frozenset(), compare=False)

    @property
    def tracking_site(self) -> str | None:
        """Address of MLflow's pages, without a slash at the end; None if there is none."""
        return _site(self.tracking_ui_url) or _site(self.settings.tracking_uri)

    @property
    def artifact_site(self) -> str | None:
        """Address under which people open the files of the artifact root; None if there is none."""
        return _site(self.artifact_ui_url)

    def require_any_store(self, environ: Mapping[str, str]) -> None:
        """Raise :class:`InvalidInput` if neither connection nor environment names any store."""
        missing = self._unnamed(environ)
        if len(missing) == len(_STORES):
            raise _unlocated(missing)

    def require_every_store(self, environ: Mapping[str, str]) -> None:
        """Raise :class:`InvalidInput` unless connection and environment name all three stores, or
        the home of embedded ones: a folder in which a worker happens to run is no registry."""
        missing = self._unnamed(environ)
        if missing:
            raise _unlocated(missing)

    def _unnamed(self, environ: Mapping[str, str]) -> list[str]:
        named = self.named | {
            name for name in (*_STORES, "home") if environ.get(PREFIX + name.upper())
        }
        return [] if "home" in named else [name for name in _STORES if name not in named]


def read_extra(text: str | None) -> dict[str, Any]:
    """The connection's ``extra`` as an object. Raises :class:`InvalidInput` for anything else."""
    if text is None or not text.strip():
        raise InvalidInput(
            "the connection is empty: its 'extra' names no field; fields are "
            f"{', '.join(sorted(FIELDS))}",
            field="extra",
        )
    try:
        extra = json.loads(text)
    except ValueError as error:
        where = (
            f" at line {error.lineno}, column {error.colno}: {error.msg}"
            if isinstance(error, json.JSONDecodeError)
            else ""
        )
        raise InvalidInput(
            f"the connection's 'extra' is not JSON{where}; write an object such as "
            '{"tracking_uri": "https://mlflow.example.com"}',
            field="extra",
        ) from None
    if not isinstance(extra, dict):
        raise InvalidInput(
            f"the connection's 'extra' is a JSON {_kind(extra)}, not an object with fields",
            field="extra",
        )
    if not any(value not in (None, "") for value in extra.values()):
        raise InvalidInput(
            "the connection is empty: no field has a value; fields are "
            f"{', '.join(sorted(FIELDS))}",
            field="extra",
        )
    return extra


def read_connection(extra: Mapping[str, Any]) -> RegistryConnection:
    """A connection from its extra fields. A field that is null or empty text is left out, and the
    environment may fill it; ``roles`` may be left out for all roles, but not be empty.

    Raises :class:`InvalidInput` with the field's name: for a field that does not exist, and for a
    value of the wrong type, or with blanks around it.
    """
    _refuse_unknown(extra)
    values = {name: _checked(name, value) for name, value in extra.items() if value is not None}
    values = {name: value for name, value in values.items() if value != ""}
    aws = values.get("aws_conn_id")
    roles = values.get("roles")
    return RegistryConnection(
        settings=Settings(
            **{name: values[name] for name in _SETTINGS & values.keys()},
            s3_client=AwsS3Client(aws) if aws else None,
        ),
        roles=frozenset(Role) if roles is None else parse_roles(_names(roles)),
        tracking_ui_url=values.get("tracking_ui_url"),
        artifact_ui_url=values.get("artifact_ui_url"),
        named=frozenset(values),
    )


def check_standard_fields(conn_type: str | None, values: Mapping[str, Any]) -> None:
    """Raise :class:`InvalidInput` for a connection of another type, or one with something in a
    field outside of ``extra``; ``values`` are its ``STANDARD_FIELDS``."""
    if (conn_type or "").replace("-", "_") != CONN_TYPE:
        raise InvalidInput(
            f"the connection is of type {conn_type!r}, not {CONN_TYPE!r}", field="conn_type"
        )
    for name, value in values.items():
        if value not in (None, ""):
            raise InvalidInput(
                f"the connection has a value in {name!r}, which is not used; all of it belongs in "
                f"the extra fields: {', '.join(sorted(FIELDS))}",
                field=name,
            )


def _unlocated(missing: Sequence[str]) -> InvalidInput:
    return InvalidInput(
        f"nothing says where the registry is: {' and '.join(missing)} "
        f"{'is' if len(missing) == 1 else 'are'} neither in the connection nor in the environment "
        f"({PREFIX}{missing[0].upper()}); name all of {', '.join(_STORES)}, or 'home' "
        f"({PREFIX}HOME) for an embedded registry in that folder",
        field=missing[0],
    )


def _refuse_unknown(extra: Mapping[str, Any]) -> None:
    for name in sorted(set(extra) - FIELDS):
        near = get_close_matches(name, FIELDS, n=1)
        advice = f"did you mean {near[0]!r}? Its" if near else "its"
        raise InvalidInput(
            f"the connection has no field {name!r}; {advice} fields are "
            f"{', '.join(sorted(FIELDS))}",
            field=name,
        )


def _checked(name: str, value: Any) -> Any:
    """The value of a field, if it has the field's type. Values are not repeated in errors: an
    address may hold a password."""
    if name in _NUMBERS:
        return _number(name, value)
    if name in _FLAGS:
        if isinstance(value, bool) or value in ("true", "false"):
            return value in (True, "true")
        raise _wrong(name, "true or false", value)
    if not isinstance(value, str):
        allowed = "text, names separated by commas" if name in _NAMES else "text"
        raise _wrong(name, allowed, value)
    if value != value.strip() or ("://" in value and any(sign.isspace() for sign in value)):
        raise InvalidInput(f"the connection's field {name!r} has blanks in it", field=name)
    if name in _NAMES and (value or name == "roles") and not all(_names(value)):
        raise InvalidInput(
            f"the connection's field {name!r} has an empty name in it; write names separated by "
            "commas, or leave the field out",
            field=name,
        )
    local = name in _PATHS and value and "://" not in value
    if local and not Path(value).expanduser().is_absolute():
        raise InvalidInput(
            f"the connection's field {name!r} must be an absolute path, not {value!r}: tasks "
            "run in folders of their own",
            field=name,
        )
    return value


def _number(name: str, value: Any) -> float | str:
    if value == "":
        return ""
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        unit = "bytes" if name.endswith("_bytes") else "seconds"
        raise _wrong(name, f"a number of {unit}", value)
    return number


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


def _wrong(name: str, allowed: str, value: Any) -> InvalidInput:
    return InvalidInput(
        f"the connection's field {name!r} must be {allowed}, not a JSON {_kind(value)}", field=name
    )


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return {str: "text", list: "list", dict: "object", type(None): "null"}.get(
        type(value), type(value).__name__
    )


def _site(address: str | None) -> str | None:
    if address and address.startswith(("http://", "https://")) and "@" not in address:
        return address.rstrip("/")
    return None
