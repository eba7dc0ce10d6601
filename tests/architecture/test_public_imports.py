"""Names that users import from the package, and its entry points for Airflow and the shell.

A name that is removed or moved breaks the code of users. Change this list together with the
changelog.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import distribution
from importlib.util import find_spec

from support.airflow_home import prepare

#: Modules whose public names are exactly these.
COMPLETE = {
    "model_lifecycle.registry": """
        ANY Evidence ExperimentRecord Gate LedgerEntry ModelMetadata ModelRegistry Predictor
        Principal PromotionPolicy Readiness Role RunRecord Settings Stage TrainedModel
        Verdict VersionMetadata open_registry run_sync verify_proof
    """,
    "model_lifecycle.registry.domain.errors": """
        AlreadyExists ArtifactNotFound BackendUnavailable BundleCorrupt ChangeInProgress
        Conflict EvidenceNotFound ExperimentNotFound FrameworkUnavailable GateRefused
        InvalidDataset InvalidInput InvalidName InvalidTransition LedgerBehind LedgerCorrupt
        LedgerForked LedgerTruncated ModelNotFound NoEarlierProduction NotFound
        OperationConflict PermissionDenied ProofRefused RegistryError RunNotFound
        SchemaMismatch SigningUnavailable StaleModel StaleProduction UnknownFramework
        UntrustedEvidence UntrustedModel VersionNotFound
    """,
    "model_lifecycle.registry.administration": """
        ApiKey ApiKeys ledger_file move_registry upgrade_ledger
    """,
    "model_lifecycle.gates.policy.promotion": """
        ABPolicy Comparison LatencyLimit Limit OutcomeDemand ShadowPolicy SliceLimit
        ValidationPolicy promotion_policy
    """,
    "model_lifecycle.operators": """
        ABTestOperator ApproveModelOperator DeleteModelOperator ExternalRegistrationTrigger
        GateReportLink GateVerdictSensor ModelRegistryHook ModelStageSensor
        ModelStageTrigger ModelVersionLink NewModelVersionSensor NewModelVersionTrigger
        PrepareDataOperator PromoteModelOperator ReconcileOperator RegisterModelOperator
        RollbackModelOperator SetPolicyOperator ShadowTestOperator SweepOutboxOperator
        TrainModelOperator
        ValidateModelOperator any_model_asset check_lifecycles each_model_asset
        external_registration_asset lifecycles_from mapped_shadow_test production_asset
        reconcile_dag retrain_and_promote rollback_dag stage_asset sweep_outbox_dag
    """,
    "model_lifecycle.api": """
        ApiSettings Caller NotAuthenticated create_app
    """,
}
#: Modules of which these names are public.
PARTIAL = {
    "model_lifecycle.gates.evaluation.validation": """
        validate_version
    """,
    "model_lifecycle.gates.evaluation.shadow_test": """
        shadow_test_version
    """,
    "model_lifecycle.gates.evaluation.ab_test": """
        ab_test_version
    """,
    "model_lifecycle.gates.evaluation.recompute": """
        compare_digests recompute
    """,
    "model_lifecycle.gates.data.traffic_writer": """
        write_labels write_traffic
    """,
    "model_lifecycle.gates.data.assignment": """
        arm
    """,
}
#: How the distribution announces itself.
ENTRY_POINTS = {
    "console_scripts": {"model-lifecycle": "model_lifecycle.cli.main:main"},
    "apache_airflow_provider": {
        "provider_info": "model_lifecycle.plugin.provider:get_provider_info"
    },
    "airflow.plugins": {
        "model_lifecycle": "model_lifecycle.plugin.airflow_plugin:ModelLifecyclePlugin"
    },
}
#: Modules that are run by their name.
RUN = (
    *("model_lifecycle.api.server", "model_lifecycle.api.write_reference"),
    *("model_lifecycle.dags.flights.demo", "model_lifecycle.stack.__main__"),
)


def test_every_public_import_path_and_entry_point_exists() -> None:
    """Each name is there, a module exports what it declares, and each entry point loads."""
    prepare()
    for module, names in COMPLETE.items():
        assert sorted(import_module(module).__all__) == names.split(), module
    for module, names in (COMPLETE | PARTIAL).items():
        assert [name for name in names.split() if not hasattr(import_module(module), name)] == []
    declared: dict[str, dict[str, str]] = {}
    for point in distribution("airflow-provider-model-lifecycle").entry_points:
        declared.setdefault(point.group, {})[point.name] = point.value
        assert callable(point.load())
    assert declared == ENTRY_POINTS
    for module in RUN:
        assert find_spec(module) is not None, module
