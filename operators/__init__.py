"""Airflow's face: hook, operators, sensor, links, and factories of whole lifecycles.

Names are imported when first used: a DAG file pays for what it names, and no more.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .approve import ApproveModelOperator
    from .assets import production_asset
    from .data import DataOperator
    from .hook import ModelRegistryHook
    from .lifecycles import retrain_and_promote, rollback_dag
    from .links import GateReportLink, ModelVersionLink
    from .policy import SetPolicyOperator
    from .promote import PromoteModelOperator
    from .register import RegisterModelOperator
    from .rollback import RollbackModelOperator
    from .shadow_test import ShadowTestOperator
    from .stage_sensor import ModelStageSensor
    from .train import TrainModelOperator
    from .triggers import ModelStageTrigger, NewModelVersionTrigger
    from .validate import ValidateModelOperator
    from .version_sensor import NewModelVersionSensor

_HOMES = {
    "ApproveModelOperator": "approve",
    "DataOperator": "data",
    "GateReportLink": "links",
    "ModelRegistryHook": "hook",
    "ModelStageSensor": "stage_sensor",
    "ModelStageTrigger": "triggers",
    "ModelVersionLink": "links",
    "NewModelVersionSensor": "version_sensor",
    "NewModelVersionTrigger": "triggers",
    "PromoteModelOperator": "promote",
    "RegisterModelOperator": "register",
    "RollbackModelOperator": "rollback",
    "SetPolicyOperator": "policy",
    "ShadowTestOperator": "shadow_test",
    "TrainModelOperator": "train",
    "ValidateModelOperator": "validate",
    "production_asset": "assets",
    "retrain_and_promote": "lifecycles",
    "rollback_dag": "lifecycles",
}

__all__ = [
    "ApproveModelOperator",
    "DataOperator",
    "GateReportLink",
    "ModelRegistryHook",
    "ModelStageSensor",
    "ModelStageTrigger",
    "ModelVersionLink",
    "NewModelVersionSensor",
    "NewModelVersionTrigger",
    "PromoteModelOperator",
    "RegisterModelOperator",
    "RollbackModelOperator",
    "SetPolicyOperator",
    "ShadowTestOperator",
    "TrainModelOperator",
    "ValidateModelOperator",
    "production_asset",
    "retrain_and_promote",
    "rollback_dag",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{home}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
