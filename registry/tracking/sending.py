"""MLflow's REST stores, sending each request once and with a deadline.

MLflow's client re-sends POSTs up to seven times over about four minutes, and has no setting for it
but process-wide environment variables, which other users of MLflow in the process may need.
A lost answer would then make a second model version, and a stuck alias write could land after a
newer promotion. These subclasses replace the one method through which every request goes.
"""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.store.model_registry.rest_store import RestStore as RegistryRestStore
from mlflow.store.tracking.rest_store import RestStore as TrackingRestStore
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.proto_json_utils import parse_dict
from mlflow.utils.rest_utils import http_request, verify_rest_response


class SendOnceTracking(TrackingRestStore):
    """Runs, metrics, experiments and LoggedModels over HTTP."""

    def __init__(self, uri: str, timeout: float) -> None:
        super().__init__(partial(get_default_host_creds, uri))
        self._timeout = timeout

    def _call_endpoint(
        self,
        api: Any,
        json_body: str | None = None,
        endpoint: str | None = None,
        retry_timeout_seconds: float | None = None,
        response_proto: Any = None,
    ) -> Any:
        self._validate_workspace_support_if_specified()
        known = self._V3_METHOD_TO_INFO if api in self._V3_APIS else self._METHOD_TO_INFO
        default_endpoint, method = known[api]
        answer = response_proto or api.Response()
        return _send(self, endpoint or default_endpoint, method, json_body, answer, self._timeout)


class SendOnceRegistry(RegistryRestStore):
    """Registered models, versions and aliases over HTTP."""

    def __init__(self, uri: str, timeout: float) -> None:
        super().__init__(partial(get_default_host_creds, uri))
        self._timeout = timeout

    def _call_endpoint(
        self,
        api: Any,
        json_body: str | None,
        call_all_endpoints: bool = False,
        extra_headers: dict[str, str] | None = None,
    ) -> Any:
        self._validate_workspace_support_if_specified()
        endpoint, method = self._get_endpoint_from_method(api)
        answer = self._get_response_from_method(api)
        return _send(self, endpoint, method, json_body, answer, self._timeout)


def _send(
    store: Any, endpoint: str, method: str, json_body: str | None, answer: Any, timeout: float
) -> Any:
    body = None if json_body is None else json.loads(json_body)
    response = http_request(
        store.get_host_creds(),
        endpoint,
        method,
        max_retries=0,
        timeout=timeout,
        raise_on_status=False,
        **{"params" if method == "GET" else "json": body},
    )
    response = verify_rest_response(response, endpoint)
    try:
        document = json.loads(response.text)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise MlflowException("the answer is not a JSON object")
    parse_dict(js_dict=document, message=answer)
    return answer
