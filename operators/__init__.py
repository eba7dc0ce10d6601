"""Airflow's face: hook, operators, sensor, links, and factories of whole lifecycles.

Names are imported when first used: a DAG file pays for what it names, and no more.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .ab_test import ABTestOperator
    from .approve import ApproveModelOperator
    from .dag_factory.lifecycle import retrain_and_promote, rollback_dag
    from .dag_factory.yaml_folder import check_lifecycles, lifecycles_from
    from .delete import DeleteModelOperator
    from .hooks.model_registry import ModelRegistryHook
    from .links import GateReportLink, ModelVersionLink
    from .mapped_shadow import mapped_shadow_test
    from .prepare_data import PrepareDataOperator
    from .promote import PromoteModelOperator
    from .reconcile import ReconcileOperator, reconcile_dag
    from .register import RegisterModelOperator
    from .rollback import RollbackModelOperator
    from .runtime.assets import any_model_asset, each_model_asset, production_asset, stage_asset
    from .sensors.gate_verdict import GateVerdictSensor
    from .sensors.model_stage import ModelStageSensor
    from .sensors.model_version import NewModelVersionSensor
    from .set_policy import SetPolicyOperator
    from .shadow_test import ShadowTestOperator
    from .sweep_outbox import SweepOutboxOperator, sweep_outbox_dag
    from .train import TrainModelOperator
    from .triggers.asset_watcher import ExternalRegistrationTrigger, external_registration_asset
    from .triggers.model import ModelStageTrigger, NewModelVersionTrigger
    from .validate import ValidateModelOperator

_HOMES = {
    "ABTestOperator": "ab_test",
    "ApproveModelOperator": "approve",
    "PrepareDataOperator": "prepare_data",
    "DeleteModelOperator": "delete",
    "GateReportLink": "links",
    "GateVerdictSensor": "sensors.gate_verdict",
    "ModelRegistryHook": "hooks.model_registry",
    "ModelStageSensor": "sensors.model_stage",
    "ModelStageTrigger": "triggers.model",
    "ModelVersionLink": "links",
    "NewModelVersionSensor": "sensors.model_version",
    "NewModelVersionTrigger": "triggers.model",
    "PromoteModelOperator": "promote",
    "ReconcileOperator": "reconcile",
    "RegisterModelOperator": "register",
    "ExternalRegistrationTrigger": "triggers.asset_watcher",
    "RollbackModelOperator": "rollback",
    "SetPolicyOperator": "set_policy",
    "ShadowTestOperator": "shadow_test",
    "SweepOutboxOperator": "sweep_outbox",
    "TrainModelOperator": "train",
    "ValidateModelOperator": "validate",
    "any_model_asset": "runtime.assets",
    "check_lifecycles": "dag_factory.yaml_folder",
    "each_model_asset": "runtime.assets",
    "lifecycles_from": "dag_factory.yaml_folder",
    "mapped_shadow_test": "mapped_shadow",
    "production_asset": "runtime.assets",
    "reconcile_dag": "reconcile",
    "external_registration_asset": "triggers.asset_watcher",
    "retrain_and_promote": "dag_factory.lifecycle",
    "rollback_dag": "dag_factory.lifecycle",
    "stage_asset": "runtime.assets",
    "sweep_outbox_dag": "sweep_outbox",
}

__all__ = [
    "ABTestOperator",
    "ApproveModelOperator",
    "DeleteModelOperator",
    "ExternalRegistrationTrigger",
    "GateReportLink",
    "GateVerdictSensor",
    "ModelRegistryHook",
    "ModelStageSensor",
    "ModelStageTrigger",
    "ModelVersionLink",
    "NewModelVersionSensor",
    "NewModelVersionTrigger",
    "PrepareDataOperator",
    "PromoteModelOperator",
    "ReconcileOperator",
    "RegisterModelOperator",
    "RollbackModelOperator",
    "SetPolicyOperator",
    "ShadowTestOperator",
    "SweepOutboxOperator",
    "TrainModelOperator",
    "ValidateModelOperator",
    "any_model_asset",
    "check_lifecycles",
    "each_model_asset",
    "external_registration_asset",
    "lifecycles_from",
    "mapped_shadow_test",
    "production_asset",
    "reconcile_dag",
    "retrain_and_promote",
    "rollback_dag",
    "stage_asset",
    "sweep_outbox_dag",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{home}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
