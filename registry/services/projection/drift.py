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
class Seen:
    """One model: ``row`` and ``known`` as the ledger has them (with what was deleted), ``record``
    and ``shown`` as MLflow has them, ``replaced`` says of which of these numbers MLflow has
    another version than the ledger, and what shows it."""

    model: ModelId
    row: ModelRow
    known: Mapping[int, VersionMetadata]
    record: RegisteredModelRecord | None
    shown: Mapping[int, ModelVersionRecord]
    replaced: Mapping[int, str]


def differences(seen: Seen) -> list[Finding]:
    """Everything that MLflow shows otherwise than the ledger has it."""
    return [*_lost(seen), *_replaced(seen), *_alias(seen), *_versions(seen), *_model(seen)]


def _lost(seen: Seen) -> list[Finding]:
    """Versions that somebody deleted in MLflow. They cannot be brought back under their number,
    so this is damage: told every time, never hidden."""
    return [
        Finding(
            seen.model,
            "production_deleted_in_mlflow"
            if number == seen.row.production_version
            else "deleted_in_mlflow",
            f"version {number} ({item.stage}) was deleted in MLflow; its bundle at "
            f"{item.artifact_uri} and its history are untouched",
            healed=False,
            version=number,
        )
        for number, item in sorted(seen.known.items())
        if item.stage is not Stage.DELETED and number not in seen.shown
    ]


def _replaced(seen: Seen) -> list[Finding]:
    """Versions whose number MLflow has given to something else. Nothing of theirs is shown there,
    and nothing can be healed: a person has to find out where the other files come from."""
    return [
        Finding(
            seen.model,
            "replaced_in_mlflow",
            f"version {number} in MLflow is not the version in the ledger: {problem}; no alias and "
            "no tag is set on it. Delete it in MLflow, or keep it and register what it holds as a "
            "new version",
            healed=False,
            version=number,
        )
        for number, problem in sorted(seen.replaced.items())
    ]


def _alias(seen: Seen) -> list[Finding]:
    alias = seen.record.aliases.get(tags.PRODUCTION_ALIAS) if seen.record else None
    production = seen.row.production_version
    if production not in seen.shown or production in seen.replaced:
        production = None
    if alias == production:
        return []
    message = (
        f"the alias '{tags.PRODUCTION_ALIAS}' pointed to {_version(alias)}; "
        f"it points to {_version(production)} again"
    )
    return [Finding(seen.model, "alias_moved", message, healed=True, version=production)]


def _versions(seen: Seen) -> list[Finding]:
    findings = []
    for number, item in sorted(seen.known.items()):
        if number not in seen.shown or number in seen.replaced:
            continue
        if item.stage is Stage.DELETED:
            message = f"deleted version {number} was still in MLflow; it is gone now"
            findings.append(Finding(seen.model, "not_deleted", message, True, number))
            continue
        wrong = _wrong(version_tags(item), seen.shown[number].tags)
        if wrong:
            message = f"tags {', '.join(wrong)} of version {number} were edited; restored"
            findings.append(Finding(seen.model, "tags_edited", message, True, number))
    return findings


def _model(seen: Seen) -> list[Finding]:
    if seen.record is None:
        return []
    wrong = _wrong(model_tags(seen.row), seen.record.tags)
    if not wrong:
        return []
    message = f"tags {', '.join(wrong)} of the registered model were edited; restored"
    return [Finding(seen.model, "tags_edited", message, healed=True)]


def _wrong(expected: Mapping[str, str], actual: Mapping[str, str]) -> list[str]:
    return [key for key, value in expected.items() if actual.get(key) != value]


def _version(version: int | None) -> str:
    return "no version" if version is None else f"version {version}"
