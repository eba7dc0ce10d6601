"""How one is let in to MLflow's server: what MLflow's own client reads from the environment.

https://mlflow.org/docs/latest/self-hosting/security/basic-http-auth and the environment variables
``MLFLOW_TRACKING_*``. They are read for each request, since tokens expire and are renewed.
"""

from __future__ import annotations

import base64
import configparser
import os
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

from ...domain.errors import InvalidInput

#: Ways in that are code of MLflow or of its plugins, and workspaces, which its client checks.
_OF_MLFLOW = ("MLFLOW_TRACKING_AUTH", "MLFLOW_WORKSPACE")
_HEADER_PLUGINS = "mlflow.request_header_provider"


@dataclass(frozen=True)
class Access:
    """Credentials of a request; ``verify`` and ``certificate`` as in ``requests``."""

    headers: dict[str, str]
    verify: bool | str
    certificate: str | None
    redirects: bool


def needs_mlflow() -> bool:
    """Whether the environment asks for a way in that only MLflow's own client knows: an auth
    plugin, AWS signatures, a workspace, or plugins that add headers."""
    return (
        any(os.environ.get(name, "").strip() for name in _OF_MLFLOW)
        or _is_set("MLFLOW_TRACKING_AWS_SIGV4")
        or bool(entry_points(group=_HEADER_PLUGINS))
    )


def read_access() -> Access:
    """The access that the environment and ``~/.mlflow/credentials`` give now.

    Credentials in the address itself, a ``.netrc`` and proxies are for ``requests``, as they are
    for MLflow. Raises InvalidInput for settings that contradict each other.
    """
    bundle = os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH")
    insecure = _is_set("MLFLOW_TRACKING_INSECURE_TLS")
    if bundle and insecure:
        raise InvalidInput(
            "MLFLOW_TRACKING_INSECURE_TLS and MLFLOW_TRACKING_SERVER_CERT_PATH are both set; "
            "unset one of them",
            field="MLFLOW_TRACKING_INSECURE_TLS",
        )
    return Access(
        headers=_authorization(),
        verify=bundle or not insecure,
        certificate=os.environ.get("MLFLOW_TRACKING_CLIENT_CERT_PATH") or None,
        redirects=_is_set("MLFLOW_ALLOW_HTTP_REDIRECTS", "true"),
    )


def _authorization() -> dict[str, str]:
    """A name with its password comes before a token, as in MLflow's client."""
    credentials = _stored_credentials()
    name, password = (
        os.environ.get(variable) or credentials.get(variable.lower())
        for variable in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
    )
    if name and password:
        pair = base64.standard_b64encode(f"{name}:{password}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}
    token = os.environ.get("MLFLOW_TRACKING_TOKEN")
    return {"Authorization": f"Bearer {token}"} if token else {}


def _stored_credentials() -> dict[str, str]:
    """The section ``[mlflow]`` of ``~/.mlflow/credentials``."""
    parser = configparser.ConfigParser()
    try:
        parser.read(Path("~/.mlflow/credentials").expanduser())
        return dict(parser["mlflow"]) if "mlflow" in parser else {}
    except (configparser.Error, UnicodeDecodeError):
        raise InvalidInput(
            "~/.mlflow/credentials cannot be read: it holds a section [mlflow] with "
            "mlflow_tracking_username and mlflow_tracking_password, and % is written %%",
            field="~/.mlflow/credentials",
        ) from None


def _is_set(name: str, default: str = "false") -> bool:
    return os.environ.get(name, default).lower() in ("true", "1")
