"""JSON Schema of a lifecycle's YAML file. One table, for the parser and for the documentation."""

from __future__ import annotations

from typing import Any

_FUNCTION = {
    "type": "string",
    "pattern": r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$",
    "description": "a function, written package.module:function",
}
_ARGUMENTS = {"type": "object", "description": "its arguments; templates in them are rendered"}
_TEXT = {"type": "string", "minLength": 1}
_SECONDS = {"type": "number", "exclusiveMinimum": 0, "description": "a number of seconds"}
_COUNT = {"type": "integer", "minimum": 1}

#: What a file may say of all its tasks, at its top or in ``default_args``.
TASK_SETTINGS: dict[str, Any] = {
    "owner": _TEXT,
    "retries": {"type": "integer", "minimum": 0},
    "pool": _TEXT,
    "queue": _TEXT,
    "execution_timeout": _SECONDS,
}
#: What ``default_args`` may say besides.
_FURTHER_ARGUMENTS: dict[str, Any] = {
    "pool_slots": _COUNT,
    "priority_weight": {"type": "integer"},
    "weight_rule": {"enum": ["downstream", "upstream", "absolute"]},
    "retry_delay": _SECONDS,
    "max_retry_delay": _SECONDS,
    "retry_exponential_backoff": {"type": ["boolean", "number"], "minimum": 0},
    "depends_on_past": {"type": "boolean"},
    "executor": _TEXT,
}
#: Keys whose seconds Airflow takes as a duration.
DURATIONS = frozenset({"execution_timeout", "retry_delay", "max_retry_delay"})

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
                "required_checks": {"type": "array", "items": {"type": "string"}},
                "trusted_keys": {"type": "array", "items": {"type": "string"}},
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
        **TASK_SETTINGS,
        "default_args": {
            "type": "object",
            "additionalProperties": False,
            "properties": {**TASK_SETTINGS, **_FURTHER_ARGUMENTS},
        },
        "catchup": {"type": "boolean"},
        "max_active_runs": _COUNT,
        "timezone": {**_TEXT, "description": "a name such as Europe/Berlin"},
        "model_registry_conn_id": _TEXT,
    },
}
