"""The reference of every route, with curl, generated from the OpenAPI document."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Json = Mapping[str, Any]
_VALUES = {
    "model_id": "churn",
    "version": "1",
    "exp_id": "1",
    "evidence_id": "nightly-2026-03-01",
}
_QUERIES = {
    "list_models": "stage=production&limit=100",
    "delete_model": "version=2&reason=trained%20on%20the%20wrong%20month",
    "production_at": "at=2026-03-01T12:00:00Z",
    "readiness": "target=production",
    "compare_runs": "run_ids=0123456789abcdef0123456789abcdef"
    "&run_ids=fedcba9876543210fedcba9876543210&metrics=auc",
}


def reference(document: Json) -> str:
    """Markdown: one section a route, in the document's order."""
    parts = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            body = _example(document, operation)
            parts.append(_section(method.upper(), path, operation, body))
    return "\n".join(parts)


def _example(document: Json, operation: Json) -> Any:
    """The example of the JSON body's schema; None for a route without one."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return None
    name = content["schema"]["$ref"].rpartition("/")[2]
    return document["components"]["schemas"][name]["example"]


def _section(method: str, path: str, operation: Json, body: Any) -> str:
    lines = [f"### {method} {path}", "", operation["description"], ""]
    parameters = [item for item in operation.get("parameters", ()) if item["in"] != "path"]
    for item in parameters:
        need = "required" if item.get("required") else "optional"
        place = "header" if item["in"] == "header" else "query"
        lines.append(f"- `{item['name']}` ({place}, {need}): {_sentence(item)}")
    if parameters:
        lines.append("")
    for command in _commands(method, path, operation, body):
        lines += ["```sh", command, "```", ""]
    statuses = ", ".join(status for status in operation["responses"])
    lines += [f"Answers: {statuses}.", ""]
    return "\n".join(lines)


def _sentence(parameter: Json) -> str:
    text = parameter.get("description") or parameter.get("schema", {}).get("title", "")
    return " ".join(str(text).split())


def _commands(method: str, path: str, operation: Json, body: Any) -> list[str]:
    name = operation["operationId"]
    address = path.format(**_VALUES)
    if name in _QUERIES:
        address += f"?{_QUERIES[name]}"
    words = ["curl -sS"]
    if method != "GET":
        words.append(f"-X {method}")
    if operation.get("security") != []:
        words.append('-H "Authorization: Bearer $KEY"')
    if any(item["name"] == "Idempotency-Key" for item in operation.get("parameters", ())):
        words.append("-H 'Idempotency-Key: 8f2c'")
    plain = [*words]
    if body is not None:
        plain += ["-H 'Content-Type: application/json'", f"-d '{json.dumps(body)}'"]
    commands = [_joined([*plain, f'"$API{address}"'])]
    content = operation.get("requestBody", {}).get("content", {})
    if "multipart/form-data" in content:
        form_document = '{"name": "churn"}' if name == "register_model" else "{}"
        for part in ("mlflow_model=@model.zip", "onnx_model=@model.onnx"):
            form = [f"-F 'document={form_document}'", f"-F {part}"]
            commands.append(_joined([*words, *form, f'"$API{address}"']))
    return commands


def _joined(words: list[str]) -> str:
    return " \\\n  ".join([" ".join(words[:2]), *words[2:]]) if len(words) > 3 else " ".join(words)


def page(document: Json) -> str:
    """The whole of docs/reference/api.md."""
    introduction = Path(__file__).with_name("reference_intro.md").read_text(encoding="utf-8")
    return introduction + reference(document).rstrip() + "\n"
