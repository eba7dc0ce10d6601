"""Paths of a tenant's files under the artifact root."""

from __future__ import annotations

from datetime import datetime

from .identifiers import ModelId, TenantId

MANIFEST = "manifest.json"
#: The bundle's signature in the OpenSSF Model Signing format.
BUNDLE_SIGNATURE = "bundle.sig"
#: What MLflow itself writes beside a model that it loads by name from a local folder: which name
#: and number it was loaded by.
LOADED_MODEL_META = "registered_model_meta"
#: Files in a bundle's folder that are no part of the bundle.
BESIDE_BUNDLE = frozenset({BUNDLE_SIGNATURE, LOADED_MODEL_META})
ONNX_MODEL = "model.onnx"
MODEL_CARD = "model_card.md"
REQUIREMENTS = "requirements.txt"
TRAINING_LOG = "training.log"
REPORT_HTML = "report.html"
REPORT_JSON = "report.json"
#: Says which registry the artifact root belongs to. No tenant's name holds an underscore.
REGISTRY_IDENTITY = "_registry/identity.json"


def runs(tenant: TenantId) -> str:
    """Artifact location of the tenant's MLflow experiments."""
    return f"{tenant}/runs"


def training_logs(tenant: TenantId, run_id: str) -> str:
    return f"{tenant}/runs/{run_id}/logs"


def metrics_history(tenant: TenantId, run_id: str) -> str:
    return f"{tenant}/runs/{run_id}/metrics"


def bundle(tenant: TenantId, model: ModelId, version: int) -> str:
    return f"{tenant}/models/{model}/{version}"


def anchors(tenant: TenantId, model: ModelId) -> str:
    """Folder of the anchored heads of a model's ledger."""
    return f"{tenant}/anchors/{model}/entries"


def evidence_anchors(tenant: TenantId, model: ModelId) -> str:
    """Folder of the anchored heads of the chain over a model's evidence."""
    return f"{tenant}/anchors/{model}/evidence"


def gate_report(tenant: TenantId, model: ModelId, version: int, gate: str, evidence_id: str) -> str:
    return f"{gate_reports(tenant, model, version)}/{gate}-{evidence_id}"


def gate_reports(tenant: TenantId, model: ModelId, version: int) -> str:
    """Folder of all gate reports about one version."""
    return f"{tenant}/reports/{model}/{version}"


def traffic(tenant: TenantId, model: ModelId) -> str:
    return f"{tenant}/traffic/{model}"


def traffic_partition(tenant: TenantId, model: ModelId, hour: datetime) -> str:
    """Folder of one hour of requests; ``hour`` is in UTC."""
    return f"{traffic(tenant, model)}/date={hour:%Y-%m-%d}/hour={hour:%H}"


def labels_partition(tenant: TenantId, model: ModelId, day: datetime) -> str:
    """Folder of the labels that arrived for one day's requests."""
    return f"{traffic(tenant, model)}/labels/date={day:%Y-%m-%d}"
