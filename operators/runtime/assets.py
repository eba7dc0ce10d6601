"""Assets: what other DAGs can wait for.

::

    schedule=[production_asset("acme", "churn")]              when that model is promoted
    schedule=[any_model_asset()]                              when any model is promoted
    schedule=PartitionedAssetTimetable(assets=each_model_asset())   the same, one run for each model

Airflow gives an event either to DAGs with a plain schedule or to partitioned ones, so "any" and
"each" are two assets. The ``x-`` scheme is the one that Airflow never rewrites.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, AssetAlias

from model_lifecycle.registry.domain.identifiers import model_id as parse_model
from model_lifecycle.registry.domain.identifiers import tenant_id as parse_tenant
from model_lifecycle.registry.domain.stages import Stage, parse_stage

if TYPE_CHECKING:
    from airflow.sdk import Context

    from model_lifecycle.registry.domain.models import LedgerEntry, VersionMetadata

SCHEME = "x-model-lifecycle"


def stage_asset(tenant_id: str, model_id: str, stage: str) -> Asset:
    """The asset that changes when a task brings a version of the model into the stage.

    The event's ``extra`` holds ``tenant_id``, ``model_id``, ``version``, ``stage``, ``from`` and
    ``to`` (the production version before and after, null for none), ``actor``, ``reason``, ``at``,
    ``bundle_digest``, ``evidence`` (what the move stood on), ``sequence`` (of the ledger entry)
    and ``operation_id``. Raises :class:`InvalidName`, :class:`InvalidInput`.
    """
    tenant, model, named = parse_tenant(tenant_id), parse_model(model_id), parse_stage(stage)
    return _asset(f"{tenant}/{model}/{named}")


def production_asset(tenant_id: str, model_id: str) -> Asset:
    """:func:`stage_asset` of production: changes by promotion and by rollback."""
    return stage_asset(tenant_id, model_id, Stage.PRODUCTION)


def any_model_asset(stage: str = Stage.PRODUCTION) -> Asset:
    """Changes whenever any model of any tenant gets a version into the stage. Several events may
    start one run: read all of ``triggering_asset_events``."""
    return _asset(f"any-model/{parse_stage(stage)}")


def each_model_asset(stage: str = Stage.PRODUCTION) -> Asset:
    """Like :func:`any_model_asset`, its events partitioned by ``{tenant_id}/{model_id}``: a DAG on
    a ``PartitionedAssetTimetable`` has one run for each model."""
    return _asset(f"each-model/{parse_stage(stage)}")


def changes_alias(stage: str) -> AssetAlias:
    """Outlet of tasks whose model is known only when they run, such as a rollback with
    parameters; the event reaches the model's own asset."""
    return AssetAlias(f"model-lifecycle-{parse_stage(stage)}-changes", group="model")


def stage_outlets(tenant_id: Any, model_id: Any, stage: str) -> list[Asset | AssetAlias]:
    """The outlets of a task that brings versions into the stage: Airflow reads them at parse
    time."""
    plain = all(isinstance(name, str) and "{{" not in name for name in (tenant_id, model_id))
    own = stage_asset(tenant_id, model_id, stage) if plain else changes_alias(stage)
    return [own, any_model_asset(stage), each_model_asset(stage)]


def event_extra(entry: LedgerEntry, version: VersionMetadata, stage: str) -> dict[str, Any]:
    """The extra of an asset's event, from the ledger's own entry. Plain JSON."""
    return {
        "tenant_id": entry.tenant_id,
        "model_id": entry.model_id,
        "version": version.version,
        "stage": parse_stage(stage).value,
        "from": entry.previous_production,
        "to": entry.production,
        "actor": entry.actor,
        "reason": entry.reason,
        "at": entry.at.isoformat(),
        "bundle_digest": version.bundle_digest,
        "evidence": [dict(item) for item in entry.evidence],
        "sequence": entry.sequence,
        "operation_id": entry.operation_id,
    }


def announce(context: Context, extra: Mapping[str, Any]) -> None:
    """Send the events of the three assets when the task has succeeded."""
    tenant, model, stage = extra["tenant_id"], extra["model_id"], extra["stage"]
    events, outlets = context["outlet_events"], context["task"].outlets
    own, each = stage_asset(tenant, model, stage), each_model_asset(stage)
    if own in outlets:
        events[own].extra = dict(extra)
    elif changes_alias(stage) in outlets:
        events[changes_alias(stage)].add(own, extra=dict(extra))
    for asset in _among(outlets, any_model_asset(stage), each):
        events[asset].extra = dict(extra)
    if each in outlets:
        events[each].add_partitions(f"{tenant}/{model}")


def _among(outlets: Iterable[Any], *assets: Asset) -> list[Asset]:
    return [asset for asset in assets if asset in outlets]


def _asset(name: str) -> Asset:
    return Asset(name=name, uri=f"{SCHEME}://{name}", group="model")
