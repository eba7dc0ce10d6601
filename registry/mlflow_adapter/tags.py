"""Names of the tags and aliases that the registry writes in MLflow."""

from __future__ import annotations

import hashlib

OPERATION_ID = "lifecycle.operation_id"
OPERATION_KEY = "lifecycle.operation_key"
#: Fingerprint of what was requested under the operation id.
REQUEST = "lifecycle.request"
STAGE = "lifecycle.stage"
BUNDLE_DIGEST = "lifecycle.bundle_digest"
BUNDLE_URI = "lifecycle.bundle_uri"
LOGGED_MODEL_ID = "lifecycle.logged_model_id"
CREATED_BY = "lifecycle.created_by"
MODEL_TYPE = "model_type"
#: Id of the registry that uses this MLflow, on the registered model that shows it.
REGISTRY_ID = "lifecycle.registry_id"
#: The newest anchored entry of the model's ledger: its sequence and its hash.
LEDGER_HEAD = "lifecycle.ledger_head"
DATASET = "lifecycle.dataset"
FRAMEWORK = "framework"
MODEL_STAGE = "stage"

PRODUCTION_ALIAS = "production"


def operation_key(operation_id: str) -> str:
    """SHA-256 of an operation id, in hexadecimal.

    An operation id may hold quotes; its key cannot, so only the key ever enters a filter.
    """
    return hashlib.sha256(operation_id.encode()).hexdigest()


def with_operation_key(tags: dict[str, str]) -> dict[str, str]:
    """``tags``, with the key beside the operation id where there is one."""
    operation_id = tags.get(OPERATION_ID)
    if operation_id is None:
        return tags
    return {**tags, OPERATION_KEY: operation_key(operation_id)}
