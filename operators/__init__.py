"""Airflow's face: hook, operators, sensor, links, and factories of whole lifecycles.

Names are imported when first used: a DAG file pays for what it names, and no more.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .ab_test import ABTestOperator
    from .approve import ApproveModelOperator
    from .assets import any_model_asset, each_model_asset, production_asset, stage_asset
    from .data import DataOperator
    from .delete import DeleteModelOperator
    from .gate_verdict_sensor import GateVerdictSensor
    from .hook import ModelRegistryHook
    from .lifecycle_folder import check_lifecycles, lifecycles_from
    from .lifecycles import retrain_and_promote, rollback_dag
    from .links import GateReportLink, ModelVersionLink
    from .mapped_shadow import mapped_shadow_test
    from .policy import SetPolicyOperator
    from .promote import PromoteModelOperator
    from .reconcile import ReconcileOperator, reconcile_dag
    from .register import RegisterModelOperator
    from .rollback import RollbackModelOperator
    from .shadow_test import ShadowTestOperator
    from .stage_sensor import ModelStageSensor
    from .train import TrainModelOperator
    from .triggers import ModelStageTrigger, NewModelVersionTrigger
    from .validate import ValidateModelOperator
    from .version_sensor import NewModelVersionSensor
    from .watching import RegisteredElsewhereTrigger, registered_elsewhere

_HOMES = {
    "ABTestOperator": "ab_test",
    "ApproveModelOperator": "approve",
    "DataOperator": "data",
    "DeleteModelOperator": "delete",
    "GateReportLink": "links",
    "GateVerdictSensor": "gate_verdict_sensor",
    "ModelRegistryHook": "hook",
    "ModelStageSensor": "stage_sensor",
    "ModelStageTrigger": "triggers",
    "ModelVersionLink": "links",
    "NewModelVersionSensor": "version_sensor",
    "NewModelVersionTrigger": "triggers",
    "PromoteModelOperator": "promote",
    "ReconcileOperator": "reconcile",
    "RegisterModelOperator": "register",
    "RegisteredElsewhereTrigger": "watching",
    "RollbackModelOperator": "rollback",
    "SetPolicyOperator": "policy",
    "ShadowTestOperator": "shadow_test",
    "TrainModelOperator": "train",
    "ValidateModelOperator": "validate",
    "any_model_asset": "assets",
    "check_lifecycles": "lifecycle_folder",
    "each_model_asset": "assets",
    "lifecycles_from": "lifecycle_folder",
    "mapped_shadow_test": "mapped_shadow",
    "production_asset": "assets",
    "reconcile_dag": "reconcile",
    "registered_elsewhere": "watching",
    "retrain_and_promote": "lifecycles",
    "rollback_dag": "lifecycles",
    "stage_asset": "assets",
}

__all__ = [
    "ABTestOperator",
    "ApproveModelOperator",
    "DataOperator",
    "DeleteModelOperator",
    "GateReportLink",
    "GateVerdictSensor",
    "ModelRegistryHook",
    "ModelStageSensor",
    "ModelStageTrigger",
    "ModelVersionLink",
    "NewModelVersionSensor",
    "NewModelVersionTrigger",
    "PromoteModelOperator",
    "ReconcileOperator",
    "RegisterModelOperator",
    "RegisteredElsewhereTrigger",
    "RollbackModelOperator",
    "SetPolicyOperator",
    "ShadowTestOperator",
    "TrainModelOperator",
    "ValidateModelOperator",
    "any_model_asset",
    "check_lifecycles",
    "each_model_asset",
    "lifecycles_from",
    "mapped_shadow_test",
    "production_asset",
    "reconcile_dag",
    "registered_elsewhere",
    "retrain_and_promote",
    "rollback_dag",
    "stage_asset",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{home}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
