"""What a lifecycle's YAML file may say, as a JSON Schema. One table, for reading and for people."""

from __future__ import annotations

from typing import Any

_FUNCTION = {
    "type": "string",
    "pattern": r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$",
    "description": "a function, written package.module:function",
}
_ARGUMENTS = {"type": "object", "description": "its arguments; templates in them are rendered"}
_TEXT = {"type": "string", "minLength": 1}

#: The keys of a file, and what each may hold.
LIFECYCLE: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["tenant_id", "model_id", "train", "shadow_window"],
    "oneOf": [{"required": ["validation_data"]}, {"required": ["validation_function"]}],
    "properties": {
        "tenant_id": _TEXT,
        "model_id": _TEXT,
        "dag_id": {**_TEXT, "pattern": r"^[\w.-]+$", "maxLength": 250},
        "description": {"type": "string"},
        "schedule": {"type": ["string", "null"]},
        "start_date": {"type": "string", "format": "date"},
        "train": _FUNCTION,
        "train_kwargs": _ARGUMENTS,
        "validation_data": _TEXT,
        "validation_function": _FUNCTION,
        "validation_kwargs": _ARGUMENTS,
        "record_traffic": _FUNCTION,
        "traffic_kwargs": _ARGUMENTS,
        "shadow_window": {
            "type": "object",
            "additionalProperties": False,
            "required": ["start", "end"],
            "properties": {"start": _TEXT, "end": _TEXT},
        },
        "policy": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "validation": {"type": "object"},
                "shadow": {"type": "object"},
                "ab_test": {"type": "object"},
                "require_approval": {"type": "boolean"},
                "evidence_max_age_days": {"type": "number", "exclusiveMinimum": 0},
            },
        },
        "approval": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "assigned_users": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["id", "name"],
                        "properties": {"id": _TEXT, "name": _TEXT},
                    },
                },
                "response_hours": {"type": "number", "exclusiveMinimum": 0},
                "body": {"type": "string"},
            },
        },
        "params": {"type": "object"},
        "tags": {"type": "array", "items": _TEXT},
        "owner": _TEXT,
        "retries": {"type": "integer", "minimum": 0},
        "model_registry_conn_id": _TEXT,
    },
}
