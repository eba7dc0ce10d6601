"""Models, versions and evidence as people read them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.table import Table

from model_lifecycle.registry.domain.evidence import Evidence
from model_lifecycle.registry.domain.models import ModelMetadata, VersionMetadata

from ..output import line
from .formatting import format_actor, format_timestamp, numbers, pairs, verdict, version_name
from .table import Column, ResponsiveTable, facts


def models_view(
    models: Sequence[ModelMetadata], tenant: str, *, filtered: bool
) -> list[RenderableType]:
    if not models:
        return [f"Tenant {tenant} has no {'such ' if filtered else ''}models."]
    columns = (
        Column("model", wraps=True),
        Column("current"),
        Column("stage"),
        Column("production"),
        Column("framework"),
        Column("updated (UTC)"),
        Column("description", wraps=True),
    )
    rows = [
        (
            item.model_id,
            item.current_version,
            item.stage,
            item.production_version or "none",
            item.framework,
            format_timestamp(item.updated_at),
            item.description,
        )
        for item in models
    ]
    return [ResponsiveTable(columns, rows)]


def model_view(model: ModelMetadata, versions: Sequence[VersionMetadata]) -> list[RenderableType]:
    production = (
        f"version {model.production_version} is in production"
        if model.production_version
        else "nothing is in production"
    )
    return [
        line(f"{model.model_id}: {production}", "bold"),
        facts(
            (
                ("tenant", model.tenant_id),
                ("description", model.description),
                ("type", model.model_type),
                ("created", f"{format_timestamp(model.created_at)} UTC by {model.created_by}"),
                ("updated", f"{format_timestamp(model.updated_at)} UTC"),
            )
        ),
        ResponsiveTable(
            (
                Column("version"),
                Column("stage"),
                Column("framework"),
                Column("created (UTC)"),
                Column("by", wraps=True),
                Column("metrics", wraps=True),
            ),
            [
                (
                    item.version,
                    item.stage,
                    item.framework,
                    format_timestamp(item.created_at),
                    format_actor(item.created_by),
                    numbers(item.metrics),
                )
                for item in versions
            ],
        ),
    ]


def version_view(version: VersionMetadata) -> Table:
    return facts(
        (
            ("version", f"{version.model_id} {version.version}"),
            ("tenant", version.tenant_id),
            ("stage", version.stage),
            ("framework", version.framework),
            ("created", f"{format_timestamp(version.created_at)} UTC by {version.created_by}"),
            ("updated", f"{format_timestamp(version.updated_at)} UTC"),
            ("metrics", pairs(version.metrics)),
            ("parameters", pairs(version.parameters)),
            ("tags", pairs(version.tags)),
            ("files", version.artifact_uri),
            ("digest", version.bundle_digest),
            ("run", version.run_id),
            ("logged model", version.logged_model_id),
        )
    )


def _signers(item: Evidence) -> str:
    """The beginnings of the key ids that the envelope names; `verify-proof` proves them."""
    signatures = item.envelope.get("signatures", ()) if item.envelope else ()
    return ", ".join(str(signature.get("keyid"))[:12] for signature in signatures)


def evidence_view(items: Sequence[Evidence], model: str, version: int) -> RenderableType:
    if not items:
        return f"No gate has judged version {version} of {model}."
    columns = (
        Column("when (UTC)"),
        Column("gate"),
        Column("verdict"),
        Column("against"),
        Column("in numbers", wraps=True),
        Column("who", wraps=True),
        Column("signed by"),
        Column("report", wraps=True),
    )
    rows = [
        (
            format_timestamp(item.recorded_at),
            item.gate,
            verdict(item.verdict.value),
            version_name(item.baseline),
            item.summary.get("sentence", ""),
            format_actor(item.recorded_by or ""),
            _signers(item),
            item.report_uri or "",
        )
        for item in items
    ]
    return ResponsiveTable(columns, rows)
