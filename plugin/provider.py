"""The provider's metadata for Airflow: its connection type and form, its links.

Airflow calls this in every process, before anything else of ours: the module imports nothing, and
an error here would stop the discovery of every provider.
"""

from __future__ import annotations

from typing import Any

_INTEGRATION = "Model lifecycle"
_OPERATORS = "model_lifecycle.operators"


def get_provider_info() -> dict[str, Any]:
    """The provider's description, by Airflow's ``provider_info.schema.json``."""
    return {
        "package-name": "airflow-provider-model-lifecycle",
        "name": _INTEGRATION,
        "description": "The life of machine-learning models on Airflow and MLflow: nothing "
        "reaches production without proof.",
        "integrations": [
            {
                "integration-name": _INTEGRATION,
                "external-doc-url": "https://mlflow.org/docs/latest/",
                "tags": ["software"],
            }
        ],
        "hooks": [_modules("hooks.model_registry")],
        "operators": [
            _modules(
                "prepare_data",
                "train",
                "register",
                "set_policy",
                "validate",
                "shadow_test",
                "ab_test",
                "mapped_shadow",
                "approve",
                "promote",
                "rollback",
                "delete",
                "reconcile",
                "sweep_outbox",
            )
        ],
        "sensors": [
            _modules("sensors.model_stage", "sensors.model_version", "sensors.gate_verdict")
        ],
        "triggers": [_modules("triggers.model", "triggers.asset_watcher", "triggers.traffic")],
        "extra-links": [
            f"{_OPERATORS}.links.ModelVersionLink",
            f"{_OPERATORS}.links.GateReportLink",
        ],
        "connection-types": [_connection_type()],
    }


def _modules(*names: str) -> dict[str, Any]:
    return {
        "integration-name": _INTEGRATION,
        "python-modules": [f"{_OPERATORS}.{name}" for name in names],
    }


def _connection_type() -> dict[str, Any]:
    """The form of the connection. The environment fills a field that stays empty; together they
    name the three stores, or the home of an embedded registry."""
    return {
        "connection-type": "model_registry",
        "hook-class-name": f"{_OPERATORS}.hooks.model_registry.ModelRegistryHook",
        "hook-name": "Model registry",
        "ui-field-behaviour": {
            "hidden-fields": ["host", "schema", "login", "password", "port"],
            "relabeling": {},
            "placeholders": {},
        },
        "conn-fields": {
            "tracking_uri": _text("MLflow tracking URI", "For example https://mlflow.example.com"),
            "database_url": _text(
                "Ledger database",
                "SQLAlchemy URL with an async driver, for example "
                "postgresql+asyncpg://user:password@host/model_lifecycle",
                format="password",
            ),
            "artifact_root": _text("Artifact root", "A folder, or s3://bucket/prefix"),
            "aws_conn_id": _text(
                "AWS connection",
                "Holds the credentials of S3; needs the Amazon provider. Empty: the environment's",
            ),
            "s3_endpoint_url": _text("S3 endpoint", "Only for stores other than Amazon's"),
            "home": _text(
                "Home folder",
                "An absolute path: asks for an embedded registry there, for each of ledger, MLflow "
                "and artifacts that has no address",
            ),
            "call_timeout": _seconds("Call timeout (s)", "Bounds each call to MLflow"),
            "transfer_timeout": _seconds("Transfer timeout (s)", "Bounds each transfer of files"),
            "cache_dir": _text(
                "Cache folder",
                "Keeps verified bundles on each worker's host; only its user may write to it",
            ),
            "cache_bytes": _text("Cache size (bytes)", "About so much is kept there; 0: nothing"),
            "trusted_types": _text(
                "Trusted types",
                "Types beyond the reviewed list that a skops payload may hold, by full name, "
                "separated by commas",
            ),
            "gate_key": _text(
                "Gate key",
                "Path of the private key in PEM, or URI of a key in a KMS, that signs evidence",
            ),
            "gate_public_key": _text(
                "Gate public key", "Path of its public half, for a key in a KMS"
            ),
            "ledger_key": _text(
                "Ledger key", "Path or KMS URI of the private key that signs proofs of versions"
            ),
            "ledger_public_key": _text(
                "Ledger public key", "Path of its public half, for a key in a KMS"
            ),
            "bundle_key": _text(
                "Bundle key",
                "Path of the ECDSA private key in PEM that signs bundles (OpenSSF Model Signing)",
            ),
            "roles": _text(
                "Roles",
                "What Airflow's tasks may do: contributor, gatekeeper, promoter, admin, viewer, "
                "separated by commas. Left out: all of them.",
            ),
            "tracking_ui_url": _text(
                "MLflow address for links", "If people reach MLflow at another address than tasks"
            ),
            "artifact_ui_url": _text(
                "Artifact address for links", "Where people can open the files of the artifact root"
            ),
        },
    }


def _text(label: str, description: str, **schema: str) -> dict[str, Any]:
    return {
        "label": label,
        "description": description,
        "schema": {"type": ["string", "null"], **schema},
    }


def _seconds(label: str, description: str) -> dict[str, Any]:
    return {
        "label": label,
        "description": description,
        "schema": {"type": ["number", "null"], "minimum": 0.1},
    }
