"""Experiments and runs, as MLflow keeps them."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from fastapi import Query, Request, Response

from model_lifecycle.registry import ExperimentRecord, RunRecord
from model_lifecycle.registry.domain.models import plain

from ..auth.caller import Reader
from ..http.page_token import EXPERIMENT_NAME, STARTED
from ..http.pagination import Paging
from ..http.responses import read
from ..http.strict_route import versioned_router
from ..lifespan import Registry
from ..openapi.route_responses import link, reads
from ..schemas import responses
from ..schemas.fields import METRIC_PATTERN, After, ExperimentId, Limit

router = versioned_router("experiments")
_RUN_IDS = {"items": {"type": "string", "pattern": "^[0-9a-f]{32}$"}}
_METRICS = {"items": {"type": "string", "pattern": METRIC_PATTERN}}


@router.get(
    "/experiments",
    operation_id="list_experiments",
    response_model=responses.Page[responses.Experiment],
    responses=reads(
        links={"ListRuns": link("list_runs", exp_id="$response.body#/items/0/experiment_id")}
    ),
)
async def list_experiments(
    request: Request, caller: Reader, registry: Registry, limit: Limit = 100, after: After = None
) -> Response:
    """The tenant's experiments by name, one a model. Role: any."""
    paging = Paging(request, limit, after, EXPERIMENT_NAME)
    experiments = await registry.list_experiments(
        caller.tenant_id, after=paging.after or "", limit=limit + 1
    )
    return read(request, paging.page(experiments, lambda item: item.name, _document))


@router.get(
    "/experiments/compare",
    operation_id="compare_runs",
    response_model=responses.Comparison,
    responses=reads(404),
)
async def compare_runs(
    request: Request,
    caller: Reader,
    registry: Registry,
    run_ids: Annotated[
        list[str],
        Query(min_length=1, max_length=500, description="Runs.", json_schema_extra=_RUN_IDS),
    ],
    metrics: Annotated[
        list[str] | None,
        Query(max_length=100, description="Metrics to show.", json_schema_extra=_METRICS),
    ] = None,
) -> Response:
    """The runs' metrics side by side, in the order of the query. Role: any."""
    comparison = await registry.compare_runs(caller.tenant_id, run_ids, metrics or [])
    return read(request, {"items": comparison})


@router.get(
    "/experiments/{exp_id}/runs",
    operation_id="list_runs",
    response_model=responses.Page[responses.Run],
    responses=reads(
        404,
        links={"Compare": link("compare_runs", run_ids="$response.body#/items/0/run_id")},
    ),
)
async def list_runs(
    request: Request,
    exp_id: ExperimentId,
    caller: Reader,
    registry: Registry,
    limit: Limit = 100,
    after: After = None,
) -> Response:
    """The experiment's runs, newest first. Role: any."""
    paging = Paging(request, limit, after, STARTED)
    runs = await registry.list_runs(caller.tenant_id, exp_id, after=paging.after, limit=limit + 1)
    return read(request, paging.page(runs, _run_position, _document))


def _document(item: ExperimentRecord | RunRecord) -> dict[str, Any]:
    document: dict[str, Any] = plain(asdict(item))
    return document


def _run_position(run: RunRecord) -> tuple[datetime | None, str]:
    return run.started_at, run.run_id
