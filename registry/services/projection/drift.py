"""Differences between the ledger and MLflow. Pure: it changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...domain.identifiers import ModelId
from ...domain.models import Finding, VersionMetadata
from ...domain.stages import Stage
from ...ledger.mappers import ModelRow
from ...mlflow_adapter import tags
from ...mlflow_adapter.records import ModelVersionRecord, RegisteredModelRecord
from .plan import model_tags, version_tags


@dataclass(frozen=True)
class ModelComparison:
    """One model: ``row`` and ``known`` as the ledger has them (with what was deleted), ``record``
    and ``in_mlflow`` as MLflow has them, ``replaced`` says of which of these numbers MLflow has
    another version than the ledger, and what shows it."""

    model: ModelId
    row: ModelRow
    known: Mapping[int, VersionMetadata]
    record: RegisteredModelRecord | None
    in_mlflow: Mapping[int, ModelVersionRecord]
    replaced: Mapping[int, str]


def differences(comparison: ModelComparison) -> list[Finding]:
    """Everything that MLflow shows otherwise than the ledger has it."""
    return [
        *_lost(comparison),
        *_replaced(comparison),
        *_alias(comparison),
        *_versions(comparison),
        *_model(comparison),
    ]


def _lost(comparison: ModelComparison) -> list[Finding]:
    """Versions that were deleted in MLflow. They cannot be brought back under their number,
    so this is damage: told every time, never hidden."""
    return [
        Finding(
            comparison.model,
            "production_deleted_in_mlflow"
            if number == comparison.row.production_version
            else "deleted_in_mlflow",
            f"version {number} ({item.stage}) was deleted in MLflow; its bundle at "
            f"{item.artifact_uri} and its history are untouched",
            healed=False,
            version=number,
        )
        for number, item in sorted(comparison.known.items())
        if item.stage is not Stage.DELETED and number not in comparison.in_mlflow
    ]


def _replaced(comparison: ModelComparison) -> list[Finding]:
    """Versions whose number MLflow has given to something else. Nothing of theirs is shown there,
    and nothing can be healed: a person has to find out where the other files come from."""
    return [
        Finding(
            comparison.model,
            "replaced_in_mlflow",
            f"version {number} in MLflow is not the version in the ledger: {problem}; no alias and "
            "no tag is set on it. Delete it in MLflow, or keep it and register what it holds as a "
            "new version",
            healed=False,
            version=number,
        )
        for number, problem in sorted(comparison.replaced.items())
    ]


def _alias(comparison: ModelComparison) -> list[Finding]:
    alias = comparison.record.aliases.get(tags.PRODUCTION_ALIAS) if comparison.record else None
    production = comparison.row.production_version
    if production not in comparison.in_mlflow or production in comparison.replaced:
        production = None
    if alias == production:
        return []
    message = (
        f"the alias '{tags.PRODUCTION_ALIAS}' pointed to {_version(alias)}; "
        f"it points to {_version(production)} again"
    )
    return [Finding(comparison.model, "alias_moved", message, healed=True, version=production)]


def _versions(comparison: ModelComparison) -> list[Finding]:
    findings = []
    for number, item in sorted(comparison.known.items()):
        if number not in comparison.in_mlflow or number in comparison.replaced:
            continue
        if item.stage is Stage.DELETED:
            message = f"deleted version {number} was still in MLflow; it is gone now"
            findings.append(Finding(comparison.model, "not_deleted", message, True, number))
            continue
        wrong = _wrong(version_tags(item), comparison.in_mlflow[number].tags)
        if wrong:
            message = f"tags {', '.join(wrong)} of version {number} were edited; restored"
            findings.append(Finding(comparison.model, "tags_edited", message, True, number))
    return findings


def _model(comparison: ModelComparison) -> list[Finding]:
    if comparison.record is None:
        return []
    wrong = _wrong(model_tags(comparison.row), comparison.record.tags)
    if not wrong:
        return []
    message = f"tags {', '.join(wrong)} of the registered model were edited; restored"
    return [Finding(comparison.model, "tags_edited", message, healed=True)]


def _wrong(expected: Mapping[str, str], actual: Mapping[str, str]) -> list[str]:
    return [key for key, value in expected.items() if actual.get(key) != value]


def _version(version: int | None) -> str:
    return "no version" if version is None else f"version {version}"
