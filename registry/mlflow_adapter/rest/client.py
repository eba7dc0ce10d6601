"""MLflow's server over HTTP, without MLflow's package, which takes seconds to import."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests

from .auth import read_access
from .responses import document_of

#: Where the REST API is, below the server's address.
API = "/api/2.0/mlflow/"


class Server:
    """Sends each request once, within ``timeout`` seconds to connect and as many without a byte.

    One pool of connections for all threads.
    """

    def __init__(self, uri: str, timeout: float) -> None:
        self._address = uri.removesuffix("/") + API
        self._timeout = timeout
        self._session = requests.Session()

    def send(
        self, method: str, path: str, document: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """The JSON object that is answered. Raises AnswerError, and what ``requests`` raises."""
        access = read_access()
        answer = self._session.request(
            method,
            self._address + path,
            headers=access.headers,
            verify=access.verify,
            cert=access.certificate,
            allow_redirects=access.redirects,
            timeout=self._timeout,
            params=document if method == "GET" else None,
            json=None if method == "GET" else document,
        )
        return document_of(answer.status_code, answer.content)

    def close(self) -> None:
        self._session.close()
