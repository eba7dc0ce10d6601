"""MLflow's REST store, sending each request once and with a deadline.

MLflow's client re-sends POSTs up to seven times over about four minutes, and has no setting for it
but process-wide environment variables, which other users of MLflow in the process may need.
A lost answer would then make a second model version, and a stuck alias write could land after a
newer promotion. This subclass replaces the one method through which every request goes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from mlflow.entities import Metric, Param, Run, RunData, RunInfo, RunTag, ViewType
from mlflow.exceptions import MlflowException
from mlflow.protos.service_pb2 import SearchRuns
from mlflow.store.tracking.rest_store import RestStore
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.proto_json_utils import parse_dict
from mlflow.utils.rest_utils import http_request, verify_rest_response

from .client import API


class SendOnceTracking(RestStore):
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
        known = self._V3_METHOD_TO_INFO if api in self._V3_APIS else self._METHOD_TO_INFO
        default_endpoint, method = known[api]
        answer = response_proto or api.Response()
        body = None if json_body is None else json.loads(json_body)
        document = self._send(method, endpoint or default_endpoint, body)
        parse_dict(js_dict=document, message=answer)
        return answer

    def _search_runs(
        self,
        experiment_ids: list[str],
        filter_string: str,
        run_view_type: int,
        max_results: int,
        order_by: list[str] | None,
        page_token: str | None,
    ) -> tuple[list[Run], str | None]:
        """Without protocol buffers in between: for 100 runs, reading the answer into them and
        out again takes a quarter of the time that the server needs to give it."""
        endpoint, method = self._METHOD_TO_INFO[SearchRuns]
        request: dict[str, Any] = {
            "experiment_ids": experiment_ids,
            "filter": filter_string,
            "run_view_type": ViewType.to_string(run_view_type).upper(),
            "max_results": max_results,
            "order_by": order_by or [],
        }
        if page_token:
            request["page_token"] = page_token
        response = self._send(method, endpoint, request)
        return [_run(item) for item in response.get("runs", ())], response.get(
            "next_page_token"
        ) or None

    def send(
        self, method: str, path: str, document: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """As :meth:`Server.send`, with the authentication that only MLflow's client supports."""
        return self._send(method, API + path, document)

    def close(self) -> None:
        """Do nothing: MLflow keeps one pool of connections for the process."""

    def _send(self, method: str, endpoint: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        self._validate_workspace_support_if_specified()
        response = http_request(
            self.get_host_creds(),
            endpoint,
            method,
            max_retries=0,
            timeout=self._timeout,
            raise_on_status=False,
            **{"params" if method == "GET" else "json": body},
        )
        response = verify_rest_response(response, endpoint)
        try:
            document = json.loads(response.content)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise MlflowException("the answer is not a JSON object")
        return document


def _run(document: dict[str, Any]) -> Run:
    """A run from its JSON, in which numbers without a finite value are texts such as "NaN"."""
    try:
        info, data = document["info"], document.get("data", {})
        return Run(
            RunInfo(
                run_id=info["run_id"],
                run_name=info.get("run_name"),
                experiment_id=info["experiment_id"],
                user_id=info.get("user_id", ""),
                status=info["status"],
                start_time=int(info.get("start_time", 0)),
                end_time=int(info["end_time"]) if info.get("end_time") else None,
                lifecycle_stage=info.get("lifecycle_stage", ""),
                artifact_uri=info.get("artifact_uri", ""),
            ),
            RunData(
                [
                    Metric(
                        item["key"],
                        float(item["value"]),
                        int(item.get("timestamp", 0)),
                        int(item.get("step", 0)),
                    )
                    for item in data.get("metrics", ())
                ],
                [Param(item["key"], item.get("value", "")) for item in data.get("params", ())],
                [RunTag(item["key"], item.get("value", "")) for item in data.get("tags", ())],
            ),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise MlflowException("the answer does not describe a run") from None
