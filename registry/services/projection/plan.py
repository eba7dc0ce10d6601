"""Changes that bring MLflow's view of a model to that of the ledger. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...domain.models import VersionMetadata
from ...domain.stages import Stage
from ...ledger.mappers import Change, ModelRow
from ...mlflow_adapter import tags


@dataclass(frozen=True)
class ProjectionPlan:
    """The writes that show one model at one epoch of the ledger.

    With ``alias``, MLflow's alias goes to ``production``, or away. ``deleted`` versions go as well.
    """

    epoch: int
    production: int | None
    alias: bool
    version_tags: Mapping[int, Mapping[str, str]]
    model_tags: Mapping[str, str]
    deleted: tuple[int, ...]

    @property
    def versions(self) -> set[int]:
        """The versions that something is written about."""
        production = {self.production} if self.alias and self.production is not None else set()
        return {*self.version_tags, *self.deleted, *production}


def mirror_change(change: Change) -> ProjectionPlan:
    """The writes that a change needs, and no more: the rest is shown already, or the note of
    another change tells that it is not."""
    before, after = change.before, change.after
    # A registration may have made the registered model anew, without any tag.
    known = {} if change.made else model_tags(before)
    return ProjectionPlan(
        epoch=after.epoch,
        production=after.production_version,
        alias=after.production_version != before.production_version,
        version_tags={
            move.version: version_tags(change.made[move.version])
            if move.source is None
            else {tags.STAGE: move.target.value}
            for move in change.moves
            if move.target is not Stage.DELETED
        },
        model_tags={
            key: value for key, value in model_tags(after).items() if known.get(key) != value
        },
        deleted=tuple(move.version for move in change.moves if move.target is Stage.DELETED),
    )


def mirror_all(row: ModelRow, versions: Sequence[VersionMetadata]) -> ProjectionPlan:
    """Everything about the model and these versions."""
    return ProjectionPlan(
        epoch=row.epoch,
        production=row.production_version,
        alias=True,
        version_tags={
            item.version: version_tags(item) for item in versions if item.stage is not Stage.DELETED
        },
        model_tags=model_tags(row),
        deleted=tuple(item.version for item in versions if item.stage is Stage.DELETED),
    )


def model_tags(row: ModelRow) -> dict[str, str]:
    """The tags of a registered model in MLflow; none where all its versions were deleted."""
    if row.stage is None or row.framework is None:
        return {}
    return {tags.MODEL_STAGE: row.stage, tags.FRAMEWORK: row.framework}


def version_tags(version: VersionMetadata) -> dict[str, str]:
    """The tags of a version in MLflow."""
    return {
        tags.STAGE: version.stage.value,
        tags.BUNDLE_DIGEST: version.bundle_digest,
        tags.FRAMEWORK: version.framework,
    }
