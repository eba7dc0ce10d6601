"""Where a registry lives. ``Settings()`` reads ``MODEL_LIFECYCLE_*`` from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from .rules.errors import InvalidInput

PREFIX = "MODEL_LIFECYCLE_"


@dataclass(frozen=True)
class Settings:
    """Addresses of the three stores, and the limits of calls to them.

    ``home`` holds what is embedded; ``database_url`` (the ledger), ``tracking_uri`` (MLflow) and
    ``artifact_root`` default to places in it. ``call_timeout`` is in seconds and bounds each call
    to MLflow; transfers of artifacts are bounded by ``transfer_timeout``.
    ``trusted_types`` are extra types that a skops payload may hold, by full name.
    """

    home: Path = Path(".model-lifecycle")
    database_url: str = ""
    tracking_uri: str = ""
    artifact_root: str = ""
    s3_endpoint_url: str | None = None
    call_timeout: float = 4.0
    transfer_timeout: float = 600.0
    trusted_types: tuple[str, ...] = ()
    allow_pickle: bool = False

    def __init__(self, environ: Mapping[str, str] | None = None, **values: Any) -> None:
        """Settings from ``values``, else from ``environ`` (default: the process's), else defaults.

        Raises :class:`InvalidInput`, naming the setting, for a value that cannot be used.
        """
        environ = os.environ if environ is None else environ
        known = {item.name: item for item in fields(type(self))}
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise InvalidInput(
                f"there is no setting {unknown[0]!r}; settings are {', '.join(known)}",
                field=unknown[0],
            )
        for name, item in known.items():
            value = values.get(name)
            if value is None:
                value = environ.get(PREFIX + name.upper()) or item.default
            object.__setattr__(self, name, _parse(name, value))
        home = self.home
        derived = {
            "database_url": self.database_url or f"sqlite+aiosqlite:///{home}/ledger.db",
            "tracking_uri": self.tracking_uri or f"sqlite:///{home}/mlflow.db",
            "artifact_root": self.artifact_root or str(home / "artifacts"),
        }
        if "://" not in derived["artifact_root"]:
            derived["artifact_root"] = str(Path(derived["artifact_root"]).expanduser().absolute())
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    def with_values(self, **values: Any) -> Settings:
        """These settings with some replaced; a derived place follows a replaced ``home``."""
        current = {item.name: getattr(self, item.name) for item in fields(self)}
        return Settings({}, **{**current, **values})

    def shown(self) -> dict[str, str]:
        """The settings as text for people, passwords replaced."""
        return {
            item.name: _without_password(str(getattr(self, item.name))) for item in fields(self)
        }

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{k}={v!r}' for k, v in self.shown().items())})"


def _parse(name: str, value: Any) -> Any:
    try:
        match name:
            case "home":
                return Path(value).expanduser().absolute()
            case "call_timeout" | "transfer_timeout":
                seconds = float(value)
                if not 0 < seconds < 86_400:
                    raise ValueError("must be a number of seconds above 0")
                return seconds
            case "trusted_types":
                names = value.split(",") if isinstance(value, str) else value
                return tuple(item.strip() for item in names if item.strip())
            case "allow_pickle":
                return _flag(value)
            case _:
                return value
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"setting {PREFIX}{name.upper()}: {error}", field=name) from None


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text in ("1", "true", "yes", "on"):
        return True
    if text in ("", "0", "false", "no", "off"):
        return False
    raise ValueError("must be true or false")


def _without_password(text: str) -> str:
    try:
        parts = urlsplit(text)
        if parts.password is None:
            return text
    except ValueError:
        return text
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username or ''}:***@{host}"))
