"""The core: an async, tenant-scoped registry of models over MLflow. No Airflow, no FastAPI.

The names below are loaded on first use, so that importing a rule costs nothing but the rule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .model_registry import ModelRegistry
    from .opening import open_registry
    from .rules.evidence import Evidence, Verdict
    from .rules.expectation import ANY
    from .rules.metadata import (
        LedgerEntry,
        ModelMetadata,
        Readiness,
        TrainedModel,
        VersionMetadata,
    )
    from .rules.policy import PromotionPolicy
    from .rules.principals import Principal, Role
    from .rules.stages import Gate, Stage
    from .running import run_sync
    from .settings import Settings

_HOMES = {
    "ANY": "rules.expectation",
    "Evidence": "rules.evidence",
    "Gate": "rules.stages",
    "LedgerEntry": "rules.metadata",
    "ModelMetadata": "rules.metadata",
    "ModelRegistry": "model_registry",
    "Principal": "rules.principals",
    "PromotionPolicy": "rules.policy",
    "Readiness": "rules.metadata",
    "Role": "rules.principals",
    "Settings": "settings",
    "Stage": "rules.stages",
    "TrainedModel": "rules.metadata",
    "Verdict": "rules.evidence",
    "VersionMetadata": "rules.metadata",
    "open_registry": "opening",
    "run_sync": "running",
}

__all__ = [
    "ANY",
    "Evidence",
    "Gate",
    "LedgerEntry",
    "ModelMetadata",
    "ModelRegistry",
    "Principal",
    "PromotionPolicy",
    "Readiness",
    "Role",
    "Settings",
    "Stage",
    "TrainedModel",
    "Verdict",
    "VersionMetadata",
    "open_registry",
    "run_sync",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{home}"), name)
