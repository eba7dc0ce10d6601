"""Is anything there? Asked once, before MLflow is imported.

Importing MLflow takes longer than an unreachable server may take to be reported, and MLflow's
database store tries for minutes to connect.
"""

from __future__ import annotations

import socket
import ssl
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit, urlunsplit
from urllib.request import Request, urlopen

from ...domain.errors import BackendUnavailable

_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}


def probe(uri: str, timeout: float) -> None:
    """Raise BackendUnavailable if nothing answers at ``uri`` within ``timeout`` seconds.

    Any HTTP answer counts, whatever its status: what it means is for the real call to say.
    """
    parts = urlsplit(uri)
    if parts.scheme in ("http", "https"):
        host = parts.netloc.rpartition("@")[2]
        health = f"{parts.path.rstrip('/')}/health"
        _probe_http(urlunsplit((parts.scheme, host, health, "", "")), timeout)
    elif parts.hostname:
        port = parts.port or _PORTS.get(parts.scheme.partition("+")[0])
        if port:
            _probe_tcp(parts.hostname, port, timeout)


def _probe_http(url: str, timeout: float) -> None:
    try:
        with urlopen(Request(url, method="GET"), timeout=timeout):  # noqa: S310 - http(s) only
            return
    except HTTPError as error:
        error.close()
    except URLError as error:
        if not isinstance(error.reason, ssl.SSLError):
            raise _unreachable(error.reason, timeout) from None
    except (OSError, ValueError) as error:
        raise _unreachable(error, timeout) from None
    except Exception as error:
        if not type(error).__module__.startswith("http"):
            raise
        raise BackendUnavailable("MLflow", "its address does not speak HTTP") from None


def _probe_tcp(host: str, port: int, timeout: float) -> None:
    try:
        socket.create_connection((host, port), timeout=timeout).close()
    except OSError as error:
        raise _unreachable(error, timeout) from None


def _unreachable(reason: object, timeout: float) -> BackendUnavailable:
    if isinstance(reason, TimeoutError):
        return BackendUnavailable("MLflow", f"no answer within {timeout:g} s")
    if isinstance(reason, ConnectionRefusedError):
        return BackendUnavailable("MLflow", "its address refuses connections")
    if isinstance(reason, socket.gaierror):
        return BackendUnavailable("MLflow", "its host name is not known")
    return BackendUnavailable("MLflow", f"its address cannot be reached ({type(reason).__name__})")
