"""MLflow's model registry behind a server, in the plain JSON of its public REST API.

https://mlflow.org/docs/latest/api_reference/rest-api.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from ..records import ModelVersionRecord, RegisteredModelRecord
from ..registry_protocol import LOGGED_MODEL_SOURCE, Page, version_record
from .responses import AnswerError

T = TypeVar("T")


class Sender(Protocol):
    """Sends a request to MLflow's server once, and gives the JSON object it answers."""

    def send(
        self, method: str, path: str, document: Mapping[str, Any] | None = None
    ) -> dict[str, Any]: ...

    def close(self) -> None: ...


class ServedRegistry:
    """A :class:`RegistryStore` that needs nothing of MLflow's package."""

    def __init__(self, server: Sender) -> None:
        self._server = server
        self.close = server.close

    def create_registered_model(self, name: str, tags: Mapping[str, str], description: str) -> None:
        request = {"name": name, "tags": _listed(tags), "description": description}
        self._server.send("POST", "registered-models/create", request)

    def search_registered_models(
        self, condition: str, max_results: int, token: str | None
    ) -> Page[RegisteredModelRecord]:
        request = _search(condition, max_results, "name ASC", token)
        response = self._server.send("GET", "registered-models/search", request)
        return _understood(
            lambda: Page(
                map(_model, response.get("registered_models", ())), response.get("next_page_token")
            )
        )

    def set_registered_model_tag(self, name: str, key: str, value: str) -> None:
        request = {"name": name, "key": key, "value": value}
        self._server.send("POST", "registered-models/set-tag", request)

    def set_registered_model_alias(self, name: str, alias: str, version: int) -> None:
        request = {"name": name, "alias": alias, "version": str(version)}
        self._server.send("POST", "registered-models/alias", request)

    def delete_registered_model_alias(self, name: str, alias: str) -> None:
        self._server.send("DELETE", "registered-models/alias", {"name": name, "alias": alias})

    def source_of(self, logged_model_id: str) -> str:
        self._server.send("GET", f"logged-models/{logged_model_id}")
        return f"{LOGGED_MODEL_SOURCE}{logged_model_id}"

    def create_model_version(
        self,
        name: str,
        *,
        source: str,
        run_id: str | None,
        logged_model_id: str | None,
        tags: Mapping[str, str],
        description: str,
    ) -> int:
        request = {
            "name": name,
            "source": source,
            "tags": _listed(tags),
            "description": description,
            **({"run_id": run_id} if run_id else {}),
            **({"model_id": logged_model_id} if logged_model_id else {}),
        }
        created = self._server.send("POST", "model-versions/create", request)
        return _understood(lambda: int(created["model_version"]["version"]))

    def model_version(self, name: str, version: int) -> ModelVersionRecord:
        request = {"name": name, "version": str(version)}
        response = self._server.send("GET", "model-versions/get", request)
        return _understood(lambda: _version(response["model_version"]))

    def search_model_versions(
        self, condition: str, max_results: int, token: str | None
    ) -> Page[ModelVersionRecord]:
        request = _search(condition, max_results, "version_number ASC", token)
        response = self._server.send("GET", "model-versions/search", request)
        return _understood(
            lambda: Page(
                map(_version, response.get("model_versions", ())), response.get("next_page_token")
            )
        )

    def newest_model_version(self, condition: str) -> ModelVersionRecord | None:
        request = _search(condition, 1, "version_number DESC", None)
        answer = self._server.send("GET", "model-versions/search", request)
        versions = _understood(lambda: list(map(_version, answer.get("model_versions", ()))))
        return versions[0] if versions else None

    def set_model_version_tag(self, name: str, version: int, key: str, value: str) -> None:
        request = {"name": name, "version": str(version), "key": key, "value": value}
        self._server.send("POST", "model-versions/set-tag", request)

    def delete_model_version(self, name: str, version: int) -> None:
        request = {"name": name, "version": str(version)}
        self._server.send("DELETE", "model-versions/delete", request)

    def ping(self) -> None:
        self._server.send("POST", "experiments/search", {"max_results": 1})
        self._server.send("GET", "registered-models/search", {"max_results": 1})


def _search(condition: str, max_results: int, order: str, token: str | None) -> dict[str, Any]:
    request = {"filter": condition, "max_results": max_results, "order_by": [order]}
    return {**request, "page_token": token} if token else request


def _listed(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]


def _tags(document: Mapping[str, Any]) -> dict[str, str]:
    return {item["key"]: item.get("value", "") for item in document.get("tags", ())}


def _model(document: Mapping[str, Any]) -> RegisteredModelRecord:
    return RegisteredModelRecord(
        name=document["name"],
        aliases={item["alias"]: int(item["version"]) for item in document.get("aliases", ())},
        tags=_tags(document),
    )


def _version(document: Mapping[str, Any]) -> ModelVersionRecord:
    return version_record(
        name=document["name"],
        version=document["version"],
        source=document.get("source", ""),
        run_id=document.get("run_id"),
        logged_model_id=document.get("model_id"),
        tags=_tags(document),
        created_millis=int(document["creation_timestamp"]),
        status=document.get("status", ""),
        aliases=document.get("aliases", ()),
    )


def _understood(read: Callable[[], T]) -> T:
    """The result of ``read``. Raises AnswerError for a response of another shape."""
    try:
        return read()
    except (KeyError, TypeError, ValueError, AttributeError):
        raise AnswerError("INTERNAL_ERROR", "the answer is not of MLflow's REST API") from None
