"""The core: an async, tenant-scoped registry of models over MLflow. No Airflow, no FastAPI.

The names below are loaded on first use, so that importing a rule costs nothing but the rule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .attestation.proof_check import verify_proof
    from .domain.authorization import Principal, Role
    from .domain.evidence import Evidence, Verdict
    from .domain.models import LedgerEntry, ModelMetadata, Readiness, TrainedModel, VersionMetadata
    from .domain.preconditions import ANY
    from .domain.promotion_policy import PromotionPolicy
    from .domain.stages import Gate, Stage
    from .factory import open_registry
    from .frameworks.protocol import Predictor
    from .mlflow_adapter.records import ExperimentRecord, RunRecord
    from .model_registry import ModelRegistry
    from .settings import Settings
    from .sync import run_sync

_HOMES = {
    "ANY": "domain.preconditions",
    "Evidence": "domain.evidence",
    "ExperimentRecord": "mlflow_adapter.records",
    "Gate": "domain.stages",
    "LedgerEntry": "domain.models",
    "ModelMetadata": "domain.models",
    "ModelRegistry": "model_registry",
    "Predictor": "frameworks.protocol",
    "Principal": "domain.authorization",
    "PromotionPolicy": "domain.promotion_policy",
    "Readiness": "domain.models",
    "Role": "domain.authorization",
    "RunRecord": "mlflow_adapter.records",
    "Settings": "settings",
    "Stage": "domain.stages",
    "TrainedModel": "domain.models",
    "Verdict": "domain.evidence",
    "VersionMetadata": "domain.models",
    "open_registry": "factory",
    "run_sync": "sync",
    "verify_proof": "attestation.proof_check",
}

__all__ = [
    "ANY",
    "Evidence",
    "ExperimentRecord",
    "Gate",
    "LedgerEntry",
    "ModelMetadata",
    "ModelRegistry",
    "Predictor",
    "Principal",
    "PromotionPolicy",
    "Readiness",
    "Role",
    "RunRecord",
    "Settings",
    "Stage",
    "TrainedModel",
    "Verdict",
    "VersionMetadata",
    "open_registry",
    "run_sync",
    "verify_proof",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{home}"), name)
