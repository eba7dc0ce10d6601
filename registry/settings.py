"""Where a registry lives. ``Settings()`` reads ``MODEL_LIFECYCLE_*`` from the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from .domain.errors import InvalidInput

PREFIX = "MODEL_LIFECYCLE_"
#: What only a program can give: no text in the environment stands for it.
PROGRAM_ONLY = frozenset({"s3_client"})
_USER_SECRET = re.compile(r"(://[^:/?#@]*):.*@", re.DOTALL)
_QUERY_SECRET = re.compile(r"([?&][^=&]*(?:pass|pwd|secret|token|key)[^=&]*=)[^&]*", re.IGNORECASE)


@dataclass(frozen=True)
class Settings:
    """Where the ledger, MLflow and the artifact store are, and the limits of calls to them.

    :param home: folder of an embedded registry; backends that are not named are in it.
    :param database_url: the ledger, ``postgresql://…``; SQLite in ``home`` if empty.
    :param tracking_uri: MLflow, ``https://…``; SQLite in ``home`` if empty.
    :param artifact_root: the artifact store, ``s3://bucket`` or a folder; in ``home`` if empty.
    :param s3_endpoint_url: endpoint of another S3 server than that of AWS.
    :param cache_dir: folder for verified bundles, so that a version is downloaded once on a host;
        in ``home`` if empty. Only the user of the process may write to it.
    :param cache_bytes: about how many bytes of bundles are kept there; 0 keeps none.
    :param call_timeout: seconds for each call to MLflow.
    :param transfer_timeout: seconds for each transfer of artifacts.
    :param trusted_types: further types that a model file may contain, by full name, separated by
        commas.
    :param allow_pickle: whether models that need pickle may be saved and loaded; loading one
        executes its code.
    :param gate_key: the private key that signs evidence: the path of a PEM file, or a KMS URI.
    :param gate_public_key: the path of its public half, for a key in a KMS.
    :param ledger_key: the private key that signs the heads of proofs, likewise.
    :param ledger_public_key: the path of its public half, for a key in a KMS.
    :param bundle_key: the private key that signs bundles in the OpenSSF Model Signing format: the
        path of a PEM file with an ECDSA key.
    :param s3_client: called with boto3's ``Config`` and ``s3_endpoint_url``, returns the client of
        S3; without it, boto3 uses its own sources of credentials. For programs only.
    """

    home: Path = Path(".model-lifecycle")
    database_url: str = ""
    tracking_uri: str = ""
    artifact_root: str = ""
    s3_endpoint_url: str | None = None
    cache_dir: str = ""
    cache_bytes: int = 10 * 1024**3
    call_timeout: float = 4.0
    transfer_timeout: float = 600.0
    trusted_types: tuple[str, ...] = ()
    allow_pickle: bool = False
    gate_key: str = ""
    gate_public_key: str = ""
    ledger_key: str = ""
    ledger_public_key: str = ""
    bundle_key: str = ""
    s3_client: Callable[[Any, str | None], Any] | None = None

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
                text = None if name in PROGRAM_ONLY else environ.get(PREFIX + name.upper())
                value = text or item.default
            object.__setattr__(self, name, _parse(name, value))
        for name, place in _places(self.home).items():
            object.__setattr__(self, name, getattr(self, name) or place)
        for name in ("artifact_root", "cache_dir"):
            if "://" not in (folder := getattr(self, name)):
                object.__setattr__(self, name, str(Path(folder).expanduser().absolute()))

    def with_values(self, **values: Any) -> Settings:
        """These settings with some replaced; a derived place follows a replaced ``home``."""
        current = {item.name: getattr(self, item.name) for item in fields(self)}
        chosen = {
            name: value
            for name, value in current.items()
            if value != _places(self.home).get(name, object())
        }
        return Settings({}, **{**chosen, **values})

    def redacted(self) -> dict[str, str]:
        """The settings as text for people, passwords replaced."""
        return {
            item.name: without_passwords(str(getattr(self, item.name))) for item in fields(self)
        }

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{k}={v!r}' for k, v in self.redacted().items())})"


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
            case "cache_bytes":
                size = int(value)
                if size < 0:
                    raise ValueError("must be a number of bytes, or 0")
                return size
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


def _places(home: Path) -> dict[str, str]:
    """Where the stores are if nothing else is said."""
    return {
        "database_url": f"sqlite+aiosqlite:///{home}/ledger.db",
        "tracking_uri": f"sqlite:///{home}/mlflow.db",
        "artifact_root": str(home / "artifacts"),
        "cache_dir": str(home / "cache"),
    }


def without_passwords(text: str) -> str:
    """``text`` with what may be a password replaced, also where the address is malformed: from
    the first colon behind ``://user`` to the last ``@``, and in the query."""
    return _QUERY_SECRET.sub(r"\1***", _USER_SECRET.sub(r"\1:***@", text))
