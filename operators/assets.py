"""Assets: what other DAGs can wait for.

The ``x-`` scheme is the one that Airflow never rewrites.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, AssetAlias

from model_lifecycle.registry.rules.tenancy import model_id as parse_model
from model_lifecycle.registry.rules.tenancy import tenant_id as parse_tenant

if TYPE_CHECKING:
    from airflow.sdk import Context

#: Outlet of tasks whose model is known only when they run, such as a rollback with parameters.
PRODUCTION_CHANGES = AssetAlias("model-lifecycle-production-changes", group="model")


def production_asset(tenant_id: str, model_id: str) -> Asset:
    """The asset that changes when another version of the model goes into production.

    ``schedule=[production_asset("acme", "churn")]`` starts a DAG then. The event's ``extra``
    holds ``from`` and ``to`` (version numbers, ``from`` null for the first) and ``actor``.
    Raises :class:`InvalidName`.
    """
    tenant, model = parse_tenant(tenant_id), parse_model(model_id)
    return Asset(
        name=f"{tenant}/{model}/production",
        uri=f"x-model-lifecycle://{tenant}/{model}/production",
        group="model",
    )


def production_outlets(tenant_id: Any, model_id: Any) -> list[Asset | AssetAlias]:
    """What a task that changes production declares: Airflow wants to know it at parse time."""
    plain = all(isinstance(name, str) and "{{" not in name for name in (tenant_id, model_id))
    return [production_asset(tenant_id, model_id) if plain else PRODUCTION_CHANGES]


def announce_production(
    context: Context, tenant_id: str, model_id: str, result: Mapping[str, Any]
) -> None:
    """Send the event of the model's production asset when the task has succeeded."""
    asset = production_asset(tenant_id, model_id)
    extra = {
        "from": result["previous_production"],
        "to": result["version"],
        "actor": result["actor"],
    }
    events = context["outlet_events"]
    if asset in context["task"].outlets:
        events[asset].extra = extra
    else:
        events[PRODUCTION_CHANGES].add(asset, extra=extra)
